"""Where a stack's state is, and what encrypts the secrets in it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import yaml

from automation.errors import FileInvalid, PassphraseMissing
from automation.folder import Folder, short_name, write_new_file
from components.kube.secret import Secret

BACKEND: Final = "PULUMI_BACKEND_URL"
PASSPHRASE: Final = "PULUMI_CONFIG_PASSPHRASE"
PASSPHRASE_FILE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"
ENCRYPTION: Final = ("secretsprovider", "encryptedkey", "encryptionsalt")
"""Keys of a stack's file that say what encrypts its secrets (pulumi: sdk/go/common/workspace/project.go)."""


@dataclass(frozen=True)
class Passphrase:
    """A passphrase encrypts the secrets of new stacks, and is needed for those that one already does."""

    value: Secret


@dataclass(frozen=True)
class PassphraseFile:
    """As `Passphrase`; the passphrase is read from a file at each operation, without the white space around it."""

    path: Path


@dataclass(frozen=True)
class KeyService:
    """A key in a key management service encrypts the secrets of new stacks.

    url: `awskms://…`, `azurekeyvault://…`, `gcpkms://…`, `hashivault://…`, as for `pulumi stack init`.
    """

    url: str


SecretsProvider = Passphrase | PassphraseFile | KeyService


@dataclass(frozen=True)
class Backend:
    """url: of the state. env: what the engine needs beside its own environment; it may hold a passphrase."""

    url: str
    env: Mapping[str, str] = field(repr=False)


def backend_url(project_dir: Path, environ: Mapping[str, str] = os.environ) -> str:
    """`PULUMI_BACKEND_URL`, else `backend.url` of Pulumi.yaml, else the folder `.dev/state`."""
    named = environ.get(BACKEND) or (read_yaml(project_dir / "Pulumi.yaml").get("backend") or {}).get("url")
    return str(named or Folder(project_dir.resolve()).state.as_uri())


def is_local(project_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """The state is in this checkout's own folder."""
    return backend_url(project_dir, environ) == Folder(project_dir.resolve()).state.as_uri()


def may_have_stacks(project_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to ask an engine at all: not where the state would be in the checkout's own folder, and there is none."""
    return not is_local(project_dir, environ) or Folder(project_dir.resolve()).state.exists()


def prepare_backend(
    project_dir: Path,
    stack: str,
    environ: Mapping[str, str] = os.environ,
    *,
    url: str | None = None,
    provider: SecretsProvider | None = None,
) -> Backend:
    """The backend, with what the engine needs to use it.

    url: instead of what `backend_url` finds. provider: instead of what the environment and the stack's file say.
    The folder of a local one is made, and a passphrase where none is given. A shared one gets none: only this machine
    would have it. Raises PassphraseMissing.
    """
    env = {} if url is None and environ.get(BACKEND) else {BACKEND: url or backend_url(project_dir, environ)}
    url = url or backend_url(project_dir, environ)
    local = url.startswith("file:")
    if local:
        local_path(url).mkdir(parents=True, exist_ok=True)
    if provider is not None:
        return Backend(url=url, env={**env, **_provided(provider)})
    if PASSPHRASE in environ or PASSPHRASE_FILE in environ:
        return Backend(url=url, env=env)
    if local:
        return Backend(url=url, env={**env, PASSPHRASE_FILE: str(passphrase_file(project_dir))})
    encrypts_itself = url.startswith(("http:", "https:"))  # Pulumi Cloud
    if not encrypts_itself and not encryption(read_yaml(project_dir / f"Pulumi.{short_name(stack)}.yaml")):
        raise PassphraseMissing(
            f"{url.partition(':')[0]} backend: nothing says what encrypts the secrets of stack {stack}",
            f"export PULUMI_CONFIG_PASSPHRASE_FILE=FILE, or pulumi stack init {stack} --secrets-provider=URL",
        )
    return Backend(url=url, env=env)


def passphrase_file(project_dir: Path) -> Path:
    """A file with a passphrase that is made once; its owner alone may read it.

    It is of every folder that holds a state and has no passphrase of its own, so nothing here ever deletes it.
    """
    path = Folder(project_dir).passphrase
    if not path.exists():
        write_new_file(path, secrets.token_urlsafe(32), mode=0o600)
    return path


def local_path(url: str) -> Path:
    """The folder of a `file://` URL; `file://~/x` and `file://./x` are the engine's own forms."""
    parts = urlsplit(url)
    return Path(os.path.expanduser(parts.netloc + url2pathname(parts.path)))


def encryption(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a stack's file says of its encryption."""
    return {key: content[key] for key in ENCRYPTION if content.get(key)}


def read_yaml(path: Path) -> dict[str, Any]:
    """A file that is a map. Raises FileInvalid, whose text quotes nothing: the file may hold a secret."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise FileInvalid(f"{path.name} cannot be read as YAML{place}", f"edit {path}") from None
    if content is not None and not isinstance(content, dict):
        raise FileInvalid(f"{path.name}: expected a map, found {type(content).__name__}", f"edit {path}")
    return content or {}


def _provided(provider: SecretsProvider) -> dict[str, str]:
    """For the engine. The value itself also of a file: beside one, the engine ignores a file that it is given."""
    match provider:
        case Passphrase(value):
            return {PASSPHRASE: value.reveal()}
        case PassphraseFile(path):
            try:
                return {PASSPHRASE: path.read_text(encoding="utf-8").strip()}
            except (OSError, ValueError) as error:
                raise PassphraseMissing(
                    f"the file of the passphrase cannot be read ({type(error).__name__})", f"look at {path}"
                ) from None
        case KeyService():
            return {}
