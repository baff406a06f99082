"""The engine's work directory: copies of the project's and the stack's file that the engine may write into.

The engine writes into a stack's file (at least `encryptionsalt`), and the committed files must stay as they are. So the
copies in `.dev/<stack>/` are written anew whenever the stack is opened.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from automation.engine.backend import KeyService, SecretsProvider
from automation.errors import FileInvalid, StackUnknown
from automation.folder import short_name, stack_file, write_file
from automation.project_files import encryption, read_project, read_yaml
from automation.stacks.place import Place
from automation.yaml_text import as_yaml
from components.kube.safe_yaml import load_yaml
from settings import PROJECT

if TYPE_CHECKING:
    from automation.stacks.config import EnvironmentSettings

_NOT_THE_PROGRAM: Final = frozenset({".git", ".dev"})


def prepare_work_dir(place: Place, stack: str) -> Path:
    """Write copies of the project's and the stack's file into `.dev/<stack>`, and return it. Raises StackUnknown.

    If the committed file does not say what encrypts the stack's secrets, the copy keeps what it said before.
    """
    name = short_name(stack)
    work_dir = place.folder.work(stack)
    copy = stack_file(work_dir, name)
    text = _committed(place.project_dir, name) if place.settings is None else ""
    kept = _read_kept(copy)
    write_file(work_dir / "Pulumi.yaml", _dump(_project(place.project_dir)))
    if place.settings is None:
        text = _with(text, {} if encryption(load_yaml(text) or {}) else encryption(kept))
    else:
        text = _dump(_generated(place.settings, place.provider, kept))
    # A secret may stand in it in clear, if it does so in the committed file; so only its owner may read it.
    write_file(copy, text, mode=0o600)
    return work_dir


def prepare_reading_dir(place: Place, stack: str) -> Path:
    """Return a folder in `.dev/<stack>` that tells the engine the project, and only how the stack is encrypted."""
    work_dir = place.folder.work(stack)
    folders = [work_dir, *([place.project_dir] if place.settings is None else [])]
    known = [encryption(_read_kept(stack_file(folder, stack))) for folder in folders]
    reading = work_dir / "reading"
    write_file(reading / "Pulumi.yaml", _dump(_project(place.project_dir)))
    write_file(stack_file(reading, stack), _dump({key: value for found in known for key, value in found.items()}))
    return reading


@contextmanager
def checkout(place: Place, stack: str) -> Iterator[Path]:
    """Yield a folder with the program and the stack's file: the project's own, or one that looks like it."""
    if place.settings is None:
        yield place.project_dir
        return
    with looks_like(place.project_dir, stack, place.settings) as folder:
        yield folder


@contextmanager
def looks_like(project_dir: Path, stack: str, settings: EnvironmentSettings) -> Iterator[Path]:
    """Yield a folder that looks like the project, with a file of the stack that says what `settings` say.

    Secrets are only marked as encrypted, without a value.
    """
    with tempfile.TemporaryDirectory(prefix="airflow-") as temporary:
        folder = Path(temporary)
        for path in project_dir.iterdir():
            if path.name not in _NOT_THE_PROGRAM and not path.match("Pulumi.?*.yaml"):
                (folder / path.name).symlink_to(path)
        secure = {f"{PROJECT}:{key}": {"secure": ""} for key in settings.secrets}
        content = {"config": {**settings.file_config(), **secure}}
        write_file(stack_file(folder, stack), _dump(content), mode=0o600)
        yield folder


def _read_kept(copy: Path) -> dict[str, Any]:
    """Return what the engine wrote the last time, {} if it was killed while it did."""
    try:
        return read_yaml(copy)
    except FileInvalid:
        return {}


def _committed(project_dir: Path, name: str) -> str:
    path = stack_file(project_dir, name)
    if not path.is_file():
        known = sorted(file.name[len("Pulumi.") : -len(".yaml")] for file in project_dir.glob("Pulumi.?*.yaml"))
        raise StackUnknown(f"stack {name} has no file {path.name}", f"name one of: {', '.join(known) or 'none'}")
    read_yaml(path)  # raises FileInvalid
    return path.read_text(encoding="utf-8")


def _generated(
    settings: EnvironmentSettings, provider: SecretsProvider | None, kept: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the file of a stack whose config is given as a value.

    What was encrypted before stays until it changes.
    """
    before = kept.get("config") or {}
    secure = {f"{PROJECT}:{key}": before.get(f"{PROJECT}:{key}") for key in settings.secrets}
    by_service = {"secretsprovider": provider.url} if isinstance(provider, KeyService) else {}
    return {
        # An encrypted key belongs to one service, and is of no use without it.
        **({} if by_service and kept.get("secretsprovider") != by_service["secretsprovider"] else encryption(kept)),
        **by_service,
        "config": {
            **settings.file_config(),
            **{key: value for key, value in secure.items() if isinstance(value, dict)},
        },
    }


def _project(project_dir: Path) -> dict[str, Any]:
    """Return Pulumi.yaml with the paths of the program and of its Python made absolute."""
    project = read_project(project_dir)
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
    """Return the project's virtual environment, else the one that runs this; None means the Python on PATH."""
    own = project_dir / ".venv"
    if own.is_dir():
        return own
    return Path(sys.prefix) if sys.prefix != sys.base_prefix else None


def _with(text: str, added: Mapping[str, Any]) -> str:
    """Return the text of a file with more keys. The rest stays as it is: a number written anew may be another text."""
    if not added:
        return text
    extended = f"{text.rstrip()}\n{as_yaml(dict(added))}"
    expected = {**(load_yaml(text) or {}), **added}
    try:
        if load_yaml(extended) == expected:
            return extended
    except yaml.YAMLError:
        pass  # a map in braces, a document that ends with `...`
    return as_yaml(expected)


def _dump(content: Mapping[str, Any]) -> str:
    # Not with PyYAML: it writes without quotes what the engine reads as a number (`1e5`).
    return "# Generated by `python -m automation`, anew at every run.\n" + as_yaml(dict(content))
