"""Checks that Secrets which something else puts into the namespace exist, with the keys that pods read.

Without this check, a pod would wait for such a Secret for ever, and nothing would name the config key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from components.keys.given_keys import KEY_CHECKS
from components.kube.client import KubeApi
from components.kube.rest import KubeRequestFailed
from components.preflight.finding import Finding, failed, passed, skipped

_CHECK: Final = "Secret {name}"


@dataclass(frozen=True, kw_only=True)
class ExistingSecret:
    """A Secret that must be there."""

    name: str
    """Its name."""
    keys: Sequence[str]
    """Its keys that pods read."""
    setting: str
    """The config key that names it, with `airflow:`, or the path of an entry in it."""
    forms: Sequence[str] = ()
    """The form of each key, by its name in `KEY_CHECKS`; empty where any text will do."""

    def document(self) -> dict[str, Any]:
        """Return it as a part of a check's document."""
        document = {"name": self.name, "keys": list(self.keys), "setting": self.setting}
        return {**document, "forms": list(self.forms)} if self.forms else document


def secret_findings(
    api: KubeApi, namespace: str, wanted: Iterable[Mapping[str, Any]], stack: str
) -> tuple[Finding, ...]:
    """Return what is missing. No value of a Secret is in a text.

    Args:
        api: The cluster.
        namespace: The stack's namespace.
        wanted: Documents of `ExistingSecret`.
        stack: The stack's name, for commands.
    """
    return tuple(_finding(api, namespace, item, stack) for item in wanted)


def _finding(api: KubeApi, namespace: str, wanted: Mapping[str, Any], stack: str) -> Finding:
    name, setting = wanted["name"], wanted["setting"]
    check = _CHECK.format(name=name)
    try:
        found = api.get("v1", "Secret", namespace, name)
    except KubeRequestFailed as error:
        return skipped(check, error.what)
    # The name of a key of the project has neither a dot nor brackets.
    path = setting if re.fullmatch(r"\w+:\w+", setting) else f"--path '{setting}'"
    another = f"or name another: pulumi config set --stack {stack} {path} NAME"
    if found is None:
        return failed(
            check,
            f"{setting}: expected a Secret {name} in namespace {namespace}, found none",
            f"make it, with the keys {', '.join(wanted['keys'])} (the namespace is there now), and update again; "
            f"{another}",
        )
    data = found.get("data") or {}
    missing = [key for key in wanted["keys"] if not data.get(key)]
    if missing:
        has = f"only {', '.join(sorted(data))}" if data else "no key"
        return failed(
            check,
            f"{setting}: expected the keys {', '.join(wanted['keys'])} in Secret {name}, found {has}",
            f"add {', '.join(missing)} to it; {another}",
        )
    for key, form in zip(wanted["keys"], wanted.get("forms", ()), strict=False):
        problem = _problem(data[key], form)
        if problem is not None:
            return failed(check, f"{setting}: {key} in Secret {name}: {problem}", f"correct it there; {another}")
    return passed(check, f"has {', '.join(wanted['keys'])}")


def _problem(encoded: str, form: str) -> str | None:
    """Return what is wrong with a key, without the key."""
    try:
        KEY_CHECKS[form](base64.b64decode(encoded).decode())
    except UnicodeDecodeError:
        return "expected text, found other bytes"
    except ValueError as error:
        return str(error)
    return None
