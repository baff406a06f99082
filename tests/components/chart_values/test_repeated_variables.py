"""Each pod has a variable once, and the nearest list wins."""

from __future__ import annotations

from typing import Any

from components.chart_values.chart_defaults import merged
from components.chart_values.repeated_variables import with_each_variable_once
from components.chart_values.value_paths import at, nested
from components.chart_values.values import airflow_values
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.chart import rendering

COMPONENTS = ("apiServer", "scheduler", "dagProcessor", "triggerer", "workers.celery", "workers.kubernetes")


def env(path: str = "env", **variables: str) -> dict[str, Any]:
    return nested(path, [{"name": name, "value": value} for name, value in variables.items()])


def names(values: dict[str, Any], path: str) -> dict[str, str]:
    found = [(entry["name"], entry.get("value")) for entry in at(values, path) or ()]
    assert len(found) == len(dict(found)), path
    return dict(found)


def test_variable_of_a_component_wins_over_that_of_all_pods() -> None:
    users = merged(env(LEVEL="info", TEAM="a"), env("scheduler.env", LEVEL="debug"))
    values = with_helm_values(airflow_values(samples.release_inputs()), users)
    assert "LEVEL" not in names(values, "env")
    assert names(values, "env")["TEAM"] == "a"
    for component in COMPONENTS:
        assert names(values, f"{component}.env")["LEVEL"] == ("debug" if component == "scheduler" else "info")


def test_variable_of_the_user_wins_over_the_program_s() -> None:
    for users in (env(REGION="us"), env("scheduler.env", REGION="us")):
        values = with_helm_values(env("scheduler.env", REGION="eu", KEPT="x"), users)
        assert names(values, "scheduler.env") == {"REGION": "us", "KEPT": "x"}
        assert names(values, "env") == {}


def test_sets_and_groups_of_workers_have_it_once() -> None:
    sets = nested("workers.celery.sets", [{"name": "gpu", **env(LEVEL="debug")}, {"name": "big"}])
    gpu, big = at(with_helm_values({}, merged(env(LEVEL="info"), sets)), "workers.celery.sets")
    assert names(gpu, "env") == {"LEVEL": "debug"}
    assert "env" not in big, "the chart gives it that of all workers"
    values = with_helm_values(merged(sets, {}), env(LEVEL="info"))
    gpu, big = at(values, "workers.celery.sets")
    assert (names(gpu, "env"), names(big, "env")) == ({"LEVEL": "debug"}, {"LEVEL": "info"})
    assert not names(values, "env")


def test_nothing_changes_where_no_name_is_repeated() -> None:
    own, users = env("scheduler.env", A="1"), merged(env(B="2"), env("scheduler.env", C="3"))
    assert with_each_variable_once(own, users) == (own, users)


@rendering.needs_chart
def test_no_container_has_a_variable_twice() -> None:
    users = merged(env(LEVEL="info"), env("workers.celery.env", LEVEL="debug"))
    objects = rendering.objects(with_helm_values(airflow_values(samples.release_inputs()), users))
    found = 0
    for name, template in rendering.pod_templates(objects):
        for container in rendering.containers(template):
            given = [entry["name"] for entry in container.get("env") or ()]
            assert len(given) == len(set(given)), (name, container["name"])
            found += "LEVEL" in given
    assert found > 4
