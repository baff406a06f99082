"""Several repositories of DAGs, each with its own login and host keys."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from components import fields
from components.dags.delivery import DagBundle
from components.dags.git_repository import parse_git_repository, validate_git_ref, validate_sub_path
from components.dags.known_hosts import pinned_known_hosts
from settings.foreign_secrets import foreign_secret
from settings.keys import NO_ENTRY, EntryError, Section
from settings.reading import Config

SECTION = Section("DAG bundles", "several repositories of DAGs, in place of one")

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""Part of the names of volumes and of a connection."""
_NO_NAME: Final = "expected a name: at most 40 of a-z, 0-9 and -, not at the ends"
_INSTEAD: Final[Mapping[str, str]] = {
    "url": "repository",
    "branch": "ref",
    "tag": "ref",
    "folder": "subPath",
    "path": "subPath",
    **dict.fromkeys(("key", "privateKey", "sshPrivateKey"), "keySecret, the name of a Secret with ssh-privatekey"),
    **dict.fromkeys(("token", "password", "username"), "tokenSecret, the name of a Secret with username and password"),
}


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {fields.shown(value)}")
    return value


def _text(check: Callable[[str], Any]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError("expected a text, found another value")
        return check(value)

    return checked


def _named(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{_NO_NAME}, found {fields.shown(text)}")
    return text


_ENTRIES: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "name": ("name", _text(_named)),
    "repository": ("repository", _text(parse_git_repository)),
    "ref": ("ref", _text(validate_git_ref)),
    "subPath": ("sub_path", _text(validate_sub_path)),
    "submodules": ("submodules", _switch),
    "knownHosts": ("known_hosts", _text(str)),  # checked together with the repository
    "keySecret": ("secret", _text(foreign_secret)),
    "tokenSecret": ("secret", _text(foreign_secret)),
}
"""Entries of a bundle: the field that each becomes, and what makes its value."""


def _bundle(entry: Mapping[str, Any]) -> DagBundle:
    """Return a bundle. Raises EntryError; no message shows what may be a secret."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {"ref": "main", "sub_path": ""}
    for key, value in entry.items():
        if key not in _ENTRIES:
            close = difflib.get_close_matches(key[:100], _ENTRIES, n=1)
            hint = f"; use {_INSTEAD[key]}" if key in _INSTEAD else f"; did you mean {close[0]}?" if close else ""
            problems[key[:100]] = f"{NO_ENTRY} of a bundle{hint}"
            continue
        field, check = _ENTRIES[key]
        try:
            values[field] = check(value)
        except ValueError as error:
            problems[key] = str(error)
    for key in ("name", "repository"):
        if key not in entry:
            problems[key] = "expected a value, found none"
    if not problems:
        problems = _access_problems(entry, DagBundle(**values))
    if problems:
        raise EntryError(problems)
    return DagBundle(**values)


def _access_problems(entry: Mapping[str, Any], bundle: DagBundle) -> dict[str, str]:
    if not bundle.by_key:
        wrong = [key for key in ("knownHosts", "keySecret") if key in entry]
        return dict.fromkeys(wrong, "must not be set with an HTTPS repository; leave it out, or use tokenSecret")
    if "tokenSecret" in entry:
        return {"tokenSecret": "must not be set with an SSH repository; use keySecret"}
    if "keySecret" not in entry:
        return {"keySecret": "expected the name of a Secret with ssh-privatekey, for an SSH repository, found none"}
    try:
        pinned_known_hosts(bundle.known_hosts, bundle.repository)
    except ValueError as error:
        return {"knownHosts": str(error)}
    return {}


DAG_BUNDLES = SECTION.entries(
    "dagBundles",
    _bundle,
    description="Repositories of DAGs, each a map of name, repository, ref, subPath, submodules; keySecret "
    "(a Secret with ssh-privatekey) and knownHosts for SSH; tokenSecret (as dagsTokenSecret) for HTTPS. Needs "
    "dagsDelivery git-bundle.",
)


def read_bundles(config: Config) -> tuple[DagBundle, ...]:
    """Return the bundles, and note names that are not unique."""
    bundles = config[DAG_BUNDLES]
    names = [bundle.name for bundle in bundles]
    for name in sorted({name for name in names if names.count(name) > 1}):
        config.problem(
            DAG_BUNDLES,
            f"expected a name of its own for each bundle, found {name} twice",
            f"edit {DAG_BUNDLES.full} in Pulumi.STACK.yaml",
        )
    return bundles
