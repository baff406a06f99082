"""The login of a managed or an external database, or of one without PgBouncer: stages, trial, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

import pytest

from automation.cluster.pods import SecretUse
from automation.errors import ClusterRequestFailed
from automation.rotation import managed_roles, trials
from automation.rotation.cluster_facts import ClusterFacts
from automation.rotation.database_keys import DATABASE_KEYS, EXPORTER, rotated_key
from automation.rotation.database_stages import MASTER_PASSWORD, managed_stages
from automation.rotation.kept_values import Kept
from automation.rotation.login_trial import login_refusal, refusal, trying_pod, with_login
from automation.rotation.refusals import given_refusals, notes, refusals
from automation.rotation.rotate import _target
from automation.rotation.stages import Encrypted, PodKey, RotationAction, RotationStage
from automation.stages.stage import next_stage
from components.database.connection import SslMode, metadata_uri
from components.database.pgbouncer import STATS_USER, render_ini, render_users
from components.database.roles_script import MASTER, SCRIPT
from components.kube.secret import Secret
from components.preflight.pod_run import ContainerEnd, PodEnd
from settings.rotation import fingerprint
from tests.automation.rotation.test_trials import TEMPLATE, Cluster
from tests.automation.rotation.trial_pods import ends
from tests.components.monitoring.test_exporter import pod as exporter

EXTERNAL = DATABASE_KEYS["external"]
OLD: Final = metadata_uri("airflow", "old:@/ %", "db.test", 5433, "meta", SslMode.REQUIRE)
NEW: Final = "airflow_b:sentinel new'@:/%"
NOTHING: Final = Kept(value=None, mark=None)
GOOD: Final = {
    "number": 170002,
    "version": "17.2",
    "encoding": "UTF8",
    "standby": False,
    "read_only": "off",
    "tls": True,
    "schema": "public",
    "may_create": True,
    "other_owner": None,
    "acts_as": "airflow",
    "owners": "airflow",
}


@dataclass
class Managed:
    """PgBouncer, and what the server accepts. `first`: the old login is the master's, and ends with its password."""

    first: bool = True
    config: str = "old"
    beside: str = ""
    pods: tuple[PodKey, ...] = (PodKey(name="pgbouncer", component="pgbouncer", value="old"),)
    logins: set[str] = field(default_factory=lambda: {"old"})
    apart: bool = False
    encrypted = Encrypted(read={})
    signed_until = ""
    deployed = None
    refusal = ""

    @property
    def accepted(self) -> bool:
        return "new" in self.logins

    @property
    def alone(self) -> bool:
        return self.logins == {"new"}

    def do(self, stage: RotationStage) -> Iterator[str]:
        self.beside = self.beside if stage.beside is None else stage.beside
        self.config = stage.value or self.config
        yield "the config"
        if stage.doing is RotationAction.RETIRE:
            self.logins = {"new"}
        elif stage.makes is not None:
            assert stage.makes[0] == MASTER_PASSWORD
            assert stage.makes[1]() != stage.makes[1]()
            self.apart = True
            self.logins -= {"old"} if self.first else set()
        elif self.beside:
            self.logins.add("new")
        else:
            ending = PodKey(name="before", component="pgbouncer", value=self.pods[0].value, ending=True)
            self.pods = (PodKey(name="pgbouncer", component="pgbouncer", value=self.config), ending)
            yield "a new pod beside the old one"
            self.pods = self.pods[:1]
        yield "done"


def test_pods_can_log_in_wherever_the_rotation_of_a_managed_database_is_killed() -> None:
    for first in (True, False):
        for kill in range(1, 12):
            found, done = Managed(first=first, apart=not first), 0
            for _ in range(16):
                found.pods = found.pods[:1]
                following = next_stage(managed_stages(["old"], "new"), found)
                if following is None:
                    break
                for _step in found.do(following[1]):
                    done += 1
                    assert {pod.value for pod in found.pods} <= found.logins, (first, kill)
                    if done == kill:
                        break
            assert (found.config, found.beside, found.apart, found.logins) == ("new", "", True, {"new"}), (first, kill)


def test_first_stage_of_a_managed_database_rolls_nothing_and_the_second_whatever_logs_in() -> None:
    admits, uses, parts, retires = managed_stages(["old"], "new")
    assert (admits.rolls, admits.beside, admits.doing) == ((), "new", RotationAction.UPDATE)
    assert (uses.rolls, uses.value, uses.beside) == (None, "new", "")
    assert (parts.rolls, parts.doing, parts.value) == ((), RotationAction.UPDATE, "")
    assert retires.doing is RotationAction.RETIRE


def test_key_is_that_of_the_kind_of_the_database() -> None:
    assert rotated_key("database-password", "managed").stages is managed_stages
    assert rotated_key("database-password", "external").given
    assert rotated_key("fernet", "external").name == "fernet"
    for key in DATABASE_KEYS.values():
        assert key.config_key == "databaseLogin"
        assert key.hidden("role:a:b") == ("role:a:b", "a:b")


class Pods:
    """The Secrets that pods refer to. Behind PgBouncer they have one of its clients'."""

    def __init__(self, *, pooled: bool) -> None:
        self.pooled = pooled

    def secret_volumes(self, volume: str) -> tuple[SecretUse, ...]:
        found = SecretUse(pod="pgbouncer-0", component="pgbouncer", secret="pooler", ending=False)
        return (found,) if self.pooled and volume == "pgbouncer-config" else ()

    def secret_uses(self, variable: str, containers: Any) -> tuple[SecretUse, ...]:
        assert variable == "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
        found = (SecretUse(pod=f"{name}-0", component=name, secret="metadata", ending=False) for name in containers)
        return tuple(found)


def test_whoever_logs_in_to_the_server_itself_has_the_login() -> None:
    ini = render_ini(
        host="h",
        port=1,
        name="n",
        pool_size=1,
        max_client_connections=10,
        ssl_mode=SslMode.PREFER,
        login=("airflow_b", "new"),
    )
    users = render_users({"airflow": "of the clients", STATS_USER: "x"})
    secrets = {"pooler": {"pgbouncer.ini": ini, "users.txt": users}, "metadata": {"connection": OLD}}
    key = rotated_key("database-password", "external")
    for pooled, expected in (
        (True, {("pgbouncer", "airflow_b:new")}),
        (
            False,
            {
                (name, "airflow:old:@/ %")
                for name in ("api-server", "scheduler", "dag-processor", "triggerer", "exporter")
            },
        ),
    ):
        facts = ClusterFacts(key, {}, cast(Any, Pods(pooled=pooled)), lambda name: secrets[name], "")
        assert {(pod.component, pod.value) for pod in facts.pods} == expected
        assert facts.deployed == next(iter(expected))[1]


def test_exporter_logs_in_too() -> None:
    [container] = exporter()["spec"]["containers"]
    assert container["name"] == EXPORTER


# A role that is given


def test_given_role_is_written_as_it_is_used() -> None:
    target = _target(EXTERNAL, NOTHING, "airflow:old", Secret(f"{NEW}\n"))
    assert (target.new, target.old, target.resumed) == (NEW, ("airflow:old",), False)
    [stage] = target.stages
    assert stage.value == NEW
    for text, because in (
        ("no-separator-sentinel", "expected a file with ROLE:PASSWORD"),
        ("postgresql://role:sentinel@db.test/airflow", "expected a file with ROLE:PASSWORD"),
        (":sentinel", "expected a PostgreSQL name"),
        ("role:sentinel\nmore", "on one line"),
    ):
        [found] = given_refusals("prod", EXTERNAL, Secret(text), begun=None, present=None)
        assert because in found
        assert "sentinel" not in found
    [found] = given_refusals("prod", EXTERNAL, Secret(f"{NEW}\n"), begun=None, present=NEW)
    assert "found the same" in found
    assert fingerprint(target.new) == fingerprint(NEW)


@dataclass
class Facts:
    refusal: str = ""
    deployed: str = "airflow:old"
    pods: tuple[PodKey, ...] = (PodKey(name="p", component="scheduler", value="airflow:old"),)


def test_role_that_the_server_refuses_is_never_rolled_out() -> None:
    facts = Facts(refusal="expected the password of airflow_b at db.test, found that the database refuses it")
    [found] = refusals("prod", EXTERNAL, NOTHING, cast(ClusterFacts, facts), resumed=False)
    assert found.startswith("database-password: expected the password of airflow_b at db.test, found that")
    assert "python -m automation rotate database-password prod --from FILE" in found
    assert refusals("prod", EXTERNAL, NOTHING, cast(ClusterFacts, Facts()), resumed=False) == []
    [note] = notes(EXTERNAL, ("airflow:old",), NEW, cast(ClusterFacts, Facts()), resumed=False)
    assert "give the role airflow another password at the server" in note
    assert "old" not in note.replace("role", "")


def test_run_that_continues_knows_the_earlier_role_from_the_pods_that_still_have_it() -> None:
    def pod(value: str | None) -> PodKey:
        return PodKey(name="p", component="scheduler", value=value, ending=True)

    for pods, expected in (
        ((pod(NEW), pod("airflow:old"), pod(None)), "give the role airflow another password"),
        ((pod(NEW),), "give the earlier role another password"),
    ):
        [note] = notes(EXTERNAL, (), NEW, cast(ClusterFacts, Facts(pods=pods)), resumed=True)
        assert expected in note


def test_what_is_wrong_with_a_role_is_said_without_its_password() -> None:
    uri = with_login(OLD, NEW)
    for answer, whole, expected in (
        (GOOD, True, ""),
        ({**GOOD, "acts_as": "airflow_b", "owners": "airflow"}, True, "expected that airflow_b acts as airflow"),
        ({**GOOD, "acts_as": "airflow_b", "owners": None}, True, ""),  # no table yet
        ({**GOOD, "may_create": False}, True, "expected that airflow_b may create tables in schema public"),
        ({**GOOD, "may_create": False}, False, ""),
        (
            {"error": 'FATAL: password authentication failed for user "airflow_b"'},
            False,
            "expected the password of airflow_b at db.test, found that the database refuses it",
        ),
    ):
        found = refusal(json.dumps(answer), uri, whole=whole)
        assert found.startswith(expected)
        assert bool(found) == bool(expected)
        assert "sentinel" not in found


def test_uri_of_the_trial_differs_in_the_login_alone() -> None:
    assert with_login(OLD, NEW) == metadata_uri(
        "airflow_b", "sentinel new'@:/%", "db.test", 5433, "meta", SslMode.REQUIRE
    )


WITH_URI: Final[dict[str, Any]] = {
    **TEMPLATE,
    "spec": {
        **TEMPLATE["spec"],
        "containers": [
            {
                **TEMPLATE["spec"]["containers"][0],
                "env": [
                    {"name": "A", "value": "b"},
                    *(
                        {"name": name, "valueFrom": {"secretKeyRef": {"name": "migration-1", "key": key}}}
                        for name, key in (
                            ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "connection"),
                            ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", "connection-async"),
                        )
                    ),
                ],
            }
        ],
    },
}


class Server(Cluster):
    """A cluster with a migration's Job and its Secret."""

    def items(self, version: str, kind: str, namespace: str, **options: Any) -> list[dict[str, Any]]:
        return [{"metadata": {"creationTimestamp": "2026-02-01"}, "spec": {"template": WITH_URI}}]

    def get(self, version: str, kind: str, namespace: str, name: str) -> dict[str, Any]:
        assert (kind, name) == ("Secret", "migration-1")
        return {"data": {"connection": base64.b64encode(OLD.encode()).decode()}}


def test_role_is_tried_in_a_pod_like_the_migrations_and_no_pod_names_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = ContainerEnd(name="airflow", image="i", exit_code=0, message=json.dumps(GOOD))
    pods, server = ends(monkeypatch, trials, PodEnd(containers={"airflow": answer})), Server()
    assert login_refusal(cast(Any, server), "ns", NEW, lambda seconds: None) == ""
    [pod], [secret] = pods, server.made
    assert secret["stringData"]["connection"] == with_login(OLD, NEW)
    assert server.deleted == ["Secret airflow-rotation-1"]
    assert "sentinel" not in json.dumps(pod)
    assert pod["metadata"]["labels"] == {"component": "database-migration"}
    names = [item["name"] for item in pod["spec"]["containers"][0]["env"]]
    assert names == ["A", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    for text in pod["spec"]["containers"][0]["args"][2:3]:
        compile(text, "script", "exec")


def test_secret_of_a_trial_goes_however_the_trial_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    ends(monkeypatch, trials, RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        login_refusal(cast(Any, server), "ns", NEW, lambda seconds: None)
    assert server.deleted == ["Secret airflow-rotation-1"]
    ends(monkeypatch, trials, PodEnd(refused=f"quota; {NEW}"))
    with pytest.raises(ClusterRequestFailed, match="quota") as failed:
        login_refusal(cast(Any, Server()), "ns", NEW, lambda seconds: None)
    assert "sentinel" not in str(failed.value)


def test_trial_without_the_migrations_secret_says_what_makes_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "get", lambda *args: None)
    with pytest.raises(ClusterRequestFailed, match="migration-1 of the migration does not hold the URI") as failed:
        login_refusal(cast(Any, Server()), "ns", NEW, lambda seconds: None)
    assert "python -m automation up" in str(failed.value)


def test_trial_pod_keeps_what_a_team_says_of_jobs() -> None:
    pod = trying_pod(WITH_URI, "s")
    assert pod["spec"]["tolerations"] == [{"key": "a"}]
    assert pod["spec"]["volumes"] == [{"name": "v"}]


# The roles of a managed database

ROLES_POD: Final[dict[str, Any]] = {
    "metadata": {"labels": {}},
    "spec": {
        "containers": [
            {
                "name": "airflow",
                "args": [],
                "env": [{"name": MASTER, "valueFrom": {"secretKeyRef": {"name": "master-1", "key": "connection"}}}],
            }
        ]
    },
}


@pytest.mark.parametrize(
    ("mode", "message", "expected"),
    [
        ("others", "airflow_aaaaaa", "airflow_aaaaaa"),
        ("others", "", ""),
        ("retire", "", ""),
    ],
)
def test_roles_are_looked_at_and_dropped_in_the_stacks_own_pod(
    mode: str, message: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods: list[Any] = []

    def run(api: Any, namespace: str, pod: Any, limits: Any, **options: Any) -> PodEnd:
        pods.append(pod)
        return PodEnd(containers={"airflow": ContainerEnd(name="airflow", image="i", exit_code=0, message=message)})

    monkeypatch.setattr(managed_roles, "run_pod", run)
    assert managed_roles.run(cast(Any, None), "ns", ROLES_POD, mode, lambda seconds: None) == expected
    assert pods[0]["spec"]["containers"][0]["args"] == ["python", "-c", SCRIPT, mode]
    assert ROLES_POD["spec"]["containers"][0]["args"] == []


def test_master_is_apart_when_pods_have_another_password() -> None:
    secrets = {"master-1": {"connection": OLD}, "metadata-1": {"connection": OLD}}
    found = {"database_roles_pod": ROLES_POD, "metadata_secret": "metadata-1"}
    key = DATABASE_KEYS["managed"]

    def facts() -> ClusterFacts:
        return ClusterFacts(key, found, cast(Any, None), lambda name: secrets[name], "")

    assert not facts().apart
    secrets["master-1"] = {"connection": with_login(OLD, "airflow:another")}
    assert facts().apart
    del found["database_roles_pod"]
    assert not facts().apart
