"""Prometheus's rules, made of the table of alerts. Pure."""

from __future__ import annotations

from typing import Any, Final

from components.monitoring.alert import Alert
from components.monitoring.alerts import ALERTS
from components.monitoring.expressions import Watched

PAGE: Final = "docs/monitoring.md"
"""Page that explains the alerts, from the root of the repository."""


def rule_groups(watched: Watched, page: str = PAGE, *, faster: int = 1) -> list[dict[str, Any]]:
    """Return the groups of rules, as a rule file and a PrometheusRule have them.

    Args:
        watched: The stack.
        page: Address of the page that explains the alerts; each alert links to its section.
        faster: By how much every time is shorter, for tests.
    """
    rules = [_rule(alert, watched, page, faster) for alert in ALERTS if watched.has(alert.needs)]
    return [{"name": f"airflow-{watched.namespace}", "rules": rules}]


def _rule(alert: Alert, watched: Watched, page: str, faster: int) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": watched.filled(f"({alert.value}) {alert.fires}", alert.window(watched) // faster),
        "for": f"{alert.seconds // faster}s",
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{page}#{alert.section}",
        },
    }
