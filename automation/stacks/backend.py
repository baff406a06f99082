"""Where a stack's state is, and what encrypts the secrets in it."""

from __future__ import annotations

import functools
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import yaml

from automation.errors import FileInvalid, PassphraseMissing
from automation.folder import Folder, make_folder, stack_file, write_new_file
from components.kube.safe_yaml import load_yaml
from components.kube.secret import Secret
from components.secrets.masker import SHOWN, Masker

BACKEND: Final = "PULUMI_BACKEND_URL"
PASSPHRASE: Final = "PULUMI_CONFIG_PASSPHRASE"
PASSPHRASE_FILE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"
ENCRYPTION: Final = ("secretsprovider", "encryptedkey", "encryptionsalt")
"""The keys of a stack's file that say what encrypts its secrets (pulumi: sdk/go/common/workspace/project.go)."""
_parsed_once: Final = functools.lru_cache(maxsize=4)(load_yaml)
_SECRET_PARAMETER: Final = re.compile("key|pass|secret|sas|sig|token", re.IGNORECASE)


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
    return str(named or Folder(project_dir.resolve()).state.as_uri())


def shown_url(url: str) -> str:
    """Return a backend's URL as messages may show it: without a login, and without secret parameters."""
    for secret in url_secrets(url):
        url = url.replace(secret, SHOWN)
    return url


def url_secrets(url: str) -> tuple[str, ...]:
    """Return what is secret in a backend's URL: its login, and parameters that are secret by their names."""
    if url.startswith("file:"):
        return ()
    # A password may contain any character, also "/", "?" and "@": the login ends at the last "@".
    login = re.match(r"[\w+.-]+://(.*)@", url, re.DOTALL)
    parameters = re.findall(r"[?&]([^=&#]*)=([^&#]*)", url)
    secret = [value for name, value in parameters if value and _SECRET_PARAMETER.search(name)]
    return (*([login[1]] if login and login[1] else []), *secret)


def url_masker(url: str, secrets: Iterable[str] = ()) -> Masker:
    """Return a masker that knows what is secret in a backend's URL, which the engine quotes in its errors, and more."""
    login = [unquote(part) for text in url_secrets(url) for part in {text, text.partition(":")[2]} if part]
    return Masker(secrets=[*secrets, *login])


def is_local(project_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the state is in this checkout's own folder."""
    return backend_url(project_dir, environ) == Folder(project_dir.resolve()).state.as_uri()


def may_have_stacks(project_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Return False if the state would be in the checkout's own folder and there is none: no engine need be asked."""
    return not is_local(project_dir, environ) or Folder(project_dir.resolve()).state.exists()


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
    path = Folder(project_dir).passphrase
    if not path.exists():
        write_new_file(path, secrets.token_urlsafe(32), mode=0o600)
    return path


def local_path(url: str) -> Path:
    """Return the folder of a `file://` URL. `file://~/x` and `file://./x` are the engine's own forms."""
    parts = urlsplit(url)
    return Path(os.path.expanduser(parts.netloc + url2pathname(parts.path)))


def encryption(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the content of a stack's file says about its encryption."""
    return {key: content[key] for key in ENCRYPTION if content.get(key)}


def read_yaml(path: Path, load: Callable[[str], Any] = load_yaml) -> dict[str, Any]:
    """Return the map in a file. Raises FileInvalid, which quotes nothing: the file may hold a secret."""
    try:
        content = load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise FileInvalid(f"{path.name} cannot be read as YAML{place}", f"edit {path}") from None
    if content is not None and not isinstance(content, dict):
        raise FileInvalid(f"{path.name}: expected a map, found {type(content).__name__}", f"edit {path}")
    return content or {}


def read_config(folder: Path, stack: str) -> Mapping[str, Any]:
    """Return the map `config` of a stack's file in a folder, by full key. Raises FileInvalid."""
    return read_yaml(stack_file(folder, stack)).get("config") or {}


def read_project(project_dir: Path) -> Mapping[str, Any]:
    """Return the content of `Pulumi.yaml`, which nobody may change. Raises FileInvalid.

    The same text is parsed once: it describes every config key, which takes 5 ms, and each verb asks for it.
    """
    return read_yaml(project_dir / "Pulumi.yaml", _parsed_once)


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
