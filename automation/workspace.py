"""Opens a stack of the program: where its state is, what encrypts its secrets, and a work directory for the engine.

The engine writes into a stack's file (`encryptionsalt` at least). So that the committed files stay as they are, it
works in `.dev/<stack>/` on copies that are made anew at every opening.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import yaml
from pulumi.automation import CommandError, LocalWorkspace, Stack, StackNotFoundError

from automation import plugins
from automation.engine import Engine
from automation.engine_error import engine_error
from automation.errors import FileInvalid, PassphraseMissing, StackUnknown
from automation.folder import Folder, short_name, write_file

_BACKEND: Final = "PULUMI_BACKEND_URL"
_PASSPHRASES: Final = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
_ENCRYPTION: Final = ("secretsprovider", "encryptedkey", "encryptionsalt")
"""Keys of a stack's file that say what encrypts its secrets (pulumi: sdk/go/common/workspace/project.go)."""


@dataclass(frozen=True)
class Backend:
    """url: of the state. env: what the engine needs beside its own environment."""

    url: str
    env: Mapping[str, str]


def open_stack(
    project_dir: Path,
    stack: str,
    engine: Engine,
    *,
    create: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> Stack:
    """The stack, made where there is none and `create` says so.

    Raises StackUnknown (no `Pulumi.<stack>.yaml`; with `create` false: no such stack in the backend),
    FileInvalid, PassphraseMissing, and UpdateFailed where the engine cannot open it.
    """
    project_dir = project_dir.resolve()
    if not create and is_local(project_dir, environ) and not Folder(project_dir).state.exists():
        raise _unknown(stack, backend_url(project_dir, environ))
    work_dir = prepare_work_dir(project_dir, stack)
    backend = prepare_backend(project_dir, stack, environ)
    # What the engine would fetch by itself is more than the program uses; `update` sees to the rest.
    environment = {**backend.env, **plugins.ENVIRONMENT}
    workspace = LocalWorkspace(work_dir=str(work_dir), env_vars=environment, pulumi_command=engine)
    try:
        return Stack.create_or_select(stack, workspace) if create else Stack.select(stack, workspace)
    except StackNotFoundError:
        raise _unknown(stack, backend.url) from None
    except CommandError as error:
        raise engine_error(error, f"opening stack {stack} in {backend.url}") from None


def backend_url(project_dir: Path, environ: Mapping[str, str] = os.environ) -> str:
    """`PULUMI_BACKEND_URL`, else `backend.url` of Pulumi.yaml, else the folder `.dev/state`."""
    named = environ.get(_BACKEND) or (_read(project_dir / "Pulumi.yaml").get("backend") or {}).get("url")
    return str(named or Folder(project_dir.resolve()).state.as_uri())


def is_local(project_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """The state is in this checkout's own folder."""
    return backend_url(project_dir, environ) == Folder(project_dir.resolve()).state.as_uri()


def prepare_backend(project_dir: Path, stack: str, environ: Mapping[str, str] = os.environ) -> Backend:
    """The backend, with what the engine needs to use it.

    The folder of a local one is made, and a passphrase where none is given. A shared one gets none: only this machine
    would have it. Raises PassphraseMissing.
    """
    url = backend_url(project_dir, environ)
    env = {} if environ.get(_BACKEND) else {_BACKEND: url}
    local = url.startswith("file:")
    if local:
        _local_path(url).mkdir(parents=True, exist_ok=True)
    if any(name in environ for name in _PASSPHRASES):
        return Backend(url=url, env=env)
    if local:
        return Backend(url=url, env={**env, _PASSPHRASES[1]: str(passphrase_file(project_dir))})
    encrypts_itself = url.startswith(("http:", "https:"))  # Pulumi Cloud
    if not encrypts_itself and not _encryption(_read(project_dir / f"Pulumi.{short_name(stack)}.yaml")):
        raise PassphraseMissing(
            f"{url.partition(':')[0]} backend: nothing says what encrypts the secrets of stack {stack}",
            f"export PULUMI_CONFIG_PASSPHRASE_FILE=FILE, or pulumi stack init {stack} --secrets-provider=URL",
        )
    return Backend(url=url, env=env)


def passphrase_file(project_dir: Path) -> Path:
    """A file with a passphrase that is made once; its owner alone may read it."""
    path = Folder(project_dir).passphrase
    if not path.exists():
        write_file(path, secrets.token_urlsafe(32), mode=0o600)
    return path


def keeps_passphrase(project_dir: Path) -> bool:
    """A stack's file holds values that are encrypted with a passphrase: without it they are lost."""
    return any("encryptionsalt" in _read(path) for path in project_dir.glob("Pulumi.?*.yaml"))


def prepare_work_dir(project_dir: Path, stack: str) -> Path:
    """`.dev/<stack>` with copies of the project's and the stack's file. Raises StackUnknown.

    What encrypts the stack's secrets is kept from the last time where the committed file does not say it.
    """
    name = short_name(stack)
    work_dir = Folder(project_dir).work(stack)
    committed = project_dir / f"Pulumi.{name}.yaml"
    if not committed.is_file():
        known = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in project_dir.glob("Pulumi.?*.yaml"))
        raise StackUnknown(f"stack {name} has no file {committed.name}", f"name one of: {', '.join(known) or 'none'}")
    copy = work_dir / committed.name
    kept = _encryption(_read(copy)) if copy.is_file() else {}
    write_file(work_dir / "Pulumi.yaml", _dump(_project(project_dir)))
    write_file(copy, _with(committed.read_text(encoding="utf-8"), {} if _encryption(_read(committed)) else kept))
    return work_dir


def _project(project_dir: Path) -> dict[str, Any]:
    """Pulumi.yaml as it is, but for the places of the program and of its Python."""
    project = _read(project_dir / "Pulumi.yaml")
    runtime = project.get("runtime")
    named = runtime if isinstance(runtime, dict) else {"name": runtime}
    options = dict(named.get("options") or {})
    python = _virtual_environment(project_dir)
    if python is None:
        options.pop("virtualenv", None)
    else:
        options["virtualenv"] = str(python)
    main = project_dir / (project.get("main") or ".")
    return {**project, "main": str(main), "runtime": {**named, "options": options}}


def _virtual_environment(project_dir: Path) -> Path | None:
    """The project's, else the one that runs this, else none: the engine then takes the Python on PATH."""
    own = project_dir / ".venv"
    if own.is_dir():
        return own
    return Path(sys.prefix) if sys.prefix != sys.base_prefix else None


def _unknown(stack: str, url: str) -> StackUnknown:
    return StackUnknown(f"there is no stack {stack} in {url}", f"make it: python -m automation up {stack}")


def _encryption(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: settings[key] for key in _ENCRYPTION if settings.get(key)}


def _local_path(url: str) -> Path:
    """The folder of a `file://` URL; `file://~/x` and `file://./x` are the engine's own forms."""
    parts = urlsplit(url)
    return Path(os.path.expanduser(parts.netloc + url2pathname(parts.path)))


def _read(path: Path) -> dict[str, Any]:
    """Raises FileInvalid, whose text quotes nothing: the file may hold a secret."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise FileInvalid(f"{path.name} cannot be read as YAML{place}", f"edit {path}") from None
    if content is not None and not isinstance(content, dict):
        raise FileInvalid(f"{path.name}: expected a map, found {type(content).__name__}", f"edit {path}")
    return content or {}


def _with(text: str, added: Mapping[str, Any]) -> str:
    """A file with more keys. The rest stays as it is written: a number written again may be another text."""
    if not added:
        return text
    extended = f"{text.rstrip()}\n{yaml.safe_dump(dict(added))}"
    expected = {**(yaml.safe_load(text) or {}), **added}
    try:
        if yaml.safe_load(extended) == expected:
            return extended
    except yaml.YAMLError:
        pass  # a map in braces, a document that ends with `...`
    return yaml.safe_dump(expected, sort_keys=False, allow_unicode=True)


def _dump(content: Mapping[str, Any]) -> str:
    return "# Generated by `python -m automation`, anew at every run.\n" + yaml.safe_dump(
        dict(content), sort_keys=False, allow_unicode=True
    )
