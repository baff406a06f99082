"""Which DAG is run by a schedule, and how often. Without Pulumi resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

USERNAME: Final = "scheduled-verification"
"""User name of the verification in Airflow."""
RUN_SECONDS: Final = 540
"""A run must end within this time, which is less than the shortest time between two verifications."""
_SLACK_SECONDS: Final = 300
"""Time for a pod to start, and for Prometheus to look."""
_FIRST_MINUTE: Final = 7
"""Most DAGs run at full hours and quarters."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """The DAG that is run, and how often."""

    dag_id: str
    """The DAG."""
    every_minutes: int = 30
    """Minutes between two verifications; a divisor of 60, at least 10."""
    alarm_topic_arn: str | None = None
    """SNS topic that is told if the logs of the runs do not arrive in the bucket, or None."""

    @property
    def schedule(self) -> str:
        """When a verification begins, as a CronJob takes it."""
        return f"{_FIRST_MINUTE}-59/{self.every_minutes} * * * *"

    @property
    def seconds(self) -> int:
        """Seconds within which one of two verifications must succeed."""
        return 2 * 60 * self.every_minutes + RUN_SECONDS + _SLACK_SECONDS
