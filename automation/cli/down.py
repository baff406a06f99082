"""The verb `down`, which removes a stack, and the cluster if this checkout made it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from automation.cli.declare import DONE, LOCK_SECONDS, STACK, Call, opened, verb
from automation.errors import ClusterUnreachable, Protected, StackUnknown
from automation.folder import LocalFolder

if TYPE_CHECKING:
    from automation.cli.console import Console
    from automation.environment import Environment
    from automation.stacks.config import StackConfig

_TASK_SECONDS: Final = 20.0
"""`down` gives running tasks no more time: their history is removed with the database."""
_GONE_WITH_THE_CLUSTER: Final = ("kubernetes:", "random:", "pulumi:providers:kubernetes", "pulumi:pulumi:")
"""Types of resources that are only in the cluster, or only in the state."""


@verb("remove what a stack deployed, and the cluster if dev made it", STACK)
def down(call: Call) -> int:
    """Remove what a stack deployed, its state, and the cluster if this checkout made it. Raises AutomationError.

    The passphrase stays: without it, everything else that is encrypted with it would be lost.
    """
    from automation.cluster.kind import KIND_PREFIX, created_cluster, delete_cluster
    from automation.engine.backend import may_have_stacks
    from automation.engine.failures import unprotect

    project_dir, stack, console = call.project_dir, call.args.stack, call.console
    folder = LocalFolder(project_dir)
    with opened(project_dir, stack, console, lock_seconds=LOCK_SECONDS) as environment:
        config = environment.session.config()
        if config.protect:
            raise Protected(f"stack {stack} is protected: down removes data and keys", unprotect(stack))
        if not may_have_stacks(project_dir):
            console.line(f"stack {stack}: nothing was deployed from here")
        else:
            _destroy(call, environment, config)
    shutil.rmtree(folder.work(stack), ignore_errors=True)
    created = created_cluster(project_dir)
    if created == config.kube_context and delete_cluster(project_dir, kubeconfig_path=config.kubeconfig):
        console.line(f"deleted the cluster of context {config.kube_context}")
    elif created and created != config.kube_context:
        name = created.removeprefix(KIND_PREFIX)
        console.line(f"kept the cluster of context {created}, which was made here: kind delete cluster --name {name}")
    if folder.engine.exists():
        console.line(f"kept {folder.engine}: the engine, for the next time")
    if folder.passphrase.exists():
        # Other states may be encrypted with it: each folder that PULUMI_BACKEND_URL names gets it too.
        console.line(f"kept {folder.passphrase}: states in other folders and values in Pulumi.*.yaml may need it")
    console.result(f"stack {stack} is gone")
    return DONE


def _destroy(call: Call, environment: Environment, config: StackConfig) -> None:
    """Destroy a stack and remove its state. A state whose cluster is gone is only removed.

    A cluster that was made here is deleted as a whole, where all of the stack is in it.
    """
    from automation.cluster.kind import delete_cluster, is_gone
    from automation.engine.backend import is_local

    console = call.console
    config = config.reached(environment.work_dir)
    try:
        if is_gone(call.project_dir, config.kube_context, kubeconfig_path=config.kubeconfig):
            left = _forget(environment, config, console)
        elif _needs_no_cluster(environment, config):
            console.line(f"stack {environment.name}: nothing is deployed")
            left = environment.remove_state()
        elif _goes_with_its_cluster(call, environment, config):
            console.line(f"deleting the cluster of context {config.kube_context}, with all of {environment.name} in it")
            # The mark stays until the state is removed: were this killed, the next `down` would go on from here.
            delete_cluster(call.project_dir, kubeconfig_path=config.kubeconfig, keep_mark=True)
            left = _forget(environment, config, console)
        else:
            update = environment.destroy(worker_seconds=_TASK_SECONDS, on_event=console.event)
            console.result(f"down of {environment.name}: {update.changes}")
            left = environment.remove_state()
    except StackUnknown:
        console.line(f"stack {environment.name}: no state of it here")
        return
    if not left and is_local(call.project_dir):
        # It was the last stack: only the history of removed stacks is left.
        shutil.rmtree(LocalFolder(call.project_dir).state, ignore_errors=True)


def _needs_no_cluster(environment: Environment, config: StackConfig) -> bool:
    """Return whether the cluster does not answer and need not, because an update was refused before it made anything.

    Raises ClusterUnreachable if it must answer.
    """
    from automation.cluster.client import cluster_identity
    from automation.engine import operations
    from automation.engine.stack_state import StackState

    try:
        cluster_identity(config.kube_context, kubeconfig_path=config.kubeconfig)
    except ClusterUnreachable:
        with environment.session.open_for_reading("status") as opened:
            state = StackState.of(operations.deployment(opened))
        if state.resources or state.pending:
            raise
        return True
    return False


def _goes_with_its_cluster(call: Call, environment: Environment, config: StackConfig) -> bool:
    """Return whether this checkout made the cluster, all of the stack is in it, and no update has the stack's lock.

    Raises StackUnknown, ClusterUnreachable.
    """
    from automation.cluster.kind import answers_and_was_created_here
    from automation.engine import operations
    from automation.engine.stack_state import StackState, protected

    if (
        not answers_and_was_created_here(call.project_dir, config.kube_context, kubeconfig_path=config.kubeconfig)
        or environment.session.locks() != ()
    ):
        return False
    with environment.session.open_for_reading("status") as opened:
        kept = protected(StackState.of(operations.deployment(opened)).resources)
        return not kept and not operations.resources_outside(opened, _GONE_WITH_THE_CLUSTER)


def _forget(environment: Environment, config: StackConfig, console: Console) -> tuple[str, ...]:
    """Remove a state whose resources are all gone with the cluster, and return the stacks that are left.

    The engine cannot do this: it asks the cluster about the Helm release.
    """
    from automation.engine import operations

    with environment.session.open_for_reading("status") as opened:
        elsewhere = operations.resources_outside(opened, _GONE_WITH_THE_CLUSTER)
    if elsewhere:
        raise ClusterUnreachable(
            f"the cluster of context {config.kube_context} no longer exists, but stack {environment.name} owns more: "
            f"{', '.join(elsewhere)}",
            "make dev, so that there is a cluster to look at, then make down",
        )
    left = environment.remove_state(force=True)
    console.result(
        f"the cluster of context {config.kube_context} no longer exists, nor does anything else of {environment.name}"
    )
    return left
