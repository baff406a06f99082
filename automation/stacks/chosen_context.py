"""Keeps the cluster that a person names in the stack's config, unless the stack is deployed to another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from automation.engine import operations
from automation.errors import ClusterUnreachable, StackUnknown, WrongCluster
from automation.stacks.cluster_tag import cluster_identity, read_tag
from automation.stacks.config import StackConfig
from automation.stacks.plain_values import check_values, write_values
from automation.stacks.session import Session

_KEY: Final = "kubeContext"


def check_context(session: Session, context: str) -> None:
    """Raise if the stack cannot be deployed to the cluster of a context instead of its present one.

    Raises:
        SettingsInvalid: The config is not valid with it, as with that of a stack on EKS.
        WrongCluster: The stack is deployed to another cluster, which would keep all of it.
    """
    check_values(session, {_KEY: context})
    config = session.config()
    try:
        with session.open_for_reading("dev") as opened:
            deployed = operations.has_resources(opened)
            known = read_tag(opened) if deployed else ""
    except StackUnknown:
        return
    if known and not _is(replace(config, kube_context=context), known) and _is(config, known):
        raise WrongCluster(
            f"stack {session.name} is deployed to the cluster of context {config.kube_context}, and would stay there",
            "make down, which removes it with its data; then run this again",
        )


def _is(config: StackConfig, identity: str) -> bool:
    """Whether the config's cluster is that one. One that does not answer is none, as after its deletion."""
    try:
        return cluster_identity(config) == identity
    except ClusterUnreachable:
        return False


def keep_context(session: Session, context: str) -> None:
    """Write the context into the stack's config, where every later verb and plain `pulumi` find it."""
    write_values(session, {_KEY: context})
