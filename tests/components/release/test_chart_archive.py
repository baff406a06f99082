"""The chart's archive: wherever it comes from, only the pinned content is used, and it is fetched once."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import versions
from components.release.chart_archive import ARCHIVE, SOURCES, ChartError, chart_archive, user_cache

CONTENT = b"the pinned archive of these tests"
RELATIVE = f"./.charts/{ARCHIVE}"


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(versions, "AIRFLOW_CHART_SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


class Downloads:
    """Answers for each source in turn: content, or an error to raise."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, source: str) -> bytes:
        self.asked.append(source)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def assert_kept(project: Path) -> None:
    assert (project / ".charts" / ARCHIVE).read_bytes() == CONTENT


def test_cache_that_cannot_be_written_or_found_stops_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as in a container whose home is read-only, or whose user has none."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    assert chart_archive("", project, Downloads(CONTENT)) == RELATIVE
    assert_kept(project)
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobody-has-this-name/cache")
    assert user_cache().is_absolute()


def test_archive_of_the_project_is_used_as_it_is(project: Path) -> None:
    put(project / ".charts" / ARCHIVE)
    assert chart_archive("", project, Downloads()) == RELATIVE
    assert not user_cache().exists()


def test_path_is_relative_so_that_no_machine_sees_a_difference(project: Path) -> None:
    put(project / ".charts" / ARCHIVE)
    assert str(project) not in chart_archive("", project, Downloads())
    assert RELATIVE.startswith("./"), "Helm takes another name for that of a repository's chart"


def test_archive_of_the_cache_is_copied(project: Path) -> None:
    put(user_cache() / ARCHIVE)
    assert chart_archive("", project, Downloads()) == RELATIVE
    assert_kept(project)


def test_archive_is_downloaded_once_for_all_clones(project: Path, tmp_path: Path) -> None:
    downloads = Downloads(CONTENT)
    assert chart_archive("", project, downloads) == RELATIVE
    assert_kept(project)
    other = tmp_path / "another-clone"
    other.mkdir()
    assert chart_archive("", other, downloads) == RELATIVE
    assert_kept(other)
    assert downloads.asked == [SOURCES[0]]


def test_archive_that_moved_is_found_at_its_second_place(project: Path) -> None:
    downloads = Downloads(urllib.error.URLError("404"), CONTENT)
    chart_archive("", project, downloads)
    assert downloads.asked == list(SOURCES)
    assert_kept(project)


def test_failed_download_says_what_was_tried_and_what_to_do(project: Path) -> None:
    with pytest.raises(ChartError) as error:
        chart_archive("", project, Downloads(TimeoutError("too slow"), urllib.error.URLError("no network")))
    text = str(error.value)
    for part in (
        *SOURCES,
        "too slow",
        "no network",
        "pulumi config set --stack STACK airflow:chartPath FILE",
        str(user_cache()),
    ):
        assert part in text
    assert not (project / ".charts").exists()


@pytest.mark.parametrize("place", ["project", "cache"])
def test_archive_with_other_content_is_not_used(project: Path, place: str) -> None:
    put((project / ".charts" if place == "project" else user_cache()) / ARCHIVE, b"other")
    downloads = Downloads(CONTENT)
    chart_archive("", project, downloads)
    assert downloads.asked == [SOURCES[0]]
    assert_kept(project)


def test_download_with_other_content_is_refused_and_not_kept(project: Path) -> None:
    with pytest.raises(ChartError, match=r"expected the archive .* with SHA-256 .*, got .* Do not use it"):
        chart_archive("", project, Downloads(b"exchanged"))
    assert not (user_cache() / ARCHIVE).exists()
    assert not (project / ".charts" / ARCHIVE).exists()


def test_given_archive_is_used_without_looking_elsewhere(project: Path, tmp_path: Path) -> None:
    given = put(tmp_path / "elsewhere" / "chart.tgz")
    assert chart_archive(str(given), project, Downloads()) == RELATIVE
    assert_kept(project)


def test_given_archive_may_be_under_the_home(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "chart.tgz")
    assert chart_archive("~/chart.tgz", project, Downloads()) == RELATIVE


def test_given_archive_with_other_content_is_refused(project: Path, tmp_path: Path) -> None:
    given = put(tmp_path / "chart.tgz", b"other")
    put(project / ".charts" / ARCHIVE)
    with pytest.raises(ChartError, match="SHA-256"):
        chart_archive(str(given), project, Downloads())
    assert_kept(project)


@pytest.mark.parametrize("name", ["missing.tgz", "."])
def test_given_archive_that_cannot_be_read_is_one_clear_error(project: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ChartError, match=r"airflow:chartPath: expected the archive .* Fix: pulumi config set --stack STACK"
    ):
        chart_archive(str(tmp_path / name), project, Downloads())


@pytest.mark.parametrize("cached", [False, True])
def test_interrupted_write_leaves_nothing(project: Path, cached: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if cached:
        put(user_cache() / ARCHIVE)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        chart_archive("", project, Downloads(CONTENT))
    assert os.listdir(user_cache()) == ([ARCHIVE] if cached else [])
    assert not (project / ".charts").exists() or os.listdir(project / ".charts") == []


def test_whoever_reads_the_archive_reads_one_content_to_its_end(project: Path) -> None:
    """Two first runs in one folder: what the other one finds there may be replaced, but never while it is written."""
    put(user_cache() / ARCHIVE)
    kept = put(project / ".charts" / ARCHIVE, CONTENT[:5])
    with kept.open("rb") as reader:
        assert chart_archive("", project, Downloads()) == RELATIVE
        assert reader.read() == CONTENT[:5]
    assert_kept(project)
    assert os.listdir(project / ".charts") == [ARCHIVE], "nothing else is left there"


def test_archive_may_be_read_by_others(project: Path) -> None:
    chart_archive("", project, Downloads(CONTENT))
    for path in (project / ".charts" / ARCHIVE, user_cache() / ARCHIVE):
        assert path.stat().st_mode & 0o777 == 0o644


def test_cache_follows_the_xdg_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert user_cache() == tmp_path / ".cache" / "airflow-on-kubernetes"
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert user_cache() == Path("/somewhere/airflow-on-kubernetes")


def test_sources_are_the_foundation_s_own_over_tls() -> None:
    for source in SOURCES:
        assert source.startswith("https://")
        assert ".apache.org/" in source
        assert source.endswith(f"/{versions.AIRFLOW_CHART}/{ARCHIVE}")


def test_real_download_asks_with_a_time_limit(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    asked: list[float] = []

    def urlopen(source: str, timeout: float) -> None:
        asked.append(timeout)
        raise urllib.error.URLError(f"no network for {source}")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(ChartError, match="no network for https"):
        chart_archive("", project)
    assert len(asked) == 2
    assert all(0 < seconds <= 120 for seconds in asked)
