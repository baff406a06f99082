"""The table of what replaces a resource covers all that the program registers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from automation.change_report.replacement import REPLACED_BY, refused, replaces

if TYPE_CHECKING:
    from tests.automation.checkouts import Checkouts


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_every_type_outside_of_the_cluster_is_in_the_table(stack: str, base: Path, checkouts: Checkouts) -> None:
    """Objects of the cluster are all replaced for another name or namespace, whether in the table or not."""
    plan = checkouts.plan(base, stack)
    types = {found.type for found in plan.resources if not found.component and not found.type.startswith("kubernetes:")}
    assert types
    assert types - REPLACED_BY.keys() <= {"pulumi:providers:aws"}


@pytest.mark.parametrize("stack", ["prod"])
def test_every_input_in_the_table_is_one(stack: str, base: Path, checkouts: Checkouts) -> None:
    """A misspelt input would replace nothing. Those that the program does not set are the provider's all the same."""
    plan = checkouts.plan(base, stack)
    instance = next(found for found in plan.resources if found.type == "aws:rds/instance:Instance")
    set_by_program = {"identifier", "engine", "dbName", "username", "kmsKeyId", "storageEncrypted"}
    assert set_by_program <= set(instance.inputs)
    assert set_by_program <= set(REPLACED_BY[instance.type])


@pytest.mark.parametrize(
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
        ("of:nobody:Known", "anything", False),
    ],
)
def test_a_path_is_within_an_input_or_not(type_: str, path: str, expected: bool) -> None:
    assert replaces(type_, path) is expected


@pytest.mark.parametrize(
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
