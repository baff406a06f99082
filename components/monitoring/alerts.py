"""The alerts as one table. Pure.

docs/monitoring.md explains each alert in the section that it names; a test compares the two.
"""

from __future__ import annotations

from typing import Final

from components.monitoring.alert import Alert
from components.monitoring.queries import (
    COMMITS,
    FETCHES,
    PODS_MISSING,
    ROLLS_STUCK,
    SCALING_FAILS,
    SETTLED,
    WAITS_FOR_POOL,
    grown,
)

_DATABASE_DOWN: Final = "airflow_exporter_database_up{$at} == 0"


def _silent(name: str, process: str, heartbeat: str, severity: str, description: str) -> Alert:
    return Alert(
        name=name,
        section="processes",
        severity=severity,
        # A restarted statsd knows no heartbeat yet: that is a 0 as well. A statsd that is gone is another alert.
        value=f"sum by (namespace) (increase({heartbeat}{{$at}}[$window])) or $zero",
        # Without a database no process has a heartbeat.
        fires=f"== 0 unless on (namespace) {_DATABASE_DOWN}",
        seconds=60,
        window=lambda watched: 300,
        summary=f"No {process} of {{{{ $labels.namespace }}}} has sent a heartbeat for five minutes.",
        description=description,
    )


ALERTS: Final = (
    _silent(
        "AirflowSchedulerSilent",
        "scheduler",
        "airflow_scheduler_heartbeat",
        "critical",
        "No run and no task starts. Look at the scheduler's pods and at their logs.",
    ),
    _silent(
        "AirflowDagProcessorSilent",
        "DAG processor",
        "airflow_dag_processor_heartbeat",
        "critical",
        "New and changed DAGs are not seen. Look at the DAG processor's pods and at their logs.",
    ),
    _silent(
        "AirflowTriggererSilent",
        "triggerer",
        "airflow_triggerer_heartbeat",
        "warning",
        "Deferred tasks do not continue. Look at the triggerer's pods and at their logs.",
    ),
    # Without kube-state-metrics, there is nothing that these two could see: they are silent.
    Alert(
        name="AirflowPodsMissing",
        section="processes",
        severity="warning",
        value=PODS_MISSING,
        fires="> 0",
        seconds=900,
        summary="{{ $labels.workload }} of {{ $labels.namespace }} has lacked {{ $value }} pods for 15 minutes.",
        description="The pods crash, are not ready, or find no node. With too few workers, tasks wait.",
    ),
    Alert(
        name="AirflowRollStuck",
        section="processes",
        severity="warning",
        value=ROLLS_STUCK,
        fires="> 0",
        seconds=60,
        summary="New pods of {{ $labels.workload }} in {{ $labels.namespace }} do not become ready.",
        description="Kubernetes has waited for ten minutes. The old pods run on, if there were any.",
    ),
    Alert(
        name="AirflowMetricsMissing",
        section="processes",
        severity="critical",
        value="count by (namespace) (statsd_exporter_build_info{$at})"
        " * count by (namespace) (airflow_exporter_database_up{$at})"
        ' or label_replace(vector(0), "namespace", "$ns", "", "")',
        fires="== 0",
        seconds=600,
        summary="Prometheus has no metrics of {{ $labels.namespace }}.",
        description="The other alerts are blind. Look at Prometheus's targets, then at the pods of statsd and of the "
        "exporter.",
    ),
    Alert(
        name="AirflowParseLag",
        section="dags",
        severity="warning",
        value="max by (namespace, dag_file) (airflow_dag_processing_last_run_seconds_ago{$at}) or $zero",
        fires="> $parse",
        seconds=300,
        summary="{{ $labels.dag_file }} of {{ $labels.namespace }} was last parsed more than ten minutes ago.",
        description="Changes of this file are seen late. Take more DAG processors, or find the file that is slow.",
    ),
    Alert(
        name="AirflowImportErrors",
        section="dags",
        severity="warning",
        value="max by (namespace) (airflow_dag_processing_import_errors{$at}) or $zero",
        fires="> 0",
        seconds=900,
        summary="{{ $value }} DAG files of {{ $labels.namespace }} cannot be imported.",
        description="Their DAGs keep the last state that could be read. Airflow's UI shows the errors.",
    ),
    Alert(
        name="AirflowDagsNotFetched",
        section="dags",
        severity="warning",
        # Not `increase`: the first samples of a new pod, or the last of one that is gone, may be equal.
        value=f"{FETCHES}) - ({FETCHES} offset $window) or 0 * {FETCHES}))"
        " or 0 * sum by (namespace, pod) (git_sync_count_total{$at})",
        fires="== 0",
        seconds=60,
        window=lambda watched: watched.fetch_seconds,
        summary="{{ $labels.pod }} of {{ $labels.namespace }} cannot fetch DAGs.",
        description="It runs on with the DAGs that it has; other pods may have newer ones. The log of its container "
        "git-sync has the reason.",
        needs="git-sync",
    ),
    Alert(
        name="AirflowCommitsDiffer",
        section="dags",
        severity="warning",
        value=COMMITS.format(SETTLED),
        fires="> 1",
        seconds=300,
        window=lambda watched: watched.fetch_seconds,
        summary="Pods of {{ $labels.namespace }} have had {{ $value }} different commits for ten minutes or more.",
        description="Some parse or run older DAGs than others, although they may fetch without an error: from a mirror "
        "that is behind, or another ref. The dashboard DAG delivery shows the commit of each pod.",
        needs="git-sync",
    ),
    Alert(
        name="AirflowDagBundleStale",
        section="dags",
        severity="warning",
        value="max by (namespace, bundle) (airflow_dag_bundle_refreshed_seconds{$at})",
        fires="> $fetch",
        seconds=60,
        summary="The DAG processor of {{ $labels.namespace }} cannot fetch the bundle {{ $labels.bundle }}.",
        description="New commits are not seen. The DAG processor's log has the reason.",
        needs="git-bundle",
    ),
    Alert(
        name="AirflowExecutorFull",
        section="tasks",
        severity="warning",
        value="max by (namespace, name) (airflow_executor_open_slots{$at})",
        fires="<= 0",
        seconds=900,
        summary="{{ $labels.name }} of {{ $labels.namespace }} has had no free slot for 15 minutes.",
        description="Tasks wait although workers may be free. Raise `core.parallelism`, or find tasks that hang.",
    ),
    Alert(
        name="AirflowPoolStarving",
        section="tasks",
        severity="warning",
        value=f"max by (namespace, pool_name) ({WAITS_FOR_POOL})",
        fires="> 0",
        seconds=900,
        summary="Tasks of {{ $labels.namespace }} have waited for the pool {{ $labels.pool_name }} for 15 minutes.",
        description="Give the pool more slots, or find the tasks that keep them.",
    ),
    Alert(
        name="AirflowTriggererFull",
        section="tasks",
        severity="warning",
        value="max by (namespace) (airflow_triggerer_capacity_left{$at})",
        fires="<= 0",
        seconds=600,
        summary="No triggerer of {{ $labels.namespace }} takes another deferred task.",
        description="Raise `airflow:triggererReplicas`, or `triggerer.capacity`.",
    ),
    Alert(
        name="AirflowTasksLost",
        section="tasks",
        severity="warning",
        value=grown("airflow_task_instances_without_heartbeats_killed"),
        fires="> 0",
        seconds=0,
        window=lambda watched: 600,
        summary="{{ $value }} tasks of {{ $labels.namespace }} were given up, because they had sent no heartbeat.",
        description="Their workers were killed, had too little memory, or did not reach the API server.",
    ),
    Alert(
        name="AirflowScheduleDelay",
        section="tasks",
        severity="warning",
        value='max by (namespace, dag_id) (airflow_dagrun_schedule_delay{$at,quantile="0.9"}) or $zero',
        fires="> 300",
        seconds=600,
        summary="Runs of {{ $labels.dag_id }} in {{ $labels.namespace }} start more than five minutes late.",
        description="The scheduler does not keep up. Look at its loop and at the database.",
    ),
    Alert(
        name="AirflowQueuedTooLong",
        section="tasks",
        severity="warning",
        value="max by (namespace, queue) (airflow_oldest_queued_task_seconds{$at})"
        " or 0 * max by (namespace) (airflow_exporter_database_up{$at})",
        fires="> 300",
        seconds=120,
        summary="A task of {{ $labels.namespace }} has waited in the queue {{ $labels.queue }} for five minutes.",
        description="No worker takes it: there are too few for this queue, or they have lost Redis. Airflow gives a "
        "task up after ten minutes in the queue.",
    ),
    Alert(
        name="AirflowScalingFails",
        section="tasks",
        severity="warning",
        value=SCALING_FAILS,
        fires=f"> 0 unless on (namespace) {_DATABASE_DOWN}",
        seconds=300,
        summary="KEDA does not scale {{ $labels.scaledObject }} of {{ $labels.namespace }} ({{ $labels.why }}).",
        description="The number of workers stays as it is, whatever waits. The log of KEDA's operator has the errors; "
        "somebody has paused it if the reason is `paused`.",
        needs="keda",
    ),
    Alert(
        name="AirflowVerificationFails",
        section="tasks",
        severity="critical",
        # A restarted statsd knows no success yet, and a new stack has none.
        value="time() - max by (namespace) (max_over_time(airflow_verification_succeeded_timestamp_seconds"
        "{$at}[$window])) or $zero_then + 2 * $verify",
        fires=f"> $verify unless on (namespace) {_DATABASE_DOWN}",
        seconds=60,
        window=lambda watched: watched.verified_seconds,
        summary="No scheduled verification of {{ $labels.namespace }} has succeeded: no DAG runs as it should.",
        description="`python -m automation status STACK` says why the last one failed, and so does the log of its pod.",
        needs="verification",
    ),
    Alert(
        name="AirflowDatabaseUnreachable",
        section="database",
        severity="critical",
        value="max by (namespace) (airflow_exporter_database_up{$at})",
        fires="== 0",
        seconds=120,
        summary="{{ $labels.namespace }} does not reach its metadata database.",
        description="Nothing is scheduled. Look at PgBouncer first, if there is one, then at the database.",
    ),
    Alert(
        name="AirflowClientsWaiting",
        section="database",
        severity="warning",
        value='max by (namespace) (pgbouncer_exporter_pools_waiting_clients{$at,database!="pgbouncer"}) or $zero',
        fires="> 0",
        seconds=300,
        summary="Clients of {{ $labels.namespace }} wait for a connection to the database.",
        description="PgBouncer's pool is used up: by long transactions, or by more clients than planned.",
        needs="pgbouncer",
    ),
    Alert(
        name="AirflowBackupOld",
        section="database",
        severity="warning",
        value="max by (namespace) (airflow_backup_age_seconds{$at})",
        fires="> $backup",
        seconds=600,
        summary="The newest backup of {{ $labels.namespace }} is {{ $value | humanizeDuration }} old.",
        description="A scheduled backup has failed or did not begin. `python -m automation status STACK` says why.",
        needs="backups",
    ),
    Alert(
        name="AirflowCertificateEnds",
        section="certificates",
        severity="warning",
        value="min by (namespace, certificate) (airflow_certificate_end_timestamp_seconds{$at}) - time()",
        fires="< 30 * 86400",
        seconds=600,
        summary="The certificate {{ $labels.certificate }} of {{ $labels.namespace }} ends within 30 days.",
        description="Replace it. `ingress` is the certificate of the UI, `database-ca` the authority of the database.",
        needs="certificates",
    ),
)
