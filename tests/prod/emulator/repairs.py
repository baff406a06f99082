"""What moto answers otherwise than AWS, and the stack notices."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.rds.models import DBInstance
from moto.s3.models import FakeBucket


def repair() -> None:
    """Repair moto, for this process."""
    make = DBInstance.__init__

    def with_own_id(self: DBInstance, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        digest = hashlib.sha256(self.db_instance_identifier.encode()).digest()
        self.dbi_resource_id = f"db-{base64.b32encode(digest).decode()[:26]}"

    # moto gives every instance the same id. The AWS provider looks for an instance by it, and refuses to find two.
    DBInstance.__init__ = with_own_id  # type: ignore[method-assign]
    change = DBInstance.update

    def in_its_window(self: DBInstance, *arguments: Any, **named: Any) -> None:
        if not named.get("apply_immediately"):
            named.pop("db_instance_class", None)
        change(self, *arguments, **named)

    # moto changes everything at once. RDS lets another class wait for the maintenance window.
    DBInstance.update = in_its_window  # type: ignore[method-assign]
    # moto takes a denial with a condition for one without. So nothing could use a bucket that asks for TLS.
    FakeBucket.get_permission = lambda bucket, action, resource: PermissionResult.NEUTRAL  # type: ignore[assignment, method-assign]
