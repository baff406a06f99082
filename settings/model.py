"""A stack's whole config as one typed value."""

from __future__ import annotations

from dataclasses import dataclass

from components.platform_args import AirflowPlatformArgs
from settings.restoration import InstanceRestoration, Restoration
from settings.rotation import Mark
from settings.sections.cluster import AwsChoice
from settings.sections.database_kind import DatabaseChoice
from settings.sections.keys import KeySource
from settings.upgrade import UpgradeMark


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A valid config."""

    platform: AirflowPlatformArgs
    """Arguments of the component that is the whole deployment. `load` adds the chart's path and what AWS tells."""
    chart_path: str
    """Path of the chart's archive where it is not to be downloaded, or ""."""
    aws: AwsChoice | None
    """Where in AWS the stack is, or None for a cluster that a kubeconfig names."""
    key_source: KeySource
    """Where keys come from."""
    rotation: Mark | None
    """The rotation of a key that is under way."""
    restoration: Restoration | InstanceRestoration | None
    """The restore of a backup that is under way."""
    upgrade: UpgradeMark | None
    """The upgrade or rollback that is under way."""
    database: DatabaseChoice
    """What the config says about the database beyond the platform's arguments."""
