"""Which Airflow, providers, chart, Kubernetes and PostgreSQL fit together, and until when each gets fixes.

Sources: what each Airflow is tested with is in the README of its package (pypi.org/project/apache-airflow/VERSION); the
oldest providers in the requirements of that package and of apache-airflow-core (`Requires-Dist` in their METADATA); the
chart's needs in its README and its Chart.yaml; Airflow's releases in airflow.apache.org/docs/apache-airflow/stable/
release_notes.html; the ends in kubernetes.io/releases and postgresql.org/support/versioning. Read in November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import versions


@dataclass(frozen=True, kw_only=True)
class Airflow:
    """A minor version of Airflow that the chart deploys."""

    newest: str
    """Its newest release."""
    kubernetes: tuple[str, str]
    """The oldest and the newest Kubernetes that it is tested with."""
    postgresql: tuple[int, int]
    """The oldest and the newest PostgreSQL that it is tested with."""
    providers: Mapping[str, str]
    """The oldest version of each provider that it asks for, without `apache-airflow-providers-`."""
    succeeded: date | None = None
    """When the next minor version was released. From then on, fixes go there; None for the newest."""


_OLDEST: Final = {
    "amazon": "9.0.0",
    "celery": "3.8.3",
    "cncf-kubernetes": "9.0.0",
    "git": "0.0.2",
    "google": "10.24.0",
    "microsoft-azure": "10.5.1",
    "postgres": "5.13.1",
    "redis": "4.0.0",
}
"""Least versions for every Airflow 3 so far."""
AIRFLOW: Final[Mapping[str, Airflow]] = {
    "3.0": Airflow(
        newest="3.0.6",
        kubernetes=("1.30", "1.33"),
        postgresql=(13, 17),
        providers={**_OLDEST, "fab": "2.2.0", "standard": "0.4.0"},
        succeeded=date(2025, 9, 25),
    ),
    "3.1": Airflow(
        newest="3.1.8",
        kubernetes=("1.30", "1.33"),
        postgresql=(13, 17),
        providers={**_OLDEST, "fab": "2.2.0", "standard": "1.9.0"},
        succeeded=date(2026, 4, 7),
    ),
    "3.2": Airflow(
        newest="3.2.2",
        kubernetes=("1.30", "1.35"),
        postgresql=(14, 18),
        providers={**_OLDEST, "fab": "3.6.0", "standard": "1.9.0"},
        succeeded=date(2026, 7, 6),
    ),
    "3.3": Airflow(
        newest="3.3.2",
        kubernetes=("1.30", "1.35"),
        postgresql=(14, 18),
        providers={**_OLDEST, "fab": "3.6.0", "standard": "1.9.0"},
    ),
}
"""Chart 1.22.0 deploys Airflow 2.11 and later. The program needs 3."""

CHART_KUBERNETES: Final = "1.30"
"""The oldest Kubernetes that chart 1.22.0 is made for, by its README."""

ENGINE_PROVIDER: Final = ("4.32.0", "1.36")
"""pulumi-kubernetes as requirements.txt has it (tested), and the Kubernetes of its client (k8s.io/client-go in its
go.mod, github.com/pulumi/pulumi-kubernetes). It knows older ones too. A newer one may lack what it asks for."""

PROVIDER: Final = "apache-airflow-providers-"
"""How the names of Airflow's providers begin."""

KUBERNETES_ENDS: Final[Mapping[str, date]] = {
    "1.30": date(2025, 7, 15),
    "1.31": date(2025, 10, 28),
    "1.32": date(2026, 2, 28),
    "1.33": date(2026, 6, 28),
    "1.34": date(2026, 10, 27),
    "1.35": date(2027, 2, 28),
    "1.36": date(2027, 6, 28),
}
"""When the project ends its support. A cloud may give fixes for longer, as EKS does for a surcharge."""

POSTGRESQL_ENDS: Final[Mapping[int, date]] = {
    13: date(2025, 11, 13),
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}


def minor(version: str) -> str:
    """Return the minor version of a version, such as 3.2 of 3.2.2, or 1.35 of v1.35.0-eks-1."""
    return ".".join(version.removeprefix("v").split(".")[:2])


def number(version: str) -> tuple[int, ...]:
    """Return a version of digits and dots as something that compares."""
    return tuple(map(int, version.split(".")))


def refusals(airflow: str, kubernetes: str = "", postgresql: int = 0) -> tuple[str, ...]:
    """Return why Airflow cannot work there, a sentence each. What is not known is not judged.

    Args:
        airflow: Its version, such as 3.2.2.
        kubernetes: The version of the cluster; "" if it is not known.
        postgresql: The major version of the database; 0 if it is not known.
    """
    found = []
    row = AIRFLOW.get(minor(airflow))
    if row is None:
        found.append(
            f"airflow:airflowVersion: expected {', '.join(f'{each}.x' for each in AIRFLOW)}, found {airflow}. "
            f"Fix: choose one that chart {versions.AIRFLOW_CHART} deploys"
        )
    if kubernetes and number(minor(kubernetes)) < number(CHART_KUBERNETES):
        found.append(
            f"Kubernetes: expected {CHART_KUBERNETES} or newer, for which chart {versions.AIRFLOW_CHART} is made, "
            f"found {minor(kubernetes)}. Fix: upgrade the cluster"
        )
    if row is not None and postgresql and postgresql < row.postgresql[0]:
        found.append(
            f"PostgreSQL: expected {row.postgresql[0]} or newer, which Airflow {minor(airflow)} is tested with, found "
            f"{postgresql}. Fix: upgrade the database"
        )
    return tuple(found)


def notes(airflow: str, kubernetes: str = "", postgresql: int = 0, *, today: date | None = None) -> tuple[str, ...]:
    """Return what works, but is untested or gets no fixes, a sentence each. Arguments as in `refusals`."""
    today = today or date.today()
    row = AIRFLOW.get(minor(airflow))
    if row is None:
        return ()
    found = []
    if row.succeeded is not None and row.succeeded <= today:
        newest = list(AIRFLOW.values())[-1].newest
        found.append(f"Airflow {minor(airflow)} has had no fixes since {row.succeeded}; the newest version is {newest}")
    elif number(airflow) < number(row.newest):
        found.append(f"Airflow {airflow} lacks the fixes of {row.newest}")
    found += _tested("Kubernetes", minor(kubernetes), airflow, row.kubernetes)
    found += _tested("PostgreSQL", str(postgresql or ""), airflow, (str(row.postgresql[0]), str(row.postgresql[1])))
    provider, known = ENGINE_PROVIDER
    if kubernetes and number(minor(kubernetes)) > number(known):
        found.append(f"Kubernetes {minor(kubernetes)}: pulumi-kubernetes {provider} is made for {known} and older")
    found += _ended("Kubernetes", minor(kubernetes), KUBERNETES_ENDS.get(minor(kubernetes)), today)
    found += _ended("PostgreSQL", str(postgresql), POSTGRESQL_ENDS.get(postgresql), today)
    return tuple(found)


def provider_notes(airflow: str, providers: Mapping[str, str], needs: Mapping[str, str]) -> tuple[str, ...]:
    """Return which providers of an image do not fit its Airflow, a sentence each. What is not known is not judged.

    Args:
        airflow: Version of Airflow.
        providers: The version of each provider, by its full name.
        needs: The oldest Airflow that each asks for, as its own metadata say.
    """
    row = AIRFLOW.get(minor(airflow))
    oldest = row.providers if row else {}
    found = []
    for name, version in sorted(providers.items()):
        wanted, need = oldest.get(name.removeprefix(PROVIDER), ""), needs.get(name, "")
        if wanted and release(version) < release(wanted):
            found.append(f"{name} {version}: Airflow {minor(airflow)} asks for {wanted} or newer")
        if need and release(airflow) < release(need):
            found.append(f"{name} {version} asks for Airflow {need} or newer, and the image has {airflow}")
    return tuple(found)


def release(version: str) -> tuple[int, ...]:
    """Return the number of a release as something that compares, whatever follows it, such as rc1; () without one."""
    found = re.match(r"\d+(\.\d+)*", version)
    return number(found.group()) if found else ()


def _tested(what: str, version: str, airflow: str, tested: tuple[str, str]) -> list[str]:
    oldest, newest = tested
    if not version or number(oldest) <= number(version) <= number(newest):
        return []
    return [f"{what} {version}: Airflow {minor(airflow)} is tested with {oldest} to {newest}"]


def _ended(what: str, version: str, end: date | None, today: date) -> list[str]:
    return [f"{what} {version} has had no fixes from its project since {end}"] if end and end <= today else []
