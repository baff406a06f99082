"""Several repositories of DAGs, each with its own login and host keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from components.dags.delivery import DagBundle
from components.dags.git_repository import parse_git_repository, validate_git_ref, validate_sub_path
from components.dags.known_hosts import pinned_known_hosts
from components.texts import fields
from settings.entries import Entries, checked_entries, note_repeated, switch
from settings.foreign_secrets import foreign_secret
from settings.keys import Section
from settings.parsers import EntryError
from settings.reading import Config

SECTION = Section("DAG bundles", "several repositories of DAGs, in place of one")

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""Part of the names of volumes and of a connection."""
_NO_NAME: Final = "expected a name: at most 40 of a-z, 0-9 and -, with no - at the ends"
_INSTEAD: Final[Mapping[str, str]] = {
    "url": "repository",
    "branch": "ref",
    "tag": "ref",
    "folder": "subPath",
    "path": "subPath",
    **dict.fromkeys(("key", "privateKey", "sshPrivateKey"), "keySecret, the name of a Secret with ssh-privatekey"),
    **dict.fromkeys(("token", "password", "username"), "tokenSecret, the name of a Secret with username and password"),
}


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


_ENTRIES: Final[Entries] = {
    "name": ("name", _text(_named)),
    "repository": ("repository", _text(parse_git_repository)),
    "ref": ("ref", _text(validate_git_ref)),
    "subPath": ("sub_path", _text(validate_sub_path)),
    "submodules": ("submodules", switch),
    "knownHosts": ("known_hosts", _text(str)),  # checked together with the repository
    "keySecret": ("secret", _text(foreign_secret)),
    "tokenSecret": ("secret", _text(foreign_secret)),
}


def _bundle(entry: Mapping[str, Any]) -> DagBundle:
    """Return a bundle. Raises EntryError; no message shows what may be a secret."""
    given = checked_entries(entry, _ENTRIES, "a bundle", required=("name", "repository"), instead=_INSTEAD)
    bundle = DagBundle(**{"ref": "main", "sub_path": "", **given})
    problems = _access_problems(entry, bundle)
    if problems:
        raise EntryError(problems)
    return bundle


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
    note_repeated(config, DAG_BUNDLES, [bundle.name for bundle in bundles], "bundle")
    return bundles
