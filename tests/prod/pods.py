"""How pods get at the emulated AWS: EKS's webhook and the agent of Pod Identity, as small stand-ins.

The webhook gives each pod of the stack's namespace the address of AWS, and the variables and the token by which the
AWS SDKs ask for a role, as EKS's own does for Pod Identity and for IRSA. The agent answers on 169.254.170.23, as on
every node of EKS; it looks at the token and gives out the role of the pod's association. The webhook also takes what
pods request and spaces their probes, because the machine of a test is smaller than the nodes of production.
"""

from __future__ import annotations

import base64
import datetime
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

from kubernetes import client as kubernetes

from tests.cluster.tls_database import Authority
from tests.json_server import JsonHandler, serving
from tests.prod.account import CLUSTER_NAME, Account

NAMESPACE: Final = "prod-stand-ins"
_AGENT: Final = "169.254.170.23"
_NAME: Final = "prod-stand-ins"
_TOKENS: Final = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
_IRSA_TOKENS: Final = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
_AUDIENCE: Final = "pods.eks.amazonaws.com"
_ROLE_ANNOTATION: Final = "eks.amazonaws.com/role-arn"
_SECONDS: Final = 120
_REQUESTS: Final = {"cpu": "10m", "memory": "64Mi"}
_FORWARDER: Final = """
import fcntl, os, socket, struct, threading
address, host, port = os.environ["ADDRESS"], os.environ["HOST"], int(os.environ["PORT"])
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for request, value in ((0x8916, address), (0x891C, "255.255.255.255")):  # SIOCSIFADDR, SIOCSIFNETMASK
    wanted = struct.pack("16sHxx4s8x", b"lo:agent", socket.AF_INET, socket.inet_aton(value))
    fcntl.ioctl(control, request, wanted)
def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
server = socket.create_server((address, 80))
while True:
    ours, _ = server.accept()
    theirs = socket.create_connection((host, port))
    for pair in ((ours, theirs), (theirs, ours)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""
"""Runs on the node: takes the agent's address and hands every connection to the test."""


@dataclass
class StandIns:
    """What is in the cluster instead of EKS. `host`: this machine's address as the node sees it."""

    api: Any
    account: Account
    host: str
    namespace: str
    """The namespace of the stack."""

    @property
    def aws(self) -> str:
        """URL of AWS for pods."""
        return f"http://{self.host}:{self.account.port}"

    def patched(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        """Return a pod as it is admitted."""
        result: dict[str, Any] = json.loads(json.dumps(pod))
        spec = result["spec"]
        variables, volume = self._identity(spec.get("serviceAccountName", "default"))
        variables["AWS_ENDPOINT_URL"] = self.aws
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            own = {item["name"] for item in container.get("env", [])}
            more = [{"name": name, "value": value} for name, value in variables.items() if name not in own]
            container["env"] = [*container.get("env", []), *more]
            if volume:
                mount = {"name": "aws-token", "mountPath": volume[0], "readOnly": True}
                container["volumeMounts"] = [*container.get("volumeMounts", []), mount]
            if "requests" in container.get("resources", {}):
                container["resources"]["requests"] = dict(_REQUESTS)
            for probe in ("livenessProbe", "startupProbe"):
                if probe in container:
                    container[probe] |= {"periodSeconds": 30, "timeoutSeconds": 60, "failureThreshold": 30}
        if volume:
            token = {"path": "token", "audience": volume[1], "expirationSeconds": 86_400}
            projected = {"sources": [{"serviceAccountToken": token}]}
            spec["volumes"] = [*spec.get("volumes", []), {"name": "aws-token", "projected": projected}]
        return result

    def _identity(self, account: str) -> tuple[dict[str, str], tuple[str, str] | None]:
        """Return the variables of a service account, and where its token is with which audience."""
        if self._role(self.namespace, account):
            url = f"http://{_AGENT}/v1/credentials"
            file = f"{_TOKENS}/token"
            variables = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file}
            return variables, (_TOKENS, _AUDIENCE)
        found = self.api.read_namespaced_service_account(account, self.namespace)
        role = (found.metadata.annotations or {}).get(_ROLE_ANNOTATION)
        if role is None:
            return {}, None
        variables = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{_IRSA_TOKENS}/token"}
        return variables, (_IRSA_TOKENS, "sts.amazonaws.com")

    def _role(self, namespace: str, account: str) -> str | None:
        eks = self.account.client("eks")
        found = eks.list_pod_identity_associations(
            clusterName=CLUSTER_NAME, namespace=namespace, serviceAccount=account
        )["associations"]
        if not found:
            return None
        association = found[0]["associationId"]
        described = eks.describe_pod_identity_association(clusterName=CLUSTER_NAME, associationId=association)
        return str(described["association"]["roleArn"])

    def credentials(self, token: str) -> dict[str, str] | None:
        """Return what the agent gives the bearer of a token, or None."""
        spec = kubernetes.V1TokenReviewSpec(token=token, audiences=[_AUDIENCE])
        authentication: Any = kubernetes.AuthenticationV1Api(self.api.api_client)
        status = authentication.create_token_review(kubernetes.V1TokenReview(spec=spec)).status
        if not status.authenticated:
            return None
        _, _, namespace, account = status.user.username.split(":")
        role = self._role(namespace, account)
        if role is None:
            return None
        session = self.account.client("sts").assume_role(RoleArn=role, RoleSessionName="eks-pod")["Credentials"]
        return {
            "AccessKeyId": session["AccessKeyId"],
            "SecretAccessKey": session["SecretAccessKey"],
            "Token": session["SessionToken"],
            "AccountId": role.split(":")[4],
            "Expiration": f"{session['Expiration'].astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}",
        }


@contextmanager
def stand_ins(api: Any, account: Account, host: str, namespace: str, folder: Path) -> Iterator[StandIns]:
    """Serve webhook and agent until the end of the block. Afterwards the cluster is as before."""
    served = StandIns(api, account, host, namespace)
    authority = Authority.new("the tests' webhook")
    admission: Any = kubernetes.AdmissionregistrationV1Api(api.api_client)
    for name, text in authority.issue(host).items():
        (folder / name).write_text(text)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    everywhere = "0.0.0.0"  # noqa: S104 - the node must reach it
    with serving(_admission(served), everywhere, tls) as webhook, serving(_agent(served), everywhere) as agent:
        try:
            api.create_namespace({"metadata": {"name": NAMESPACE}})
            admission.create_mutating_webhook_configuration(_configuration(served, webhook, authority.pem))
            api.create_namespaced_pod(NAMESPACE, _forwarder(host, agent))
            yield served
        finally:
            admission.delete_mutating_webhook_configuration(_NAME)
            api.delete_namespace(NAMESPACE)
            deadline = time.monotonic() + _SECONDS
            # The next test makes it again.
            while NAMESPACE in {item.metadata.name for item in api.list_namespace().items}:
                assert time.monotonic() < deadline, f"the namespace {NAMESPACE} does not go"
                time.sleep(1)


def _configuration(served: StandIns, port: int, authority: str) -> dict[str, Any]:
    return {
        "metadata": {"name": _NAME},
        "webhooks": [
            {
                "name": "pods.eks.test",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "clientConfig": {
                    "url": f"https://{served.host}:{port}/",
                    "caBundle": base64.b64encode(authority.encode()).decode(),
                },
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": served.namespace}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            }
        ],
    }


def _forwarder(host: str, port: int) -> dict[str, Any]:
    variables = {"ADDRESS": _AGENT, "HOST": host, "PORT": str(port)}
    return {
        "metadata": {"name": "pod-identity-agent"},
        "spec": {
            "hostNetwork": True,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "agent",
                    "image": "apache/airflow:3.2.2",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", _FORWARDER],
                    "env": [{"name": name, "value": value} for name, value in variables.items()],
                    "securityContext": {"runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}},
                }
            ],
        },
    }


def _admission(served: StandIns) -> type[BaseHTTPRequestHandler]:
    class Admission(JsonHandler):
        def do_POST(self) -> None:  # noqa: N802 - a name that http.server asks for
            review = self.content()
            asked = review["request"]
            patch = [{"op": "replace", "path": "/spec", "value": served.patched(asked["object"])["spec"]}]
            response = {
                "uid": asked["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
            }
            self.answer(200, {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})

    return Admission


def _agent(served: StandIns) -> type[BaseHTTPRequestHandler]:
    class Agent(JsonHandler):
        def do_GET(self) -> None:  # noqa: N802 - a name that http.server asks for
            found = served.credentials(self.headers.get("Authorization", ""))
            self.answer(200, found) if found else self.answer(403, {"message": "no association for this token"})

    return Agent
