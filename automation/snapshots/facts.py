"""What a stack's state says about its instance of RDS, and which pods run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from automation.backup.restoring import AirflowFacts
from automation.engine import operations
from automation.errors import BackupFailed
from automation.stacks.session import Session
from components.database.rds_existing import RESTORED_FROM_TAG, is_of_restore

_INSTANCE: Final = "aws:rds/instance:Instance"
INSTANCE_NAME: Final = "airflow-postgres"
"""Logical name of the instance."""
_KEY: Final = ("aws:kms/key:Key", "::airflow-postgres-key")


class StateFacts(AirflowFacts):
    """The `InstanceFacts` of a stack, each looked up once: make another one to look again."""

    def __init__(self, session: Session, verb: str) -> None:
        """Read the state. Raises StackUnknown, UpdateFailed."""
        with session.open_for_reading(verb) as opened:
            self.deployment: Mapping[str, Any] = operations.deployment(opened)
            super().__init__(session, operations.stack_outputs(opened))

    @property
    def instance(self) -> str:
        return str(self._instance_outputs.get("identifier") or "")

    @property
    def retained(self) -> bool:
        return bool(self._found.get("retainOnDelete"))

    def must_be_current(self, identifier: str) -> None:
        """Raise BackupFailed where a restore from another checkout has moved the stack. identifier: of the config."""
        if self.instance and self.instance != identifier:
            raise BackupFailed(
                f"airflow:databaseIdentifier: expected {self.instance}, which the stack has, found {identifier}: the "
                "config is not that of the last restore",
                "take the committed config, such as with git pull",
            )

    def must_not_be_left(self) -> None:
        """Raise BackupFailed where a restore of which the config says nothing is about to move the stack."""
        if self.retained:
            raise BackupFailed(
                "a restore from another checkout is not finished, and may still need the instance before it",
                "wait for its end, and take its config, such as with git pull; if it was called off: "
                f"python -m automation up {self.session.name}",
            )

    def must_be_finished(self) -> None:
        """Raise BackupFailed where a restore was killed in its last update, after its mark was taken out.

        To run the verb again would stop Airflow, and restore once more.
        """
        made = str((self._instance_outputs.get("tags") or {}).get(RESTORED_FROM_TAG) or "")
        if is_of_restore(made):
            stack = self.session.name
            raise BackupFailed(
                f"the last restore is done and verified, except for its last update: {self.instance} still has its tag",
                f"python -m automation up {stack}; to restore once more, run this again afterwards",
            )

    @property
    def urn(self) -> str:
        """The URN of the instance, "" if there is none."""
        return str(self._found.get("urn") or "")

    @property
    def key(self) -> str:
        """ARN of the stack's key, "" if there is none."""
        kind, name = _KEY
        found = [item for item in self._resources if item["type"] == kind and str(item["urn"]).endswith(name)]
        return str((found[0].get("outputs") or {}).get("arn") or "") if found else ""

    @property
    def _resources(self) -> list[Mapping[str, Any]]:
        return [item for item in self.deployment.get("resources") or () if not item.get("delete")]

    @property
    def _instance_outputs(self) -> Mapping[str, Any]:
        return self._found.get("outputs") or {}

    @cached_property
    def _found(self) -> Mapping[str, Any]:
        return next((item for item in self._resources if item["type"] == _INSTANCE), {})
