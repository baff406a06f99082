"""Opening a stack of the program: a work directory for the engine, with all that the engine must know of the stack.

The engine writes into a stack's file (at least `encryptionsalt`). The committed files must stay as they are, so it works
in `.dev/<stack>/` on copies that are written anew at every opening.
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
from settings.reader import PROJECT

if TYPE_CHECKING:
    from automation.stacks.config import EnvironmentSettings

_NOT_THE_PROGRAM: Final = frozenset({".git", ".dev"})


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stack is found, and where its config is."""

    project_dir: Path
    """The checkout with the program."""
    folder: Folder
    """The folder with the engine's work directories."""
    backend: str | None = None
    """URL of the state; None means what the environment and the files say."""
    provider: SecretsProvider | None = None
    """What encrypts the secrets of a new stack; None means what the environment and the files say."""
    settings: EnvironmentSettings | None = None
    """The stack's config; None means the committed file `Pulumi.<stack>.yaml`."""
    environ: Mapping[str, str]
    """The engine's environment."""

    @staticmethod
    def of(project_dir: Path, environ: Mapping[str, str] = os.environ) -> Place:
        """Return the place of a stack that the files of a checkout describe."""
        return Place(project_dir=project_dir.resolve(), folder=Folder(project_dir.resolve()), environ=environ)

    @property
    def url(self) -> str:
        """The URL of the backend."""
        return self.backend or backend_url(self.project_dir, self.environ)

    def must_have(self, stack: str) -> None:
        """Raise StackUnknown if there is no state at all, so that no engine is downloaded only to find nothing."""
        if self.backend is None and not may_have_stacks(self.project_dir, self.environ):
            raise no_such_stack(stack, self.url)

    def prepare(self, stack: str) -> Backend:
        """Return the backend with what the engine needs to use it. Raises PassphraseMissing."""
        return prepare_backend(self.project_dir, stack, self.environ, url=self.backend, provider=self.provider)

    @contextmanager
    def checkout(self, stack: str) -> Iterator[Path]:
        """Yield a folder with the program and the stack's file: the project's own, or one that looks like it."""
        if self.settings is None:
            yield self.project_dir
            return
        with looks_like(self.project_dir, stack, self.settings) as folder:
            yield folder

    def known_secrets(self) -> dict[str, str]:
        """Return the secret values of the given settings, by short key."""
        return {} if self.settings is None else {key: value.reveal() for key, value in self.settings.secrets.items()}


def open_stack(
    place: Place,
    stack: str,
    engine: Engine,
    *,
    create: bool = True,
    opened: Stack | None = None,
    looking: bool = False,
) -> Stack:
    """Return the stack, with its work directory prepared.

    Args:
        place: Where the stack is found.
        stack: Its name.
        engine: The engine that works on it.
        create: Create the stack if the backend does not have it.
        opened: What an earlier call returned for the same place. Its files are written anew, and the engine is not
            asked again.
        looking: Open it for commands that change nothing: in a folder of their own, without the config, so that they
            can run beside an update.

    Raises:
        StackUnknown: There is no `Pulumi.<stack>.yaml`, or, without `create`, no such stack in the backend.
        FileInvalid: A file is not YAML.
        PassphraseMissing: Nothing says what encrypts the secrets.
        Interrupted: It was cancelled.
        UpdateFailed: The engine cannot open it.
    """
    if not create:
        place.must_have(stack)
    work_dir = prepare_looking(place, stack) if looking else prepare_work_dir(place, stack)
    backend = place.prepare(stack)
    workspace = LocalWorkspace(
        work_dir=str(work_dir),
        # By itself the engine would download more plugins than the program uses; `operations` installs those it needs.
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
    """Write copies of the project's and the stack's file into `.dev/<stack>`, and return it. Raises StackUnknown.

    If the committed file does not say what encrypts the stack's secrets, the copy keeps what it said before.
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
    # A secret may stand in it in clear, if it does so in the committed file; so only its owner may read it.
    write_file(copy, text, mode=0o600)
    return work_dir


def prepare_looking(place: Place, stack: str) -> Path:
    """Return a folder in `.dev/<stack>` that tells the engine the project, and only how the stack is encrypted."""
    name = short_name(stack)
    work_dir = place.folder.work(stack)
    folder, file = work_dir / "looking", f"Pulumi.{name}.yaml"
    known = [_kept(work_dir / file), _kept(place.project_dir / file) if place.settings is None else {}]
    write_file(folder / "Pulumi.yaml", _dump(_project(place.project_dir)))
    write_file(folder / file, _dump({key: value for found in known for key, value in encryption(found).items()}))
    return folder


def _kept(copy: Path) -> dict[str, Any]:
    """Return what the engine wrote the last time, {} if it was killed while it did."""
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
    """Return the file of a stack whose config is given as a value. Secrets stay encrypted as they are until they change."""
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


def _lacks_secret(work_dir: Path, stack: str, settings: EnvironmentSettings) -> bool:
    """Return whether the file lacks a secret: the program would generate another in its place."""
    config = read_yaml(work_dir / f"Pulumi.{short_name(stack)}.yaml").get("config") or {}
    return not {f"{PROJECT}:{key}" for key in settings.secrets} <= config.keys()


def _encrypt(stack: Stack, settings: EnvironmentSettings, engine: Engine) -> None:
    """Let the engine encrypt those secrets that the stack's file lacks. None is given as an argument, for all to see.

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
        write_file(folder / f"Pulumi.{stack}.yaml", _dump(content), mode=0o600)
        yield folder


def _added(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the engine does not inherit from this process."""
    return {name: value for name, value in environ.items() if os.environ.get(name) != value}


def _project(project_dir: Path) -> dict[str, Any]:
    """Return Pulumi.yaml with the paths of the program and of its Python made absolute."""
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
    """Return the project's virtual environment, else the one that runs this; None means the Python on PATH."""
    own = project_dir / ".venv"
    if own.is_dir():
        return own
    return Path(sys.prefix) if sys.prefix != sys.base_prefix else None


def no_such_stack(stack: str, url: str) -> StackUnknown:
    """Return the error for a backend without the stack. It may be the wrong backend."""
    return StackUnknown(
        f"there is no stack {stack} in {url}",
        "if it is deployed, set PULUMI_BACKEND_URL to where its state is; else make it: "
        f"python -m automation up {stack}",
    )


def _with(text: str, added: Mapping[str, Any]) -> str:
    """Return the text of a file with more keys. The rest stays as it is: a number written anew may be another text."""
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
    # Not with PyYAML: it writes without quotes what the engine reads as a number (`1e5`).
    return "# Generated by `python -m automation`, anew at every run.\n" + as_yaml(dict(content))
