"""The program's Jobs run where the team says that pods of Airflow run, with its variables and its database's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from components.database.job_template import DatabaseJob
from components.database.migration import DatabaseMigration, DatabaseMigrationArgs
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.release.job_pods import job_pod
from tests.cases import each

if TYPE_CHECKING:
    from tests.conftest import Recorder

TOLERATION = {"key": "dedicated", "operator": "Equal", "value": "airflow", "effect": "NoSchedule"}


def jobs(record: Callable[..., Recorder], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the pod templates of both Jobs with these `helmValues`."""
    args = DatabaseMigrationArgs(
        namespace="ns",
        job=DatabaseJob(
            images=Images(tag="3.2.2"),
            migration_secret="migration-1",
            ca_config_map="database-ca-1",
            pod=job_pod(values),
        ),
        fernet_key_secret="fernet-1",
        admin_username="admin",
        admin_email="admin@example.com",
        admin_password_secret="admin-1",
        timeout_seconds=90,
    )
    recorder = record(lambda: DatabaseMigration("db", args))
    templates = [job.revealed["spec"]["template"] for job in recorder.every("kubernetes:batch/v1:Job")]
    assert len(templates) == 2
    return templates


def variables(template: Mapping[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in template["spec"]["containers"][0]["env"]}


def test_nothing_is_added_where_nothing_is_said() -> None:
    assert job_pod({}) == JobPod()
    assert job_pod({"nodeSelector": {}, "labels": None, "config": {"database": None}}) == JobPod()


@each(
    ("key", "value"),
    [
        ("nodeSelector", {"pool": "airflow"}),
        ("tolerations", [TOLERATION]),
        ("affinity", {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}),
        ("schedulerName", "volcano"),
    ],
)
def test_jobs_are_placed_as_the_release_s_pods(key: str, value: Any) -> None:
    assert job_pod({key: value}).placement == {key: value}


def test_both_jobs_have_what_holds_for_every_pod(record: Callable[..., Recorder]) -> None:
    values = {
        "tolerations": [TOLERATION],
        "labels": {"team": "data", "component": "scheduler"},
        "airflowPodAnnotations": {"sidecar.istio.io/inject": "false"},
        "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
        "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "volumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
        "config": {"database": {"sql_alchemy_schema": "airflow", "sql_alchemy_connect_args": "settings.args"}},
    }
    for template in jobs(record, values):
        spec, metadata = template["spec"], template["metadata"]
        assert spec["tolerations"] == [TOLERATION]
        assert metadata["labels"]["team"] == "data"
        assert metadata["labels"]["component"] != "scheduler", "network policies would take it for one"
        assert metadata["annotations"] == {"sidecar.istio.io/inject": "false"}
        assert {"name": "ca", "configMap": {"name": "ca"}} in spec["volumes"]
        assert {"name": "ca", "mountPath": "/etc/ca"} in spec["containers"][0]["volumeMounts"]
        env = variables(template)
        assert env["HTTPS_PROXY"] == "http://proxy.example.com:3128"
        assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_SCHEMA"] == "airflow"
        assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS" not in env


def test_program_s_own_variables_win(record: Callable[..., Recorder]) -> None:
    values = {"env": [{"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": "True"}]}
    for template in jobs(record, values):
        assert variables(template)["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"


def test_jobs_get_the_plain_variables_of_a_text_too() -> None:
    text = """\
- name: HTTPS_PROXY
  value: http://proxy:3128
- {name: FROM_SECRET, valueFrom: {secretKeyRef: {name: mine, key: x}}}
- {name: TEMPLATE, value: "{{ .Release.Name }}"}
"""
    assert job_pod({"extraEnv": text}).env == ({"name": "HTTPS_PROXY", "value": "http://proxy:3128"},)
