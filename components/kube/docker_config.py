"""Check a Docker config.json before it becomes a Secret of type `kubernetes.io/dockerconfigjson`.

The kubelet reads `auths` alone, and of an entry `auth`, or `username` and `password`
(github.com/kubernetes/kubernetes/blob/master/pkg/credentialprovider/config.go). Whatever else a file has is ignored
there, and the first pull fails. No message shows a value, and a registry's name only where it looks like one.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

_MOST_BYTES: Final = 1024 * 1024
"""What a Secret holds (kubernetes.io/docs/concepts/configuration/secret)."""
_HELPERS: Final = ("credsStore", "credHelpers")
"""Programs on the machine of the person who logged in; they hold the credentials in place of the file."""
_REGISTRY: Final = re.compile(r"(https?://)?[A-Za-z0-9*.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._/-]{0,100})?")
_HOW: Final = (
    "write CONFIG_FILE with: kubectl create secret docker-registry x --docker-server=HOST --docker-username=USER "
    "--docker-password=TOKEN --dry-run=client -o jsonpath='{.data.\\.dockerconfigjson}' | base64 -d > CONFIG_FILE"
)


def docker_config(text: str) -> str:
    """Return a config.json with credentials for each registry that it lists. Raises ValueError."""
    if len(text.encode()) > _MOST_BYTES:
        raise ValueError(
            f"expected a Docker config.json of at most {_MOST_BYTES} bytes, which a Secret holds, found more: {_HOW}"
        )
    config = _read(text)
    for helper in _HELPERS:
        if config.get(helper):
            raise ValueError(
                f"expected a Docker config.json that holds its credentials, found {helper}, which names a program on "
                f"another machine: {_HOW}"
            )
    auths = config.get("auths")
    if not isinstance(auths, dict) or not auths or not all(isinstance(entry, dict) for entry in auths.values()):
        raise ValueError(
            f'expected a Docker config.json with a map "auths" of registries, found something else: {_HOW}'
        )
    for number, (registry, entry) in enumerate(auths.items(), start=1):
        problem = _entry_problem(registry, entry)
        if problem:
            name = registry if _REGISTRY.fullmatch(registry) else f"entry {number}"
            raise ValueError(f"expected credentials for each registry, found for {name} {problem}: {_HOW}")
    return text


def _read(text: str) -> Mapping[str, Any]:
    try:
        config = json.loads(text)
    except RecursionError:
        config = None
    except ValueError:
        config = None
    return config if isinstance(config, dict) else {}


def _entry_problem(registry: str, entry: Mapping[str, Any]) -> str | None:
    """Return why the kubelet could not log in with an entry, or None."""
    if not registry.strip():
        return "no name of a registry"
    auth = entry.get("auth")
    if auth:
        return None if _is_login(auth) else "an auth that is not the base64 of USER:PASSWORD"
    login = [entry.get("username"), entry.get("password")]
    if all(isinstance(part, str) and part for part in login):
        return None
    return "a user name or a password alone" if any(login) else "none: the entry is empty, or holds a token only"


def _is_login(auth: Any) -> bool:
    if not isinstance(auth, str):
        return False
    try:
        # The kubelet takes it with and without padding.
        login = base64.b64decode(auth.rstrip("=") + "=" * (-len(auth.rstrip("=")) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    user, colon, password = login.partition(":")
    return bool(user and colon and password.strip("\0"))
