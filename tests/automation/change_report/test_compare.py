"""From two plans to steps: what a provider would do, what follows from it, and what is not compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from automation.change_report.compare import compare_plans
from automation.change_report.model import ChangeKind, PropertyChange, StackReport
from automation.plan.model import Failure, FailureKind, Placeholder, Plan, PlannedResource, PolicyResult, Why
from components.secrets.masker import Masker
from tests.cases import each

SECRET = "kubernetes:core/v1:Secret"
JOB = "kubernetes:batch/v1:Job"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
KMS_KEY = "aws:kms/key:Key"
INSTANCE = "aws:rds/instance:Instance"
PASSWORD = "random:index/randomPassword:RandomPassword"
PROVIDER = "pulumi:providers:kubernetes"


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:prod::airflow::{type_}::{name}"


def resource(type_: str, name: str = "it", inputs: Mapping[str, Any] | None = None, **more: Any) -> PlannedResource:
    return PlannedResource(
        urn=urn(type_, name), type=type_, name=name, inputs=inputs or {}, **{"component": False, **more}
    )


def plan(*resources: PlannedResource, **more: Any) -> Plan:
    return Plan(stack="prod", resources=resources, **{"objects": (), **more})


def changed(type_: str, before: Mapping[str, Any], after: Mapping[str, Any], **more: Any) -> StackReport:
    return compare_plans(plan(resource(type_, inputs=before, **more)), plan(resource(type_, inputs=after, **more)))


def kinds(report: StackReport) -> list[tuple[str, str]]:
    return [(step.kind.value, step.name) for step in report.steps]


def test_what_is_the_same_is_no_step() -> None:
    same = plan(resource(JOB, inputs={"spec": {"template": {"a": [1, {"name": "x"}]}}}), resource("a:b:C", "component"))
    report = compare_plans(same, Plan.from_json(json.loads(json.dumps(same.to_json()))))
    assert report.steps == ()
    assert report.unchanged == 2
    assert not report.changes_anything


def test_what_the_preflight_checks_again_is_no_step() -> None:
    def checked(document: str) -> Plan:
        inside = "urn:pulumi:prod::airflow::airflow:index:AirflowPlatform$airflow:index:ClusterPreflight"
        kind, name = "kubernetes:core/v1:ConfigMap", "airflow-preflight-images"
        urn = f"{inside}${kind}::{name}"
        check = PlannedResource(urn=urn, type=kind, name=name, inputs={"data": {"check": document}}, component=False)
        return plan(check, resource(POLICY, inputs={"spec": document}))

    report = compare_plans(checked("old"), checked("new"))
    assert kinds(report) == [("update", "it")]
    assert report.checks == ("images",)
    assert report.unchanged == 0


def test_steps_are_told_by_gravity() -> None:
    before = plan(
        resource(POLICY, "gone"),
        resource(JOB, "replaced", {"spec": {"template": 1}}),
        resource(POLICY, "updated", {"spec": 1}),
        resource(POLICY, "same", {"spec": 1}),
    )
    after = plan(
        resource(POLICY, "new"),
        resource(JOB, "replaced", {"spec": {"template": 2}}),
        resource(POLICY, "updated", {"spec": 2}),
        resource(POLICY, "same", {"spec": 1}),
    )
    report = compare_plans(before, after)
    assert kinds(report) == [("delete", "gone"), ("replace", "replaced"), ("update", "updated"), ("create", "new")]
    assert report.counts == {ChangeKind.DELETE: 1, ChangeKind.REPLACE: 1, ChangeKind.UPDATE: 1, ChangeKind.CREATE: 1}
    assert report.unchanged == 1


@each(
    ("type_", "before", "after", "kind"),
    [
        (SECRET, {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, ChangeKind.REPLACE),
        (SECRET, {"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"a": "2"}}}, ChangeKind.UPDATE),
        (POLICY, {"metadata": {"namespace": "a"}}, {"metadata": {"namespace": "b"}}, ChangeKind.REPLACE),
        (
            JOB,
            {"spec": {"template": {"spec": {"x": 1}}}},
            {"spec": {"template": {"spec": {"x": 2}}}},
            ChangeKind.REPLACE,
        ),
        (JOB, {"spec": {"backoffLimit": 1}}, {"spec": {"backoffLimit": 2}}, ChangeKind.UPDATE),
        (INSTANCE, {"instanceClass": "a"}, {"instanceClass": "b"}, ChangeKind.UPDATE),
        (INSTANCE, {"dbName": "a"}, {"dbName": "b"}, ChangeKind.REPLACE),
        (INSTANCE, {"dbNameOfAnother": "a"}, {"dbNameOfAnother": "b"}, ChangeKind.UPDATE),
        (PASSWORD, {"length": 20}, {"length": 24}, ChangeKind.REPLACE),
    ],
)
def test_step_is_what_the_provider_would_do(
    type_: str, before: Mapping[str, Any], after: Mapping[str, Any], kind: ChangeKind
) -> None:
    (step,) = changed(type_, before, after).steps
    assert step.kind is kind


def test_ignored_changes_are_no_changes() -> None:
    def inputs(image: str) -> dict[str, Any]:
        return {"spec": {"template": {"spec": {"containers": [{"name": "airflow", "image": image}]}}}}

    ignored = ("spec.template.spec.containers[0].image",)
    assert changed(JOB, inputs("a:1"), inputs("a:2"), ignore_changes=ignored).steps == ()
    assert changed(JOB, inputs("a:1"), inputs("a:2")).steps != ()


# What follows from a replacement


def test_what_is_made_of_a_replaced_resource_changes_with_it() -> None:
    """Another key replaces the database that it encrypts, although the plan's made-up ARN is the same."""
    of_key = {"kmsKeyId": (urn(KMS_KEY, "key"),)}
    instance = resource(INSTANCE, "database", {"kmsKeyId": "arn", "port": 5432}, made_of=of_key)
    alarm = resource("aws:cloudwatch/metricAlarm:MetricAlarm", "alarm", {"dimensions": {}},
                     made_of={"dimensions": (urn(INSTANCE, "database"),)})  # fmt: skip
    before = plan(resource(KMS_KEY, "key", {"multiRegion": False}), instance, alarm)
    after = plan(resource(KMS_KEY, "key", {"multiRegion": True}), instance, alarm)
    report = compare_plans(before, after)
    assert set(kinds(report)) == {("replace", "key"), ("replace", "database"), ("update", "alarm")}
    database = next(step for step in report.steps if step.name == "database")
    assert [(change.path, change.replaces) for change in database.changes] == [("kmsKeyId", True)]


def test_another_cluster_replaces_all_that_is_in_it() -> None:
    cluster = [resource(PROVIDER, "cluster", {"clusterIdentifier": name, "context": name}) for name in ("a", "b")]
    policy, bucket = resource(POLICY, "policy"), resource("aws:s3/bucket:Bucket", "bucket")
    report = compare_plans(plan(cluster[0], policy, bucket), plan(cluster[1], policy, bucket))
    assert set(kinds(report)) == {("replace", "cluster"), ("replace", "policy")}


# Properties


def paths(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    report = changed("a:b:C", {"x": before}, {"x": after})
    return [(change.path, change.before, change.after) for step in report.steps for change in step.changes]


def test_items_of_a_list_are_the_same_by_name() -> None:
    before = [{"name": "a", "value": "1"}, {"name": "b", "value": "1"}]
    after = [{"name": "new", "value": "0"}, {"name": "a", "value": "1"}, {"name": "b", "value": "2"}]
    assert paths(before, after) == [("x[b].value", "1", "2"), ("x[new]", None, {"name": "new", "value": "0"})]


@each(
    ("before", "after", "expected"),
    [
        ([1, 2], [1, 3, 4], [("x[1]", 2, 3), ("x[2]", None, 4)]),
        ({"a.b": 1}, {"a.b": 2}, [('x["a.b"]', 1, 2)]),
        ({"a": {}}, {"a": None}, [("x.a", {}, None)]),
        ('{"Statement": [{"Action": "a"}]}', '{"Statement": [{"Action": "b"}]}', [("x.Statement[0].Action", "a", "b")]),
        ("{no JSON", "{none", [("x", "{no JSON", "{none")]),
        ([{"name": "a"}, {"name": "a"}], [{"name": "a"}], [("x[1]", {"name": "a"}, None)]),
        (["a", "b", "c"], ["b", "c"], [("x[0]", "a", None)]),
        ([{"p": 1}, {"p": 2}], [{"p": 0}, {"p": 1}, {"p": 2}], [("x[0]", None, {"p": 0})]),
        (["a", "b", "c"], ["a", "B", "c", "d"], [("x[1]", "b", "B"), ("x[3]", None, "d")]),
        ([1, True], [True, "1"], [("x[0]", 1, None), ("x[1]", None, "1")]),
    ],
)
def test_a_change_is_told_where_it_is(before: Any, after: Any, expected: list[tuple[str, Any, Any]]) -> None:
    assert paths(before, after) == expected


def test_another_order_of_items_with_names_is_a_change() -> None:
    """Pods roll for it, and a variable may use only those before it."""
    a, b, c = ({"name": name, "value": "1"} for name in "abc")
    assert paths([a, b], [b, a]) == [("x (order)", "a\nb", "b\na")]
    assert paths([c, a, b], [c, b, a]) == [("x (order)", "a\nb", "b\na")], "without what stays: many are alike then"
    assert paths([a, b], [c, a, b]) == [("x[c]", None, c)], "the others are in the order that they had"
    deployments = [
        {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": {"env": env}}}
        for env in ([a, b], [b, a])
    ]
    report = compare_plans(*(plan(objects=(item,)) for item in deployments))
    assert [[change.path for change in found.changes] for found in report.objects or ()] == [
        ["spec.template.env (order)"]
    ]


def test_null_in_an_object_of_the_chart_is_as_nothing() -> None:
    report = compare_plans(plan(objects=(manifest("a", data=None),)), plan(objects=(manifest("a"),)))
    assert report.objects == ()


# Secrets


def test_a_secret_that_changes_is_told_and_not_shown() -> None:
    masker = Masker(b"key")
    report = changed(SECRET, {"stringData": {"a": masker.secret("1")}}, {"stringData": {"a": masker.secret("2")}})
    (change,) = report.steps[0].changes
    assert change == PropertyChange(
        path="stringData.a", before="[secret]", after="[secret, changed]", secret=True, replaces=True
    )
    assert (
        changed(SECRET, {"stringData": {"a": masker.secret("1")}}, {"stringData": {"a": masker.secret("1")}}).steps
        == ()
    )


def test_a_secret_that_changes_within_a_text_is_told() -> None:
    masker = Masker(b"key", ["the-first-password", "the-second-password"])
    before, after = (
        {"url": masker.text(f"https://h/?p={word}")} for word in ("the-first-password", "the-second-password")
    )
    (change,) = changed("a:b:C", before, after).steps[0].changes
    assert (change.before, change.after) == ("https://h/?p=[secret]", "https://h/?p=[secret, changed]")


def test_no_digest_leaves_a_report() -> None:
    mask = Masker(b"key").secret("x")
    before = plan(resource(JOB, f"a-{mask}", {mask: mask}), messages=(f"it is {mask}",), no_objects=mask, objects=None)
    after = plan(
        resource(JOB, f"b-{mask}", {"a": [mask]}),
        messages=(f"it is {mask}",),
        policies=(PolicyResult(rule="r", level="mandatory", subject=mask, message=mask),),
        no_objects=mask,
        objects=None,
    )
    report = compare_plans(before, after)
    assert "[secret:" not in repr(report)
    assert "[secret]" in repr(report)


# Objects


def manifest(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def test_objects_of_the_chart_are_compared_and_not_only_its_values() -> None:
    before = plan(objects=(manifest("a", data={"x": "1"}), manifest("gone"), manifest("same")))
    after = plan(objects=(manifest("a", data={"x": "2"}), manifest("new"), manifest("same")))
    report = compare_plans(before, after)
    assert report.steps == ()
    found = [(change.kind.value, change.label) for change in report.objects or ()]
    assert found == [("delete", "ConfigMap gone"), ("update", "ConfigMap a"), ("create", "ConfigMap new")]
    assert report.changes_anything
    assert any("ConfigMap gone" in str(warning) for warning in report.warnings)


@pytest.mark.parametrize("side", ["base", "head"])
def test_objects_that_one_side_lacks_are_not_compared(side: str) -> None:
    missing, there = plan(objects=None, no_objects="no chart"), plan(objects=(manifest("a"),))
    report = compare_plans(missing, there) if side == "base" else compare_plans(there, missing)
    assert report.objects is None
    assert report.no_objects == "no chart"


# Plans that are not there


def test_a_new_stack_is_created_whole() -> None:
    missing = Plan(stack="prod", failure=Failure(kind=FailureKind.NO_STACK, text="there is no Pulumi.prod.yaml"))
    report = compare_plans(missing, plan(resource(POLICY, "policy"), objects=(manifest("a"),)))
    assert kinds(report) == [("create", "policy")]
    assert [found.kind for found in report.objects or ()] == [ChangeKind.CREATE]


@pytest.mark.parametrize("side", ["base", "head"])
def test_a_plan_that_failed_is_compared_with_nothing(side: str) -> None:
    broken = Plan(stack="prod", failure=Failure(kind=FailureKind.SYNTAX, text="a.py:1: invalid syntax"))
    sound = plan(resource(POLICY))
    report = compare_plans(broken, sound) if side == "base" else compare_plans(sound, broken)
    assert report.steps == ()
    assert report.changes_anything
    assert (report.base_failure or report.head_failure) == broken.failure


# Policies and what was stood in for


def test_a_policy_result_is_new_where_the_base_does_not_have_it() -> None:
    old, new = (PolicyResult(rule=name, level="advisory", subject="s", message="m") for name in ("old", "new"))
    report = compare_plans(plan(policies=(old,)), plan(policies=(old, new)))
    assert {(found.result.rule, found.new) for found in report.policies} == {("old", False), ("new", True)}


def test_policies_judge_the_steps_too() -> None:
    report = compare_plans(plan(resource(INSTANCE, "database", protect=True)), plan())
    assert any(found.result.subject == "Instance database" and found.new for found in report.policies)


@pytest.mark.parametrize("by", ["name", "urn"])
def test_what_is_decided_is_told_as_decided_and_refuses_nothing(by: str) -> None:
    there = (resource(INSTANCE, "database"), resource(INSTANCE, "other"))
    decided = (getattr(there[0], by),)
    report = compare_plans(plan(*there), plan(decided=decided))
    assert {(found.result.subject, found.result.level, found.decided, found.new) for found in report.policies} == {
        ("Instance database", "advisory", True, True),
        ("Instance other", "mandatory", False, True),
    }
    assert report.decided == decided
    lost = [str(warning) for warning in report.warnings if "lost" in str(warning)]
    assert len(lost) == 2, "what is lost is told whether it is meant or not"


def test_the_base_decides_nothing() -> None:
    before = plan(resource(INSTANCE, "database"), decided=("database",))
    (found,) = compare_plans(before, plan()).policies
    assert (found.result.level, found.decided) == ("mandatory", False)


def test_a_decision_is_of_one_resource_although_another_reads_like_it() -> None:
    one, two = (
        PlannedResource(urn=f"{urn(INSTANCE, 'database')}{end}", type=INSTANCE, name="database", component=False,
                        inputs={})
        for end in ("", "-of-another-parent")
    )  # fmt: skip
    (found,) = compare_plans(plan(one, two), plan(decided=(one.urn,))).policies
    assert (found.result.level, found.decided) == ("mandatory", False)


def test_decisions_survive_json() -> None:
    head = plan(decided=("database",))
    assert Plan.from_json(json.loads(json.dumps(head.to_json()))) == head


def test_what_was_stood_in_for_is_told() -> None:
    after = plan(placeholders=(Placeholder(key="jwtSecret", why=Why.ENCRYPTED),), stand_ins=("the cluster",))
    report = compare_plans(plan(), after)
    assert report.placeholders == ("airflow:jwtSecret (encrypted in the stack's file)",)
    assert report.stand_ins == ("the cluster",)
