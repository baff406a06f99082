"""The pods of the scheduled verification: what they may, and what they know."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from components.database.migration import ADMIN_USER_LABELS
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.kube.pod_security_standard import violations
from components.verification.pods import VerificationPods, run_template, user_template
from components.verification.verified import RUN_SECONDS, Verified

PODS: Final = VerificationPods(
    release_name="airflow",
    verified=Verified(dag_id="probe", every_minutes=10),
    url="http://airflow-api-server:8080/airflow",
    images=Images(tag="3.2.2", pull_secrets=("registry",)),
    migration_secret="migration-1",
    fernet_key_secret="fernet-1",
    ca_config_map="ca-1",
    pod=JobPod(
        placement={"nodeSelector": {"a": "b"}},
        labels={"team": "data"},
        env=[{"name": "SECRET_OF_A_TEAM", "value": "x"}],
        volumes=[{"name": "v"}],
    ),
)


def container(template: dict[str, Any]) -> dict[str, Any]:
    [found] = template["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_both_are_as_restricted_and_placed_as_every_pod() -> None:
    for template in (run_template(PODS, "login-1"), user_template(PODS, "login-1")):
        spec = template["spec"]
        assert list(violations(spec)) == []
        assert spec["automountServiceAccountToken"] is False
        assert (spec["nodeSelector"], spec["imagePullSecrets"]) == ({"a": "b"}, [{"name": "registry"}])
        assert template["metadata"]["labels"]["team"] == "data"
        assert {"requests", "limits"} == set(container(template)["resources"])


def test_the_one_that_runs_a_dag_knows_its_login_alone() -> None:
    template = run_template(PODS, "login-1")
    assert [entry["name"] for entry in container(template)["env"]] == ["VERIFICATION_USERNAME", "VERIFICATION_PASSWORD"]
    text = json.dumps(template)
    assert not any(word in text for word in ("SECRET_OF_A_TEAM", "migration-1", "fernet-1", "ca-1"))
    assert "volumes" not in template["spec"]
    assert template["metadata"]["labels"]["component"] == "verification"


def test_it_does_not_begin_with_the_entry_point_that_looks_for_a_database() -> None:
    found = container(run_template(PODS, "login-1"))
    assert "args" not in found
    assert found["command"][:2] == ["python", "-c"]
    assert found["command"][3:] == [PODS.url, "probe", str(RUN_SECONDS)]


def test_statsd_is_told_only_where_the_stack_is_watched() -> None:
    assert container(run_template(replace(PODS, monitored=True), "x"))["command"][-1] == "airflow-statsd:9125"


def test_the_one_that_makes_the_user_reaches_the_database_as_the_admin_s_job_does() -> None:
    template = user_template(PODS, "login-1")
    assert template["metadata"]["labels"].items() >= ADMIN_USER_LABELS.items()
    names = {entry["name"] for entry in container(template)["env"]}
    assert names >= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "VERIFICATION_PASSWORD", "AIRFLOW__CORE__AUTH_MANAGER"}


def test_verifications_are_evenly_spaced_and_one_has_ended_when_the_next_begins() -> None:
    for minutes in (10, 12, 15, 20, 30, 60):
        verified = Verified(dag_id="d", every_minutes=minutes)
        first, _, step = verified.schedule.split(" ")[0].partition("-59/")
        begins = list(range(int(first), 60, int(step)))
        assert len(begins) == 60 // minutes
        assert begins[-1] + minutes - 60 == begins[0]
        assert minutes * 60 > RUN_SECONDS
        assert verified.seconds > 2 * minutes * 60 + RUN_SECONDS, "one failure alone is no alert"
