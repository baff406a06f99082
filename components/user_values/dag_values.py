"""Finds values about DAGs that contradict how this stack delivers them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.given_options import given_options
from components.chart_values.value_paths import at, leaf_paths
from components.kube.any_form import entries
from components.user_values.surroundings import Surroundings

BUNDLES: Final = "dagProcessor.dagBundleConfigList"
_OF_BUNDLES: Final[Mapping[str, type]] = {"name": str, "classpath": str, "kwargs": dict}
_KINDS: Final[Mapping[type, str]] = {str: "a text", dict: "a map"}
_CLAIM: Final = "dags.persistence"
_ONE_NODE: Final = (None, "ReadWriteOnce", "ReadWriteOncePod")
"""Access modes of a volume that pods of one node can mount; None is the chart's default, the next."""


def dag_problems(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each such value."""
    if surroundings.dags_fetched:
        yield from _beside_fetched(helm_values)
    else:
        yield from _bundle_problems(helm_values)
    made = at(helm_values, f"{_CLAIM}.enabled") and not at(helm_values, f"{_CLAIM}.existingClaim")
    if made and surroundings.several_nodes and at(helm_values, f"{_CLAIM}.accessMode") in _ONE_NODE:
        yield (
            f"{_CLAIM}.accessMode",
            f"{_CLAIM}.accessMode: expected ReadWriteMany, because pods of several nodes mount this volume, found "
            f"ReadWriteOnce; set it, with a class for it in {_CLAIM}.storageClassName, or name a claim that exists in "
            f"{_CLAIM}.existingClaim",
        )


def _bundle_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what Airflow refuses in a list of bundles (3.2.2, dag_processing/bundles/manager.py)."""
    names = []
    for index, bundle in enumerate(entries(at(helm_values, BUNDLES))):
        path = f"{BUNDLES}.{index}"
        for field, kind in _OF_BUNDLES.items():
            if not isinstance(bundle.get(field), kind):
                yield path, f"{path}: expected an entry {field}, {_KINDS[kind]}, found none; add it"
                break
        if bundle.get("name") in names:
            yield path, f"{path}: expected a name of its own, found that of another bundle; give it another"
        names.append(bundle.get("name"))


def _beside_fetched(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, _ in given_options(helm_values, "config.core.dags_folder"):
        yield (
            path,
            f"{path} names another folder of DAGs than the one where they are fetched to; use airflow:dagsSubPath, or "
            "airflow:dagsDelivery image",
        )
    if at(helm_values, f"{_CLAIM}.enabled"):
        yield (
            f"{_CLAIM}.enabled",
            f"{_CLAIM}.enabled mounts a volume in place of the DAGs that are fetched; use airflow:dagsDelivery image "
            "with it, or leave it out",
        )
    if BUNDLES in leaf_paths(helm_values):  # a null would delete the program's
        yield (
            BUNDLES,
            f"{BUNDLES} is set by the program; use airflow:dagBundles for Git repositories, or airflow:dagsDelivery "
            "image, with which bundles of any kind may be set here",
        )
