"""Reads what `in_image/trial.py` found in an image, and decides whether the stack may run it. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import compatibility
from automation.upgrade.statements import MANY_ROWS, Locking, breaking, locking
from settings.upgrade import AirflowImage

SCRIPT: Final = (Path(__file__).parent / "in_image" / "trial.py").read_text(encoding="utf-8")
DOWNGRADE_SCRIPT: Final = (Path(__file__).parent / "in_image" / "downgrade.py").read_text(encoding="utf-8")
_MARK: Final = "tried: "


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The findings of a trial of one image."""

    airflow: str = ""
    """Its Airflow."""
    providers: Mapping[str, str] = field(default_factory=dict)
    """Versions of its providers."""
    lint: tuple[str, ...] = ()
    """Findings of `airflow config lint`."""
    postgresql: int = 0
    """Major version of the database."""
    revision: str = ""
    """Migration that the database is at."""
    head: str = ""
    """Migration that the image would bring it to."""
    known: bool = True
    """The image has that migration."""
    statements: tuple[str, ...] = ()
    """SQL of the migration."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """About how many rows the tables in it have."""
    commits: tuple[str, ...] = ()
    """Commits of the DAGs."""
    dags: frozenset[str] = frozenset()
    """Ids of the DAGs."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Last line of the traceback of each DAG file that cannot be imported."""
    done: bool = False
    """It came to its end."""

    @property
    def migrates(self) -> bool:
        """The migration changes the database."""
        return self.revision != self.head

    @property
    def locks(self) -> tuple[Locking, ...]:
        """The statements that lock a table with rows in it."""
        return locking(self.statements, self.rows)

    @property
    def drains(self) -> tuple[str, ...]:
        """The statements for which no task may run."""
        return breaking(self.statements)


def read(log: str, clean: Callable[[str], str] = str) -> Trial:
    """Read what the script wrote, between the lines of others. clean: masks secrets in what DAGs and options say."""
    found: dict[str, Any] = {}
    rows, errors, dags, statements, commits = {}, {}, set[str](), [], []
    for item in _findings(log):
        if "table" in item:
            rows[item["table"]] = int(item["rows"])
        elif "file" in item:
            errors[item["file"]] = clean(str(item["error"]))
        elif "dags" in item:
            dags |= set(item["dags"])
        elif "sql" in item:
            statements.append(str(item["sql"]))
        elif "bundle" in item:
            commits += [item["commit"]] if item["commit"] else []
        elif "lint" in item:
            found["lint"] = tuple(map(clean, item["lint"]))
        else:
            names = ("airflow", "providers", "postgresql", "revision", "head", "known", "done")
            found |= {name: item[name] for name in names if name in item}
    return Trial(
        **found, statements=tuple(statements), rows=rows, commits=tuple(commits), dags=frozenset(dags), errors=errors
    )


def refusals(before: Trial, new: Trial, image: AirflowImage, stack: str, kubernetes: str) -> tuple[str, ...]:
    """Return why the new image must not run the stack, each with its remedy.

    Args:
        before: What the running image told of the DAGs.
        new: What the new one told.
        image: What it is said to be.
        stack: For commands.
        kubernetes: Version of the cluster.
    """
    found = []
    if new.airflow != image.airflow:
        found.append(
            f"airflow:imageTag: expected Airflow {image.airflow} in {image.tag}, found {new.airflow}. "
            f"Fix: python -m automation upgrade {stack} --tag {image.tag} --airflow-version {new.airflow}"
        )
    if not new.known:
        found.append(
            f"the database: expected a migration that Airflow {image.airflow} has, found {new.revision} of a newer "
            f"Airflow. Fix: python -m automation rollback {stack} takes both back"
        )
    found += compatibility.refusals(image.airflow, kubernetes, new.postgresql)
    found += [
        f"{file}: expected a file that Airflow {image.airflow} can import, found {error}. Fix: change it so that both "
        "versions can import it, push it, and run this again"
        for file, error in sorted(new.errors.items())
        if file not in before.errors
    ]
    return tuple(found)


def notes(before: Trial, new: Trial, image: AirflowImage, kubernetes: str) -> tuple[str, ...]:
    """Return what is good to know before the upgrade, a sentence each. Arguments as in `refusals`."""
    found = [f"airflow config lint: {line}" for line in new.lint if line not in before.lint]
    found += [
        f"DAG {dag} is not found by Airflow {image.airflow}, though its file can be imported"
        for dag in sorted(before.dags - new.dags)
        if not new.errors.keys() - before.errors.keys()
    ]
    found += [
        f"{file} cannot be imported, before or after" for file in sorted(before.errors.keys() & new.errors.keys())
    ]
    found += _providers(before.providers, new.providers)
    found += compatibility.provider_notes(image.airflow, new.providers, {})
    if new.migrates:
        found.append(
            f"the migration has {len(new.statements)} statements, {len(new.locks)} of which lock tables in use"
        )
        found += [f"a large table: {lock}" for lock in new.locks if lock.rows >= MANY_ROWS]
    found += compatibility.notes(image.airflow, kubernetes, new.postgresql)
    return tuple(found)


def _providers(before: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    gone = [f"{name} {before[name]} is not in the new image" for name in sorted(before.keys() - new.keys())]
    return gone + [
        f"{name} goes from {before[name]} to {new[name]}: another major version"
        for name in sorted(before.keys() & new.keys())
        if before[name].split(".")[0] != new[name].split(".")[0]
    ]


def _findings(log: str) -> Iterator[dict[str, Any]]:
    for line in log.splitlines():
        mark, _, text = line.partition(_MARK)
        if not mark and text:
            try:
                item = json.loads(text)
            except ValueError:
                continue  # something else of this beginning
            if isinstance(item, dict):
                yield item
