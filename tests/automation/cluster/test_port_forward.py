"""A forwarded port outlives the pods behind it."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest

from automation.cluster import port_forward
from automation.cluster.port_forward import forward, has_browser
from automation.errors import ClusterRequestFailed
from automation.wait import Clock

OPEN = "echo 'Forwarding from 127.0.0.1:8080 -> 8080'; "


class Forwarding:
    """A kubectl that does the next thing at each call, and a clock without time."""

    def __init__(self, folder: Path, *scripts: str) -> None:
        self.lines: list[str] = []
        self.opened = 0
        self.interrupted = False
        self.now = 0.0
        self.calls = folder / "calls"
        for number, script in enumerate(scripts):
            (folder / str(number)).write_text(script)
        last = len(scripts) - 1
        self.program = folder / "kubectl"
        self.program.write_text(
            f'#!/bin/bash\nn=$(wc -l < "{self.calls}" 2>/dev/null || echo 0); echo >> "{self.calls}"\n'
            f'source "{folder}/$((n < {last} ? n : {last}))"\n'
        )
        self.program.chmod(0o755)

    def run(self) -> None:
        def open_() -> None:
            self.opened += 1
            if self.interrupted:
                raise KeyboardInterrupt

        def sleep(seconds: float) -> None:
            self.now += 60

        clock = Clock(now=lambda: self.now, sleep=sleep)
        forward([str(self.program)], 8080, on_open=open_, on_line=self.lines.append, clock=clock)


def test_port_that_never_opens_is_an_error_at_once(tmp_path: Path) -> None:
    forwarding = Forwarding(tmp_path, "echo 'unable to listen on port 8080' >&2; exit 1")
    with pytest.raises(ClusterRequestFailed, match=r"unable to listen on port 8080.*free port 8080, or .* --port 8081"):
        forwarding.run()
    assert forwarding.opened == 0
    assert forwarding.calls.read_text().count("\n") == 1


def test_pod_that_does_not_run_is_no_matter_of_the_port(tmp_path: Path) -> None:
    said = "error: unable to forward port because pod is not running. Current status=Pending"
    with pytest.raises(ClusterRequestFailed, match=r"Current status=Pending.*automation status") as raised:
        Forwarding(tmp_path, f"echo '{said}' >&2; exit 1").run()
    assert "free port" not in str(raised.value)


def test_what_fails_when_the_port_is_open_ends_kubectl(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    serving = f"trap 'touch {ended}; exit' TERM; {OPEN} for _ in {{1..50}}; do sleep 0.1; done"
    forwarding = Forwarding(tmp_path, serving)

    def broken() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        forward([str(forwarding.program)], 8080, on_open=broken, on_line=forwarding.lines.append)
    assert ended.exists(), "it would have gone on as long as the cluster"


def test_lost_connection_is_made_again_and_said_once_each_time(tmp_path: Path) -> None:
    lost, refused = f"{OPEN} echo 'lost connection to pod' >&2; exit 1", "echo 'pod is not running' >&2; exit 1"
    forwarding = Forwarding(tmp_path, lost, refused, lost, refused)
    with pytest.raises(ClusterRequestFailed, match=r"no connection for 300 s \(pod is not running\)"):
        forwarding.run()
    assert forwarding.opened == 1
    assert forwarding.lines == [
        "connection lost (lost connection to pod); connecting again",
        "connected again",
        "connection lost (lost connection to pod); connecting again",
    ]


def test_interrupt_ends_it_without_an_error(tmp_path: Path) -> None:
    forwarding = Forwarding(tmp_path, f"{OPEN} exec sleep 30")
    forwarding.interrupted = True
    forwarding.run()
    assert forwarding.opened == 1


def test_browser_is_opened_where_a_person_sees_it() -> None:
    for environ, platform, terminal, wanted in (
        ({}, "darwin", True, True),
        ({}, "linux", True, False),
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({"BROWSER": "firefox"}, "linux", True, True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, "linux", True, False),
        ({"DISPLAY": ":0"}, "linux", False, False),
        ({}, "darwin", False, False),
    ):
        assert has_browser(environ, platform, terminal=terminal) is wanted, (environ, platform, terminal)


def test_without_a_browser_nothing_is_opened_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str) -> bool:
        raise webbrowser.Error("none")

    monkeypatch.setattr(webbrowser, "open", missing)
    assert port_forward.open_browser("http://localhost") is False
