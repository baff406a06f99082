"""What engine, CrossGuard and charts write becomes what the rules look at."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.context import allowed_registries
from policy.convert import known, object_of_resource, objects_of, secret_data
from policy.images import Image, parse_image
from policy.model import UNKNOWN, JudgedResource, RenderedObject, dotted, get, has_unknown, walk
from tests import samples
from tests.cases import each

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
PARENTS: Final = "airflow:index:AirflowPlatform$airflow:index:AirflowKeys"
URN: Final = f"urn:pulumi:prod::airflow::{PARENTS}$pulumi:index:Stash::airflow-keys-fernet-key"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="abc"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="abc"), inner),
)


# Values


@given(json_values)
def test_plain_values_stay_what_they_are(value: Any) -> None:
    assert known(value) == value
    assert not has_unknown(known(value))


def test_values_of_the_engine() -> None:
    for value, expected in [
        (UNKNOWN_TEXT, UNKNOWN),
        ("[secret]", UNKNOWN),
        ([1.0, 2.5, UNKNOWN_TEXT], [1, 2.5, UNKNOWN]),
        ({"a": (True, None)}, {"a": [True, None]}),
        ({SIGNATURE: SECRET, "value": {"a": 1.0}}, {"a": 1}),
        ({SIGNATURE: SECRET, "ciphertext": "[secret]"}, UNKNOWN),
    ]:
        assert known(value) == expected


class RefusedError(Exception):
    """As CrossGuard's UnknownValueError."""


class Refusing(Mapping[str, Any]):
    """As CrossGuard's map of properties, of which `unknown` is not known."""

    def __getitem__(self, key: str) -> Any:
        if key == "unknown":
            raise RefusedError
        return {"a": 1.0, "inner": [2.0]}[key]

    def __iter__(self) -> Any:
        return iter(("a", "inner", "unknown"))

    def __len__(self) -> int:
        return 3


def test_values_of_crossguard() -> None:
    assert known(Refusing(), (RefusedError,)) == {"a": 1, "inner": [2], "unknown": UNKNOWN}
    with pytest.raises(RefusedError):
        known(Refusing())


# Objects

TASK_POD: Final = "metadata: {name: placeholder}\nspec: {containers: [{name: base, image: x}]}\n"


def test_task_pod_is_found_in_its_config_map() -> None:
    config_map = {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "c"},
        "data": {"pod_template_file.yaml": TASK_POD},
    }
    [first, pod] = objects_of([config_map])
    assert first.label == "ConfigMap c"
    assert pod.label == "Pod of a task (c)"
    assert get(pod.body, "spec.containers") == [{"name": "base", "image": "x"}]


def test_what_is_no_pod_is_left_out() -> None:
    for text in [UNKNOWN, None, "", "{", "- a", "just text"]:
        assert len(objects_of([{"kind": "ConfigMap", "data": {"pod_template_file.yaml": text}}])) == 1


def test_resource_is_the_object_that_it_makes() -> None:
    body = {"metadata": {"namespace": "airflow"}, "spec": {}}
    job = JudgedResource(type="kubernetes:batch/v1:Job", name="migrate", urn=URN, inputs=body)
    assert object_of_resource(job) == RenderedObject(
        kind="Job", api_version="batch/v1", name="migrate", namespace="airflow", body=body, urn=URN
    )
    secret = object_of_resource(JudgedResource(type="kubernetes:core/v1:Secret", name="s"))
    assert secret is not None
    assert secret.api_version == "v1"


@pytest.mark.parametrize(
    "type_", ["kubernetes:helm.sh/v3:Release", "aws:s3/bucket:Bucket", "pulumi:providers:kubernetes"]
)
def test_other_resources_make_no_object(type_: str) -> None:
    assert object_of_resource(JudgedResource(type=type_, name="x")) is None


def test_secret_is_read_in_either_form_as_far_as_it_is_known() -> None:
    """The provider turns the one into the other."""
    body = {
        "stringData": {"a": "plain", "u": UNKNOWN},
        "data": {
            "b": base64.b64encode(b"encoded").decode(),
            "binary": base64.b64encode(b"\xff").decode(),
            "u": UNKNOWN,
            "n": None,
        },
    }
    assert secret_data(RenderedObject(kind="Secret", body=body)) == {"a": "plain", "b": "encoded"}
    assert secret_data(RenderedObject(kind="Secret", body={"data": UNKNOWN, "stringData": None})) == {}


# Paths


def test_paths() -> None:
    value = {"a": {"b": [1, {"c": UNKNOWN}]}, "u": UNKNOWN}
    assert get(value, "a.b") == [1, {"c": UNKNOWN}]
    assert get(value, "a.x.y") is None
    assert get(value, "a.b.c") is None, "a list has no names"
    assert get(value, "u.anything") is UNKNOWN
    assert "a.b[1].c" in [dotted(path) for path, _ in walk(value)]
    assert has_unknown(value)
    assert not has_unknown(get(value, "a.b")[0])


# Images


@each(
    ("text", "expected"),
    [
        ("redis", Image(name="docker.io/library/redis")),
        ("redis:7", Image(name="docker.io/library/redis", tag="7")),
        ("apache/airflow:3.2.2", Image(name="docker.io/apache/airflow", tag="3.2.2")),
        ("docker.io/apache/airflow", Image(name="docker.io/apache/airflow")),
        ("localhost:5000/a/b:c", Image(name="localhost:5000/a/b", tag="c")),
        ("localhost/a", Image(name="localhost/a")),
        (f"a/b@{samples.DIGEST}", Image(name="docker.io/a/b", digest=samples.DIGEST)),
        (f"quay.io/a/b:c@{samples.DIGEST}", Image(name="quay.io/a/b", tag="c", digest=samples.DIGEST)),
        ("", None),
        ("{{ .Values.image }}", None),
        ("{{.Values.image}}", None),
        ("two words", None),
    ],
)
def test_references(text: str, expected: Image | None) -> None:
    assert parse_image(text) == expected


def test_shipped_registries_are_those_of_the_program_s_images_and_no_more() -> None:
    from components.kube.images import CHART_IMAGES, POSTGRES_REPOSITORY

    images = {parse_image(name) for name in (*CHART_IMAGES.values(), POSTGRES_REPOSITORY)}
    assert set(allowed_registries()) == {image.name for image in images if image}
