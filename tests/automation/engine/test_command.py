"""Which engine is taken, and how it is run and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from pulumi.automation import CommandError

import versions
from automation.cli.interrupt import interruptible
from automation.engine import installation
from automation.engine.command import Engine, find_engine, install_engine
from automation.engine.installation import InstallationError
from automation.errors import EngineMissing

MINIMUM = versions.PULUMI_CLI_MINIMUM
TOO_OLD = "3.1.0"


def fake_pulumi(folder: Path, version: str, script: str = "") -> Path:
    """A `pulumi` that tells its version, and else does what a shell script says."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pulumi"
    path.write_text(f'#!/bin/bash\nif [ "$1" = version ]; then echo v{version}; exit; fi\n{script}\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is on PATH before what the scripts themselves need; no real pulumi is."""
    folder = tmp_path / "on-path"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK", raising=False)
    return folder


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Folder of each installation that is asked for; it succeeds without any download."""
    calls: list[str] = []

    def install(root: Path, on_line: object) -> None:
        calls.append(str(root))
        fake_pulumi(root / "bin", versions.PULUMI_CLI)

    monkeypatch.setattr(installation, "install", install)
    return calls


@pytest.mark.parametrize("version", [MINIMUM, versions.PULUMI_CLI, "3.999.0"])
def test_engine_on_path_that_is_new_enough_is_taken(
    tmp_path: Path, on_path: Path, installs: list[str], version: str
) -> None:
    fake_pulumi(on_path, version)
    assert str(find_engine(tmp_path).version) == version
    assert installs == []


def test_engine_on_path_comes_before_an_installed_one(tmp_path: Path, on_path: Path, installs: list[str]) -> None:
    fake_pulumi(on_path, "3.998.0")
    fake_pulumi(tmp_path / ".dev" / "pulumi" / "bin", "3.999.0")
    assert str(find_engine(tmp_path).version) == "3.998.0"


@pytest.mark.parametrize("version", [None, TOO_OLD, "4.0.0", "nonsense"])
def test_else_the_installed_one_is_taken(
    tmp_path: Path, on_path: Path, installs: list[str], version: str | None
) -> None:
    if version:
        fake_pulumi(on_path, version)
    fake_pulumi(tmp_path / ".dev" / "pulumi" / "bin", MINIMUM)
    engine = find_engine(tmp_path)
    assert engine.command == str(tmp_path / ".dev" / "pulumi" / "bin" / "pulumi")
    assert installs == []


@pytest.mark.parametrize("installed", [None, TOO_OLD])
def test_else_exactly_the_pinned_one_is_installed_and_said_so(
    tmp_path: Path, on_path: Path, installs: list[str], installed: str | None
) -> None:
    if installed:
        fake_pulumi(tmp_path / ".dev" / "pulumi" / "bin", installed)
    lines: list[str] = []
    assert str(find_engine(tmp_path, lines.append).version) == versions.PULUMI_CLI
    assert installs == [str(tmp_path / ".dev" / "pulumi")]
    assert lines == [f"installing Pulumi {versions.PULUMI_CLI} in {tmp_path / '.dev' / 'pulumi'}"]


def test_engine_on_path_that_is_of_no_use_is_said_to_be(tmp_path: Path, on_path: Path, installs: list[str]) -> None:
    fake_pulumi(on_path, TOO_OLD)
    lines: list[str] = []
    find_engine(tmp_path, lines.append)
    assert TOO_OLD in lines[0]


def test_pinned_engine_is_installed_beside_a_newer_one_on_path_if_asked_for(
    tmp_path: Path, on_path: Path, installs: list[str]
) -> None:
    fake_pulumi(on_path, "3.999.0")
    engine = install_engine(tmp_path)
    assert str(engine.version) == versions.PULUMI_CLI
    assert engine.command == str(tmp_path / ".dev" / "pulumi" / "bin" / "pulumi")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InstallationError("<urlopen error [Errno -2] Name or service not known>"), "Name or service not known"),
        (OSError(30, "Read-only file system"), "Read-only file system"),
        (subprocess.CalledProcessError(1, "x", output=b"first line\nwrong format\n"), "wrong format"),
        (subprocess.CalledProcessError(7, "x", output=b""), "exit code 7"),
    ],
)
def test_download_that_fails_is_one_line_with_what_why_and_how(
    tmp_path: Path, on_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def install(root: Path, on_line: object) -> None:
        raise error

    monkeypatch.setattr(installation, "install", install)
    with pytest.raises(EngineMissing) as raised:
        find_engine(tmp_path)
    text = str(raised.value)
    assert "\n" not in text
    for part in (MINIMUM, versions.PULUMI_CLI, reason, "Fix: ", "https://www.pulumi.com/docs/iac/download-install/"):
        assert part in text


def test_run_gives_output_to_callbacks_and_in_the_result(tmp_path: Path, on_path: Path) -> None:
    fake_pulumi(on_path, MINIMUM, 'echo "$@"; echo $EXTRA; echo oops >&2; pwd')
    out: list[str] = []
    err: list[str] = []
    result = Engine().run(["stack", "ls"], str(tmp_path), {"EXTRA": "more"}, out.append, err.append)
    assert out == ["--non-interactive stack ls", "more", str(tmp_path)]
    assert result.stdout == "\n".join(out)
    assert (result.stderr, err) == ("oops", ["oops"])


def test_run_that_fails_raises_with_what_was_written(tmp_path: Path, on_path: Path) -> None:
    fake_pulumi(on_path, MINIMUM, "echo error: it is broken >&2; exit 3")
    with pytest.raises(CommandError, match="it is broken"):
        Engine().run(["up"], str(tmp_path), {})


def test_large_output_on_both_streams_blocks_nobody(tmp_path: Path, on_path: Path) -> None:
    fake_pulumi(on_path, MINIMUM, "yes 0123456789 | head -n 20000 | tee /dev/stderr")
    result = Engine().run(["up"], str(tmp_path), {})
    assert (len(result.stdout), len(result.stderr)) == (20000 * 11 - 1, 20000 * 11 - 1)


TRAP = """
trap 'echo told >> told; [ -e told2 ] && exit 9; touch told2; (sleep 0.3; echo done > done; kill -USR1 $$) &' INT
trap 'exit 1' USR1
touch started
for i in {1..200}; do sleep 0.05; done
"""


def wait_until_there(path: Path) -> None:
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.01)


def start(engine: Engine, folder: Path) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            engine.run(["up"], str(folder), {})
        except CommandError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until_there(folder / "started")
    return thread, errors


def test_interrupt_tells_the_engine_once_and_it_may_finish(tmp_path: Path, on_path: Path) -> None:
    """A second signal would make the engine drop what it has begun."""
    fake_pulumi(on_path, MINIMUM, TRAP)
    engine = Engine()
    thread, errors = start(engine, tmp_path)
    assert engine.running
    for _ in range(3):
        engine.cancel()
        time.sleep(0.05)
    thread.join(10)
    assert (tmp_path / "told").read_text() == "told\n"
    assert (tmp_path / "done").exists()
    assert len(errors) == 1
    assert engine.interrupted
    assert not engine.running


def test_engine_can_be_used_again_after_an_interrupt(tmp_path: Path, on_path: Path) -> None:
    fake_pulumi(on_path, MINIMUM, TRAP)
    engine = Engine()
    thread, _ = start(engine, tmp_path)
    engine.cancel()
    thread.join(10)
    fake_pulumi(on_path, MINIMUM, "echo fine")
    assert engine.run(["up"], str(tmp_path), {}).stdout == "fine"
    assert not engine.interrupted


def test_interrupt_without_a_command_does_nothing(on_path: Path) -> None:
    fake_pulumi(on_path, MINIMUM)
    engine = Engine()
    engine.cancel()
    assert not engine.interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_the_engine_once_and_this_process_waits(
    tmp_path: Path, on_path: Path, number: signal.Signals
) -> None:
    fake_pulumi(on_path, MINIMUM, TRAP)
    engine, lines = Engine(), list[str]()
    before = signal.getsignal(number)

    def send() -> None:
        wait_until_there(tmp_path / "started")
        for _ in range(2):
            os.kill(os.getpid(), number)
            time.sleep(0.1)

    sender = threading.Thread(target=send)
    sender.start()
    with interruptible(engine, lines.append), pytest.raises(CommandError):
        engine.run(["up"], str(tmp_path), {})
    sender.join()
    assert (tmp_path / "told").read_text() == "told\n"
    assert (tmp_path / "done").exists()
    assert number.name in lines[0]
    assert "already stopping" in lines[1]
    assert signal.getsignal(number) is before


def test_terminal_interrupt_does_not_reach_the_engine_past_us(tmp_path: Path, on_path: Path) -> None:
    """Ctrl-C goes to the whole foreground process group: the engine is in one of its own."""
    fake_pulumi(on_path, MINIMUM, "ps -o pgid= -p $$")
    group = int(Engine().run(["up"], str(tmp_path), {}).stdout)
    assert group != os.getpgrp()


def test_signal_between_commands_interrupts_at_once(on_path: Path) -> None:
    fake_pulumi(on_path, MINIMUM)
    with pytest.raises(KeyboardInterrupt), interruptible(Engine(), print):
        signal.raise_signal(signal.SIGTERM)


def test_off_the_main_thread_signals_are_left_alone(on_path: Path) -> None:
    fake_pulumi(on_path, MINIMUM)
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def other() -> None:
        with interruptible(Engine(), print):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [before]
