"""The arguments of `pulumi config set` for a secret: the whole text, or the entries of a map one by one."""

from __future__ import annotations

import json
from typing import Any

from components.kube.secret import Secret
from settings import PROJECT
from settings.declared import KEYS


def secret_texts(key: str, secret: Secret) -> dict[str, str]:
    """Return the text of each encrypted value, by the path that `pulumi config set --path` takes.

    The engine refuses a text where Pulumi.yaml says object, so each entry of a map is encrypted by itself.
    """
    full = f"{PROJECT}:{key}"
    if KEYS[key].type != "object":
        return {full: secret.reveal()}
    entries: dict[str, Any] = json.loads(secret.reveal())
    return {
        f"{full}[{json.dumps(entry)}]": value if isinstance(value, str) else json.dumps(value)
        for entry, value in entries.items()
    }


def same_secret(key: str, held: str | None, secret: Secret) -> bool:
    """Return whether a stack's file holds a secret already. held: what `pulumi config --show-secrets` says, or None."""
    if held is None or KEYS[key].type != "object":
        return held == secret.reveal()
    texts = secret_texts(key, secret)
    return bool(texts == secret_texts(key, Secret(held)))
