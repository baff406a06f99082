"""Opens a stack of the program: a work directory for the engine, and in it what the engine must know of the stack.

The engine writes into a stack's file (`encryptionsalt` at least). So that the committed files stay as they are, it
works in `.dev/<stack>/` on copies that are made anew at every opening.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from pulumi.automation import CommandError, LocalWorkspace, Stack, StackNotFoundError

from automation.engine import plugins
from automation.engine.command import Engine
from automation.engine.failures import engine_error
from automation.errors import FileInvalid, Interrupted, StackUnknown
from automation.folder import Folder, short_name, write_file
from automation.stacks.backend import (
    Backend,
    KeyService,
    SecretsProvider,
    backend_url,
    encryption,
    may_have_stacks,
    prepare_backend,
    read_yaml,
)
from automation.yaml_text import as_yaml
from settings import PROJECT

if TYPE_CHECKING:
    from automation.stacks.config import EnvironmentSettings

_NOT_THE_PROGRAM: Final = frozenset({".git", ".dev"})


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stack is found, and what it is made of.

    project_dir: of the program. folder: for the engine's work directories. backend, provider: None takes what the
    environment and the files say. settings: None takes the committed file `Pulumi.<stack>.yaml`.
    environ: of the engine.
    """

    project_dir: Path
    folder: Folder
    backend: str | None = None
    provider: SecretsProvider | None = None
    settings: EnvironmentSettings | None = None
    environ: Mapping[str, str]

    @staticmethod
    def of(project_dir: Path, environ: Mapping[str, str] = os.environ) -> Place:
        """A stack of a checkout, as its files say."""
        return Place(project_dir=project_dir.resolve(), folder=Folder(project_dir.resolve()), environ=environ)

    @property
    def url(self) -> str:
        """Of the backend."""
        return self.backend or backend_url(self.project_dir, self.environ)

    def must_have(self, stack: str) -> None:
        """Raises StackUnknown where there is no state at all: no engine is fetched only to find nothing."""
        if self.backend is None and not may_have_stacks(self.project_dir, self.environ):
            raise no_such_stack(stack, self.url)

    def prepare(self, stack: str) -> Backend:
        """The backend, with what the engine needs to use it. Raises PassphraseMissing."""
        return prepare_backend(self.project_dir, stack, self.environ, url=self.backend, provider=self.provider)


def open_stack(
    place: Place,
    stack: str,
    engine: Engine,
    *,
    create: bool = True,
    opened: Stack | None = None,
    looking: bool = False,
) -> Stack:
    """The stack, made where there is none and `create` says so.

    opened: what this gave before for the same place; its files are made anew, and the engine is not asked again.
    looking: for commands that change nothing; in a folder of their own, without the config, beside other operations.
    Raises StackUnknown (no `Pulumi.<stack>.yaml`; with `create` false: no such stack in the backend),
    FileInvalid, PassphraseMissing, Interrupted, and UpdateFailed where the engine cannot open it.
    """
    if not create:
        place.must_have(stack)
    work_dir = prepare_looking(place, stack) if looking else prepare_work_dir(place, stack)
    backend = place.prepare(stack)
    workspace = LocalWorkspace(
        work_dir=str(work_dir),
        # What the engine would fetch by itself is more than the program uses; `operations` sees to the rest.
        env_vars={**plugins.ENVIRONMENT, **_added(place.environ), **backend.env},
        pulumi_command=engine,
        secrets_provider=place.provider.url if isinstance(place.provider, KeyService) else None,
    )
    try:
        if opened is None:
            found = Stack.create_or_select(stack, workspace) if create else Stack.select(stack, workspace)
        else:
            found = opened
            found.workspace.env_vars = workspace.env_vars
        settings = None if looking else place.settings
        if settings is not None and (opened is None or _lacks_secret(work_dir, stack, settings)):
            _encrypt(found, settings, engine)
        return found
    except StackNotFoundError:
        raise no_such_stack(stack, backend.url) from None
    except CommandError as error:
        if engine.interrupted:
            raise Interrupted(f"opening stack {stack} in {backend.url} was interrupted", "run it again") from None
        raise engine_error(error, f"opening stack {stack} in {backend.url}", stack=stack) from None


def prepare_work_dir(place: Place, stack: str) -> Path:
    """`.dev/<stack>` with copies of the project's and the stack's file. Raises StackUnknown.

    What encrypts the stack's secrets is kept from the last time where the committed file does not say it.
    """
    name = short_name(stack)
    work_dir = place.folder.work(stack)
    copy = work_dir / f"Pulumi.{name}.yaml"
    text = _committed(place.project_dir, name) if place.settings is None else ""
    kept = _kept(copy)
    write_file(work_dir / "Pulumi.yaml", _dump(_project(place.project_dir)))
    if place.settings is None:
        text = _with(text, {} if encryption(yaml.safe_load(text) or {}) else encryption(kept))
    else:
        text = _dump(_generated(place.settings, place.provider, kept))
    # A secret may stand in it in clear, in a file that its owner alone may read.
    write_file(copy, text, mode=0o600)
    return work_dir


def prepare_looking(place: Place, stack: str) -> Path:
    """A folder in `.dev/<stack>` in which the engine finds the project, and of the stack only how it is encrypted."""
    name = short_name(stack)
    work_dir = place.folder.work(stack)
    folder, file = work_dir / "looking", f"Pulumi.{name}.yaml"
    known = [_kept(work_dir / file), _kept(place.project_dir / file) if place.settings is None else {}]
    write_file(folder / "Pulumi.yaml", _dump(_project(place.project_dir)))
    write_file(folder / file, _dump({key: value for found in known for key, value in encryption(found).items()}))
    return folder


def _kept(copy: Path) -> dict[str, Any]:
    """What the engine wrote the last time. It may have been killed while it did."""
    try:
        return read_yaml(copy)
    except FileInvalid:
        return {}


def _committed(project_dir: Path, name: str) -> str:
    path = project_dir / f"Pulumi.{name}.yaml"
    if not path.is_file():
        known = sorted(found.name[len("Pulumi.") : -len(".yaml")] for found in project_dir.glob("Pulumi.?*.yaml"))
        raise StackUnknown(f"stack {name} has no file {path.name}", f"name one of: {', '.join(known) or 'none'}")
    read_yaml(path)  # raises FileInvalid
    return path.read_text(encoding="utf-8")


def _generated(
    settings: EnvironmentSettings, provider: SecretsProvider | None, kept: Mapping[str, Any]
) -> dict[str, Any]:
    """The file of a stack whose config is given as a value; what was encrypted before stays until it changes."""
    before = kept.get("config") or {}
    secure = {f"{PROJECT}:{key}": before.get(f"{PROJECT}:{key}") for key in settings.secrets}
    by_service = {"secretsprovider": provider.url} if isinstance(provider, KeyService) else {}
    return {
        # An encrypted key is of one service: without its service it is of no use.
        **({} if by_service and kept.get("secretsprovider") != by_service["secretsprovider"] else encryption(kept)),
        **by_service,
        "config": {
            **settings.file_config(),
            **{key: value for key, value in secure.items() if isinstance(value, dict)},
        },
    }


def _lacks_secret(work_dir: Path, stack: str, settings: EnvironmentSettings) -> bool:
    """Without it the program would generate another in its place."""
    config = read_yaml(work_dir / f"Pulumi.{short_name(stack)}.yaml").get("config") or {}
    return not {f"{PROJECT}:{key}" for key in settings.secrets} <= config.keys()


def _encrypt(stack: Stack, settings: EnvironmentSettings, engine: Engine) -> None:
    """Lets the engine encrypt those secrets that the stack's file does not hold yet. None passes through arguments.

    Raises CommandError.
    """
    if not settings.secrets:
        return
    directory, env = stack.workspace.work_dir, stack.workspace.env_vars
    shown = engine.run(["config", "--show-secrets", "--json", "--stack", stack.name], directory, env)
    held = {key: entry.get("value") for key, entry in json.loads(shown.stdout).items() if entry.get("secret")}
    for key, secret in sorted(settings.secrets.items()):
        if held.get(f"{PROJECT}:{key}") != secret.reveal():
            words = ["config", "set", "--secret", f"{PROJECT}:{key}", "--stack", stack.name]
            engine.run(words, directory, env, given=secret.reveal())


@contextmanager
def looks_like(project_dir: Path, stack: str, settings: EnvironmentSettings) -> Iterator[Path]:
    """A folder that looks like the project, with a file of the stack that says what `settings` say.

    What is encrypted is only marked so: nobody here can decrypt it, and nobody is given it.
    """
    with tempfile.TemporaryDirectory(prefix="airflow-") as temporary:
        folder = Path(temporary)
        for path in project_dir.iterdir():
            if path.name not in _NOT_THE_PROGRAM and not path.match("Pulumi.?*.yaml"):
                (folder / path.name).symlink_to(path)
        secure = {f"{PROJECT}:{key}": {"secure": ""} for key in settings.secrets}
        content = {"config": {**settings.file_config(), **secure}}
        write_file(folder / f"Pulumi.{stack}.yaml", _dump(content), mode=0o600)
        yield folder


def _added(environ: Mapping[str, str]) -> dict[str, str]:
    """What the engine would not have from this process by itself."""
    return {name: value for name, value in environ.items() if os.environ.get(name) != value}


def _project(project_dir: Path) -> dict[str, Any]:
    """Pulumi.yaml as it is, but for the places of the program and of its Python."""
    project = read_yaml(project_dir / "Pulumi.yaml")
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


def no_such_stack(stack: str, url: str) -> StackUnknown:
    """The error for a backend without the stack: it may be the wrong backend."""
    return StackUnknown(
        f"there is no stack {stack} in {url}",
        "if it is deployed, set PULUMI_BACKEND_URL to where its state is; else make it: "
        f"python -m automation up {stack}",
    )


def _with(text: str, added: Mapping[str, Any]) -> str:
    """A file with more keys. The rest stays as it is written: a number written again may be another text."""
    if not added:
        return text
    extended = f"{text.rstrip()}\n{as_yaml(dict(added))}"
    expected = {**(yaml.safe_load(text) or {}), **added}
    try:
        if yaml.safe_load(extended) == expected:
            return extended
    except yaml.YAMLError:
        pass  # a map in braces, a document that ends with `...`
    return as_yaml(expected)


def _dump(content: Mapping[str, Any]) -> str:
    # Not by PyYAML: it leaves without quotes what the engine's reader takes for a number (`1e5`).
    return "# Generated by `python -m automation`, anew at every run.\n" + as_yaml(dict(content))
