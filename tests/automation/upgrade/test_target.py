"""From which image to which, and where an upgrade that was interrupted goes on."""

from __future__ import annotations

from typing import Any

from automation.upgrade.stages import STAGES, Doing, first_number
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
        assert target.first == (number if doing in (Doing.UPDATE, Doing.VERIFY) else 1)
    assert first_number(STAGES["upgrade"], None) == 1


def test_upgrade_that_makes_no_sense_is_refused() -> None:
    for present, deployed, wanted, left, expected in (
        (OLD, "3.2.2", OLD, None, "--tag: expected another image than the one that runs"),
        (NEW, "3.3.2", OLD, None, "--airflow-version: expected 3.3.2 or newer, found 3.2.2"),
        (OLD, "3.2.1", NEW, None, "airflow:imageTag: expected what is deployed, 3.2.1"),
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
