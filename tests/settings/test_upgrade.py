"""The mark of an upgrade in the config."""

from __future__ import annotations

from dataclasses import replace

from settings.upgrade import AirflowImage, UpgradeMark
from tests.samples import dev

MARK = UpgradeMark(
    verb="upgrade",
    stage=2,
    stages=4,
    before=AirflowImage(tag="3.2.2-python3.12", airflow="3.2.2"),
    after=AirflowImage(tag="team-7", airflow="3.3.2"),
)


def test_mark_is_read_as_it_was_written_and_tells_how_to_go_on_and_back() -> None:
    assert UpgradeMark.of(str(MARK)) == MARK
    assert MARK.told("prod") == (
        "the upgrade from 3.2.2 (3.2.2-python3.12) to 3.3.2 (team-7) is in stage 2 of 4; "
        "python -m automation upgrade prod --tag team-7 --airflow-version 3.3.2 continues it; "
        "python -m automation rollback prod goes back"
    )
    back = replace(MARK, verb="rollback")
    assert UpgradeMark.of(str(back)) == back
    assert back.told("prod").endswith("python -m automation rollback prod continues it")
    chart = replace(MARK, after=MARK.before, charts=("1.22.0", "1.23.0"))
    assert UpgradeMark.of(str(chart)) == chart
    assert chart.told("prod").startswith(
        "the upgrade from 3.2.2 (3.2.2-python3.12) with chart 1.22.0 to 3.2.2 (3.2.2-python3.12) with chart 1.23.0 is"
    )
    assert chart.command("prod").endswith(" --chart 1.23.0")


def test_what_upgrade_did_not_write_is_refused() -> None:
    for text in [
        "upgrade",
        "upgrade 5/4 a/3.2.2 b/3.3.2",
        "update 1/4 a/3.2.2 b/3.3.2",
        "upgrade 1/4 a",
        "upgrade 1/4 a/3.2.2 b/3.3.2 1.22.0",
    ]:
        [problem] = dev().with_({"upgrade": text}).problems()
        assert problem.startswith("airflow:upgrade: expected what `python -m automation upgrade` wrote, found")


def test_mark_is_part_of_a_valid_config_and_changes_nothing_else() -> None:
    assert dev().with_({"upgrade": str(MARK)}).parse().upgrade == MARK
    assert dev().with_({"upgrade": str(MARK)}).parse().platform == dev().parse().platform
