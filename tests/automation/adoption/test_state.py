"""A state that has a release already: whole for the engine, and without the release's values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automation.adoption.state import faults, with_release
from automation.engine.stack_state import NAMESPACE, RELEASE, StackState
from automation.results import Step
from tests.automation.adoption.releases import installed

ROOT = "urn:pulumi:team::airflow::pulumi:pulumi:Stack::airflow-team"
PROVIDER = "urn:pulumi:team::airflow::pulumi:providers:kubernetes::airflow"
_TYPES = "urn:pulumi:team::airflow::airflow:index:AirflowPlatform"
PLATFORM = f"{_TYPES}::airflow"
PART = f"{_TYPES}$airflow:index:AirflowRelease::airflow"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
ID = "0a0a0a0a-0000-4000-8000-000000000000"


def item(urn: str, parent: str, *, custom: bool = False, provider: str = "", **inputs: Any) -> dict[str, Any]:
    type_ = urn.split("::")[2].rpartition("$")[2]
    return {"urn": urn, "type": type_, "custom": custom, "parent": parent, "provider": provider, "inputs": inputs}


def registered() -> list[dict[str, Any]]:
    of = f"{PROVIDER}::{UNKNOWN}"
    return [
        item(ROOT, ""),
        item(PLATFORM, ROOT),
        item(PROVIDER, ROOT, custom=True, context="kind-airflow"),
        item(f"{_TYPES}$kubernetes:core/v1:Secret::key", PLATFORM, custom=True, provider=of),
        item(f"{_TYPES}$kubernetes:core/v1:Namespace::n", PLATFORM, custom=True, provider=of, metadata={"labels": {}}),
        item(PART, PLATFORM),
        item(
            f"{_TYPES}$airflow:index:AirflowRelease$kubernetes:helm.sh/v3:Release::airflow",
            PART,
            custom=True,
            provider=of,
            values={"a": 1},
        ),
    ]


def made() -> dict[str, Any]:
    release = installed(config={"fernetKey": "sentinel"})
    return with_release({"manifest": {"version": "v3"}, "resources": [{"urn": ROOT}]}, registered(), release, ID)


def test_release_and_namespace_are_in_it_and_nothing_else_is() -> None:
    state = StackState.of(made())
    assert {found.type: found.id for found in state.resources} == {
        "pulumi:providers:kubernetes": ID,
        NAMESPACE: "airflow",
        RELEASE: "airflow/airflow",
    }
    assert made()["manifest"] == {"version": "v3"}


def test_each_resource_comes_after_what_it_refers_to() -> None:
    known: set[str] = set()
    for found in made()["resources"]:
        assert found.get("parent") is None or found["parent"] in known
        if "provider" in found:
            urn, _, id_ = found["provider"].rpartition("::")
            assert (urn in known, id_) == (True, ID)
        assert found["urn"] not in known
        known.add(found["urn"])
    assert ROOT in known


def test_no_value_of_the_release_is_in_it() -> None:
    """A plain release may have keys among its values; an import by the engine would store them in clear."""
    assert "sentinel" not in json.dumps(made())
    release = next(found for found in made()["resources"] if found["type"] == RELEASE)
    assert release["inputs"]["values"] == {}
    kept = release["outputs"]["__inputs"]
    assert kept.pop("4dabf18193072939515e22adb298388d"), "the provider panics where it is no secret"
    assert json.loads(kept["plaintext"]) == release["inputs"]


def test_program_without_a_release_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected one kubernetes:helm"):
        with_release({}, [found for found in registered() if found["type"] != RELEASE], installed(), ID)


def step(operation: str, type_: str, **properties: str) -> Step:
    return Step(operation=operation, type=type_, name="x", urn="urn", properties=properties)


def test_only_creates_and_updates_are_no_faults() -> None:
    assert list(faults([step("update", RELEASE), step("update", NAMESPACE), step("create", "random:index:X")])) == []


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (step("replace", RELEASE, name="update-replace", values="update"), "replace Release x (name)"),
        (step("delete", "kubernetes:core/v1:Secret"), "delete Secret x"),
        (step("create", RELEASE), "create Release, which already exists"),
        (step("create", NAMESPACE), "create Namespace, which already exists"),
    ],
)
def test_everything_else_is_a_fault(found: Step, expected: str) -> None:
    assert list(faults([found])) == [expected]
