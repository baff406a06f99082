"""The connection Secrets, as a program makes them: what is in them, and that it is nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import pulumi
import pulumi_random as random
import pytest

from components.database.access import ASYNC_CONNECTION_KEY, CONNECTION_KEY, DatabaseAccess, DatabaseAccessArgs
from components.database.broker import Broker
from components.database.connection import CA_FILE, CA_KEY, Database, DatabaseLogin, SslMode
from components.database.pgbouncer import METADATA_POOL, PORT, STATS_USER, PgBouncer
from components.kube.secret import Secret, secret_output
from tests.cases import each
from tests.components.database.test_pgbouncer import read_connection, read_ini, read_users

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

PASSWORD: Final = "sentinel p@ss:w/rd%41?#'\"\\$~é\U0001f511"
REDIS_PASSWORD: Final = "sentinel redis @:/%"


def access(
    *,
    pgbouncer: PgBouncer | None = None,
    login: DatabaseLogin | None = None,
    celery: bool = True,
    password: Any = None,
    mode: SslMode = SslMode.REQUIRE,
    broker: Broker | None = None,
) -> Callable[[], DatabaseAccess]:
    def program() -> DatabaseAccess:
        database = Database(
            host=pulumi.Output.from_input("db.test"),
            port=5433,
            name="metadata_db",
            user="robot",
            password=password or Secret(PASSWORD),
            ssl_mode=mode,
            ca_certificates="the PEM" if mode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL) else None,
        )
        args = DatabaseAccessArgs(
            namespace="ns",
            release_name="airflow",
            database=database,
            pgbouncer=pgbouncer,
            login=login,
            redis_password=secret_output(Secret(REDIS_PASSWORD)) if celery else None,
            broker=broker,
        )
        return DatabaseAccess("db", args)

    return program


def uri(text: str) -> tuple[str, str, str, str, int, str, dict[str, list[str]]]:
    split = urlsplit(text)
    assert split.username is not None
    assert split.password is not None
    assert split.hostname is not None
    assert split.port is not None
    user, password = unquote(split.username), unquote(split.password)
    return split.scheme, user, password, split.hostname, split.port, split.path[1:], parse_qs(split.query)


def direct(driver: str, parameter: str) -> tuple[Any, ...]:
    return driver, "robot", PASSWORD, "db.test", 5433, "metadata_db", {parameter: ["require"]}


@pytest.mark.parametrize("pgbouncer", [None, PgBouncer()])
def test_migration_goes_straight_to_the_database(record: Record, pgbouncer: PgBouncer | None) -> None:
    data = record(access(pgbouncer=pgbouncer)).secret_data("db-migration")
    assert uri(data[CONNECTION_KEY]) == direct("postgresql+psycopg2", "sslmode")
    assert uri(data[ASYNC_CONNECTION_KEY]) == direct("postgresql+asyncpg", "ssl")


def test_airflow_goes_straight_without_a_pooler(record: Record) -> None:
    data = record(access()).secret_data("db-metadata")
    assert uri(data[CONNECTION_KEY]) == direct("postgresql+psycopg2", "sslmode")
    assert uri(data[ASYNC_CONNECTION_KEY]) == direct("postgresql+asyncpg", "ssl")


def test_airflow_goes_through_the_pooler_without_tls(record: Record) -> None:
    data = record(access(pgbouncer=PgBouncer())).secret_data("db-metadata")
    for key, driver in ((CONNECTION_KEY, "postgresql+psycopg2"), (ASYNC_CONNECTION_KEY, "postgresql+asyncpg")):
        assert uri(data[key]) == (driver, "robot", PASSWORD, "airflow-pgbouncer", PORT, METADATA_POOL, {})


def test_pooler_has_its_whole_configuration(record: Record) -> None:
    recorder = record(access(pgbouncer=PgBouncer(pool_size=7, max_client_connections=70)))
    data = recorder.secret_data("db-pgbouncer-config")
    users = read_users(data["users.txt"])
    assert users["robot"] == PASSWORD
    assert set(users) == {"robot", STATS_USER}
    ini = read_ini(data["pgbouncer.ini"])
    assert read_connection(ini["databases"][METADATA_POOL]) == {
        "host": "db.test",
        "port": "5433",
        "dbname": "metadata_db",
        "pool_size": "7",
    }
    assert ini["pgbouncer"]["server_tls_sslmode"] == "require"
    assert ini["pgbouncer"]["max_client_conn"] == "70"
    stats = uri(recorder.secret_data("db-pgbouncer-stats")[CONNECTION_KEY])
    assert stats == (
        "postgresql",
        STATS_USER,
        users[STATS_USER],
        "127.0.0.1",
        PORT,
        "pgbouncer",
        {"sslmode": ["disable"]},
    )


def test_role_of_the_pooler_is_its_own_and_that_of_the_jobs(record: Record) -> None:
    login = DatabaseLogin(user="robot_b", password=Secret("sentinel b '\"@:/%"))
    recorder = record(access(pgbouncer=PgBouncer(), login=login))
    data = recorder.secret_data("db-pgbouncer-config")
    line = read_connection(read_ini(data["pgbouncer.ini"])["databases"][METADATA_POOL])
    assert (line["user"], line["password"]) == ("robot_b", "sentinel b '\"@:/%")
    without = record(access(pgbouncer=PgBouncer()))
    assert data["users.txt"] == without.secret_data("db-pgbouncer-config")["users.txt"]
    assert recorder.secret_data("db-metadata") == without.secret_data("db-metadata"), "no pod of Airflow rolls"
    for key in (CONNECTION_KEY, ASYNC_CONNECTION_KEY):
        assert uri(recorder.secret_data("db-migration")[key])[1:4] == ("robot_b", "sentinel b '\"@:/%", "db.test")


def test_role_is_that_of_pods_and_jobs_without_a_pooler(record: Record) -> None:
    recorder = record(access(login=DatabaseLogin(user="robot_b", password=Secret("sentinel b '\"@:/%"))))
    for secret in ("db-migration", "db-metadata"):
        for key in (CONNECTION_KEY, ASYNC_CONNECTION_KEY):
            assert uri(recorder.secret_data(secret)[key])[1:4] == ("robot_b", "sentinel b '\"@:/%", "db.test")


def test_broker_and_results_are_in_two_databases_of_redis(record: Record) -> None:
    recorder = record(access())
    found = [urlsplit(recorder.secret_data(f"db-{role}")[CONNECTION_KEY]) for role in ("broker", "result-backend")]
    assert {split.scheme for split in found} == {"redis"}
    assert {split.hostname for split in found} == {"airflow-redis"}
    assert {unquote(split.password or "") for split in found} == {REDIS_PASSWORD}
    assert len({split.path for split in found}) == 2


def test_broker_outside_the_stack_takes_queue_and_results(record: Record) -> None:
    url = "rediss://:sentinel-broker@broker.test:6380/3?ssl_cert_reqs=required"
    broker = Broker(host="broker.test", port=6380, tls=True, url=Secret(url), cidrs=())
    recorder = record(access(broker=broker))
    for role in ("broker", "result-backend"):
        assert recorder.secret_data(f"db-{role}") == {CONNECTION_KEY: url}
    assert "airflow-redis" not in str([resource.inputs for resource in recorder.every()])


def test_without_celery_there_is_no_broker(record: Record) -> None:
    recorder = record(access(celery=False))
    assert {found.name for found in recorder.every("kubernetes:core/v1:Secret")} == {"db-migration", "db-metadata"}


@pytest.mark.parametrize("pgbouncer", [None, PgBouncer()])
def test_secrets_are_immutable_and_named_by_their_content(record: Record, pgbouncer: PgBouncer | None) -> None:
    recorder = record(access(pgbouncer=pgbouncer))
    secrets = recorder.every("kubernetes:core/v1:Secret")
    assert len(secrets) == (6 if pgbouncer else 4)
    for secret in secrets:
        assert secret.inputs["immutable"] is True
        assert secret.inputs["metadata"]["namespace"] == "ns"
        assert "name" not in secret.inputs["metadata"], "the provider makes one"
        assert secret.request.parent == recorder.one("airflow:index:DatabaseAccess").urn


@pytest.mark.parametrize("pgbouncer", [None, PgBouncer()])
def test_no_password_is_outside_of_a_secret(record: Record, pgbouncer: PgBouncer | None) -> None:
    recorder = record(access(pgbouncer=pgbouncer))
    for resource in recorder.every():
        assert "sentinel" not in resource.plain_text
    outputs = recorder.outputs[recorder.one("airflow:index:DatabaseAccess").urn]
    names = {key: value for key, value in outputs.items() if value is not None}
    assert all(isinstance(value, str) and value.startswith("db-") for value in names.values()), names
    assert ("pgbouncer_config_secret" in names) == (pgbouncer is not None)


def test_password_with_a_line_end_stops_the_program_and_is_not_shown(record: Record) -> None:
    with pytest.raises(Exception, match="without line ends") as error:
        record(access(pgbouncer=PgBouncer(), password=Secret("sentinel\n")))
    assert "sentinel" not in str(error.value)


def test_generated_password_is_as_good_as_a_given_one(record: Record) -> None:
    def program() -> None:
        access(password=random.RandomPassword("own", length=20).result)()

    recorder = record(program)
    assert (
        uri(recorder.secret_data("db-metadata")[CONNECTION_KEY])[2]
        == uri(recorder.secret_data("db-migration")[CONNECTION_KEY])[2]
    )


def test_preview_knows_no_generated_value_and_works(record: Record) -> None:
    recorder = record(access(pgbouncer=PgBouncer()), preview=True)
    assert len(recorder.every("kubernetes:core/v1:Secret")) == 6


# Verified TLS


def test_authorities_lie_in_a_config_map_that_other_ones_replace(record: Record) -> None:
    recorder = record(access(mode=SslMode.VERIFY_FULL))
    inputs = recorder.one("kubernetes:core/v1:ConfigMap", "db-ca").inputs
    assert inputs["data"] == {CA_KEY: "the PEM"}
    assert inputs["immutable"] is True
    assert "name" not in inputs["metadata"], "another content has another name, so that the pods roll"
    outputs = recorder.outputs[recorder.one("airflow:index:DatabaseAccess").urn]
    assert outputs["ca_config_map"].startswith("db-ca-")


def test_without_verification_there_is_none(record: Record) -> None:
    recorder = record(access(mode=SslMode.REQUIRE))
    assert recorder.every("kubernetes:core/v1:ConfigMap") == []
    assert recorder.outputs[recorder.one("airflow:index:DatabaseAccess").urn].get("ca_config_map") is None


@each("mode", [SslMode.VERIFY_CA, SslMode.VERIFY_FULL])
@each("pgbouncer", [None, PgBouncer()])
def test_every_way_to_the_database_itself_is_verified(
    record: Record, pgbouncer: PgBouncer | None, mode: SslMode
) -> None:
    recorder = record(access(mode=mode, pgbouncer=pgbouncer))
    for role in ("migration",) if pgbouncer else ("migration", "metadata"):
        data = recorder.secret_data(f"db-{role}")
        assert uri(data[CONNECTION_KEY])[-1] == {"sslmode": [mode.value]}
        assert uri(data[ASYNC_CONNECTION_KEY])[-1] == {"ssl": [mode.value]}
    if pgbouncer:
        assert uri(recorder.secret_data("db-metadata")[CONNECTION_KEY])[-1] == {}, "the pooler itself speaks no TLS"
        ini = read_ini(recorder.secret_data("db-pgbouncer-config")["pgbouncer.ini"])["pgbouncer"]
        assert (ini["server_tls_sslmode"], ini["server_tls_ca_file"]) == (mode.value, CA_FILE)
