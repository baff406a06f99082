"""The generated Fernet key: in no ID, kept for ever, and taken over from where earlier versions had it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.invoke import invoke_async

from automation.plan.recorder import Recorder, SecretValue
from components.keys import fernet_key
from components.keys.fernet_key import FernetKey, key_of
from components.texts import fields

if TYPE_CHECKING:
    Record = Callable[..., Recorder]

STASH: Final = "pulumi:index:Stash"
SEED: Final = "random:index/randomPassword:RandomPassword"
BYTES: Final = "random:index/randomBytes:RandomBytes"
EARLIER: Final = "urn:pulumi:dev::airflow::test:index:Parent$random:index/randomBytes:RandomBytes::key"


def program(*, protect: bool = True) -> None:
    parent = pulumi.ComponentResource("test:index:Parent", "parent")
    key = FernetKey("key", protect=protect, opts=pulumi.ResourceOptions(parent=parent))
    pulumi.export("key", key.value)


def exported(recorder: Recorder) -> str:
    value = recorder.exports()["key"]
    assert isinstance(value, SecretValue)
    return str(value.value)


def with_state(runtime: None, state: dict[str, Any], *, preview: bool = False) -> Recorder:
    recorder = Recorder(state=state)
    recorder.run(program, preview=preview)
    return recorder


def recorded(content: bytes) -> dict[str, Any]:
    return {
        EARLIER: {"type": BYTES, "outputs": {"base64": base64.b64encode(content).decode(), "length": len(content)}},
        "urn:pulumi:dev::airflow::pulumi:pulumi:Stack::airflow-dev": {"type": "pulumi:pulumi:Stack", "outputs": {}},
    }


@given(st.text(min_size=1, max_size=80))
def test_every_seed_makes_a_key(seed: str) -> None:
    Fernet(key_of(seed))
    assert fields.fernet_key(key_of(seed)) == key_of(seed)
    assert key_of(seed) == key_of(seed) != key_of(seed + "x")


def test_new_key_is_made_of_a_seed_that_is_no_id(record: Record) -> None:
    recorder = record(program)
    assert not recorder.every(BYTES)
    Fernet(exported(recorder))
    assert exported(recorder) not in repr([resource.request.name for resource in recorder.every()])


def test_value_that_was_stashed_first_stays(record: Record) -> None:
    assert list(record(program).one(STASH).request.ignoreChanges) == ["input"]


def test_key_of_an_earlier_version_is_kept_and_its_resource_goes(runtime: None) -> None:
    content = b"\xfb\xff" * 16
    recorder = with_state(runtime, recorded(content))
    assert exported(recorder) == base64.urlsafe_b64encode(content).decode()
    removal = recorder.one("airflow:index:EarlierFernetKeyRemoval")
    assert [alias.spec.type for alias in removal.request.aliases] == [BYTES]
    assert not removal.protected, "the engine would refuse to replace a protected resource by a protected one"
    stash = recorder.one(STASH)
    assert stash.urn in removal.request.dependencies, "the key is stored before the state loses the earlier one"


def test_preview_of_an_earlier_version_s_stack_knows_the_key(runtime: None) -> None:
    """An unknown key would show the Secret as replaced and every pod as rolled."""
    content = bytes(range(32))
    recorder = with_state(runtime, recorded(content), preview=True)
    stashed = recorder.one(STASH).inputs["input"]
    assert stashed == SecretValue(base64.urlsafe_b64encode(content).decode())


def test_state_that_is_being_written_is_read_again(runtime: None, monkeypatch: pytest.MonkeyPatch) -> None:
    content, failures = (
        b"\xfb\xff" * 16,
        ["failed to load checkpoint: EOF", "failed to load checkpoint: unexpected EOF"],
    )

    async def while_written(function: str, arguments: dict[str, str]) -> Any:
        if failures:
            raise Exception(f"invoke of {function} failed: {failures.pop()}")  # as the SDK raises it
        return await invoke_async(function, arguments)

    monkeypatch.setattr(fernet_key, "invoke_async", while_written)
    assert exported(with_state(runtime, recorded(content))) == base64.urlsafe_b64encode(content).decode()
    failures[:] = ["access denied"]
    with pytest.raises(Exception, match="access denied"):
        with_state(runtime, recorded(content))


def test_another_resource_s_bytes_are_not_taken(runtime: None) -> None:
    state = recorded(bytes(32))
    state[EARLIER.replace("::key", "::other")] = state.pop(EARLIER)
    assert exported(with_state(runtime, state)) != base64.urlsafe_b64encode(bytes(32)).decode()


@pytest.mark.parametrize("protect", [True, False])
def test_seed_and_key_are_protected_where_the_stack_is(record: Record, protect: bool) -> None:
    recorder = record(lambda: program(protect=protect))
    assert [recorder.one(type_).protected for type_ in (SEED, STASH)] == [protect, protect]
