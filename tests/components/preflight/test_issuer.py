"""What an issuer of the login answers, and the pod that asks as the API server would."""

from __future__ import annotations

import json
from typing import Any, Final

from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.values import airflow_values
from components.kube.job_pod import JobPod
from components.preflight.checks import CheckKind, findings_of
from components.preflight.component_pods import with_own_files
from components.preflight.finding import Finding, Verdict
from components.preflight.issuer import SCRIPT, VALUES_OF, issuer_about, issuer_finding, issuer_pod
from components.preflight.pod_run import ContainerEnd, PodEnd
from tests import samples
from tests.cases import each
from tests.components.network.evaluator import policies

ISSUER: Final = "https://login.test/realms/main"
ABOUT: Final = {**issuer_about(ISSUER), "stack": "prod"}
DOCUMENT: Final = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://login.test/auth",
    "token_endpoint": "https://login.test/token",
    "jwks_uri": "https://login.test/keys",
}
POOL: Final = "HTTPSConnectionPool(host='login.test', port=443): Max retries exceeded with url: /x (Caused by "


def finding(status: int = 200, document: Any = DOCUMENT) -> Finding:
    return issuer_finding(json.dumps({"status": status, "document": document}), ABOUT)


@each(
    ("error", "told", "outage"),
    [
        (f"SSLError: {POOL}SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "API server trusts", False),
        ("OSError: Could not find a suitable TLS CA certificate bundle, invalid path: /x", "API server trusts", False),
        (f"SSLError: {POOL}SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number", "TLS at login.test", False),
        (f"ConnectionError: {POOL}NameResolutionError(\"x: Failed to resolve 'login.test'", "no address of", True),
        (f"ConnectTimeout: {POOL}ConnectTimeoutError(x, 'Connection to login.test timed out.", "at port 443", True),
        (f"ConnectionError: {POOL}NewConnectionError('x: [Errno 111] Connection refused'))", "at port 443", True),
        (f"ProxyError: {POOL}ProxyError('Unable to connect to proxy', x(': Name or service not known", "proxy", True),
        ("something that nobody has seen", "metadata at https://login.test", False),
    ],
)
def test_place_that_cannot_be_read_is_named(error: str, told: str, outage: bool) -> None:
    """The texts of requests 2.34."""
    found = issuer_finding(json.dumps({"error": error}), ABOUT)
    assert found.verdict is Verdict.FAILED
    assert found.what.startswith("airflow:oidcIssuer: expected ")
    assert told in found.what
    assert found.outage is outage
    assert "{" not in found.fix


@each(
    ("status", "document", "told", "outage"),
    [
        (404, None, "HTTP 404", False),
        (403, {}, "HTTP 403", False),
        (503, None, "HTTP 503", True),
        (429, DOCUMENT, "HTTP 429", True),
        (200, None, "no JSON object", False),
        (200, {**DOCUMENT, "jwks_uri": None}, "none of its jwks_uri", False),
        (200, {**DOCUMENT, "token_endpoint": 1, "issuer": ""}, "none of its issuer and token_endpoint", False),
        (200, {**DOCUMENT, "issuer": "https://login.test/{tenantid}/v2.0"}, "many issuers", False),
    ],
)
def test_answer_by_which_nobody_could_log_in_is_refused(status: int, document: Any, told: str, outage: bool) -> None:
    found = finding(status, document)
    assert found.verdict is Verdict.FAILED
    assert found.what.startswith("airflow:oidcIssuer: expected ")
    assert told in found.what
    assert found.outage is outage


def test_issuer_of_another_name_is_a_warning_because_the_login_believes_it() -> None:
    found = finding(document={**DOCUMENT, "issuer": "https://public.test/realms/main"})
    assert found.verdict is Verdict.WARNING
    assert found.fix.endswith("pulumi config set --stack prod airflow:oidcIssuer https://public.test/realms/main")


def test_slash_at_the_end_of_its_name_does_not_matter() -> None:
    for name in (ISSUER, f"{ISSUER}/"):
        assert finding(document={**DOCUMENT, "issuer": name}).verdict is Verdict.PASSED


def test_what_is_not_seen_in_time_or_not_understood_ends_no_update() -> None:
    for code, message in ((None, ""), (1, "ModuleNotFoundError: No module named 'requests'")):
        item = ContainerEnd(name="airflow", image="a:1", pulled=True, exit_code=code, message=message)
        [found] = findings_of(CheckKind.LOGIN, PodEnd(containers={"airflow": item}), ABOUT, str)
        assert (found.check, found.verdict) == ("issuer of the login", Verdict.SKIPPED)


def test_pod_is_an_api_server_to_the_policies_and_has_its_files_and_no_secret() -> None:
    volume, mount = {"name": "ca", "secret": {"secretName": "ca"}}, {"name": "ca", "mountPath": "/ca"}
    entry = {"name": "REQUESTS_CA_BUNDLE", "value": "/ca/all.pem"}
    given = {"apiServer": {"env": [entry], "extraVolumes": [volume], "extraVolumeMounts": [mount]}}
    proxy = {"name": "HTTPS_PROXY", "value": "http://proxy.test:3128"}
    inputs = samples.release_inputs()
    values = merged(chart_values(), merged(airflow_values(inputs), given))
    team = with_own_files(JobPod(env=(proxy,)), given, VALUES_OF)
    made = issuer_pod(ISSUER, values, inputs.images, team, "airflow")
    selector = policies()["api-server"]["podSelector"]["matchLabels"]
    assert selector.items() <= made["metadata"]["labels"].items()
    [container] = made["spec"]["containers"]
    assert [item for item in container["env"] if "valueFrom" in item] == []
    assert entry in container["env"]
    assert proxy in container["env"]
    assert container["args"] == ["python", "-c", SCRIPT, f"{ISSUER}/.well-known/openid-configuration"]
    assert made["spec"]["volumes"] == [volume]
    assert container["volumeMounts"] == [mount]
    assert container["readinessProbe"]["initialDelaySeconds"] > 600, "the Service of the API server sends it nothing"
