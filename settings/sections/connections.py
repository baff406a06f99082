"""Connections and variables of Airflow that the stack gives."""

from __future__ import annotations

import re

from components.chart_values.managed_variables import managed_name
from components.connections.given import GivenConnections, collisions, connection, taken, variable
from components.texts import fields
from settings.errors import remove_command
from settings.keys import Section
from settings.reading import Config
from settings.sections.cluster import EKS_CLUSTER, AwsChoice
from settings.sections.keys import KEY_ESCROW


def secrets_prefix(text: str) -> str:
    """Validate how the names of secrets begin (API reference, CreateSecret). Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_+=.@-]+(/[A-Za-z0-9_+=.@-]+)*", text) or len(text) > 200:
        fields.refuse(
            "expected the beginning of secrets' names, such as airflow-secrets/prod: at most 200 of A-Z, a-z, 0-9 and "
            f"/_+=.@-, without a slash at its ends, found {fields.shown(text)}"
        )
    return text


SECTION = Section(
    "Connections and variables", "in addition to those that people enter in the UI; workers have none of them"
)

CONNECTIONS = SECTION.secret_map(
    "connections",
    connection,
    collisions,
    description="Connections by their id, each as a URI or as a map with conn_type.",
)
VARIABLES = SECTION.secret_map(
    "variables", variable, collisions, description="Variables by their name. A map or list becomes JSON."
)

SECRETS_MANAGER_PREFIX = SECTION.optional(
    "secretsManagerPrefix",
    secrets_prefix,
    description="Prefix of secrets in AWS Secrets Manager, such as airflow-secrets/prod. Airflow then also reads "
    "connections from PREFIX/connections/ID and variables from PREFIX/variables/NAME. Needs eksCluster.",
)


def read_secrets_prefix(config: Config, aws: AwsChoice | None) -> str | None:
    """Return the prefix of secrets that hold connections and variables, or None."""
    prefix, escrow = config[SECRETS_MANAGER_PREFIX], config[KEY_ESCROW]
    if prefix is None:
        return None
    if aws is None:
        config.problem(
            SECRETS_MANAGER_PREFIX,
            f"expected {EKS_CLUSTER.full} beside it, because pods get their rights by an AWS role, found none",
            f"{remove_command(SECRETS_MANAGER_PREFIX)}, and use {CONNECTIONS.full} and {VARIABLES.full}, or another "
            "secrets backend by AIRFLOW__SECRETS__BACKEND in env of apiServer, dagProcessor and triggerer in "
            "airflow:helmValues",
        )
    elif escrow is not None and f"{escrow}/".startswith(f"{prefix}/"):
        config.problem(
            SECRETS_MANAGER_PREFIX,
            f"expected a prefix that {KEY_ESCROW.full} does not begin with, found {prefix}: code of DAGs in the DAG "
            "processor could read all keys",
            f"pulumi config set {SECRETS_MANAGER_PREFIX.full} airflow-secrets/STACK",
        )
    return prefix


def read_connections(config: Config) -> GivenConnections:
    """Return the connections and variables. Those that the program sets itself are refused."""
    connections, variables = config[CONNECTIONS], config[VARIABLES]
    for key, given in (
        (CONNECTIONS, GivenConnections(connections=connections)),
        (VARIABLES, GivenConnections(variables=variables)),
    ):
        for name in taken(lambda variable: managed_name(variable) is not None, given):
            config.problem(
                key,
                f"{name} is set by the program: choose another id",
                f"pulumi config rm --path '{key.full}[\"{name}\"]'",
                one_of_many=True,
            )
    return GivenConnections(connections=connections, variables=variables)
