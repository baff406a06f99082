"""ConfigMaps and Secrets that a team's volumes name, and something else must have put into the namespace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from components.kube.client import KubeApi
from components.kube.rest import KubeRequestFailed
from components.preflight.checks import cluster_document, made
from components.preflight.existing_files import team_files
from components.preflight.finding import Finding, Verdict
from tests.cases import each

CA = {"kind": "ConfigMap", "name": "company-ca"}
CA_VOLUME = {"name": "git-ca", "configMap": {"name": "company-ca"}}


class Api:
    """A cluster with one ConfigMap that comes at a look, or never."""

    def __init__(self, comes: int | None = None, *, denied: bool = False) -> None:
        self._comes, self._denied, self.looks = comes, denied, 0

    def items(
        self, api_version: str, kind: str, namespace: str, *, fields: str, metadata_only: bool
    ) -> list[dict[str, Any]]:
        assert (kind, namespace, fields) == ("ConfigMap", "team", "metadata.name=company-ca")
        assert metadata_only
        self.looks += 1
        if self._denied:
            raise KubeRequestFailed("list ConfigMaps", "403 Forbidden", "ask")
        return [{}] if self._comes is not None and self.looks >= self._comes else []


def found(api: Api) -> tuple[Finding, float]:
    """What a check of the cluster finds, and how long it has waited."""
    waited: list[float] = []
    nothing = {"storage": [], "ingress": "", "apis": [], "pods": []}
    document = json.dumps(cluster_document(nothing, (), (CA,)))
    first, *_ = made(cast("KubeApi", api), "team", document, "dev", str, waited.append)
    return first, sum(waited)


def test_object_that_is_there_or_comes_at_once_passes() -> None:
    assert (found(Api(1))[0].verdict, found(Api(1))[1]) == (Verdict.PASSED, 0)
    assert found(Api(3))[0].verdict is Verdict.PASSED, "an operator needs a moment after the namespace was made"


def test_missing_object_is_named_within_seconds() -> None:
    finding, seconds = found(Api())
    assert str(finding).startswith(
        "airflow:helmValues: expected a ConfigMap company-ca in namespace team, which a volume names, found none. "
        "Fix: make it (the namespace is there now), and update again"
    )
    assert seconds <= 5


def test_cluster_that_refuses_to_tell_fails_nothing() -> None:
    assert found(Api(denied=True))[0].verdict is Verdict.SKIPPED


@each(
    ("values", "groups", "wanted"),
    [
        ({}, [], ()),
        ({"volumes": [CA_VOLUME]}, [], (CA,)),
        ({"volumes": [CA_VOLUME], "dagProcessor": {"extraVolumes": [CA_VOLUME]}}, [], (CA,)),
        ({"workers": {"celery": {"extraVolumes": [CA_VOLUME]}}}, [], (CA,)),
        ({}, [{"extraVolumes": [CA_VOLUME]}], (CA,)),
        (
            {"apiServer": {"extraVolumes": [{"name": "a", "secret": {"secretName": "ldap"}}]}},
            [],
            ({"kind": "Secret", "name": "ldap"},),
        ),
        ({"volumes": [{"name": "a", "configMap": {"name": "company-ca", "optional": True}}]}, [], ()),
        ({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": None}]}, [], ()),
        ({"volumes": [{"name": "a", "configMap": {"name": "{{ .Release.Name }}-ca"}}]}, [], ()),
        # The release makes these.
        ({"volumes": [CA_VOLUME], "extraConfigMaps": {"company-ca": {"data": "x: y"}}}, [], ()),
        ({"volumes": [CA_VOLUME], "extraConfigMaps": {"{{ .Release.Name }}-ca": {"data": "x: y"}}}, [], ()),
        ({"triggerer": {"enabled": False, "extraVolumes": [CA_VOLUME]}}, [], ()),
    ],
)
def test_what_pods_need_and_the_release_does_not_make_is_looked_for(
    values: Mapping[str, Any], groups: list[Mapping[str, Any]], wanted: Any
) -> None:
    assert team_files(values, groups) == wanted
