"""Measure `pulumi up` from nothing until ready, against `helm upgrade --install --wait` of the same chart and values.

Helm begins after what the program makes first: namespace, policies, keys, database, migration. The same stack is then
updated without a change, against its preview.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.helm import Helm, need_helm
from benchmarks.results import Ratio, Results, Series
from benchmarks.stacks import deployable, need_cluster
from benchmarks.step_times import DATABASE, MIGRATION, RELEASE, Update, rest_series, step_series, timed
from benchmarks.stopwatch import seconds

AIM: Final = 1.40
NO_CHANGE_AIM: Final = 1.5
_NAMESPACE: Final = "airflow-bench-up"


def measure(runs: int) -> Results:
    """Alternate: everything from nothing by the program, then the release alone by Helm into what the program left."""
    need_helm()
    api = need_cluster()
    updates: list[Update] = []
    installs: list[float] = []
    unchanged: list[tuple[float, float]] = []
    with deployable(api, _NAMESPACE) as stack:
        helm = Helm(api=api, namespace=_NAMESPACE, folder=stack.folder)
        for _ in range(runs):
            updates.append(timed(stack.up, stack.folder))
            print(f"  program {updates[-1].seconds:.1f} s", flush=True)
            unchanged.append((seconds(stack.up), seconds(stack.preview)))
            values = helm.deployed_values()
            helm.uninstall()
            installs.append(seconds(partial(helm.upgrade, values)))
            print(f"  helm    {installs[-1]:.1f} s", flush=True)
            stack.command("destroy", "--yes", "--skip-preview")
    return results(updates, installs, unchanged)


def results(updates: list[Update], installs: list[float], unchanged: list[tuple[float, float]]) -> Results:
    """Return how the program's time divides, and its ratios to Helm's."""
    whole = Series(name="program, whole", unit="s", values=tuple(update.seconds for update in updates))
    database = step_series("of it, database until ready", updates, DATABASE)
    migration = step_series("of it, migration", updates, MIGRATION)
    release = step_series("of it, release until ready", updates, RELEASE)
    rest = rest_series(
        "of it, the rest: engine, program, rendering of the chart, Secrets, policies",
        updates,
        *(DATABASE, MIGRATION, RELEASE),
    )
    comparable = rest_series("program without database and migration", updates, DATABASE, MIGRATION)
    helm = Series(name="Helm, release until ready", unit="s", values=tuple(installs))
    again, preview = (
        Series(name=name, unit="s", values=tuple(pair[index] for pair in unchanged))
        for index, name in enumerate(("program again, without a change", "preview of it"))
    )
    return Results(
        series=(whole, database, migration, release, rest, comparable, helm, again, preview),
        ratios=(
            Ratio(name="program, whole, to Helm", of=whole, to=helm, aim=AIM),
            Ratio(name="program without database and migration to Helm", of=comparable, to=helm),
            Ratio(name="program's release to Helm's", of=release, to=helm),
            Ratio(name="program again to its preview", of=again, to=preview, aim=NO_CHANGE_AIM),
        ),
    )
