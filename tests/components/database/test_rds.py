"""The RDS instance of a production stack: nobody loses it, nobody else reaches it, and its password is a secret.

That AWS would take it, and what Checkov says of it, is in tests/aws/test_managed_postgres_rules.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_random as random
import pytest

from components.database.connection import Database, SslMode
from components.database.rds import PARAMETERS
from components.database.rds_existing import LEFT_TAG, RESTORED_FROM_TAG
from components.database.rds_policies import LOG_EXPORTS
from components.database.rds_settings import Move
from components.kube.secret import Secret
from tests.aws.samples import PASSWORD, TAGS, managed, postgres
from tests.recorded_once import once

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

COMPONENT: Final = "airflow:index:ManagedPostgres"
INSTANCE: Final = "aws:rds/instance:Instance"
KEY: Final = "aws:kms/key:Key"
SECURITY_GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
PARAMETER_GROUP: Final = "aws:rds/parameterGroup:ParameterGroup"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
FINAL_SNAPSHOT: Final = "random:index/randomUuid:RandomUuid"


@pytest.fixture
def record(record: Record) -> Record:
    """Records each program once for all tests."""
    return once(record)


def instance(recorder: Recorder) -> dict[str, Any]:
    found: dict[str, Any] = recorder.one(INSTANCE).inputs
    return found


@pytest.mark.parametrize("protect", [True, False])
def test_data_and_key_are_protected_and_the_rest_is_replaceable(record: Record, protect: bool) -> None:
    recorder = record(postgres(protect=protect))
    protected = {resource.type for resource in recorder.every() if resource.protected}
    assert protected == ({INSTANCE, KEY} if protect else set())
    assert instance(recorder)["deletionProtection"] is protect


@pytest.mark.parametrize("protect", [True, False])
def test_key_outlives_the_stack(record: Record, protect: bool) -> None:
    """Without it the final snapshot cannot be read."""
    recorder = record(postgres(protect=protect))
    kept = [resource for resource in recorder.every() if resource.request.retainOnDelete]
    assert [resource.type for resource in kept] == [KEY]
    assert kept[0].inputs["deletionWindowInDays"] == 30
    assert kept[0].inputs["enableKeyRotation"] is True


@pytest.mark.parametrize("protect", [True, False])
def test_whoever_deletes_the_instance_keeps_its_data(record: Record, protect: bool) -> None:
    found = instance(record(postgres(protect=protect)))
    assert found["skipFinalSnapshot"] is False
    assert found["deleteAutomatedBackups"] is False
    assert found["copyTagsToSnapshot"] is True
    assert found["backupRetentionPeriod"] == 14


def test_final_snapshot_has_a_name_of_its_own_and_keeps_it(record: Record) -> None:
    """RDS refuses to delete the instance where the name is taken; a new one at each update would change it always."""
    first, second = record(postgres()), record(postgres(managed(instance_class="db.m7g.xlarge")))
    name = instance(first)["finalSnapshotIdentifier"]
    assert name == instance(second)["finalSnapshotIdentifier"]
    assert name.startswith("airflow-final-database-final-snapshot-"), "the generated part is the resource's id"
    assert first.one(FINAL_SNAPSHOT).inputs == {}, "no keepers: nothing makes another one"


def test_only_the_cluster_reaches_the_port(record: Record) -> None:
    recorder = record(postgres(managed(port=5433)))
    group = recorder.one(SECURITY_GROUP)
    assert "ingress" not in group.inputs
    assert group.inputs["egress"] == [], "a default way out that a killed update has left is taken away too"
    assert not recorder.every("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    rule = recorder.one(INGRESS_RULE).inputs
    assert rule["referencedSecurityGroupId"] == "sg-1"
    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 5433, 5433)
    assert not {"cidrIpv4", "cidrIpv6", "prefixListId"} & set(rule)
    assert instance(recorder)["vpcSecurityGroupIds"] == [rule["securityGroupId"]]
    assert instance(recorder)["publiclyAccessible"] is False
    assert instance(recorder)["port"] == 5433


def test_everything_is_encrypted_with_the_key(record: Record) -> None:
    recorder = record(postgres())
    keys = {instance(recorder)[name] for name in ("kmsKeyId", "performanceInsightsKmsKeyId")}
    keys |= {group.inputs["kmsKeyId"] for group in recorder.every(LOG_GROUP)}
    assert len(keys) == 1
    assert keys.pop().startswith("arn:aws:kms:")
    assert instance(recorder)["storageEncrypted"] is True


def test_connections_without_tls_are_refused(record: Record) -> None:
    group = record(postgres()).one(PARAMETER_GROUP)
    parameters = {parameter["name"]: parameter for parameter in group.inputs["parameters"]}
    assert parameters["rds.force_ssl"]["value"] == "1"
    assert group.inputs["family"] == "postgres17"


def test_parameters_are_applied_as_their_kind_allows(record: Record) -> None:
    """RDS reports its default of rds.force_ssl as pending-reboot: "immediate" would be a change at each update."""
    assert {method for name, _, method in PARAMETERS if name == "rds.force_ssl"} == {"pending-reboot"}
    assert {method for name, _, method in PARAMETERS if name != "rds.force_ssl"} == {"immediate"}
    assert len({name for name, _, _ in PARAMETERS}) == len(PARAMETERS)


def test_groups_can_be_replaced_before_the_old_ones_are_deleted(record: Record) -> None:
    recorder = record(postgres())
    for type_ in (PARAMETER_GROUP, SECURITY_GROUP, "aws:rds/subnetGroup:SubnetGroup", "aws:iam/role:Role"):
        found = recorder.one(type_)
        assert "name" not in found.inputs, "a fixed name could not be there twice"
        assert not found.request.deleteBeforeReplace


def test_exported_logs_end_in_groups_that_forget(record: Record) -> None:
    recorder = record(postgres(managed(identifier="flow")))
    groups = {group.inputs["name"]: group.inputs["retentionInDays"] for group in recorder.every(LOG_GROUP)}
    exported = instance(recorder)["enabledCloudwatchLogsExports"]
    assert groups == {f"/aws/rds/instance/flow/{kind}": 365 for kind in exported}
    assert exported == list(LOG_EXPORTS)


def test_instance_comes_after_what_it_needs(record: Record) -> None:
    """RDS would make log groups without an end, and refuse a monitoring role without its policy."""

    def after() -> tuple[pulumi.Resource, ...]:
        return (random.RandomPet("first"),)

    recorder = record(postgres(after=after))
    before = set(recorder.one(INSTANCE).request.dependencies)
    needed = {group.urn for group in recorder.every(LOG_GROUP)}
    needed.add(recorder.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment").urn)
    needed.add(recorder.one("random:index/randomPet:RandomPet").urn)
    assert needed <= before


def test_snapshot_may_be_taken_out_of_the_config_later(record: Record) -> None:
    recorder = record(postgres(managed(snapshot_identifier="rds:airflow-2026-01-31-02-05")))
    assert instance(recorder)["snapshotIdentifier"] == "rds:airflow-2026-01-31-02-05"
    assert instance(recorder)["tags"] == {**TAGS, RESTORED_FROM_TAG: "snapshot rds:airflow-2026-01-31-02-05"}
    assert "snapshotIdentifier" in recorder.one(INSTANCE).request.ignoreChanges


def test_nothing_else_is_ignored(record: Record) -> None:
    recorder = record(postgres(managed(engine_version="17.6")))
    assert "snapshotIdentifier" not in instance(recorder)
    assert instance(recorder)["tags"] == TAGS
    ignored = {resource.type: list(resource.request.ignoreChanges) for resource in recorder.every()}
    assert {type_: keys for type_, keys in ignored.items() if keys} == {
        INSTANCE: ["snapshotIdentifier", "restoreToPointInTime"],
        # Another one would replace what an instance uses that a restore has left.
        "aws:ec2/securityGroup:SecurityGroup": ["description"],
        "aws:rds/parameterGroup:ParameterGroup": ["description"],
        "aws:rds/subnetGroup:SubnetGroup": ["description"],
    }


def test_minor_version_is_left_to_rds_unless_one_is_named(record: Record) -> None:
    recorder = record(postgres())
    assert instance(recorder)["engineVersion"] == "17"
    assert "engineVersion" in recorder.one(INSTANCE).request.ignoreChanges


MOVE = Move(id="20260131104500", old="airflow-prod", new="airflow-prod-2", snapshot="airflow-prod-a")


def test_instance_that_a_restore_leaves_is_forgotten_and_never_deleted(record: Record) -> None:
    recorder = record(postgres(managed(identifier="airflow-prod", move=MOVE), protect=True))
    found = recorder.one(INSTANCE)
    assert (found.request.protect, found.request.retainOnDelete) == (False, True)
    assert found.inputs["deletionProtection"] is True, "RDS still protects it"
    assert found.inputs["tags"][LEFT_TAG] == "restore 20260131104500 to airflow-prod-2"
    assert "snapshotIdentifier" not in found.inputs
    assert all(group.request.retainOnDelete for group in recorder.every(LOG_GROUP))


def test_instance_that_a_restore_makes_has_every_protection_and_its_source(record: Record) -> None:
    for source, made_from in (
        ({}, {"snapshotIdentifier": "airflow-prod-a"}),
        (
            {"snapshot": "", "moment": "2026-01-31T10:45:00Z"},
            {
                "restoreToPointInTime": {
                    "sourceDbInstanceIdentifier": "airflow-prod",
                    "restoreTime": "2026-01-31T10:45:00Z",
                }
            },
        ),
    ):
        move = replace(MOVE, **source)
        recorder = record(postgres(managed(identifier="airflow-prod-2", move=move), protect=True))
        found = recorder.one(INSTANCE)
        keys = ("snapshotIdentifier", "restoreToPointInTime")
        assert {key: found.inputs[key] for key in keys if key in found.inputs} == made_from
        assert (found.request.protect, found.request.retainOnDelete) == (True, False)
        assert found.inputs["tags"][RESTORED_FROM_TAG] == f"restore 20260131104500 of {move.source}"
        assert not any(group.request.retainOnDelete for group in recorder.every(LOG_GROUP))


def test_versions_follow_within_the_major_one_only(record: Record) -> None:
    found = instance(record(postgres()))
    assert found["engineVersion"] == "17"
    assert found["autoMinorVersionUpgrade"] is True
    assert found["allowMajorVersionUpgrade"] is False


@pytest.mark.parametrize("apply_immediately", [True, False])
def test_changes_wait_for_the_maintenance_window_unless_told_not_to(record: Record, apply_immediately: bool) -> None:
    settings = managed(apply_immediately=apply_immediately, maintenance_window="Mon:10:00-Mon:11:00")
    found = instance(record(postgres(settings)))
    assert found["applyImmediately"] is apply_immediately
    assert found["maintenanceWindow"] == "mon:10:00-mon:11:00", "as RDS keeps it, else it changes at each update"


def test_instance_is_waited_for_long_enough(record: Record) -> None:
    """The provider's own 40 minutes are too short for a standby, or for a snapshot of some size."""
    timeouts = recorder_timeouts(record(postgres()))
    assert timeouts == {"create": "90m", "update": "90m", "delete": "90m"}


def recorder_timeouts(recorder: Recorder) -> dict[str, str]:
    timeouts = recorder.one(INSTANCE).request.customTimeouts
    return {"create": timeouts.create, "update": timeouts.update, "delete": timeouts.delete}


def test_password_is_a_secret_wherever_it_is(record: Record) -> None:
    recorder = record(postgres())
    assert recorder.one(INSTANCE).revealed["password"] == PASSWORD
    for resource in recorder.every():
        assert PASSWORD not in resource.plain_text, resource
    assert PASSWORD not in str(recorder.outputs)


def test_database_verifies_the_instance_that_it_names(record: Record) -> None:
    found: list[Database] = []
    recorder = record(lambda: found.append(postgres(managed(port=5433))().database))
    [database] = found
    assert (database.port, database.name, database.user) == (5433, "airflow", "airflow")
    assert database.ssl_mode is SslMode.VERIFY_FULL
    assert database.ca_certificates == "sentinel-pem"
    assert database.password == Secret(PASSWORD)
    host = recorder.outputs[recorder.one(COMPONENT).urn]["host"]
    assert host == "airflow.abc.eu-central-1.rds.amazonaws.com", "the name in the certificate, not an alias of it"


def test_every_child_is_the_component_s_and_has_its_tags(record: Record) -> None:
    recorder = record(postgres())
    component = recorder.one(COMPONENT)
    children = [found for found in recorder.every() if found is not component]
    assert {found.request.parent for found in children} == {component.urn}
    without = {found.type for found in children if found.inputs.get("tags") != TAGS}
    assert without == {
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:kms/alias:Alias",
        FINAL_SNAPSHOT,
    }, "these have none"


def test_settings_that_rds_would_refuse_stop_the_program() -> None:
    broken = replace(managed(), identifier="-", storage_gib=1)
    with pytest.raises(ValueError, match=r"managed\.identifier: expected .*; managed\.storage_gib: expected "):
        postgres(broken)()


def test_preview_knows_no_generated_value_and_works(record: Record) -> None:
    recorder = record(postgres(), preview=True)
    assert instance(recorder)["identifier"] == "airflow"
