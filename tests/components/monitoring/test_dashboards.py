"""Dashboards: Grafana reads each, and those of two stacks do not replace each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jsonschema

from components.monitoring.dashboards import DASHBOARDS, dashboard_files
from tests.components.monitoring.test_alerts import EVERYTHING

SCHEMA: Final = json.loads(Path(__file__).with_name("grafana.schema.json").read_text())


def strangers(definition: str, found: Any) -> Iterator[str]:
    """What Grafana's own schema says against a part of a dashboard. It knows every field, and takes no other."""
    schema = {**SCHEMA, "$ref": f"#/definitions/{definition}"}
    for error in jsonschema.Draft7Validator(schema).iter_errors(found):
        yield f"{definition} {'.'.join(map(str, error.absolute_path))}: {error.message}"


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


def test_grafana_s_schema_takes_every_dashboard_panel_and_query() -> None:
    wrong: list[str] = []
    for dashboard in read().values():
        wrong += strangers("Dashboard", dashboard)
        for panel in dashboard["panels"]:
            wrong += strangers(f"{panel['type']}.Options", panel.get("options", {}))
            wrong += [text for target in panel["targets"] for text in strangers("prometheus.Dataquery", target)]
    assert wrong == []


def test_two_stacks_of_one_grafana_have_dashboards_of_their_own() -> None:
    ours, theirs = read(), read("team-b")
    for key in ("uid", "title"):
        assert not {found[key] for found in ours.values()} & {found[key] for found in theirs.values()}


def test_a_stack_without_a_pooler_has_no_panel_about_it() -> None:
    files = dashboard_files(replace(EVERYTHING, parts=frozenset({"git-sync"})))
    assert "pgbouncer" not in "".join(files.values())
