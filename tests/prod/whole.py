"""The whole of `prod` on the cluster of the tests: what has to be around it, and the stack with other addresses.

Other than in `Pulumi.prod.yaml` are the addresses (the DAG repository and its deploy key, the namespace, the image's
tag), the trust anchor of the database, and the numbers of pods: a machine of two cores has room for one of each.
"""

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

from benchmarks.plain_stack import CONTEXT, dag_repository
from components.kube.kubeconfig import api_client
from tests.cluster.tls_database import Authority
from tests.prod.account import Account, running
from tests.prod.checkout import Checkout
from tests.prod.databases import Databases, databases
from tests.prod.pods import NAMESPACE as STAND_INS
from tests.prod.pods import stand_ins

NAMESPACE: Final = "airflow-whole"
DATABASES: Final = "airflow-whole-rds"
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
class Whole:
    """All that runs."""

    api: Any
    account: Account
    databases: Databases
    checkout: Checkout
    tag: str | None
    """The image's tag, or None for the stack's own."""


@contextmanager
def whole(api: Any, folder: Path) -> Iterator[Whole]:
    """Yield the stack, not deployed. Afterwards the cluster has nothing of it."""
    authority = Authority.new("the tests' authority")
    tag = os.environ.get(IMAGE_TAG)
    with ExitStack() as stack:
        account = stack.enter_context(running(folder / "aws", "0.0.0.0"))  # noqa: S104 - pods must reach it
        (folder / "tls").mkdir()
        stack.enter_context(stand_ins(api, account, _address_towards(api), NAMESPACE, folder / "tls"))
        served = stack.enter_context(databases(api, account, DATABASES, authority))
        stack.enter_context(_ingress_class(api))
        server, ca = _cluster()
        account.seed(server, ca, NETWORK, SUBNETS)
        account.order()
        commands = _commands(folder / "bin", stack.enter_context(_token(api)))
        kubeconfig = folder / "kubeconfig"
        checkout = Checkout(folder / "checkout", account, {"KUBECONFIG": str(kubeconfig)}, path=[commands])
        checkout.folder.mkdir()
        checkout.copy()
        repository = dag_repository(dagsSyncPeriodSeconds=5)
        checkout.init(
            repository.secrets["gitSshPrivateKey"],
            namespace=NAMESPACE,
            databaseCaCertificate=authority.pem,
            **repository.config,
            **dict.fromkeys(_NUMBERS, 1),
            **({"imageTag": tag} if tag else {}),
        )
        try:
            yield Whole(api, account, served, checkout, tag)
        finally:
            if NAMESPACE in {item.metadata.name for item in api.list_namespace().items}:
                api.delete_namespace(NAMESPACE)


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
