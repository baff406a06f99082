"""What a stack's outputs say about its deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import outputs
from automation.errors import StackUnknown
from components.chart_values.running import Running

POOLER_PORT: Final = 6543
"""PgBouncer's port, as in `components.database.pgbouncer` (tested). Importing that would load the Kubernetes SDK."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment. A field without a word here is the output of its name; see the module `outputs`."""

    namespace: str
    kube_context: str
    celery: bool
    """Whether the executor runs tasks on standing Celery workers."""
    kubernetes: bool
    """Whether the executor starts a pod for each task."""
    api_server_service: str
    api_server_port: int
    ui_path: str = ""
    """Path of the API server, such as `/airflow`; "" where it has its host for itself."""
    admin_username: str
    admin_password_secret: str
    database_host: str
    database_port: int
    pooler_host: str
    dags_delivery: str
    dags_sync_period_seconds: float
    isolation: str
    load_examples: bool
    running: Running = Running.ALL
    worker_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dag_bundles: tuple[str, ...] = ()

    @staticmethod
    def of(found: Mapping[str, Any]) -> Deployment:
        """Read outputs, plain or as the Automation API returns them. Raises StackUnknown where one is missing."""
        plain = {name: getattr(value, "value", value) for name, value in found.items()}
        try:
            executor = str(plain[outputs.EXECUTOR])
            return Deployment(
                namespace=str(plain[outputs.NAMESPACE]),
                kube_context=str(plain[outputs.KUBE_CONTEXT]),
                celery="CeleryExecutor" in executor,
                kubernetes="KubernetesExecutor" in executor,
                api_server_service=str(plain[outputs.API_SERVER_SERVICE]),
                api_server_port=int(plain[outputs.API_SERVER_PORT]),
                ui_path=urlsplit(str(plain.get(outputs.UI_URL) or "")).path.rstrip("/"),
                admin_username=str(plain[outputs.ADMIN_USERNAME]),
                admin_password_secret=str(plain[outputs.ADMIN_PASSWORD_SECRET]),
                database_host=str(plain[outputs.DATABASE_HOST]),
                database_port=int(plain[outputs.DATABASE_PORT]),
                pooler_host=str(plain.get(outputs.POOLER_HOST) or ""),
                dags_delivery=str(plain[outputs.DAGS_DELIVERY]),
                dags_sync_period_seconds=float(plain[outputs.DAGS_SYNC_PERIOD_SECONDS]),
                isolation=str(plain[outputs.ISOLATION]),
                load_examples=bool(plain[outputs.LOAD_EXAMPLES]),
                running=Running(plain.get(outputs.RUNNING) or Running.ALL),
                dag_bundles=tuple(map(str, plain.get(outputs.DAG_BUNDLES) or {})),
                worker_groups={
                    str(name): tuple(map(str, queues))
                    for name, queues in (plain.get(outputs.WORKER_GROUPS) or {}).items()
                },
            )
        except KeyError as error:
            what = f"an earlier version has deployed the stack, without the output {error.args[0]}"
            raise StackUnknown(
                what if plain else "the stack has not been deployed yet", "python -m automation up STACK"
            ) from None
