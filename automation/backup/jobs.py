"""Runs the stack's pods for backups, each as a Job, and reads what they answer."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import outputs
from automation.backup.result import Backup
from automation.cluster.client import cluster_errors
from automation.engine import operations
from automation.engine.events import EventKind, OnEvent
from automation.errors import BackupFailed, StackUnknown
from automation.stacks.cluster_tag import require_its_cluster
from automation.stacks.session import Session
from automation.wait import reminding, wait_for
from components.database.backup_bucket import FOLDER_VARIABLE
from components.database.backup_scripts import OTHER_FAILED, bucket_command, database_command, look_command
from components.database.backups import BUCKET_CONTAINER as BUCKET
from components.database.backups import DATABASE_CONTAINER as DATABASE
from components.database.backups import with_command
from components.database.roles_script import roles_command
from components.kube.client import KubeApi
from components.preflight.pod_run import WaitLimits, run_pod
from settings.restoration import BACKUP

NAME: Final = "airflow-%Y%m%dT%H%M%SZ.dump"
"""Name of a backup, by the time at which it was begun."""
_LIMITS: Final = WaitLimits(node_seconds=300.0, image_seconds=600.0, run_seconds=6 * 3600.0)
"""A database of some hundred GiB takes hours."""
_POLL_SECONDS: Final = 1.0
_JOB: Final = "batch/v1"
_ONLY: Final = "airflow"
"""The container of a pod that has one."""
_SHOWN: Final = 600
_FULL: Final = "No space left on device"
_LEFT_SECONDS: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Databases:
    """Databases at the stack's server."""

    own: str
    """Name of the stack's database, which may be missing."""
    comments: Mapping[str, str]
    """The comment of each that exists, by its name: the stack's own, and those of restores and drills."""

    def of(self, kind: str) -> tuple[str, ...]:
        """Return the names of those of a kind: `old`, `new` or `drill`."""
        return tuple(sorted(name for name in self.comments if f"_{kind}_" in name and name != self.own))


class BackupJobs:
    """The Jobs of one verb. Every method raises BackupFailed, ClusterUnreachable, ClusterRequestFailed, Interrupted."""

    def __init__(
        self, session: Session, found: Mapping[str, Any], verb: str, on_event: OnEvent, *, dumps: bool = True
    ) -> None:
        """Run nothing yet.

        Args:
            session: The stack.
            found: Its outputs.
            verb: What is asked for: `backup`, `restore` or `drill`. Jobs are named after it.
            on_event: Receives the events.
            dumps: Whether dumps are needed, and not only a look at a database.

        Raises:
            BackupFailed: The stack has no place for backups.
            WrongCluster: Its context leads to another cluster.
        """
        if outputs.NAMESPACE not in found:
            raise StackUnknown("the stack has not been deployed yet", "python -m automation up STACK")
        if dumps and "database" not in found.get(outputs.BACKUP_PODS, ()):
            raise BackupFailed(
                "airflow:backupStorageGib: expected the size of a volume for backups, or airflow:backupStore bucket, "
                "found 0",
                f"pulumi config set --stack {session.name} airflow:backupStorageGib 10; "
                f"python -m automation up {session.name}",
            )
        with session.open_for_reading(verb) as opened:
            require_its_cluster(session, opened)
        self._session, self._verb, self._on_event = session, verb, on_event
        self._pods: dict[str, Mapping[str, Any]] = dict(found.get(outputs.BACKUP_PODS) or {})
        if outputs.DATABASE_ROLES_POD in found:
            self._pods["roles"] = found[outputs.DATABASE_ROLES_POD]
        if "airflow" not in self._pods:
            raise StackUnknown(
                "the stack was deployed by an earlier version", f"python -m automation up {session.name}"
            )
        self._label = f"airflow-{verb}"

    @property
    def place(self) -> str:
        """Where dumps are: `s3://BUCKET/FOLDER`, or `the volume CLAIM`."""
        if self._in_bucket:
            containers = self._pods["transfer"]["spec"]["containers"]
            variables = (entry for container in containers for entry in container["env"])
            return next(str(entry["value"]) for entry in variables if entry["name"] == FOLDER_VARIABLE)
        volumes = self._pods["database"]["spec"]["volumes"]
        claims = (volume["persistentVolumeClaim"] for volume in volumes if "persistentVolumeClaim" in volume)
        return f"the volume {[claim['claimName'] for claim in claims][-1]}"

    def dump(self, name: str) -> int:
        """Dump the database, and return the size in bytes."""
        if self._in_bucket:
            return int(self._transfer(database_command("send"), bucket_command("store", name, "0")) or 0)
        return int(self._database("dump", name) or 0)

    def backups(self) -> tuple[Backup, ...]:
        """Return the backups, the newest first."""
        found = self._run("transfer", {BUCKET: bucket_command("list")}) if self._in_bucket else self._database("list")
        return listed_backups(found)

    def databases(self) -> Databases:
        """Return the databases that the stack has, and those of restores and drills."""
        own, *lines = self._database("databases").splitlines()
        comments = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines if line}
        return Databases(own=own, comments=comments)

    def restore(self, backup: str, database: str, comment: str) -> None:
        """Restore a backup into a new database. It can be run again."""
        if self._in_bucket:
            self._transfer(database_command("receive", database, comment), bucket_command("fetch", backup))
        else:
            self._database("restore", backup, database, comment)

    def swap(self, new: str, old: str) -> None:
        """Give the new database the name of the stack's, which is called `old` from then on."""
        self._database("swap", new, old)

    def drop(self, database: str) -> None:
        """Drop a database. One that does not exist is no error."""
        self._database("drop", database)

    def look(self, database: str, host: str = "") -> dict[str, Any]:
        """Return what a restored database holds (see `restored.py`). host: of its server, "" for that of the stack."""
        found: dict[str, Any] = json.loads(self._run("airflow", {_ONLY: look_command(database, host)}))
        return found

    def make_roles(self, host: str) -> None:
        """Let the stack's login into a restored server. The snapshot may be older than that login or its password."""
        self._run("roles", {_ONLY: roles_command("admit", host)})

    @cluster_errors()
    def end_left_over(self) -> None:
        """End what a killed run of the same verb left running, before it can do more."""
        api, namespace = self._session.cluster()
        jobs = api.items(_JOB, "Job", namespace, labels={self._label: "true"}, metadata_only=True)
        for job in jobs:
            api.delete(_JOB, "Job", namespace, job["metadata"]["name"], grace_seconds=0)
        if jobs:
            wait_for(
                lambda: api.items("v1", "Pod", namespace, labels={self._label: "true"}, metadata_only=True),
                lambda pods: not pods,
                seconds=_LEFT_SECONDS,
                interval=1.0,
                clock=self._session.cancellation.clock(),
            )

    @property
    def _in_bucket(self) -> bool:
        return "transfer" in self._pods

    def _database(self, mode: str, *arguments: str) -> str:
        return self._run("database", {_ONLY: database_command(mode, *arguments)})

    def _transfer(self, database: Sequence[str], bucket: Sequence[str]) -> str:
        return self._run("transfer", {DATABASE: database, BUCKET: bucket})

    @cluster_errors()
    def _run(self, kind: str, commands: Mapping[str, Sequence[str]]) -> str:
        """Run a pod to its end, and return what it answers. commands: of its containers, by their names, no others."""
        api, namespace = self._session.cluster()
        pod = copy.deepcopy(dict(self._pods[kind]))
        spec = pod["spec"]
        spec["containers"] = [
            with_command(container, commands[container["name"]])
            for container in spec["containers"]
            if container["name"] in commands
        ]
        return answer(self._in_cluster(api, namespace, pod), self._session.masker.text, self._verb)

    def _in_cluster(self, api: KubeApi, namespace: str, pod: Mapping[str, Any]) -> Any:
        teller = self._session.events(self._verb, self._on_event)
        reminds = reminding(
            self._session.cancellation.clock(),
            lambda line: teller.tell(EventKind.WAITING, line),
            f"the pod of the {self._verb} has not ended",
        )

        def sleep(seconds: float) -> None:
            reminds(max(seconds, _POLL_SECONDS))  # a dump takes minutes, not moments

        return run_pod(api, namespace, pod, _LIMITS, label=self._label, sleep=sleep)


def listed_backups(text: str) -> tuple[Backup, ...]:
    """Return the backups in a pod's answer. Others may put files beside them, which no backup would be called."""
    lines = (line.partition(" ") for line in text.splitlines())
    return tuple(
        Backup(name=name, bytes=int(size)) for size, _, name in lines if size.isdecimal() and taken_at(name) is not None
    )


def taken_at(name: str) -> datetime | None:
    """Return when a backup was begun, by its name; None if no backup is called so."""
    try:
        return datetime.strptime(name, NAME).replace(tzinfo=UTC) if BACKUP.fullmatch(name) else None
    except ValueError:
        return None


def answer(end: Any, clean: Callable[[str], str], verb: str) -> str:
    """Return what the containers of a pod answered. Raises BackupFailed with the words of the one that failed first.

    clean: masks secrets in them.
    """
    if end.refused:
        raise BackupFailed(
            f"the cluster admits no pod for the {verb}: {clean(end.refused)}", "correct that; then run it again"
        )
    containers = end.containers.values()
    failed = [found for found in containers if found.exit_code != 0]
    if not failed:
        return "\n".join(str(found.message) for found in containers if found.message)
    if end.waits:
        raise BackupFailed(
            f"the pod of the {verb} waited too long for {clean(end.waits)}", "correct that; then run it again"
        )
    # If two containers failed, the one at the bucket knows whether it was the first.
    own = [found for found in failed if found.name == BUCKET and found.exit_code not in (None, OTHER_FAILED)]
    found = (own or failed)[0]
    words = " ".join(clean(found.message or found.reason).split())[-_SHOWN:]
    raise BackupFailed(f"the {verb} failed in its pod: {words}", _remedy(words, verb))


def _remedy(words: str, verb: str) -> str:
    if _FULL not in words:
        return "correct that; then run it again"
    if verb == "backup":
        return (
            "give the volume of backups more room: pulumi config set --stack STACK airflow:backupStorageGib GIB; "
            "python -m automation up STACK; then run it again"
        )
    return "give the server of the database more room; then run it again"


def deployed_outputs(session: Session, verb: str) -> dict[str, Any]:
    """Return the stack's outputs. Raises StackUnknown, UpdateFailed."""
    with session.open_for_reading(verb) as opened:
        return operations.stack_outputs(opened)
