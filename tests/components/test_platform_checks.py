"""What the checks of the preflight know: every secret of the config, whichever pod has it, and what volumes need."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from components.platform_checks import _secrets
from components.preflight.checks import DOCUMENT, CheckKind
from components.secrets.masker import Masker
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder

OWN = "Zx9QwLm3pVt"


def test_every_secret_of_the_config_is_hidden_in_what_a_pod_says() -> None:
    team = {"helmValues": {"env": [{"name": "OWN_PWD", "value": OWN}]}}
    # A deploy key and a token exclude each other; without a rotation nothing reads its secret.
    given = samples.all_secrets(but=["dagsToken", "rotationSecret"])
    platform = samples.external().with_({**samples.OIDC, **team}, given).parse().platform
    masker = Masker(secrets=_secrets(platform))
    assert len(given) >= 10
    for key, value in (*given.items(), ("helmValues", OWN)):
        for trace in (OWN,) if value == OWN else samples.traces(key, value):
            shown = masker.text(f"it said {trace} and ended")
            assert trace not in shown, key
            assert shown.endswith(" and ended"), key


def test_first_check_judges_the_quota_of_the_chart(registered: Callable[[samples.StackConfig], Recorder]) -> None:
    for values, quota in (
        ({}, None),
        ({"quotas": {"pods": 3}}, {"name": "airflow-resource-quota", "hard": {"pods": 3}}),
    ):
        recorder = registered(samples.dev().with_({"helmValues": values}))
        data = [made.revealed.get("data") or {} for made in recorder.every("kubernetes:core/v1:ConfigMap")]
        documents = [json.loads(item[DOCUMENT]) for item in data if DOCUMENT in item]
        assert [each["needs"].get("quota") for each in documents if each["kind"] == CheckKind.CLUSTER] == [quota]


def test_first_check_looks_for_what_the_volumes_of_a_team_need(
    registered: Callable[[samples.StackConfig], Recorder],
) -> None:
    """Before any pod is made, of the preflight or of a Job: it would wait for the volume."""
    volume = {"name": "git-ca", "configMap": {"name": "company-ca"}}
    mount = {"name": "git-ca", "mountPath": "/etc/git-ca"}
    recorder = registered(samples.dev().with_({"helmValues": {"volumes": [volume], "volumeMounts": [mount]}}))
    data = [made.revealed.get("data") or {} for made in recorder.every("kubernetes:core/v1:ConfigMap")]
    documents = [json.loads(item[DOCUMENT]) for item in data if DOCUMENT in item]
    assert [each["files"] for each in documents if each["kind"] == CheckKind.CLUSTER] == [
        [{"kind": "ConfigMap", "name": "company-ca"}]
    ]
