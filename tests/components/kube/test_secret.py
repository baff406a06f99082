"""A secret from config: never printed, compared by its value, and encrypted on its way into the program."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pulumi
import pytest

from components.kube.secret import Secret, SecretInput, secret_output

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


@dataclasses.dataclass(frozen=True)
class Holder:
    secret: Secret


def test_value_is_in_no_text_of_it() -> None:
    secret = Secret("sentinel")
    for text in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r}",
        repr([secret]),
        repr(Holder(secret)),
    ):
        assert "sentinel" not in text
        assert "[secret]" in text
    assert "sentinel" not in str(dataclasses.asdict(Holder(secret)))


def test_value_is_had_by_asking_for_it_alone() -> None:
    secret = Secret("sentinel")
    assert secret.reveal() == "sentinel"
    assert not hasattr(secret, "__dict__")


def test_secrets_are_equal_by_their_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize(
    "value", [lambda: Secret("x"), lambda: pulumi.Output.from_input("x"), lambda: pulumi.Output.secret("x")]
)
def test_output_is_secret_whatever_it_was_before(record: Record, value: Callable[[], SecretInput]) -> None:
    recorder = record(lambda: pulumi.export("value", secret_output(value())))
    assert repr(recorder.exports()["value"]) == "SecretValue(value='x')"
