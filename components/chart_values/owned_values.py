"""What the program sets itself in the chart's values, and the lists to which a user's entries are added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from components.chart_values.value_paths import under
from components.kube.images import CHART_IMAGES

_OF_JOBS: Final = {
    **{key: key for key in ("affinity", "env", "labels", "nodeSelector", "tolerations")},
    "annotations": "airflowPodAnnotations",
    "extraVolumeMounts": "volumeMounts",
    "extraVolumes": "volumes",
}
"""Keys of the chart's Jobs, each with the key of all pods that the program's own Jobs follow (see `job_pods`)."""
SAFE_TO_EVICT: Final = "cluster-autoscaler.kubernetes.io/safe-to-evict"
_BY_TASKS: Final = "airflow:workerScaling keda"
_NOTHING: Final = "nothing: "
"""Begins the reason why there is nothing to use instead of a value."""

OWNED: Final[Mapping[str, str]] = {
    f"airflowPodAnnotations.{SAFE_TO_EVICT}": "nothing: an eviction must not kill a task",
    **{
        f"{component}.podAnnotations.{SAFE_TO_EVICT}": "nothing: an eviction must not stop it"
        for component in ("dagProcessor", "redis", "scheduler", "triggerer", "workers.celery", "workers.kubernetes")
    },
    "airflowVersion": "airflow:airflowVersion",
    "allowJobLaunching": "nothing: workers must not create Jobs, whose pods could read every Secret",
    "allowPodLaunching": "nothing: workers must not create pods",
    "apiSecretKeySecretName": "airflow:keySecrets, with airflow:keySource secret",
    "apiServer.httpRoute": "airflow:ingressGateway",
    "apiServer.podAnnotations.log-role": "nothing: it makes the API server roll when its role in AWS changes",
    "apiServer.replicas": "airflow:apiServerReplicas",
    "apiServer.waitForMigrations": "nothing: the program migrates before the release",
    **dict.fromkeys(("config.api.ssl_cert", "config.api.ssl_key"), "airflow:ingressHost: TLS ends at the Ingress"),
    **dict.fromkeys(
        ("config.api.port", "config.logging.trigger_log_server_port", "config.logging.worker_log_server_port"),
        "nothing: the ports are fixed, and the network policies are made for them",
    ),
    "config.celery.worker_autoscale": "airflow:workerConcurrency, by which workers are sized and KEDA counts them",
    "config.celery.worker_concurrency": "airflow:workerConcurrency",
    "config.logging.base_log_folder": "nothing: the volume of task logs is mounted at the chart's place",
    "config.kubernetes_executor.pod_template_file": "podTemplate",
    "config.core.execution_api_server_url": "nothing: workers find the API server by its Service",
    "config.core.executor": "airflow:executor",
    **{
        f"config.celery.{option}": "airflow:brokerUrl, whose rediss:// means TLS"
        for option in ("ssl_active", "ssl_cacert", "ssl_cert", "ssl_key", "ssl_mutual_tls")
    },
    **dict.fromkeys(
        (
            "config.celery_broker_transport_options.master_name",
            "config.celery_broker_transport_options.sentinel_kwargs",
        ),
        "airflow:brokerUrl with a service that leads to the primary: Sentinel is asked only by a URL of several hosts",
    ),
    "config.fab.config_file": "apiServer.apiServerConfig, or apiServer.apiServerConfigConfigMapName",
    "config.fab.enable_proxy_fix": "airflow:trustedProxyCidrs",
    "config.core.load_examples": "airflow:loadExamples",
    "config.dag_processor.dag_bundle_config_list": "airflow:dagBundles for Git repositories, or "
    "dagProcessor.dagBundleConfigList with airflow:dagsDelivery image",
    **dict.fromkeys(
        (
            "config.kubernetes_executor.cluster_context",
            "config.kubernetes_executor.config_file",
            "config.kubernetes_executor.in_cluster",
            "config.kubernetes_executor.multi_namespace_mode",
            "config.kubernetes_executor.namespace",
        ),
        "nothing: the scheduler starts task pods in its own namespace as its own account, which the cluster judges",
    ),
    "config.kubernetes_executor.worker_container_repository": "airflow:imageRepository",
    "config.kubernetes_executor.worker_container_tag": "airflow:imageTag",
    "config.azure_remote_logging.remote_wasb_log_container": "airflow:taskLogsUrl",
    "config.logging.remote_base_log_folder": "airflow:taskLogs and airflow:taskLogsUrl",
    "config.logging.remote_log_conn_id": "airflow:taskLogs and airflow:taskLogsConnectionSecret",
    "config.logging.remote_logging": "airflow:taskLogs",
    "createUserJob": "airflow:adminUsername and airflow:adminPassword",
    **{
        f"{job}.{key}": f"{root} at the root of the values, which the program's Jobs follow"
        for job in ("createUserJob", "migrateDatabaseJob")
        for key, root in _OF_JOBS.items()
    },
    "dagProcessor.replicas": "airflow:dagProcessorReplicas",
    "dagProcessor.safeToEvict": "nothing: an eviction must not stop it",
    "dagProcessor.waitForMigrations": "nothing: the program migrates before the release",
    "dags.gitSync": "the keys airflow:dags…",
    **{
        f"dags.gitSync.{key}": instead
        for keys, instead in (
            ("repo", "airflow:dagsRepository"),
            ("branch ref rev", "airflow:dagsRef"),
            ("subPath", "airflow:dagsSubPath"),
            ("depth", "airflow:dagsDepth"),
            ("period wait", "airflow:dagsSyncPeriodSeconds"),
            ("credentialsSecret", "airflow:dagsTokenSecret"),
            ("sshKey sshKeySecret", "airflow:gitSshPrivateKey"),
            ("knownHosts", "airflow:gitKnownHosts"),
            ("enabled", "airflow:dagsDelivery"),
            ("envFrom", "dags.gitSync.env"),
            ("securityContext", "dags.gitSync.securityContexts.container"),
            ("uid", "dags.gitSync.securityContexts.container.runAsUser"),
            ("maxFailures", "nothing: while the Git host is away, pods keep the DAGs that they have"),
            (
                "startupProbe livenessProbe readinessProbe recommendedProbeSetting",
                "nothing: the program sets its probes",
            ),
            ("containerName httpPort", "nothing: probes and metrics need it as it is"),
        )
        for key in keys.split()
    },
    "data": "the keys airflow:database…",
    **{
        f"data.{key}": "airflow:brokerUrl, which the program puts into a Secret of its own"
        for key in ("brokerUrl", "brokerUrlSecretAnnotations", "brokerUrlSecretName")
    },
    **{
        f"data.{key}": "nothing: results are beside the queue, see airflow:brokerUrl"
        for key in (
            "resultBackendConnection",
            "resultBackendConnectionSecretAnnotations",
            "resultBackendSecretName",
        )
    },
    "databaseCleanup.enabled": "airflow:metadataRetentionDays",
    "databaseCleanup.retentionDays": "airflow:metadataRetentionDays",
    "defaultAirflowDigest": "airflow:imageDigest",
    "defaultAirflowRepository": "airflow:imageRepository",
    "defaultAirflowTag": "airflow:imageTag",
    "enableBuiltInSecretEnvVars": "nothing: workers must not learn the database's address",
    "executor": "airflow:executor",
    "extraObjects": "nothing: no policy would judge its objects; make them beside the stack, with kubectl",
    "fernetKey": "airflow:fernetKey",
    "fernetKeySecretName": "airflow:keySecrets, with airflow:keySource secret",
    "fullnameOverride": "nothing: the names of the Services are fixed",
    "imagePullSecrets": "airflow:imagePullSecrets",
    "images": "airflow:imageTag, airflow:imagePullPolicy, airflow:imageMirrors and the other keys airflow:image…",
    "images.migrationsWaitTimeout": "airflow:migrationTimeoutSeconds: the program migrates before the release",
    "images.useDefaultImageForMigration": "nothing: the program migrates before the release",
    "ingress.apiServer.annotations": "airflow:ingressAnnotations",
    "ingress.apiServer.enabled": "airflow:ingressHost",
    "ingress.apiServer.host": "airflow:ingressHost",
    "ingress.apiServer.hosts": "airflow:ingressHost",
    "ingress.apiServer.ingressClassName": "airflow:ingressClass",
    "ingress.apiServer.path": "airflow:ingressPath",
    "ingress.apiServer.pathType": "airflow:ingressPath",
    "ingress.apiServer.precedingPaths": "nothing: it closes the workers' API; an Ingress of your own can have more",
    "ingress.apiServer.tls": "airflow:ingressTlsSecret or airflow:ingressTlsElsewhere",
    "ingress.enabled": "airflow:ingressHost",
    "jwtSecret": "airflow:jwtSecret",
    "jwtSecretName": "airflow:keySecrets, with airflow:keySource secret",
    "apiSecretKey": "airflow:apiSecretKey",
    "logs.persistence": "airflow:taskLogs and the keys that begin with it, such as airflow:taskLogsStorageClass",
    "migrateDatabaseJob": "nothing: the program migrates before the release",
    "multiNamespaceMode": "nothing: the stack owns one namespace and asks for no rights in others",
    "nameOverride": "nothing: the names of the Services are fixed",
    "networkPolicies": "airflow:networkIsolation",
    "pgbouncer.configSecretName": "airflow:pgbouncerEnabled",
    "pgbouncer.enabled": "airflow:pgbouncerEnabled",
    "pgbouncer.metricsExporterSidecar.statsSecretKey": "airflow:pgbouncerEnabled",
    "pgbouncer.metricsExporterSidecar.statsSecretName": "airflow:pgbouncerEnabled",
    "pgbouncer.mountConfigSecret": "nothing: the program writes pgbouncer.ini",
    "pgbouncer.replicas": "airflow:pgbouncerReplicas",
    "ports": "nothing: the ports are fixed, and the network policies are made for them",
    "postgresql": "airflow:database",
    "redis.enabled": "airflow:brokerUrl for a Redis of your own, or airflow:executor",
    "redis.password": "airflow:redisPassword",
    "redis.passwordSecretName": "airflow:redisPassword, or airflow:brokerUrl for a Redis of your own",
    "redis.safeToEvict": "nothing: an eviction must not lose the queue",
    "scheduler.replicas": "airflow:schedulerReplicas",
    "scheduler.safeToEvict": "nothing: an eviction must not stop it",
    "scheduler.waitForMigrations": "nothing: the program migrates before the release",
    "triggerer.persistence": "nothing: a StatefulSet could not recover from a broken image",
    "triggerer.replicas": "airflow:triggererReplicas",
    "triggerer.safeToEvict": "nothing: an eviction must not stop it",
    "triggerer.waitForMigrations": "nothing: the program migrates before the release",
    "triggerer.keda": "airflow:triggererReplicas: KEDA would ask by a variable that no pod has",
    "useStandardNaming": "nothing: the names of the Services are fixed",
    "webserverSecretKey": "airflow:apiSecretKey",
    "webserverSecretKeySecretName": "airflow:keySecrets, with airflow:keySource secret",
    "workers.celery.hpa": f"{_BY_TASKS}, which adds workers while tasks wait",
    "workers.celery.keda": f"nothing: {_BY_TASKS} makes a ScaledObject with a pace and a query of its own",
    **{
        f"workers.celery.{scaler}.{key}": instead
        for scaler in ("hpa", "keda")
        for key, instead in (
            ("enabled", _BY_TASKS),
            ("minReplicaCount", f"airflow:workerReplicas, with {_BY_TASKS}"),
            ("maxReplicaCount", f"airflow:workerMaxReplicas, with {_BY_TASKS}"),
        )
    },
    "workers.celery.persistence": "airflow:taskLogs worker, which gives each worker a volume",
    "workers.celery.persistence.size": "airflow:taskLogsStorageGib",
    "workers.celery.replicas": "airflow:workerReplicas",
    "workers.celery.safeToEvict": "nothing: an eviction must not kill a task",
    "workers.celery.terminationGracePeriodSeconds": "airflow:workerGraceSeconds",
    "workers.celery.waitForMigrations": "nothing: the program migrates before the release",
    "workers.kubernetes.safeToEvict": "nothing: an eviction must not kill a task",
    "workers.kubernetes.terminationGracePeriodSeconds": "airflow:workerGraceSeconds",
}
"""Paths that the program sets itself, each with the config key to use instead."""

OFF: Final = frozenset(
    {
        "allowJobLaunching",
        "allowPodLaunching",
        "multiNamespaceMode",
        "postgresql.enabled",
        "triggerer.keda.enabled",
        "triggerer.persistence.enabled",
        "useStandardNaming",
        "workers.celery.hpa.enabled",
        *(path for path in OWNED if path.endswith(".safeToEvict")),
    }
)
"""Switches that the program has off in every stack, for what `false` says: many files say it, and it is true."""

FREE: Final = (
    "dags.gitSync.containerLifecycleHooks",
    "dags.gitSync.emptyDirConfig",
    "dags.gitSync.resources",
    "dags.gitSync.securityContexts",
    "dags.gitSync.env",
    "dags.gitSync.extraVolumeMounts",
    *(
        f"workers.celery.persistence.{key}"
        for key in ("annotations", "persistentVolumeClaimRetentionPolicy", "storageClassName")
    ),
    *(f"{job}.{key}" for job in ("createUserJob", "migrateDatabaseJob") for key in ("priorityClassName", "resources")),
    *(f"images.{name}.{part}" for name in CHART_IMAGES for part in ("repository", "tag")),
)
"""Paths below an owned one that users may set. The other images are Airflow's, and theirs is airflow:imageTag."""

APPENDED: Final = (
    "env",
    "dags.gitSync.env",
    "dags.gitSync.extraVolumeMounts",
    "apiServer.env",
    "scheduler.env",
    "dagProcessor.env",
    "triggerer.env",
    "workers.celery.env",
    "workers.kubernetes.env",
    "databaseCleanup.env",
    "apiServer.extraVolumes",
    "apiServer.extraVolumeMounts",
    "scheduler.extraVolumes",
    "scheduler.extraVolumeMounts",
    "pgbouncer.extraVolumes",
    "pgbouncer.extraVolumeMounts",
    "statsd.overrideMappings",
    "dagProcessor.extraVolumes",
    "dagProcessor.extraVolumeMounts",
    "triggerer.extraVolumes",
    "triggerer.extraVolumeMounts",
    "workers.celery.extraVolumes",
    "workers.celery.extraVolumeMounts",
    "workers.kubernetes.extraVolumes",
    "workers.kubernetes.extraVolumeMounts",
)
"""Lists that the program fills too: a user's entries are appended to the program's."""


def owner(path: str) -> str | None:
    """Return what to use instead of a value that the program sets, or None for a user's value."""
    nearest = next((parent for parent in _upwards(path) if parent in OWNED), None)
    return None if nearest is None or under(path, FREE) else OWNED[nearest]


def advice(instead: str) -> str:
    """Return what to do about a refused value. instead: what to use, or `nothing: ` and the reason."""
    reason = instead.removeprefix(_NOTHING)
    return f"use {instead}" if reason == instead else f"leave it out, because {reason}"


def holds_own(path: str) -> bool:
    """Whether values of the program are below a path, so that it cannot be replaced as a whole."""
    return path in _PARENTS


def _upwards(path: str) -> Iterator[str]:
    """Yield the path, its parent, the parent's parent, and so on."""
    while path:
        yield path
        path = path.rpartition(".")[0]


_PARENTS: Final = frozenset(parent for own in (*OWNED, *APPENDED) for parent in _upwards(own.rpartition(".")[0]))
