"""A stack is changed, checked and removed with the rights of docs/deploying-role-cluster.yaml, and with no others."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from automation import Environment
from automation.verification.result import Status
from tests.cluster import service
from tests.cluster.harness import CONTEXT, ROOT, Repository

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-narrow"
ACCOUNTS: Final = "airflow-narrow-deployers"
"""The namespace of the service account that stands in for the role: Kubernetes gives it a group of this name."""
GROUP: Final = f"system:serviceaccounts:{ACCOUNTS}"
FILES: Final = ("deploying-role-cluster.yaml", "deploying-role-cluster-task-pods.yaml")
DENIED: Final = (
    *(("get", "secrets", "kube-system"), ("list", "pods", "default"), ("create", "pods", "kube-system")),
    *(("get", "secrets", ""), ("create", "clusterroles.rbac.authorization.k8s.io", "")),
    *(("create", "clusterrolebindings.rbac.authorization.k8s.io", ""), ("list", "nodes", "")),
    *(
        ("bind", "roles.rbac.authorization.k8s.io", NAMESPACE),
        ("escalate", "roles.rbac.authorization.k8s.io", NAMESPACE),
    ),
    *(("create", "rolebindings.rbac.authorization.k8s.io", "kube-system"), ("delete", "namespaces", "")),
    *(("impersonate", "users", ""), ("create", "serviceaccounts/token", NAMESPACE)),
)
"""Verb, resource and namespace, "" for the whole cluster."""


def kubectl(*words: str, given: str | None = None, check: bool = True) -> str:
    command = ["kubectl", "--context", CONTEXT, *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=check).stdout


def manifests() -> str:
    text = "\n---\n".join((ROOT / "docs" / file).read_text() for file in FILES)
    return text.replace("NAMESPACE", NAMESPACE).replace("GROUP", GROUP)


def kubeconfig(folder: Path) -> Path:
    """The context of the tests, with a token of the service account in place of the administrator."""
    whole = json.loads(kubectl("config", "view", "--minify", "--flatten", "--raw", "-o", "json"))
    token = kubectl("create", "token", "deployer", "--namespace", ACCOUNTS, "--duration", "2h").strip()
    [context] = whole["contexts"]
    context["context"]["user"] = "deployer"
    path = folder / "narrow.yaml"
    path.write_text(yaml.safe_dump({**whole, "users": [{"name": "deployer", "user": {"token": token}}]}))
    path.chmod(0o600)
    return path


@pytest.fixture
def role(api: Any, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of the role, whose rights in the namespace are there once `manifests` are applied."""
    kubectl("create", "namespace", ACCOUNTS)
    try:
        kubectl("create", "serviceaccount", "deployer", "--namespace", ACCOUNTS)
        yield kubeconfig(tmp_path)
    finally:
        kubectl("delete", "--ignore-not-found", "-f", "-", given=manifests(), check=False)
        kubectl("delete", "namespace", ACCOUNTS, "--wait=false")


def opened(folder: Path, repository: Repository, **changed: Any) -> Environment:
    given = service.settings("narrow", NAMESPACE, repository, executor="CeleryExecutor,KubernetesExecutor", **changed)
    return service.environments(folder).open("narrow", given)


def test_stack_is_changed_checked_and_removed_with_the_rights_of_the_page(
    engine: None, api: Any, repository: Repository, role: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service.removed(opened(tmp_path, repository), api, NAMESPACE) as first:
        first.up()  # by an administrator, as docs/production.md says
        kubectl("apply", "-f", "-", given=manifests())
        for verb, resource, namespace in DENIED:
            where = ("--namespace", namespace) if namespace else ("--all-namespaces",)
            kind, _, part = resource.partition("/")
            words = ("auth", "can-i", verb, kind, "--subresource", part, *where, "--as", "someone", "--as-group", GROUP)
            assert kubectl(*words, check=False).strip() == "no", (verb, resource, namespace)
        with monkeypatch.context() as narrow:
            narrow.setenv("KUBECONFIG", str(role))
            assert opened(tmp_path, repository).preview().changes.any is False
            changed = opened(tmp_path, repository, workerReplicas=2, pgbouncerEnabled=True)
            assert changed.preview().changes.any
            changed.up()
            assert changed.status().problems == ()
            assert changed.status().cluster_error == ""
            assert [check for check in changed.preflight().checks if check.verdict.value in ("failed", "skipped")] == []
            verified = changed.verify()
            assert [check for check in verified.checks if check.status is Status.FAILED] == []
            changed.refresh()
            assert changed.preview().changes.any is False
            changed.rotate("redis-password")
            changed.destroy()
    assert NAMESPACE not in {item.metadata.name for item in api.list_namespace().items}
