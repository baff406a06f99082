"""The escrow as a program makes it: stored before use, retained for good, and never written over by a stack anew."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import boto3
import pulumi
import pulumi_random as random
import pytest
from moto import mock_aws

from components.aws.client import AwsError
from components.keys.escrow import KeyEscrow, KeyEscrowArgs, alias
from components.keys.escrow_reader import parse_escrowed_keys
from components.kube.secret import Secret, secret_output
from tests.cases import each
from tests.components.keys.test_escrow_reader import KEYS

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

AWS_REGION: Final = "eu-central-1"
AWS_ACCOUNT: Final = "123456789012"
NAME: Final = "airflow/prod/keys"
KEY: Final = "aws:kms/key:Key"
ALIAS: Final = "aws:kms/alias:Alias"
SECRET: Final = "aws:secretsmanager/secret:Secret"
VERSION: Final = "aws:secretsmanager/secretVersion:SecretVersion"
GUARD: Final = "keys-no-second-keys"


def escrow(keys: Mapping[str, str] = KEYS, **changes: Any) -> Callable[[], KeyEscrow]:
    def program() -> KeyEscrow:
        args: dict[str, Any] = {
            "secret_name": NAME,
            "values": {role: secret_output(Secret(value)) for role, value in keys.items()},
            "region": AWS_REGION,
            "account_id": AWS_ACCOUNT,
        }
        return KeyEscrow("keys", KeyEscrowArgs(**args | changes))

    return program


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty Secrets Manager of moto's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sentinel")
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield boto3.client("secretsmanager", region_name=AWS_REGION)


def call_guard(recorder: Recorder, type_: str) -> None:
    """Calls the guard as the engine would before it creates the resource of this type."""
    resource, hook = recorder.one(type_), recorder.hooks[GUARD]
    assert isinstance(hook, pulumi.ResourceHook)
    answer = hook(
        pulumi.ResourceHookArgs(
            urn=resource.urn, id="", name=resource.name, type=resource.type, new_inputs=resource.inputs
        )
    )
    if inspect.isawaitable(answer):

        async def awaited() -> None:
            await answer

        asyncio.get_event_loop().run_until_complete(awaited())


# Content


def test_content_is_what_reading_gives_back(record: Record) -> None:
    content = record(escrow()).one(VERSION).revealed["secretString"]
    found = parse_escrowed_keys(content, NAME, AWS_REGION)
    assert {role: value.reveal() for role, value in vars(found).items()} == KEYS


def test_content_is_secret_and_nowhere_else(record: Record) -> None:
    recorder = record(escrow())
    assert "sentinel" in recorder.one(VERSION).revealed["secretString"]
    for resource in recorder.every():
        assert "sentinel" not in resource.plain_text
    assert "sentinel" not in str(recorder.outputs)


def test_same_keys_in_another_order_are_the_same_content(record: Record) -> None:
    """Another text would be another version with every update."""
    contents = {
        record(escrow(dict(order))).one(VERSION).revealed["secretString"]
        for order in (KEYS.items(), reversed(KEYS.items()))
    }
    assert len(contents) == 1


def test_value_that_is_marked_by_nobody_is_secret_all_the_same(record: Record) -> None:
    recorder = record(escrow(values={"admin_password": pulumi.Output.from_input("sentinel")}))
    assert "sentinel" in recorder.one(VERSION).revealed["secretString"]
    assert "sentinel" not in recorder.one(VERSION).plain_text


def test_preview_knows_no_generated_value_and_works(record: Record) -> None:
    def program() -> None:
        escrow(values={"admin_password": random.RandomPassword("p", length=8).result})()

    assert len(record(program, preview=True).every(VERSION)) == 1


# What it consists of


def test_secret_is_under_its_fixed_name_and_can_be_restored(record: Record) -> None:
    inputs = record(escrow(recovery_window_days=14, tags={"owner": "data"})).one(SECRET).inputs
    assert inputs["name"] == NAME
    assert inputs["recoveryWindowInDays"] == 14
    assert inputs["tags"] == {"owner": "data"}
    assert inputs["description"]


def test_secret_is_encrypted_with_a_key_of_its_own(record: Record) -> None:
    recorder = record(escrow(tags={"owner": "data"}))
    key = recorder.one(KEY)
    assert key.inputs["enableKeyRotation"] is True
    assert key.inputs["deletionWindowInDays"] == 30
    assert key.inputs["tags"] == {"owner": "data"}
    policy = json.loads(key.inputs["policy"])
    assert {json.dumps(found["Principal"]) for found in policy["Statement"]} == {
        json.dumps({"AWS": f"arn:aws:iam::{AWS_ACCOUNT}:root"})
    }
    assert "secretsmanager.eu-central-1.amazonaws.com" in key.inputs["policy"]
    assert recorder.one(SECRET).inputs["kmsKeyId"] == key_arn(recorder)
    assert recorder.one(ALIAS).inputs["name"] == "alias/escrow/airflow/prod/keys"


def key_arn(recorder: Recorder) -> Any:
    return recorder.outputs[recorder.one("airflow:index:KeyEscrow").urn]["kms_key_arn"]


def test_nothing_is_deleted_and_nothing_refuses_to_be_dropped(record: Record) -> None:
    """A stack that changes to keySource escrow has none of these in its program any more."""

    def program() -> None:
        class Parent(pulumi.ComponentResource):
            pass

        parent = Parent("test:index:Parent", "parent", None, pulumi.ResourceOptions(protect=True))
        args = {"secret_name": NAME, "values": {}, "region": AWS_REGION, "account_id": AWS_ACCOUNT}
        KeyEscrow("keys", KeyEscrowArgs(**args), pulumi.ResourceOptions(parent=parent))  # type: ignore[arg-type]

    recorder = record(program)
    made = [resource for resource in recorder.every() if not resource.is_component]
    assert {resource.type for resource in made} == {KEY, ALIAS, SECRET, VERSION}
    for resource in made:
        assert resource.request.retainOnDelete, resource
        assert not resource.protected, resource


def test_every_child_is_the_component_s(record: Record) -> None:
    recorder = record(escrow())
    component = recorder.one("airflow:index:KeyEscrow")
    assert {found.request.parent for found in recorder.every() if found is not component} == {component.urn}
    assert set(recorder.outputs[component.urn]) == {"secret_arn", "kms_key_arn"}


def test_what_depends_on_stored_waits_for_the_content(record: Record) -> None:
    def program() -> None:
        random.RandomId("user", byte_length=1, opts=pulumi.ResourceOptions(depends_on=[escrow()().stored]))

    recorder = record(program)
    assert list(recorder.one("random:index/randomId:RandomId").request.dependencies) == [recorder.one(VERSION).urn]


@pytest.mark.parametrize(
    ("secret_name", "expected"),
    [("airflow/prod/keys", "alias/escrow/airflow/prod/keys"), ("aws/a+b=c.d@e_f-g", "alias/escrow/aws/a-b-c-d-e_f-g")],
)
def test_alias_has_only_characters_that_kms_takes(secret_name: str, expected: str) -> None:
    assert alias(secret_name) == expected


@each(
    ("changes", "message"),
    [
        ({"secret_name": "two words"}, "expected the name of a secret"),
        ({"recovery_window_days": 6}, "recovery_window_days: expected 7 to 30, found 6"),
        ({"recovery_window_days": 31}, "recovery_window_days: expected 7 to 30, found 31"),
        ({"values": {"jwtSecret": None}}, "values: expected only .*jwt_secret.*, found jwtSecret"),
    ],
)
def test_what_aws_or_a_reader_would_refuse_is_refused_here(changes: dict[str, Any], message: str) -> None:
    args = {"secret_name": NAME, "values": {}, "region": AWS_REGION, "account_id": AWS_ACCOUNT}
    with pytest.raises(ValueError, match=message):
        KeyEscrowArgs(**args | changes)


# Guard


def test_guard_stands_before_all_that_is_made_and_in_a_preview_too(record: Record) -> None:
    recorder = record(escrow())
    guarded = {found.type for found in recorder.every() if GUARD in found.request.hooks.before_create}
    assert guarded == {KEY, SECRET}, "the key is made first, and would be left behind"
    hook = recorder.hooks[GUARD]
    assert isinstance(hook, pulumi.ResourceHook)
    assert hook.opts is not None
    assert hook.opts.on_dry_run
    assert not hook.opts.ignore_errors


def test_aws_is_asked_only_when_something_is_made(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("expected nothing to be asked")

    monkeypatch.setattr("components.keys.escrow.refuse_second_keys", asked)
    record(escrow())
    record(escrow(), preview=True)


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize("type_", [KEY, SECRET])
def test_first_stack_may_store_its_keys(record: Record, secrets_manager: Any, preview: bool, type_: str) -> None:
    call_guard(record(escrow(), preview=preview), type_)


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize("type_", [KEY, SECRET])
def test_stack_that_lost_its_state_may_not(record: Record, secrets_manager: Any, preview: bool, type_: str) -> None:
    secrets_manager.create_secret(Name=NAME, SecretString=json.dumps(KEYS))
    recorder = record(escrow(), preview=preview)
    with pytest.raises(AwsError, match="pulumi config set --stack STACK airflow:keySource escrow"):
        call_guard(recorder, type_)
