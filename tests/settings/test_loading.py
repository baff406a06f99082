"""What the program loads: config from the engine, the chart, and no SDK that it does not need."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

import settings
from components.release.chart_archive import ChartError
from settings import loading
from tests import samples
from tests.samples import dev, external


def test_load_reads_the_engine_s_config_and_finds_the_chart(
    stack_config: Callable[[Mapping[str, str], Iterable[str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Path]] = []

    def find(given: str, project: Path) -> str:
        asked.append((given, project))
        return samples.CHART

    monkeypatch.setattr(loading, "chart_archive", find)
    config = external().with_({"chartPath": "/srv/chart.tgz"})
    stack_config(config.values, config.secret_keys)
    loaded = settings.load()
    assert loaded.platform.chart == samples.CHART
    assert asked == [("/srv/chart.tgz", loading.ROOT)]
    assert loaded.platform == config.parse().platform.__class__(
        **{**vars(config.parse().platform), "chart": samples.CHART}
    )


def test_load_reads_config_from_the_environment_as_the_language_host_gives_it(
    runtime: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "chart_archive", lambda *_: samples.CHART)
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(dict(dev().values)))
    assert settings.load().platform.kube_context == "kind-airflow"


def test_bad_config_stops_before_the_chart_is_looked_for(
    stack_config: Callable[[Mapping[str, str], Iterable[str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "chart_archive", lambda *_: pytest.fail("looked for the chart"))
    stack_config(dev().with_({"executor": "x"}).values, ())
    with pytest.raises(settings.SettingsError):
        settings.load()


def test_command_in_an_error_names_the_stack(
    stack_config: Callable[[Mapping[str, str], Iterable[str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_chart(*_: object) -> Path:
        raise ChartError("airflow:chartPath: found none. Fix: pulumi config set --stack STACK airflow:chartPath FILE")

    monkeypatch.setattr(loading, "chart_archive", no_chart)
    monkeypatch.setattr("pulumi.get_stack", lambda: "team")
    stack_config(dev().values, ())
    with pytest.raises(ChartError, match="Fix: pulumi config set --stack team airflow:chartPath FILE"):
        settings.load()
