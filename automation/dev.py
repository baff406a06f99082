"""What the command line's verbs do. Each prints what it does; what they use prints nothing."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TextIO

from pulumi.automation import Stack

from automation import cluster, tools, update
from automation.deployment import Deployment
from automation.engine import Engine, find_engine
from automation.errors import ClusterRequestFailed, ClusterUnreachable, NotHealthy, StackUnknown
from automation.folder import Folder, write_file
from automation.interrupt import interruptible
from automation.kube import cluster_identity
from automation.report import write_table
from automation.verify import TIMEOUT_SECONDS, verify
from automation.workspace import backend_url, is_local, keeps_passphrase, open_stack, prepare_backend

DEV: Final = "dev"
UI_PORT: Final = 8080
_GONE_WITH_THE_CLUSTER: Final = ("kubernetes:", "random:", "pulumi:providers:kubernetes", "pulumi:pulumi:")
"""Types of what is in the cluster or in the state alone."""


@dataclass(frozen=True)
class Console:
    """Where people read. results: what was asked for; progress: what is being done."""

    results: TextIO = field(default_factory=lambda: sys.stdout)
    progress: TextIO = field(default_factory=lambda: sys.stdout)

    def line(self, text: str) -> None:
        """A line of progress."""
        print(text, file=self.progress, flush=True)

    def result(self, text: str) -> None:
        """A line of the result."""
        print(text, file=self.results, flush=True)


@dataclass(frozen=True)
class StackConfig:
    """What a verb must know of a stack's config before the program runs. kubeconfig: None takes kubectl's own.

    eks: name, region and account of an EKS cluster; the other two follow from it (see `_reached`).
    """

    kube_context: str
    kubeconfig: str | None
    protect: bool
    eks: tuple[str, str, str] | None = None


def dev(project_dir: Path, console: Console) -> None:
    """From nothing to a verified Airflow on a local cluster; a second time nothing changes.

    Raises AutomationError, settings.SettingsError.
    """
    config = _checked(project_dir, DEV)
    engine = find_engine(project_dir, console.line)
    with interruptible(engine, console.line):
        found = cluster.ensure_cluster(
            project_dir, config.kube_context, kubeconfig_path=config.kubeconfig, on_line=console.line
        )
        console.line(f"{'created' if found.created else 'using'} the cluster of context {found.context}")
        stack = open_stack(project_dir, DEV, engine)
        _follow_cluster(project_dir, stack, engine, found, console)
        _up(stack, engine, console)
        outputs = update.stack_outputs(stack)
        _verify(outputs, config, console)
    _farewell(Deployment.of(outputs), config, console)


def up(project_dir: Path, stack_name: str, console: Console) -> None:
    """Deploys a stack. Raises AutomationError, settings.SettingsError."""
    _checked(project_dir, stack_name)
    with _opened(project_dir, stack_name, console) as (stack, engine):
        _up(stack, engine, console)


def preview(project_dir: Path, stack_name: str, console: Console) -> None:
    """Says what `up` would do. Raises AutomationError, settings.SettingsError."""
    _checked(project_dir, stack_name)
    with _opened(project_dir, stack_name, console) as (stack, engine):
        console.result(f"preview of {stack_name}: {update.preview(stack, engine, console.line)}")


def check(
    project_dir: Path,
    stack_name: str,
    console: Console,
    *,
    dag_id: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    as_json: bool = False,
) -> None:
    """Verifies a stack. Raises NotHealthy where something failed; AutomationError."""
    config = _reached(project_dir, stack_name, _config(project_dir, stack_name))
    with _opened(project_dir, stack_name, console, create=False) as (stack, _):
        _verify(
            update.stack_outputs(stack),
            config,
            console,
            dag_id=dag_id,
            timeout_seconds=timeout_seconds,
            as_json=as_json,
        )


def down(project_dir: Path, stack_name: str, console: Console) -> None:
    """Removes what a stack deployed, its state, and the cluster if this checkout made it. Raises AutomationError."""
    config = _config(project_dir, stack_name)
    if config.protect:
        raise StackUnknown(
            f"stack {stack_name} is protected: down removes data and keys",
            f"if that is meant: pulumi config set airflow:protect false --stack {stack_name}, then up, then down",
        )
    folder = Folder(project_dir)
    if not _may_exist(project_dir):
        console.line(f"stack {stack_name}: nothing was deployed from here")
    else:
        _destroy(project_dir, stack_name, config, console)
    shutil.rmtree(folder.work(stack_name), ignore_errors=True)
    if cluster.created_cluster(project_dir) == config.kube_context and cluster.delete_cluster(
        project_dir, kubeconfig_path=config.kubeconfig
    ):
        console.line(f"deleted the cluster of context {config.kube_context}")
    if folder.engine.exists():
        console.line(f"kept {folder.engine}: the engine, for the next time")
    console.result(f"stack {stack_name} is gone")


def env(project_dir: Path, stack_name: str, console: Console) -> None:
    """Prints, for a shell's `eval`, what lets `pulumi` itself work on a stack here (`pulumi config set --secret`).

    The stack is made where there is none: without one the CLI sets no config. Raises AutomationError.
    """
    with _opened(project_dir, stack_name, console):
        variables = prepare_backend(project_dir.resolve(), stack_name).env
    for name, value in {**variables, "PULUMI_STACK": stack_name}.items():
        console.result(f"export {name}={shlex.quote(value)}")


def ui(project_dir: Path, stack_name: str, console: Console) -> None:
    """Forwards a local port to Airflow until Ctrl-C. Raises ToolMissing, AutomationError."""
    tools.require("kubectl")
    config = _reached(project_dir, stack_name, _config(project_dir, stack_name))
    with _opened(project_dir, stack_name, console, create=False) as (stack, _):
        deployment = Deployment.of(update.stack_outputs(stack))
        _forward(deployment, config, console)


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


def _checked(project_dir: Path, stack_name: str) -> StackConfig:
    """Raises settings.SettingsError with every problem of the stack's files, before any engine runs."""
    import settings

    settings.check(project_dir, stack_name)
    return _config(project_dir, stack_name)


def _config(project_dir: Path, stack_name: str) -> StackConfig:
    import settings

    values, _ = settings.read_files(project_dir, stack_name)

    def text(key: str) -> str:
        return values.get(f"{settings.PROJECT}:{key}", "")

    return StackConfig(
        kube_context=text("kubeContext"),
        kubeconfig=text("kubeconfig") or None,
        protect=values.get(f"{settings.PROJECT}:protect") != "false",
        eks=(eks, text("awsRegion"), text("awsAccountId")) if (eks := text("eksCluster")) else None,
    )


def _reached(project_dir: Path, stack_name: str, config: StackConfig) -> StackConfig:
    """With the kubeconfig of its EKS cluster, written where the stack's other files are. Raises AwsError."""
    if config.eks is None:
        return config
    # Imported here: a laptop's stack has nothing to ask AWS.
    from components.eks_cluster import find_cluster

    found = find_cluster(*config.eks)
    path = Folder(project_dir).work(stack_name) / "kubeconfig"
    write_file(path, found.kubeconfig, mode=0o600)
    return replace(config, kube_context=found.context, kubeconfig=str(path))


@contextmanager
def _opened(
    project_dir: Path, stack_name: str, console: Console, *, create: bool = True
) -> Iterator[tuple[Stack, Engine]]:
    engine = find_engine(project_dir, console.line)
    with interruptible(engine, console.line):
        console.line(f"stack {stack_name}, state in {backend_url(project_dir)}")
        yield open_stack(project_dir, stack_name, engine, create=create), engine


def _up(stack: Stack, engine: Engine, console: Console) -> None:
    console.result(f"up of {stack.name}: {update.up(stack, engine, console.line)}")


def _follow_cluster(project_dir: Path, stack: Stack, engine: Engine, found: cluster.Cluster, console: Console) -> None:
    """Where the cluster is not the one that the state tells of, the state first learns what is in this one."""
    mark = Folder(project_dir).work(DEV) / "cluster"
    known = mark.read_text(encoding="utf-8").strip() if mark.is_file() else ""
    if known == found.identity:
        return
    if (known or found.created) and update.has_resources(stack):
        console.line("the cluster is a new one: looking what of the state is in it")
        update.refresh(stack, engine, console.line)
    write_file(mark, f"{found.identity}\n")


def _verify(outputs: dict[str, Any], config: StackConfig, console: Console, **options: Any) -> None:
    as_json = options.pop("as_json", False)
    result = verify(
        outputs,
        kube_context=Deployment.of(outputs).kube_context,
        kubeconfig_path=config.kubeconfig,
        on_progress=console.line,
        **options,
    )
    if as_json:
        console.result(result.to_json())
    else:
        write_table(result, console.results)
    if not result.ok:
        names = ", ".join(check.name for check in result.checks if check.status == "failed")
        raise NotHealthy(f"verification failed: {names}", "see the table above; then: python -m automation verify")


def _destroy(project_dir: Path, stack_name: str, config: StackConfig, console: Console) -> None:
    config = _reached(project_dir, stack_name, config)
    gone = cluster.is_gone(project_dir, config.kube_context, kubeconfig_path=config.kubeconfig)
    if not gone:
        cluster_identity(config.kube_context, kubeconfig_path=config.kubeconfig)
    engine = find_engine(project_dir, console.line)
    with interruptible(engine, console.line):
        try:
            stack = open_stack(project_dir, stack_name, engine, create=False)
        except StackUnknown:
            console.line(f"stack {stack_name}: no state of it here")
            return
        if gone:
            _forget(stack, config, console)
        else:
            console.result(f"down of {stack_name}: {update.destroy(stack, engine, console.line)}")
            stack.workspace.remove_stack(stack_name)
        remaining = stack.workspace.list_stacks()
    folder = Folder(project_dir)
    if not remaining and is_local(project_dir):
        # The last stack: what remains is the history of what is no more, and the passphrase that encrypts it.
        shutil.rmtree(folder.state, ignore_errors=True)
        if keeps_passphrase(project_dir):
            console.line(f"kept {folder.passphrase}: secret values in Pulumi.*.yaml are encrypted with it")
        else:
            folder.passphrase.unlink(missing_ok=True)


def _forget(stack: Stack, config: StackConfig, console: Console) -> None:
    """Drops a state whose every resource went with the cluster. The engine cannot: a Helm release has to answer."""
    elsewhere = update.resources_outside(stack, _GONE_WITH_THE_CLUSTER)
    if elsewhere:
        raise ClusterUnreachable(
            f"the cluster of context {config.kube_context} is no more, but stack {stack.name} owns more: "
            f"{', '.join(elsewhere)}",
            "make dev, so that there is a cluster to look at, then make down",
        )
    stack.workspace.remove_stack(stack.name, force=True)
    console.result(f"the cluster of context {config.kube_context} is no more, and all of {stack.name} with it")


def _may_exist(project_dir: Path) -> bool:
    """Whether to ask the engine at all: not where its state would be local, and there is none."""
    return not is_local(project_dir) or Folder(project_dir).state.exists()


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
