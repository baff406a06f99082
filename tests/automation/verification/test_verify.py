"""The whole verification."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from automation.cluster.deployment import Deployment
from automation.errors import StackUnknown
from automation.verification import dag_files, readiness
from automation.verification.result import Check, Status, Verification
from automation.verification.verify import airflow_api, run_checks
from tests.automation.fakes import COMMIT, OUTPUTS, PASSWORD, World, dag_json, pod, workload


def by_name(verification: Verification) -> dict[str, Check]:
    return {check.name: check for check in verification.checks}


def test_healthy_deployment_passes_every_check(world: World) -> None:
    found = run_checks(world.running())
    assert found.ok
    assert {check.status for check in found.checks} == {Status.PASSED}
    assert len(found.checks) == 10
    assert len(by_name(found)) == 10


def test_it_leaves_nothing_but_one_run(world: World) -> None:
    run_checks(world.running())
    assert len(world.airflow.triggered) == 1
    assert world.airflow.dags["tutorial_dag"]["is_paused"]
    assert world.kube.found_pods == [
        pod(name) for name in ("api-server", "dag-processor", "scheduler", "triggerer", "worker")
    ]


def test_components_that_are_not_ready_make_the_other_checks_wait_for_nothing(world: World) -> None:
    world.kube.found_workloads = [workload("scheduler")]
    found = run_checks(world.running())
    assert not found.ok
    assert [check.status for check in found.checks] == [Status.FAILED, *[Status.SKIPPED] * 9]
    assert world.airflow.triggered == {}
    healthy_names = [check.name for check in run_checks(World(**vars(world)).running()).checks]
    assert [check.name for check in found.checks] == healthy_names


def test_schema_that_is_behind_fails_without_what_the_command_printed(world: World) -> None:
    world.kube.migrations_exit_code = 1
    found = by_name(run_checks(world.running()))[readiness.MIGRATIONS]
    assert found.status is Status.FAILED
    assert "exit code 1" in found.detail
    assert PASSWORD not in found.detail


def test_migrations_are_asked_for_without_waiting(world: World) -> None:
    run_checks(world.running())
    (command,) = [command for _, _, command in world.kube.commands if command[0] == "airflow"]
    assert command == ("airflow", "db", "check-migrations", "--migration-wait-timeout", "0")


@pytest.mark.parametrize("error", [RuntimeError(PASSWORD), KeyError(PASSWORD), ValueError(f"a\nb {PASSWORD}")])
def test_exception_in_a_check_is_a_failed_check_in_one_line_without_its_text(world: World, error: Exception) -> None:
    def raises(*args: Any, **kwargs: Any) -> Any:
        raise error

    world.kube.run = raises  # type: ignore[method-assign]
    found = run_checks(world.running())
    assert not found.ok
    failed = [check for check in found.checks if check.status is Status.FAILED]
    assert readiness.MIGRATIONS in {check.name for check in failed}
    assert by_name(found)["DAG run on a worker"].status is Status.PASSED, "the other checks are made"
    assert all("\n" not in check.detail and PASSWORD not in check.detail for check in found.checks)


def test_missing_password_is_a_failed_check(world: World) -> None:
    world.kube.secrets = {"admin-password-1a2b": {}}
    airflow = world.running()
    api = airflow_api(airflow.deployment, world.kube)
    found = run_checks(type(airflow)(**{**vars(airflow), "api": api}))
    assert by_name(found)[readiness.HEALTH].status is Status.PASSED
    assert by_name(found)["DAG run on a worker"].status is Status.FAILED


def test_warning_and_skipped_leave_it_ok() -> None:
    for status, ok in ((Status.PASSED, True), (Status.WARNING, True), (Status.SKIPPED, True), (Status.FAILED, False)):
        assert Verification((Check("a", Status.PASSED, ""), Check("b", status, ""))).ok is ok


def test_json_has_every_check(world: World) -> None:
    found = json.loads(json.dumps(run_checks(world.running()).to_json()))
    assert found["ok"] is True
    assert set(found["checks"][0]) == {"name", "status", "detail"}
    assert {check["status"] for check in found["checks"]} == {"passed"}


def test_progress_names_the_dag(world: World) -> None:
    run_checks(world.running())
    assert any(line.startswith("running the DAG tutorial_dag") for line in world.lines)
    assert "checking: components ready" in world.lines


@pytest.mark.parametrize(
    ("fileloc", "bundle"),
    [
        ("/home/airflow/.local/lib/python3.12/site-packages/airflow/example_dags/tutorial.py", "example_dags"),
        ("/usr/lib/python3/dist-packages/airflow/providers/x/example_dags/y.py", "dags-folder"),
        ("/moved/elsewhere/tutorial.py", "example_dags"),
    ],
)
def test_dags_that_come_with_airflow_fail_unless_asked_for(world: World, fileloc: str, bundle: str) -> None:
    world.airflow.dags["tutorial"] = dag_json("tutorial", fileloc=fileloc, bundle_name=bundle)
    found = dag_files.no_examples(world.running())
    assert (found.status, found.detail) == (Status.FAILED, "1 come with Airflow: tutorial")
    assert dag_files.no_examples(world.running(load_examples=True)).status is Status.SKIPPED


@pytest.mark.parametrize(
    "fileloc",
    [
        "/opt/airflow/dags/repo/airflow-core/src/airflow/example_dags/tutorial.py",
        f"/tmp/airflow/dag_bundles/dags/versions/{COMMIT}/example_dags/tutorial.py",
    ],
)
def test_examples_that_the_repository_itself_delivers_pass(world: World, fileloc: str) -> None:
    world.airflow.dags["tutorial"] = dag_json("tutorial", fileloc=fileloc)
    assert dag_files.no_examples(world.running()).status is Status.PASSED


def test_file_that_does_not_parse_is_a_warning(world: World) -> None:
    world.airflow.import_errors = [{"filename": f"dags/f{n}.py", "stack_trace": "x"} for n in range(5)]
    found = dag_files.dags_parse(world.running())
    assert (found.status, found.detail) == (Status.WARNING, "5 do not: f0.py, f1.py, f2.py and 2 more")


def test_output_that_is_missing_is_named() -> None:
    for name in set(OUTPUTS) - {"pooler_host", "release_name", "image", "dags_repository"}:
        with pytest.raises(StackUnknown, match=f"an earlier version .* without the output {name}"):
            Deployment.of({key: value for key, value in OUTPUTS.items() if key != name})
    with pytest.raises(StackUnknown, match="the stack has not been deployed yet"):
        Deployment.of({})


def test_outputs_may_come_from_the_automation_api() -> None:
    class Output:
        def __init__(self, value: Any) -> None:
            self.value, self.secret = value, False

    assert Deployment.of({key: Output(value) for key, value in OUTPUTS.items()}) == Deployment.of(OUTPUTS)


@pytest.mark.parametrize(
    ("executor", "celery", "kubernetes"),
    [
        ("CeleryExecutor", True, False),
        ("KubernetesExecutor", False, True),
        ("CeleryExecutor,KubernetesExecutor", True, True),
    ],
)
def test_executor_says_what_it_consists_of(executor: str, celery: bool, kubernetes: bool) -> None:
    found = Deployment.of({**OUTPUTS, "executor": executor})
    assert (found.celery, found.kubernetes) == (celery, kubernetes)


def test_api_is_reached_through_a_ready_api_server(world: World) -> None:
    asked: list[str] = []
    real = world.kube.connect

    def connect(pod: str, port: int, *, seconds: float) -> http.client.HTTPConnection:
        asked.append(pod)
        return real(pod, port, seconds=seconds)

    world.kube.connect = connect  # type: ignore[method-assign]
    world.kube.found_pods = [pod("api-server", name="a", ready=False), pod("api-server", name="b")]
    airflow_api(Deployment.of(OUTPUTS), world.kube).health()
    assert asked == ["b"]


def test_frozen_deployment_is_looked_at_through_its_api_server_alone(world: World) -> None:
    world.kube.found_workloads = [
        workload("api-server"),
        *(workload(name, desired=0, ready=0) for name in ("dag-processor", "scheduler", "triggerer", "worker")),
    ]
    world.kube.found_pods = [pod("api-server")]
    world.airflow.health["scheduler"] = {"status": "unhealthy"}
    found = run_checks(world.running(running="frozen"))
    passed = [check.name for check in found.checks if check.status is Status.PASSED]
    assert passed == [readiness.COMPONENTS_READY, readiness.HEALTH, readiness.MIGRATIONS]
    assert {check.detail for check in found.checks if check.status is not Status.PASSED} == {
        "airflow:running is frozen"
    }
    assert len(found.checks) == 10
    assert world.airflow.triggered == {}
    world.airflow.health["metadatabase"] = {"status": "unhealthy"}
    assert not run_checks(world.running(running="frozen")).ok


def test_stopped_deployment_has_no_pod(world: World) -> None:
    world.kube.found_workloads = [workload(name, desired=0, ready=0) for name in ("api-server", "scheduler")]
    found = run_checks(world.running(running="stopped"))
    assert [check.status for check in found.checks] == [Status.PASSED, *[Status.SKIPPED] * 9]
    world.kube.found_workloads = [workload("api-server", desired=0, ready=0, current=False)]
    assert not run_checks(world.running(running="stopped")).ok
