"""A stack's whole config as one typed value."""

from __future__ import annotations

from dataclasses import dataclass

from components.platform_args import AirflowPlatformArgs
from settings.sections.aws import AwsChoice
from settings.sections.database import DatabaseChoice
from settings.sections.keys import KeySource


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A valid config.

    platform: arguments of the component that is the whole deployment, but for the path of the chart and what only AWS
        can tell; with an EKS cluster it has no kube_context yet.
    chart_path: the chart's archive where it is not to be downloaded, or "".
    aws: the EKS cluster that is to be looked up, or None.
    key_source: where keys come from. database: what the config says of it beyond the platform's arguments.
    """

    platform: AirflowPlatformArgs
    chart_path: str
    aws: AwsChoice | None
    key_source: KeySource
    database: DatabaseChoice
