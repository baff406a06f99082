"""The connections and variables that a config gives, in one Secret of the server components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.connections.given import GivenConnections
from components.kube.env import from_secret
from components.kube.immutable_secret import immutable_secret

TYPE: Final = "airflow:index:AirflowConnections"


@dataclass(frozen=True, kw_only=True)
class AirflowConnectionsArgs:
    """Arguments of `AirflowConnections`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    given: GivenConnections
    """The connections and variables, at least one."""


class AirflowConnections(pulumi.ComponentResource):
    """Connections and variables for the components that answer for them: no worker and no task pod has them.

    A task asks the API server, which walks its environment before the database (airflow 3.2.2,
    execution_api/routes/connections.py).

    Raises: nothing of its own.
    Replaces: another value makes another Secret; API server, scheduler, DAG processor and triggerer roll.
    Survives a destroy: nothing.
    """

    variables: list[dict[str, Any]]
    """Variables of a container, in the form of the chart."""

    def __init__(self, name: str, args: AirflowConnectionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        environment = args.given.environment()
        secret = immutable_secret(name, args.namespace, environment, pulumi.ResourceOptions(parent=self))
        self.variables = [from_secret(variable, secret, variable) for variable in environment]
        self.register_outputs({"secret": secret})
