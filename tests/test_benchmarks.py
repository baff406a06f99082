"""Arithmetic and report of the benchmarks. What they measure is in benchmarks/README.md; no test depends on time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command_line
from benchmarks import import_modules, plans, preview, report, roll, stopwatch, up
from benchmarks import previews as many
from benchmarks.results import Fact, Ratio, Results, Series, UnavailableError
from benchmarks.step_times import DATABASE, MIGRATION, RELEASE, Span, Update, spans, timed


def series(*values: float, unit: str = "s") -> Series:
    return Series(name="n", unit=unit, values=values)


def ratio(of: Series, to: Series, aim: float | None = None) -> Ratio:
    return Ratio(name="r", of=of, to=to, aim=aim)


def test_median_is_the_middle_one_or_the_mean_of_the_two() -> None:
    assert series(9.0, 1.0, 2.0).median == 2.0
    assert series(4.0, 1.0, 2.0, 9.0).median == 3.0


def test_a_series_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="n: expected at least one value"):
        series()


def test_a_ratio_is_of_medians_and_of_one_unit() -> None:
    assert ratio(series(1.0, 6.0, 90.0), series(4.0)).value == 1.5
    with pytest.raises(ValueError, match="expected one unit, found s and MiB"):
        ratio(series(1.0), series(1.0, unit="MiB"))


def test_an_aim_is_judged_on_the_number_that_is_shown() -> None:
    for of, met in [(1.0, True), (1.10, True), (1.104, True), (1.106, False), (2.0, False)]:
        assert ratio(series(of), series(1.0), aim=1.10).met is met


def test_a_ratio_that_only_explains_is_not_judged() -> None:
    assert ratio(series(9.0), series(1.0)).met is None


def test_a_section_shows_every_run_and_every_verdict() -> None:
    slow, fast = series(123.4, 99.96, 3.14159), series(1.0)
    results = Results(
        series=(slow, fast),
        ratios=(ratio(slow, fast, 1.25), ratio(fast, slow, 1.25), ratio(fast, fast)),
        facts=(Fact(name="so", met=True), Fact(name="not so", met=False)),
    )
    assert report.section(results, "a machine").splitlines() == [
        "a machine",
        "",
        "| Measured | Unit | Runs | Median |",
        "| --- | --- | --- | --- |",
        "| n | s | 123, 100.0, 3.14 | 100.0 |",
        "| n | s | 1.00 | 1.00 |",
        "",
        "| Ratio of medians | Found | Aim | |",
        "| --- | --- | --- | --- |",
        "| r | 99.96 | at most 1.25 | missed |",
        "| r | 0.01 | at most 1.25 | met |",
        "| r | 1.00 |  |  |",
        "| so | yes | yes | met |",
        "| not so | no | yes | missed |",
    ]


DOCUMENT = (
    "# T\n<!-- results of a -->\n<!-- end of a -->\ntext\n<!-- results of b -->\n\nold\n\n<!-- end of b -->\nend\n"
)


def test_results_replace_earlier_ones_and_nothing_else() -> None:
    once = report.replaced(DOCUMENT, "a", r"new \1")
    assert once == DOCUMENT.replace("<!-- results of a -->\n", "<!-- results of a -->\n\nnew \\1\n\n")
    assert report.replaced(once, "a", r"new \1") == once
    assert report.replaced(report.replaced(once, "b", "x"), "b", "old") == once


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one pair of marks `<!-- results of c -->`"):
        report.replaced(DOCUMENT, "c", "x")


def test_the_document_has_a_place_for_every_benchmark() -> None:
    document = command_line.TARGET.read_text()
    for name in command_line.BENCHMARKS:
        assert report.replaced(document, name, "x") != document
    assert command_line.RUNS.keys() == command_line.BENCHMARKS.keys()
    assert all(runs % 2 for runs in command_line.RUNS.values())


def event(kind: str, operation: str, type_: str, name: str) -> str:
    urn = f"urn:pulumi:it::airflow::{type_}::{name}"
    return json.dumps({"timestamp": 1, kind: {"metadata": {"op": operation, "type": type_, "urn": urn}}})


def test_steps_are_timed_from_begin_to_end() -> None:
    job, release = MIGRATION.split("::"), RELEASE.split("::")
    seen = [
        (0.5, json.dumps({"preludeEvent": {}})),
        (1.0, event("resourcePreEvent", "create-replacement", *job)),
        (2.0, event("resourcePreEvent", "same", *release)),
        (4.0, event("resOutputsEvent", "create-replacement", *job)),
        (5.0, event("resourcePreEvent", "update", *release)),
        (9.0, event("resOutputsEvent", "update", *release)),
        (9.5, event("resourcePreEvent", "delete-replaced", *job)),
        (9.7, event("resOutputsEvent", "delete-replaced", *job)),
    ]
    assert spans(seen) == {MIGRATION: Span(begin=1.0, end=4.0), RELEASE: Span(begin=5.0, end=9.0)}


def test_a_log_is_read_to_its_end_and_earlier_logs_are_not(tmp_path: Path) -> None:
    old = event("resourcePreEvent", "create", *DATABASE.split("::"))
    new = [event(kind, "create", *RELEASE.split("::")) for kind in ("resourcePreEvent", "resOutputsEvent")]
    (tmp_path / "events-1.json").write_text(f"{old}\n")
    update = timed(lambda: (tmp_path / "events-2.json").write_text("".join(f"{line}\n" for line in new)), tmp_path)
    assert update.steps.keys() == {RELEASE}


def test_the_program_s_time_is_divided() -> None:
    steps = {
        DATABASE: Span(begin=2.0, end=10.0),
        MIGRATION: Span(begin=10.0, end=20.0),
        RELEASE: Span(begin=20.0, end=60.0),
    }
    update = Update(seconds=62.0, steps=steps)
    results = up.results([update], [40.0], [(6.0, 3.0)])
    assert [series.median for series in results.series] == [62.0, 8.0, 10.0, 40.0, 4.0, 44.0, 40.0, 6.0, 3.0]
    assert [round(ratio.value, 2) for ratio in results.ratios] == [1.55, 1.10, 1.0, 2.0]
    assert [round(ratio.value, 2) for ratio in roll.results([update], [50.0]).ratios] == [1.24, 1.04, 0.8]


def previews(mebibytes: float | None) -> dict[str, list[preview.Preview]]:
    times = {"program": 2.0, "empty": 1.0, "release": 1.6}
    return {
        name: [preview.Preview(seconds=time, processor_seconds=2 * time, mebibytes=mebibytes)]
        for name, time in times.items()
    }


def test_a_preview_is_reported_without_memory_where_there_is_none() -> None:
    of_time = [2.0, 1.25]
    assert [ratio.value for ratio in preview.results(previews(None)).ratios] == [*of_time, *of_time]
    found = preview.results(previews(100.0))
    assert [ratio.value for ratio in found.ratios] == [*of_time, *of_time, 1.0, 1.0]
    assert [ratio.met for ratio in found.ratios] == [None, False, None, None, None, True]


def test_previews_of_many_are_compared_with_those_of_one() -> None:
    found = {"plain `pulumi preview`": [4.0], "`automation.preview`": [5.0]}
    for count, time in ((1, 4.0), (5, 3.0), (20, 2.0)):
        found[f"previews of {count}, time per stack"] = [time]
    of_time = [1.25, 0.75, 0.5]
    assert [ratio.value for ratio in many.results(found).ratios] == of_time
    for count, mebibytes in ((1, 400.0), (5, 800.0), (20, 900.0)):
        found[f"previews of {count}, peak memory of all engines"] = [mebibytes]
        found[f"previews of {count}, memory of the library's own process after them"] = [100.0]
    ratios = many.results(found).ratios
    assert [ratio.value for ratio in ratios] == [*of_time, 2.0, 2.25, 1.0, 1.0]
    assert [ratio.met for ratio in ratios] == [False, None, True, *[None] * 4]


def test_plans_of_many_are_compared_with_those_of_one() -> None:
    assert [ratio.value for ratio in plans.results({"one": [2.0, 4.0, 9.0], "many": [1.0]}).ratios] == [0.25]


def test_only_the_imports_of_a_program_are_run() -> None:
    source = "'''doc'''\nimport a\nfrom b import c\nif True:\n    import d\nx = a.f()\n"
    assert import_modules.import_statements(source) == "import a\nfrom b import c"


def test_modules_of_aws_are_not_imported_on_dev() -> None:
    """The fact, not the time: it holds on any machine."""
    assert import_modules.unwanted_modules().met


def test_imports_are_measured_in_turn_after_one_that_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(statements: str) -> dict[str, object]:
        asked.append(statements)
        return {"seconds": len(asked) / 1000, "modules": ["pulumi_aws"]}

    monkeypatch.setattr(import_modules, "_run", run)
    results = import_modules.measure(2)
    assert [found.values for found in results.series] == [pytest.approx((3, 5)), pytest.approx((4, 6))]
    assert asked[::2] == [asked[0]] * 3
    assert asked[1::2] == [asked[1]] * 3
    assert [fact.met for fact in results.facts] == [False]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc: memory is not sampled here")
def test_memory_of_grandchildren_counts() -> None:
    grandchild = "held = b'x' * (200 * 2**20); print('held', flush=True); input()"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    before = stopwatch.resident_bytes_below(os.getpid())
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        found = stopwatch.resident_bytes_below(os.getpid()) - before
        process.communicate(b"\n")
    assert 200 < found / 2**20 < 400


def test_an_action_that_is_measured_fails_as_it_would() -> None:
    with pytest.raises(ZeroDivisionError):
        stopwatch.peak_memory(lambda: 1 / 0)


def test_a_benchmark_that_cannot_run_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def unavailable(runs: int) -> Results:
        raise UnavailableError("no engine")

    target = tmp_path / "README.md"
    target.write_text(DOCUMENT)
    monkeypatch.setattr(command_line, "TARGET", target)
    monkeypatch.setattr(command_line, "BENCHMARKS", {"up": unavailable})
    assert command_line.main(["up"]) == 0
    assert "up: skipped: no engine" in capsys.readouterr().out
    assert target.read_text() == DOCUMENT


@pytest.mark.parametrize("arguments", [["nothing"], ["up", "--runs", "0"]])
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        command_line.main(arguments)
    assert exit_.value.code == 2
    assert re.search("expected (names of imports|at least 1 run)", capsys.readouterr().err)
