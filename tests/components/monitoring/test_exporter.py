"""The exporter's pod: what it may, what it knows, and what it does not."""

from __future__ import annotations

import json
from typing import Any

from components.chart_values.metrics import Monitoring
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.kube.pod_security_standard import violations
from components.monitoring.exporter import ExporterPod, exporter_spec


def pod(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "release_name": "airflow",
        "images": Images(tag="3.2.2", pull_secrets=("registry",)),
        "metadata_secret": "metadata-1",
        "direct_ca": None,
        "database_ca": None,
        "tls_secret": None,
        "monitoring": Monitoring.OPERATOR,
        "pod": JobPod(placement={"nodeSelector": {"a": "b"}}, env=[{"name": "SECRET_OF_A_TEAM", "value": "x"}]),
    }
    template: dict[str, Any] = exporter_spec(ExporterPod(**given | changes))["template"]
    return template


def test_it_is_as_restricted_as_every_pod_and_placed_like_the_others() -> None:
    spec = pod()["spec"]
    assert list(violations(spec)) == []
    assert spec["automountServiceAccountToken"] is False
    assert (spec["nodeSelector"], spec["imagePullSecrets"]) == ({"a": "b"}, [{"name": "registry"}])
    assert spec["restartPolicy"] == "Always"
    [container] = spec["containers"]
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert {"livenessProbe", "readinessProbe"} <= set(container)


def test_it_knows_the_way_into_the_database_and_nothing_else() -> None:
    [container] = pod()["spec"]["containers"]
    assert [variable["name"] for variable in container["env"]] == [
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "CONNECTION_CHECK_MAX_COUNT",  # 0, else the entry point imports Airflow first, in the memory of this small pod
    ]
    assert "SECRET_OF_A_TEAM" not in json.dumps(pod())


def test_it_verifies_a_database_that_it_reaches_itself() -> None:
    for direct, expected in (("ca-1", True), (None, False)):
        [container] = pod(database_ca="ca-1", direct_ca=direct)["spec"]["containers"]
        assert ("PGSSLROOTCERT" in {variable["name"] for variable in container["env"]}) is expected
        assert container["args"][-1] == "database-ca=/etc/airflow-database-ca/ca.crt"


def test_it_gets_the_certificate_of_the_ui_and_not_its_key() -> None:
    template = pod(tls_secret="tls-1")
    [volume] = template["spec"]["volumes"]
    assert volume["secret"]["items"] == [{"key": "tls.crt", "path": "tls.crt"}]
    assert template["spec"]["containers"][0]["args"][-1] == "ingress=/etc/ingress-certificate/tls.crt"


def test_prometheus_finds_it_by_annotations_only_where_they_are_asked_for() -> None:
    assert pod(monitoring=Monitoring.ANNOTATIONS)["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9108",
    }
    assert "annotations" not in pod()["metadata"]
