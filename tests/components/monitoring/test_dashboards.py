"""Dashboards: Grafana reads each, and those of two stacks do not replace each other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from components.monitoring.dashboards import DASHBOARDS, dashboard_files
from tests.components.monitoring.test_alerts import EVERYTHING


def read(namespace: str = "airflow") -> dict[str, dict[str, Any]]:
    files = dashboard_files(replace(EVERYTHING, namespace=namespace))
    return {name: json.loads(text) for name, text in files.items()}


def test_each_dashboard_is_one_small_file() -> None:
    assert len(read()) == len(DASHBOARDS) == 6
    for dashboard in read().values():
        panels = dashboard["panels"]
        assert 4 <= len(panels) <= 8
        assert len({panel["id"] for panel in panels}) == len(panels)
        places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
        assert len(places) == len(panels)
        for panel in panels:
            [target] = panel["targets"]
            assert 'namespace="airflow"' in target["expr"]
            assert panel["datasource"]["uid"] == "${datasource}"


def test_two_stacks_of_one_grafana_have_dashboards_of_their_own() -> None:
    ours, theirs = read(), read("team-b")
    for key in ("uid", "title"):
        assert not {found[key] for found in ours.values()} & {found[key] for found in theirs.values()}


def test_a_stack_without_a_pooler_has_no_panel_about_it() -> None:
    files = dashboard_files(replace(EVERYTHING, parts=frozenset({"git-sync"})))
    assert "pgbouncer" not in "".join(files.values())
