"""What a broker outside the stack answers, and the pod that asks as a worker would."""

from __future__ import annotations

import json
from typing import Any, Final

from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.values import airflow_values
from components.kube.job_pod import JobPod
from components.preflight.broker import SCRIPT, VALUES_OF, broker_finding, broker_pod
from components.preflight.checks import CheckKind, findings_of
from components.preflight.component_pods import with_own_files
from components.preflight.finding import Verdict
from components.preflight.pod_run import ContainerEnd, PodEnd
from tests import samples
from tests.cases import each
from tests.components.network.evaluator import policies

ABOUT: Final = {"stack": "prod", "host": "broker.test", "port": "6380", "tls": True}
GOOD: Final = {"redis_version": "7.0.15", "cluster_enabled": 0, "role": "master"}
VERIFY: Final = "ConnectionError: Error 1 connecting to broker.test:6380. [SSL: CERTIFICATE_VERIFY_FAILED] "


@each(
    ("error", "told"),
    [
        (
            "AuthenticationError: invalid username-password pair or user is disabled.",
            "a login that broker.test accepts",
        ),
        ("AuthenticationError: Authentication required.", "demands, found none"),
        ("NoPermissionError: this user has no permissions to run the 'ping' command", "every right"),
        ("ResponseError: DB index is out of range", "a database that broker.test has"),
        (VERIFY + "certificate verify failed: self-signed certificate in certificate chain", "Airflow's image trusts"),
        (VERIFY + "certificate verify failed: Hostname mismatch, certificate is not valid for 'x'", "image trusts"),
        ("ConnectionError: Error 1 connecting to x. [SSL: WRONG_VERSION_NUMBER] wrong version number", "TLS at"),
        ("ConnectionError: Error while reading from x : (104, 'Connection reset by peer')", "ends the connection"),
        (
            "ConnectionError: Error 111 connecting to broker.test:6380. Connection refused.",
            "to answer pods at port 6380",
        ),
        ("TimeoutError: Timeout connecting to server", "to answer pods at port 6380"),
        ("ConnectionError: Error -2 connecting to broker.test:6380. Name or service not known.", "no address of"),
        ("ConnectionError: max number of clients reached", "a free connection"),
        ("something that nobody has seen", "workers can use broker.test"),
    ],
)
def test_refusal_names_the_key(error: str, told: str) -> None:
    """The texts of redis-py 5.3.1, of which most were seen."""
    found = broker_finding(json.dumps({"error": error}), ABOUT)
    assert found.verdict is Verdict.FAILED
    assert found.what.startswith("airflow:brokerUrl: expected ")
    assert told in found.what
    assert "{" not in found.fix


@each(
    ("changes", "told"),
    [({"cluster_enabled": 1}, "Redis Cluster"), ({"role": "slave"}, "is a replica")],
)
def test_server_that_celery_cannot_use_is_refused(changes: dict[str, Any], told: str) -> None:
    found = broker_finding(json.dumps({**GOOD, **changes}), ABOUT)
    assert found.verdict is Verdict.FAILED
    assert told in found.what


def test_good_server_passes_also_where_it_hides_its_facts() -> None:
    for answer in (GOOD, dict.fromkeys(GOOD)):
        assert broker_finding(json.dumps(answer), ABOUT).verdict is Verdict.PASSED


def test_what_is_not_seen_in_time_or_not_understood_ends_no_update() -> None:
    for code, message in ((None, ""), (1, "ModuleNotFoundError: No module named 'redis'")):
        item = ContainerEnd(name="airflow", image="a:1", pulled=True, exit_code=code, message=message)
        [found] = findings_of(CheckKind.BROKER, PodEnd(containers={"airflow": item}), ABOUT, str)
        assert (found.check, found.verdict) == ("broker", Verdict.SKIPPED)


def pod(given: dict[str, Any] | None = None) -> Any:
    inputs = samples.release_inputs()
    values = merged(chart_values(), merged(airflow_values(inputs), given or {}))
    return broker_pod("broker-1", values, inputs.images, with_own_files(JobPod(), given or {}, VALUES_OF), "airflow")


def test_pod_is_a_worker_to_the_policies_and_has_the_broker_s_secret_alone() -> None:
    made = pod({"workers": {"celery": {"env": [{"name": "SSL_CERT_FILE", "value": "/ca/all.pem"}]}}})
    selector = policies()["worker"]["podSelector"]["matchLabels"]
    assert selector.items() <= made["metadata"]["labels"].items()
    [container] = made["spec"]["containers"]
    secrets = [entry["name"] for entry in container["env"] if "valueFrom" in entry]
    assert secrets == ["AIRFLOW__CELERY__BROKER_URL"]
    assert {"name": "SSL_CERT_FILE", "value": "/ca/all.pem"} in container["env"]
    assert container["args"] == ["python", "-c", SCRIPT]
    assert container["readinessProbe"]["initialDelaySeconds"] > 600, "the Services of workers send it nothing"


def test_team_s_authorities_are_mounted() -> None:
    volume, mount = {"name": "ca", "secret": {"secretName": "ca"}}, {"name": "ca", "mountPath": "/ca"}
    made = pod({"workers": {"celery": {"extraVolumes": [volume], "extraVolumeMounts": [mount]}}})
    assert made["spec"]["volumes"] == [volume]
    assert made["spec"]["containers"][0]["volumeMounts"] == [mount]


def test_script_is_python() -> None:
    compile(SCRIPT, "script", "exec")
