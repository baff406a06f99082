"""Secrets in what somebody else wrote: values and manifests of a release, where nothing says what is secret."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_NAMED: Final = re.compile(
    r"(?:^|[_.-])secret$|"
    r"(?:^|[_.-]|(?<=[a-z]))(?:pass|password|passwd|passphrase|token|client_?secret|jwt_?secret|secret_?key|"
    r"private_?key|access_?key|api_?key|fernet_?key|ssh_?key|credentials|connection|webhook|dsn)$",
    re.IGNORECASE,
)
"""Ends of names whose value is likely to be one: of Helm values, options of airflow.cfg and variables."""
_CONNECTION: Final = re.compile(r"AIRFLOW_CONN_\w+|\w+_CONN(?:_\w+)?|\w*SECRET\w*|\w*PASSWORD\w*", re.IGNORECASE)


def secrets_in(value: Any) -> Iterator[str]:
    """Texts that are secret, or may be: by their name, or because a Secret holds them. Rather too many than too few."""
    if isinstance(value, Mapping):
        if value.get("kind") == "Secret":
            yield from _of_secret(value)
        name, given = value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(given, str) and (_NAMED.search(name) or _CONNECTION.fullmatch(name)):
            yield given
        for key, item in value.items():
            if isinstance(item, str) and _NAMED.search(str(key)):
                yield item
            else:
                yield from secrets_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item)


def _of_secret(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(item) for item in (manifest.get("stringData") or {}).values())
    for item in (manifest.get("data") or {}).values():
        try:
            yield base64.b64decode(str(item)).decode()
        except ValueError:
            yield str(item)
