"""What is not taken over: each case with the words that mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from automation.adoption.installed import InstalledRelease
from automation.adoption.refusals import config_refusals, loss_refusals, release_refusals
from automation.adoption.taken_over import taken_over
from components.kube.secret import Secret
from tests.automation.adoption.releases import FERNET_KEY, installed, objects, read, workload
from tests.cases import each


def never(manifest: Mapping[str, Any]) -> bool:
    return False


def test_sound_release_is_not_refused() -> None:
    assert list(release_refusals(installed())) == []
    assert list(release_refusals(installed(chart_version="1.19.0", app_version="3.0.2"))) == []


@each(
    ("release", "expected"),
    [
        (lambda: installed(status="pending-upgrade"), "expected revision 3 deployed, found pending-upgrade"),
        (lambda: installed(status="failed"), "helm rollback airflow --namespace airflow"),
        (lambda: installed(chart="airflow-community"), "expected the official chart"),
        (lambda: installed([workload("other")]), "expected the official chart"),
        (lambda: installed(chart_version="1.23.0"), "expected chart 1.22.0 or older, found 1.23.0"),
        (lambda: installed(app_version="3.3.0"), "expected Airflow 3.2.2 or older, found 3.3.0"),
        (lambda: installed(app_version="2.11.0"), "expected Airflow 3, found 2.11.0"),
        (lambda: installed(config={"airflowVersion": "2.9.3"}), "upgrade with Helm first"),
    ],
)
def test_release_is_refused(release: Callable[[], InstalledRelease], expected: str) -> None:
    (text,) = release_refusals(release())
    assert expected in text
    assert "Fix: " in text


def test_config_that_says_the_same_is_not_refused() -> None:
    found = taken_over(installed(), read)
    assert list(config_refusals({}, found)) == []
    same = {key: found.values[key] for key in found.must_stay}
    assert list(config_refusals({**same, "databasePort": "5433", "keySource": "generate"}, found)) == []


@each(
    ("changed", "expected"),
    [
        ({"fernetKey": Secret("sentinel-other")}, "airflow:fernetKey: expected the release's own (Secret team-fernet)"),
        ({"fernetKey": Secret(f"sentinel,{FERNET_KEY}")}, "airflow:fernetKey"),
        ({"jwtSecret": Secret("sentinel-other")}, "airflow:jwtSecret"),
        ({"redisPassword": Secret("sentinel-other")}, "airflow:redisPassword"),
        ({"databasePassword": Secret("sentinel-other")}, "airflow:databasePassword"),
        ({"database": "managed"}, "expected the release's own, external (Secret team-database), found managed"),
        ({"database": "container"}, "pulumi config rm --stack STACK airflow:database"),
        ({"databaseHost": "other.test"}, "db.test (Secret team-database), found other.test"),
        ({"keySource": "escrow"}, "airflow:keySource: expected generate"),
    ],
)
def test_other_key_or_database_is_refused(changed: Mapping[str, Any], expected: str) -> None:
    (text,) = config_refusals(changed, taken_over(installed(), read))
    assert expected in text
    assert "Fix: " in text
    assert "sentinel" not in text


CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "airflow-logs"}}
DATABASE = [
    workload("postgresql", kind="StatefulSet"),
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "airflow-postgresql"}},
]


def test_what_the_chart_no_longer_makes_is_refused_where_it_holds_data() -> None:
    release = installed([*objects(), CLAIM])
    (text,) = loss_refusals(release, objects(), never, "db.test")
    assert (
        "kubectl --namespace airflow annotate persistentvolumeclaim airflow-logs helm.sh/resource-policy=keep" in text
    )
    assert list(loss_refusals(release, [*objects(), CLAIM], never, "db.test")) == []
    assert list(loss_refusals(release, objects(), lambda item: item["kind"] == CLAIM["kind"], "db.test")) == []


def test_namespace_that_only_one_side_names_is_no_loss() -> None:
    named = {**CLAIM, "metadata": {**CLAIM["metadata"], "namespace": "airflow"}}  # type: ignore[dict-item]
    assert list(loss_refusals(installed([*objects(), CLAIM]), [*objects(), named], never, "db.test")) == []


@pytest.mark.parametrize(
    "host", ["airflow-postgresql", "airflow-postgresql.airflow", "airflow-postgresql.airflow.svc.cluster.local"]
)
def test_database_of_the_release_itself_is_not_lost(host: str) -> None:
    found = list(loss_refusals(installed([*objects(), *DATABASE]), objects(), never, host))
    assert len(found) == len(DATABASE)
    assert all("the metadata database" in text for text in found)


def test_database_that_is_not_in_use_is_no_loss() -> None:
    assert list(loss_refusals(installed([*objects(), *DATABASE]), objects(), never, "db.test")) == []


def test_volumes_that_go_with_their_stateful_set_are_a_loss() -> None:
    keeping = workload("triggerer", kind="StatefulSet", volumeClaimTemplates=[{}])
    deleting = workload("triggerer", kind="StatefulSet", persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"})
    assert list(loss_refusals(installed([*objects(), keeping]), objects(), never, "db.test")) == []
    assert len(list(loss_refusals(installed([*objects(), deleting]), objects(), never, "db.test"))) == 1
