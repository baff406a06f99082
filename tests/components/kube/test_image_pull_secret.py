"""Registry credentials: one immutable Secret of the kind that pods can pull with, named by every pod."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

from components.kube.docker_config import docker_config
from components.kube.image_pull_secret import ImagePullSecret, ImagePullSecretArgs
from components.kube.secret import Secret
from tests.cases import each

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

CONFIG: Final = '{"auths": {"registry.example.com": {"auth": "c2VudGluZWw6cGFzcw=="}}}'


def test_credentials_are_a_secret_of_the_kind_that_the_kubelet_reads(record: Record) -> None:
    recorder = record(
        lambda: ImagePullSecret("pull", ImagePullSecretArgs(namespace="ns", docker_config=Secret(CONFIG)))
    )
    secret = recorder.one("kubernetes:core/v1:Secret", "pull")
    assert secret.inputs["type"] == "kubernetes.io/dockerconfigjson"
    assert secret.inputs["immutable"] is True
    assert json.loads(recorder.secret_data("pull")[".dockerconfigjson"]) == json.loads(CONFIG)
    assert "c2VudGluZWw6cGFzcw==" not in secret.plain_text


@each("text", ["", "sentinel", "[]", "{}", '{"auths": {}}', '{"auths": {"r": "sentinel"}}', '"x"'])
def test_other_content_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a Docker config\.json") as caught:
        docker_config(text)
    assert "sentinel" not in str(caught.value)


def test_docker_config_is_taken_as_it_is() -> None:
    assert docker_config(CONFIG) == CONFIG


def entry(login: str) -> dict[str, str]:
    return {"auth": base64.b64encode(login.encode()).decode()}


@each(
    "auths",
    [
        {"r.test": entry("user:pass"), "https://index.docker.io/v1/": {"username": "u", "password": "p"}},
        {"r.test:5000/a": {"auth": base64.b64encode(b"u:pw").decode().rstrip("=")}},
        {"r.test": {"auth": base64.b64encode(b"u:p:q").decode(), "email": "a@b"}},
    ],
)
def test_config_with_a_login_for_each_registry_is_accepted(auths: dict[str, Any]) -> None:
    text = json.dumps({"auths": auths, "credsStore": "", "HttpHeaders": {}})
    assert docker_config(text) == text


@each(
    ("config", "says"),
    [
        ({"auths": {"https://index.docker.io/v1/": {}, "ghcr.io": {}}, "credsStore": "desktop"}, "credsStore"),
        ({"auths": {"r.test": entry("u:sentinel")}, "credsStore": "osxkeychain"}, "credsStore"),
        ({"auths": {"r.test": entry("u:sentinel")}, "credHelpers": {"gcr.io": "gcloud"}}, "credHelpers"),
        ({"auths": {"r.test": {}}}, "for r.test none"),
        ({"auths": {"r.test": entry("u:sentinel"), "ghcr.io": {}}}, "for ghcr.io none"),
        ({"auths": {"r.test": {"identitytoken": "sentinel"}}}, "a token only"),
        ({"auths": {"r.test": {"auth": "u:sentinel"}}}, "not the base64"),
        ({"auths": {"r.test": entry("sentinel")}}, "not the base64"),
        ({"auths": {"r.test": entry(":sentinel")}}, "not the base64"),
        ({"auths": {"r.test": {"auth": ["sentinel"]}}}, "not the base64"),
        ({"auths": {"r.test": {"username": "sentinel"}}}, "alone"),
        ({"auths": {"u:sentinel@r.test": {}}}, "for entry 1 none"),
        ({"auths": {"": entry("u:sentinel")}}, "no name"),
    ],
)
def test_config_without_a_login_for_a_registry_is_refused_with_how_to_write_one(
    config: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=r"^expected .*kubectl create secret docker-registry") as caught:
        docker_config(json.dumps(config))
    assert says in str(caught.value)
    assert "sentinel" not in str(caught.value)
    assert len(str(caught.value)) < 500


@each("text", ['{"auths":' * 100_000, "[" * 100_000, '{"auths": {"r": ' + "[" * 50_000 + "]" * 50_000 + "}}"])
def test_deep_config_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a Docker config\.json"):
        docker_config(text)


def test_config_that_no_secret_can_hold_is_refused() -> None:
    auths = {f"r{number}.test": entry("user:" + "p" * 1000) for number in range(1000)}
    with pytest.raises(ValueError, match="at most 1048576 bytes"):
        docker_config(json.dumps({"auths": auths}))
