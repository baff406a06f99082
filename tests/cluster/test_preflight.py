"""The commonest first mistakes end an update in seconds, with their reason, before anything of the release exists."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

import versions
from automation import Environment, Environments, EnvironmentSettings, Passphrase, Secret
from components.preflight.finding import Verdict
from tests.cluster.harness import CONTEXT, ROOT, Repository, Result, Stack, destroyed, make_stack
from tests.cluster.registry import REGISTRY, docker_config, registry
from tests.cluster.tls_database import USER, Authority, TlsDatabase

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-preflight-test"
SECONDS: Final = 60
"""Far below the time of any wait for pods; docs/preflight.md has what was measured."""


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from destroyed(make_stack(tmp_path_factory.mktemp("preflight"), NAMESPACE, repository))


ALONE: Final = "airflow-preflight-alone"


@pytest.fixture(scope="module")
def environments(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Environments:
    folder = tmp_path_factory.mktemp("alone")
    (folder / "state").mkdir()
    return Environments(
        ROOT, (folder / "state").as_uri(), Passphrase(Secret("only for this test")), work_dir=folder / "work"
    )


def alone(environments: Environments, repository: Repository, namespace: str, **config: Any) -> Environment:
    """A stack like dev, of which nothing is deployed."""
    values = {
        "kubeContext": CONTEXT,
        "namespace": namespace,
        "protect": False,
        "database": "container",
        "taskLogsAccessMode": "ReadWriteOnce",
        "dagsSubPath": "airflow-core/src/airflow/example_dags",
        **repository.config,
        **{key: Secret(value) for key, value in repository.secrets.items()},
        **config,
    }
    return environments.open("alone", EnvironmentSettings.of("alone", values))


def objects(api: Any, namespace: str) -> set[str]:
    """Names of the Secrets and ConfigMaps of a namespace, and of the pods of checks that are not about to go."""
    pods = api.list_namespaced_pod(namespace, label_selector="airflow-preflight=true").items
    kept = [*api.list_namespaced_secret(namespace).items, *api.list_namespaced_config_map(namespace).items]
    return {item.metadata.name for item in (*kept, *pods) if item.metadata.deletion_timestamp is None}


def temporary(api: Any) -> list[str]:
    """The temporary namespaces that are not about to go."""
    found = api.list_namespace(label_selector="airflow-preflight=true").items
    return [item.metadata.name for item in found if item.metadata.deletion_timestamp is None]


def test_checks_alone_pass_before_anything_is_deployed_and_leave_nothing(
    environments: Environments, repository: Repository, api: Any
) -> None:
    result = alone(environments, repository, ALONE).preflight()
    assert result.ok, result.problems
    assert result.new_namespace
    assert not [check for check in result.checks if check.verdict is Verdict.SKIPPED and "DAG" in check.name]
    assert any(check.name == "DAG repository" and check.verdict is Verdict.PASSED for check in result.checks)
    assert temporary(api) == []
    assert ALONE not in {item.metadata.name for item in api.list_namespace().items}


def test_checks_alone_name_what_up_would_name(environments: Environments, repository: Repository, api: Any) -> None:
    started = time.monotonic()
    result = alone(environments, repository, ALONE, dagsRef="no-such-branch").preflight()
    assert time.monotonic() - started < SECONDS
    [problem] = result.problems
    assert problem.startswith("airflow:dagsRef: expected a branch, a tag or a commit of")
    assert "none named no-such-branch" in problem
    assert temporary(api) == []


def mistaken(stack: Stack, api: Any, **config: Any) -> Result:
    """Run an update with a mistake, which must end soon, without a release and without a Job that is left."""
    kept = dict.fromkeys(config)
    stack.set(**config)
    started = time.monotonic()
    try:
        result = stack.up(check=False)
        seconds = time.monotonic() - started
    finally:
        stack.set(**kept)
    print(f"{', '.join(config)}: named after {seconds:.1f} s", flush=True)
    print(*re.findall(r"airflow:\w+: expected .*", result.output)[:1])
    assert result.code != 0
    assert seconds < SECONDS
    assert not [step for step in result.steps if "helm.sh" in step or "airflow-database-migrate" in step]
    records = api.list_namespaced_secret(NAMESPACE, label_selector="owner=helm").items
    assert records == []
    left = api.list_namespaced_pod(NAMESPACE, label_selector="airflow-preflight=true").items
    assert [pod.metadata.name for pod in left if pod.metadata.deletion_timestamp is None] == []
    assert stack.outputs() == {}, "nothing was deployed"
    return result


def test_missing_branch_is_named_from_nothing(stack: Stack, api: Any) -> None:
    result = mistaken(stack, api, dagsRef="no-such-branch")
    assert "airflow:dagsRef: expected a branch, a tag or a commit of" in result.output, result.output
    assert "none named no-such-branch" in result.output, result.output


def test_missing_storage_class_and_image_are_named(stack: Stack, api: Any) -> None:
    result = mistaken(stack, api, taskLogsStorageClass="no-such-class")
    assert "airflow:taskLogsStorageClass: expected a storage class" in result.output, result.output
    result = mistaken(stack, api, imageTag="3.2.2-no-such-tag")
    assert "apache/airflow:3.2.2-no-such-tag" in result.output, result.output


def test_quota_that_denies_the_pods_of_jobs_alone_is_named(stack: Stack, api: Any) -> None:
    """The pods of this release ask for nothing, those of Jobs for 512Mi: without this check a database came first."""
    mistaken(stack, api, dagsRef="no-such-branch")  # the namespace is there
    hard = {"metadata": {"name": "no-jobs"}, "spec": {"scopes": ["NotBestEffort"], "hard": {"pods": "0"}}}
    api.create_namespaced_resource_quota(NAMESPACE, hard)
    try:
        _enforced(api, "no-jobs")
        # Another document, so that the check is made again.
        resources = {"requests": {"memory": "600Mi"}}
        result = mistaken(stack, api, helmValues={"migrateDatabaseJob": {"resources": resources}})
    finally:
        api.delete_namespaced_resource_quota("no-jobs", NAMESPACE)
    expected = "airflow:size: expected room for a pod of the migration in the namespace's quota, found: exceeded quota"
    assert expected in result.output, result.output
    assert "migrateDatabaseJob.resources" in result.output, result.output
    assert not [step for step in result.steps if "airflow-postgres" in step and "StatefulSet" in step]


def _enforced(api: Any, name: str) -> None:
    """Wait until Kubernetes counts with a quota: until then it admits everything."""
    for _ in range(60):
        if (api.read_namespaced_resource_quota(name, NAMESPACE).status.hard or {}).get("pods") == "0":
            return
        time.sleep(0.5)
    raise AssertionError(f"the quota {name} is not counted")


def test_login_that_the_registry_refuses_is_named(stack: Stack, api: Any) -> None:
    # The kubelet asks no registry about an image that the node has, whatever the credentials: so the tag is a new one.
    tag = f"{versions.AIRFLOW}-not-on-the-node"
    wrong = docker_config("robot:another-password")
    with registry(api, f"{NAMESPACE}-registry", "robot:the-password"):
        stack.command("config", "set", "--secret", "airflow:registryCredentials", given=wrong)
        result = mistaken(stack, api, imageRepository=f"{REGISTRY}/apache/airflow", imageTag=tag)
        stack.set(registryCredentials=None)
    assert "airflow:registryCredentials: expected that the registry hands out" in result.output, result.output


@pytest.fixture(scope="module")
def database(api: Any) -> Iterator[TlsDatabase]:
    server = TlsDatabase(api, f"{NAMESPACE}-database", Authority.new("the tests' authority"))
    try:
        server.create()
        yield server
    finally:
        server.delete()


def given(server: TlsDatabase, password: str, authority: Authority) -> dict[str, Any]:
    return {
        "database": "external",
        "databaseHost": server.host,
        "databaseUser": USER,
        "databasePassword": password,
        "databaseCidrs": [server.cidr],
        "databaseSslMode": "verify-full",
        "databaseCaCertificate": authority.pem,
        "databaseMaxConnections": 400,
        "taskLogs": "volume",
    }


def test_database_s_password_and_authority_are_named(stack: Stack, api: Any, database: TlsDatabase) -> None:
    for password, authority, expected in (
        ("another-password", database.authority, "airflow:databasePassword: expected the password of airflow at"),
        (database.password, Authority.new("another"), "airflow:databaseCaCertificate: expected a certificate of"),
    ):
        config = given(database, password, authority)
        stack.command("config", "set", "--secret", "airflow:databasePassword", given=config.pop("databasePassword"))
        result = mistaken(stack, api, **config)
        stack.set(database="container", databasePassword=None)
        assert expected in result.output, result.output
        assert password not in result.output


def test_checks_alone_leave_a_namespace_that_exists_as_it_is(
    stack: Stack, environments: Environments, repository: Repository, api: Any
) -> None:
    mistaken(stack, api, dagsRef="no-such-branch")
    before = objects(api, NAMESPACE)
    result = alone(environments, repository, NAMESPACE, dagsRef="no-such-branch").preflight()
    assert not result.new_namespace
    assert "none named no-such-branch" in "".join(result.problems)
    assert objects(api, NAMESPACE) == before
