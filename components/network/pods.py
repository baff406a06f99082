"""The pods that NetworkPolicies are about: the ports that they listen on, and their labels."""

from __future__ import annotations

from typing import Final

API_SERVER_PORT: Final = 8080
WORKER_LOG_PORT: Final = 8793
TRIGGERER_LOG_PORT: Final = 8794
REDIS_PORT: Final = 6379
STATSD_PORT: Final = 9125
STATSD_METRICS_PORT: Final = 9102
PGBOUNCER_METRICS_PORT: Final = 9127
"""These ports are `ports` of the chart's values.yaml (tested)."""
EXPORTER_PORT: Final = 9108

DATABASE_CLIENTS: Final = ("api-server", "scheduler", "dag-processor", "triggerer")
"""Components that use the metadata database; workers do not."""
EXPORTER: Final = "exporter"
"""Label of the pod that measures what Airflow does not, which uses the database too."""
VERIFICATION: Final = "verification"
"""Label of the pods that run a DAG by a schedule, through the API server."""
CLEANUP: Final = "database-cleanup"
"""The chart's label of the pods that delete old rows, which use the database too."""
KEDA_OPERATOR: Final = ({"app.kubernetes.io/name": "keda-operator"}, {"app": "keda-operator"})
"""Labels of KEDA's operator: its Helm chart sets both, its plain manifests only the second."""
