"""One stack from nothing to nothing, in the order of the tests: each leaves it healthy for the next."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from kubernetes import client as kubernetes

from automation.helmsman import IMAGE_VALUES, VALUES, files, from_state
from automation.verification.verify import verify
from components.release.helm_record import decode
from tests.chart.rendering import CHART, HELM, needs_chart
from tests.cluster.container_database import sql
from tests.cluster.git_push import push_dag
from tests.cluster.harness import (
    CONTEXT,
    Repository,
    Result,
    Stack,
    destroyed,
    interrupted_up,
    make_stack,
    release_has_begun,
    touched,
)
from tests.cluster.prometheus import until
from tests.samples import quoted_forms

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-test"
SENTINELS: Final = {
    "apiSecretKey": "sentinel-api-secret-key-0123456789abcdef",
    "jwtSecret": "sentinel-jwt-secret-" + "0123456789abcdef" * 4,
    "redisPassword": "sentinel-redis-password",
    "adminPassword": "sentinel-admin-password",
}
MIGRATION: Final = "kubernetes:batch/v1:Job::airflow-database-migrate"
RELEASE: Final = "kubernetes:helm.sh/v3:Release::airflow"
SECOND_TAG: Final = "3.2.2-python3.12"


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    yield from destroyed(make_stack(folder, NAMESPACE, repository, **SENTINELS))


def pods(api: Any, *, of: str | None = None) -> dict[str, str]:
    """Uid of each running pod of the release by name, of one component or all."""
    selector = "release=airflow" + (f",component={of}" if of else "")
    found = api.list_namespaced_pod(NAMESPACE, label_selector=selector).items
    return {pod.metadata.name: pod.metadata.uid for pod in found if pod.metadata.deletion_timestamp is None}


def rolled(api: Any, before: dict[str, dict[str, str]]) -> set[str]:
    return {component for component, uids in before.items() if pods(api, of=component) != uids}


COMPONENTS: Final = ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "redis", "statsd")


def snapshot(api: Any) -> dict[str, dict[str, str]]:
    return {component: pods(api, of=component) for component in COMPONENTS}


def secrets(api: Any) -> dict[str, str]:
    """Uid of each Secret that is not Helm's record."""
    found = api.list_namespaced_secret(NAMESPACE).items
    return {item.metadata.name: item.metadata.uid for item in found if item.type != "helm.sh/release.v1"}


def assert_healthy(stack: Stack) -> None:
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks if str(check.status) == "failed"]


def test_up_from_nothing_is_verified(stack: Stack) -> None:
    stack.up()
    assert_healthy(stack)


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    assert stack.up().steps == ()


def test_a_refresh_finds_nothing_and_a_preview_after_it_neither(stack: Stack) -> None:
    stack.refresh()
    assert stack.preview().steps == ()


def test_a_killed_redis_loses_no_queued_task_and_no_worker(stack: Stack) -> None:
    """A Redis that ends without writing its file is as if it was killed."""

    def redis(*words: str) -> str:
        script = 'REDISCLI_AUTH=$REDIS_PASSWORD exec redis-cli "$@"'
        command = [
            "kubectl",
            "--context",
            CONTEXT,
            "-n",
            NAMESPACE,
            "exec",
            "airflow-redis-0",
            "--",
            "sh",
            "-c",
            script,
        ]
        done = subprocess.run([*command, "sh", *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    assert redis("lpush", "a-queue", "a-task") == "1"
    written = r"rdb_changes_since_last_save:0\s"
    until(lambda: bool(re.search(written, redis("info", "persistence"))), lambda: redis("info", "persistence"), 30)
    for kept in ("a-task", "", ""):  # a worker that does not come back does so only now and then
        redis("shutdown", "nosave")
        until(lambda: redis("ping") == "PONG", lambda: redis("ping"), 120)
        assert redis("lrange", "a-queue", "0", "-1") == kept
        redis("del", "a-queue")
        assert_healthy(stack)


def test_no_secret_stands_anywhere_in_plain_text(stack: Stack, api: Any) -> None:
    stack.set(jwtSecret=None)  # a change that touches a secret, to be shown by the preview
    diff = stack.preview()
    assert diff.steps
    stack.command("config", "set", "--secret", "airflow:jwtSecret", given=SENTINELS["jwtSecret"])
    generated = [
        base64.b64decode(value).decode()
        for secret in api.list_namespaced_secret(NAMESPACE).items
        if secret.type == "Opaque"
        for key, value in (secret.data or {}).items()
        if key != "known_hosts" and "USERNAME" not in key
    ]
    values = {*SENTINELS.values(), *generated}
    assert len(generated) >= 8
    places = {
        "state": stack.export(),
        "IDs and URNs": stack.command("stack", "--show-ids", "--show-urns").output,
        "preview": diff.output,
        "outputs": json.dumps(stack.outputs()),
        "Helm's records": "".join(
            json.dumps(decode(secret.data["release"]))
            for secret in api.list_namespaced_secret(NAMESPACE).items
            if secret.type == "helm.sh/release.v1"
        ),
        "objects": _objects_without_secrets(api),
    }
    found = {
        place for place, text in places.items() for value in values for form in quoted_forms(value) if form in text
    }
    assert found == set()


def _objects_without_secrets(api: Any) -> str:
    """Everything in the namespace but Secrets, as the Kubernetes API gives it."""
    kinds = "configmaps,pods,jobs,deployments,statefulsets,services,serviceaccounts,networkpolicies,events"
    command = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, "get", kinds, "-o", "json"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@needs_chart
def test_files_for_helmsman_give_the_objects_that_helm_has_recorded(stack: Stack, api: Any, tmp_path: Path) -> None:
    source = from_state(stack.name, json.loads(stack.export())["deployment"])
    assert source is not None
    made = files(source)
    for name in (VALUES, IMAGE_VALUES):
        (tmp_path / name).write_text(made[name])
    [release] = (item for item in api.list_namespaced_secret(NAMESPACE).items if item.type == "helm.sh/release.v1")
    version = kubernetes.VersionApi(api.api_client).get_code().git_version
    options = ["--namespace", NAMESPACE, "--kube-version", version, "--no-hooks", "-f", VALUES, "-f", IMAGE_VALUES]
    rendered = subprocess.run(
        [str(HELM), "template", "airflow", str(CHART), *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert _by_name(rendered.stdout) == _by_name(decode(release.data["release"])["manifest"])


def _by_name(manifest: str) -> dict[tuple[str, str], Any]:
    found = (item for item in yaml.safe_load_all(manifest) if item)
    return {(item["kind"], item["metadata"]["name"]): item for item in found}


def test_two_image_tags_within_a_minute_and_back(stack: Stack, api: Any) -> None:
    before = secrets(api)
    for tag in (SECOND_TAG, "3.2.2"):
        stack.set(imageTag=tag)
        assert touched(stack.up()) == {MIGRATION, RELEASE}
        assert {pod.spec.containers[0].image.rsplit(":", 1)[1] for pod in _airflow_pods(api)} == {tag}
    assert secrets(api) == before
    assert_healthy(stack)


def _airflow_pods(api: Any) -> list[Any]:
    found = api.list_namespaced_pod(NAMESPACE, label_selector="release=airflow,component in (scheduler,worker)").items
    return [pod for pod in found if pod.metadata.deletion_timestamp is None]


def test_a_commit_reaches_every_pod_and_deploys_nothing(stack: Stack, repository: Repository, tmp_path: Path) -> None:
    commit = push_dag(tmp_path, "marker.txt", str(time.time_ns()))
    if commit is None:
        pytest.skip("no repository to push to: AIRFLOW_TEST_GIT_PUSH is not set")
    deadline = time.monotonic() + int(repository.config["dagsSyncPeriodSeconds"]) + 15
    while (found := _commits()) != {commit} and time.monotonic() < deadline:
        time.sleep(1)
    assert found == {commit}
    assert stack.preview().steps == ()


def _commits() -> set[str]:
    """The commit that each pod with DAGs serves."""
    found = set()
    for component in ("dag-processor", "triggerer", "worker"):
        command = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, "exec", f"deploy/airflow-{component}"]
        command += ["-c", component, "--", "readlink", "/opt/airflow/dags/repo"]
        link = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        found.add(link.rsplit("/", 1)[1])
    return found


def test_a_changed_jwt_secret_rolls_the_two_that_use_it(stack: Stack, api: Any) -> None:
    before = snapshot(api)
    stack.command("config", "set", "--secret", "airflow:jwtSecret", given=SENTINELS["jwtSecret"][::-1])
    stack.up()
    assert rolled(api, before) == {"api-server", "scheduler"}


def test_a_wrong_image_tag_fails_with_the_reason_and_the_right_one_mends_it(stack: Stack, api: Any) -> None:
    before = snapshot(api)
    stack.set(imageTag="no-such-tag", migrationTimeoutSeconds=30)
    failed = stack.up(check=False)
    assert failed.code != 0
    assert "airflow:imageTag: expected that the nodes pull" in failed.output
    assert "no-such-tag" in failed.output
    assert rolled(api, before) == set()
    stack.set(imageTag=SECOND_TAG, migrationTimeoutSeconds=None)
    stack.up()
    assert "worker" in rolled(api, before)
    assert_healthy(stack)


def test_a_failed_migration_stops_the_release(stack: Stack, api: Any) -> None:
    before = snapshot(api)
    sql(NAMESPACE, "UPDATE alembic_version SET version_num = 'x' || version_num")  # a schema that no Airflow knows
    stack.set(imageTag="3.2.2")
    failed = stack.up(check=False)
    sql(NAMESPACE, "UPDATE alembic_version SET version_num = substr(version_num, 2)")
    assert failed.code != 0
    assert "airflow-database-migrate" in failed.output
    assert not any(step.endswith(RELEASE) for step in failed.steps)
    assert rolled(api, before) == set()
    stack.up()


def test_what_only_a_failed_upgrade_brought_is_gone_after_the_next(stack: Stack, api: Any) -> None:
    stack.set(helmValues={"scheduler": {"resources": {"requests": {"cpu": "1000"}}}}, releaseTimeoutSeconds=60)
    failed = stack.up(check=False)
    assert failed.code != 0
    assert "is not scheduled" in failed.output
    stack.set(helmValues=None, releaseTimeoutSeconds=600)
    stack.up()
    assert_healthy(stack)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_update_is_mended_by_the_next(stack: Stack, api: Any, sent: signal.Signals) -> None:
    before = secrets(api)
    # Something that rolls every pod, so that there is time to interrupt it.
    stack.set(helmValues={"env": [{"name": "INTERRUPTED_BY", "value": sent.name}]})
    interrupted = interrupted_up(stack, sent, release_has_begun)
    assert interrupted.code != 0
    stack.up()
    assert secrets(api) == before
    assert_healthy(stack)


def test_kubernetes_executor(stack: Stack) -> None:
    stack.set(executor="KubernetesExecutor", helmValues=None)
    stack.up()
    assert_healthy(stack)


def test_destroy_leaves_nothing(stack: Stack, api: Any) -> None:
    stack.command("destroy", "--yes", "--skip-preview")
    assert NAMESPACE not in {item.metadata.name for item in api.list_namespace().items}
    result: Result = stack.command("stack", "export")
    assert len(json.loads(result.output)["deployment"].get("resources", ())) <= 1
