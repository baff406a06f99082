"""The program's Jobs run where the team says that pods of Airflow run, with its variables and its database's schema."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from components.chart_values.chart_defaults import chart_schema, chart_values
from components.chart_values.value_paths import nested
from components.database.job_template import DatabaseJob
from components.database.migration import DatabaseMigration, DatabaseMigrationArgs
from components.kube.images import Images
from components.kube.job_pod import RESOURCES, JobPod
from components.release.job_pods import ADMIN_USER, job_pod
from components.user_values.user_values import problems
from tests import samples
from tests.cases import each

if TYPE_CHECKING:
    from tests.conftest import Recorder

TOLERATION = {"key": "dedicated", "operator": "Equal", "value": "airflow", "effect": "NoSchedule"}


def jobs(record: Callable[..., Recorder], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the pod templates of both Jobs with these `helmValues`, that of the admin user first."""
    args = DatabaseMigrationArgs(
        namespace="ns",
        job=DatabaseJob(
            images=Images(tag="3.2.2"),
            migration_secret="migration-1",
            ca_config_map="database-ca-1",
            pod=job_pod(values),
        ),
        admin_user_pod=job_pod(values, None, ADMIN_USER),
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


def test_jobs_write_json_where_the_other_pods_do(record: Callable[..., Recorder]) -> None:
    logging = {"json_logs": "True", "logging_level": "DEBUG"}
    for template in jobs(record, {"config": {"logging": logging}}):
        given = variables(template)
        assert given["AIRFLOW__LOGGING__JSON_LOGS"] == "True"
        assert "AIRFLOW__LOGGING__LOGGING_LEVEL" not in given


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


def asked_for(template: Mapping[str, Any]) -> tuple[Any, str | None]:
    """Resources and priority class of a pod."""
    return template["spec"]["containers"][0]["resources"], template["spec"].get("priorityClassName")


SMALL: Final = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}


def test_both_jobs_follow_resources_and_priority_of_the_chart_s_migration(record: Callable[..., Recorder]) -> None:
    values = {"migrateDatabaseJob": {"resources": SMALL, "priorityClassName": "platform"}}
    assert [asked_for(template) for template in jobs(record, values)] == [(SMALL, "platform")] * 2
    assert [asked_for(template) for template in jobs(record, {})] == [(RESOURCES, None)] * 2


def test_job_of_the_admin_user_follows_the_chart_s_own_first(record: Callable[..., Recorder]) -> None:
    values = {
        "migrateDatabaseJob": {"resources": SMALL, "priorityClassName": "platform"},
        "createUserJob": {"resources": {"limits": {"memory": "512Mi"}}, "priorityClassName": "low"},
    }
    admin_user, migration = jobs(record, values)
    assert asked_for(migration) == (SMALL, "platform")
    assert asked_for(admin_user) == ({**SMALL, "limits": {"memory": "512Mi"}}, "low")
    admin_user, _ = jobs(record, {"createUserJob": values["createUserJob"]})
    assert asked_for(admin_user) == ({**RESOURCES, "limits": {"memory": "512Mi"}}, "low")


@each(
    ("given", "expected"),
    [
        ({"limits": {"memory": "1Gi"}}, {**RESOURCES, "limits": {"memory": "1Gi"}}),
        ({"limits": {"cpu": "1"}}, {**RESOURCES, "limits": {"cpu": "1", "memory": "2Gi"}}),
        ({"limits": {"memory": None}}, {**RESOURCES, "limits": {}}),
        ({"limits": None}, {"requests": RESOURCES["requests"]}),
        ({}, RESOURCES),
        (None, RESOURCES),
    ],
)
def test_resources_are_merged_as_helm_merges(given: Any, expected: Any) -> None:
    values = {"migrateDatabaseJob": {"resources": given}}
    assert problems(values, chart_values(), chart_schema()) == []
    assert job_pod(values).resources == expected


def test_no_pod_of_a_stack_asks_for_more_than_it_is_told(
    registered: Callable[[samples.StackConfig], Recorder],
) -> None:
    """A LimitRange below the program's own limit would refuse it."""
    given = {"migrateDatabaseJob": {"resources": SMALL, "priorityClassName": "platform"}}
    recorder = registered(samples.dev().with_({"helmValues": given}))
    cron_jobs = [made.revealed["spec"]["jobTemplate"] for made in recorder.every("kubernetes:batch/v1:CronJob")]
    made = [*(made.revealed for made in recorder.every("kubernetes:batch/v1:Job")), *cron_jobs]
    templates = [item["spec"]["template"] for item in made]
    assert len(templates) > 1
    assert {template["spec"]["priorityClassName"] for template in templates} == {"platform"}
    containers = itertools.chain.from_iterable(template["spec"]["containers"] for template in templates)
    assert "2Gi" not in {container["resources"]["limits"]["memory"] for container in containers}


def test_every_pod_of_a_stack_runs_on_the_nodes_that_it_is_told(
    registered: Callable[[samples.StackConfig], Recorder],
) -> None:
    """The database container and the exporter too: with a taint on all nodes, one that lacks the toleration waits."""
    told = {"tolerations": [TOLERATION], "nodeSelector": {"pool": "airflow"}}
    backups = {"backupStorageGib": 1, "backupSchedule": "0 3 * * *"}
    exporter = {"monitoring": "annotations", "metricsNamespaces": ["monitoring"]}
    recorder = registered(samples.dev().with_({"helmValues": told, **backups, **exporter}))
    specs = [made.revealed["spec"] for made in recorder.every() if isinstance(made.revealed.get("spec"), dict)]
    pods = [spec.get("jobTemplate", {"spec": spec})["spec"].get("template", {}).get("spec") for spec in specs]
    found = [{key: pod.get(key) for key in told} for pod in pods if pod]
    assert len(found) == 5, "database, migration, admin user, backups, exporter"
    assert found == [told] * len(found)


@each(
    "path,text",
    [
        ("migrateDatabaseJob.nodeSelector", "use nodeSelector at the root"),
        ("migrateDatabaseJob.restartPolicy", "leave it out, because the program migrates before the release"),
        ("createUserJob.restartPolicy", "use airflow:adminUsername and airflow:adminPassword"),
    ],
)
def test_other_values_of_the_chart_s_jobs_are_refused(path: str, text: str) -> None:
    [problem] = problems(nested(path, "x"), chart_values(), chart_schema())
    assert text in problem


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
