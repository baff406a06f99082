"""Plan a checkout in a fresh process of that checkout's own Python.

Two commits can be planned side by side, and an error of either is a result. The process gets no variable of this
process's environment that could be a credential.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from automation.plan.model import Failure, FailureKind, Plan
from components.secrets.masker import Masker, without_digests

_SECONDS: Final = 300
_KEPT: Final = frozenset(
    {
        *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT"),
        *("XDG_CACHE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"),  # the chart, and how to download it
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    }
)
_SET: Final = {
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "PULUMI_ERROR_OUTPUT_STRING": "true",  # an Output in an f-string is an error, not a text that gets deployed
    "AWS_EC2_METADATA_DISABLED": "true",
}


def new_key() -> bytes:
    """Return a key for the digests in masks. Plans that are compared share one."""
    return secrets.token_bytes(32)


def plan_checkout(
    project_dir: Path,
    stack: str,
    *,
    render: bool = True,
    key: bytes | None = None,
    known_secrets: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Plan:
    """Return the plan of a stack of the program in `project_dir`. A failure is one of its fields.

    Args:
        render: Let Helm render the chart.
        key: See `new_key`; without one the masks hold no digests, and the plan cannot be compared.
        known_secrets: Values of secret config keys, by short key; the others are stood in for.
    """
    if key is None:
        plan = plan_checkout(
            project_dir, stack, render=render, key=new_key(), known_secrets=known_secrets, environ=environ
        )
        return Plan.from_json(without_digests(plan.to_json()))
    project_dir = project_dir.resolve()
    request = {"stack": stack, "render": render, "key": key.hex(), "secrets": dict(known_secrets or {})}
    masker = Masker(key, (known_secrets or {}).values())
    try:
        done = subprocess.run(
            [_python(project_dir), "-m", "automation.plan"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            cwd=project_dir,
            env=_environment(environ),
        )
    except subprocess.TimeoutExpired:
        return _failed(stack, f"the program did not end within {_SECONDS} s")
    except OSError as error:
        return _failed(stack, f"its Python could not be started: {error.strerror}")
    try:
        # Whatever that process did about secrets, it may be an older version of this.
        return Plan.from_json(masker.value(json.loads(done.stdout)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _failed(stack, masker.text(_last_words(done.stderr, project_dir) or f"exit code {done.returncode}"))


def _failed(stack: str, text: str) -> Plan:
    return Plan(stack=stack, failure=Failure(kind=FailureKind.PROCESS, text=text))


def _python(project_dir: Path) -> str:
    """Return the checkout's own Python, or this one: a worktree of another commit has none."""
    own = project_dir / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    # A proxy's address may hold a password.
    kept = {name: value for name, value in environ.items() if name in _KEPT and "@" not in value}
    return kept | _SET


def _last_words(stderr: str, project_dir: Path) -> str:
    """Return the end of a traceback: the place and the exception."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    places = [match for match in map(re.compile(r'File "(.+)", line (\d+)').match, lines) if match]
    place = f"{places[-1][1].removeprefix(f'{project_dir}/')}:{places[-1][2]}: " if places else ""
    last = lines[-1].replace(f"{project_dir}/", "") if lines else ""
    if re.search(r"No module named '?automation(\.plan(\.__main__)?)?\b", last):
        return "it has no automation.plan, which came later"
    return f"{place}{last}"
