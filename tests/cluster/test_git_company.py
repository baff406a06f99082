"""DAGs from a Git host behind a private authority and a proxy, in the order of the tests: git-sync, then a bundle.

A module that comes with a later commit is imported by pods that run. The bundle needs an Airflow image with
apache-airflow-providers-git, whose tag AIRFLOW_TEST_DAGS_TAG names.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

import versions
from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.verification.dag_commit import DAG_COMMIT
from automation.verification.result import Status
from automation.verification.verify import verify
from tests.cluster.airflow_runs import api_of, begun, ended, states, until
from tests.cluster.git_company_dags import (
    ARRIVED,
    BESIDE,
    CHANGED,
    DEFERRING,
    FIRST,
    FOURTH,
    HELD,
    LATER,
    SECOND,
    SEEN,
    THIRD,
)
from tests.cluster.git_server import COMPANY_HOST, PORT, PROXY_PORT, GitServer
from tests.cluster.harness import CONTEXT, Repository, Result, Stack, destroyed, make_stack
from tests.cluster.tls_database import Authority

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-git-company"
SERVER: Final = f"{NAMESPACE}-host"
TAG: Final = os.environ.get("AIRFLOW_TEST_DAGS_TAG", "")
SECONDS: Final = 180
"""Far below the time of any wait for pods of the release. How long it took is printed: a busy machine needs 50 s."""
FOLDER: Final = "/opt/airflow/dags"
CA_FILE: Final = {"name": "GIT_SSL_CAINFO", "value": "/etc/git-ca/ca.crt"}
CA_MOUNT: Final = {"name": "git-ca", "mountPath": "/etc/git-ca", "readOnly": True}


def ca_volume(config_map: str) -> dict[str, Any]:
    return {"name": "git-ca", "configMap": {"name": config_map}}


def values_of_git_sync(server: GitServer) -> dict[str, Any]:
    """What docs/bring-your-own-values.md and docs/deliver-dags.md say."""
    env = [{"name": "HTTPS_PROXY", "value": server.proxy}, CA_FILE]
    return {
        "volumes": [ca_volume("company-ca")],
        "dags": {"gitSync": {"env": env, "extraVolumeMounts": [CA_MOUNT]}},
        "triggerer": {"env": [{"name": "PYTHONPATH", "value": f"{FOLDER}/repo/dags"}]},
    }


VALUES_OF_BUNDLES: Final[dict[str, Any]] = {
    "volumes": [ca_volume("bundle-ca")],
    "volumeMounts": [CA_MOUNT],
    "env": [CA_FILE],
}


@pytest.fixture(scope="module")
def server(engine: None, api: Any) -> Iterator[GitServer]:
    made = GitServer(api, SERVER, Authority.new("the company's authority"))
    try:
        made.create()
        yield made
    finally:
        made.delete()


@pytest.fixture(scope="module")
def first(server: GitServer) -> str:
    return server.commit(FIRST)


@pytest.fixture(scope="module")
def stack(server: GitServer, first: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    repository = Repository({"dagsRepository": server.company_url, "dagsSubPath": "dags", "dagsSyncPeriodSeconds": 5})
    stack = make_stack(tmp_path_factory.mktemp("company"), NAMESPACE, repository)
    reached = {"components": ["dag-processor", "triggerer", "worker"], "namespaces": [SERVER]}
    stack.set(
        imageTag=TAG or versions.AIRFLOW,
        executor="CeleryExecutor,KubernetesExecutor",
        extraEgress=[{**reached, "ports": [PORT, PROXY_PORT]}],
        helmValues=values_of_git_sync(server),
    )
    yield from destroyed(stack)


@pytest.fixture
def airflow(stack: Stack) -> AirflowApi:
    return api_of(stack)


def put_authority(api: Any, config_map: str, authority: Authority) -> None:
    """Put a certificate into the ConfigMap, in place of the one that is there."""
    body = {"metadata": {"name": config_map}, "data": {"ca.crt": authority.pem}}
    if config_map in {item.metadata.name for item in api.list_namespaced_config_map(NAMESPACE).items}:
        api.delete_namespaced_config_map(config_map, NAMESPACE)
    api.create_namespaced_config_map(NAMESPACE, body)


def refused(stack: Stack) -> Result:
    """Run an update that ends soon, before it touches the release."""
    started = time.monotonic()
    result = stack.up(check=False)
    seconds = time.monotonic() - started
    print(f"refused after {seconds:.1f} s", flush=True)
    assert result.code != 0
    assert seconds < SECONDS, result.output[-3000:]
    assert not [step for step in result.steps if "helm.sh" in step or "airflow-database-migrate" in step]
    return result


def verified(stack: Stack, commit: str) -> None:
    """The stack works, and its pods have the commit."""
    result = verify(stack.outputs(), kube_context=CONTEXT, dag_id=SEEN)
    assert result.ok, [(check.name, check.detail) for check in result.checks if check.status is Status.FAILED]
    [found] = [check for check in result.checks if check.name == DAG_COMMIT]
    assert commit[:8] in found.detail, found.detail


def living(api: Any) -> dict[str, int]:
    """Name and restarts of each worker and triggerer that is not about to go. Task pods have the name of their DAG."""
    found = api.list_namespaced_pod(NAMESPACE, label_selector="component in (worker,triggerer)").items
    return {
        pod.metadata.name: sum(item.restart_count for item in pod.status.container_statuses or ())
        for pod in found
        if pod.metadata.deletion_timestamp is None and pod.metadata.name.startswith("airflow-")
    }


def arrived(commit: str) -> bool:
    """Whether every pod that stands has a commit of git-sync."""
    kube, links = KubeClient(CONTEXT, NAMESPACE), set()
    for component in ("dag-processor", "worker", "triggerer"):
        pod = kube.ready_pod({"component": component}, f"no {component} is ready")
        links.add(kube.run(pod.name, component, ("readlink", f"{FOLDER}/repo"), seconds=30).stdout.strip())
    return {link.rpartition("/")[2] for link in links} == {commit}


def said(airflow: AirflowApi, dag_id: str, run_id: str | None = None) -> dict[str, str]:
    """The log of each task of a run that succeeds."""
    tasks = ended(airflow, dag_id, run_id)
    assert {task.state for task in tasks.values()} == {"success"}, tasks
    return {name: task.said for name, task in tasks.items()}


def test_missing_or_wrong_authority_is_named_before_anything_of_the_release(
    stack: Stack, server: GitServer, api: Any
) -> None:
    missing = refused(stack)
    expected = f"airflow:helmValues: expected a ConfigMap company-ca in namespace {NAMESPACE}, which a volume names"
    assert expected in missing.output, missing.output[-3000:]
    put_authority(api, "company-ca", Authority.new("another authority"))
    wrong = refused(stack)
    expected = f"airflow:dagsRepository: expected a certificate of {COMPANY_HOST} that git trusts, found: "
    assert expected in wrong.output, wrong.output[-3000:]
    assert "docs/deliver-dags.md#a-git-host-behind-a-private-ca-or-a-proxy" in wrong.output
    assert api.list_namespaced_secret(NAMESPACE, label_selector="owner=helm").items == []
    assert stack.outputs() == {}, "nothing was deployed"


def test_right_authority_lets_every_pod_fetch_through_the_proxy(
    stack: Stack, server: GitServer, first: str, api: Any
) -> None:
    put_authority(api, "company-ca", server.authority)
    stack.up()
    verified(stack, first)


def test_module_of_a_later_commit_is_imported_by_pods_that_run(
    stack: Stack, server: GitServer, airflow: AirflowApi, api: Any
) -> None:
    held = begun(airflow, HELD)
    until(lambda: states(airflow, HELD, held) == {"running"}, "both tasks run")
    before = living(api)
    for task, log in said(airflow, BESIDE).items():
        assert "first on " in log, (task, log)
    commit = server.commit(SECOND)
    until(lambda: arrived(commit), "git-sync has the second commit")
    for dag_id, word in ((BESIDE, "second"), (LATER, "added")):
        for task, log in said(airflow, dag_id).items():
            assert f"{word} on " in log, (dag_id, task, log)
    assert "event one" in said(airflow, DEFERRING)["team_events.Later"]
    airflow._request("POST", "/api/v2/variables", {"key": ARRIVED, "value": "yes"})
    logs = said(airflow, HELD, held)
    assert "held found added" in logs["in_worker"], "git-sync goes on beside a task"
    assert "held found nothing" in logs["in_task_pod"], "git-sync ends before the task of a pod begins"
    assert living(api) == before, "the pods are those that ran before the commit"


def test_class_that_the_triggerer_has_imported_stays_until_it_restarts(
    stack: Stack, server: GitServer, airflow: AirflowApi
) -> None:
    commit = server.commit(THIRD)
    until(lambda: arrived(commit), "git-sync has the third commit")
    tasks = ended(airflow, CHANGED)
    assert "event one" in tasks["team_events.Later"].said, "as it was imported"
    assert tasks["team_events.Another"].state == "failed", "the module was imported without this class"
    assert "event two" in tasks["team_more_events.Later"].said, "a module with another name is new"
    for word in ("restart", "status"):
        command = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, "rollout", word, "deployment/airflow-triggerer"]
        subprocess.run(command, check=True, timeout=600)
    for task, log in said(airflow, CHANGED).items():
        assert "event two" in log, (task, log)


@pytest.fixture
def provider() -> None:
    if not TAG:
        pytest.skip("no image with apache-airflow-providers-git: AIRFLOW_TEST_DAGS_TAG is not set")


@pytest.mark.usefixtures("provider")
def test_wrong_authority_of_a_bundle_is_named_and_the_right_one_serves_all_pods(
    stack: Stack, server: GitServer, api: Any
) -> None:
    """By the variables of every pod, and without a proxy."""
    stack.set(
        dagsDelivery="git-bundle",
        dagsRepository=None,
        dagsSubPath=None,
        dagBundles=[{"name": "company", "repository": server.url, "subPath": "dags"}],
        helmValues=VALUES_OF_BUNDLES,
    )
    put_authority(api, "bundle-ca", Authority.new("another authority"))
    wrong = refused(stack)
    expected = f"airflow:dagBundles[0].repository: expected a certificate of {server.host} that git trusts, found: "
    assert expected in wrong.output, wrong.output[-3000:]
    put_authority(api, "bundle-ca", server.authority)
    stack.up()
    verified(stack, server.head)


@pytest.mark.usefixtures("provider")
def test_module_of_a_later_commit_of_a_bundle_is_imported_and_the_triggerer_clones_none(
    stack: Stack, server: GitServer, airflow: AirflowApi, api: Any
) -> None:
    before = living(api)
    commit = server.commit(FOURTH)
    until(lambda: {dag.bundle_version for dag in airflow.dags()} == {commit}, "the DAGs have the commit")
    for task, log in said(airflow, BESIDE).items():
        assert "fourth on " in log, (task, log)
    tasks = ended(airflow, DEFERRING)
    assert tasks["team_events.Later"].state == "failed", "no class of the bundle is on the triggerer's path"
    assert living(api) == before, "the pods are those that ran before the commit"
    kube = KubeClient(CONTEXT, NAMESPACE)
    for component, has in (("worker", True), ("triggerer", False)):
        pod = kube.ready_pod({"component": component}, f"no {component} is ready")
        found = kube.run(pod.name, component, ("find", "/tmp", "-type", "d", "-name", "company"), seconds=60)
        assert bool(found.stdout.strip()) is has, (component, found)
