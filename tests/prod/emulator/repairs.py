"""What moto answers otherwise than AWS, and the stack notices."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import PermissionResult
from moto.rds.models import DBInstance, DBInstanceAutomatedBackup
from moto.rds.responses import RDSResponse
from moto.s3.models import FakeBucket


def repair() -> None:
    """Repair moto, for this process."""
    make = DBInstance.__init__

    def with_own_id(self: DBInstance, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        self.dbi_resource_id = _resource_id(self.db_instance_identifier)

    # moto gives every instance the same id. The AWS provider looks for an instance by it, and refuses to find two.
    DBInstance.__init__ = with_own_id  # type: ignore[method-assign]
    change = DBInstance.update

    def in_its_window(self: DBInstance, *arguments: Any, **named: Any) -> None:
        if not named.get("apply_immediately"):
            named.pop("db_instance_class", None)
        change(self, *arguments, **named)

    # moto changes everything at once. RDS lets another class wait for the maintenance window.
    DBInstance.update = in_its_window  # type: ignore[method-assign]
    # moto keeps no id of automated backups, and cannot delete them.
    DBInstanceAutomatedBackup.dbi_resource_id = property(  # type: ignore[attr-defined]
        lambda backup: _resource_id(backup.db_instance_identifier)
    )
    RDSResponse.delete_db_instance_automated_backup = _delete_backups  # type: ignore[attr-defined]
    # moto takes a denial with a condition for one without. So nothing could use a bucket that asks for TLS.
    FakeBucket.get_permission = lambda bucket, action, resource: PermissionResult.NEUTRAL  # type: ignore[assignment, method-assign]


def _resource_id(instance: str) -> str:
    return f"db-{base64.b32encode(hashlib.sha256(instance.encode()).digest()).decode()[:26]}"


def _delete_backups(self: Any) -> ActionResult:
    """Answer `DeleteDBInstanceAutomatedBackup`."""
    wanted = self.params.get("DbiResourceId")
    [found] = [item for item in self.backend.describe_db_instance_automated_backups() if item.dbi_resource_id == wanted]
    for snapshot in found.automated_snapshots:
        self.backend.delete_db_snapshot(snapshot.db_snapshot_identifier)
    return ActionResult({"DBInstanceAutomatedBackup": found})
