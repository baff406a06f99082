"""The reasons why a release cannot be taken over as it is: sentences that end with a fix and show no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import versions
from automation.adoption.installed import RELEASE, InstalledRelease
from automation.adoption.taken_over import ReleaseConfig
from automation.helm_template import object_key
from components.kube.secret import Secret
from settings import PROJECT

_CHART: Final = "airflow"
_DEPLOYED: Final = "deployed"
_PARTS: Final = ("scheduler", "api-server")
"""Components of the official chart. Without these names it is another chart, or its names cannot be kept."""
_KEEP: Final = "helm.sh/resource-policy=keep"

IsKept = Callable[[Mapping[str, Any]], bool]
"""Tells whether an object in the cluster says that Helm must keep it."""


def release_refusals(release: InstalledRelease) -> Iterator[str]:
    """Yield what is wrong with the release itself."""
    if release.status != _DEPLOYED:
        yield (
            f"release {RELEASE}: expected revision {release.revision} deployed, found {release.status}. Fix: "
            f"helm rollback {RELEASE} --namespace {release.namespace}, or upgrade it until it is"
        )
    if release.chart != _CHART or any(release.workload(part) is None for part in _PARTS):
        found = f"chart {release.chart} {release.chart_version}"
        yield (
            f"release {RELEASE}: expected the official chart with the names that it gives by default (Deployment "
            f"{RELEASE}-scheduler, {RELEASE}-api-server), found {found} with others. Fix: helm upgrade without "
            "fullnameOverride, nameOverride and useStandardNaming, on Airflow 3"
        )
    if _number(release.chart_version) > _number(versions.AIRFLOW_CHART):
        yield (
            f"release {RELEASE}: expected chart {versions.AIRFLOW_CHART} or older, found {release.chart_version}. "
            "Fix: take a newer version of this program"
        )
    shipped = _number(versions.AIRFLOW)
    if _number(release.airflow_version) > shipped:
        yield (
            f"release {RELEASE}: expected Airflow {versions.AIRFLOW} or older, found {release.airflow_version}; a "
            "database is not migrated back. Fix: take a newer version of this program"
        )
    elif _number(release.airflow_version)[:1] != shipped[:1]:
        yield (
            f"release {RELEASE}: expected Airflow {shipped[0]}, found {release.airflow_version}: the step to Airflow "
            f"{shipped[0]} needs more than another version. Fix: upgrade with Helm first, and then take it over"
        )


def config_refusals(values: Mapping[str, Any], config: ReleaseConfig) -> Iterator[str]:
    """Yield each contradiction between the stack's config and the release in a value that must not change.

    values: The config by short key, secret values as `Secret`; a value that cannot be decrypted is None.
    """
    if values.get("keySource", "generate") != "generate":
        yield (
            f"{PROJECT}:keySource: expected generate, because the release's keys are taken over, found "
            f"{values['keySource']}. Fix: pulumi config rm --stack STACK {PROJECT}:keySource, and set it again after "
            "the adoption"
        )
    for key in sorted(config.must_stay & values.keys()):
        own, release = values[key], config.values[key]
        if isinstance(release, Secret):
            if not isinstance(own, Secret) or own.reveal() != release.reveal():
                yield (
                    f"{PROJECT}:{key}: expected the release's own ({config.sources[key]}), found another one. Fix: "
                    f"pulumi config rm --stack STACK {PROJECT}:{key}"
                )
        elif str(own) != str(release):
            yield (
                f"{PROJECT}:{key}: expected the release's own, {release} ({config.sources[key]}), found {own}. Fix: "
                f"pulumi config rm --stack STACK {PROJECT}:{key}"
            )


def loss_refusals(
    release: InstalledRelease, rendered: Sequence[Mapping[str, Any]], is_kept: IsKept, database_host: str
) -> Iterator[str]:
    """Yield what Helm would delete although data is in it. rendered: The chart's objects with the stack's values."""
    staying = {_in_the_namespace(item) for item in rendered}
    for item in release.objects:
        lost = _loss(item, database_host)
        if lost is None or _in_the_namespace(item) in staying or is_kept(item):
            continue
        kind, name = str(item["kind"]), item["metadata"]["name"]
        yield (
            f"{kind} {name}: expected that the stack's release has it too, found that Helm would delete it, and "
            f"with it {lost}. Fix: kubectl --namespace {release.namespace} annotate {kind.lower()} {name} {_KEEP}, "
            "and it stays, outside the release"
        )


def _loss(item: Mapping[str, Any], database_host: str) -> str | None:
    kind, name = item.get("kind"), str(item["metadata"]["name"])
    if kind == "PersistentVolumeClaim":
        return "its data"
    if kind == "StatefulSet":
        policy = (item.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}
        if policy.get("whenDeleted") == "Delete":
            return "the data of its volumes"
    if kind in ("StatefulSet", "Deployment", "Service") and name == database_host.partition(".")[0]:
        return "the metadata database"
    return None


def _in_the_namespace(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what identifies an object. It leaves out the namespace, which only some templates of the chart name."""
    kind, _, name, version = object_key(item)
    return kind, name, version


def _number(version: str) -> tuple[int, ...]:
    """Return the numbers of a version such as 3.2.2 or 3.2.2-rc1; () if it cannot be read."""
    parts = version.partition("-")[0].split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()
