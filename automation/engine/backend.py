"""Where a stack's state is, and what encrypts the secrets in it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from automation.errors import PassphraseMissing
from automation.folder import LocalFolder, make_folder, stack_file, write_new_file
from automation.project_files import encryption, read_project, read_yaml
from components.kube.secret import Secret

BACKEND: Final = "PULUMI_BACKEND_URL"
PASSPHRASE: Final = "PULUMI_CONFIG_PASSPHRASE"
PASSPHRASE_FILE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"


@dataclass(frozen=True)
class Passphrase:
    """A passphrase: it encrypts the secrets of new stacks, and decrypts those of stacks that it encrypts already."""

    value: Secret


@dataclass(frozen=True)
class PassphraseFile:
    """A file with a passphrase, which is read each time the stack is opened, without the white space around it."""

    path: Path


@dataclass(frozen=True)
class KeyService:
    """A key in a key management service: it encrypts the secrets of new stacks."""

    url: str
    """`awskms://…`, `azurekeyvault://…`, `gcpkms://…` or `hashivault://…`, as for `pulumi stack init`."""


SecretsProvider = Passphrase | PassphraseFile | KeyService


@dataclass(frozen=True)
class Backend:
    """Where a stack's state is."""

    url: str
    """URL of the state."""
    env: Mapping[str, str] = field(repr=False)
    """Variables that the engine needs in addition to its environment. They may hold a passphrase."""


def backend_url(project_dir: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return `PULUMI_BACKEND_URL`, else `backend.url` of Pulumi.yaml, else the folder `.dev/state`."""
    named = environ.get(BACKEND) or (read_project(project_dir).get("backend") or {}).get("url")
    return str(named or LocalFolder(project_dir.resolve()).state.as_uri())


def is_local(project_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the state is in this checkout's own folder."""
    return backend_url(project_dir, environ) == LocalFolder(project_dir.resolve()).state.as_uri()


def may_have_stacks(project_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Return False if the state would be in the checkout's own folder and there is none: no engine need be asked."""
    return not is_local(project_dir, environ) or LocalFolder(project_dir.resolve()).state.exists()


def prepare_backend(
    project_dir: Path,
    stack: str,
    environ: Mapping[str, str] = os.environ,
    *,
    url: str | None = None,
    provider: SecretsProvider | None = None,
) -> Backend:
    """Return the backend with what the engine needs to use it.

    The folder of a local backend is created, and a passphrase if none is given. A shared backend gets no generated
    passphrase: only this machine would have it.

    Args:
        project_dir: The checkout.
        stack: The stack.
        environ: The engine's environment.
        url: URL of the state, in place of what `backend_url` finds.
        provider: What encrypts the secrets, in place of what the environment and the stack's file say.

    Raises:
        PassphraseMissing: Nothing says what encrypts the secrets in a shared backend, or the passphrase is empty.
    """
    env = {} if url is None and environ.get(BACKEND) else {BACKEND: url or backend_url(project_dir, environ)}
    url = url or backend_url(project_dir, environ)
    local = url.startswith("file:")
    if local:
        make_folder(local_path(url))
    if provider is not None:
        return Backend(url=url, env={**env, **_provided(provider)})
    # On a laptop an empty passphrase may be meant. In a shared backend it encrypts nothing.
    given = [environ[name] for name in (PASSPHRASE, PASSPHRASE_FILE) if name in environ]
    if any(given) or (local and given):
        return Backend(url=url, env=env)
    if local:
        return Backend(url=url, env={**env, PASSPHRASE_FILE: str(passphrase_file(project_dir))})
    encrypts_itself = url.startswith(("http:", "https:"))  # Pulumi Cloud
    if not encrypts_itself and not encryption(read_yaml(stack_file(project_dir, stack))):
        raise PassphraseMissing(
            f"{url.partition(':')[0]} backend: nothing says what encrypts the secrets of stack {stack}",
            f"export PULUMI_CONFIG_PASSPHRASE_FILE=FILE, or pulumi stack init {stack} --secrets-provider=URL",
        )
    return Backend(url=url, env=env)


def passphrase_file(project_dir: Path) -> Path:
    """Return the file with the passphrase, which is generated once and which only its owner may read.

    It serves every folder with a state that has no passphrase of its own, so this package never deletes it.
    """
    path = LocalFolder(project_dir).passphrase
    if not path.exists():
        write_new_file(path, secrets.token_urlsafe(32), mode=0o600)
    return path


def local_path(url: str) -> Path:
    """Return the folder of a `file://` URL. `file://~/x` and `file://./x` are the engine's own forms."""
    parts = urlsplit(url)
    return Path(os.path.expanduser(parts.netloc + url2pathname(parts.path)))


def _provided(provider: SecretsProvider) -> dict[str, str]:
    """Return variables for the engine. It ignores a file next to a value, so a file's content is given as a value."""
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
