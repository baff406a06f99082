"""What the API server makes of the file by which people log in, run as Python with stand-ins for its imports."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from components.kube.secret import Secret
from components.login.oidc import CLIENT_SECRET_VARIABLE, Oidc, server_config

SENTINEL = "sentinel-oidc-client-secret"


def oidc(**changes: Any) -> Oidc:
    values: dict[str, Any] = {
        "issuer": "https://login.example.com/realms/main",
        "client_id": "airflow",
        "client_secret": Secret(SENTINEL),
        "groups_claim": "groups",
        "roles": {"engineers": "Op", "admins": "Admin"},
        "default_role": "",
        "scopes": "openid profile email",
    }
    return Oidc(**{**values, **changes})


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two packages of the image that the file imports, with no more in them than it uses."""
    parts = ["airflow", "providers", "fab", "auth_manager", "security_manager", "override"]
    for count in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:count]), ModuleType(".".join(parts[:count])))
    sys.modules[".".join(parts)].__dict__["FabAirflowSecurityManagerOverride"] = object
    for name, content in (
        ("flask_appbuilder", {}),
        ("flask_appbuilder.const", {"AUTH_OAUTH": 4}),
    ):
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv(CLIENT_SECRET_VARIABLE, SENTINEL)


def run(settings: Oidc) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(compile(server_config(settings, "admin"), "webserver_config.py", "exec"), found)  # noqa: S102
    return found


def person(settings: Oidc, claims: dict[str, Any], userinfo: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the API server takes from the claims of an ID token, and of the issuer's userinfo."""
    manager = run(settings)["SECURITY_MANAGER_CLASS"]()
    manager.oauth_remotes = {"sso": SimpleNamespace(userinfo=lambda token: userinfo or {})}
    found: dict[str, Any] = manager.get_oauth_user_info("sso", {"userinfo": claims})
    return found


@pytest.mark.usefixtures("modules")
def test_the_file_names_the_issuer_and_reads_the_secret_from_the_variable() -> None:
    found = run(oidc())
    (provider,) = found["OAUTH_PROVIDERS"]
    remote = provider["remote_app"]
    assert remote["server_metadata_url"] == "https://login.example.com/realms/main/.well-known/openid-configuration"
    assert (remote["client_id"], remote["client_secret"]) == ("airflow", SENTINEL)
    assert found["AUTH_ROLES_MAPPING"] == {"engineers": ["Op"], "admins": ["Admin"]}
    assert found["AUTH_ROLES_SYNC_AT_LOGIN"] is True
    assert SENTINEL not in server_config(oidc(), "admin")


@pytest.mark.usefixtures("modules")
def test_a_person_has_the_groups_of_the_claim_wherever_the_issuer_puts_it() -> None:
    claims = {"sub": "7", "preferred_username": "ada", "email": "ada@example.com", "given_name": "Ada"}
    expected = {"username": "ada", "email": "ada@example.com", "first_name": "Ada", "last_name": ""}
    for given, userinfo in (
        ({**claims, "groups": ["engineers", "other"]}, {}),
        (claims, {"groups": ["engineers", "other"]}),  # many issuers put groups into userinfo only
        ({"sub": "7"}, {**claims, "groups": ["engineers", "other"]}),
    ):
        assert person(oidc(), given, userinfo) == {**expected, "role_keys": ["engineers", "other"]}
    assert person(oidc(), {**claims, "groups": "engineers"})["role_keys"] == ["engineers"]
    custom = person(oidc(groups_claim="https://example.com/roles"), {**claims, "https://example.com/roles": ["admins"]})
    assert custom["role_keys"] == ["admins"]


@pytest.mark.usefixtures("modules")
def test_whoever_is_in_no_group_is_refused_unless_there_is_a_default_role() -> None:
    claims = {"sub": "7", "preferred_username": "ada", "groups": ["other"]}
    assert person(oidc(), claims) == {}
    assert person(oidc(), {"sub": "7", "preferred_username": "ada"}) == {}
    assert person(oidc(default_role="Viewer"), claims)["username"] == "ada"
    assert run(oidc(default_role="Viewer"))["AUTH_USER_REGISTRATION_ROLE"] == "Viewer"


@pytest.mark.usefixtures("modules")
def test_nobody_logs_in_as_the_admin_of_the_stack() -> None:
    for name in ("admin", "Admin"):
        for claims in ({"preferred_username": name}, {"email": name}, {"sub": name}):
            assert person(oidc(), {"sub": "7", "groups": ["admins"], **claims}) == {}


@pytest.mark.usefixtures("modules")
def test_no_text_of_the_config_is_a_template_of_the_chart_or_python() -> None:
    odd = """it's {{ .Values.fernetKey }} "quoted" \\ %s"""
    text = server_config(oidc(roles={odd: "Op"}, client_id=odd), "admin")
    assert "{{ .Values" not in text
    rendered = text.replace('{{ "{{" }}', "{{")  # as Helm does
    found: dict[str, Any] = {}
    exec(compile(rendered, "webserver_config.py", "exec"), found)  # noqa: S102
    assert found["AUTH_ROLES_MAPPING"] == {odd: ["Op"]}
    assert found["OAUTH_PROVIDERS"][0]["remote_app"]["client_id"] == odd
