"""The names of the volume claims that only the stack's own servers mount."""

from __future__ import annotations

import re
from typing import Final

OF_THE_DATABASE: Final = "airflow-postgres-|airflow-backups-"
"""How names of claims with the database or its dumps begin, as alternatives of a regular expression."""
OF_SERVERS: Final = rf"^({OF_THE_DATABASE}|redis-db-|logs-airflow-)"
"""The same with those of Redis and of a single worker or triggerer. Go and Python read this expression alike."""


def is_of_database(name: object) -> bool:
    """Tell whether a claim holds the database or its dumps. An unknown name counts as false."""
    return isinstance(name, str) and bool(re.match(OF_THE_DATABASE, name))


def is_of_server(name: object) -> bool:
    """Tell whether only one server of the stack may mount a claim. An unknown name counts as false."""
    return isinstance(name, str) and bool(re.match(OF_SERVERS, name))
