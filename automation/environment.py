"""One stack, with everything that can be done to it. Made by `Environments.open`."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automation.engine import operations
from automation.engine.command import Engine
from automation.engine.events import OnEvent, ignore
from automation.folder import short_name
from automation.results import HelmsmanExport, History, Outputs, Preview, Update
from automation.stacks import cluster_tag, updates
from automation.stacks.backend import shown_url
from automation.stacks.config import EnvironmentSettings, StackConfig
from automation.stacks.place import Place
from automation.stacks.session import LOCK_SECONDS, Limits, Session
from automation.stacks.work_directory import checkout
from components.secrets.masker import Masker
from settings.upgrade import AirflowImage

if TYPE_CHECKING:
    # Imported where they are used: a preview needs no client of Kubernetes.
    from automation.adoption.plan import Adoption, AdoptionPlan
    from automation.backup.result import BackupDone, Backups, DeletedDatabases, Drill, Restored, RestorePlan
    from automation.plan.model import Plan
    from automation.preflight.result import Preflight
    from automation.recovery.status import StackStatus
    from automation.recovery.steps import Decisions, Recovery, RecoverySteps
    from automation.rotation.result import Rotation, RotationPlan
    from automation.upgrade.result import Upgrade, UpgradePlan
    from automation.verification.result import Verification

__all__ = ["HEALTHY_SECONDS", "LOCK_SECONDS", "Environment", "Limits"]

HEALTHY_SECONDS: Final = 300.0


class Environment:
    """One stack of the program.

    Nothing asks an engine, a cluster or a backend before a method needs it. Methods block. Each raises an
    AutomationError of a kind that says what to do. Different environments may be used from different threads; one
    environment runs one update at a time, and a second one waits for it as for any other update.
    """

    def __init__(self, name: str, place: Place, engine: Callable[[], Engine], limits: Limits, masker: Masker) -> None:
        """For `Environments.open`. `engine` finds one; it is called when one is needed."""
        self.name = name
        self._session = Session(name, place, engine, limits, masker)

    def __repr__(self) -> str:
        return f"Environment({self.name!r}, {self.backend!r})"

    @property
    def backend(self) -> str:
        """URL of the state, without a login."""
        return shown_url(self._session.place.url)

    @property
    def work_dir(self) -> Path:
        """The engine's work directory. You may delete it when nothing runs."""
        return self._session.work_dir

    @property
    def settings(self) -> EnvironmentSettings | None:
        """The given config, with what `roll_image`, `adopt` and `rotate` have changed; None for a committed file."""
        return self._session.place.settings

    # Asking

    def plan(self, *, render: bool = True) -> Plan:
        """Return what the program would register, without engine, cluster or credentials.

        A failure is a field of the plan. `render` finds the chart and lets Helm render it.
        """
        from automation.plan.process import plan_checkout

        place, name = self._session.place, short_name(self.name)
        with checkout(place, name) as project_dir:
            return plan_checkout(project_dir, name, render=render, known_secrets=place.known_secrets())

    def preview(self, *, on_event: OnEvent = ignore, save_plan: Path | None = None, refresh: bool = False) -> Preview:
        """Return what `up` would do.

        Args:
            on_event: Receives the events.
            save_plan: File for the engine's update plan, which `up` can be bound to.
            refresh: Compare with what really exists, and not only with the state. The state stays as it is.
        """
        path = None if save_plan is None else str(save_plan.resolve())
        with self.busy():
            self.check()
            with self._session.open_for_update("preview", on_event) as opened:
                result = operations.preview(opened, save_plan=path, refresh=refresh)
        return Preview(stack=self.name, changes=result.changes, steps=result.steps, plan_file=path)

    def outputs(self) -> Outputs:
        """Return the stack's outputs. Raises StackUnknown."""
        with self._session.open_for_reading("outputs") as opened:
            return Outputs(stack=self.name, values=operations.stack_outputs(opened))

    def history(self, limit: int = 20) -> History:
        """Return the last updates, the newest first. Raises StackUnknown."""
        with self._session.open_for_reading("history") as opened:
            records = operations.history(opened, limit)
        return History(stack=self.name, entries=tuple(map(updates.history_entry, records)))

    def verify(
        self, *, dag_id: str | None = None, timeout_seconds: float = HEALTHY_SECONDS, on_event: OnEvent = ignore
    ) -> Verification:
        """Check the deployment, with a run of a DAG; see `automation.verification.verify`.

        A failed check is in the result. Raises StackUnknown, ClusterUnreachable, Interrupted.
        """
        from automation.stacks.verify_stack import verify_stack

        with self.busy():
            return verify_stack(self._session, dag_id, timeout_seconds, on_event)

    def preflight(self, *, on_event: OnEvent = ignore) -> Preflight:
        """Make the checks that `up` makes before it changes anything, with the present config, and nothing else.

        What the checks need and is not there, such as a Secret with the deploy key, or the namespace, is made and
        deleted again. A failed check is in the result. Raises SettingsInvalid, UpdateFailed, Interrupted.
        """
        from automation.preflight.preflight_stack import preflight_stack

        with self.busy():
            self.check()
            return preflight_stack(self._session, on_event)

    def status(self) -> StackStatus:
        """Return what is wrong with the stack. A cluster that does not answer is in the result, not an error."""
        from automation.recovery import recover

        return recover.stack_status(self._session)

    def export_helmsman(self, folder: Path, *, planned: bool = False) -> HelmsmanExport:
        """Write the stack as files for Helmsman. Raises NotExportable, FolderRefused.

        The files hold what is deployed. If nothing is, or with `planned`, they hold what would be deployed.
        """
        from automation.stacks.export import export_helmsman

        return export_helmsman(self._session, folder, planned=planned)

    # Changing

    def up(self, *, on_event: OnEvent = ignore, plan: Path | None = None) -> Update:
        """Make the stack as its config says, and create the stack if there is none.

        Args:
            on_event: Receives the events.
            plan: File of a saved update plan that the update must not leave (PlanViolated).
        """
        with self.busy():
            self.check()
            return updates.up(self._session, "up", on_event, plan)

    def roll_image(self, tag: str, *, on_event: OnEvent = ignore) -> Update:
        """Move the Airflow image to another tag and nothing else of the config, and update.

        In a committed file `Pulumi.<stack>.yaml` one line is changed. If the tag, the cluster or the lock keeps the
        engine from beginning, the config stays as it was. If the engine began and failed, the config says what was
        tried. Raises SettingsInvalid.
        """
        from automation.stacks.roll_image import roll_image

        with self.busy():
            return roll_image(self._session, tag, on_event)

    def refresh(self, *, new_cluster: bool = False, on_event: OnEvent = ignore) -> Update:
        """Make the state as the cluster is. With `new_cluster` it may be another cluster than the stack was in."""
        with self._session.open_for_update("refresh", on_event, create=False) as opened:
            identity = cluster_tag.cluster_to_store(self._session, opened, may_be_new=new_cluster)
            return updates.run(self._session, "refresh", opened, lambda: operations.refresh(opened), identity)

    def destroy(self, *, remove: bool = False, worker_seconds: float = math.inf, on_event: OnEvent = ignore) -> Update:
        """Delete what the stack owns, and with `remove` also the stack itself with its history.

        The workers are stopped before anything is deleted. Raises Protected if config or state protects something.

        Args:
            remove: Also remove the stack itself.
            worker_seconds: How long tasks may take to end. `airflow:workerGraceSeconds` limits it too.
            on_event: Receives the events.
        """
        with self.busy():
            done = updates.destroy(self._session, on_event, worker_seconds)
            if remove:
                self.remove_state()
        return done

    def remove_state(self, *, force: bool = False) -> tuple[str, ...]:
        """Remove the stack itself, with its history and work directory. Return the stacks that the backend still has.

        With `force` also a stack whose state holds something, which no stack owns afterwards.
        """
        with self._session.open_for_update("remove", ignore, create=False) as opened:
            left = operations.remove(opened, force=force)
            self._session.forget_opened()
            shutil.rmtree(self.work_dir, ignore_errors=True)
        return left

    def recovery(self, decisions: Decisions | None = None) -> RecoverySteps:
        """Return what `recover` would do. Changes nothing. Raises what `recover` raises."""
        from automation.recovery import recover

        return recover.recovery_steps(self._session, decisions)

    def recover(
        self,
        decisions: Decisions | None = None,
        *,
        timeout_seconds: float = HEALTHY_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Recovery:
        """Repair what an interrupted update left, and update. All steps are told before the first is taken.

        Args:
            decisions: What only a person can know.
            timeout_seconds: How long to wait for all pods to be ready after the update.
            on_event: Receives the events.

        Raises:
            RecoveryRefused: Another update may be alive, or only a person can tell what became of something.
            NotHealthy: The pods were not ready in time.
        """
        from automation.recovery import recover

        with self.busy():
            self.check()
            return recover.recover(self._session, decisions, timeout_seconds, on_event)

    def adoption(self, *, on_event: OnEvent = ignore) -> AdoptionPlan:
        """Return what `adopt` would do. Changes neither the release nor the config. Raises what `adopt` raises.

        Refusals are in the result; AdoptionRefused is raised if there is nothing to take over.
        """
        from automation.adoption.adopt import adoption_plan

        return adoption_plan(self._session, on_event)

    def adopt(self, *, timeout_seconds: float = HEALTHY_SECONDS, on_event: OnEvent = ignore) -> Adoption:
        """Take over the release `airflow` that Helm or Helmsman installed in the stack's namespace, and update it.

        Its keys and its database stay. If the config does not say them, they are added to it: to the committed file, or
        to `settings`. If it says others, nothing is done.

        Args:
            timeout_seconds: How long to wait for all pods to be ready after the update.
            on_event: Receives the events.

        Raises:
            AdoptionRefused: With every reason.
            SettingsInvalid: The config lacks what no release says.
            NotHealthy: The pods were not ready in time.
            AutomationError: What `up` raises.
        """
        from automation.adoption.adopt import adopt

        with self.busy():
            return adopt(self._session, timeout_seconds, on_event)

    def rotation(self, key: str) -> RotationPlan:
        """Return what `rotate` would do. Changes nothing. Raises what `rotate` raises, but for refusals.

        Refusals are in the result.
        """
        from automation.rotation.rotate import rotation_plan

        with self.busy():
            self.check()
            return rotation_plan(self._session, key)

    def rotate(
        self,
        key: str,
        *,
        keep: Callable[[EnvironmentSettings], object] = lambda settings: None,
        timeout_seconds: float = HEALTHY_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Rotation:
        """Give a key another value, in stages, each of which is an update, a wait and a proof. See docs/day-2.md.

        A rotation that was interrupted is continued. The new value is in the committed file, or in `settings`.

        Args:
            key: A key of `automation.rotation.keys.KEYS`, such as `fernet`.
            keep: Stores changed settings; called before each stage that uses them. Without it, a process that ends
                early takes the new value with it.
            timeout_seconds: How long each stage may wait after its update.
            on_event: Receives the events.

        Raises:
            RotationRefused: With every reason.
            NotHealthy: A stage did not come to hold in time.
            AutomationError: What `up` raises.
        """
        from automation.rotation.rotate import rotate

        with self.busy():
            self.check()
            return rotate(self._session, key, timeout_seconds, keep, on_event)

    def backup(self, *, dump: bool = False, on_event: OnEvent = ignore) -> BackupDone:
        """Make a snapshot of a managed database, or dump another one, while Airflow runs. See docs/day-2.md.

        Raises BackupFailed, StackUnknown, ClusterUnreachable, ClusterRequestFailed.

        Args:
            dump: Dump a managed database too, into the stack's volume for backups.
            on_event: Receives the events.
        """
        from automation.backup.mechanism import backup

        with self.busy():
            return backup(self._session, on_event, dump=dump)

    def backups(self) -> Backups:
        """Return the backups, the newest first. Raises what `backup` raises."""
        from automation.backup.mechanism import backups

        with self.busy():
            return backups(self._session)

    def drill(self, backup: str | None = None, *, at: datetime | None = None, on_event: OnEvent = ignore) -> Drill:
        """Restore a backup into a temporary database or instance, look at it with the stack's keys, and delete it.

        What no key reads is in the result, not an error. Raises what `backup` raises.

        Args:
            backup: Name of the backup; None takes the newest.
            at: Of a managed database, that moment. Take the newest backup from then or before where that is none.
            on_event: Receives the events.
        """
        from automation.backup.mechanism import drill

        with self.busy():
            return drill(self._session, backup, at, on_event)

    def restoration(self, backup: str | None = None, *, at: datetime | None = None) -> RestorePlan:
        """Return what `restore` would do. Changes nothing. Raises what `restore` raises."""
        from automation.backup.mechanism import restore_plan

        with self.busy():
            self.check()
            return restore_plan(self._session, backup, at)

    def restore(
        self,
        backup: str | None = None,
        *,
        at: datetime | None = None,
        keep: Callable[[EnvironmentSettings], object] = lambda settings: None,
        timeout_seconds: float = HEALTHY_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Restored:
        """Stop Airflow, restore a backup, let Airflow run on it, and verify that. See docs/day-2.md.

        A restore that was interrupted is continued. The database before it stays under another name, or as an instance
        that the stack does not have any more.

        Args:
            backup: Name of the backup; None takes the newest.
            at: Of a managed database, that moment. Take the newest backup from then or before where that is none.
            keep: Stores changed settings; called before each stage that uses them.
            timeout_seconds: How long each stage may wait after its update.
            on_event: Receives the events.

        Raises:
            BackupFailed: There is no such backup, or a Job failed.
            NotHealthy: A stage did not come to hold in time, or a check of the restored stack failed.
            AutomationError: What `up` raises.
        """
        from automation.backup.mechanism import restore

        with self.busy():
            self.check()
            return restore(self._session, backup, at, timeout_seconds, keep, on_event)

    def delete_old_databases(self, *, on_event: OnEvent = ignore) -> DeletedDatabases:
        """Delete the databases or instances that restores have replaced. Raises what `backup` raises."""
        from automation.backup.mechanism import delete_old

        with self.busy():
            return delete_old(self._session, on_event)

    def upgrade_plan(self, tag: str, airflow_version: str, *, on_event: OnEvent = ignore) -> UpgradePlan:
        """Return what `upgrade` would do. A pod of the new image looks at the stack; nothing changes.

        Refusals are in the result. Raises what `upgrade` raises before it changes anything.
        """
        return self._upgrade_plan("upgrade", tag, airflow_version, on_event)

    def rollback_plan(
        self, tag: str | None = None, airflow_version: str | None = None, *, on_event: OnEvent = ignore
    ) -> UpgradePlan:
        """Return what `rollback` would do, as `upgrade_plan` does."""
        return self._upgrade_plan("rollback", tag, airflow_version, on_event)

    def upgrade(
        self,
        tag: str,
        airflow_version: str,
        *,
        keep: Callable[[EnvironmentSettings], object] = lambda settings: None,
        timeout_seconds: float = HEALTHY_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Upgrade:
        """Move to another Airflow, in stages; see docs/day-2.md. One that was interrupted is continued.

        Args:
            tag: Tag of the new image.
            airflow_version: Airflow in it.
            keep: Stores changed settings; called before each stage that uses them.
            timeout_seconds: How long each stage may wait after what it does.
            on_event: Receives the events.

        Raises:
            UpgradeRefused: With every reason. Nothing has changed.
            UpgradeStopped: A stage failed. Its remedy says how to continue, and how to go back.
            SettingsInvalid: The config is not valid with the new values.
        """
        return self._upgrade("upgrade", tag, airflow_version, keep, timeout_seconds, on_event)

    def rollback(
        self,
        tag: str | None = None,
        airflow_version: str | None = None,
        *,
        keep: Callable[[EnvironmentSettings], object] = lambda settings: None,
        timeout_seconds: float = HEALTHY_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Upgrade:
        """Go back to an older Airflow, its database too. Arguments and errors as in `upgrade`.

        Without a tag, it goes back to what an unfinished upgrade began with, else to what was deployed before.
        """
        return self._upgrade("rollback", tag, airflow_version, keep, timeout_seconds, on_event)

    def _upgrade_plan(self, verb: str, tag: str | None, airflow: str | None, on_event: OnEvent) -> UpgradePlan:
        from automation.upgrade.upgrade import upgrade_plan

        with self.busy():
            self.check()
            return upgrade_plan(self._session, verb, _image(tag, airflow), on_event)

    def _upgrade(
        self,
        verb: str,
        tag: str | None,
        airflow: str | None,
        keep: Callable[[EnvironmentSettings], object],
        seconds: float,
        on_event: OnEvent,
    ) -> Upgrade:
        from automation.upgrade.upgrade import upgrade

        with self.busy():
            self.check()
            return upgrade(self._session, verb, _image(tag, airflow), seconds, keep, on_event)

    # Cancelling

    @property
    def running(self) -> bool:
        """Something is under way, or waits for a lock."""
        return self._session.cancellation.running

    @property
    def interrupted(self) -> bool:
        """What runs, or what ran last, was cancelled."""
        return self._session.cancellation.requested

    def cancel(self) -> None:
        """Cancel what is under way, from another thread or from a signal handler.

        The engine finishes what it has begun, records it, and releases its lock. The method raises Interrupted, and the
        next `up` takes over what was left. If nothing is under way, nothing happens.
        """
        self._session.cancel()

    def busy(self) -> AbstractContextManager[None]:
        """Let a cancel within it hold until its end, even if it consists of several updates of this thread."""
        return self._session.busy()

    # For the command line

    def check(self) -> None:
        """Check the config before anything is looked for. Raises SettingsInvalid."""
        self._session.check_config()

    def config(self) -> StackConfig:
        """Return what the config says of cluster and protection. Raises SettingsInvalid, StackUnknown."""
        return self._session.config()

    def check_context(self, context: str) -> None:
        """Raise if the stack cannot be deployed to the cluster of another context. See `chosen_context`."""
        from automation.stacks.chosen_context import check_context

        check_context(self._session, context)

    def keep_context(self, context: str) -> None:
        """Write a context into the stack's config."""
        from automation.stacks.chosen_context import keep_context

        keep_context(self._session, context)

    def find_engine(self) -> None:
        """Find or install an engine before it is needed. Raises EngineMissing."""
        self._session.find_engine()

    def engine_variables(self) -> Mapping[str, str]:
        """Return what lets `pulumi` work on the stack, which is created if there is none. It may hold a passphrase."""
        with self._session.open_for_update("env", ignore):
            return self._session.place.prepare(self.name).env

    def resources_outside(self, prefixes: tuple[str, ...]) -> list[str]:
        """Return the types in the state, components aside, that begin with none of these. Raises StackUnknown."""
        with self._session.open_for_reading("status") as opened:
            return operations.resources_outside(opened, prefixes)

    def follow_cluster(self, identity: str, *, created: bool, on_event: OnEvent = ignore) -> None:
        """Move the stack to a local cluster with this identity. See `cluster_tag.follow_cluster`."""
        with self._session.open_for_update("refresh", on_event) as opened:
            cluster_tag.follow_cluster(opened, identity, created=created)


def _image(tag: str | None, airflow: str | None) -> AirflowImage | None:
    return AirflowImage(tag=tag, airflow=airflow) if tag and airflow else None
