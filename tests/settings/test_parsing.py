"""Good config becomes typed settings: every value reaches its place."""

from __future__ import annotations

from components.aws.pod_identity import PodIdentity
from components.chart_values.executor import Executor
from components.chart_values.scale import WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.database.connection import ContainerDatabase, ExternalDatabase, SslMode
from components.database.rds_certificates import rds_certificates
from components.database.rds_instance_class import max_connections
from components.database.rds_settings import CertificateAuthority, ManagedDatabase
from components.kube.secret import Secret
from components.network.isolation_args import Isolation
from components.task_logs.store import TaskLogStore
from settings.sections.cluster import AwsChoice
from tests import samples
from tests.samples import dev, external, prod


def test_prod_is_valid_with_its_deploy_key() -> None:
    loaded = prod().parse()
    platform = loaded.platform
    assert loaded.aws == AwsChoice(
        cluster="example",
        region="eu-central-1",
        account_id="123456789012",
        tags={"application": "airflow", "stack": "prod"},
    )
    assert platform.protect is True
    assert platform.isolation.mode is Isolation.REQUIRED
    assert isinstance(platform.database, ManagedDatabase)
    assert platform.database.multi_az
    assert platform.key_escrow == "airflow/prod/keys"
    assert platform.task_logs.store is TaskLogStore.S3
    assert platform.ingress is not None
    scale = platform.scale
    assert min(scale.api_server, scale.scheduler, scale.dag_processor, scale.triggerer) >= 2
    assert platform.dags.repository.scheme == "ssh"


def test_database_is_restored_only_while_the_mark_of_a_restore_stands() -> None:
    assert dev().parse().platform.restoring is False
    assert (
        dev().with_({"restore": "20260131104500 airflow-20260131T104500Z.dump all"}).parse().platform.restoring is True
    )


def test_pooler_of_prod_is_computed_within_what_its_database_accepts() -> None:
    pooler = prod().parse().platform.pgbouncer
    assert pooler is not None
    assert pooler.replicas >= 2
    # A pod more in a roll, and a second user in a rotation: four fifths of what the class has at least.
    assert (pooler.replicas + 1) * 2 * pooler.pool_size < max_connections("db.m7g.large") * 4 // 5
    larger = prod().with_({"apiServerReplicas": 6, "schedulerReplicas": 4}).parse().platform.pgbouncer
    assert larger is not None
    assert larger.max_client_connections > pooler.max_client_connections


def test_external_database_is_verified_by_its_own_authority() -> None:
    pem = rds_certificates("eu-central-1")
    config = external().with_({"databaseSslMode": "verify-full", "databaseCaCertificate": pem})
    database = config.parse().platform.database
    assert isinstance(database, ExternalDatabase)
    assert database.database.ssl_mode is SslMode.VERIFY_FULL
    assert database.database.ca_certificates == pem


def test_isolation_off_needs_no_networks() -> None:
    assert prod().with_({"networkIsolation": "off", "databaseCidrs": []}).problems() == ()


def test_worker_logs_are_for_celery_alone() -> None:
    assert dev().with_({"taskLogs": "worker"}).problems() == ()
    for executor in ("CeleryExecutor,KubernetesExecutor", "KubernetesExecutor,CeleryExecutor"):
        assert len(dev().with_({"taskLogs": "worker", "executor": executor}).problems()) == 1


def test_weaker_tls_is_for_a_database_that_may_be_thrown_away() -> None:
    assert external().with_({"protect": False, "databaseSslMode": "disable"}).problems() == ()


def test_credentials_of_a_private_https_repository_come_together() -> None:
    loaded = dev().with_({"dagsUsername": "robot"}, {"dagsToken": "token"}).parse()
    assert loaded.platform.git.username == "robot"
    assert loaded.platform.git.token == Secret("token")


def test_every_executor_is_a_legal_value() -> None:
    for executor in Executor:
        assert dev().with_({"executor": executor.value}).parse().platform.executor is executor


def test_helm_values_of_the_user_arrive_as_they_are() -> None:
    given = {"scheduler": {"resources": {"limits": {"memory": "2Gi"}}}, "config": {"core": {"parallelism": "64"}}}
    assert dev().with_({"helmValues": given}).parse().platform.helm_values == given


def test_every_number_reaches_its_place() -> None:
    numbers = {
        "apiServerReplicas": 2,
        "schedulerReplicas": 3,
        "dagProcessorReplicas": 4,
        "triggererReplicas": 5,
        "workerReplicas": 6,
        "workerConcurrency": 7,
        "dagsSyncPeriodSeconds": 8,
        "dagsDepth": 0,
        "databasePort": 5433,
        "migrationTimeoutSeconds": 31,
        "releaseTimeoutSeconds": 7200,
        "pgbouncerReplicas": 9,
        "pgbouncerPoolSize": 11,
        "pgbouncerMaxClientConnections": 1200,
        "taskLogsStorageGib": 13,
        "workerGraceSeconds": 32,
        "metadataRetentionDays": 33,
    }
    platform = external().with_(numbers).parse().platform
    scale, dags, pgbouncer = platform.scale, platform.dags, platform.pgbouncer
    assert pgbouncer is not None
    assert isinstance(platform.database, ExternalDatabase)
    assert (scale.api_server, scale.scheduler, scale.dag_processor) == (2, 3, 4)
    assert (scale.triggerer, scale.worker, scale.worker_concurrency) == (5, 6, 7)
    assert (dags.sync_period_seconds, dags.depth) == (8, 0)
    assert platform.database.database.port == 5433
    assert (platform.migration_timeout_seconds, platform.release_timeout_seconds) == (31, 7200)
    assert (pgbouncer.replicas, pgbouncer.pool_size, pgbouncer.max_client_connections) == (9, 11, 1200)
    assert platform.task_logs.storage_gib == 13
    assert (platform.worker_grace_seconds, platform.metadata_retention_days) == (32, 33)
    container = dev().with_({"databaseStorageGib": 14}).parse().platform.database
    assert isinstance(container, ContainerDatabase)
    assert container.storage_gib == 14


def test_every_text_reaches_its_place() -> None:
    texts = {
        "kubeContext": "a-context",
        "kubeconfig": "/etc/kubeconfig",
        "namespace": "a-namespace",
        "imageRepository": "registry.test/airflow",
        "imageTag": "a-tag",
        "imageDigest": samples.DIGEST,
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["one", "two"],
        "imageRegistry": "mirror.test/all",
        "airflowVersion": "3.2.9",
        "dagsRef": "release",
        "dagsSubPath": "some/folder",
        "dagsDelivery": "git-bundle",
        "adminUsername": "root",
        "adminEmail": "root@example.com",
        "databaseHost": "10.1.2.3",
        "databaseName": "a_name",
        "databaseUser": "a_user",
        "databaseCidrs": ["10.1.0.0/16", "fd00::/8"],
        "taskLogs": "worker",
        "taskLogsAccessMode": "ReadWriteOnce",
        "networkIsolation": "wanted",
        "egressExceptCidrs": ["10.9.0.0/16"],
        "uiNamespaces": ["ingress"],
        "uiCidrs": ["10.3.0.0/16"],
        "size": "large",
        "metricsNamespaces": ["monitoring"],
        "loadExamples": True,
        "chartPath": "/srv/chart.tgz",
    }
    loaded = external().with_(texts).parse()
    platform = loaded.platform
    images, dags, isolation = platform.images, platform.dags, platform.isolation
    assert isinstance(platform.database, ExternalDatabase)
    database = platform.database.database
    assert (platform.kube_context, platform.kubeconfig, platform.namespace) == (
        "a-context",
        "/etc/kubeconfig",
        "a-namespace",
    )
    assert (images.repository, images.tag, images.digest) == ("registry.test/airflow", "a-tag", samples.DIGEST)
    assert (images.pull_policy, images.pull_secrets, images.registry) == ("Always", ("one", "two"), "mirror.test/all")
    assert platform.airflow_version == "3.2.9"
    assert (dags.ref, dags.sub_path, dags.delivery.value) == ("release", "some/folder", "git-bundle")
    assert (platform.admin_username, platform.admin_email) == ("root", "root@example.com")
    assert (database.host, database.name, database.user) == ("10.1.2.3", "a_name", "a_user")
    assert platform.database.cidrs == ("10.1.0.0/16", "fd00::/8")
    assert (platform.task_logs.store.value, platform.task_logs.access_mode.value) == ("worker", "ReadWriteOnce")
    assert isolation.mode is Isolation.WANTED
    assert isolation.egress_except == ("10.9.0.0/16",)
    assert (isolation.ui_namespaces, isolation.metrics_namespaces) == (("ingress",), ("monitoring",))
    assert isolation.ui_cidrs == ("10.3.0.0/16",)
    assert platform.size is SizePreset.LARGE
    assert platform.load_examples is True
    assert loaded.chart_path == "/srv/chart.tgz"


def test_everything_of_aws_reaches_its_place() -> None:
    values = {
        "databaseIdentifier": "a-database",
        "databaseInstanceClass": "db.r7g.xlarge",
        "databaseEngineVersion": "17.6",
        "databaseName": "a_name",
        "databaseUser": "a_user",
        "databaseStorageGib": 200,
        "databaseMaxStorageGib": 2000,
        "databaseBackupRetentionDays": 35,
        "databaseBackupWindow": "01:00-01:30",
        "databaseMaintenanceWindow": "mon:05:00-mon:06:00",
        "databaseCaIdentifier": "rds-ca-ecc384-g1",
        "databaseApplyImmediately": True,
        "databaseSnapshotIdentifier": "a-snapshot",
        "databaseSubnetIds": ["subnet-00000001", "subnet-00000002"],
        "taskLogsRetentionDays": 12,
        "podIdentity": "irsa",
        "workerScaling": "keda",
        "workerMaxReplicas": 40,
        "kedaNamespace": "scaling",
        "ingressAnnotations": {"a": "b"},
        "ingressScheme": "internet-facing",
        "keyEscrow": "a/name",
        "keySource": "escrow",
    }
    loaded = prod().with_(values).parse()
    platform = loaded.platform
    assert platform.database == ManagedDatabase(
        identifier="a-database",
        instance_class="db.r7g.xlarge",
        engine_version="17.6",
        name="a_name",
        username="a_user",
        storage_gib=200,
        max_storage_gib=2000,
        multi_az=True,
        backup_retention_days=35,
        backup_window="01:00-01:30",
        maintenance_window="mon:05:00-mon:06:00",
        ca_identifier=CertificateAuthority.ECC_384,
        apply_immediately=True,
        snapshot_identifier="a-snapshot",
        alarm_topic_arn="arn:aws:sns:eu-central-1:123456789012:airflow-prod",
        performance_insights_retention_days=7,
    )
    assert loaded.database.subnet_ids == ("subnet-00000001", "subnet-00000002")
    assert (platform.task_logs_retention_days, platform.pod_identity) == (12, PodIdentity.IRSA)
    assert platform.autoscaling == WorkerAutoscaling(max_workers=40, keda_namespace="scaling")
    assert platform.ingress is not None
    assert platform.ingress.annotations["a"] == "b"
    assert platform.ingress.annotations["alb.ingress.kubernetes.io/scheme"] == "internet-facing"
    assert (platform.key_escrow, loaded.key_source.value) == ("a/name", "escrow")


def test_ingress_of_another_class_takes_a_secret_and_no_annotation_of_aws() -> None:
    changes = {
        "ingressHost": "airflow.example.com",
        "ingressClass": "nginx",
        "ingressTlsSecret": "tls",
        "uiNamespaces": ["ingress-nginx"],
    }
    ingress = external().with_(changes).parse().platform.ingress
    assert ingress is not None
    assert (ingress.class_name, ingress.tls_secret, ingress.annotations) == ("nginx", "tls", {})


def test_value_of_the_chart_as_a_key_is_refused_with_its_place() -> None:
    for name in ("nodeSelector", "env", "scheduler"):
        [problem] = samples.prod().with_({name: {"a": "b"}}).problems()
        assert f"airflow:{name}: is not a key of this project; the chart has such a value: write it in" in problem
        assert "airflow:helmValues" in problem
