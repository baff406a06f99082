"""Budgets that never hold up a drain and that Kubernetes accepts, spread over zones and nodes, and rolls."""

from __future__ import annotations

import math
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from components.chart_values.availability import SEVERAL
from components.chart_values.chart_defaults import chart_values, merged, schema_problems
from components.chart_values.executor import Executor
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.chart_values.values import airflow_values
from components.database.pgbouncer import PgBouncer
from components.task_logs.store import TaskLogStore
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.cases import each

COMPONENTS: Final = {
    "apiServer": "api-server",
    "scheduler": "scheduler",
    "dagProcessor": "dag-processor",
    "triggerer": "triggerer",
    "pgbouncer": "pgbouncer",
    "workers.celery": "worker",
}
PODS = st.integers(1, 1000)
SCALES = st.builds(Scale, api_server=PODS, scheduler=PODS, dag_processor=PODS, triggerer=PODS, worker=PODS)
SEVERAL_OF_EACH: Final = Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=2)


def effective(values: dict[str, Any]) -> dict[str, Any]:
    """As Helm has them: on top of the chart's own."""
    return merged(chart_values(), values)


def at(values: dict[str, Any], path: str) -> dict[str, Any]:
    found: Any = values
    for part in path.split("."):
        found = found[part]
    assert isinstance(found, dict)
    return found


def pods(scale: Scale, pooler: PgBouncer | None, executor: Executor) -> dict[str, int]:
    return {
        "apiServer": scale.api_server,
        "scheduler": scale.scheduler,
        "dagProcessor": scale.dag_processor,
        "triggerer": scale.triggerer,
        "pgbouncer": pooler.replicas if pooler else 0,
        "workers.celery": scale.worker if executor.celery else 0,
    }


def may_go(limit: int | str, pods: int) -> int:
    """Pods of `pods` that may go at once; Kubernetes rounds a percentage of `maxUnavailable` up."""
    return math.ceil(int(limit.removesuffix("%")) * pods / 100) if isinstance(limit, str) else limit


@given(SCALES, st.none() | st.builds(PgBouncer, replicas=PODS), st.sampled_from(Executor), st.sampled_from(SizePreset))
def test_drain_always_gets_on_and_leaves_somebody_to_serve(
    scale: Scale, pooler: PgBouncer | None, executor: Executor, size: SizePreset
) -> None:
    inputs = samples.release_inputs(executor=executor, pgbouncer=pooler, scale=scale, size=size)
    values = effective(airflow_values(inputs))
    for component, count in pods(scale, pooler, executor).items():
        budget = at(values, component)["podDisruptionBudget"]
        task_pods = component == "workers.celery" and executor.kubernetes
        assert bool(budget["enabled"]) is (count >= SEVERAL and not task_pods), component
        if not budget["enabled"]:
            continue
        limits = {key: budget["config"].get(key) for key in ("minAvailable", "maxUnavailable")}
        assert [key for key, value in limits.items() if value is not None] == ["maxUnavailable"], component
        assert 1 <= may_go(limits["maxUnavailable"], count) < count, "one may go, and one always stays"
        assert budget["config"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow", "a broken pod must not stop a drain"


@each("executor", [executor for executor in Executor if executor.kubernetes])
def test_task_pods_are_under_no_budget(executor: Executor) -> None:
    """They are pods without a controller and bear a worker's labels: Kubernetes then refuses every eviction."""
    scale = Scale(worker=50)
    celery = airflow_values(samples.release_inputs(executor=executor, scale=scale))["workers"]["celery"]
    assert "podDisruptionBudget" not in celery


def test_large_fleet_is_not_drained_one_by_one() -> None:
    values = airflow_values(samples.release_inputs(scale=Scale(worker=100)))
    limit = values["workers"]["celery"]["podDisruptionBudget"]["config"]["maxUnavailable"]
    assert may_go(limit, 100) >= 10
    assert may_go(limit, 2) == 1


@given(SCALES, st.none() | st.builds(PgBouncer, replicas=PODS), st.sampled_from(Executor))
def test_several_pods_of_one_kind_are_spread_and_a_single_one_is_not(
    scale: Scale, pooler: PgBouncer | None, executor: Executor
) -> None:
    values = effective(airflow_values(samples.release_inputs(executor=executor, pgbouncer=pooler, scale=scale)))
    for component, count in pods(scale, pooler, executor).items():
        constraints = at(values, component)["topologySpreadConstraints"]
        assert len(constraints) == (2 if count >= SEVERAL else 0), component
        for constraint in constraints:
            assert constraint["labelSelector"] == {
                "matchLabels": {"tier": "airflow", "component": COMPONENTS[component], "release": "airflow"}
            }
            # A lost zone, a full node: the pod has to run somewhere all the same.
            assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
            assert constraint["nodeTaintsPolicy"] == "Honor"
            assert constraint["matchLabelKeys"] == ["pod-template-hash"]
        assert {constraint["topologyKey"] for constraint in constraints} <= {
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        }


def test_pods_of_a_stateful_set_are_told_apart_by_its_own_label() -> None:
    inputs = samples.release_inputs(store=TaskLogStore.WORKER, scale=SEVERAL_OF_EACH)
    values = airflow_values(inputs)
    for constraint in values["workers"]["celery"]["topologySpreadConstraints"]:
        assert constraint["matchLabelKeys"] == ["controller-revision-hash"]
    for constraint in values["scheduler"]["topologySpreadConstraints"]:
        assert constraint["matchLabelKeys"] == ["pod-template-hash"]


def test_workers_that_may_become_several_are_treated_as_such() -> None:
    one = airflow_values(samples.release_inputs())["workers"]["celery"]
    more = airflow_values(samples.release_inputs(autoscaling=WorkerAutoscaling(max_workers=9)))["workers"]["celery"]
    assert not {"podDisruptionBudget", "topologySpreadConstraints"} & set(one)
    assert more["podDisruptionBudget"]["enabled"] is True
    assert len(more["topologySpreadConstraints"]) == 2
    assert more["replicas"] == 1, "the smallest number; KEDA raises it"


@each("size", [size for size in SizePreset if size is not SizePreset.NONE])
def test_roll_takes_nothing_away_before_its_successor_is_there(size: SizePreset) -> None:
    values = airflow_values(samples.release_inputs(size=size, pgbouncer=PgBouncer(replicas=2)))
    for component in ("apiServer", "scheduler", "dagProcessor", "triggerer", "workers.celery"):
        update = at(effective(values), component)["strategy"]["rollingUpdate"]
        assert update["maxUnavailable"] == 0, component
        assert may_go(update["maxSurge"], 1) == 1, "or it would never begin"
    assert values["revisionHistoryLimit"] > 0
    for component in ("apiServer", "pgbouncer"):
        text = " ".join(values[component]["containerLifecycleHooks"]["preStop"]["exec"]["command"])
        seconds = sum(int(word) for word in text.split() if word.isdecimal())
        assert 5 <= seconds < 30, "Kubernetes gives these pods 30 seconds, the hook's among them"
    assert schema_problems(values) == []


def test_laptop_rolls_as_the_chart_does() -> None:
    """A second pod beside the first may be more than it has room for."""
    values = airflow_values(samples.release_inputs(scale=SEVERAL_OF_EACH))
    assert "revisionHistoryLimit" not in values
    for component in ("apiServer", "scheduler", "dagProcessor", "triggerer", "workers.celery"):
        assert not {"strategy", "containerLifecycleHooks"} & set(at(values, component))


ZONES: Final = [{"maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}]


def test_what_a_user_says_of_all_pods_is_hidden_by_no_value_of_the_program() -> None:
    own = airflow_values(samples.release_inputs(scale=SEVERAL_OF_EACH, size=SizePreset.MEDIUM))
    hook = {"preStop": {"httpGet": {"port": 1, "path": "/"}}}
    values = with_helm_values(own, {"topologySpreadConstraints": ZONES, "containerLifecycleHooks": hook})
    for component in COMPONENTS:
        spread = at(values, component).get("topologySpreadConstraints") or values["topologySpreadConstraints"]
        assert spread[0] == ZONES[0], component
        assert [other["topologyKey"] for other in spread[1:]] in ([], ["kubernetes.io/hostname"]), component
    assert at(values, "apiServer")["containerLifecycleHooks"] == hook
    others = with_helm_values(own, {"scheduler": {"topologySpreadConstraints": ZONES}})
    assert at(others, "scheduler")["topologySpreadConstraints"] == ZONES
    assert at(others, "apiServer") == at(own, "apiServer")
