"""What came up when values files of other teams were tried: nothing right is refused, and each refusal leads on."""

from __future__ import annotations

import re

from components.chart_values.chart_defaults import chart_schema, chart_values
from components.chart_values.value_paths import nested
from components.user_values.surroundings import Surroundings
from components.user_values.user_values import problems
from tests import samples
from tests.cases import each


def test_null_leaves_one_limit_of_a_budget() -> None:
    config = {"maxUnavailable": None, "minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    for component in ("apiServer", "scheduler", "dagProcessor"):
        users = nested(f"{component}.podDisruptionBudget", {"enabled": True, "config": config})
        assert problems(users, chart_values(), chart_schema()) == []


def test_values_of_one_map_with_one_problem_are_told_once() -> None:
    users = {"createUserJob": {"enabled": False, "command": ["true"]}}
    [problem] = problems(users, chart_values(), chart_schema())
    assert problem == (
        "createUserJob (enabled, command) is set by the program; use airflow:adminUsername and airflow:adminPassword"
    )


def test_copy_of_the_chart_s_values_is_told_as_one() -> None:
    users = {**chart_values(), "executor": "KubernetesExecutor"}
    first, *others = problems(users, chart_values(), chart_schema())
    assert re.fullmatch(
        r"fullnameOverride and \d+ more are the chart's own defaults; keep only what you changed", first
    )
    assert others == ["executor is set by the program; use airflow:executor"]


@each(
    "path,problem",
    [
        (
            "scheduler.securityContexts.containers",
            "is not a value of the chart; use scheduler.securityContexts.container",
        ),
        (
            "workers.securityContexts.containers.runAsUser",
            "is deprecated in the chart; use workers.celery.securityContexts.container.runAsUser and "
            "workers.kubernetes.securityContexts.container.runAsUser",
        ),
        (
            "webserver.securityContexts.containers.runAsUser",
            "has no effect here; use apiServer.securityContexts.container.runAsUser: Airflow 3 has no webserver",
        ),
        ("webserver.replicas", "has no effect here; use airflow:apiServerReplicas: Airflow 3 has no webserver"),
        ("images.migrationsWaitTimeout", "is set by the program; use airflow:migrationTimeoutSeconds"),
    ],
)
def test_refusal_names_a_place_that_works(path: str, problem: str) -> None:
    found = problems(nested(path, 7), chart_values(), chart_schema())
    assert any(text.startswith(f"{path} {problem}") for text in found), found


def test_off_is_said_of_what_is_not_deployed() -> None:
    """Many files say so, and it is true."""
    surroundings = Surroundings(switched_off={"flower": "airflow:executor with CeleryExecutor"})
    assert problems({"flower": {"enabled": False}}, chart_values(), chart_schema(), surroundings) == []
    [problem] = problems({"flower": {"enabled": True}}, chart_values(), chart_schema(), surroundings)
    assert problem.startswith("flower.enabled has no effect")


def test_off_is_said_of_what_no_stack_has_on() -> None:
    redis = Surroundings(switched_off={"redis": "airflow:executor with CeleryExecutor"})
    for path in ("postgresql.enabled", "scheduler.safeToEvict", "triggerer.persistence.enabled", "multiNamespaceMode"):
        assert problems(nested(path, False), chart_values(), chart_schema()) == []
        assert len(problems(nested(path, True), chart_values(), chart_schema())) == 1
    assert problems(nested("redis.enabled", False), chart_values(), chart_schema(), redis) == []
    for path in ("redis.enabled", "networkPolicies.enabled", "createUserJob.enabled", "migrateDatabaseJob.enabled"):
        assert len(problems(nested(path, False), chart_values(), chart_schema())) == 1, path


def test_off_is_said_of_what_the_typed_keys_leave_off() -> None:
    """To be told to set airflow:taskLogs to worker would be the opposite."""
    fixed = samples.external().with_({"taskLogs": "remote", "taskLogsUrl": "s3://company-logs/airflow"})
    off = {"enabled": False}
    celery = {"keda": off, "hpa": off, "persistence": off}
    assert fixed.with_({"helmValues": {"workers": {"celery": celery}, "logs": {"persistence": off}}}).problems() == ()
    [told] = fixed.with_({"helmValues": {"workers": {"persistence": off}}}).problems()
    assert "leave it out, because it is off here" in told
    scaled = fixed.with_({"workerScaling": "keda", "helmValues": {"workers": {"celery": {"keda": off}}}})
    assert "airflow:workerScaling" in scaled.problems()[0]
    volume = samples.external().with_({"helmValues": {"logs": {"persistence": off}}})
    assert "airflow:taskLogs" in volume.problems()[0]


@each(
    "key, way",
    [
        ("enabled", "use airflow:workerScaling keda"),
        ("minReplicaCount", "use airflow:workerReplicas, with airflow:workerScaling keda"),
        ("maxReplicaCount", "use airflow:workerMaxReplicas, with airflow:workerScaling keda"),
        ("cooldownPeriod", "leave it out, because airflow:workerScaling keda makes a ScaledObject with a pace"),
    ],
)
def test_each_value_of_the_autoscaler_has_its_own_way(key: str, way: str) -> None:
    [told] = problems(nested(f"workers.celery.keda.{key}", 7), chart_values(), chart_schema())
    assert f"is set by the program; {way}" in told


def test_optional_part_that_is_refused_is_refused_as_a_whole() -> None:
    """Without its switch, the rest was refused with the advice to set the switch."""
    surroundings = Surroundings(isolated=True, switched_off={"cleanup": "airflow:executor with KubernetesExecutor"})
    for part in ({"cleanup": {"schedule": "@daily"}}, {"flower": {"resources": {"limits": {"memory": "1Gi"}}}}):
        for given in (part, {name: {"enabled": True, **values} for name, values in part.items()}):
            [told] = problems(given, chart_values(), chart_schema(), surroundings)
            assert told.startswith(f"{next(iter(part))} is refused while airflow:networkIsolation is not off"), told


def test_each_wrong_variable_of_a_list_is_told_at_once() -> None:
    """One of them hid the others, which came up after the next try."""
    names = ("_PIP_ADDITIONAL_REQUIREMENTS", "AIRFLOW__LOGGING__REMOTE_LOGGING", "AIRFLOW__API__AUTH_BACKENDS")
    users = {"env": [{"name": name, "value": "x"} for name in (*names, "AIRFLOW__CORE__LOAD_EXAMPLES")]}
    told = problems(users, chart_values(), chart_schema(), Surroundings(isolated=True))
    assert len(told) == 4
    for name in (*names, "AIRFLOW__CORE__LOAD_EXAMPLES"):
        assert sum(f"set {name}:" in text or f"sets {name}," in text for text in told) == 1, told


def test_whole_map_of_the_program_is_told_once() -> None:
    """`postgresql.primary` is of the subchart, whose values the chart does not list."""
    [told] = problems({"postgresql": {"primary": {"persistence": {"size": "5Gi"}}}}, chart_values(), chart_schema())
    assert told == "postgresql.primary.persistence.size is set by the program; use airflow:database"


def test_submodules_have_a_key() -> None:
    users = nested("dags.gitSync.env", [{"name": "GITSYNC_SUBMODULES", "value": "off"}])
    [told] = problems(users, chart_values(), chart_schema())
    assert told.endswith("the program does; use airflow:dagsSubmodules")
