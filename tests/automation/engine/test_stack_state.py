"""What an exported state says was interrupted, and how it is put right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.engine.stack_state import RELEASE, StackState, protected, with_created
from tests.automation.fakes import pending_create, resource_state

SECRET = "kubernetes:core/v1:Secret"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
PASSWORD = "random:index/randomPassword:RandomPassword"
CIPHERTEXT = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}


def deployment(resources: list[dict[str, Any]], pending: list[dict[str, Any]]) -> dict[str, Any]:
    return {"manifest": {"magic": "x"}, "resources": resources, "pending_operations": pending}


def urns(content: dict[str, Any]) -> list[str]:
    return [
        f"{item['urn'].rpartition('::')[2]}{' deleted' if item.get('delete') else ''}" for item in content["resources"]
    ]


def test_name_of_an_object_that_was_about_to_be_made_is_known() -> None:
    state = StackState.of(deployment([], [pending_create(SECRET, "keys", object_name="keys-1a2b")]))
    (pending,) = state.pending
    assert (pending.api_version, pending.kind, pending.id) == ("v1", "Secret", "airflow/keys-1a2b")
    assert pending.is_create
    assert pending.is_object
    assert str(pending) == "creating Secret keys"


def test_object_outside_any_namespace_has_a_short_id() -> None:
    namespace = pending_create("kubernetes:core/v1:Namespace", "space", object_name="airflow", namespace="")
    (pending,) = StackState.of(deployment([], [namespace])).pending
    assert pending.id == "airflow"


@pytest.mark.parametrize("type_", [PASSWORD, "pulumi:providers:kubernetes", "kubernetes:helm.sh/v3:Release"])
def test_what_is_in_the_state_alone_or_mended_by_the_program_is_not_looked_for(type_: str) -> None:
    (pending,) = StackState.of(deployment([], [pending_create(type_, "x")])).pending
    assert pending.is_of_state_only
    assert not pending.is_object


def test_resource_of_aws_can_be_found_by_nobody() -> None:
    (pending,) = StackState.of(deployment([], [pending_create("aws:s3/bucket:Bucket", "logs")])).pending
    assert not pending.is_of_state_only
    assert not pending.is_object


def test_encrypted_name_is_no_name() -> None:
    item = pending_create(SECRET, "keys", object_name="x")
    item["resource"]["inputs"]["metadata"] = CIPHERTEXT
    assert not StackState.of(deployment([], [item])).pending[0].is_object


def test_state_without_anything_is_understood() -> None:
    assert StackState.of({}) == StackState()
    assert StackState.of({"resources": None, "pending_operations": None}) == StackState()


def test_adopted_resource_comes_after_all_that_it_may_depend_on() -> None:
    content = deployment([resource_state(PASSWORD, "one")], [pending_create(SECRET, "keys", object_name="keys-1a2b")])
    urn = content["pending_operations"][0]["resource"]["urn"]
    entered = with_created(content, {urn: "airflow/keys-1a2b"})
    assert urns(entered) == ["one", "keys"]
    assert entered["resources"][-1]["id"] == "airflow/keys-1a2b"
    assert not entered["pending_operations"]
    assert content["pending_operations"], "what was given stays as it was"


def test_adopted_object_differs_from_nothing_and_is_still_waited_for() -> None:
    """Also where recovery is killed before it has read the object."""
    item = pending_create(SECRET, "keys", object_name="keys-1a2b")
    entered = with_created(deployment([], [item]), {item["resource"]["urn"]: "airflow/keys-1a2b"})
    (made,) = entered["resources"]
    assert made["outputs"]["__inputs"] == made["inputs"] == item["resource"]["inputs"]
    assert made["outputs"]["metadata"]["name"] == "keys-1a2b"
    assert made["initErrors"]


def test_adopted_resource_of_aws_is_read_whole() -> None:
    item = pending_create("aws:s3/bucket:Bucket", "logs")
    (made,) = with_created(deployment([], [item]), {item["resource"]["urn"]: "logs-1"})["resources"]
    assert made == {**item["resource"], "id": "logs-1"}


def test_what_is_not_adopted_is_forgotten() -> None:
    content = deployment([], [pending_create(SECRET, "keys", object_name="keys-1a2b"), pending_create(PASSWORD, "p")])
    assert with_created(content, {})["resources"] == []


def test_replacement_stands_where_the_old_one_is_which_waits_for_its_deletion() -> None:
    old, later = resource_state(SECRET, "keys", id_="airflow/keys-old"), resource_state(STATEFUL_SET, "server")
    content = deployment([old, later], [pending_create(SECRET, "keys", object_name="keys-new")])
    entered = with_created(content, {old["urn"]: "airflow/keys-new"})
    assert urns(entered) == ["keys", "keys deleted", "server"]
    assert [item.get("id") for item in entered["resources"]] == ["airflow/keys-new", "airflow/keys-old", None]


def test_replacement_of_what_was_deleted_first_takes_its_place() -> None:
    old = resource_state(STATEFUL_SET, "server", id_="airflow/old", pendingReplacement=True)
    content = deployment([old], [pending_create(STATEFUL_SET, "server", object_name="new")])
    entered = with_created(content, {old["urn"]: "airflow/new"})
    assert [item["id"] for item in entered["resources"]] == ["airflow/new"]


def test_of_two_interrupted_creates_the_one_that_is_there_is_adopted() -> None:
    both = [pending_create(SECRET, "keys", object_name=name, inputsOf=name) for name in ("keys-1", "keys-2")]
    entered = with_created(deployment([], both), {both[0]["resource"]["urn"]: "airflow/keys-1"})
    assert [(item["id"], item["inputsOf"]) for item in entered["resources"]] == [("airflow/keys-1", "keys-1")]


def test_encrypted_inputs_are_moved_as_they_are() -> None:
    item = pending_create(SECRET, "keys", object_name="keys-1")
    item["resource"]["inputs"]["stringData"] = CIPHERTEXT
    entered = with_created(deployment([], [item]), {item["resource"]["urn"]: "airflow/keys-1"})
    assert entered["resources"][0]["inputs"]["stringData"] == CIPHERTEXT


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sets(st.sampled_from("abcdef")))
def test_settling_keeps_every_other_resource_in_its_order(names: list[str], adopted: set[str]) -> None:
    content = deployment(
        [resource_state(SECRET, name, id_=f"airflow/{name}") for name in names],
        [pending_create(SECRET, name, object_name=f"{name}-new") for name in "abcdef"],
    )
    ids = {
        item["resource"]["urn"]: StackState.of(content).pending[index].id
        for index, item in enumerate(content["pending_operations"])
    }
    entered = with_created(content, {urn: id_ for urn, id_ in ids.items() if urn.rpartition("::")[2] in adopted})
    kept = [item["id"] for item in entered["resources"] if not item["id"].endswith("-new")]
    assert kept == [f"airflow/{name}" for name in names]
    assert {item["id"] for item in entered["resources"]} - set(kept) == {f"airflow/{name}-new" for name in adopted}
    once = [item["urn"] for item in entered["resources"] if not item.get("delete")]
    assert len(once) == len(set(once)), "no two of one name that both stay"


def test_state_knows_what_it_holds_and_what_was_interrupted() -> None:
    state = StackState.of(
        deployment(
            [resource_state(SECRET, "a", id_="airflow/a-1")], [pending_create(STATEFUL_SET, "b", object_name="b-1")]
        )
    )
    assert state.knows("kubernetes:core/v1:Secret", "airflow/a-1")
    assert state.knows("kubernetes:apps/v1:StatefulSet", "airflow/b-1")
    assert not state.knows("kubernetes:core/v1:ConfigMap", "airflow/a-1")


def test_image_is_the_one_that_the_release_was_given() -> None:
    stack = {"urn": "s", "type": "pulumi:pulumi:Stack", "outputs": {"image": "acme/airflow:refused"}}
    for airflow, expected in (
        ({"repository": "acme/airflow", "tag": "7", "digest": None}, "acme/airflow:7"),
        ({"repository": "acme/airflow", "tag": "7", "digest": "sha256:ab"}, "acme/airflow@sha256:ab"),
        ({}, ""),
        (None, ""),
    ):
        release = {"urn": "r", "type": RELEASE, "inputs": {"values": {"images": {"airflow": airflow}}}}
        assert StackState.of({"resources": [stack, release]}).image == expected
    encrypted = {"urn": "r", "type": RELEASE, "inputs": {"values": "encrypted"}}
    assert StackState.of({"resources": [encrypted]}).image == ""
    assert StackState.of({"resources": [stack]}).image == ""


def test_protected_resources_are_named() -> None:
    resources = [resource_state(PASSWORD, "kept", protect=True), resource_state(PASSWORD, "other")]
    assert [found.name for found in protected(StackState.of(deployment(resources, [])).resources)] == ["kept"]


def test_current_resource_is_not_the_one_that_is_being_replaced() -> None:
    old, new = resource_state(SECRET, "a", id_="airflow/1", delete=True), resource_state(SECRET, "a", id_="airflow/2")
    current = StackState.of(deployment([old, new], [])).current(new["urn"])
    assert current is not None
    assert current.id == "airflow/2"
