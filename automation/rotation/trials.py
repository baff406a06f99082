"""Pods that try a value before anything rolls: a registry's login, and the authority of a database's certificate.

The pods are made from those of the stack, so the cluster admits them, and they reach what the stack's pods reach.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from automation.cluster.client import cluster_errors
from automation.cluster.templates import migration_template, processor_template
from components.kube.client import KubeApi
from components.preflight.pod_run import LABEL as PREFLIGHT_LABEL
from components.preflight.pod_run import PodEnd, WaitLimits, run_pod
from components.secrets.masker import Masker

LABEL: Final = "airflow-rotation"
LIMITS: Final = WaitLimits(node_seconds=60, image_seconds=300, run_seconds=60)
_PLACED: Final = ("affinity", "nodeSelector", "securityContext", "tolerations", "topologySpreadConstraints")
_OF_THE_JOB: Final = ("controller-uid", "job-name")
_AUTHORITY: Final = "NEW_AUTHORITY"
ASK_DATABASE: Final = """\
import os, socket, ssl, struct, sys
from sqlalchemy.engine import make_url
url = make_url(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.load_verify_locations(cadata=os.environ["NEW_AUTHORITY"])
with socket.create_connection((url.host, url.port or 5432), timeout=20) as raw:
    raw.sendall(struct.pack("!ii", 8, 80877103))
    if raw.recv(1) != b"S":
        sys.exit("it offers no TLS")
    try:
        context.wrap_socket(raw, server_hostname=url.host).close()
    except ssl.SSLCertVerificationError as error:
        sys.exit(f"its certificate is not signed by the new authority ({error.verify_message})")
"""
"""80877103 asks PostgreSQL for TLS (postgresql.org/docs/current/protocol-message-formats.html, SSLRequest). Whether the
name fits is not asked: that does not change with the authority."""


@cluster_errors()
def registry_refusal(api: KubeApi, namespace: str, login: str, sleep: Callable[[float], object]) -> str:
    """Return why the nodes cannot pull the image of Airflow with a login; "" if they can.

    A node that has the image asks the registry all the same, because the pod's policy is Always.
    """
    secret = {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": login}}
    template = processor_template(api, namespace)
    end = tried(api, namespace, secret, partial(pulling_pod, template), sleep)
    return Masker(secrets=[login]).text(end.problem)


@cluster_errors()
def authority_refusal(api: KubeApi, namespace: str, authority: str, sleep: Callable[[float], object]) -> str:
    """Return why a client that trusts one authority alone does not trust the database; "" if it does."""
    template = migration_template(api, namespace)
    end = run_pod(api, namespace, asking_pod(template, authority), LIMITS, label=LABEL, sleep=sleep)
    return Masker().text(end.problem)


def tried(
    api: KubeApi,
    namespace: str,
    content: Mapping[str, Any],
    pod: Callable[[str], Mapping[str, Any]],
    sleep: Callable[[float], object],
) -> PodEnd:
    """Return what became of a pod that uses a Secret, which is there only for it.

    Args:
        api: The cluster.
        namespace: The stack's.
        content: Type and data of the Secret.
        pod: Returns metadata and spec of the pod by the Secret's name.
        sleep: Waits for the pod.
    """
    # Should this process be killed, the preflight of a later update deletes it.
    metadata = {"generateName": f"{LABEL}-", "labels": {PREFLIGHT_LABEL: "true"}}
    made = api.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **content}, namespace)
    secret = str(made["metadata"]["name"])
    try:
        return run_pod(api, namespace, pod(secret), LIMITS, label=LABEL, sleep=sleep)
    finally:
        api.delete("v1", "Secret", namespace, secret, grace_seconds=0)


def pulling_pod(template: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """Return metadata and spec of a pod that pulls the first image of a template with one Secret, and ends. Pure."""
    spec, container = template["spec"], template["spec"]["containers"][0]
    kept = {key: container[key] for key in ("resources", "securityContext") if key in container}
    return {
        "metadata": {"labels": {}},
        "spec": {
            **{key: spec[key] for key in _PLACED if key in spec},
            "automountServiceAccountToken": False,
            "imagePullSecrets": [{"name": secret}],
            "containers": [
                {
                    **kept,
                    "name": "image",
                    "image": container["image"],
                    "imagePullPolicy": "Always",
                    "command": ["true"],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
        },
    }


def asking_pod(template: Mapping[str, Any], authority: str) -> dict[str, Any]:
    """Return metadata and spec of a pod like the migration's, which asks the database for its certificate. Pure."""
    spec = copy.deepcopy(dict(template["spec"]))
    container = spec["containers"][0]
    variables = [*(container.get("env") or ()), {"name": _AUTHORITY, "value": authority}]
    container |= {
        "env": variables,
        "args": ["python", "-c", ASK_DATABASE],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {"metadata": {"labels": without_job_labels(template)}, "spec": {**spec, "containers": [container]}}


def without_job_labels(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of a Job's template without those that Kubernetes gave it. Pure."""
    found = (template.get("metadata") or {}).get("labels") or {}
    return {key: value for key, value in found.items() if not key.endswith(_OF_THE_JOB)}
