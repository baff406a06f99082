"""Helm's record of a release: what an interrupted update leaves of it, and how the next one goes on."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.kube.safe_yaml import load_all_yaml
from components.release import helm_record
from components.release.helm_record import (
    ForeignReleaseError,
    KubernetesRecords,
    ReleaseBusyError,
    Revision,
    decode,
    encode,
    repair_before_create,
    repair_before_update,
)
from tests.cases import each

if TYPE_CHECKING:
    from components.kube.client import KubeApi

STATUSES: Final = (
    "unknown",
    "deployed",
    "uninstalled",
    "superseded",
    "failed",
    "uninstalling",
    "pending-install",
    "pending-upgrade",
    "pending-rollback",
)
"""All that Helm knows (helm.sh/helm/v3/pkg/release/status.go)."""

OWN: Final = ["airflow-keys-fernet-key-1a2b3c4d", "airflow-keys-jwt-secret-5e6f7a8b"]
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)


def test_record_that_unpacks_to_more_than_any_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Secret of 1 MiB could unpack to a gigabyte. Whoever may write one is not who deploys."""
    monkeypatch.setattr(helm_record, "MOST_BYTES", 1 << 20)
    fits = json.dumps({"a": "b" * ((1 << 20) - 9)})
    for text, reads in ((fits, True), (f"{fits} ", False), (" " * (50 << 20), False)):
        data = base64.b64encode(base64.b64encode(gzip.compress(text.encode()))).decode()
        if reads:
            assert decode(data) == json.loads(text)
        else:
            with pytest.raises(ValueError, match="unpacks to more than 1 MiB"):
                decode(data)


class FakeRecords(KubernetesRecords):
    """Records in memory, that note what is done to them."""

    def __init__(self, *revisions: Revision) -> None:
        self.revisions = list(revisions)
        self.deleted: list[str] = []
        self.written: list[tuple[str, str, Mapping[str, Any]]] = []

    def list(self) -> list[Revision]:
        return list(self.revisions)

    def delete(self, revision: Revision) -> None:
        self.deleted.append(revision.secret)

    def write(self, revision: Revision, content: Mapping[str, Any], status: str) -> None:
        self.written.append((revision.secret, status, content))


def manifest(*names: str) -> str:
    """A manifest of one ConfigMap each."""
    return "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {name}\n" for name in names
    )


ENGINE: Final = frozenset({"pulumi-kubernetes"})
SECONDS: Final = 900.0


def create(records: KubernetesRecords) -> list[str]:
    return repair_before_create(records, OWN, "airflow", SECONDS)


def update(records: KubernetesRecords) -> list[str]:
    return repair_before_update(records, OWN, "airflow", SECONDS)


def revision(
    number: int, status: str, *, own: bool = True, writers: frozenset[str] = ENGINE, age: float = 1.0
) -> Revision:
    """A record as the engine's Helm has just made it."""
    values = {"fernetKeySecretName": OWN[0] if own else "somebody-s", "redis": {"list": ["x", {"deep": "y"}]}}
    content = {
        "name": "airflow",
        "version": number,
        "info": {"status": status, "description": "as Helm wrote it"},
        "config": values,
        "manifest": manifest("common", f"of-{number}"),
    }
    return Revision(
        secret=f"sh.helm.release.v1.airflow.v{number}",
        number=number,
        status=status,
        values=values,
        content=content,
        writers=writers,
        age_seconds=age,
    )


# The form


def test_record_is_read_as_helm_writes_it() -> None:
    """Helm: JSON, gzipped, base64; the Kubernetes API: base64 of that."""
    content = {"name": "airflow", "info": {"status": "deployed"}}
    by_helm = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    assert decode(base64.b64encode(by_helm).decode()) == content


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_what_is_written_is_read_again(content: dict[str, Any]) -> None:
    assert decode(encode(content)) == content


def test_same_content_is_written_the_same_way() -> None:
    assert encode({"a": 1}) == encode({"a": 1})


# Before a create


def test_nothing_is_done_where_no_release_is() -> None:
    records = FakeRecords()
    assert create(records) == []
    assert records.deleted == []


@each("status", STATUSES)
def test_own_release_gives_way_to_a_create_whatever_became_of_it(status: str) -> None:
    records = FakeRecords(revision(1, status))
    done = create(records)
    assert records.deleted == ["sh.helm.release.v1.airflow.v1"]
    assert records.written == []
    assert len(done) == 1
    assert f"revision 1 {status}" in done[0]
    assert "its objects stay" in done[0]


def test_all_revisions_of_an_own_release_give_way_oldest_first() -> None:
    """Helm looks at the newest: were that gone first, an interruption in between would show it a deployed release."""
    records = FakeRecords(revision(3, "pending-upgrade"), revision(1, "superseded"), revision(2, "deployed"))
    assert len(create(records)) == 3
    assert [secret[-2:] for secret in records.deleted] == ["v1", "v2", "v3"]


@each("status", STATUSES)
def test_release_of_somebody_else_is_left_alone(status: str) -> None:
    records = FakeRecords(revision(1, status, own=False))
    with pytest.raises(
        ForeignReleaseError, match=r"expected no Helm release airflow .*helm uninstall airflow .* --stack STACK"
    ):
        create(records)
    assert records.deleted == []


def test_newest_revision_says_whose_a_release_is() -> None:
    records = FakeRecords(revision(1, "superseded"), revision(2, "deployed", own=False))
    with pytest.raises(ForeignReleaseError, match="revision 2, deployed"):
        create(records)
    records = FakeRecords(revision(10, "failed"), revision(9, "superseded", own=False))
    assert len(create(records)) == 2


def test_release_without_values_is_somebody_else_s() -> None:
    bare = Revision(secret="s", number=1, status="deployed", values={}, content={})
    with pytest.raises(ForeignReleaseError):
        create(FakeRecords(bare))


@each(
    "values",
    [
        {"a": OWN[1]},
        {"a": {"b": {"c": OWN[1]}}},
        {"a": [{"b": OWN[1]}]},
        {"a": [1, None, True, [OWN[1]]]},
    ],
)
def test_own_secret_is_found_wherever_it_is_named(values: dict[str, Any]) -> None:
    own = Revision(secret="s", number=1, status="pending-install", values=values, content={})
    assert len(create(FakeRecords(own))) == 1


def test_part_of_a_name_is_no_name() -> None:
    near = Revision(secret="s", number=1, status="failed", values={"a": f"{OWN[0]}0", OWN[0]: "x"}, content={})
    with pytest.raises(ForeignReleaseError):
        create(FakeRecords(near))


# Before an update


def names_in(found: Mapping[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in load_all_yaml(found["manifest"])]


def test_deployed_release_is_left_as_it_is() -> None:
    records = FakeRecords(revision(1, "superseded"), revision(2, "failed"), revision(3, "deployed"))
    assert update(records) == []
    assert (records.written, records.deleted) == ([], [])


@each("status", [status for status in STATUSES if status != "deployed"])
def test_helm_starts_from_all_that_the_unfinished_revisions_may_have_changed(status: str) -> None:
    found = [revision(3, "failed"), revision(1, "superseded"), revision(2, "deployed"), revision(4, status)]
    records = FakeRecords(*found)
    before = copy.deepcopy(records.revisions)
    done = update(records)
    assert records.revisions == before, "what was read is not changed"
    assert records.deleted == []
    (newest, newest_status, content), (older, older_status, old_content) = records.written
    assert (newest[-2:], newest_status, content["info"]["status"]) == ("v4", "deployed", "deployed")
    assert names_in(content) == ["common", "of-2", "of-3", "of-4"]
    assert (older[-2:], older_status, old_content["info"]["status"]) == ("v2", "superseded", "superseded")
    for written, original in ((content, before[3].content), (old_content, before[2].content)):
        touched = {"info"} | ({"manifest"} if written is content else set())
        assert {key for key in original if written[key] != original[key]} == touched
    assert len(done) == 1
    assert f"revision 4 did not come to its end ({status})" in done[0]


@each("status", [status for status in STATUSES if status != "deployed"])
def test_first_install_is_started_from_once_it_is_not_pending(status: str) -> None:
    records = FakeRecords(revision(1, "failed"), revision(2, status))
    assert len(update(records)) == 1
    if status.startswith("pending-"):
        [(secret, written, content)] = records.written
        assert (secret[-2:], written, content["info"]["status"]) == ("v2", "failed", "failed")
        assert content["manifest"] == revision(2, status).content["manifest"]
    else:
        assert records.written == []


def test_update_of_a_release_that_is_gone_is_helm_s_affair() -> None:
    assert update(FakeRecords()) == []


def test_update_repairs_no_release_that_is_not_the_stacks() -> None:
    records = FakeRecords(revision(1, "deployed", own=False), revision(2, "failed", own=False))
    with pytest.raises(ForeignReleaseError, match="revision 2, failed"):
        update(records)
    assert records.written == []


def test_update_repairs_its_release_whatever_values_the_unfinished_revision_had() -> None:
    assert len(update(FakeRecords(revision(1, "deployed"), revision(2, "failed", own=False)))) == 1


# A Helm that is alive


@each("status", [*(status for status in STATUSES if status.startswith("pending-")), "uninstalling"])
def test_record_of_a_helm_that_may_be_alive_is_left_until_its_time_is_out(status: str) -> None:
    """A person's Helm knows nothing of the stack's lock. That of the engine cannot be alive: this update has it."""
    for repair in (create, update):
        for writers in (frozenset({"Helm"}), frozenset({"Helm", *ENGINE}), frozenset[str]()):
            records = FakeRecords(revision(1, "deployed"), revision(2, status, writers=writers, age=SECONDS - 1))
            with pytest.raises(ReleaseBusyError, match=rf"revision 2 {status}, begun by .* 899 s ago.*900 s after"):
                repair(records)
            assert (records.written, records.deleted) == ([], [])
            records = FakeRecords(revision(1, "deployed"), revision(2, status, writers=writers, age=SECONDS))
            assert repair(records) != []
        assert repair(FakeRecords(revision(1, "deployed"), revision(2, status, age=0.0))) != []


def test_record_that_no_helm_works_on_is_repaired_at_once() -> None:
    found = revision(2, "failed", writers=frozenset({"Helm"}), age=0.0)
    assert len(update(FakeRecords(revision(1, "deployed"), found))) == 1


# In the cluster


class FakeApi:
    """The three calls of the cluster's client that are used, on Secrets in memory."""

    def __init__(self, secrets: dict[str, dict[str, Any]]) -> None:
        self.secrets = secrets
        self.now: float | None = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC).timestamp()
        self.asked: list[dict[str, Any]] = []

    def items(
        self, api_version: str, kind: str, namespace: str, *, labels: dict[str, str], fields: str
    ) -> list[dict[str, Any]]:
        self.asked.append({"namespace": namespace, "labels": labels, "fields": fields})
        made = {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "pulumi-kubernetes"}]}
        return [{"metadata": {"name": name, **made}, **secret} for name, secret in self.secrets.items()]

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        assert namespace == "ns"
        del self.secrets[name]

    def merge(self, api_version: str, kind: str, namespace: str, name: str, changes: dict[str, Any]) -> None:
        assert namespace == "ns"
        self.secrets[name]["data"].update(changes["data"])
        self.secrets[name]["labels"] = changes["metadata"]["labels"]


def in_cluster(*statuses: str) -> FakeApi:
    return FakeApi(
        {
            f"sh.helm.release.v1.airflow.v{number}": {"data": {"release": encode(revision(number, status).content)}}
            for number, status in enumerate(statuses, 1)
        }
    )


def test_records_of_the_cluster_are_those_of_the_release() -> None:
    api = in_cluster("superseded", "pending-upgrade")
    found = KubernetesRecords(cast("KubeApi", api), "ns", "airflow").list()
    assert found == [revision(1, "superseded"), revision(2, "pending-upgrade")]
    assert api.asked == [
        {"namespace": "ns", "labels": {"owner": "helm", "name": "airflow"}, "fields": "type=helm.sh/release.v1"}
    ]


def test_record_has_no_age_if_the_cluster_does_not_tell_the_time() -> None:
    """The clock of this machine may be wrong by hours."""
    api = in_cluster("pending-upgrade")
    api.now = None
    assert [found.age_seconds for found in KubernetesRecords(cast("KubeApi", api), "ns", "airflow").list()] == [0.0]


def test_release_installed_without_values_has_none() -> None:
    api = in_cluster("deployed")
    content = {key: value for key, value in revision(1, "deployed").content.items() if key != "config"}
    api.secrets["sh.helm.release.v1.airflow.v1"]["data"]["release"] = encode(content)
    assert KubernetesRecords(cast("KubeApi", api), "ns", "airflow").list()[0].values == {}


def test_repaired_record_is_deployed_in_the_cluster_by_label_and_content() -> None:
    api = in_cluster("deployed", "pending-upgrade")
    records = KubernetesRecords(cast("KubeApi", api), "ns", "airflow")
    update(records)
    assert [found.status for found in records.list()] == ["superseded", "deployed"]
    assert api.secrets["sh.helm.release.v1.airflow.v1"]["labels"] == {"status": "superseded"}
    assert api.secrets["sh.helm.release.v1.airflow.v2"]["labels"] == {"status": "deployed"}
    assert update(records) == [], "once is enough"


def test_records_of_an_unfinished_install_are_gone_afterwards() -> None:
    api = in_cluster("pending-install")
    create(KubernetesRecords(cast("KubeApi", api), "ns", "airflow"))
    assert api.secrets == {}
