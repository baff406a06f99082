"""Every section and every config key, in the order of Pulumi.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from settings.keys import ConfigKey, Section
from settings.sections import (
    broker,
    cluster,
    connections,
    dag_bundles,
    dags,
    database,
    executor,
    images,
    ingress,
    isolation,
    keys,
    login,
    monitoring,
    pools,
    release,
    task_logs,
    verification,
    worker_groups,
)

SECTIONS: Final[tuple[Section, ...]] = tuple(
    module.SECTION
    for module in (
        cluster,
        executor,
        worker_groups,
        broker,
        images,
        dags,
        dag_bundles,
        keys,
        database,
        task_logs,
        ingress,
        login,
        connections,
        pools,
        isolation,
        monitoring,
        verification,
        release,
    )
)

KEYS: Final[Mapping[str, ConfigKey[Any]]] = {key.name: key for section in SECTIONS for key in section.keys}
"""The keys by name."""

SECRET_KEYS: Final = frozenset(key.name for key in KEYS.values() if key.secret)
"""Names of the keys whose value must be stored encrypted, and is never shown."""
