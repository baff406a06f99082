"""What is left of a state when its cluster is gone."""

from __future__ import annotations

import json

from automation.engine.forgetting import without_kubernetes
from tests.upgrade.releases import STATES

URN = "urn:pulumi:dev::airflow::airflow:index:AirflowPlatform$"


def test_nothing_that_is_left_depends_on_what_is_forgotten() -> None:
    content = json.loads((STATES / "b33e760" / "prod.json").read_text())
    [deployment] = [value for value in content.values() if isinstance(value, dict) and "resources" in value]
    left, forgotten = without_kubernetes(deployment)
    assert len(left["resources"]) + len(forgotten) == len(deployment["resources"])
    types = {item["type"] for item in left["resources"]}
    assert not any(kind.startswith("kubernetes:") for kind in types)
    assert {"aws:rds/instance:Instance", "pulumi:providers:aws"} <= types
    assert "kubernetes:helm.sh/v3:Release airflow" in forgotten
    assert "$kubernetes:" not in json.dumps(left["resources"])


def test_resource_that_went_with_the_namespace_is_deleted_by_itself() -> None:
    namespace, volume = f"{URN}kubernetes:core/v1:Namespace::ns", f"{URN}aws:s3/bucket:Bucket::b"
    resources = [
        {"urn": namespace, "type": "kubernetes:core/v1:Namespace"},
        {"urn": volume, "type": "aws:s3/bucket:Bucket", "deletedWith": namespace, "dependencies": [namespace]},
    ]
    left, forgotten = without_kubernetes({"resources": resources, "manifest": {}})
    assert left == {
        "manifest": {},
        "resources": [{"urn": volume, "type": "aws:s3/bucket:Bucket", "dependencies": []}],
    }
    assert forgotten == ("kubernetes:core/v1:Namespace ns",)
