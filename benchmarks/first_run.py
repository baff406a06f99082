"""Measure from nothing to a finished DAG run, against plain Helm as the chart's documentation describes it.

Helm has the chart's own PostgreSQL, migration and user, and the values that the documentation asks for with `--wait`.
Executor, images and the repository of DAGs are those of the program's stack; the DAG is the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.dag_run import dag_run
from automation.verification.result import Status
from automation.verification.running_airflow import RunningAirflow
from automation.verification.verify import airflow_api
from benchmarks.helm import Helm, need_helm
from benchmarks.plain_stack import CONTEXT, Stack
from benchmarks.results import Ratio, Results, Series
from benchmarks.stacks import deployable, namespaces, need_cluster

AIM: Final = 0.90
_NAMESPACE: Final = "airflow-bench-first"
_HELM_NAMESPACE: Final = "airflow-bench-helm"
_KEY_SECRET: Final = "git-key"
_ADMIN_SECRET: Final = "admin"
_SECONDS: Final = 600


def measure(runs: int) -> Results:
    """Alternate: everything from nothing by the program, then by Helm in a namespace of its own."""
    need_helm()
    api = need_cluster()
    program: list[tuple[float, float]] = []
    plain: list[tuple[float, float]] = []
    with deployable(api, _NAMESPACE) as stack:
        for _ in range(runs):
            began = time.monotonic()
            stack.up()
            ready = time.monotonic()
            deployment = Deployment.of(stack.outputs())
            dag = _run_a_dag(deployment, None)
            program.append((ready - began, time.monotonic() - began))
            print(f"  program {program[-1][1]:.1f} s", flush=True)
            helm = Helm(api=api, namespace=_NAMESPACE, folder=stack.folder)
            values = _values(helm.deployed_values())
            stack.command("destroy", "--yes", "--skip-preview")
            plain.append(_by_helm(api, stack, values, deployment, dag))
            print(f"  helm    {plain[-1][1]:.1f} s", flush=True)
    return results(program, plain)


def results(program: list[tuple[float, float]], helm: list[tuple[float, float]]) -> Results:
    """Return the ratios of what was measured: seconds until ready, and until the DAG has run."""
    series = [
        Series(name=f"{who}, until {what}", unit="s", values=tuple(run[index] for run in found))
        for index, what in enumerate(("ready", "a DAG has run"))
        for who, found in (("program", program), ("Helm", helm))
    ]
    return Results(
        series=tuple(series),
        ratios=(
            Ratio(name="program to Helm, until ready", of=series[0], to=series[1]),
            Ratio(name="program to Helm, until a DAG has run", of=series[2], to=series[3], aim=AIM),
        ),
    )


def _by_helm(
    api: Any, stack: Stack, values: Mapping[str, Any], deployment: Deployment, dag: str
) -> tuple[float, float]:
    """Return the seconds until ready and until the DAG has run. Nothing is left."""
    helm = Helm(api=api, namespace=_HELM_NAMESPACE, folder=stack.folder)
    began = time.monotonic()
    api.create_namespace({"metadata": {"name": _HELM_NAMESPACE}})
    try:
        key = stack.command("config", "get", "airflow:gitSshPrivateKey", check=False)
        secrets = {_ADMIN_SECRET: {"password": "admin"}, _KEY_SECRET: {"gitSshKey": key.output} if not key.code else {}}
        for name, data in secrets.items():
            api.create_namespaced_secret(_HELM_NAMESPACE, {"metadata": {"name": name}, "stringData": data})
        helm.upgrade(values)
        ready = time.monotonic()
        _run_a_dag(replace(deployment, namespace=_HELM_NAMESPACE, admin_password_secret=_ADMIN_SECRET), dag)
        return ready - began, time.monotonic() - began
    finally:
        api.delete_namespace(_HELM_NAMESPACE)
        helm.until(lambda: _HELM_NAMESPACE not in namespaces(api), "gone")


def _values(deployed: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for plain Helm with the executor, image and DAGs of what the program has deployed."""
    sync = deployed["dags"]["gitSync"]
    kept = ("enabled", "repo", "ref", "branch", "rev", "subPath", "depth", "knownHosts")
    return {
        "executor": deployed["executor"],
        "images": {"airflow": deployed["images"]["airflow"]},
        "dags": {
            "gitSync": {
                **{name: sync[name] for name in kept if name in sync},
                **({"sshKeySecret": _KEY_SECRET} if sync.get("sshKeySecret") else {}),
            }
        },
        "migrateDatabaseJob": {"useHelmHooks": False, "applyCustomEnv": False},
        "createUserJob": {"useHelmHooks": False, "applyCustomEnv": False},
    }


def _run_a_dag(deployment: Deployment, dag: str | None) -> str:
    """Run the DAG, or one that is chosen, and return its ID. Raises RuntimeError if the run does not succeed."""
    kube = KubeClient(CONTEXT, deployment.namespace)
    airflow = RunningAirflow(
        deployment=deployment, kube=kube, api=airflow_api(deployment, kube), timeout_seconds=_SECONDS
    )
    run, _ = dag_run(airflow, dag)
    if run.status is not Status.PASSED:
        raise RuntimeError(f"{deployment.namespace}: {run.detail}")
    return run.detail.partition(" (")[0]
