"""What the verbs of a developer do: a local Airflow and all that belongs to it. Each prints what it does.

What they share with the verbs of any stack is in `verbs`.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from automation.cli.console import Console
from automation.cli.interrupt import interruptible
from automation.cli.report_text import write_table
from automation.cluster import kind, tools
from automation.cluster.client import cluster_identity
from automation.cluster.deployment import Deployment
from automation.engine.failures import unprotect
from automation.environment import LOCK_SECONDS, Environment
from automation.environments import Environments
from automation.errors import ClusterRequestFailed, ClusterUnreachable, NotHealthy, Protected, StackUnknown
from automation.folder import Folder
from automation.stacks.backend import is_local, may_have_stacks
from automation.stacks.config import StackConfig
from automation.verification.result import Status, Verification

__all__ = ["DEV", "UI_PORT", "Console", "dev", "down", "env", "opened", "settle_verification", "ui"]

DEV: Final = "dev"
UI_PORT: Final = 8080
_GONE_WITH_THE_CLUSTER: Final = ("kubernetes:", "random:", "pulumi:providers:kubernetes", "pulumi:pulumi:")
"""Types of what is in the cluster or in the state alone."""


@contextmanager
def opened(
    project_dir: Path, stack_name: str, console: Console, *, lock_seconds: float = LOCK_SECONDS
) -> Iterator[Environment]:
    """A stack of the checkout; within it, signals let an operation stop in good order."""
    environments = Environments(project_dir, lock_seconds=lock_seconds, on_line=console.line)
    with interruptible(environments, console.line):
        yield environments.open(stack_name)


def dev(project_dir: Path, console: Console) -> None:
    """From nothing to a verified Airflow on a local cluster; a second time nothing changes. Raises AutomationError."""
    with opened(project_dir, DEV, console) as environment:
        environment.check()
        config = environment.config()
        environment.find_engine()
        found = kind.ensure_cluster(
            project_dir, config.kube_context, kubeconfig_path=config.kubeconfig, on_line=console.line
        )
        console.line(f"{'created' if found.created else 'using'} the cluster of context {found.context}")
        environment.follow_cluster(found.identity, created=found.created, on_event=console.event)
        done = environment.up(on_event=console.event)
        console.result(f"up of {DEV}: {done.changes}")
        settle_verification(environment.verify(on_event=console.event), console)
    _farewell(Deployment.of(done.outputs), config, console)


def down(project_dir: Path, stack_name: str, console: Console) -> None:
    """Removes what a stack deployed, its state, and the cluster if this checkout made it. Raises AutomationError.

    The passphrase stays: without it, whatever else is encrypted with it would be lost.
    """
    folder = Folder(project_dir)
    with opened(project_dir, stack_name, console) as environment:
        config = environment.config()
        if config.protect:
            raise Protected(f"stack {stack_name} is protected: down removes data and keys", unprotect(stack_name))
        if not may_have_stacks(project_dir):
            console.line(f"stack {stack_name}: nothing was deployed from here")
        else:
            _destroy(project_dir, environment, config, console)
    shutil.rmtree(folder.work(stack_name), ignore_errors=True)
    if kind.created_cluster(project_dir) == config.kube_context and kind.delete_cluster(
        project_dir, kubeconfig_path=config.kubeconfig
    ):
        console.line(f"deleted the cluster of context {config.kube_context}")
    if folder.engine.exists():
        console.line(f"kept {folder.engine}: the engine, for the next time")
    if folder.passphrase.exists():
        # Nobody knows what else was ever encrypted with it: each folder that PULUMI_BACKEND_URL names gets it too.
        console.line(f"kept {folder.passphrase}: states in other folders and values in Pulumi.*.yaml may need it")
    console.result(f"stack {stack_name} is gone")


def env(project_dir: Path, stack_name: str, console: Console) -> None:
    """Prints, for a shell's `eval`, what lets `pulumi` itself work on a stack here (`pulumi config set --secret`).

    The stack is made where there is none: without one the CLI sets no config. Raises AutomationError.
    """
    with opened(project_dir, stack_name, console) as environment:
        console.line(f"stack {stack_name}, state in {environment.backend}")
        variables = environment.engine_variables()
    for name, value in {**variables, "PULUMI_STACK": stack_name}.items():
        console.result(f"export {name}={shlex.quote(value)}")


def ui(project_dir: Path, stack_name: str, console: Console) -> None:
    """Forwards a local port to Airflow until Ctrl-C. Raises ToolMissing, AutomationError."""
    tools.require("kubectl")
    with opened(project_dir, stack_name, console) as environment:
        config = environment.config().reached(environment.work_dir)
        console.line(f"stack {stack_name}, state in {environment.backend}")
        _forward(Deployment.of(environment.outputs().values), config, console)


def settle_verification(result: Verification, console: Console, *, as_json: bool = False) -> None:
    """Prints it. Raises NotHealthy where something failed."""
    if as_json:
        console.json(result.to_json())
    else:
        write_table(result, console.results)
    if not result.ok:
        names = ", ".join(check.name for check in result.checks if check.status is Status.FAILED)
        raise NotHealthy(f"verification failed: {names}", "see the table above; then: python -m automation verify")


def _forward(deployment: Deployment, config: StackConfig, console: Console) -> None:
    target = f"service/{deployment.api_server_service}"
    command = [*_kubectl(deployment, config), "port-forward", target, f"{UI_PORT}:{deployment.api_server_port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                if line.startswith("Forwarding from 127.0.0.1"):
                    console.result(f"Airflow: http://localhost:{UI_PORT}  user: {deployment.admin_username}")
                    console.result(f"password: {_password_command(deployment, config)}")
                    console.result("Ctrl-C ends this.")
            errors = process.stderr.read().strip().splitlines()
        except KeyboardInterrupt:
            process.terminate()
            return
    raise ClusterRequestFailed(
        f"kubectl port-forward ended ({errors[-1] if errors else f'exit code {process.returncode}'})",
        f"free port {UI_PORT} if it is taken, else run it again",
    )


def _destroy(project_dir: Path, environment: Environment, config: StackConfig, console: Console) -> None:
    config = config.reached(environment.work_dir)
    gone = kind.is_gone(project_dir, config.kube_context, kubeconfig_path=config.kubeconfig)
    if not gone:
        cluster_identity(config.kube_context, kubeconfig_path=config.kubeconfig)
    try:
        if gone:
            left = _forget(environment, config, console)
        else:
            done = environment.destroy(on_event=console.event)
            console.result(f"down of {environment.name}: {done.changes}")
            left = environment.remove_state()
    except StackUnknown:
        console.line(f"stack {environment.name}: no state of it here")
        return
    if not left and is_local(project_dir):
        # The last stack: what remains is the history of what is no more.
        shutil.rmtree(Folder(project_dir).state, ignore_errors=True)


def _forget(environment: Environment, config: StackConfig, console: Console) -> tuple[str, ...]:
    """Drops a state whose every resource went with the cluster. The engine cannot: a Helm release has to answer.

    Returns the stacks that are left.
    """
    elsewhere = environment.resources_outside(_GONE_WITH_THE_CLUSTER)
    if elsewhere:
        raise ClusterUnreachable(
            f"the cluster of context {config.kube_context} is no more, but stack {environment.name} owns more: "
            f"{', '.join(elsewhere)}",
            "make dev, so that there is a cluster to look at, then make down",
        )
    left = environment.remove_state(force=True)
    console.result(f"the cluster of context {config.kube_context} is no more, and all of {environment.name} with it")
    return left


def _farewell(deployment: Deployment, config: StackConfig, console: Console) -> None:
    console.result("")
    console.result(f"Airflow runs. Address, after `make ui`: http://localhost:{UI_PORT}")
    console.result(f"user:     {deployment.admin_username}")
    console.result(f"password: {_password_command(deployment, config)}")
    console.result("next:     make ui       forward the port, until Ctrl-C")
    console.result("          make preview  see what a change of yours would do")
    console.result("          make down     remove all of it")


def _password_command(deployment: Deployment, config: StackConfig) -> str:
    secret = f"get secret {deployment.admin_password_secret} -o jsonpath='{{.data.password}}'"
    return f"{' '.join(_kubectl(deployment, config))} {secret} | base64 -d"


def _kubectl(deployment: Deployment, config: StackConfig) -> list[str]:
    file = ["--kubeconfig", config.kubeconfig] if config.kubeconfig else []
    return ["kubectl", *file, "--context", deployment.kube_context, "--namespace", deployment.namespace]
