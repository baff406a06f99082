"""Login by an OpenID Connect issuer of the tests, in the order of the tests.

Needs an Airflow image with authlib, whose tag AIRFLOW_TEST_SSO_TAG names.
"""

from __future__ import annotations

import http.client
import http.cookies
import json
import os
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.verification.verify import verify
from components.login.oidc import PROVIDER, REDIRECT_PATH
from tests.cluster.harness import CONTEXT, Stack, dag_repository, destroyed, make_stack
from tests.cluster.oidc_issuer import CLIENT_ID, CLIENT_SECRET, OidcIssuer, code_of
from tests.cluster.tls_database import Authority

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-sso"
TAG: Final = os.environ.get("AIRFLOW_TEST_SSO_TAG", "")
_AUTHORITY: Final = "issuer-authority"


@pytest.fixture(scope="module")
def issuer(api: Any) -> Iterator[OidcIssuer]:
    if not TAG:
        pytest.skip("no image with authlib: AIRFLOW_TEST_SSO_TAG is not set")
    server = OidcIssuer(api, f"{NAMESPACE}-issuer", f"apache/airflow:{TAG}", Authority.new("the issuer's authority"))
    try:
        server.create()
        yield server
    finally:
        server.delete()


@pytest.fixture(scope="module")
def stack(engine: None, issuer: OidcIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("sso")
    stack = make_stack(folder, NAMESPACE, dag_repository(), oidcClientSecret=CLIENT_SECRET)
    mount = {"name": _AUTHORITY, "mountPath": "/etc/issuer", "readOnly": True}
    stack.set(
        imageTag=TAG,
        oidcIssuer=issuer.url,
        oidcClientId=CLIENT_ID,
        oidcRoles={"engineers": "Op", "readers": "Viewer"},
        helmValues={
            "extraConfigMaps": {_AUTHORITY: {"data": json.dumps({"ca.crt": issuer.authority.pem})}},
            "apiServer": {
                "env": [{"name": "REQUESTS_CA_BUNDLE", "value": "/etc/issuer/ca.crt"}],
                "extraVolumes": [{"name": _AUTHORITY, "configMap": {"name": _AUTHORITY}}],
                "extraVolumeMounts": [mount],
            },
        },
    )
    yield from destroyed(stack)


class Browser:
    """Follows no redirect by itself, and keeps cookies."""

    def __init__(self, stack: Stack) -> None:
        self._deployment = Deployment.of(stack.outputs())
        self._kube = KubeClient(CONTEXT, NAMESPACE)
        self._cookies = http.cookies.SimpleCookie()

    def get(self, path: str, **headers: str) -> tuple[int, str, bytes]:
        """Status, Location and body of the answer."""
        return self.request("GET", path, headers=headers)

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        pod = next(pod for pod in self._kube.pods({"component": "api-server"}) if pod.ready)
        connection = self._kube.connect(pod.name, self._deployment.api_server_port, seconds=60)
        cookie = "; ".join(f"{name}={value.coded_value}" for name, value in self._cookies.items())
        sent = {"Cookie": cookie, "Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        answer: http.client.HTTPResponse = connection.getresponse()
        content = answer.read()
        for value in answer.headers.get_all("Set-Cookie") or ():
            self._cookies.load(value)
        return answer.status, answer.headers.get("Location") or "", content

    def token(self, name: str, password: str) -> str:
        """What the API gives for a user name and password."""
        status, _, content = self.request("POST", "/auth/token", {"username": name, "password": password})
        assert status == 201, content
        token: str = json.loads(content)["access_token"]
        return token

    def log_in(self, claims: dict[str, Any]) -> bool:
        """Logs in as a person of these claims; whether the API server lets them in."""
        status, location, content = self.get(f"/auth/login/{PROVIDER}")
        assert status == 302, content
        asked = parse_qs(urlsplit(location).query)
        assert asked["client_id"] == [CLIENT_ID]
        assert urlsplit(asked["redirect_uri"][0]).path == REDIRECT_PATH
        code = code_of({**claims, "nonce": asked["nonce"][0]})
        self.get(f"{REDIRECT_PATH}?code={quote(code)}&state={quote(asked['state'][0])}")
        return self.get("/ui/auth/me")[0] == 200


def roles(stack: Stack, name: str) -> set[str] | None:
    """Roles of a user, as the stack's admin sees them by the API; None if there is no such user."""
    deployment = Deployment.of(stack.outputs())
    password = KubeClient(CONTEXT, NAMESPACE).secret(deployment.admin_password_secret)["password"]
    browser = Browser(stack)
    bearer = {"Authorization": f"Bearer {browser.token(deployment.admin_username, password)}"}
    status, _, content = browser.get(f"/auth/fab/v1/users/{quote(name)}", **bearer)
    return {role["name"] for role in json.loads(content)["roles"]} if status == 200 else None


def test_the_stack_is_verified_by_the_password_of_its_admin(stack: Stack) -> None:
    stack.up()
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks if str(check.status) == "failed"]


def test_two_groups_have_their_roles_and_follow_their_groups(stack: Stack) -> None:
    ada = {"sub": "1", "preferred_username": "ada", "email": "ada@example.com", "given_name": "Ada"}
    assert Browser(stack).log_in({**ada, "groups": ["engineers", "unknown"]})
    assert roles(stack, "ada") == {"Op"}
    bob = {"sub": "2", "preferred_username": "bob", "email": "bob@example.com"}
    assert Browser(stack).log_in({**bob, "in_userinfo": {"groups": ["readers"]}})
    assert roles(stack, "bob") == {"Viewer"}
    assert Browser(stack).log_in({**ada, "groups": ["readers"]})
    assert roles(stack, "ada") == {"Viewer"}


def test_a_person_without_a_group_is_refused_and_nobody_becomes_the_admin(stack: Stack) -> None:
    assert not Browser(stack).log_in({"sub": "3", "preferred_username": "eve", "groups": ["unknown"]})
    assert roles(stack, "eve") is None
    assert not Browser(stack).log_in({"sub": "4", "preferred_username": "admin", "groups": ["engineers"]})
    assert roles(stack, "admin") == {"Admin"}


def test_only_the_api_server_has_the_clients_secret(stack: Stack, api: Any) -> None:
    secrets = [item.metadata.name for item in api.list_namespaced_secret(NAMESPACE).items]
    [name] = [secret for secret in secrets if secret.startswith("airflow-oidc-client-")]
    pods = api.list_namespaced_pod(NAMESPACE).items
    assert {pod.metadata.labels["component"] for pod in pods if name in str(pod.spec)} == {"api-server"}
    assert CLIENT_SECRET not in stack.export()
