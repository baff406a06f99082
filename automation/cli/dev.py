"""The verbs for a developer: `dev`, `ui`, `load` and `env`."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Final

import versions
from automation.cli.declare import DEV, DONE, LOCK_SECONDS, STACK, Call, argument, opened, verb
from automation.cli.login import kubectl, shown_password
from automation.cli.look import settle_verification
from automation.errors import ClusterRequestFailed, ClusterUnreachable
from automation.wait import Background

if TYPE_CHECKING:
    from automation.cluster.deployment import Deployment
    from automation.cluster.kind import Cluster
    from automation.environment import Environment
    from automation.stacks.config import StackConfig

UI_PORT: Final = 8080


@verb(
    "make a local Airflow, from the cluster up, and verify it",
    argument("stack", nargs="?", choices=[DEV], default=DEV, help="always dev"),
    argument("--context", metavar="NAME", help="deploy to the cluster of this kubeconfig context, and remember it"),
)
def dev(call: Call) -> int:
    """Go from nothing to a verified Airflow on a local cluster. A second call changes nothing."""
    from automation.cluster.deployment import Deployment
    from automation.stacks.chosen_context import check_context, keep_context
    from automation.stacks.cluster_tag import follow_cluster

    console, named = call.console, call.args.context
    with opened(call.project_dir, DEV, console, lock_seconds=LOCK_SECONDS) as environment:
        environment.session.check_config()
        config = environment.session.config()
        moves = named is not None and named != config.kube_context
        if moves:
            check_context(environment.session, named)
        cluster = _cluster(call, environment, named or config.kube_context, config.kubeconfig)
        console.line(f"{'created' if cluster.created else 'using'} the cluster of context {cluster.context}")
        if moves:
            keep_context(environment.session, named)
            config = environment.session.config()
            console.line(f"airflow:kubeContext in Pulumi.{DEV}.yaml is now {named}, for all verbs")
        follow_cluster(environment.session, cluster.identity, console.event, created=cluster.created)
        update = environment.up(on_event=console.event)
        console.result(f"up of {DEV}: {update.changes}")
        settle_verification(environment.verify(on_event=console.event), console)
    _farewell(Deployment.of(update.outputs), config, call)
    return DONE


@verb(
    "forward a local port to Airflow, and open a browser there",
    STACK,
    argument("--no-browser", action="store_true", help="only forward the port"),
    argument("--port", type=int, default=UI_PORT, help="the local port; default: %(default)s"),
)
def ui(call: Call) -> int:
    """Forward a local port to Airflow until Ctrl-C. Raises ToolMissing, AutomationError."""
    from automation.cluster import tools
    from automation.cluster.deployment import Deployment

    tools.require("kubectl")
    with call.opened() as environment:
        config = environment.session.config().reached(environment.work_dir)
        _forward(Deployment.of(environment.outputs().values), config, call)
    return DONE


@verb(
    "copy an image that Docker built here into the stack's local cluster",
    argument("image", help="its reference, such as airflow:try"),
    STACK,
)
def load(call: Call) -> int:
    """Copy an image into a local cluster, which pulls from registries alone. Raises ClusterUnreachable, ToolMissing."""
    from automation.cluster import tools
    from automation.cluster.local_clusters import load_command

    with call.opened() as environment:
        context = environment.session.config().kube_context
    command = load_command(context, call.args.image)
    if command is None:
        raise ClusterUnreachable(
            f"context {context or 'of an EKS cluster'} is not a kind of local cluster that this program knows",
            "push the image to a registry from which its nodes may pull",
        )
    if not command:
        call.console.result(f"the cluster of context {context} uses the images of Docker: there is nothing to copy")
        return DONE
    tools.require(command[0], kind=versions.KIND)
    call.console.line(shlex.join(command))
    if subprocess.run(command, check=False).returncode:
        raise ClusterRequestFailed(f"{call.args.image} could not be copied into {context}", "see the lines above")
    return DONE


@verb(
    'print the variables that plain pulumi needs for a stack here: eval "$(python -m automation env)"',
    STACK,
    for_shell=True,
)
def env(call: Call) -> int:
    """Print the variables with which `pulumi` itself works on a stack here, for a shell's `eval`.

    Creates the stack where there is none: without one the CLI sets no config. Raises AutomationError.
    """
    with call.opened() as environment:
        variables = environment.session.engine_variables()
    for name, value in {**variables, "PULUMI_STACK": call.args.stack}.items():
        call.console.for_shell(f"export {name}={shlex.quote(value)}")
    return DONE


def _cluster(call: Call, environment: Environment, context: str, kubeconfig: str | None) -> Cluster:
    """Return the cluster, with an engine at hand. While Kind makes one, the engine and the images are downloaded."""
    from automation.cluster import images_ahead
    from automation.cluster.kind import ensure_cluster

    engine, console = Background(environment.session.find_engine), call.console

    def pull_ahead() -> None:
        images_ahead.pull_ahead(context, images_ahead.images_of_stack(call.project_dir, DEV), console.line)

    cluster = ensure_cluster(
        call.project_dir,
        context,
        kubeconfig_path=kubeconfig,
        on_line=console.line,
        before_making=engine.start,
        on_node=pull_ahead,
    )
    engine.finish()
    return cluster


def _forward(deployment: Deployment, config: StackConfig, call: Call) -> None:
    from automation.cluster.port_forward import forward, has_browser, open_browser

    console, port = call.console, call.args.port
    target = f"service/{deployment.api_server_service}"
    ports = f"{port}:{deployment.api_server_port}"
    command = [*shlex.split(kubectl(deployment, config)), "port-forward", target, ports]

    def on_open() -> None:
        url = f"http://localhost:{port}{deployment.ui_path}"
        console.result(f"Airflow: {url}  user: {deployment.admin_username}")
        console.result(f"password: {shown_password(deployment, config, call)}")
        console.result("Ctrl-C ends this.")
        if not call.args.no_browser and has_browser(os.environ, terminal=console.results.isatty()):
            open_browser(url)

    forward(command, port, on_open=on_open, on_line=console.line)


def _farewell(deployment: Deployment, config: StackConfig, call: Call) -> None:
    console = call.console
    console.result("")
    console.result(f"Airflow runs. Address, after `make ui`: http://localhost:{UI_PORT}{deployment.ui_path}")
    console.result(f"user:     {deployment.admin_username}")
    console.result(f"password: {shown_password(deployment, config, call)}")
    console.result("next:     make ui       forward the port, until Ctrl-C")
    console.result("          make preview  see what a change of yours would do")
    console.result("          make down     remove all of it")
