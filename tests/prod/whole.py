"""The whole of `prod` on the cluster of the tests, with servers behind its database.

Other than in `Pulumi.prod.yaml` are the addresses (the DAG repository and its deploy key, the namespace, the image's
tag), the trust anchor of the database, and the numbers of pods (`on_cluster.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.plain_stack import dag_repository
from tests.cluster.tls_database import Authority
from tests.prod.databases import Databases, databases
from tests.prod.on_cluster import OnCluster, on_cluster

NAMESPACE: Final = "airflow-whole"
DATABASES: Final = "airflow-whole-rds"


@dataclass(frozen=True)
class Whole(OnCluster):
    """All that runs."""

    databases: Databases


@contextmanager
def whole(api: Any, folder: Path) -> Iterator[Whole]:
    """Yield the stack, not deployed. Afterwards the cluster has nothing of it."""
    authority = Authority.new("the tests' authority")
    with (
        on_cluster(api, folder, NAMESPACE) as around,
        databases(api, around.account, DATABASES, authority) as served,
    ):
        repository = dag_repository(dagsSyncPeriodSeconds=5)
        around.checkout.init(
            repository.secrets["gitSshPrivateKey"],
            namespace=NAMESPACE,
            databaseCaCertificate=authority.pem,
            **repository.config,
            **around.config,
        )
        yield Whole(**vars(around), databases=served)
