"""Loads the settings of the stack that runs. This is the only reader of `pulumi.Config`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pulumi

import compatibility
from components.release.chart_archive import chart_archive
from settings.model import Settings
from settings.parsing import parse

ROOT: Final = Path(__file__).parents[1]
"""Folder of the program."""


def load() -> Settings:
    """Return the settings of the stack that runs, with its chart and its cluster found.

    Raises SettingsError; ChartError without the chart; AwsError where AWS is not as the config says.
    """
    try:
        return _load()
    except pulumi.RunError as error:
        # A command that is copied from an error must not change the stack that the shell has selected.
        error.args = (re.sub(r"\bSTACK\b", str(pulumi.get_stack()), str(error)),)
        raise


def _load() -> Settings:
    config = {**pulumi.runtime.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    secret_keys = {key for key in config if pulumi.runtime.is_config_secret(key)}
    settings = parse(config, secret_keys, pulumi.get_stack())
    for mark in (settings.rotation, settings.restoration, settings.upgrade):
        if mark is not None:
            pulumi.log.warn(mark.told(pulumi.get_stack()))
    halted = settings.platform.running.told(pulumi.get_stack())
    if halted:
        pulumi.log.warn(halted)
    if settings.aws is not None:
        # Imported here, because a laptop's stack has nothing to ask AWS.
        from settings.aws_lookup import look_up

        settings = replace(settings, platform=look_up(settings, pulumi.get_stack()))
    cluster = settings.platform.aws.cluster if settings.platform.aws else None
    found = (settings.platform.airflow_version, cluster.version if cluster else "")
    for note in (*compatibility.refusals(*found), *compatibility.notes(*found)):
        pulumi.log.warn(note)
    chart = chart_archive(settings.chart_path, ROOT)
    return replace(settings, platform=replace(settings.platform, chart=chart))
