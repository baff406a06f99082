"""Finds out what happens when a stack with a given config takes over a release."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from automation.adoption.installed import RELEASE, InstalledRelease
from automation.adoption.notes import notes
from automation.adoption.plan import AdoptionPlan
from automation.adoption.refusals import config_refusals, loss_refusals, release_refusals
from automation.adoption.secret_values import hidden, object_where_set, secrets_in, where_set
from automation.adoption.taken_over import ReleaseConfig, taken_over
from automation.change_report.compare import compare_plans
from automation.change_report.model import StackReport
from automation.engine.stack_state import NAMESPACE
from automation.errors import AdoptionRefused
from automation.plan.model import RELEASE_TYPE, Plan
from automation.plan.process import new_key, plan_checkout
from automation.stacks.config import EnvironmentSettings
from components.dags.delivery import DagsDelivery
from components.secrets.masker import Masker, without_digests

if TYPE_CHECKING:
    from automation.cluster.objects import ClusterObjects

_PARTLY_IMMUTABLE: Final = ("StatefulSet", "Deployment", "Service", "RoleBinding")
"""Kinds of the chart with fields that Kubernetes does not change: Helm would stop at them, half-way."""
_LONGEST: Final = 300

Checkout = Callable[[EnvironmentSettings], AbstractContextManager[Path]]
"""Makes a folder that holds the program, with a stack file of these settings."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """An adoption that has been looked into and not begun."""

    plan: AdoptionPlan
    """What may be shown of it."""
    release: InstalledRelease
    """The release to take over."""
    settings: EnvironmentSettings | None
    """The stack's config with what the release decides; None if the adoption is refused."""
    added: Mapping[str, Any]
    """The values that the release decides and the stack's config does not have, by key."""


def find_release(stack: str, namespace: str, cluster: ClusterObjects) -> InstalledRelease:
    """Return the release of a namespace. Raises AdoptionRefused if there is none."""
    release = InstalledRelease.of(cluster.records(RELEASE))
    if release is None:
        text = (
            f"expected a Helm release {RELEASE} in namespace {namespace}, found none; its name decides those of all "
            f"Services, so that one with another name cannot be kept. Fix: pulumi config set --stack {stack} "
            f"airflow:namespace NAME, or, where there is nothing to take over: python -m automation up {stack}"
        )
        raise AdoptionRefused(stack, (text,))
    return replace(release, namespace=namespace)


def find_config(release: InstalledRelease, cluster: ClusterObjects) -> ReleaseConfig:
    """Return the config that the release decides. Raises ClusterRequestFailed."""
    return taken_over(release, functools.cache(cluster.secret))


_OF_REPOSITORY: Final = (
    *("dagsRepository", "dagsRef", "dagsSubPath", "gitSshPrivateKey", "gitKnownHosts", "dagsUsername", "dagsToken"),
)
"""The keys that say what git-sync fetches, and how."""


def completed(values: Mapping[str, Any], config: ReleaseConfig) -> dict[str, Any]:
    """Return the values that the release decides and that the stack's config lacks, by key."""
    added = {key: value for key, value in config.values.items() if key not in values}
    # A digest wins over a tag, and a folder and a key are of one repository: half of either would be of neither.
    if "imageTag" in values or "imageRepository" in values:
        added.pop("imageDigest", None)
    if "dagsRepository" in values or _dags_in_image(values):
        for key in _OF_REPOSITORY:
            added.pop(key, None)
    return added


def _config_refusals(values: Mapping[str, Any], config: ReleaseConfig) -> Iterator[str]:
    """Yield what is missing in the release, and what in the stack's config contradicts it."""
    yield from config.problems
    yield from config_refusals(values, config)
    if "dagsRepository" not in {**config.values, **values} and not _dags_in_image(values):
        yield (
            "airflow:dagsRepository: expected the repository of the DAGs, because the release has no git-sync that "
            "would say it, found none. Fix: pulumi config set --stack STACK airflow:dagsRepository URL, or, where the "
            "image has the DAGs: pulumi config set --stack STACK airflow:dagsDelivery image"
        )


def _dags_in_image(values: Mapping[str, Any]) -> bool:
    return values.get("dagsDelivery") == DagsDelivery.IMAGE.value


def settings_of_release(
    stack: str, values: Mapping[str, Any], cluster: ClusterObjects, project_dir: Path, namespace: str
) -> EnvironmentSettings:
    """Return a stack's config that leaves a release's keys and database as they are.

    Args:
        stack: The name of the stack.
        values: What no release says, and what should differ from the release, by short key.
        cluster: The namespace of the release.
        project_dir: The folder of the program.
        namespace: The name of the namespace.

    Raises:
        AdoptionRefused: The release does not say all that is needed, or the values contradict it. It names everything.
        SettingsInvalid: The config is not valid.
    """
    config = find_config(find_release(stack, namespace, cluster), cluster)
    refusals = tuple(_config_refusals(values, config))
    if refusals:
        raise AdoptionRefused(stack, refusals)
    return EnvironmentSettings.of(stack, {**values, **completed(values, config)}, project_dir)


def prepare(
    stack: str,
    values: Mapping[str, Any],
    cluster: ClusterObjects,
    checkout: Checkout,
    project_dir: Path,
    namespace: str,
) -> Prepared:
    """Return what taking over the release would do.

    Args:
        stack: The name of the stack.
        values: The stack's config by short key, secret values as `Secret`.
        cluster: The namespace of the release.
        checkout: Makes a folder in which the program can be planned.
        project_dir: The folder of the program.
        namespace: The name of the namespace.

    Raises:
        AdoptionRefused: There is no release.
        SettingsInvalid: The config lacks what no release says.
    """
    release = find_release(stack, namespace, cluster)
    config = find_config(release, cluster)
    plan = AdoptionPlan(
        stack=stack,
        namespace=namespace,
        revision=release.revision,
        chart_version=release.chart_version,
        airflow_version=release.airflow_version,
    )
    refusals = (*release_refusals(release), *_config_refusals(values, config))
    added = completed(values, config)
    plan = replace(plan, taken=tuple(config.shown(key) for key in sorted(added)))
    if refusals:
        return Prepared(plan=replace(plan, refusals=refusals), release=release, settings=None, added=added)
    settings = EnvironmentSettings.of(stack, {**values, **added}, project_dir)
    key = new_key()
    secrets = {name: secret.reveal() for name, secret in settings.secrets.items()}
    with checkout(settings) as folder:
        head = plan_checkout(folder, stack, key=key, known_secrets=secrets)
    masker = _masker(key, release, secrets.values())
    report = compare_plans(_as_plan(stack, head, release, masker), head)
    # Where there is no plan, there are no objects either, and that says no more.
    refusals = _plan_refusals(stack, report) or _cluster_refusals(release, head, cluster, masker, settings)
    told = tuple(notes(release, settings, head.objects or ()))
    return Prepared(
        plan=replace(plan, report=report, notes=told, refusals=refusals),
        release=release,
        settings=settings if not refusals else None,
        added=added,
    )


def _cluster_refusals(
    release: InstalledRelease, head: Plan, cluster: ClusterObjects, masker: Masker, settings: EnvironmentSettings
) -> tuple[str, ...]:
    if head.objects is None:
        return (
            f"the chart's objects are not known, so nobody can say what would be lost: {head.no_objects}. Fix: install "
            "helm (https://helm.sh/docs/intro/install), and see airflow:chartPath",
        )
    host = str(settings.values.get("databaseHost") or "")
    refusals = list(loss_refusals(release, head.objects, cluster.is_kept, host))
    there = {(item["kind"], item["metadata"]["name"]) for item in release.objects}
    for item in head.objects:
        kind, name = str(item["kind"]), str(item["metadata"]["name"])
        if kind in _PARTLY_IMMUTABLE and (kind, name) in there:
            said = cluster.refusal(item)
            if said:
                text = without_digests(masker.text(" ".join(said.split())))
                refusals.append(
                    f"{kind} {name}: expected that Kubernetes changes it to what the stack deploys, found: "
                    f"{text[:_LONGEST]}. Fix: set airflow:helmValues so that it stays as it is, or delete it (a "
                    "StatefulSet with kubectl delete --cascade=orphan) when that loses nothing"
                )
    return tuple(refusals)


def _plan_refusals(stack: str, report: StackReport) -> tuple[str, ...]:
    failure = report.head_failure  # the release itself is no plan, and cannot fail as one
    return () if failure is None else (f"stack {stack} cannot be planned: {failure.text}",)


def _masker(key: bytes, release: InstalledRelease, secrets: Iterable[str]) -> Masker:
    return Masker(key, (*secrets, *secrets_in((release.given, release.objects, release.hooks))))


def _as_plan(stack: str, head: Plan, release: InstalledRelease, masker: Masker) -> Plan:
    """Return the plan of a program that makes only the release as it is, and its namespace."""
    there = []
    for item in head.resources:
        if item.type == RELEASE_TYPE:
            inputs = {
                **item.inputs,
                "chart": release.chart,
                "version": release.chart_version,
                "values": hidden(where_set(release.given, item.inputs.get("values"), masker), masker),
            }
            there.append(replace(item, inputs=inputs, protect=False, made_of={}))
        elif item.type == NAMESPACE:
            metadata = {"name": release.namespace}
            there.append(replace(item, inputs={**item.inputs, "metadata": metadata}, protect=False, made_of={}))
    own = {_named(item): item for item in head.objects or ()}
    objects = tuple(hidden(object_where_set(item, own.get(_named(item)), masker), masker) for item in release.objects)
    return Plan(stack=stack, resources=tuple(there), objects=objects if head.objects is not None else None)


def _named(item: Mapping[str, Any]) -> tuple[str, str]:
    return str(item.get("kind")), str((item.get("metadata") or {}).get("name"))
