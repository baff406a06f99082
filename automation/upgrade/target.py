"""Which image an upgrade or a rollback starts from, and which it goes to. Pure.

Both follow from the config, the request, and what an earlier run left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import versions
from automation.upgrade.chart import Charts
from automation.upgrade.stages import STAGES, UpgradeAction, UpgradeStage, first_number
from compatibility import number
from settings import PROJECT
from settings.upgrade import AirflowImage, UpgradeMark

_SAME: Final = Charts()


@dataclass(frozen=True, kw_only=True)
class Target:
    """The image or the chart to which an upgrade or a rollback goes."""

    verb: str
    before: AirflowImage
    after: AirflowImage
    first: int = 1
    """The stage to begin with, from 1."""
    resumed: bool = False
    charts: tuple[str, str] | None = None
    """Version of the chart before and after; None if it does not change."""
    refusals: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[UpgradeStage, ...]:
        """All stages."""
        found = STAGES[self.verb]
        if self.charts is None:
            return found
        text = f"the release has chart {self.charts[1]}"
        return tuple(
            replace(stage, text=text if self.keeps_image else f"{text}; {stage.text}")
            if stage.doing is UpgradeAction.UPDATE
            else stage
            for stage in found
        )

    @property
    def keeps_image(self) -> bool:
        """Only the chart changes."""
        return self.before == self.after

    @property
    def newer(self) -> AirflowImage:
        """The image whose migrations are the newest."""
        return self.after if self.verb == "upgrade" else self.before

    def mark(self, stage: int) -> UpgradeMark:
        """Return the mark of a stage that begins."""
        return UpgradeMark(
            verb=self.verb,
            stage=stage,
            stages=len(self.stages),
            before=self.before,
            after=self.after,
            charts=self.charts,
        )


def upgrade_target(
    stack: str,
    present: AirflowImage,
    deployed_tag: str,
    wanted: AirflowImage | None,
    mark: UpgradeMark | None,
    charts: Charts = _SAME,
) -> Target:
    """Return the target of an upgrade, with the reasons against it.

    Args:
        stack: For commands.
        present: What the config says.
        deployed_tag: The tag that was deployed last; "" if the state has no release.
        wanted: What was asked for; None for the image that runs.
        mark: What an earlier run left in the config.
        charts: The chart that runs, and this checkout's.
    """
    if wanted is None:
        wanted = mark.after if mark is not None and mark.verb == "upgrade" else present
    if mark is not None:
        if mark.verb == "upgrade" and mark.after == wanted:
            return Target(
                verb="upgrade",
                before=mark.before,
                after=wanted,
                first=first_number(STAGES["upgrade"], mark),
                resumed=True,
                charts=mark.charts,
                refusals=_of_another_checkout(stack, mark, charts),
            )
        refusal = f"{mark.told(stack)}. Fix: finish it first"
        return Target(verb="upgrade", before=present, after=wanted, refusals=(refusal,))
    found = []
    if not deployed_tag:
        found.append(
            f"the release: expected one that an update has deployed, found none. Fix: python -m automation up {stack}"
        )
    elif present.tag != deployed_tag:
        found.append(
            f"airflow:imageTag: expected what is deployed, {deployed_tag}, found {present.tag}. "
            f"Fix: pulumi config set --stack {stack} airflow:imageTag {deployed_tag}; or, if {present.tag} has the "
            f"same Airflow: python -m automation up {stack}"
        )
    elif charts.to_older:
        found.append(
            f"the chart: expected {charts.deployed} or a newer one in this checkout, found {charts.here}. "
            f"Fix: git pull; to go back on purpose, python -m automation rollback {stack}"
        )
    elif present == wanted and not charts.to_newer:
        found.append(
            f"--tag: expected another image than the one that runs, found {wanted}, and no newer chart in this "
            f"checkout than {charts.here}. Fix: give another tag, or git pull"
        )
    if number(wanted.airflow) < number(present.airflow):
        found.append(
            f"--airflow-version: expected {present.airflow} or newer, found {wanted.airflow}. "
            f"Fix: python -m automation rollback {stack} --tag {wanted.tag} --airflow-version {wanted.airflow}"
        )
    change = charts.change() if charts.to_newer else None
    return Target(verb="upgrade", before=present, after=wanted, charts=change, refusals=tuple(found))


def rollback_target(
    stack: str,
    present: AirflowImage,
    wanted: AirflowImage | None,
    mark: UpgradeMark | None,
    charts: Charts = _SAME,
) -> Target:
    """Return the target of a rollback. Arguments as in `upgrade_target`; wanted: None if no image is known.

    A chart comes with a checkout, so one of the older chart takes it back too. The image then stays, unless an upgrade
    of both was not finished.
    """
    if mark is not None:
        target = _under_way_back(mark)
        refusals = _of_another_checkout(stack, target.mark(1), charts)
        if wanted not in (None, target.after):
            other = f"--tag: expected none, or {target.after.tag}, found {wanted}: {mark.told(stack)}"
            refusals = (f"{other}. Fix: python -m automation rollback {stack}",)
        return replace(target, refusals=refusals)
    if charts.to_newer:
        then = f"python -m automation rollback {stack}"
        refusals = charts.refusals(charts.deployed, then)
        return Target(verb="rollback", before=present, after=wanted or present, refusals=refusals)
    if charts.to_older and wanted is None:
        wanted = present
    found = []
    if not charts.to_older and (wanted is None or wanted == present):
        found.append(
            f"--tag: expected the image to go back to, because no earlier update had another one than {present}. "
            f"Fix: python -m automation rollback {stack} --tag TAG --airflow-version VERSION"
        )
    elif wanted is not None and number(wanted.airflow) > number(present.airflow):
        found.append(
            f"--airflow-version: expected {present.airflow} or older, found {wanted.airflow}. "
            f"Fix: python -m automation upgrade {stack} --tag {wanted.tag} --airflow-version {wanted.airflow}"
        )
    return Target(
        verb="rollback", before=present, after=wanted or present, charts=charts.change(), refusals=tuple(found)
    )


def _under_way_back(mark: UpgradeMark) -> Target:
    """Return the target that a mark of either verb leads to."""
    if mark.verb == "rollback":
        first = first_number(STAGES["rollback"], mark)
        return Target(
            verb="rollback", before=mark.before, after=mark.after, first=first, resumed=True, charts=mark.charts
        )
    back = (mark.charts[1], mark.charts[0]) if mark.charts else None
    return Target(verb="rollback", before=mark.after, after=mark.before, charts=back)


def _of_another_checkout(stack: str, mark: UpgradeMark, charts: Charts) -> tuple[str, ...]:
    """Return why what is under way cannot go on here: its chart is another one than this checkout's."""
    return charts.refusals(mark.charts[1] if mark.charts else charts.deployed, mark.command(stack))


def earlier_image(history: Iterable[Mapping[str, Any]], present: AirflowImage) -> AirflowImage | None:
    """Return the image of the last successful update that had another one. history: the engine's, the newest first."""
    for record in history:
        if record.get("kind") == "update" and record.get("result") == "succeeded":
            image = image_of(record)
            if image != present:
                return image
    return None


def image_of(record: Mapping[str, Any]) -> AirflowImage:
    """Return the image that an update of the engine's history deployed."""

    def value(key: str) -> str:
        found = (record.get("config") or {}).get(f"{PROJECT}:{key}") or {}
        return str(found.get("value") or versions.AIRFLOW)

    return AirflowImage(tag=value("imageTag"), airflow=value("airflowVersion"))
