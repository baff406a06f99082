"""How a person gets the password of Airflow's first user."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from automation.cli.declare import Call
from automation.folder import short_name

if TYPE_CHECKING:
    from automation.cluster.deployment import Deployment
    from automation.stacks.config import StackConfig


def shown_password(deployment: Deployment, config: StackConfig, call: Call) -> str:
    """Return the password if the stack's file shows it to everybody who reads it, else the command that prints it."""
    from settings import PROJECT
    from settings.files import read_files

    stack = short_name(call.args.stack)
    # An encrypted value is empty there.
    plain = read_files(call.project_dir, stack)[0].get(f"{PROJECT}:adminPassword")
    if plain:
        return f"{plain} (airflow:adminPassword in Pulumi.{stack}.yaml)"
    return password_command(deployment, config)


def password_command(deployment: Deployment, config: StackConfig) -> str:
    """Return the command that prints the password of the deployment."""
    secret = f"get secret {deployment.admin_password_secret} -o jsonpath='{{.data.password}}'"
    return f"{kubectl(deployment, config)} {secret} | base64 -d"


def kubectl(deployment: Deployment, config: StackConfig) -> str:
    """Return the beginning of a kubectl command for the deployment's namespace."""
    return replace(config, kube_context=deployment.kube_context, namespace=deployment.namespace).kubectl()
