"""Schedules that Kubernetes accepts, and those that it refuses."""

from __future__ import annotations

from components.kube.schedules import is_schedule


def test_schedules_of_kubernetes_are_accepted() -> None:
    for text in (
        "30 1 * * *",
        "*/15 0-6/2 1,15 JAN-mar ?",
        "0 0 31 12 6",
        "5 4 * * sun",
        "0 0 1 1 SAT",
        " 0  4 * * 0 ",
        "@daily",
        "@midnight",
        "@every 1h30m",
    ):
        assert is_schedule(text), text


def test_other_schedules_are_refused() -> None:
    for text in (
        "0 25 * * *",
        "60 1 * * *",
        "0 0 0 * *",
        "0 0 1 13 *",
        "0 0 * * 7",
        "0 0 * * sunday",
        "*/0 * * * *",
        "5-1 * * * *",
        "1-2-3 * * * *",
        "0 1 * *",
        "0 1 * * * *",
        "@noon",
        "@every day",
        "",
        "0 1, * * *",
    ):
        assert not is_schedule(text), text
