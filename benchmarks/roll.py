"""A new image tag: `pulumi up` against `helm upgrade --wait` between the same two sets of values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from benchmarks.helm import Helm, need_helm
from benchmarks.plain_stack import Stack
from benchmarks.results import Ratio, Results, Series
from benchmarks.stacks import deployable, need_cluster
from benchmarks.step_times import MIGRATION, RELEASE, Update, timed
from benchmarks.stopwatch import seconds

AIM: Final = 1.10
TAGS: Final = ("3.2.2", "3.2.2-python3.12")
_NAMESPACE: Final = "airflow-bench-roll"


def measure(runs: int) -> Results:
    """The program rolls forth; Helm back and forth, which leaves what the program's state says; the program back; …"""
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
    """How the program's time divides, and its ratios to Helm's."""

    def series(name: str, values: list[float]) -> Series:
        return Series(name=name, unit="s", values=tuple(values))

    whole = series("program, whole", [update.seconds for update in updates])
    migration = series("of it, migration", [update.steps[MIGRATION].seconds for update in updates])
    release = series("of it, release until ready", [update.steps[RELEASE].seconds for update in updates])
    comparable = series(
        "program without migration", [update.seconds - update.steps[MIGRATION].seconds for update in updates]
    )
    helm = series("Helm, release until ready", upgrades)
    return Results(
        series=(whole, migration, release, comparable, helm),
        ratios=(
            Ratio(name="program, whole, to Helm", of=whole, to=helm, aim=AIM),
            Ratio(name="program without migration to Helm", of=comparable, to=helm),
            Ratio(name="program's release to Helm's", of=release, to=helm),
        ),
    )
