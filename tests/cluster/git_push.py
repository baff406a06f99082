"""Pushes to the DAG repository of the tests, where they may."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def push_dag(folder: Path, name: str, content: str) -> str | None:
    """Commits a file to the repository's DAGs, and returns the commit; None without AIRFLOW_TEST_GIT_PUSH.

    folder: empty, for a clone. A file that is there with this content makes no commit.
    """
    target = os.environ.get("AIRFLOW_TEST_GIT_PUSH")
    if not target:
        return None
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", "clone", "-q", target, str(folder)], check=True)
    path = folder / os.environ.get("AIRFLOW_TEST_GIT_SUB_PATH", "dags") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    subprocess.run([*git, "add", "-A"], check=True)
    if subprocess.run([*git, "diff", "--cached", "--quiet"], check=False).returncode:
        subprocess.run([*git, "commit", "-qm", f"tests: {name}"], check=True)
        subprocess.run([*git, "push", "-q"], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def pushed_dag(folder: Path, name: str, content: str) -> Iterator[None]:
    """Keep a file among the repository's DAGs until the end of the block. Skips the test where nothing may be pushed.

    A DAG that is left there could be chosen by the verification of another test's stack.
    """
    if push_dag(folder, name, content) is None:
        pytest.skip("no repository to push to: AIRFLOW_TEST_GIT_PUSH is not set")
    try:
        yield
    finally:
        remove_dag(folder, name)


def remove_dag(folder: Path, name: str) -> None:
    """Takes a file that `push_dag` committed out of the repository again. folder: the clone that it made."""
    git = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run([*git, "pull", "-q", "--rebase"], check=True)
    path = f"{os.environ.get('AIRFLOW_TEST_GIT_SUB_PATH', 'dags')}/{name}"
    subprocess.run([*git, "rm", "-q", "--ignore-unmatch", path], check=True)
    if subprocess.run([*git, "diff", "--cached", "--quiet"], check=False).returncode:
        subprocess.run([*git, "commit", "-qm", f"tests: without {name}"], check=True)
        subprocess.run([*git, "push", "-q"], check=True)
