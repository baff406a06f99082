"""RDS as the verbs use it: instances, snapshots, points in time. Each method raises BackupFailed and Interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from automation.engine.events import EventKind, OnEvent
from automation.errors import BackupFailed, from_text
from automation.snapshots.model import Instance, Snapshot, Source, Window, instance_of, snapshot_of, window_of
from automation.stacks.session import Session
from automation.wait import wait_for
from components.aws.client import AwsError, aws_call, aws_clients

_T = TypeVar("_T")

_MISSING: Final = (
    "DBInstanceNotFound",
    "DBInstanceNotFoundFault",
    "DBSnapshotNotFound",
    "DBSnapshotNotFoundFault",
)
_INTERVAL_SECONDS: Final = 10.0
_LONGEST_SECONDS: Final = 6 * 3600.0
"""A large database takes hours."""
_FAILED: Final = (
    "failed",
    "inaccessible-encryption-credentials",
    "incompatible-create",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "insufficient-capacity",
    "restore-error",
    "stopped",
    "storage-full",
)
"""Statuses that a person must end (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html)."""


class Rds:
    """RDS in the region of a stack."""

    def __init__(self, session: Session, verb: str, on_event: OnEvent) -> None:
        """Ask nothing yet."""
        eks = session.config().eks
        assert eks is not None  # a managed database needs it
        self._clients: Callable[[str], Any] = aws_clients(eks[1])
        self._session, self._teller = session, session.events(verb, on_event)

    # Asking

    def instance(self, identifier: str) -> Instance | None:
        """Return an instance, None if there is none."""
        with _told(missing_is_none=True):
            found = self._call("DescribeDBInstances", DBInstanceIdentifier=identifier)
            return next(map(instance_of, found["DBInstances"]), None)
        return None

    def instances(self) -> tuple[Instance, ...]:
        """Return the instances of the region."""
        return tuple(map(instance_of, self._all("DescribeDBInstances", "DBInstances")))

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return the account's own snapshots, manual and automated, the newest first."""
        found = map(snapshot_of, self._all("DescribeDBSnapshots", "DBSnapshots"))
        return tuple(sorted(found, key=lambda item: item.taken, reverse=True))

    def snapshot(self, name: str) -> Snapshot | None:
        """Return a snapshot by its name or ARN, None if there is none."""
        with _told(missing_is_none=True):
            found = self._call("DescribeDBSnapshots", DBSnapshotIdentifier=name)
            return next(map(snapshot_of, found["DBSnapshots"]), None)
        return None

    def window(self, identifier: str) -> Window | None:
        """Return the moments to which an instance can be restored, None if there are none."""
        found = self._all("DescribeDBInstanceAutomatedBackups", "DBInstanceAutomatedBackups", identifier)
        return next((window for window in map(window_of, found) if window is not None), None)

    # Making

    def make_snapshot(self, identifier: str, name: str) -> Snapshot:
        """Make a snapshot of an instance, and wait for it. It has the tags of the instance."""
        with _told():
            self._call("CreateDBSnapshot", DBInstanceIdentifier=identifier, DBSnapshotIdentifier=name)
        made = self._until(
            f"the snapshot {name}", lambda: self.snapshot(name), lambda item: item.status if item else "failed"
        )
        assert made is not None
        return made

    def make_temporary(self, source: Source, identifier: str, like: Instance, tags: Mapping[str, str]) -> Instance:
        """Make an instance from a snapshot or a moment, and wait for it.

        Args:
            source: What to make it from.
            identifier: Its identifier.
            like: The stack's instance: it is in the same network, and of the same class.
            tags: Its tags.
        """
        common = {
            "DBInstanceClass": like.instance_class,
            "DBSubnetGroupName": like.subnet_group,
            "VpcSecurityGroupIds": list(like.security_groups),
            "DBParameterGroupName": like.parameter_group,
            "MultiAZ": False,
            "PubliclyAccessible": False,
            "DeletionProtection": False,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        with _told():
            if source.snapshot:
                self._call(
                    "RestoreDBInstanceFromDBSnapshot",
                    DBInstanceIdentifier=identifier,
                    DBSnapshotIdentifier=source.snapshot,
                    **common,
                )
            else:
                self._call(
                    "RestoreDBInstanceToPointInTime",
                    SourceDBInstanceIdentifier=like.identifier,
                    TargetDBInstanceIdentifier=identifier,
                    RestoreTime=source.moment,
                    **common,
                )
        return self.until_available(identifier)

    def set_password(self, identifier: str, password: str) -> None:
        """Give the master user a password, and wait until the instance has it."""
        with _told():
            self._call(
                "ModifyDBInstance", DBInstanceIdentifier=identifier, MasterUserPassword=password, ApplyImmediately=True
            )
        self.until_available(identifier)

    def until_available(self, identifier: str) -> Instance:
        """Wait until an instance is available and nothing of it is about to change. Return it."""

        def status(found: Instance | None) -> str:
            if found is None:
                return "failed"
            return "modifying" if found.status == "available" and found.changing else found.status

        found = self._until(f"the instance {identifier}", lambda: self.instance(identifier), status)
        assert found is not None
        return found

    # Deleting

    def delete(self, identifier: str, final_snapshot: str = "") -> None:
        """Begin to delete an instance.

        Args:
            identifier: Its identifier.
            final_snapshot: Name of a snapshot that is made before; its automated backups stay too. "" keeps nothing.
        """
        kept = (
            {"FinalDBSnapshotIdentifier": final_snapshot, "SkipFinalSnapshot": False, "DeleteAutomatedBackups": False}
            if final_snapshot
            else {"SkipFinalSnapshot": True, "DeleteAutomatedBackups": True}
        )
        with _told(missing_is_none=True):
            self._call("DeleteDBInstance", DBInstanceIdentifier=identifier, **kept)

    def unprotect(self, identifier: str) -> None:
        """Let an instance be deleted."""
        with _told():
            self._call(
                "ModifyDBInstance", DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True
            )

    def until_gone(self, identifier: str) -> None:
        """Wait until an instance does not exist any more."""
        gone = Instance.gone()
        self._until(
            f"the end of the instance {identifier}",
            lambda: self.instance(identifier) or gone,
            lambda item: "available" if item is gone else "deleting",
        )

    def _until(self, what: str, look: Callable[[], _T], status: Callable[[_T], str]) -> _T:
        session = self._session

        def seen() -> _T:
            found = look()
            if status(found) != "available":
                self._teller.tell(EventKind.WAITING, f"waiting: {what} is {status(found)}")
            return found

        found = wait_for(
            seen,
            lambda item: status(item) in ("available", *_FAILED),
            seconds=_LONGEST_SECONDS,
            interval=_INTERVAL_SECONDS,
            clock=session.cancellation.clock(session.cancellation.raise_if_cancelled),
        )
        if status(found) != "available":
            raise BackupFailed(
                f"{what} is {status(found)}, and does not become available",
                "its events in RDS say why; then run it again",
            )
        return found

    def _call(self, action: str, **parameters: Any) -> Any:
        from botocore import xform_name

        client = self._clients("rds")
        return aws_call(f"rds:{action}", lambda: getattr(client, xform_name(action))(**parameters))

    def _all(self, action: str, key: str, identifier: str = "") -> Sequence[Mapping[str, Any]]:
        """Return the items of all pages of an answer."""
        from botocore import xform_name

        given = {"DBInstanceIdentifier": identifier} if identifier else {}
        with _told(missing_is_none=True):
            pages = self._clients("rds").get_paginator(xform_name(action))
            return aws_call(f"rds:{action}", lambda: [item for page in pages.paginate(**given) for item in page[key]])
        return ()


@contextlib.contextmanager
def _told(*, missing_is_none: bool = False) -> Iterator[None]:
    """Turn what AWS refuses into BackupFailed. missing_is_none: what does not exist ends the block."""
    try:
        yield
    except AwsError as error:
        if missing_is_none and error.code in _MISSING:
            return
        raise from_text(BackupFailed, str(error)) from None
