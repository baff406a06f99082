"""Secrets that something else must have put into the namespace."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, cast

from components.kube.client import KubeApi
from components.kube.rest import KubeRequestFailed
from components.preflight.existing_secrets import ExistingSecret, secret_findings
from components.preflight.finding import Finding, Verdict

WANTED = ExistingSecret(name="git-token", keys=("username", "password"), setting="airflow:dagsTokenSecret")


class Api:
    """A cluster with one Secret, or none, or without the right to read it."""

    def __init__(self, data: Mapping[str, str] | None = None, *, denied: bool = False) -> None:
        self._data, self._denied = data, denied

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        if self._denied:
            raise KubeRequestFailed("get Secret git-token", "403 Forbidden", "ask")
        if self._data is None:
            return None
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in self._data.items()}}


def found(api: Api) -> Finding:
    [finding] = secret_findings(cast("KubeApi", api), "team", [WANTED.document()], "dev")
    return finding


def test_secret_with_its_keys_passes_and_no_value_is_told() -> None:
    finding = found(Api({"username": "robot", "password": "sentinel"}))
    assert finding.verdict is Verdict.PASSED
    assert "sentinel" not in str(finding)


def test_missing_secret_and_missing_keys_name_the_setting_and_what_to_do() -> None:
    assert str(found(Api())).startswith(
        "airflow:dagsTokenSecret: expected a Secret git-token in namespace team, found none. Fix: make it, with the "
        "keys username, password"
    )
    finding = found(Api({"token": "sentinel", "username": ""}))
    assert "expected the keys username, password in Secret git-token, found only token, username" in str(finding)
    assert "add username, password to it" in finding.fix
    assert "sentinel" not in str(finding)
    assert "found no key" in str(found(Api({})))


def test_key_of_another_form_is_told_without_the_key() -> None:
    wanted = ExistingSecret(
        name="team-fernet",
        keys=("fernet-key",),
        setting="airflow:keySecrets.fernetKey",
        forms=("fernet_key",),
    )

    def judged(value: str) -> Finding:
        [finding] = secret_findings(cast("KubeApi", Api({"fernet-key": value})), "team", [wanted.document()], "dev")
        return finding

    key = "c2VudGluZWwtZmVybmV0LWtleS1vZi0zMi1ieXRlcyE="
    assert judged(key).verdict is judged(f"{key},{key}").verdict is Verdict.PASSED
    for value in (f"{key}\n", "sentinel"):
        finding = judged(value)
        assert str(finding).startswith(
            "airflow:keySecrets.fernetKey: fernet-key in Secret team-fernet: expected a Fernet key"
        )
        assert "pulumi config set --stack dev --path 'airflow:keySecrets.fernetKey' NAME" in finding.fix
        assert value.strip() not in str(finding)


def test_secret_that_may_not_be_read_ends_no_update() -> None:
    assert found(Api(denied=True)).verdict is Verdict.SKIPPED
