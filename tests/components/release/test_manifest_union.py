"""The union of manifests: nothing that any of them may have put into the cluster is missing from it."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from components.kube.safe_yaml import load_all_yaml, load_yaml
from components.release.manifest_union import manifest_union
from tests.cases import each

SCALARS: Final = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just("2020-01-01"))
TREES: Final = st.recursive(
    SCALARS,
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b"]), children, max_size=3),
        st.builds(lambda name, value: {"name": name, "a": value}, st.sampled_from(["x", "y"]), children),
    ),
    max_leaves=8,
)
ITEMS: Final = st.builds(
    lambda kind, name, namespace, spec: {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "spec": spec,
    },
    st.sampled_from(["ConfigMap", "Service"]),
    st.sampled_from(["x", "y"]),
    st.sampled_from([None, "ns"]),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), TREES, max_size=3),
)


def identity(item: dict[str, Any]) -> tuple[str, ...]:
    return item["kind"], item["metadata"].get("namespace") or "", item["metadata"]["name"]


def written(items: list[dict[str, Any]]) -> str:
    return yaml.safe_dump_all(items)


def read(manifest: str) -> list[dict[str, Any]]:
    return list(yaml.load_all(manifest, Loader=yaml.BaseLoader))


def union(*manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return load_all_yaml(manifest_union([written(items) for items in manifests]))


def deployment(containers: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": containers, **spec}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}


def covers(one: Any, other: Any) -> bool:
    """Whether every field of `other` is in `one`, whatever its value."""
    if isinstance(other, dict) and isinstance(one, dict):
        return all(key in one and covers(one[key], value) for key, value in other.items())
    return True


def test_object_that_only_a_failed_revision_brought_is_there() -> None:
    one, other = (
        {"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}},
        {
            "apiVersion": "v1",
            "kind": "A",
            "metadata": {"name": "y"},
        },
    )
    assert union([one], [other]) == [one, other]


def test_same_name_in_another_namespace_or_kind_is_another_object() -> None:
    items = [
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": namespace}}
        for kind in ("A", "B")
        for namespace in ("n", "m")
    ]
    assert union(items, items) == items


def test_field_that_only_a_failed_revision_brought_is_there() -> None:
    """The case that it is for: a request that no node can grant, then the old values again."""
    before = deployment([{"name": "scheduler", "image": "a"}])
    failed = deployment([{"name": "scheduler", "image": "b", "resources": {"requests": {"cpu": "50"}}}])
    [found] = union([before], [failed])
    assert found == failed


def test_elements_of_a_list_are_told_apart_by_their_merge_key() -> None:
    before = deployment([{"name": "a", "env": [{"name": "X", "value": "1"}]}])
    failed = deployment(
        [{"name": "b"}, {"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "3"}]}]
    )
    [found] = union([before], [failed])
    assert found["spec"]["template"]["spec"]["containers"] == [
        {"name": "a", "env": [{"name": "X", "value": "3"}, {"name": "Y", "value": "2"}]},
        {"name": "b"},
    ]


def test_mounts_are_told_apart_by_their_path() -> None:
    def mounting(*mounts: tuple[str, str]) -> dict[str, Any]:
        return deployment(
            [{"name": "a", "volumeMounts": [{"mountPath": path, "subPath": part} for path, part in mounts]}]
        )

    [found] = union([mounting(("/a", "1"), ("/b", "1"))], [mounting(("/b", "2"), ("/c", "2"))])
    mounts = found["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert [(mount["mountPath"], mount["subPath"]) for mount in mounts] == [("/a", "1"), ("/b", "2"), ("/c", "2")]


def test_list_without_a_merge_key_holds_each_element_once() -> None:
    [found] = union([deployment([], args=["a", "b"])], [deployment([], args=["b", "c"])])
    assert found["spec"]["template"]["spec"]["args"] == ["a", "b", "c"]


@each("text", ["2020-01-01", "2020-01-01T10:00:00Z", "1e3x", "0x1g", "v1.2"])
def test_text_stays_a_text(text: str) -> None:
    manifest = f"apiVersion: v1\nkind: A\nmetadata:\n  name: x\n  annotations:\n    a: {text}\n"
    assert read(manifest_union([manifest]))[0]["metadata"]["annotations"]["a"] == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20))
@example("\U0001f680 \u2028\u2029\x85\ufeff\x7f\t\n\\ud83d\\ude00")
def test_any_text_is_read_as_it_was_and_by_json_and_yaml_alike(text: str) -> None:
    item = {"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}, "data": {"key": text}}
    manifest = manifest_union([json.dumps(item, ensure_ascii=False) if text.isprintable() else written([item])])
    assert load_yaml(manifest) == item
    assert json.loads(manifest.removeprefix("---\n")) == item
    # Helm's reader of YAML refuses one half of a character.
    assert not re.search(r"(?<!\\)(\\\\)*\\u[dD][89a-fA-F]", manifest)


def test_empty_documents_of_a_chart_are_nothing() -> None:
    assert manifest_union(["---\n# Source: airflow/templates/x.yaml\n---\n\n", ""]) == ""


@given(st.lists(ITEMS, max_size=4, unique_by=lambda item: identity(item)))
def test_union_of_one_manifest_with_itself_is_that_manifest(items: list[dict[str, Any]]) -> None:
    assert union(items) == items
    assert list(map(identity, union(items, items))) == list(map(identity, items))


@given(*[st.lists(ITEMS, max_size=3, unique_by=lambda item: identity(item))] * 2)
def test_every_object_and_field_of_both_is_there_and_the_later_value_wins(
    before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    found = {identity(item): item for item in union(before, after)}
    assert set(found) == set(map(identity, before)) | set(map(identity, after))
    later = set(map(identity, after))
    for item in after:
        assert covers(found[identity(item)], item)
        for key, value in item["spec"].items():
            if not isinstance(value, dict | list):
                assert found[identity(item)]["spec"][key] == value
    for item in before:
        if identity(item) not in later:
            assert found[identity(item)] == item
        for key in item["spec"]:
            assert key in found[identity(item)]["spec"]
