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


def test_a_file_of_ones_own_cannot_stand_beside_it() -> None:
    for name, value in (("apiServerConfig", "AUTH_TYPE = 4"), ("apiServerConfigConfigMapName", "own")):
        (problem,) = problems({"helmValues": {"apiServer": {name: value}}})
        assert f"apiServer.{name} may not be set beside airflow:oidcIssuer" in problem
