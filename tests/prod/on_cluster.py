"""What has to be around a stack of `prod` on the cluster of the tests: AWS and EKS by stand-ins, and a checkout."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes import client as kubernetes

from benchmarks.plain_stack import CONTEXT
from components.kube.kubeconfig import api_client
from tests.prod.account import Account, running
from tests.prod.checkout import Checkout
from tests.prod.emulator.web_identity import claims_of
from tests.prod.pods import NAMESPACE as STAND_INS
from tests.prod.pods import stand_ins

NETWORK: Final = "10.244.0.0/16"
SUBNETS: Final = ("10.244.0.0/20", "10.244.16.0/20", "10.244.32.0/20")
"""The pods' own network, as with the VPC CNI of EKS: the servers behind RDS are pods too."""
IMAGE_TAG: Final = "AIRFLOW_TEST_S3_IMAGE_TAG"
"""Variable with the tag of an Airflow image with the Amazon provider, where that of the stack has none. A second image
is under this tag and -2."""
_NUMBERS: Final = (
    "apiServerReplicas",
    "schedulerReplicas",
    "dagProcessorReplicas",
    "triggererReplicas",
    "workerReplicas",
)
_DEPLOYS: Final = "deploys"


@dataclass(frozen=True)
class OnCluster:
    """What is around the stack."""

    api: Any
    account: Account
    """Its EKS cluster is the cluster of the tests."""
    checkout: Checkout
    """The stack, not made yet."""
    issuer: str
    """Who issues the tokens of the cluster's service accounts."""
    tag: str | None
    """The image's tag, or None for the stack's own."""

    @property
    def config(self) -> dict[str, Any]:
        """What a machine of two cores has room for, one pod of each component, and the image."""
        return {**dict.fromkeys(_NUMBERS, 1), **({"imageTag": self.tag} if self.tag else {})}


@contextmanager
def on_cluster(api: Any, folder: Path, namespace: str) -> Iterator[OnCluster]:
    """Make it for a stack in a namespace, until the end of the block. Afterwards the cluster has nothing of it."""
    with ExitStack() as stack:
        account = stack.enter_context(running(folder / "aws", "0.0.0.0"))  # noqa: S104 - pods must reach it
        (folder / "tls").mkdir()
        stack.enter_context(stand_ins(api, account, _address_towards(api), namespace, folder / "tls"))
        stack.enter_context(_ingress_class(api))
        server, ca = _cluster()
        account.seed(server, ca, NETWORK, SUBNETS)
        account.order()
        token = stack.enter_context(_token(api))
        commands = _commands(folder / "bin", token)
        kubeconfig = folder / "kubeconfig"
        checkout = Checkout(folder / "checkout", account, {"KUBECONFIG": str(kubeconfig)}, path=[commands])
        checkout.folder.mkdir()
        checkout.copy()
        try:
            yield OnCluster(api, account, checkout, str(claims_of(token)["iss"]), os.environ.get(IMAGE_TAG))
        finally:
            if namespace in {item.metadata.name for item in api.list_namespace().items}:
                api.delete_namespace(namespace)


def _cluster() -> tuple[str, str]:
    """Return the address of the cluster of the tests, and the PEM of its CA."""
    configuration = api_client(None, CONTEXT).configuration
    return str(configuration.host), Path(configuration.ssl_ca_cert).read_text()


def _address_towards(api: Any) -> str:
    """Return this machine's address as the first node sees it."""
    [node, *_] = api.list_node().items
    address = next(item.address for item in node.status.addresses if item.type == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 1))
        return str(probe.getsockname()[0])


@contextmanager
def _ingress_class(api: Any) -> Iterator[None]:
    networking: Any = kubernetes.NetworkingV1Api(api.api_client)
    spec = {"controller": "ingress.k8s.aws/alb"}
    networking.create_ingress_class({"metadata": {"name": "alb"}, "spec": spec})
    try:
        yield
    finally:
        networking.delete_ingress_class("alb")


@contextmanager
def _token(api: Any) -> Iterator[str]:
    """Yield a token of an administrator of the cluster, as an access entry of EKS makes the deploying role one."""
    rights: Any = kubernetes.RbacAuthorizationV1Api(api.api_client)
    api.create_namespaced_service_account(STAND_INS, {"metadata": {"name": _DEPLOYS}})
    rights.create_cluster_role_binding(
        {
            "metadata": {"name": STAND_INS},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": _DEPLOYS, "namespace": STAND_INS}],
        }
    )
    try:
        request: Any = {"spec": {"audiences": [], "expirationSeconds": 6 * 3600}}
        yield str(api.create_namespaced_service_account_token(_DEPLOYS, STAND_INS, request).status.token)
    finally:
        rights.delete_cluster_role_binding(STAND_INS)


def _commands(folder: Path, token: str) -> Path:
    """Write a command `aws` that gives this token for the cluster, and leaves all else to the AWS CLI."""
    folder.mkdir()
    version = "client.authentication.k8s.io/v1beta1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "spec": {}, "status": {"token": token}}
    (folder / "token.json").write_text(json.dumps(credential))
    command = folder / "aws"
    command.write_text(
        # `aws eks update-kubeconfig` writes options before it.
        f'#!/bin/sh\ncase " $* " in *" eks get-token "*) exec cat "{folder}/token.json";; esac\n'
        f'exec "{shutil.which("aws")}" "$@"\n'
    )
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return folder
