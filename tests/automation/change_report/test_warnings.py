"""Each warning, when it comes and when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from automation.change_report.compare import compare_plans
from automation.change_report.model import Category, ChangeKind, ReportSource, ResourceChange, Severity, StackReport
from automation.change_report.warnings import warnings_of
from automation.plan.model import RELEASE_TYPE, Failure, FailureKind, Placeholder, Plan, PlannedResource, Why
from components.chart_values.running import Running
from components.secrets.masker import Masker
from settings.rotation import Mark
from settings.upgrade import AirflowImage, UpgradeMark
from tests.cases import each

PARENTS = "airflow:index:AirflowPlatform$airflow:index:AirflowKeys$"
SECRET = "kubernetes:core/v1:Secret"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
INSTANCE = "aws:rds/instance:Instance"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"


def resource(
    type_: str, name: str = "it", inputs: Mapping[str, Any] | None = None, *, parents: str = "", **more: Any
) -> PlannedResource:
    urn = f"urn:pulumi:prod::airflow::{parents}{type_}::{name}"
    return PlannedResource(urn=urn, type=type_, name=name, inputs=inputs or {}, **{"component": False, **more})


def report(
    before: list[PlannedResource],
    after: list[PlannedResource],
    objects: tuple[tuple[Any, ...], tuple[Any, ...]] = ((), ()),
    **more: Any,
) -> StackReport:
    return compare_plans(
        Plan(stack="prod", resources=tuple(before), objects=objects[0]),
        Plan(stack="prod", resources=tuple(after), objects=objects[1], **more),
    )


def told(found: StackReport, category: Category, severity: Severity | None = None) -> list[str]:
    return [str(item) for item in found.warnings if item.category is category and severity in (None, item.severity)]


# What encrypts the secrets


def test_another_key_for_the_secrets_is_told_although_no_resource_changes() -> None:
    ours, theirs = ({"by": f"awskms://alias/{name}", "key": name} for name in ("ours", "theirs"))
    found = compare_plans(
        Plan(stack="prod", objects=(), encryption=ours), Plan(stack="prod", objects=(), encryption=theirs)
    )
    assert found.changes_anything
    assert told(found, Category.KEYS, Severity.WARNING) == [
        "what encrypts the stack's secrets changes: awskms://alias/ours becomes awskms://alias/theirs; whoever may "
        "use it can read them"
    ]
    again = compare_plans(
        Plan(stack="prod", objects=(), encryption=ours),
        Plan(stack="prod", objects=(), encryption={**ours, "key": "2"}),
    )
    assert "awskms://alias/ours stays, with another data key" in told(again, Category.KEYS)[0]


def test_stack_whose_file_says_nothing_of_it_yet_causes_no_warning() -> None:
    made = Plan(stack="prod", objects=(), encryption={"by": "a passphrase", "key": "1"})
    for before, after in ((Plan(stack="prod", objects=()), made), (made, made), (made, Plan(stack="prod", objects=()))):
        assert not compare_plans(before, after).changes_anything


# Rotations


def test_rotation_that_is_under_way_is_told_with_its_stage() -> None:
    """The program warns of it, in a plan and in a preview."""
    mark = Mark(key="fernet", stage=2, stages=4, fingerprint="0123456789ab")
    found = report([], [], messages=(f"warning: {mark.told('prod')}", "warning: another", "info: the rotation of it"))
    [sentence] = told(found, Category.KEYS, Severity.NOTE)
    assert sentence.startswith("the rotation of fernet is in stage 2 of 4; python -m automation rotate fernet prod")


def test_stack_that_does_not_run_whole_is_told() -> None:
    found = report([], [], messages=(f"warning: {Running.STOPPED.told('prod')}", "warning: another"))
    [sentence] = told(found, Category.DOWNTIME, Severity.WARNING)
    assert sentence.startswith("airflow:running is stopped: nothing runs; pulumi config set --stack prod")


def test_upgrade_that_is_under_way_is_told_with_its_stage() -> None:
    images = [AirflowImage(tag=version, airflow=version) for version in ("3.2.2", "3.3.2")]
    mark = UpgradeMark(verb="upgrade", stage=3, stages=4, before=images[0], after=images[1])
    found = report([], [], messages=(f"warning: {mark.told('prod')}", "info: the upgrade from it"))
    [sentence] = told(found, Category.DOWNTIME, Severity.NOTE)
    assert sentence.startswith("the upgrade from 3.2.2 to 3.3.2 is in stage 3 of 4; python -m automation upgrade prod")


# Refused by Kubernetes


def manifest(kind: str, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "airflow-redis", **metadata}, "spec": spec}


def of_objects(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return told(report([], [], ((before,), (after,))), Category.REFUSED, Severity.DANGER)


def test_a_volume_that_kubernetes_lets_nobody_change_is_told_with_what_to_do() -> None:
    sizes = [{"volumeClaimTemplates": [{"spec": {"resources": {"requests": {"storage": f"{n}Gi"}}}}]} for n in (1, 2)]
    before, after = (manifest("StatefulSet", size) for size in sizes)
    assert of_objects(before, after) == [
        "StatefulSet airflow-redis: Kubernetes never changes spec.volumeClaimTemplates, so the update fails "
        "after the database is migrated. Undo it, or run this in the stack's namespace right before the update: "
        "kubectl delete "
        "statefulset airflow-redis --cascade=orphan; its pods keep running, and existing volumes stay as they are"
    ]


def test_pods_with_other_labels_are_not_left_behind() -> None:
    before, after = (manifest("StatefulSet", {"selector": {"matchLabels": {"a": a}}}) for a in "xy")
    (text,) = of_objects(before, after)
    assert text.endswith(": kubectl delete statefulset airflow-redis")


def test_nobody_is_told_to_delete_a_claim() -> None:
    before, after = (manifest("PersistentVolumeClaim", {"storageClassName": name}) for name in "xy")
    (text,) = of_objects(before, after)
    assert "kubectl" not in text
    assert "also deletes its data" in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (manifest("StatefulSet", {"replicas": 1}), manifest("StatefulSet", {"replicas": 2})),
        (manifest("Service", {"clusterIP": "10.0.0.1"}), manifest("Service", {})),
        [manifest("Job", {"template": n}, annotations={"helm.sh/hook": "post-install"}) for n in (1, 2)],
    ],
    ids=["a field that may change", "an address that stays", "a hook"],
)
def test_what_kubernetes_takes_is_not_told(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    assert of_objects(before, after) == []


# Protected, deleted, replaced


def test_a_protected_resource_that_would_go_is_told_first() -> None:
    found = report([resource(INSTANCE, "database", {"dbName": "a"}, protect=True)],
                   [resource(INSTANCE, "database", {"dbName": "b"}, protect=True)])  # fmt: skip
    assert found.warnings[0].category is Category.PROTECTED
    assert found.warnings[0].severity is Severity.DANGER
    assert "refused" in str(found.warnings[0])
    assert told(found, Category.REPLACE, Severity.DANGER) == [
        "Instance database may be replaced, because dbName changes, and then the metadata database is lost"
    ]


def test_protection_that_goes_is_told() -> None:
    found = report([resource(CLAIM, "data", protect=True)], [resource(CLAIM, "data")])
    assert told(found, Category.PROTECTED, Severity.WARNING) == [
        "no longer protected, so that a later update may delete or replace it: PersistentVolumeClaim data"
    ]
    assert report([resource(CLAIM, "data")], [resource(CLAIM, "data", protect=True)]).warnings == ()


def test_deletions_are_told_by_what_is_lost() -> None:
    found = report(
        [
            resource(CLAIM, "data"),
            resource("aws:kms/key:Key", "key", retain_on_delete=True),
            resource("a:b:C", "other"),
        ],
        [],
    )
    assert told(found, Category.DELETE, Severity.DANGER) == [
        "PersistentVolumeClaim data is deleted, and what is on the volume is lost"
    ]
    assert told(found, Category.DELETE, Severity.WARNING) == ["deleted: C other"]
    (kept,) = told(found, Category.DELETE, Severity.NOTE)
    assert "keeps existing" in kept


def test_a_deleted_component_stands_for_what_it_owned() -> None:
    component = "airflow:index:DatabaseAlarms"
    before = [
        resource(component, "airflow-alarms", component=True),
        resource("aws:cloudwatch/metricAlarm:MetricAlarm", "airflow-alarms-cpu", parents=f"{component}$"),
        resource("aws:cloudwatch/metricAlarm:MetricAlarm", "of-nobody"),
    ]
    assert told(report(before, []), Category.DELETE) == [
        "component DatabaseAlarms airflow-alarms is deleted, with all that it owns: resources: 1",
        "deleted: MetricAlarm of-nobody",
    ]


def test_many_names_are_shortened() -> None:
    found = report([resource("a:b:C", f"c{index:02}") for index in range(20)], [])
    (text,) = told(found, Category.DELETE)
    assert text.endswith("C c07 and 12 more")


def test_replacements_by_design_are_no_warnings() -> None:
    """A Secret and a Job get another name, and the old one stays until nothing uses it."""
    before, after = (
        [
            resource(SECRET, "secret", {"stringData": word}),
            resource("kubernetes:batch/v1:Job", "job", {"spec": {"template": word}}),
        ]
        for word in ("1", "2")
    )
    found = report(before, after)
    assert told(found, Category.REPLACE) == []
    other = report([resource(RELEASE_TYPE, "a", {"name": "1"})], [resource(RELEASE_TYPE, "a", {"name": "2"})])
    assert told(other, Category.REPLACE, Severity.WARNING) == ["Release a may be replaced, because name changes"]
    sides = [resource(RELEASE_TYPE, "a", {"name": word, "namespace": word}) for word in "12"]
    (text,) = told(report([sides[0]], [sides[1]]), Category.REPLACE)
    assert text == "Release a may be replaced, because name, namespace change"


def test_replacement_for_which_the_engine_names_no_input_is_told() -> None:
    nameless = ResourceChange(kind=ChangeKind.REPLACE, urn="u", type=RELEASE_TYPE, name="a")
    found = StackReport(stack="prod", source=ReportSource.PREVIEW, steps=(nameless,))
    assert [str(item) for item in warnings_of(found, {}, {})] == ["Release a is replaced, for an unknown reason"]


def test_another_place_is_a_danger() -> None:
    def cluster(name: str) -> PlannedResource:
        return resource("pulumi:providers:kubernetes", "cluster", {"clusterIdentifier": name})

    def account(number: str) -> PlannedResource:
        return resource("pulumi:providers:aws", "aws", {"allowedAccountIds": f'["{number}"]', "region": "r"})

    found = report([cluster("a"), account("1")], [cluster("b"), account("2")])
    assert len(told(found, Category.REPLACE, Severity.DANGER)) == 2


# Database


@each(
    ("before", "after", "more", "severity", "expected"),
    [
        ({"instanceClass": "a"}, {"instanceClass": "b"}, {}, Severity.WARNING, "from a to b: some minutes without"),
        ({"instanceClass": "a"}, {"instanceClass": "b"}, {"multiAz": True}, Severity.WARNING, "a failover"),
        ({"instanceClass": "a"}, {"instanceClass": "b"}, {"applyImmediately": True}, Severity.WARNING, "at once"),
        ({"engineVersion": "17.4"}, {"engineVersion": "17.6"}, {}, Severity.WARNING, "next maintenance window"),
        ({"multiAz": True}, {"multiAz": False}, {}, Severity.WARNING, "no standby"),
        ({"allocatedStorage": 100}, {"allocatedStorage": 200}, {}, Severity.NOTE, "from 100 to 200 GiB"),
        ({"backupRetentionPeriod": 14}, {"backupRetentionPeriod": 7}, {}, Severity.WARNING, "7 days in place of 14"),
        ({"deletionProtection": True}, {"deletionProtection": False}, {}, Severity.WARNING, "no longer refuses"),
        ({"skipFinalSnapshot": False}, {"skipFinalSnapshot": True}, {}, Severity.WARNING, "without a final snapshot"),
        ({"publiclyAccessible": False}, {"publiclyAccessible": True}, {}, Severity.DANGER, "the internet"),
        ({"port": 5432}, {"port": 5433}, {}, Severity.WARNING, "port changes from 5432 to 5433"),
        ({"password": Masker(b"k").secret("a")}, {"password": Masker(b"k").secret("b")}, {}, Severity.WARNING,
         "its password changes"),
    ],
)  # fmt: skip
def test_what_a_change_of_the_database_costs(
    before: Mapping[str, Any], after: Mapping[str, Any], more: Mapping[str, Any], severity: Severity, expected: str
) -> None:
    found = report([resource(INSTANCE, inputs={**more, **before})], [resource(INSTANCE, inputs={**more, **after})])
    (text,) = told(found, Category.DATABASE, severity)
    assert expected in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"backupRetentionPeriod": 7}, {"backupRetentionPeriod": 14}),
        ({"multiAz": False}, {"multiAz": True}),
        ({"deletionProtection": False}, {"deletionProtection": True}),
        ({"tags": {"a": "1"}}, {"tags": {"a": "2"}}),
    ],
)
def test_what_makes_the_database_safer_is_no_warning(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    assert report([resource(INSTANCE, inputs=before)], [resource(INSTANCE, inputs=after)]).warnings == ()


# Keys


def test_what_another_key_costs() -> None:
    for role, severity, expected in [
        ("fernet-key", Severity.DANGER, "cannot be read"),
        ("jwt-secret", Severity.WARNING, "tasks that run fail"),
        ("api-secret-key", Severity.WARNING, "logged out"),
        ("redis-password", Severity.WARNING, "no task starts"),
        ("admin-password", Severity.NOTE, "nothing rolls"),
    ]:
        masker = Masker(b"k")
        before, after = (
            resource(SECRET, f"airflow-keys-{role}", {"stringData": {"x": masker.secret(word)}}, parents=PARENTS)
            for word in ("1", "2")
        )
        (text,) = told(report([before], [after]), Category.KEYS, severity)
        assert expected in text
        assert told(report([before], [before]), Category.KEYS) == []


def test_an_encrypted_text_that_changes_may_be_the_same_key() -> None:
    masker = Masker(b"k")
    before, after = (
        resource(SECRET, "airflow-keys-jwt-secret", {"stringData": masker.secret(word)}, parents=PARENTS)
        for word in "ab"
    )
    placeholders = (Placeholder(key="jwtSecret", why=Why.ENCRYPTED),)
    (text,) = told(report([before], [after], placeholders=placeholders), Category.KEYS)
    assert "a plan cannot see" in text


def test_a_secret_that_is_no_key_is_none() -> None:
    before, after = (resource(SECRET, "x-jwt-secret", {"stringData": word}) for word in "ab")
    assert told(report([before], [after]), Category.KEYS) == []


# Downtime


def workload(component: str, image: str, kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"component": component}},
        "spec": {"containers": [{"name": component, "image": image}], **spec.pop("pod", {})},
    }
    metadata = {"name": f"airflow-{component}"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {**spec, "template": template}}


def rolled(component: str, kind: str = "Deployment", **spec: Any) -> StackReport:
    return report([], [], ((workload(component, "a:1", kind, **spec),), (workload(component, "a:2", kind, **spec),)))


def test_what_stops_before_it_starts_again_is_downtime() -> None:
    (text,) = told(rolled("redis", "StatefulSet", replicas=1), Category.DOWNTIME, Severity.WARNING)
    assert text == "redis restarts, and has no second pod: no task starts until it is back"
    (text,) = told(rolled("exporter", strategy={"type": "Recreate"}), Category.DOWNTIME, Severity.NOTE)
    assert "what it measures is missing until it is back" in text
    (text,) = told(rolled("statsd", strategy={"type": "Recreate"}), Category.DOWNTIME, Severity.WARNING)
    assert "metrics" in text


def test_one_pod_whose_successor_comes_first_is_a_note() -> None:
    (text,) = told(rolled("scheduler", replicas=1), Category.DOWNTIME)
    assert text.endswith(": scheduler")
    assert told(rolled("scheduler", replicas=2), Category.DOWNTIME) == []


def test_workers_give_their_tasks_time() -> None:
    found = rolled("worker", replicas=4, pod={"terminationGracePeriodSeconds": 900})
    assert told(found, Category.DOWNTIME) == ["workers roll: each gives its tasks 900 s to end, and ends the rest"]


def test_worker_group_that_rolls_is_named() -> None:
    sides = []
    for image in ("a:1", "a:2"):
        found = [workload("worker", image, replicas=2) for _ in range(2)]
        found[1]["metadata"]["name"] = "airflow-worker-gpu"
        found[1]["spec"]["template"]["metadata"]["labels"]["worker-set"] = "gpu"
        sides.append(tuple(found))
    assert sorted(told(report([], [], (sides[0], sides[1])), Category.DOWNTIME)) == [
        "worker-gpu rolls: each worker gives its tasks 30 s to end, and ends the rest",
        "workers roll: each gives its tasks 30 s to end, and ends the rest",
    ]


def test_the_container_database_is_downtime() -> None:
    type_ = "kubernetes:apps/v1:StatefulSet"
    before, after = (
        resource(type_, "airflow-postgres", workload("postgres", image, "StatefulSet", replicas=1))
        for image in ("a:1", "a:2")
    )
    (text,) = told(report([before], [after]), Category.DOWNTIME)
    assert "Airflow has no database" in text


# Isolation, chart, migration, placeholders


def test_network_policies_that_change_are_told() -> None:
    found = report([resource(POLICY, "a"), resource(POLICY, "b", {"spec": 1})], [resource(POLICY, "b", {"spec": 2})])
    assert told(found, Category.ISOLATION) == [
        "network policies are deleted, which opens what they closed: a",
        "network policies change: b",
    ]


def test_another_chart_is_told_without_its_folder() -> None:
    before, after = (
        resource(RELEASE_TYPE, "airflow", {"chart": f"./.charts/airflow-{number}.tgz"}) for number in ("1", "2")
    )
    (text,) = told(report([before], [after]), Category.CHART)
    assert text.startswith("the chart changes from airflow-1.tgz to airflow-2.tgz")


def test_a_migration_is_told() -> None:
    before, after = (
        resource("kubernetes:batch/v1:Job", "airflow-database-migrate", {"spec": {"template": image}})
        for image in ("1", "2")
    )
    (text,) = told(report([before], [after]), Category.DATABASE)
    assert "airflow db migrate" in text


def test_what_the_update_needs_and_the_plan_did_not_have_is_told() -> None:
    placeholders = (
        Placeholder(key="gitSshPrivateKey", why=Why.MISSING),
        Placeholder(key="jwtSecret", why=Why.ENCRYPTED),
    )
    (text,) = told(report([], [], placeholders=placeholders), Category.PLACEHOLDERS)
    assert text.endswith(": airflow:gitSshPrivateKey")


def test_the_gravest_is_told_first() -> None:
    found = report(
        [resource(CLAIM, "data", protect=True), resource("a:b:C", "c")],
        [],
        placeholders=(Placeholder(key="x", why=Why.MISSING),),
    )
    severities = [item.severity for item in found.warnings]
    assert severities == sorted(severities, key=list(Severity).index)
    assert severities[0] is Severity.DANGER
    assert severities[-1] is Severity.NOTE


# Decisions


def test_a_decision_that_nothing_needs_is_told() -> None:
    """It may be misspelt; and one that is left over would let the next accident pass."""
    there = [resource(CLAIM, "data"), resource(CLAIM, "kept")]
    found = report(there, there[1:], decided=("data", "kept", "dta"))
    assert told(found, Category.POLICY, Severity.NOTE) == [
        "lines of policy/decided.txt that nothing needs; remove them, or correct the names: kept, dta"
    ]
    assert told(report(there, [], decided=("data", there[1].urn)), Category.POLICY) == []


def test_nothing_is_said_of_decisions_where_nobody_knows_the_steps() -> None:
    failure = Failure(kind=FailureKind.PROGRAM, text="wrong")
    found = report([resource(CLAIM, "data")], [], decided=("data",), failure=failure)
    assert told(found, Category.POLICY) == []
