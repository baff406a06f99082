"""The config keys of the login to the UI."""

from __future__ import annotations

from typing import Any

from tests.samples import OIDC, dev

SECRET = "sentinel-oidc-client-secret"


def problems(changes: dict[str, Any]) -> tuple[str, ...]:
    return dev().with_({**OIDC, **changes}, {"oidcClientSecret": SECRET}).problems()


def test_a_whole_login_is_taken_without_the_slash_at_the_end_of_the_issuer() -> None:
    oidc = (
        dev()
        .with_({**OIDC, "oidcIssuer": "https://login.example.com/realms/main/"}, {"oidcClientSecret": SECRET})
        .parse()
        .platform.oidc
    )
    assert oidc is not None
    assert oidc.issuer == "https://login.example.com/realms/main"
    assert oidc.roles == {"engineers": "Op"}
    assert SECRET not in repr(oidc)


def test_without_an_issuer_people_log_in_by_password() -> None:
    assert dev().parse().platform.oidc is None


def test_a_login_in_the_issuer_is_not_shown() -> None:
    (problem,) = problems({"oidcIssuer": f"https://me:{SECRET}@login.example.com"})
    assert "found a login in it" in problem
    assert SECRET not in problem


def test_an_endpoint_is_refused_with_the_issuer_that_it_is_of() -> None:
    for endpoint, way in {
        "https://k.test/realms/main/protocol/openid-connect/auth": "leave out /protocol/openid-connect/auth",
        "https://k.test/auth/realms/main/protocol/openid-connect/": "leave out /protocol/openid-connect",
        "https://k.test/realms/main/.well-known/openid-configuration": "leave out /.well-known/openid-configuration",
        "https://login.microsoftonline.com/T/oauth2/v2.0/authorize": "set the issuer that the metadata name",
        "https://x.okta.test/oauth2/default/v1/token": "set the issuer that the metadata name",
    }.items():
        (problem,) = problems({"oidcIssuer": endpoint})
        assert "an issuer, such as https://login.example.com/realms/main, found the address of an endpoint: " in problem
        assert way in problem
    for issuer in ("https://k.test/realms/token", "https://x.okta.test/oauth2/default", "https://accounts.google.com"):
        assert problems({"oidcIssuer": issuer}) == ()


def test_a_file_of_ones_own_cannot_stand_beside_it() -> None:
    for name, value in (("apiServerConfig", "AUTH_TYPE = 4"), ("apiServerConfigConfigMapName", "own")):
        (problem,) = problems({"helmValues": {"apiServer": {name: value}}})
        assert f"apiServer.{name} may not be set beside airflow:oidcIssuer" in problem
