"""Which versions fit together, and what is said of those that do not."""

from __future__ import annotations

import re
from datetime import date

import compatibility
import versions
from compatibility import AIRFLOW, ENGINE_PROVIDER, notes, provider_notes, refusals
from tests import samples

TODAY = date(2026, 11, 29)


def test_newest_airflow_on_versions_that_it_is_tested_with_gets_no_word() -> None:
    assert refusals("3.3.2", "v1.35.0-eks-1", 17) == ()
    assert notes("3.3.2", "v1.35.0-eks-1", 17, today=TODAY) == ()


def test_version_without_fixes_is_told_from_the_day_on_which_they_end() -> None:
    [airflow] = notes("3.2.2", "1.35", 17, today=TODAY)
    assert airflow == "Airflow 3.2 has had no fixes since 2026-07-06; the newest version is 3.3.2"
    assert notes("3.2.2", "1.35", 17, today=date(2026, 7, 5)) == ()
    assert notes("3.3.0", today=TODAY) == ("Airflow 3.3.0 lacks the fixes of 3.3.2",)
    assert notes("3.3.2", "1.34", 14, today=TODAY) == (
        "Kubernetes 1.34 has had no fixes from its project since 2026-10-27",
        "PostgreSQL 14 has had no fixes from its project since 2026-11-12",
    )


def test_untested_version_is_told_in_both_directions() -> None:
    assert notes("3.3.2", "v1.36.2", 13, today=date(2025, 1, 1)) == (
        "Kubernetes 1.36: Airflow 3.3 is tested with 1.30 to 1.35",
        "PostgreSQL 13: Airflow 3.3 is tested with 14 to 18",
    )
    assert "Kubernetes 1.37: pulumi-kubernetes 4.32.0 is made for 1.36 and older" in notes("3.3.2", "1.37.1")
    assert any("1.9" in note for note in notes("3.3.2", "1.9")), "versions are compared as numbers"


def test_what_cannot_work_is_refused_with_what_was_expected() -> None:
    airflow, kubernetes = refusals("2.10.5", "1.29")
    assert airflow.startswith("airflow:airflowVersion: expected 3.0.x, 3.1.x, 3.2.x, 3.3.x, found 2.10.5. Fix: ")
    assert kubernetes.startswith("Kubernetes: expected 1.30 or newer")
    [postgresql] = refusals("3.3.2", "1.30", 13)
    assert postgresql.startswith("PostgreSQL: expected 14 or newer, which Airflow 3.3 is tested with, found 13. Fix: ")


def test_provider_is_compared_with_what_airflow_asks_for_and_airflow_with_what_it_asks_for() -> None:
    fab, own = "apache-airflow-providers-fab", "apache-airflow-providers-of-the-team"
    assert provider_notes("3.1.8", {fab: "2.10.0"}, {fab: "3.0.2"}) == ()
    assert provider_notes("3.2.2", {fab: "2.10.0", own: "0.1"}, {own: "4.0"}) == (
        f"{fab} 2.10.0: Airflow 3.2 asks for 3.6.0 or newer",
        f"{own} 0.1 asks for Airflow 4.0 or newer, and the image has 3.2.2",
    )
    assert provider_notes("3.2.2", {fab: "3.6.0rc1"}, {}) == ()
    assert provider_notes("9.9", {fab: "1"}, {}) == ()


def test_image_of_this_repository_has_providers_that_fit() -> None:
    lock = (samples.ROOT / "image" / "uv.lock").read_text()
    found = dict(re.findall(r'^name = "(apache-airflow-providers-[a-z-]+)"\nversion = "([^"]+)"', lock, re.MULTILINE))
    assert len(found) > 5
    assert provider_notes(versions.AIRFLOW, found, {}) == ()


def test_the_engine_s_provider_is_the_one_that_is_judged() -> None:
    pinned = (samples.ROOT / "requirements.in").read_text()
    assert f"pulumi-kubernetes=={ENGINE_PROVIDER[0]}" in pinned, "read the go.mod of the new one: k8s.io/client-go"


def test_what_is_not_known_is_not_judged() -> None:
    assert refusals("3.3.2") == notes("3.3.2", today=TODAY) == ()


def test_newest_release_of_a_minor_version_is_one_of_it() -> None:
    assert [compatibility.minor(row.newest) for row in AIRFLOW.values()] == list(AIRFLOW)
    assert [row.succeeded is None for row in AIRFLOW.values()] == [False] * (len(AIRFLOW) - 1) + [True]


def test_chart_needs_the_kubernetes_that_its_readme_names() -> None:
    assert versions.AIRFLOW_CHART == "1.22.0", "read the README of the new chart: Kubernetes N+ cluster"


def test_runbook_has_the_table() -> None:
    page = (samples.ROOT / "docs" / "runbooks" / "upgrade-airflow-or-chart.md").read_text()
    for minor, row in AIRFLOW.items():
        oldest, newest = row.postgresql
        fixes = f"none since {row.succeeded}" if row.succeeded else "yes"
        line = [minor, row.newest, " to ".join(row.kubernetes), f"{oldest} to {newest}", fixes]
        assert f"| {' | '.join(line)} |" in page
        for name, version in row.providers.items():
            [cells] = re.findall(rf"^\| `{name}` \|(.*)\|$", page, re.MULTILINE)
            assert cells.split("|")[list(AIRFLOW).index(minor)].strip() == version
