"""What Kubernetes refuses to change, and what may replace a resource that holds data or keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automation.change_report.replacement import MAY_REPLACE, may_replace, refused
from policy.rules.stateful import STATEFUL
from tests.cases import each

if TYPE_CHECKING:
    from tests.automation.checkouts import Checkouts


def test_everything_that_holds_data_or_keys_may_be_replaced() -> None:
    """A plan without this warning would let data go. Nothing replaces a namespace but another name."""
    generic = {"kubernetes:core/v1:Namespace", "kubernetes:core/v1:PersistentVolumeClaim"}
    never = {"aws:s3/bucketV2:BucketV2", "pulumi:index:Stash"}  # not registered; keeps its value whatever its input is
    assert STATEFUL.keys() - MAY_REPLACE.keys() == generic | never
    assert all(may_replace(type_, "metadata.name") for type_ in generic)


def test_inputs_of_the_database_that_may_replace_it_are_inputs(base: Path, checkouts: Checkouts) -> None:
    """A misspelt input would replace nothing. Those that the program does not set are the provider's all the same."""
    plan = checkouts.plan(base, "prod", render=False)
    instance = next(found for found in plan.resources if found.type == "aws:rds/instance:Instance")
    set_by_program = {"identifier", "engine", "dbName", "username", "kmsKeyId", "storageEncrypted"}
    assert set_by_program <= set(instance.inputs)
    assert set_by_program <= set(MAY_REPLACE[instance.type])


@each(
    ("type_", "path", "expected"),
    [
        ("kubernetes:core/v1:Secret", "stringData", True),
        ("kubernetes:core/v1:Secret", 'stringData["a.b"]', True),
        ("kubernetes:core/v1:Secret", "stringDataOfAnother", False),
        ("kubernetes:core/v1:Secret", "metadata.namespace", True),
        ("kubernetes:core/v1:Secret", "metadata.namespaces", False),
        ("kubernetes:helm.sh/v3:Release", "values.name", False),
        ("kubernetes:helm.sh/v3:Release", "namespace", True),
        ("kubernetes:keda.sh/v1alpha1:ScaledObject", "spec.triggers", False),
        ("random:index/randomPassword:RandomPassword", "anything", True),
        ("kubernetes:core/v1:PersistentVolumeClaim", "spec.storageClassName", True),
        ("kubernetes:core/v1:PersistentVolumeClaim", "spec.resources.requests.storage", False),
        ("kubernetes:apps/v1:StatefulSet", "spec.volumeClaimTemplates[0].spec", True),
        ("kubernetes:batch/v1:Job", "spec.template.spec", True),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "name", False),
        ("of:nobody:Known", "anything", False),
    ],
)
def test_a_path_is_within_an_input_or_not(type_: str, path: str, expected: bool) -> None:
    assert may_replace(type_, path) is expected


@each(
    ("kind", "path", "expected"),
    [
        ("StatefulSet", "spec.volumeClaimTemplates[0].spec.resources.requests.storage", ("spec.volumeClaimTemplates",)),
        ("StatefulSet", "spec.serviceName", ("spec.serviceName",)),
        ("StatefulSet", "spec.template.spec.serviceName", ()),
        ("StatefulSet", "spec.replicas", ()),
        ("Deployment", "spec.selector.matchLabels.tier", ("spec.selector",)),
        ("Deployment", "spec.template.metadata.labels.tier", ()),
        ("PersistentVolumeClaim", "spec.storageClassName", ("spec.storageClassName",)),
        ("PersistentVolumeClaim", "spec.resources.requests.storage", ()),
        ("Service", "spec.clusterIP", ("spec.clusterIP",)),
        ("Service", "spec.selector.tier", ()),
        ("Job", "spec.template.spec.containers[run].image", ("spec.template",)),
        ("ConfigMap", "data", ()),
    ],
)
def test_kubernetes_lets_nobody_change_a_field_or_does(kind: str, path: str, expected: tuple[str, ...]) -> None:
    assert refused(kind, ["metadata.labels.a", path, path]) == expected
