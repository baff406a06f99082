"""The Pulumi program: settings, providers, the platform, exports. No logic."""

import pulumi

import settings
from components.airflow_platform import AirflowPlatform
from providers import providers

loaded = settings.load()

platform = AirflowPlatform("airflow", loaded.platform, pulumi.ResourceOptions(providers=providers(loaded.platform)))

for name, value in platform.exports.items():
    pulumi.export(name, value)
