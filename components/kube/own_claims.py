"""The names of the volume claims that only the stack's own servers mount."""

from __future__ import annotations

import re
from typing import Final

OF_THE_DATABASE: Final = "airflow-postgres-|airflow-backups-"
"""Beginnings of the names of claims with the database or its dumps, divided as in a regular expression."""
OF_SERVERS: Final = rf"^({OF_THE_DATABASE}|redis-db-|logs-airflow-)"
"""The same with those of Redis and of a single worker or triggerer. Go and Python read this expression alike."""


def is_of_database(name: object) -> bool:
    """Tell whether a claim holds the database or its dumps. A name that is not known is none of them."""
    return isinstance(name, str) and bool(re.match(OF_THE_DATABASE, name))


def is_of_server(name: object) -> bool:
    """Tell whether only one server of the stack may mount a claim. A name that is not known is no such claim."""
    return isinstance(name, str) and bool(re.match(OF_SERVERS, name))
