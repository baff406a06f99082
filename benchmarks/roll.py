"""Measure a new image tag: `pulumi up` against `helm upgrade --wait` between the same two sets of values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from benchmarks.helm import Helm, need_helm
from benchmarks.plain_stack import Stack
from benchmarks.results import Ratio, Results, Series
from benchmarks.stacks import deployable, need_cluster
from benchmarks.step_times import MIGRATION, RELEASE, Update, rest_series, step_series, timed
from benchmarks.stopwatch import seconds

AIM: Final = 1.15
TAGS: Final = ("3.2.2", "3.2.2-python3.12")
_NAMESPACE: Final = "airflow-bench-roll"


def measure(runs: int) -> Results:
    """Roll by the program, then by Helm back and forth, so that the program's state stays true; and again."""
    need_helm()
    api = need_cluster()
    updates: list[Update] = []
    upgrades: list[float] = []
    values: dict[str, Mapping[str, Any]] = {}
    with deployable(api, _NAMESPACE) as stack:
        helm = Helm(api=api, namespace=_NAMESPACE, folder=stack.folder)
        old, new = TAGS
        stack.set(imageTag=old)
        stack.up()
        values[old] = helm.deployed_values()
        for run in range(runs):
            updates.append(_roll(stack, helm, new))
            values[new] = helm.deployed_values()
            for tag in (old, new) if run < runs - 1 or not upgrades else ():
                helm.settle()
                upgrades.append(seconds(partial(helm.upgrade, values[tag])))
                print(f"  helm    {upgrades[-1]:.1f} s", flush=True)
            old, new = new, old
    return results(updates, upgrades)


def _roll(stack: Stack, helm: Helm, tag: str) -> Update:
    stack.set(imageTag=tag)
    helm.settle()
    update = timed(stack.up, stack.folder)
    print(f"  program {update.seconds:.1f} s", flush=True)
    return update


def results(updates: list[Update], upgrades: list[float]) -> Results:
    """Return how the program's time divides, and its ratios to Helm's."""
    whole = Series(name="program, whole", unit="s", values=tuple(update.seconds for update in updates))
    migration = step_series("of it, migration", updates, MIGRATION)
    release = step_series("of it, release until ready", updates, RELEASE)
    comparable = rest_series("program without migration", updates, MIGRATION)
    helm = Series(name="Helm, release until ready", unit="s", values=tuple(upgrades))
    return Results(
        series=(whole, migration, release, comparable, helm),
        ratios=(
            Ratio(name="program, whole, to Helm", of=whole, to=helm, aim=AIM),
            Ratio(name="program without migration to Helm", of=comparable, to=helm),
            Ratio(name="program's release to Helm's", of=release, to=helm),
        ),
    )
