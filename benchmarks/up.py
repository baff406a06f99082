"""`pulumi up` from nothing until ready, against `helm upgrade --install --wait` of the same chart and values.

Helm begins where all is made that the program makes itself first: namespace, policies, keys, database, migration.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.helm import Helm, need_helm
from benchmarks.results import Ratio, Results, Series
from benchmarks.stacks import deployable, need_cluster
from benchmarks.step_times import DATABASE, MIGRATION, RELEASE, Update, timed
from benchmarks.stopwatch import seconds

AIM: Final = 1.10
_NAMESPACE: Final = "airflow-bench-up"


def measure(runs: int) -> Results:
    """Alternates: all from nothing by the program; the release alone, by Helm, into what the program left."""
    need_helm()
    api = need_cluster()
    updates: list[Update] = []
    installs: list[float] = []
    with deployable(api, _NAMESPACE) as stack:
        helm = Helm(api=api, namespace=_NAMESPACE, folder=stack.folder)
        for _ in range(runs):
            updates.append(timed(stack.up, stack.folder))
            print(f"  program {updates[-1].seconds:.1f} s", flush=True)
            values = helm.deployed_values()
            helm.uninstall()
            installs.append(seconds(partial(helm.upgrade, values)))
            print(f"  helm    {installs[-1]:.1f} s", flush=True)
            stack.command("destroy", "--yes", "--skip-preview")
    return results(updates, installs)


def results(updates: list[Update], installs: list[float]) -> Results:
    """How the program's time divides, and its ratios to Helm's."""

    def series(name: str, values: list[float]) -> Series:
        return Series(name=name, unit="s", values=tuple(values))

    whole = series("program, whole", [update.seconds for update in updates])
    database = series("of it, database until ready", [update.steps[DATABASE].seconds for update in updates])
    migration = series("of it, migration", [update.steps[MIGRATION].seconds for update in updates])
    release = series("of it, release until ready", [update.steps[RELEASE].seconds for update in updates])
    rest = series(
        "of it, the rest: engine, program, rendering of the chart, Secrets, policies",
        [
            update.seconds - sum(update.steps[step].seconds for step in (DATABASE, MIGRATION, RELEASE))
            for update in updates
        ],
    )
    comparable = series(
        "program without database and migration",
        [update.seconds - update.steps[DATABASE].seconds - update.steps[MIGRATION].seconds for update in updates],
    )
    helm = series("Helm, release until ready", installs)
    return Results(
        series=(whole, database, migration, release, rest, comparable, helm),
        ratios=(
            Ratio(name="program, whole, to Helm", of=whole, to=helm, aim=AIM),
            Ratio(name="program without database and migration to Helm", of=comparable, to=helm),
            Ratio(name="program's release to Helm's", of=release, to=helm),
        ),
    )
