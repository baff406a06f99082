"""Registry credentials: one immutable Secret of the kind that pods can pull with, named by every pod."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from components import fields
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
        fields.docker_config(text)
    assert "sentinel" not in str(caught.value)


def test_docker_config_is_taken_as_it_is() -> None:
    assert fields.docker_config(CONFIG) == CONFIG
