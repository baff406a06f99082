"""From which image to which, and where an upgrade that was interrupted goes on."""

from __future__ import annotations

from typing import Any

from automation.upgrade.chart import Charts
from automation.upgrade.stages import STAGES, UpgradeAction, first_number
from automation.upgrade.target import Target, earlier_image, rollback_target, upgrade_target
from settings.upgrade import AirflowImage, UpgradeMark

OLD, NEW = AirflowImage(tag="3.2.2", airflow="3.2.2"), AirflowImage(tag="3.3.2", airflow="3.3.2")


def mark(stage: int, verb: str = "upgrade", before: AirflowImage = OLD, after: AirflowImage = NEW) -> UpgradeMark:
    return UpgradeMark(verb=verb, stage=stage, stages=len(STAGES[verb]), before=before, after=after)


def test_upgrade_is_tried_again_until_its_update_begins_and_continued_from_then_on() -> None:
    doings = {number: stage.doing for number, stage in enumerate(STAGES["upgrade"], 1)}
    for number, doing in doings.items():
        target = upgrade_target("prod", NEW, "3.2.2", NEW, mark(number))
        assert target.resumed
        assert (target.before, target.after, target.refusals) == (OLD, NEW, ())
        assert target.first == (number if doing in (UpgradeAction.UPDATE, UpgradeAction.VERIFY) else 1)
    assert first_number(STAGES["upgrade"], None) == 1


def test_upgrade_that_makes_no_sense_is_refused() -> None:
    for present, deployed, wanted, left, expected in (
        (OLD, "3.2.2", OLD, None, "--tag: expected another image than the one that runs"),
        (NEW, "3.3.2", OLD, None, "--airflow-version: expected 3.3.2 or newer, found 3.2.2"),
        (OLD, "3.2.1", NEW, None, "airflow:imageTag: expected what is deployed, 3.2.1"),
        (OLD, "", NEW, None, "the release: expected one that an update has deployed, found none"),
        (
            OLD,
            "3.2.2",
            NEW,
            mark(2, after=AirflowImage(tag="x", airflow="3.3.1")),
            "the upgrade from 3.2.2 to 3.3.1 (x)",
        ),
        (OLD, "3.2.2", NEW, mark(3, "rollback", NEW, OLD), "the rollback from 3.3.2 to 3.2.2 is in stage 3"),
    ):
        [reason] = upgrade_target("prod", present, deployed, wanted, left).refusals
        assert reason.startswith(expected)
        assert ". Fix: " in reason


def test_rollback_goes_to_what_an_unfinished_upgrade_began_with() -> None:
    for stage in (2, 3, 4, 5):
        target = rollback_target("prod", NEW if stage > 3 else OLD, None, mark(stage))
        assert (target.before, target.after, target.first, target.refusals) == (NEW, OLD, 1, ())
        assert target.newer == NEW, "the older image does not know the newer migrations"


def test_rollback_that_was_interrupted_is_continued() -> None:
    for stage, first in ((2, 1), (3, 1), (4, 4), (5, 5)):
        target = rollback_target("prod", OLD, None, mark(stage, "rollback", NEW, OLD))
        assert (target.before, target.after, target.first, target.resumed) == (NEW, OLD, first, True)


def test_rollback_to_another_image_than_the_one_under_way_is_refused() -> None:
    other = AirflowImage(tag="3.2.1", airflow="3.2.1")
    for left in (mark(3), mark(4, "rollback", NEW, OLD)):
        [reason] = rollback_target("prod", NEW, other, left).refusals
        assert reason.startswith("--tag: expected none, or 3.2.2, found 3.2.1: the ")
        assert reason.endswith(". Fix: python -m automation rollback prod")
        assert rollback_target("prod", NEW, OLD, left).refusals == ()


def test_rollback_without_an_earlier_image_or_to_a_newer_one_is_refused() -> None:
    [reason] = rollback_target("prod", NEW, None, None).refusals
    assert "rollback prod --tag TAG --airflow-version VERSION" in reason
    [reason] = rollback_target("prod", OLD, NEW, None).refusals
    assert "upgrade prod --tag 3.3.2" in reason
    assert rollback_target("prod", NEW, OLD, None) == Target(verb="rollback", before=NEW, after=OLD)


def record(result: str = "succeeded", kind: str = "update", **config: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "result": result,
        "config": {f"airflow:{key}": {"value": value} for key, value in config.items()},
    }


def test_earlier_image_is_that_of_the_last_successful_update_with_another_one() -> None:
    history = [
        record(imageTag="3.3.2", airflowVersion="3.3.2"),
        record("failed", imageTag="bad", airflowVersion="3.3.1"),
        record(kind="destroy", imageTag="bad", airflowVersion="3.3.1"),
        record(imageTag="3.2.2-b", airflowVersion="3.2.2"),
        record(imageTag="3.2.2-a", airflowVersion="3.2.2"),
    ]
    assert earlier_image(history, NEW) == AirflowImage(tag="3.2.2-b", airflow="3.2.2")
    assert earlier_image([record()], NEW) == OLD, "a stack that sets neither has the defaults"
    assert earlier_image([], NEW) is None


NEWER, OLDER = Charts(deployed="1.22.0", here="1.23.0"), Charts(deployed="1.23.0", here="1.22.0")
SAME = Charts(deployed="1.23.0", here="1.23.0")
UP, BACK = ("1.22.0", "1.23.0"), ("1.23.0", "1.22.0")


def test_newer_chart_of_the_checkout_is_part_of_an_upgrade_or_all_of_it() -> None:
    both = upgrade_target("prod", OLD, "3.2.2", NEW, None, NEWER)
    assert (both.charts, both.refusals, both.mark(4).charts) == (UP, (), UP)
    alone = upgrade_target("prod", OLD, "3.2.2", None, None, NEWER)
    assert (alone.before, alone.after, alone.charts, alone.refusals) == (OLD, OLD, UP, ())
    texts = [target.stages[3].text for target in (both, alone)]
    assert texts[0].startswith("the release has chart 1.23.0; the database is migrated")
    assert texts[1] == "the release has chart 1.23.0"


def test_upgrade_is_refused_where_the_checkout_has_another_chart_than_it_needs() -> None:
    under_way = mark(4, after=OLD)
    with_chart = UpgradeMark(**{**vars(under_way), "charts": UP})
    for wanted, left, charts, expected in (
        (NEW, None, OLDER, "the chart: expected 1.23.0 or a newer one in this checkout, found 1.22.0. Fix: git pull"),
        (None, None, SAME, "--tag: expected another image than the one that runs"),
        (None, with_chart, OLDER, "the chart: expected 1.23.0 in this checkout, found 1.22.0. Fix: git pull"),
        (NEW, mark(4), NEWER, "the chart: expected 1.22.0 in this checkout, found 1.23.0. Fix: git checkout"),
    ):
        [reason] = upgrade_target("prod", OLD, "3.2.2", wanted, left, charts).refusals
        assert reason.startswith(expected)
    assert upgrade_target("prod", OLD, "3.2.2", None, with_chart, SAME).resumed, "its update is done"


def test_rollback_takes_the_chart_back_where_the_checkout_has_the_older_one() -> None:
    begun = UpgradeMark(**{**vars(mark(4)), "charts": UP})
    target = rollback_target("prod", NEW, None, begun, OLDER)
    assert (target.before, target.after, target.charts, target.refusals) == (NEW, OLD, BACK, ())
    again = rollback_target("prod", OLD, None, target.mark(4), OLDER)
    assert (again.charts, again.resumed, again.refusals) == (BACK, True, ())
    finished = rollback_target("prod", NEW, None, None, OLDER)
    assert (finished.after, finished.charts, finished.refusals) == (NEW, BACK, ()), "the image stays"
    for left, charts in ((begun, SAME), (begun, NEWER), (None, NEWER)):
        [reason] = rollback_target("prod", NEW, OLD, left, charts).refusals
        assert reason.startswith("the chart: expected 1.22.0 in this checkout, found 1.23.0. Fix: git checkout")
        assert reason.endswith("then python -m automation rollback prod")
