"""Values of the chart for many pods on a small machine: what they ask for is not what is tested there."""

from __future__ import annotations

from typing import Any


def modest_values(*, pgbouncer: bool = True) -> dict[str, Any]:
    """Requests of two processors' worth; the limits stay. Probes that start a Python each come seldom: on two
    processors, thirteen pods that ask themselves every few seconds have time for nothing else.

    Args:
        pgbouncer: Whether the stack has PgBouncer. Its values are refused in a stack without.
    """

    def little(**more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}, **more}

    def seldom() -> dict[str, Any]:
        return {"livenessProbe": {"periodSeconds": 240, "timeoutSeconds": 120}}

    start = {"startupProbe": {"periodSeconds": 30, "timeoutSeconds": 60}}
    return {
        "apiServer": little(),
        "scheduler": little(**seldom(), **start),
        "dagProcessor": little(**seldom()),
        "triggerer": little(**seldom()),
        "statsd": little(),
        "redis": little(),
        **({"pgbouncer": little(metricsExporterSidecar=little())} if pgbouncer else {}),
        "workers": {"celery": little(**seldom())},
    }
