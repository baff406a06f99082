"""The methods of an `Environment` that move to another Airflow or chart, and back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from automation.engine.events import OnEvent, ignore
from automation.late import late
from automation.stacks.config import Keep, forget
from automation.stacks.session import Session
from automation.wait import WAIT_SECONDS
from settings.upgrade import AirflowImage

if TYPE_CHECKING:
    from automation.backup.result import Restored, RestorePlan
    from automation.upgrade import by_restore, upgrade
    from automation.upgrade.result import Upgrade, UpgradePlan
else:
    by_restore, upgrade = late("upgrade.by_restore", "upgrade.upgrade")


class UpgradeMethods:
    """A part of `Environment`, whose docstring says what the arguments are."""

    session: Session

    def upgrade_plan(
        self,
        tag: str | None = None,
        airflow_version: str | None = None,
        *,
        chart: str | None = None,
        on_event: OnEvent = ignore,
    ) -> UpgradePlan:
        """Return what `upgrade` would do, and what prevents it. A pod tries the new image on the stack."""
        image = AirflowImage.of(tag, airflow_version)
        return self.session.do_checked(upgrade.upgrade_plan, "upgrade", image, on_event, chart)

    def rollback_plan(
        self, tag: str | None = None, airflow_version: str | None = None, *, on_event: OnEvent = ignore
    ) -> UpgradePlan:
        """Return what `rollback` would do, as `upgrade_plan` does."""
        image = AirflowImage.of(tag, airflow_version)
        return self.session.do_checked(upgrade.upgrade_plan, "rollback", image, on_event)

    def upgrade(
        self,
        tag: str | None = None,
        airflow_version: str | None = None,
        *,
        chart: str | None = None,
        keep: Keep = forget,
        timeout_seconds: float = WAIT_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Upgrade:
        """Move to another Airflow and to this checkout's chart, in stages. Raises UpgradeRefused, UpgradeStopped."""
        image = AirflowImage.of(tag, airflow_version)
        return self.session.do_checked(upgrade.upgrade, "upgrade", image, timeout_seconds, keep, on_event, chart)

    def rollback(
        self,
        tag: str | None = None,
        airflow_version: str | None = None,
        *,
        keep: Keep = forget,
        timeout_seconds: float = WAIT_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Upgrade:
        """Go back to an older Airflow, by default the one before, with its database. Raises what `upgrade` raises."""
        image = AirflowImage.of(tag, airflow_version)
        return self.session.do_checked(upgrade.upgrade, "rollback", image, timeout_seconds, keep, on_event)

    def rollback_restoration(
        self,
        tag: str | None = None,
        airflow_version: str | None = None,
        *,
        backup: str | None = None,
        at: datetime | None = None,
    ) -> RestorePlan:
        """Return what `rollback_by_restore` would do. Raises what that raises."""
        return self.session.do_checked(by_restore.restoration, AirflowImage.of(tag, airflow_version), backup, at)

    def rollback_by_restore(
        self,
        tag: str | None = None,
        airflow_version: str | None = None,
        *,
        backup: str | None = None,
        at: datetime | None = None,
        keep: Keep = forget,
        timeout_seconds: float = WAIT_SECONDS,
        on_event: OnEvent = ignore,
    ) -> Restored:
        """Go back as `rollback`, but restore a backup: without a choice, the last from before the upgrade's update.

        `restore` continues it too. Raises UpgradeRefused, BackupFailed.
        """
        image = AirflowImage.of(tag, airflow_version)
        return self.session.do_checked(by_restore.rollback, image, backup, at, timeout_seconds, keep, on_event)
