"""Images of a new cluster of Kind are pulled while other things go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.cluster.images_ahead import images_of, images_of_stack, pull_ahead
from components.kube.images import Images
from tests.samples import ROOT

SCRIPT = """#!/bin/bash
[ "$3" = cat ] && { echo 327155712; exit; }
echo "$*" >> "$FAKE/calls"
case "$5" in
  slow) sleep 0.3;;
  early) [ $(grep -c . "$FAKE/calls") = 3 ] && exit
    echo 'dial unix /run/containerd/containerd.sock: connect: no such file or directory' >&2; exit 1;;
  missing) echo 'E1129 rpc error' >&2; echo 'not found' >&2; exit 1;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Docker that keeps what it is asked."""
    path = tmp_path / "docker"
    path.write_text(SCRIPT)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE", str(tmp_path))
    return tmp_path


def pulled(*images: str, environ: dict[str, str] | None = None) -> list[str]:
    """The lines that are said while images are pulled."""
    lines: list[str] = []
    for thread in pull_ahead(
        "kind-airflow", images, lines.append, environ=environ or {}, remind_seconds=0.05, pause_seconds=0
    ):
        thread.join()
    return lines


def test_each_image_is_pulled_in_the_node_and_said(docker: Path) -> None:
    lines = pulled("a:1", "b:2")
    assert sorted((docker / "calls").read_text().splitlines()) == [
        "exec airflow-control-plane crictl pull a:1",
        "exec airflow-control-plane crictl pull b:2",
    ]
    assert sorted(lines) == ["pulled a:1", "pulled b:2", "pulling a:1 into the node", "pulling b:2 into the node"]


def test_slow_pull_is_said_again_and_a_node_that_starts_is_asked_again(docker: Path) -> None:
    lines = pulled("slow")
    assert lines[0] == "pulling slow into the node"
    assert lines[1].startswith("still pulling slow (")
    assert lines[1].endswith(" s; the node has received 312 MiB)")
    assert lines[-1] == "pulled slow"
    (docker / "calls").unlink()
    assert pulled("early") == ["pulling early into the node", "pulled early"]
    assert len((docker / "calls").read_text().splitlines()) == 3, "its containerd answers at last"


def test_failed_pull_is_no_error_and_says_why(docker: Path) -> None:
    assert pulled("missing")[-1] == "missing is not pulled ahead: not found"
    other = {"KIND_EXPERIMENTAL_PROVIDER": "no-such-engine"}
    assert pulled("a", environ=other)[-1] == "a is not pulled ahead: No such file or directory"


def test_images_are_those_of_the_stack_with_mirrors() -> None:
    plain = images_of_stack(ROOT, "dev")
    assert [item.partition(":")[0] for item in plain] == [
        "apache/airflow",
        "postgres",
        "redis",
        "quay.io/prometheus/statsd-exporter",
        "registry.k8s.io/git-sync/git-sync",
    ]
    assert all(item.partition(":")[2] for item in plain)
    mirrored = images_of(Images(tag="1", registry="mirror.example"))
    assert all(item.startswith("mirror.example/") for item in mirrored)
