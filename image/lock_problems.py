"""What pyproject.toml and uv.lock of the image say, and what is wrong with them. Needs no network."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

import versions

PROJECT: Final = "pyproject.toml"
LOCK: Final = "uv.lock"
INDEX: Final = "https://pypi.org/simple"
HOSTS: Final = frozenset({"pypi.org", "files.pythonhosted.org"})
"""The only hosts in a lock: one that names a mirror is of no use elsewhere."""
_PIN: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)")


class LockError(Exception):
    """The lock cannot be made, or is not what it should be; the text says what to fix."""


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """The constraints to use."""

    airflow: str
    """Airflow's version."""
    python: str
    """Python's major and minor version."""
    sha256: str
    """Digest of the constraints file, in hexadecimal."""

    @property
    def url(self) -> str:
        return (
            f"https://raw.githubusercontent.com/apache/airflow/constraints-{self.airflow}/constraints-{self.python}.txt"
        )


SOURCE: Final = Constraints(
    airflow=versions.AIRFLOW, python=versions.AIRFLOW_IMAGE_PYTHON, sha256=versions.AIRFLOW_CONSTRAINTS_SHA256
)


def parse(text: str) -> dict[str, str]:
    """Return pins by normalised name. Raises LockError for a line that is neither a pin nor a comment."""
    pins: dict[str, str] = {}
    for line in text.splitlines():
        pin = line.partition("#")[0].strip()
        if not pin:
            continue
        match = _PIN.fullmatch(pin)
        if match is None:
            raise LockError(f"constraints: expected NAME==VERSION, found {pin[:80]!r}")
        pins[canonicalize_name(match[1])] = match[2]
    return pins


@functools.lru_cache(maxsize=4)
def _read(text: str) -> dict[str, Any]:
    """Read a file of TOML, once. Nobody may change what it holds."""
    return tomllib.loads(text)


def packages(lock: str) -> dict[str, str]:
    """Return versions by name, without the project itself. Raises LockError where a package has two versions."""
    return _packages(_read(lock))


def _packages(content: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in content["package"]:
        if "virtual" in package["source"]:
            continue
        if package["name"] in found:
            raise LockError(f"uv.lock: expected one version of {package['name']}, found two")
        found[package["name"]] = package["version"]
    return found


def problems(project: str, lock: str, source: Constraints) -> Iterator[str]:
    """Yield what is wrong with the two files, without a network."""
    settings, content = _read(project), _read(lock)
    facts = settings.get("tool", {}).get("airflow-constraints", {})
    for name, expected in (("airflow", source.airflow), ("python", source.python), ("sha256", source.sha256)):
        if facts.get(name) != expected:
            yield f"constraints in {PROJECT}: expected {name} {expected} as in versions.py, found {facts.get(name)}"
    if (python := settings["project"]["requires-python"]) != f"=={source.python}.*":
        yield f"{PROJECT}: expected requires-python =={source.python}.*, found {python}"
    if content["requires-python"] != settings["project"]["requires-python"]:
        yield f"{LOCK}: expected requires-python {python}, found {content['requires-python']}"
    yield from _unlike_project(settings, content)
    pins = parse("\n".join(settings["tool"]["uv"].get("constraint-dependencies", ())))
    free = set(facts.get("unconstrained", ()))
    found = _packages(content)
    if (version := found.get("apache-airflow")) != source.airflow:
        yield f"{LOCK}: expected apache-airflow {source.airflow}, found {version}"
    for name, version in found.items():
        if name in pins and version != pins[name]:
            yield f"{LOCK}: expected {name} {pins[name]} by Airflow's constraints, found {version}"
        if name not in pins and name not in free:
            yield f"{LOCK}: {name} came without a look at Airflow's constraints"
    for package in content["package"]:
        yield from _foreign(package)


def _unlike_project(settings: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the lock was made from another pyproject.toml."""
    root = next(package for package in content["package"] if "virtual" in package["source"])
    locked = sorted(_requirement(item) for item in root.get("metadata", {}).get("requires-dist", ()))
    wanted = sorted(_squeezed(text) for text in settings["project"]["dependencies"])
    if locked != wanted:
        yield f"{LOCK}: expected the dependencies of {PROJECT}, found others: {sorted(set(locked) ^ set(wanted))}"
    constraints = sorted(_requirement(item) for item in content.get("manifest", {}).get("constraints", ()))
    if constraints != sorted(_squeezed(text) for text in settings["tool"]["uv"].get("constraint-dependencies", ())):
        yield f"{LOCK}: expected the constraints of {PROJECT}, found others"


def _requirement(item: Mapping[str, Any]) -> str:
    """Return an entry of the lock as a requirement."""
    extras = f"[{','.join(sorted(item['extras']))}]" if item.get("extras") else ""
    marker = f";{item['marker']}" if item.get("marker") else ""
    return _squeezed(f"{item['name']}{extras}{item.get('specifier', '')}{marker}")


@functools.cache
def _squeezed(requirement: str) -> str:
    """Return the one form that all spellings of a requirement share."""
    try:
        found = Requirement(requirement)
    except InvalidRequirement:
        raise LockError(f"{PROJECT}: expected NAME[EXTRA]SPECIFIER, found {requirement[:80]!r}") from None
    found.name, found.extras = canonicalize_name(found.name), set(map(canonicalize_name, found.extras))
    return str(found)


def _foreign(package: Mapping[str, Any]) -> Iterator[str]:
    """Yield addresses and files that are not PyPI's, or that have no digest."""
    name = package["name"]
    if "virtual" in package["source"]:
        return
    if package["source"] != {"registry": INDEX}:
        yield f"{LOCK}: expected {name} from {INDEX}, found {package['source']}"
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
    for file in files:
        if urlsplit(file["url"]).hostname not in HOSTS or not file["url"].startswith("https://"):
            yield f"{LOCK}: expected files of {name} from https://{max(HOSTS)}, found another address"
        if not str(file.get("hash", "")).startswith("sha256:"):
            yield f"{LOCK}: a file of {name} has no SHA-256"
    if not package.get("wheels"):
        yield f"{LOCK}: {name} has no wheel, and the image has no compiler"
