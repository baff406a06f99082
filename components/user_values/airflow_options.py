"""The options that Airflow knows: which one a misspelt option means, and what each may be.

airflow_options.json has them, from the images of Airflow 3.2.2 and 3.3.2: config_templates/config.yml, and what
`get_provider_info` of each provider adds. The type is the declared one, or the one by which Airflow reads the option
where it declares a string; choices are those of `enums_options` (configuration.py). A plugin or a newer Airflow may
have others, so an option that is similar to none of these is accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

OPTIONS: Final[Mapping[str, Mapping[str, str]]] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
"""Sections with their options, each with its type. Sections that pass on whatever is in them, such as sentry, are left
out."""
_LIKENESS: Final = 0.85
"""How alike two names are of which one is a misspelling, from 0 to 1 (difflib)."""


def meant(section: str, option: str) -> str | None:
    """Return `section.option` that a misspelt or misplaced option means, or None if it may be what it says.

    section, option: in lower case.
    """
    if section not in OPTIONS:
        near = _near(section, OPTIONS)
        return None if near is None or option not in OPTIONS[near] else f"{near}.{option}"
    if option in OPTIONS[section]:
        return None
    elsewhere = [other for other, options in OPTIONS.items() if option in options]
    if len(elsewhere) == 1:
        return f"{elsewhere[0]}.{option}"
    near = _near(option, OPTIONS[section])
    return None if near is None else f"{section}.{near}"


def variable_meant(name: str) -> str | None:
    """Return `section.option` that a variable means, whatever its case and underscores, or None for any other name."""
    return _SQUEEZED.get(_squeezed(name))


def _squeezed(name: str) -> str:
    return re.sub("_+", "_", name.upper())


def variable_of(option: str) -> str:
    """Return the variable of `section.option`. A section's own dot is _ there (Airflow: `_env_var_name`)."""
    section, _, name = option.rpartition(".")
    return f"AIRFLOW__{section.replace('.', '_')}__{name}".upper()


def section_of(part: str) -> str:
    """Return the section that a variable names, in lower case: `common.io` for COMMON_IO."""
    return _DOTTED.get(part.lower(), part.lower())


def option_of(name: str) -> str | None:
    """Return `section.option` that a variable sets in Airflow's form, or None for another name."""
    found = VARIABLE.fullmatch(name)
    return None if found is None else f"{section_of(found[1])}.{found[2].lower()}"


VARIABLE: Final = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+?)(?:_CMD|_SECRET)?")
_DOTTED: Final = {section.replace(".", "_"): section for section in OPTIONS if "." in section}
_SQUEEZED: Final[Mapping[str, str]] = {
    _squeezed(variable_of(f"{section}.{option}")): f"{section}.{option}"
    for section, options in OPTIONS.items()
    for option in options
}


def _near(name: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, list(known), 1, _LIKENESS)), None)
