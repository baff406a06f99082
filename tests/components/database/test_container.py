"""The laptop's PostgreSQL: its data outlives its pod, and its password is nowhere in plain text."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from components.database.connection import Database, SslMode
from components.database.container import POD_LABELS, PORT, PostgresContainer, PostgresContainerArgs

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

SECRET = "kubernetes:core/v1:Secret"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
SERVICE = "kubernetes:core/v1:Service"
PASSWORD = "random:index/randomPassword:RandomPassword"


def postgres(
    *, protect: bool = False, image: str = "postgres:17-bookworm", role: str | None = None
) -> Callable[[], PostgresContainer]:
    args = PostgresContainerArgs(
        namespace="ns",
        image=image,
        pull_policy="Always",
        pull_secrets=("registry",),
        storage_gib=3,
        protect=protect,
        role=role,
    )
    return lambda: PostgresContainer("pg", args)


def server(recorder: Recorder) -> dict[str, Any]:
    found: dict[str, Any] = recorder.one(STATEFUL_SET).inputs["spec"]
    return found


def container(recorder: Recorder) -> dict[str, Any]:
    [found] = server(recorder)["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("protect", [True, False])
def test_data_and_password_are_protected_and_the_rest_is_replaceable(record: Record, protect: bool) -> None:
    recorder = record(postgres(protect=protect))
    protected = {resource.type for resource in recorder.every() if resource.protected}
    assert protected == ({CLAIM, PASSWORD} if protect else set())


def test_data_is_on_a_claim_of_its_own(record: Record) -> None:
    """Whatever becomes of the StatefulSet, the data stays; its own claims could not grow."""
    recorder = record(postgres())
    assert "volumeClaimTemplates" not in server(recorder)
    claim = recorder.one(CLAIM)
    assert claim.inputs["spec"]["resources"]["requests"] == {"storage": "3Gi"}
    assert claim.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}, "it is bound with the pod"
    [volume] = server(recorder)["template"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"].startswith("pg-data-")
    [mount] = container(recorder)["volumeMounts"]
    data = {variable["name"]: variable.get("value") for variable in container(recorder)["env"]}["PGDATA"]
    assert data.startswith(f"{mount['mountPath']}/"), "in a folder of its own: a volume may hold lost+found"


def test_volume_is_not_made_anew_where_a_role_is_in_it(record: Record) -> None:
    """A rotation made the role in the one before. Without a word, the migration would try to log in."""
    recorder = record(postgres(protect=True, role="airflow_0a1b2c"))
    claim = recorder.one(CLAIM)
    assert claim.protected
    assert [*claim.request.hooks.before_create] == ["pg-has-role"]
    assert [*claim.request.hooks.before_update] == []
    fix = "Fix: pulumi config rm --stack dev airflow:databaseLogin"
    hook: Any = recorder.hooks["pg-has-role"]
    with pytest.raises(ValueError, match=f"^airflow:databaseLogin: expected none .* the role airflow_0a1b2c.* {fix}$"):
        hook(SimpleNamespace(urn="urn:pulumi:dev::airflow::t::n"))


def test_there_are_never_two_servers_on_one_volume(record: Record) -> None:
    recorder = record(postgres())
    assert server(recorder)["replicas"] == 1
    assert recorder.one(STATEFUL_SET).request.deleteBeforeReplace


def test_broken_image_is_replaced_without_waiting_for_it(record: Record) -> None:
    assert server(record(postgres()))["podManagementPolicy"] == "Parallel"


def test_service_leads_to_the_pod_by_the_name_that_others_are_given(record: Record) -> None:
    found: list[Database] = []
    recorder = record(lambda: found.append(postgres()().database))
    service = recorder.one(SERVICE).inputs
    assert service["spec"]["selector"] == POD_LABELS
    assert POD_LABELS.items() <= server(recorder)["template"]["metadata"]["labels"].items()
    assert server(recorder)["selector"]["matchLabels"] == POD_LABELS
    assert [port["port"] for port in service["spec"]["ports"]] == [PORT]
    outputs = recorder.outputs[recorder.one("airflow:index:PostgresContainer").urn]
    assert outputs["host"] == server(recorder)["serviceName"]
    assert outputs["port"] == found[0].port == PORT
    # It speaks no TLS, and `require` would be refused.
    assert found[0].ssl_mode is SslMode.PREFER


def test_password_comes_from_its_secret(record: Record) -> None:
    recorder = record(postgres())
    password = recorder.secret_data("pg")["password"]
    assert len(password) >= 32
    assert all(password not in resource.plain_text for resource in recorder.every())
    [reference] = [variable["valueFrom"] for variable in container(recorder)["env"] if "valueFrom" in variable]
    assert reference["secretKeyRef"]["key"] == "password"
    assert reference["secretKeyRef"]["name"].startswith("pg-")


def test_user_and_database_are_those_that_airflow_connects_as(record: Record) -> None:
    found: list[Database] = []
    recorder = record(lambda: found.append(postgres()().database))
    variables = {variable["name"]: variable.get("value") for variable in container(recorder)["env"]}
    assert (variables["POSTGRES_USER"], variables["POSTGRES_DB"]) == (found[0].user, found[0].name)


def test_pod_is_ready_only_when_the_server_answers_over_tcp(record: Record) -> None:
    """The image starts a server without TCP first, to make the database."""
    found = container(record(postgres()))
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert "127.0.0.1" in found[probe]["exec"]["command"]


def test_image_comes_as_every_other(record: Record) -> None:
    recorder = record(postgres(image="mirror.test/library/postgres:17"))
    assert container(recorder)["image"] == "mirror.test/library/postgres:17"
    assert container(recorder)["imagePullPolicy"] == "Always"
    assert server(recorder)["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_pod_passes_the_restricted_standard(record: Record) -> None:
    recorder = record(postgres())
    pod = server(recorder)["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container(recorder)["securityContext"]["allowPrivilegeEscalation"] is False
    assert container(recorder)["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_another_image_touches_the_server_alone(record: Record) -> None:
    before, after = record(postgres()), record(postgres(image="postgres:17.9"))
    changed = {found.type for found in after.every() if found.plain_text != before.registrations[found.urn].plain_text}
    assert changed == {STATEFUL_SET}


def test_preview_knows_no_generated_value_and_works(record: Record) -> None:
    assert record(postgres(), preview=True).one(STATEFUL_SET)
