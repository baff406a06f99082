"""A pod that logs in to the database with a new role before anything uses it, as the migration's pod does.

So it has the pods' network policy, TLS and certificates.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from automation.cluster.client import cluster_errors, decoded
from automation.cluster.templates import migration_template
from automation.errors import ClusterRequestFailed
from automation.rotation.trials import tried, without_job_labels
from components.database.uri import URI_VARIABLE, read_database_uri
from components.kube.client import KubeApi
from components.preflight.database_reasons import SCRIPT, database_finding
from components.preflight.finding import Verdict
from components.secrets.masker import Masker

_KEY: Final = "connection"
_ACTS_AS: Final = """\
SELECT current_user AS acts_as,
  (SELECT string_agg(DISTINCT tableowner, ', ') FROM pg_tables WHERE schemaname = current_schema()) AS owners
"""
"""Asked beside what the preflight asks: what the role creates, the next role must be able to change."""


@cluster_errors()
def login_refusal(
    api: KubeApi, namespace: str, login: str, sleep: Callable[[float], object], *, whole: bool = True
) -> str:
    """Return what is wrong with a role, as `expected …, found …`; "" if Airflow can work with it.

    Args:
        api: The cluster.
        namespace: The stack's.
        login: The role with its password.
        sleep: Waits for the pod.
        whole: Whether the role must also be able to do what a migration does.

    Raises ClusterRequestFailed if the pod could not ask.
    """
    template = migration_template(api, namespace)
    [reference] = [item["valueFrom"]["secretKeyRef"] for item in _variables(template) if item["name"] == URI_VARIABLE]
    present = decoded(api.get("v1", "Secret", namespace, reference["name"]) or {}).get(reference["key"])
    if not present:
        raise ClusterRequestFailed(
            f"the Secret {reference['name']} of the migration does not hold the URI of the database",
            "python -m automation up STACK",
        )
    uri = with_login(present, login)
    end = tried(api, namespace, {"stringData": {_KEY: uri}}, partial(trying_pod, template), sleep)
    masker = Masker(secrets=[login, login.partition(":")[2], uri])
    if end.problem:
        raise ClusterRequestFailed(
            f"the pod that tries the new role did not end well: {masker.text(end.problem)}",
            "python -m automation rotate database-password STACK, which tries it again",
        )
    [container] = end.containers.values()
    return masker.text(refusal(container.message, uri, whole=whole))


def refusal(answer: str, uri: str, *, whole: bool) -> str:
    """Return what the answer of the script says is wrong; "" if nothing is. Pure."""
    parts, found = read_database_uri(uri), json.loads(answer)
    assert parts is not None
    about = {
        "stack": "STACK",
        "host": parts.host,
        "port": str(parts.port or 5432),
        "name": parts.name,
        "user": parts.user,
        "ssl_mode": f"databaseSslMode {parts.parameter('sslmode') or 'prefer'}",
    }
    finding = database_finding(answer, about)
    if finding.verdict is not Verdict.PASSED and ("error" in found or whole):
        return finding.what.partition(": ")[2]
    owners = str(found.get("owners") or "")
    if whole and owners and found["acts_as"] not in owners.split(", "):
        return (
            f"expected that {parts.user} acts as {owners}, which owns Airflow's tables, found that it acts as "
            f"{found['acts_as']}: another role could not change what it makes (ALTER ROLE … SET role)"
        )
    return ""


def with_login(uri: str, login: str) -> str:
    """Return a URI that the program made, with another role and password. Pure."""
    role, _, password = login.partition(":")
    user = f"{quote(role, safe='')}:{quote(password, safe='')}"
    return re.sub(r"(?<=://)[^@]*(?=@)", lambda _: user, uri, count=1)


def trying_pod(template: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """Return metadata and spec of a pod like the migration's, with the URI in a Secret. Pure."""
    spec = copy.deepcopy(dict(template["spec"]))
    container = spec["containers"][0]
    reference = {"name": URI_VARIABLE, "valueFrom": {"secretKeyRef": {"name": secret, "key": _KEY}}}
    container |= {
        "env": [*(item for item in _variables(template) if not item["name"].startswith(URI_VARIABLE)), reference],
        "args": ["python", "-c", SCRIPT, _ACTS_AS],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {"metadata": {"labels": without_job_labels(template)}, "spec": {**spec, "containers": [container]}}


def _variables(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(template["spec"]["containers"][0].get("env") or ())
