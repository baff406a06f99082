"""One stack, with everything that can be done to it. Made by `Environments.open`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from automation.engine.command import Engine
from automation.engine.events import OnEvent, ignore
from automation.late import late
from automation.results import HelmsmanExport, History, Outputs, Preview, Update
from automation.stacks import asking, updates
from automation.stacks.config import EnvironmentSettings, Keep, forget
from automation.stacks.place import Place
from automation.stacks.session import Limits, Session
from automation.upgrade.methods import UpgradeMethods
from automation.wait import WAIT_SECONDS
from components.kube.secret import Secret
from components.secrets.logins import shown_url
from components.secrets.masker import Masker

if TYPE_CHECKING:
    from automation import backups
    from automation.adoption import adopt
    from automation.adoption.plan import Adoption, AdoptionPlan
    from automation.backup.result import (
        BackupDone,
        BackupPlan,
        Backups,
        DeletedDatabases,
        Drill,
        DrillPlan,
        Restored,
        RestorePlan,
    )
    from automation.lifetime import spawn
    from automation.lifetime.result import Spawned, SpawnPlan
    from automation.plan.model import Plan
    from automation.preflight import preflight_stack
    from automation.preflight.result import Preflight
    from automation.recovery import recover
    from automation.recovery.result import Decisions, Recovery, RecoverySteps
    from automation.recovery.status import StackStatus
    from automation.rotation import rotate
    from automation.rotation.result import Rotation, RotationPlan
    from automation.stacks import expiry, export, roll_image, verify_stack
    from automation.verification.result import Verification
else:
    adopt, backups, expiry, spawn = late("adoption.adopt", "backups", "stacks.expiry", "lifetime.spawn")
    preflight_stack, recover, rotate = late("preflight.preflight_stack", "recovery.recover", "rotation.rotate")
    export, roll_image, verify_stack = late("stacks.export", "stacks.roll_image", "stacks.verify_stack")


class Environment(UpgradeMethods):
    """One stack of the program. docs/automation.md has a table of the methods, and one of the errors.

    Nothing asks an engine, a cluster or a backend before a method needs it. Methods block. Each raises an
    AutomationError of a kind that says what to do. What changes the stack first checks its config (SettingsInvalid).
    Verbs of several stages continue one that was interrupted. Different environments may be used from different
    threads; one environment runs one update at a time, and a second one waits for it as for any other update.

    Arguments that several methods have:
        on_event: Receives the events.
        timeout_seconds: How long to wait for all pods to be ready after the update, or after each stage (NotHealthy).
        keep: Stores changed settings; called before each stage that uses them. Without it, a process that ends early
            takes a new key with it.
        backup: Name of a backup; None takes the newest.
        at: Take a managed database as it was then, any other from the newest backup before.
    """

    def __init__(self, name: str, place: Place, engine: Callable[[], Engine], limits: Limits, masker: Masker) -> None:
        """For `Environments.open`. `engine` finds one; it is called when one is needed."""
        self.name = name
        self.session = Session(name, place, engine, limits, masker)
        """What the functions behind the methods work on."""

    def __repr__(self) -> str:
        return f"Environment({self.name!r}, {self.backend!r})"

    @property
    def backend(self) -> str:
        """URL of the state, without a login."""
        return shown_url(self.session.place.url)

    @property
    def work_dir(self) -> Path:
        """The engine's work directory. You may delete it when nothing runs."""
        return self.session.work_dir

    @property
    def settings(self) -> EnvironmentSettings | None:
        """The given config, with what `roll_image`, `adopt` and stages have changed; None for a committed file."""
        return self.session.place.settings

    def plan(self, *, render: bool = True) -> Plan:
        """Return what the program would register. A failure is a field of the plan. `render` lets Helm render it."""
        return asking.plan(self.session, render=render)

    def preview(self, *, on_event: OnEvent = ignore, save_plan: Path | None = None, refresh: bool = False) -> Preview:
        """Return what `up` would do, with `refresh` from what really exists. `save_plan`: a file for an update plan."""
        return self.session.do_checked(asking.preview, on_event, save_plan, refresh=refresh)

    def outputs(self) -> Outputs:
        """Return the stack's outputs. Raises StackUnknown."""
        return asking.outputs(self.session)

    def history(self, limit: int = 20) -> History:
        """Return the last updates, the newest first. Raises StackUnknown."""
        return asking.history(self.session, limit)

    def verify(
        self, *, dag_id: str | None = None, timeout_seconds: float = WAIT_SECONDS, on_event: OnEvent = ignore
    ) -> Verification:
        """Check the deployment, with a run of a DAG. A failed check is in the result. Raises StackUnknown."""
        return self.session.do(verify_stack.verify_stack, dag_id, timeout_seconds, on_event)

    def preflight(self, *, on_event: OnEvent = ignore) -> Preflight:
        """Make the checks that `up` makes before it changes anything. A failed check is in the result."""
        return self.session.do_checked(preflight_stack.preflight_stack, on_event)

    def status(self) -> StackStatus:
        """Return what is wrong with the stack. A cluster that does not answer is in the result, not an error."""
        return recover.stack_status(self.session)

    def export_helmsman(self, folder: Path, *, planned: bool = False) -> HelmsmanExport:
        """Write what is deployed, or would be, as files for Helmsman. Raises NotExportable, FolderRefused."""
        return export.export_helmsman(self.session, folder, planned=planned)

    def up(self, *, on_event: OnEvent = ignore, plan: Path | None = None) -> Update:
        """Deploy the stack as its config says; with `plan`, a saved update plan, exactly that plan (PlanViolated)."""
        return self.session.do_checked(updates.up, "up", on_event, plan)

    def spawn(
        self, like: str, values: Mapping[str, str] | None = None, *, hours: float, on_event: OnEvent = ignore
    ) -> Spawned:
        """Deploy the stack like another one, with other `values`, and keep it for so many hours. Raises Protected."""
        return self.session.do(spawn.spawn, like, values or {}, hours, on_event)

    def spawn_plan(self, like: str, values: Mapping[str, str] | None = None, *, hours: float) -> SpawnPlan:
        """Return what `spawn` would do. Raises what it raises."""
        return self.session.do(spawn.spawn_plan, like, values or {}, hours)

    def keep_for(self, hours: float) -> str:
        """Let `Environments.expire` remove the stack after so many hours. Return when. Call it before `up`."""
        return expiry.keep_for(self.session, hours)

    def expires(self) -> str:
        """Return until when the stack is kept, as `2026-01-31T10:45:00Z`; "" if for ever. Raises StackUnknown."""
        return expiry.expires(self.session)

    def roll_image(self, tag: str, *, on_event: OnEvent = ignore) -> Update:
        """Move the Airflow image to another tag, and update. If the engine never began, the config stays as it was."""
        return self.session.do(roll_image.roll_image, tag, on_event)

    def refresh(self, *, new_cluster: bool = False, on_event: OnEvent = ignore) -> Update:
        """Update the state from what really exists. `new_cluster` allows another cluster than before."""
        return updates.refresh(self.session, on_event, new_cluster=new_cluster)

    def destroy(
        self,
        *,
        remove: bool = False,
        cluster_gone: bool = False,
        worker_seconds: float = math.inf,
        decisions: Decisions | None = None,
        on_event: OnEvent = ignore,
    ) -> Update:
        """Stop the workers, and delete what the stack owns; with `remove` also the stack itself, with its history.

        What a killed update left is repaired first, as `recover` does; `decisions` are those of `recover`.

        Tasks get `worker_seconds` to end, at most `airflow:workerGraceSeconds`. With `cluster_gone`, what was in a
        cluster that will never answer again is forgotten, and the rest deleted. Raises Protected, RecoveryRefused.
        """
        return self.session.do(
            recover.resumed_destroy, decisions, on_event, worker_seconds, remove=remove, cluster_gone=cluster_gone
        )

    def remove_state(self, *, force: bool = False) -> tuple[str, ...]:
        """Remove the stack itself, with `force` even if its state holds something. Return the stacks that are left."""
        return updates.remove_state(self.session, force=force)

    def recovery(self, decisions: Decisions | None = None) -> RecoverySteps:
        """Return what `recover` would do. Raises what `recover` raises."""
        return recover.recovery_steps(self.session, decisions)

    def recover(
        self, decisions: Decisions | None = None, *, timeout_seconds: float = WAIT_SECONDS, on_event: OnEvent = ignore
    ) -> Recovery:
        """Repair what an interrupted update left, and update. All steps are sent as events first.

        Raises RecoveryRefused if another update may be alive, or if only a person can tell what became of something;
        `decisions` say that.
        """
        return self.session.do_checked(recover.recover, decisions, timeout_seconds, on_event)

    def adoption(self, *, on_event: OnEvent = ignore) -> AdoptionPlan:
        """Return what `adopt` would do, refusals too. Raises AdoptionRefused if there is nothing to take over."""
        return adopt.adoption_plan(self.session, on_event)

    def adopt(self, *, timeout_seconds: float = WAIT_SECONDS, on_event: OnEvent = ignore) -> Adoption:
        """Take over the release `airflow` that Helm or Helmsman installed in the stack's namespace, and update it.

        Its keys and its database stay, and are added to the config, which is checked after that. Raises AdoptionRefused
        with every reason, SettingsInvalid if the config lacks what no release says.
        """
        return self.session.do(adopt.adopt, timeout_seconds, on_event)

    def rotation(self, key: str, *, given: Secret | None = None) -> RotationPlan:
        """Return what `rotate` would do. Refusals are in the result."""
        return self.session.do_checked(rotate.rotation_plan, key, given)

    def rotate(
        self,
        key: str,
        *,
        given: Secret | None = None,
        keep: Keep = forget,
        timeout_seconds: float = WAIT_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Rotation:
        """Give a key another value, in stages; `given` is that of a key that others make. Raises RotationRefused."""
        return self.session.do_checked(rotate.rotate, key, given, timeout_seconds, keep, on_event)

    def backup(self, *, dump: bool = False, on_event: OnEvent = ignore) -> BackupDone:
        """Make a snapshot of a managed database, or dump another one; `dump` dumps either. Raises BackupFailed."""
        return self.session.do(backups.backup, on_event, dump=dump)

    def backup_plan(self, *, dump: bool = False) -> BackupPlan:
        """Return what `backup` would do. Raises what it raises."""
        return self.session.do(backups.backup_plan, dump=dump)

    def backups(self) -> Backups:
        """Return the backups, the newest first. Raises what `backup` raises."""
        return self.session.do(backups.listed)

    def drill(self, backup: str | None = None, *, at: datetime | None = None, on_event: OnEvent = ignore) -> Drill:
        """Restore a backup aside, read it with the stack's keys, and delete it. Unread values are in the result."""
        return self.session.do(backups.drill, backup, at, on_event)

    def drill_plan(self, backup: str | None = None, *, at: datetime | None = None) -> DrillPlan:
        """Return what `drill` would do. Raises what it raises."""
        return self.session.do(backups.drill_plan, backup, at)

    def restoration(self, backup: str | None = None, *, at: datetime | None = None) -> RestorePlan:
        """Return what `restore` would do. Raises what `restore` raises."""
        return self.session.do_checked(backups.restore_plan, backup, at)

    def restore(
        self,
        backup: str | None = None,
        *,
        at: datetime | None = None,
        keep: Keep = forget,
        timeout_seconds: float = WAIT_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Restored:
        """Stop Airflow, restore a backup, and verify Airflow on it. What it replaces stays. Raises BackupFailed."""
        return self.session.do_checked(backups.restore, backup, at, timeout_seconds, keep, on_event)

    def delete_old_databases(self, *, on_event: OnEvent = ignore) -> DeletedDatabases:
        """Delete the databases or instances that restores have replaced. Raises what `backup` raises."""
        return self.session.do(backups.delete_old, on_event)

    @property
    def running(self) -> bool:
        """Something is under way, or waits for a lock."""
        return self.session.cancellation.running

    @property
    def interrupted(self) -> bool:
        """The verb that runs, or that ran last, was cancelled."""
        return self.session.cancellation.requested

    def cancel(self) -> None:
        """Let the engine end what it has begun, from another thread or a handler; its method raises Interrupted."""
        self.session.cancel()

    def busy(self) -> AbstractContextManager[None]:
        """Let a cancel within it hold until its end, even if it consists of several updates of this thread."""
        return self.session.busy()
