"""The only loader of YAML. It makes plain values, and uses the parser in C, which is ten times as fast as PyYAML's."""

from __future__ import annotations

import functools
from typing import Any, Final

import yaml

SafeLoader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in Python if PyYAML was built without libyaml."""


def load_yaml(text: str) -> Any:
    """Return the value of the only document in a text, None if there is none. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=SafeLoader)  # noqa: S506 - it is a safe loader


load_yaml_once: Final = functools.lru_cache(maxsize=4)(load_yaml)
"""The same for `Pulumi.yaml`: it describes every config key, which takes 5 ms, and each verb asks for it.

Nobody may change the value.
"""


def load_all_yaml(text: str) -> list[Any]:
    """Return the values of all documents in a text but the empty ones. Raises yaml.YAMLError."""
    return [document for document in yaml.load_all(text, Loader=SafeLoader) if document]
