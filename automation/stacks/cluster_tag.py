"""Which cluster a stack was deployed to: a tag of the stack, and the refusal of any other cluster."""

from __future__ import annotations

from typing import Final

from automation.engine import operations
from automation.engine.events import OnEvent
from automation.engine.opened_stack import OpenedStack
from automation.errors import ClusterUnreachable, Protected, WrongCluster
from automation.stacks.config import StackConfig
from automation.stacks.session import Session

_TAG: Final = "airflow:cluster"


def read_tag(opened: OpenedStack) -> str:
    """Return the identity of the cluster that the stack was deployed to, "" if it was not deployed yet."""
    return operations.tag(opened, _TAG)


def store_tag(opened: OpenedStack, identity: str) -> None:
    """Store the identity of the stack's cluster."""
    operations.set_tag(opened, _TAG, identity)


def cluster_to_store(session: Session, opened: OpenedStack, *, may_be_new: bool = False) -> str:
    """Return the cluster's identity if it must be stored, "" if it is stored already.

    Args:
        session: The stack.
        opened: The stack, opened.
        may_be_new: The cluster may be another one than the stack was deployed to.

    Raises:
        ClusterUnreachable: The cluster does not answer.
        WrongCluster: It is not the one that the stack was deployed to.
    """
    config = session.reached_config()
    identity, known = cluster_identity(config), read_tag(opened)
    if not may_be_new:
        require_known(session.name, config, identity, known)
    return "" if known == identity else identity


def cluster_identity(config: StackConfig) -> str:
    """Ask the cluster who it is. Raises ClusterUnreachable."""
    # Imported here: a preview needs no client of Kubernetes.
    from automation.cluster import client

    return client.cluster_identity(config.kube_context, kubeconfig_path=config.kubeconfig)


def require_known(name: str, config: StackConfig, identity: str, known: str) -> None:
    """Raise WrongCluster if the cluster is not the one that the stack was deployed to."""
    if known and known != identity:
        raise WrongCluster(
            f"context {config.kube_context} leads to another cluster than the one that stack {name} was deployed to",
            "set airflow:kubeContext to the right one; if the cluster was rebuilt under its old name: "
            f"python -m automation refresh {name} --new-cluster",
        )


def require_its_cluster(session: Session, opened: OpenedStack) -> None:
    """Raise WrongCluster before anything is done in another cluster than the stack was deployed to."""
    config = session.reached_config()
    require_known(session.name, config, cluster_identity(config), read_tag(opened))


def require_gone(session: Session) -> None:
    """Raise Protected if the stack's cluster answers: what is in it would be left there, and forgotten."""
    try:
        cluster_identity(session.reached_config())
    except ClusterUnreachable:
        return
    raise Protected(
        f"--cluster-gone: expected a cluster of stack {session.name} that does not answer, found one that does",
        f"leave it out; if the cluster was rebuilt under its old name, first: python -m automation refresh "
        f"{session.name} --new-cluster",
    )


def follow_cluster(session: Session, identity: str, on_event: OnEvent, *, created: bool) -> None:
    """Move the stack to a local cluster. If it is a new one, first refresh the state with what is in it.

    Args:
        session: The stack.
        identity: The cluster's identity.
        on_event: Receives the events.
        created: The cluster has just been created.
    """
    with session.open_for_update("refresh", on_event) as opened:
        known = read_tag(opened)
        if known == identity:
            return
        if (known or created) and operations.has_resources(opened):
            opened.teller.note("the cluster is a new one: looking for what the state says is in it")
            operations.refresh(opened)
        store_tag(opened, identity)
