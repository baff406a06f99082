"""Finds or installs the Pulumi engine, and runs it so that it can be cancelled."""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pulumi.automation import CommandResult, InvalidVersionError, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

import versions
from automation.engine import installation, started_engines
from automation.engine.installation import InstallationError
from automation.errors import EngineMissing
from automation.folder import LocalFolder

OnOutput = Callable[[str], Any]


class Engine(PulumiCommand):
    """The command `pulumi`, run in sessions of their own, so that Ctrl-C in a terminal does not reach it. Thread-safe.

    The engine must get exactly one signal: the first makes it finish what it has begun and release its lock, a second
    one makes it drop everything.
    """

    def __init__(self, root: str | None = None) -> None:
        """Take the installation in a folder, or the one on PATH.

        Raises InvalidVersionError, OSError or subprocess.SubprocessError if that is not a usable engine.
        """
        super().__init__(root=root, version=VersionInfo.parse(versions.PULUMI_CLI_MINIMUM))
        self._reset()

    def another(self) -> Engine:
        """Return the same installation for commands that are cancelled apart from these. Runs nothing."""
        engine = copy.copy(self)
        engine._reset()
        return engine

    def _reset(self) -> None:
        # Re-entrant: a signal handler may run in the middle of any line of the main thread.
        self._lock = threading.RLock()
        self._commands = 0
        self._processes: set[subprocess.Popen[str]] = set()
        self._signalled: set[subprocess.Popen[str]] = set()
        self._interrupted = False

    @property
    def running(self) -> bool:
        """A command is under way."""
        with self._lock:
            return self._commands > 0

    @property
    def interrupted(self) -> bool:
        """The commands that run, or the last that ran, were cancelled."""
        with self._lock:
            return self._interrupted

    def cancel(self) -> None:
        """Cancel every running command, each one once. Later commands run."""
        with self._lock:
            self._interrupted = self._commands > 0
            for process in self._processes - self._signalled:
                self._interrupt(process)

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
        *,
        given: str | None = None,
    ) -> CommandResult:
        """Run a command, as `PulumiCommand.run` does, but so that it can be cancelled. Raises CommandError.

        Args:
            args: The words after `pulumi`.
            cwd: The folder to run it in.
            additional_env: Variables in addition to those of this process.
            on_output: Receives each line of its standard output.
            on_error: Receives each line of its standard error.
            given: What it reads on its standard input. A secret there stands in no list of processes.
        """
        with self._lock:
            if self._commands == 0:
                self._interrupted = False
            self._commands += 1
        try:
            process = self._start(args, cwd, additional_env, given is not None)
            locks = started_engines.takes_lock(args)
            if locks:
                started_engines.note(Path(cwd), process.pid)
            try:
                result = _result(process, on_output, on_error, given)
            except BaseException:
                self.cancel()  # never leave an engine running that is not watched
                process.wait()
                raise
            finally:
                with self._lock:
                    self._processes.discard(process)
                    self._signalled.discard(process)
        finally:
            with self._lock:
                self._commands -= 1
        if result.code != 0:
            raise create_command_error(result)
        if locks:
            started_engines.forget(Path(cwd), process.pid)
        return result

    def _start(
        self, args: list[str], cwd: str, additional_env: Mapping[str, str], given: bool
    ) -> subprocess.Popen[str]:
        command = [self.command, *args]
        if "--non-interactive" not in args:
            command.insert(1, "--non-interactive")
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=self._environment(additional_env),
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        with self._lock:
            self._processes.add(process)
            if self._interrupted:  # it was cancelled while the process started
                self._interrupt(process)
        return process

    def _interrupt(self, process: subprocess.Popen[str]) -> None:
        self._signalled.add(process)
        process.send_signal(signal.SIGINT)

    def _environment(self, additional: Mapping[str, str]) -> dict[str, str]:
        environment = {**os.environ, **additional, "PULUMI_AUTOMATION_API": "true"}
        folder = Path(self.command).parent
        if folder.is_absolute():
            # The language hosts of this engine come before others.
            environment["PATH"] = os.pathsep.join([str(folder), environment.get("PATH", "")])
        return environment


def find_engine(project_dir: Path, on_line: Callable[[str], None] = lambda line: None) -> Engine:
    """Return `pulumi` on PATH, else one that was installed here before, else install the pinned one.

    An engine is usable if its major version is the pinned one's and it is at least `versions.PULUMI_CLI_MINIMUM`: an
    older engine lacks what the program needs, and a newer one works with an older SDK. If there is none, exactly
    `versions.PULUMI_CLI` is installed in the project's `.dev/pulumi`, after a line to `on_line`.
    Raises EngineMissing.
    """
    root = str(LocalFolder(project_dir).engine)
    if shutil.which("pulumi"):
        try:
            return Engine()
        except (InvalidVersionError, OSError, subprocess.SubprocessError) as error:
            on_line(f"pulumi on PATH cannot be used: {_reason(error)}")
    try:
        return Engine(root)
    except (InvalidVersionError, OSError, subprocess.SubprocessError):
        pass
    return install_engine(project_dir, on_line)


def install_engine(project_dir: Path, on_line: Callable[[str], None] = lambda line: None) -> Engine:
    """Install the pinned engine in the project's `.dev/pulumi`, whatever is on PATH, after a line to `on_line`.

    Raises EngineMissing.
    """
    root = str(LocalFolder(project_dir).engine)
    on_line(f"installing Pulumi {versions.PULUMI_CLI} in {root}")
    try:
        installation.install(Path(root), on_line)
        return Engine(root)
    except (InstallationError, InvalidVersionError, OSError, subprocess.SubprocessError) as error:
        raise EngineMissing(
            f"pulumi {versions.PULUMI_CLI_MINIMUM} or newer is not on PATH, and {versions.PULUMI_CLI} could not be "
            f"installed ({_reason(error)})",
            "install it as https://www.pulumi.com/docs/iac/download-install/ says, or let this machine reach "
            "github.com",
        ) from error


def _result(
    process: subprocess.Popen[str], on_output: OnOutput | None, on_error: OnOutput | None, given: str | None
) -> CommandResult:
    """Wait for the end. A thread reads each stream, so that no full pipe blocks the engine."""
    lines: tuple[list[str], list[str]] = ([], [])

    def read(stream: IO[str], callback: OnOutput | None, into: list[str]) -> None:
        with stream:
            for line in stream:
                into.append(line.rstrip())
                if callback:
                    callback(into[-1])

    assert process.stdout is not None
    assert process.stderr is not None
    readers = [
        threading.Thread(target=read, args=(process.stdout, on_output, lines[0]), daemon=True),
        threading.Thread(target=read, args=(process.stderr, on_error, lines[1]), daemon=True),
    ]
    for reader in readers:
        reader.start()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as stream:  # it may have ended without reading
            stream.write(f"{given}\n")  # the engine removes the last line end
    for reader in readers:
        reader.join()
    return CommandResult(stdout="\n".join(lines[0]), stderr="\n".join(lines[1]), code=process.wait())


def _reason(error: Exception) -> str:
    """Return one line for an error of the installer or of the command."""
    if isinstance(error, subprocess.CalledProcessError):
        output = error.output.decode(errors="replace") if isinstance(error.output, bytes) else str(error.output or "")
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return lines[-1] if lines else f"it ended with exit code {error.returncode}"
    return " ".join(str(error).split())
