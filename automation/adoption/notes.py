"""What you should know before you take over a release: sentences that show no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automation.adoption.installed import InstalledRelease
from automation.helm_template import object_key
from automation.stacks.config import EnvironmentSettings


def notes(
    release: InstalledRelease, settings: EnvironmentSettings, rendered: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what else changes, apart from objects and config. rendered: The chart's objects with the stack's values."""
    platform = settings.checked.platform
    yield (
        f"the namespace {release.namespace} is the stack's from then on, with all that is in it: "
        + ("a destroy is refused while airflow:protect is true" if platform.protect else "a destroy deletes it")
    )
    yield (
        f"the user {platform.admin_username} gets the stack's password (airflow:adminPassword, or a generated one), "
        "or is made; airflow:adminUsername chooses another"
    )
    if release.airflow_version and release.airflow_version != platform.airflow_version:
        yield (
            f"the database is migrated from Airflow {release.airflow_version} to {platform.airflow_version}, and not "
            "back: take a backup"
        )
    staying = {(key[0], key[2]) for key in map(object_key, rendered)}
    for item in release.objects:
        kind, name = str(item.get("kind")), str(item["metadata"]["name"])
        if kind == "StatefulSet" and (kind, name) not in staying and item["spec"].get("volumeClaimTemplates"):
            yield (
                f"StatefulSet {name} is deleted and its volumes stay, but Airflow no longer shows the logs on them; "
                "delete the claims when you do not need them any more"
            )
