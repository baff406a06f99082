"""Connections and variables of Airflow that the stack gives."""

from __future__ import annotations

from components.connections.given import GivenConnections, collisions, connection, taken, variable
from components.release.managed_variables import managed_name
from settings.keys import Section
from settings.reading import Config

SECTION = Section("Connections and variables", "beside those that people enter in the UI; workers have none of them")

CONNECTIONS = SECTION.secret_map(
    "connections",
    connection,
    collisions,
    description="Connections by their id, each as a URI or as a map with conn_type.",
)
VARIABLES = SECTION.secret_map(
    "variables", variable, collisions, description="Variables by their name. A map or list becomes JSON."
)


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
