"""Keys: generated once in the right form, or taken as they are; each in an immutable Secret of its own."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pytest

from components.keys.airflow_keys import AirflowKeys, AirflowKeysArgs
from components.keys.existing_keys import ExistingKeys
from components.keys.given_keys import GivenKeys
from components.keys.jwt_keys import accepted, key_id
from components.kube.secret import Secret, secret_output

if TYPE_CHECKING:
    from tests.conftest import Recorder, Registration

    Record = Callable[..., Recorder]

KEYS: Final = {
    # key: (logical name, data key, least bytes)
    "fernet_key": ("keys-fernet-key", "fernet-key", 44),
    "api_secret_key": ("keys-api-secret-key", "api-secret-key", 32),
    "jwt_secret": ("keys-jwt-secret", "jwt-secret", 64),
    "redis_password": ("keys-redis-password", "password", 32),
    "admin_password": ("keys-admin-password", "password", 16),
}
IN_ROTATIONS: Final = ("coming_jwt_secret", "redis_server_password")
WORKER_KEY: Final = "keys-worker-key"
SECRET: Final = "kubernetes:core/v1:Secret"
PASSWORD: Final = "random:index/randomPassword:RandomPassword"
STASH: Final = "pulumi:index:Stash"


def keys(given_keys: GivenKeys | None = None, *, protect: bool = True, **more: Any) -> Callable[[], AirflowKeys]:
    args = AirflowKeysArgs(namespace="ns", given=given_keys or GivenKeys(), protect=protect, **more)
    return lambda: AirflowKeys("keys", args)


_GENERATED: Final[list[Recorder]] = []


@pytest.fixture
def generated(record: Record) -> Recorder:
    """What is registered where no key is given; recorded once for all tests, so change nothing of it."""
    if not _GENERATED:
        _GENERATED.append(record(keys()))
    return _GENERATED[0]


def given_all() -> GivenKeys:
    return GivenKeys(**{name: Secret(f"given {name} '\"$%") for name in KEYS})


def test_the_table_above_is_every_key() -> None:
    """The password of a database of the stack's own is in no Secret of this component: the URIs hold it."""
    assert {*KEYS, "database_password", *IN_ROTATIONS} == {field.name for field in fields(GivenKeys)}


@pytest.mark.parametrize("key", KEYS)
def test_generated_key_is_long_enough_and_alone_in_its_secret(generated: Recorder, key: str) -> None:
    name, data_key, least = KEYS[key]
    data = generated.secret_data(name)
    assert set(data) == {data_key}
    assert len(data[data_key].encode()) >= least


@pytest.mark.parametrize("key", KEYS)
def test_given_value_is_used_as_it_is_and_the_generated_one_is_kept(record: Record, key: str) -> None:
    """A generated value that went away with the config key would be deleted, which `protect` refuses."""
    name, data_key, _ = KEYS[key]
    value = f"given {key} '\"$%"
    recorder = record(keys(GivenKeys(**{key: Secret(value)})))
    assert recorder.secret_data(name)[data_key] == value
    generated = {found.name for type_ in (PASSWORD, STASH) for found in recorder.every(type_)}
    assert generated == {WORKER_KEY, *(other for other, _, _ in KEYS.values())}


def test_keys_in_secrets_of_others_are_neither_generated_nor_stored(record: Record) -> None:
    existing = ExistingKeys(fernet_key="team-fernet", api_secret_key="team-api", jwt_secret="team-jwt")
    recorder = record(keys(existing=existing))
    made = {found.name for type_ in (SECRET, PASSWORD, STASH) for found in recorder.every(type_)}
    assert made == {WORKER_KEY, "keys-redis-password", "keys-admin-password"}
    [component] = recorder.every("airflow:index:AirflowKeys")
    outputs = recorder.outputs[component.urn]
    assert (outputs["fernet_key_secret"], outputs["api_secret_key_secret"], outputs["jwt_secret"]) == (
        *("team-fernet", "team-api", "team-jwt"),
    )
    assert outputs.get("jwks_secret") is outputs.get("jwt_key_id_secret") is None


def test_workers_have_a_fernet_key_that_no_given_one_replaces(generated: Recorder, record: Record) -> None:
    for recorder in (generated, record(keys(given_all()))):
        own = recorder.secret_data(WORKER_KEY)["fernet-key"]
        assert len(base64.urlsafe_b64decode(own)) == 32
        assert own != recorder.secret_data("keys-fernet-key")["fernet-key"]


def test_output_of_another_resource_may_be_given(record: Record) -> None:
    recorder = record(lambda: keys(GivenKeys(jwt_secret=secret_output(Secret("from elsewhere"))))())
    assert recorder.secret_data("keys-jwt-secret")["jwt-secret"] == "from elsewhere"


def test_nothing_changes_a_generated_value_by_itself(generated: Recorder) -> None:
    """A default that the provider changes replaces the value where the argument is left out; keepers do so always."""
    every_argument = {"lower", "minLower", "upper", "minUpper", "numeric", "minNumeric", "special", "minSpecial"}
    for password in generated.every(PASSWORD):
        assert set(password.inputs) == {"length", *every_argument}, password
        assert password.inputs["special"] is False
        assert [password.inputs[key] for key in ("lower", "upper", "numeric")] == [True, True, True]
        assert [password.inputs[key] for key in sorted(every_argument) if key.startswith("min")] == [0, 0, 0, 0]


def test_generated_values_are_these_to_the_letter(generated: Recorder) -> None:
    """Another length or name is another value in every stack that exists."""
    assert {found.name: found.inputs["length"] for found in generated.every(PASSWORD)} == {
        "keys-fernet-key": 64,
        "keys-worker-key": 64,
        "keys-api-secret-key": 64,
        "keys-jwt-secret": 96,
        "keys-redis-password": 40,
        "keys-admin-password": 24,
    }
    assert [found.name for found in generated.every(STASH)] == ["keys-fernet-key"]


@pytest.mark.parametrize("protect", [True, False])
def test_generated_values_are_protected_and_secrets_can_be_replaced(record: Record, protect: bool) -> None:
    recorder = record(keys(protect=protect))
    for found in (*recorder.every(PASSWORD), *recorder.every(STASH)):
        assert found.protected is protect, found
    assert not any(found.protected for found in recorder.every(SECRET))


def test_every_child_is_the_component_s(generated: Recorder) -> None:
    component = generated.one("airflow:index:AirflowKeys")
    fernet_key = generated.one("airflow:index:FernetKey")
    children = [found for found in generated.every() if found is not component]
    assert len(children) == 17
    assert {found.request.parent for found in children} == {component.urn, fernet_key.urn}


def test_secrets_are_immutable_and_named_by_the_provider(generated: Recorder) -> None:
    for secret in generated.every(SECRET):
        assert secret.inputs["immutable"] is True
        assert secret.inputs["type"] == "Opaque"
        assert secret.inputs["metadata"]["namespace"] == "ns"
        assert "name" not in secret.inputs["metadata"]


def test_outputs_are_names_in_plain_text(generated: Recorder) -> None:
    outputs = generated.outputs[generated.one("airflow:index:AirflowKeys").urn]
    assert set(outputs) == {
        "fernet_key_secret",
        "worker_key_secret",
        "api_secret_key_secret",
        "jwt_secret",
        "jwt_key_id_secret",
        "jwks_secret",
        "redis_password_secret",
        "admin_password_secret",
    }
    for key, value in outputs.items():
        assert isinstance(value, str), f"{key} is secret: every pod's spec that names it would be"
        assert value.startswith(f"keys-{key.removesuffix('_secret').replace('_', '-')}")


def test_attributes_are_the_registered_outputs(record: Record) -> None:
    made: list[dict[str, Any]] = []

    def program() -> None:
        component = keys()()
        names = (
            "fernet_key_secret",
            "worker_key_secret",
            "api_secret_key_secret",
            "jwt_secret",
            "jwt_key_id_secret",
            "jwks_secret",
            "redis_password_secret",
        )
        pulumi.Output.all(**{name: getattr(component, name) for name in names}).apply(made.append)

    recorder = record(program)
    outputs = recorder.outputs[recorder.one("airflow:index:AirflowKeys").urn]
    assert made == [{key: value for key, value in outputs.items() if key != "admin_password_secret"}]


@pytest.mark.parametrize("clients", [None, "new"])
@pytest.mark.parametrize("server", [None, "old"])
def test_redis_may_keep_its_own_password_while_its_clients_change(
    record: Record, clients: str | None, server: str | None
) -> None:
    seen: list[str] = []
    given = GivenKeys(
        redis_password=None if clients is None else Secret(clients),
        redis_server_password=None if server is None else Secret(server),
    )
    recorder = record(lambda: keys(given)().redis_password.apply(seen.append))
    assert recorder.secret_data("keys-redis-password")["password"] == (server or seen[0])
    assert clients in (None, seen[0])


def test_redis_password_is_given_on_as_a_secret(record: Record) -> None:
    recorder = record(lambda: pulumi.export("password", keys(given_all())().redis_password))
    assert repr(recorder.exports()["password"]).startswith("SecretValue(")


def test_another_value_makes_another_secret_and_leaves_the_others(record: Record) -> None:
    def names(given_keys: GivenKeys) -> dict[str, str]:
        recorder = record(keys(given_keys))
        return recorder.outputs[recorder.one("airflow:index:AirflowKeys").urn]

    before, after = names(given_all()), names(GivenKeys(**{**vars(given_all()), "jwt_secret": Secret("another")}))
    assert {key for key in before if before[key] != after[key]} == {"jwt_secret", "jwt_key_id_secret", "jwks_secret"}


def test_preview_knows_no_generated_value_and_works(record: Record) -> None:
    assert len(record(keys(), preview=True).every(SECRET)) == 8


@pytest.mark.parametrize(
    ("config", "coming"), [("o" * 64, None), ("o" * 64, "n" * 64), (f"{'n' * 64},{'o' * 64}", None)]
)
def test_first_jwt_secret_signs_and_each_is_accepted(record: Record, config: str, coming: str | None) -> None:
    given = GivenKeys(jwt_secret=Secret(config), coming_jwt_secret=None if coming is None else Secret(coming))
    recorder = record(keys(given))
    signing = config.split(",")[0]
    assert recorder.secret_data("keys-jwt-secret")["jwt-secret"] == signing
    assert set(accepted(recorder.secret_data("keys-jwks")["jwks.json"])) == {
        *config.split(","),
        *([coming] if coming else []),
    }
    assert recorder.secret_data("keys-jwt-key-id") == {"jwt-key-id": key_id(signing)}


# The password of a database that the stack makes


def database_password(recorder: Recorder) -> Registration:
    return recorder.one(PASSWORD, "keys-database-password")


def test_database_s_password_is_made_where_there_is_a_database_and_only_there(
    generated: Recorder, record: Record
) -> None:
    assert "keys-database-password" not in {found.name for found in generated.every()}
    recorder = record(keys(with_database_password=True))
    inputs = database_password(recorder).inputs
    assert inputs["length"] == 40
    assert inputs["special"] is False, "RDS refuses some of them, and URIs and ini files would have to quote the others"
    assert database_password(recorder).protected


def test_given_database_password_is_used_as_it_is(record: Record) -> None:
    seen: list[str] = []

    def program() -> None:
        made = keys(GivenKeys(database_password=Secret("given password")), with_database_password=True)()
        assert made.database_password is not None
        made.database_password.apply(seen.append)

    recorder = record(program)
    assert seen == ["given password"]
    assert database_password(recorder), "kept for the day on which the given one is taken away"
