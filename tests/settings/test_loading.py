"""What config is accepted, and that a bad one is refused whole, clearly, and without a secret."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import settings
import versions
from components.aws.pod_identity import PodIdentity
from components.database.connection import ContainerDatabase, ExternalDatabase, SslMode
from components.database.rds_certificates import rds_certificates
from components.database.rds_instance_class import max_connections
from components.database.rds_settings import CertificateAuthority, ManagedDatabase
from components.kube.secret import Secret
from components.network.isolation_args import Isolation
from components.release.executor import Executor
from components.release.scale import WorkerAutoscaling
from components.release.size_preset import SizePreset
from components.task_logs.store import TaskLogStore
from settings import loading
from settings.sections.cluster import AwsChoice
from tests import samples
from tests.samples import StackConfig, all_secrets, dev, external, prod, schema, sentinels, ssh_private_key

SSH: Final = {"dagsRepository": samples.SSH_REPOSITORY}
DEV: Final = "dev"
PROD: Final = "prod"
EXTERNAL: Final = "external"
"""`prod` without AWS; see `samples.external`."""
NO_EXTERNAL: Final = {"databaseHost": "", "databaseCidrs": [], "databasePassword": ""}
STACKS: Final[Mapping[str, Callable[[], StackConfig]]] = {DEV: dev, PROD: prod, EXTERNAL: external}

# name: (stack, plain changes, secret changes, key that is named, what the message says)
BAD: Final[dict[str, tuple[str, dict[str, Any], dict[str, str], str, str]]] = {
    "no context": (DEV, {"kubeContext": ""}, {}, "kubeContext", "or airflow:eksCluster in its place, found none"),
    "context with a space at its end": (DEV, {"kubeContext": "kind "}, {}, "kubeContext", "white space"),
    "context on two lines": (DEV, {"kubeContext": "a\nb"}, {}, "kubeContext", "one line"),
    "kubeconfig on two lines": (DEV, {"kubeconfig": "a\nb"}, {}, "kubeconfig", "path"),
    "namespace with a capital": (DEV, {"namespace": "Airflow"}, {}, "namespace", "a-z"),
    "namespace too long": (DEV, {"namespace": "a" * 64}, {}, "namespace", "63"),
    "namespace of the cluster": (DEV, {"namespace": "kube-system"}, {}, "namespace", "of its own"),
    "default namespace": (DEV, {"namespace": "default"}, {}, "namespace", "of its own"),
    "no namespace": (DEV, {"namespace": ""}, {}, "namespace", "found none"),
    "protect in words": (DEV, {"protect": "yes"}, {}, "protect", "true or false"),
    "loadExamples as Python": (DEV, {"loadExamples": "True"}, {}, "loadExamples", "true or false"),
    "executor of Airflow 2": (DEV, {"executor": "LocalExecutor"}, {}, "executor", "CeleryExecutor"),
    "executors with a space": (DEV, {"executor": "CeleryExecutor, KubernetesExecutor"}, {}, "executor", "one of"),
    "no API server": (DEV, {"apiServerReplicas": 0}, {}, "apiServerReplicas", "from 1 to 50"),
    "too many schedulers": (DEV, {"schedulerReplicas": 51}, {}, "schedulerReplicas", "from 1 to 50"),
    "half a DAG processor": (DEV, {"dagProcessorReplicas": 1.5}, {}, "dagProcessorReplicas", "whole number"),
    "triggerers in words": (DEV, {"triggererReplicas": "two"}, {}, "triggererReplicas", "whole number"),
    "too many workers": (DEV, {"workerReplicas": 1001}, {}, "workerReplicas", "from 1 to 1000"),
    "number too long": (DEV, {"workerReplicas": "9" * 5000}, {}, "workerReplicas", "whole number"),
    "number in other digits": (DEV, {"workerReplicas": "٣"}, {}, "workerReplicas", "whole number"),
    "no concurrency": (DEV, {"workerConcurrency": 0}, {}, "workerConcurrency", "from 1 to 1000"),
    "image with a tag": (DEV, {"imageRepository": "apache/airflow:3"}, {}, "imageRepository", "without tag"),
    "image with capitals": (DEV, {"imageRepository": "Apache/Airflow"}, {}, "imageRepository", "an image"),
    "no image": (DEV, {"imageRepository": ""}, {}, "imageRepository", "found none"),
    "moving tag": (DEV, {"imageTag": "latest"}, {}, "imageTag", "stays on one image"),
    "tag with a space": (DEV, {"imageTag": "3 2"}, {}, "imageTag", "image tag"),
    "no tag": (DEV, {"imageTag": ""}, {}, "imageTag", "found none"),
    "short digest": (DEV, {"imageDigest": "sha256:abc"}, {}, "imageDigest", "64 hexadecimal"),
    "digest in capitals": (DEV, {"imageDigest": samples.DIGEST.upper()}, {}, "imageDigest", "64 hexadecimal"),
    "pull policy": (DEV, {"imagePullPolicy": "Sometimes"}, {}, "imagePullPolicy", "IfNotPresent"),
    "pull Secrets as text": (DEV, {"imagePullSecrets": "registry"}, {}, "imagePullSecrets", "a list of texts"),
    "pull Secrets as numbers": (DEV, {"imagePullSecrets": [7]}, {}, "imagePullSecrets", "expected texts"),
    "name of a pull Secret": (DEV, {"imagePullSecrets": ["My_Secret"]}, {}, "imagePullSecrets", "name of a Secret"),
    "registry credentials in plain text": (
        DEV,
        {"registryCredentials": sentinels()["registryCredentials"]},
        {},
        "registryCredentials",
        "disclosed",
    ),
    "registry credentials of another kind": (
        DEV,
        {},
        {"registryCredentials": '{"credsStore": "desktop"}'},
        "registryCredentials",
        "Docker config.json",
    ),
    "registry as URL": (DEV, {"imageRegistry": "https://mirror.test"}, {}, "imageRegistry", "without https://"),
    "registry with a slash": (DEV, {"imageRegistry": "mirror.test/"}, {}, "imageRegistry", "slash"),
    "Airflow 2": (DEV, {"airflowVersion": "2.10.5"}, {}, "airflowVersion", "Airflow version"),
    "repository without TLS": (DEV, {"dagsRepository": "http://git.test/d.git"}, {}, "dagsRepository", "expected"),
    "no repository": (DEV, {"dagsRepository": ""}, {}, "dagsRepository", "found none"),
    "ref that Git refuses": (DEV, {"dagsRef": "a..b"}, {}, "dagsRef", "expected"),
    "no ref": (DEV, {"dagsRef": ""}, {}, "dagsRef", "found none"),
    "folder outside": (DEV, {"dagsSubPath": "../other"}, {}, "dagsSubPath", "expected"),
    "delivery": (DEV, {"dagsDelivery": "rsync"}, {}, "dagsDelivery", '"git-sync", "git-bundle"'),
    "no period": (DEV, {"dagsSyncPeriodSeconds": 0}, {}, "dagsSyncPeriodSeconds", "from 1 to 86400"),
    "negative depth": (DEV, {"dagsDepth": -1}, {}, "dagsDepth", "from 0"),
    "user name without token": (DEV, {"dagsUsername": "robot"}, {}, "dagsToken", "other half"),
    "token without user name": (DEV, {}, all_secrets(but=sentinels().keys() - {"dagsToken"}), "dagsUsername", "half"),
    "token on two lines": (DEV, {"dagsUsername": "robot"}, {"dagsToken": "tok\nen"}, "dagsToken", "on one line"),
    "token in plain text": (DEV, {"dagsUsername": "robot", "dagsToken": "plain"}, {}, "dagsToken", "disclosed"),
    "SSH key for HTTPS": (DEV, {}, {"gitSshPrivateKey": ssh_private_key()}, "gitSshPrivateKey", "HTTPS repository"),
    "host keys for HTTPS": (DEV, {"gitKnownHosts": "git.test ssh-ed25519 AAAA"}, {}, "gitKnownHosts", "HTTPS"),
    "SSH without a key": (DEV, SSH, {}, "gitSshPrivateKey", "SSH repository"),
    "SSH with a public key": (DEV, SSH, {"gitSshPrivateKey": "ssh-ed25519 AAAA me"}, "gitSshPrivateKey", "private key"),
    "SSH key in plain text": (DEV, {**SSH, "gitSshPrivateKey": ssh_private_key()}, {}, "gitSshPrivateKey", "disclosed"),
    "SSH to an unknown host": (
        DEV,
        {"dagsRepository": "ssh://git@git.test:2222/dags.git"},
        {"gitSshPrivateKey": ssh_private_key()},
        "gitKnownHosts",
        "ssh-keyscan -p 2222 git.test",
    ),
    "host keys of another host": (
        DEV,
        {**SSH, "gitKnownHosts": "git.test ssh-ed25519 AAAA"},
        {"gitSshPrivateKey": ssh_private_key()},
        "gitKnownHosts",
        "known_hosts",
    ),
    "SSH with a user name": (
        DEV,
        {**SSH, "dagsUsername": "robot"},
        {"gitSshPrivateKey": ssh_private_key()},
        "dagsUsername",
        "SSH repository",
    ),
    "SSH with a token": (
        DEV,
        SSH,
        {"gitSshPrivateKey": ssh_private_key(), "dagsToken": "token"},
        "dagsToken",
        "SSH repository",
    ),
    "short Fernet key": (DEV, {}, {"fernetKey": "c2hvcnQ="}, "fernetKey", "Fernet key"),
    "Fernet key with a line end": (DEV, {}, {"fernetKey": sentinels()["fernetKey"] + "\n"}, "fernetKey", "URL-safe"),
    "one bad Fernet key of two": (
        DEV,
        {},
        {"fernetKey": f"{sentinels()['fernetKey']},"},
        "fernetKey",
        "several with commas",
    ),
    "Fernet key in plain text": (DEV, {"fernetKey": sentinels()["fernetKey"]}, {}, "fernetKey", "disclosed"),
    "short API secret key": (DEV, {}, {"apiSecretKey": "k" * 31}, "apiSecretKey", "at least 32 bytes, found 31"),
    "short JWT secret": (DEV, {}, {"jwtSecret": "k" * 63}, "jwtSecret", "at least 64 bytes, found 63"),
    "JWT secret that Airflow expands": (DEV, {}, {"jwtSecret": "k$HOME" * 20}, "jwtSecret", "no $"),
    "API secret key that is a home": (DEV, {}, {"apiSecretKey": "~" + "k" * 40}, "apiSecretKey", "no ~"),
    "short Redis password": (DEV, {}, {"redisPassword": "1234567"}, "redisPassword", "at least 8 bytes"),
    "Redis password in plain text": (DEV, {"redisPassword": "12345678"}, {}, "redisPassword", "encrypted"),
    "admin password on two lines": (DEV, {"adminPassword": "a\nb"}, {}, "adminPassword", "on one line"),
    "admin password in plain text": (EXTERNAL, {"adminPassword": "admin"}, {}, "adminPassword", "encrypted"),
    "user name with a space": (DEV, {"adminUsername": "the admin"}, {}, "adminUsername", "user name"),
    "no address": (DEV, {"adminEmail": "admin"}, {}, "adminEmail", "e-mail address"),
    "kind of database": (DEV, {"database": "rds"}, {}, "database", '"container", "external"'),
    "host with a container": (DEV, {"databaseHost": "db.test"}, {}, "databaseHost", "found one"),
    "password with a container": (DEV, {}, {"databasePassword": "secret"}, "databasePassword", "found one"),
    "networks with a container": (DEV, {"databaseCidrs": ["10.0.0.0/8"]}, {}, "databaseCidrs", "found one"),
    "no host": (EXTERNAL, {"databaseHost": ""}, {}, "databaseHost", "found none"),
    "host with a port": (EXTERNAL, {"databaseHost": "db.test:5432"}, {}, "databaseHost", "without port"),
    "port": (DEV, {"databasePort": 65536}, {}, "databasePort", "from 1 to 65535"),
    "database name": (DEV, {"databaseName": "air flow"}, {}, "databaseName", "PostgreSQL name"),
    "database user": (DEV, {"databaseUser": "-airflow"}, {}, "databaseUser", "PostgreSQL name"),
    "no database password": (EXTERNAL, {"databasePassword": None}, {}, "databasePassword", "found none"),
    "database password in plain text": (EXTERNAL, {"databasePassword": "x"}, {}, "databasePassword", "disclosed"),
    "database password on two lines": (EXTERNAL, {}, {"databasePassword": "a\r\nb"}, "databasePassword", "one line"),
    "TLS mode": (EXTERNAL, {"databaseSslMode": "allow"}, {}, "databaseSslMode", '"disable", "prefer", "require"'),
    "no TLS in production": (EXTERNAL, {"databaseSslMode": "prefer"}, {}, "databaseSslMode", "expected require"),
    "networks with host bits": (EXTERNAL, {"databaseCidrs": ["10.0.0.1/8"]}, {}, "databaseCidrs", "no host bits"),
    "no networks": (EXTERNAL, {"databaseCidrs": []}, {}, "databaseCidrs", "workers must not reach"),
    "container in production": (
        EXTERNAL,
        {"database": "container", "databaseHost": "", "databaseCidrs": [], "databasePassword": ""},
        {},
        "database",
        "without backups",
    ),
    "no room": (DEV, {"databaseStorageGib": 0}, {}, "databaseStorageGib", "from 1"),
    "hasty migration": (DEV, {"migrationTimeoutSeconds": 29}, {}, "migrationTimeoutSeconds", "from 30"),
    "PgBouncer as a number": (DEV, {"pgbouncerEnabled": 1}, {}, "pgbouncerEnabled", "true or false"),
    "no PgBouncer": (DEV, {"pgbouncerReplicas": 0}, {}, "pgbouncerReplicas", "from 1 to 50"),
    "pool too large": (DEV, {"pgbouncerPoolSize": 1001}, {}, "pgbouncerPoolSize", "from 0 to 1000"),
    "few clients": (DEV, {"pgbouncerMaxClientConnections": 9}, {}, "pgbouncerMaxClientConnections", "10 to 100000"),
    "place of logs": (DEV, {"taskLogs": "gcs"}, {}, "taskLogs", '"volume", "worker", "s3"'),
    "no room for logs": (DEV, {"taskLogsStorageGib": 0}, {}, "taskLogsStorageGib", "from 1"),
    "access mode": (DEV, {"taskLogsAccessMode": "RWX"}, {}, "taskLogsAccessMode", "ReadWriteMany"),
    "logs that go with their pods": (
        DEV,
        {"executor": "KubernetesExecutor", "taskLogs": "worker"},
        {},
        "taskLogs",
        "would go with its pod",
    ),
    "isolation": (DEV, {"networkIsolation": "on"}, {}, "networkIsolation", '"required", "wanted", "off"'),
    "exception that is no network": (DEV, {"egressExceptCidrs": ["metadata"]}, {}, "egressExceptCidrs", "networks"),
    "exceptions as a map": (DEV, {"egressExceptCidrs": {"a": "b"}}, {}, "egressExceptCidrs", "a list of texts"),
    "namespace of the UI": (DEV, {"uiNamespaces": ["Ingress"]}, {}, "uiNamespaces", "name of a namespace"),
    "namespace of metrics": (DEV, {"metricsNamespaces": [""]}, {}, "metricsNamespaces", "name of a namespace"),
    "Helm values as a list": (DEV, {"helmValues": ["a"]}, {}, "helmValues", "a map"),
    "Helm values that are no JSON": (DEV, {"helmValues": "{"}, {}, "helmValues", "a map"),
    "Helm value of the program": (DEV, {"helmValues": {"executor": "x"}}, {}, "helmValues", "use airflow:executor"),
    "misspelt Helm value": (DEV, {"helmValues": {"schedular": {}}}, {}, "helmValues", "not a value of the chart"),
    "Helm value of a wrong type": (
        DEV,
        {"helmValues": {"scheduler": {"terminationGracePeriodSeconds": "ten"}}},
        {},
        "helmValues",
        "terminationGracePeriodSeconds",
    ),
    "hasty release": (DEV, {"releaseTimeoutSeconds": 59}, {}, "releaseTimeoutSeconds", "from 60 to 7200"),
    "release that does not wait for a worker's tasks": (
        DEV,
        {"releaseTimeoutSeconds": 600, "taskLogs": "worker"},
        {},
        "releaseTimeoutSeconds",
        "more than airflow:workerGraceSeconds, 600,",
    ),
    "chart on two lines": (DEV, {"chartPath": "a\nb"}, {}, "chartPath", "path"),
    "unknown key": (DEV, {"colour": "blue"}, {}, "colour", "not a key of this project"),
    "misspelt key": (DEV, {"imageTags": "3.2.2"}, {}, "imageTags", "did you mean airflow:imageTag?"),
    "unknown secret": (DEV, {}, {"fernetkeys": "a-secret-of-nobody"}, "fernetkeys", "did you mean airflow:fernetKey?"),
    "no default": (DEV, {"imageTag": None}, {}, "imageTag", "Pulumi.yaml of this project holds the defaults"),
    # Size and scaling
    "size": (DEV, {"size": "huge"}, {}, "size", '"none", "small", "medium", "large"'),
    "scaling": (DEV, {"workerScaling": "auto"}, {}, "workerScaling", '"fixed", "keda"'),
    "KEDA without PgBouncer": (
        EXTERNAL,
        {"workerScaling": "keda", "pgbouncerEnabled": False},
        {},
        "workerScaling",
        "through PgBouncer",
    ),
    "KEDA without Celery": (
        EXTERNAL,
        {"workerScaling": "keda", "executor": "KubernetesExecutor"},
        {},
        "workerScaling",
        "no standing workers",
    ),
    "fewer workers at most than at least": (
        EXTERNAL,
        {"workerScaling": "keda", "workerReplicas": 5, "workerMaxReplicas": 4},
        {},
        "workerMaxReplicas",
        "expected at least airflow:workerReplicas, 5, found 4",
    ),
    "no worker at most": (DEV, {"workerMaxReplicas": 0}, {}, "workerMaxReplicas", "from 1 to 1000"),
    "namespace of KEDA": (DEV, {"kedaNamespace": "KEDA"}, {}, "kedaNamespace", "name of a namespace"),
    "hasty worker": (DEV, {"workerGraceSeconds": 29}, {}, "workerGraceSeconds", "from 30 to 86400"),
    "metadata for ever and a day": (
        DEV,
        {"metadataRetentionDays": 3651},
        {},
        "metadataRetentionDays",
        "from 0 to 3650",
    ),
    # Where in AWS
    "cluster with a space": (PROD, {"eksCluster": "my cluster"}, {}, "eksCluster", "an EKS cluster"),
    "no region": (PROD, {"awsRegion": ""}, {}, "awsRegion", "beside airflow:eksCluster"),
    "region as a zone": (PROD, {"awsRegion": "eu-central-1a"}, {}, "awsRegion", "an AWS region"),
    "no account": (PROD, {"awsAccountId": ""}, {}, "awsAccountId", "beside airflow:eksCluster"),
    "short account": (PROD, {"awsAccountId": "12345678901"}, {}, "awsAccountId", "12 digits"),
    "tags as a list": (PROD, {"awsTags": ["a"]}, {}, "awsTags", "a map"),
    "tag as a number": (PROD, {"awsTags": {"team": 7}}, {}, "awsTags", "expected texts"),
    "region without a cluster": (DEV, {"awsRegion": "eu-central-1"}, {}, "awsRegion", "without airflow:eksCluster"),
    "account without a cluster": (DEV, {"awsAccountId": "123456789012"}, {}, "awsAccountId", "without"),
    "tags without a cluster": (DEV, {"awsTags": {"a": "b"}}, {}, "awsTags", "without airflow:eksCluster"),
    "context beside an EKS cluster": (PROD, {"kubeContext": "x"}, {}, "kubeContext", "beside airflow:eksCluster"),
    "kubeconfig beside an EKS cluster": (PROD, {"kubeconfig": "/x"}, {}, "kubeconfig", "beside airflow:eksCluster"),
    # Keys
    "source of keys": (DEV, {"keySource": "vault"}, {}, "keySource", '"generate", "escrow"'),
    "escrow without a name": (
        PROD,
        {"keySource": "escrow", "keyEscrow": ""},
        {},
        "keyEscrow",
        "the name of the escrow",
    ),
    "escrow with a space": (PROD, {"keyEscrow": "my keys"}, {}, "keyEscrow", "name of a secret"),
    "escrow outside of AWS": (EXTERNAL, {"keyEscrow": "airflow/keys"}, {}, "keyEscrow", "the escrow is in AWS"),
    "Fernet key beside the escrow": (
        PROD,
        {"keySource": "escrow"},
        {"fernetKey": sentinels()["fernetKey"]},
        "fernetKey",
        "with airflow:keySource escrow, which holds it",
    ),
    # A managed database
    "managed without AWS": (
        EXTERNAL,
        {**NO_EXTERNAL, "database": "managed", "databaseIdentifier": "airflow"},
        {},
        "database",
        "expected airflow:eksCluster beside it",
    ),
    "managed without a name": (PROD, {"databaseIdentifier": ""}, {}, "databaseIdentifier", "found none"),
    "managed with two hyphens": (PROD, {"databaseIdentifier": "a--b"}, {}, "databaseIdentifier", "RDS identifier"),
    "unknown class": (PROD, {"databaseInstanceClass": "db.m7g.huge"}, {}, "databaseInstanceClass", "close to it"),
    "class of EC2": (PROD, {"databaseInstanceClass": "m7g.large"}, {}, "databaseInstanceClass", "such as db.m7g.large"),
    "class too small for its pods": (
        PROD,
        {"databaseInstanceClass": "db.t4g.micro", "pgbouncerReplicas": 4},
        {},
        "databaseInstanceClass",
        "connections to the database at the peak",
    ),
    "pool too large for its class": (
        PROD,
        {"pgbouncerPoolSize": 200},
        {},
        "pgbouncerPoolSize",
        "expected at most 617 connections",
    ),
    "clients too few for its pods": (
        PROD,
        {"pgbouncerMaxClientConnections": 100},
        {},
        "pgbouncerMaxClientConnections",
        "client connections for each pod",
    ),
    "version of a major one": (PROD, {"databaseEngineVersion": "18"}, {}, "databaseEngineVersion", "17.N"),
    "no retention": (PROD, {"databaseBackupRetentionDays": 0}, {}, "databaseBackupRetentionDays", "from 7 to 35"),
    "retention of two months": (
        PROD,
        {"databaseBackupRetentionDays": 60},
        {},
        "databaseBackupRetentionDays",
        "7 to 35",
    ),
    "window in words": (PROD, {"databaseBackupWindow": "at night"}, {}, "databaseBackupWindow", "02:00-03:00"),
    "window of a quarter": (PROD, {"databaseBackupWindow": "02:00-02:15"}, {}, "databaseBackupWindow", "30 minutes"),
    "maintenance without a day": (
        PROD,
        {"databaseMaintenanceWindow": "02:00-03:00"},
        {},
        "databaseMaintenanceWindow",
        "weekly",
    ),
    "windows that meet": (
        PROD,
        {"databaseMaintenanceWindow": "sun:02:30-sun:03:30"},
        {},
        "databaseMaintenanceWindow",
        "apart from the daily backups",
    ),
    "too little to begin with": (PROD, {"databaseStorageGib": 19}, {}, "databaseStorageGib", "20 to 65536"),
    "no room to grow": (PROD, {"databaseMaxStorageGib": 100}, {}, "databaseMaxStorageGib", "110 % of 100"),
    "more than RDS has": (PROD, {"databaseMaxStorageGib": 65537}, {}, "databaseMaxStorageGib", "to 65536"),
    "authority": (PROD, {"databaseCaIdentifier": "rds-ca-2019"}, {}, "databaseCaIdentifier", "rds-ca-rsa2048-g1"),
    "one zone": (PROD, {"databaseMultiAz": False}, {}, "databaseMultiAz", "availability zone that fails"),
    "zones in words": (PROD, {"databaseMultiAz": "yes"}, {}, "databaseMultiAz", "true or false"),
    "hurry in words": (PROD, {"databaseApplyImmediately": "now"}, {}, "databaseApplyImmediately", "true or false"),
    "subnet by its network": (PROD, {"databaseSubnetIds": ["10.0.0.0/24"]}, {}, "databaseSubnetIds", "IDs of subnets"),
    "snapshot with a space": (
        PROD,
        {"databaseSnapshotIdentifier": "a b"},
        {},
        "databaseSnapshotIdentifier",
        "a snapshot",
    ),
    "topic by its name": (
        PROD,
        {"databaseAlarmTopicArn": "alarms"},
        {},
        "databaseAlarmTopicArn",
        "ARN of a standard SNS",
    ),
    "topic in another region": (
        PROD,
        {"databaseAlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms"},
        {},
        "databaseAlarmTopicArn",
        "expected a topic in eu-central-1",
    ),
    "managed without PgBouncer": (PROD, {"pgbouncerEnabled": False}, {}, "pgbouncerEnabled", "verifies the instance's"),
    "managed user of RDS": (PROD, {"databaseUser": "rdsadmin"}, {}, "databaseUser", "keeps for itself"),
    "managed database of RDS": (PROD, {"databaseName": "rdsadmin"}, {}, "databaseName", "RDS makes itself"),
    "host with a managed one": (PROD, {"databaseHost": "db.test"}, {}, "databaseHost", "with airflow:database managed"),
    "password of a managed one": (PROD, {}, {"databasePassword": "x" * 12}, "databasePassword", "managed, found one"),
    "identifier of an external one": (EXTERNAL, {"databaseIdentifier": "a"}, {}, "databaseIdentifier", "external"),
    "container with the stack's keys in AWS": (
        PROD,
        {"database": "container", "databaseIdentifier": "", "databaseAlarmTopicArn": ""},
        {},
        "database",
        "without backups",
    ),
    # TLS to an external database
    "nothing to verify with": (
        EXTERNAL,
        {"databaseSslMode": "verify-full"},
        {},
        "databaseCaCertificate",
        "authority's certificate with airflow:databaseSslMode verify-full",
    ),
    "authority that nobody asks": (
        EXTERNAL,
        {"databaseCaCertificate": rds_certificates("eu-central-1")},
        {},
        "databaseCaCertificate",
        "which verifies nothing",
    ),
    "authority that is none": (
        EXTERNAL,
        {"databaseSslMode": "verify-full", "databaseCaCertificate": "my CA"},
        {},
        "databaseCaCertificate",
        "CA certificates in PEM",
    ),
    "authority with a container": (
        DEV,
        {"databaseCaCertificate": rds_certificates("eu-central-1")},
        {},
        "databaseCaCertificate",
        "with airflow:database container",
    ),
    "small external database": (
        EXTERNAL,
        {"databaseMaxConnections": 40},
        {},
        "databaseMaxConnections",
        "connections to the database at the peak",
    ),
    "connections in words": (
        EXTERNAL,
        {"databaseMaxConnections": "many"},
        {},
        "databaseMaxConnections",
        "whole number",
    ),
    "small external database without PgBouncer": (
        EXTERNAL,
        {"databaseMaxConnections": 200, "pgbouncerEnabled": False},
        {},
        "pgbouncerEnabled",
        "put PgBouncer between them",
    ),
    # Task logs in S3
    "S3 outside of AWS": (EXTERNAL, {"taskLogs": "s3"}, {}, "taskLogs", "the bucket is in AWS"),
    "logs of no day": (PROD, {"taskLogsRetentionDays": 0}, {}, "taskLogsRetentionDays", "from 1 to 3650"),
    "identity": (PROD, {"podIdentity": "keys"}, {}, "podIdentity", '"eks-pod-identity", "irsa"'),
    # Ingress
    "host as a URL": (PROD, {"ingressHost": "https://airflow.test"}, {}, "ingressHost", "a host name"),
    "host of one label": (PROD, {"ingressHost": "airflow"}, {}, "ingressHost", "a host name"),
    "class with a capital": (
        PROD,
        {"ingressClass": "ALB"},
        {},
        "ingressClass",
        "an ingress class such as alb or nginx, in lower case",
    ),
    "ALB without a certificate": (
        PROD,
        {"ingressCertificateArn": ""},
        {},
        "ingressCertificateArn",
        "with the class alb",
    ),
    "certificate by its name": (PROD, {"ingressCertificateArn": "mine"}, {}, "ingressCertificateArn", "ARN of an ACM"),
    "ALB with a Secret": (PROD, {"ingressTlsSecret": "tls"}, {}, "ingressTlsSecret", "whose certificates are in ACM"),
    "scheme": (PROD, {"ingressScheme": "public"}, {}, "ingressScheme", '"internal", "internet-facing"'),
    "annotations as a list": (PROD, {"ingressAnnotations": ["a"]}, {}, "ingressAnnotations", "a map"),
    "nginx with a certificate of ACM": (
        PROD,
        {"ingressClass": "nginx", "ingressTlsSecret": "tls"},
        {},
        "ingressCertificateArn",
        "a class other than alb",
    ),
    "nginx without TLS": (
        EXTERNAL,
        {"ingressHost": "airflow.test.example", "ingressClass": "nginx", "uiNamespaces": ["ingress-nginx"]},
        {},
        "ingressTlsSecret",
        "takes passwords",
    ),
    "load balancer that may not enter": (PROD, {"uiCidrs": []}, {}, "uiCidrs", "networks of the load balancer"),
    "controller that may not enter": (
        EXTERNAL,
        {"ingressHost": "airflow.test.example", "ingressClass": "nginx", "ingressTlsSecret": "tls"},
        {},
        "uiNamespaces",
        "namespace of the ingress controller",
    ),
    "network of the UI": (PROD, {"uiCidrs": ["anywhere"]}, {}, "uiCidrs", "networks"),
    "class without a host": (DEV, {"ingressClass": "nginx"}, {}, "ingressClass", "without airflow:ingressHost"),
    "Secret without a host": (DEV, {"ingressTlsSecret": "tls"}, {}, "ingressTlsSecret", "without airflow:ingressHost"),
}


def changed(stack: str, changes: Mapping[str, Any], secrets: Mapping[str, str]) -> StackConfig:
    return STACKS[stack]().with_(changes, secrets)


@pytest.mark.parametrize("case", BAD)
def test_bad_config_is_one_problem_that_names_the_key_what_is_expected_and_the_mend(case: str) -> None:
    stack, changes, secrets, key, says = BAD[case]
    config = changed(stack, changes, secrets)
    problems = config.problems()
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"airflow:{key}: "), problems
    assert says in problems[0]
    assert ". Fix: " in problems[0]
    assert "\n" not in problems[0]
    command = problems[0].rsplit(". Fix: ", 1)[1]
    assert f"airflow:{key}" in command or key in ("database", "helmValues") or f"Pulumi.{config.stack}.yaml" in command
    for verb in ("pulumi config set", "pulumi config rm"):
        assert command.count(verb) == command.count(f"{verb} --stack {config.stack} "), "of another stack"
    if key in settings.SECRET_KEYS and command.startswith("pulumi config set"):
        assert "--secret" in command, "a secret must never be set in plain text"
    assert len(problems[0]) < 700


def test_there_are_enough_bad_cases() -> None:
    assert len(BAD) >= 150
    assert {case[3] for case in BAD.values()} >= set(schema()), "each key has a case"


def test_all_problems_are_listed_at_once() -> None:
    config = dev().with_({"namespace": "A", "executor": "B", "workerReplicas": "C", "unheardOf": "D", "imageTag": ""})
    problems = config.problems()
    named = [problem.split(":")[1] for problem in problems]
    assert sorted(named) == ["executor", "imageTag", "namespace", "unheardOf", "workerReplicas"]
    with pytest.raises(settings.SettingsError, match="config of stack dev: 5 problems") as error:
        config.parse()
    assert str(error.value).count("\n") == 5


def test_every_bad_network_of_a_list_is_named() -> None:
    problems = external().with_({"databaseCidrs": ["10.0.0.1/8", "10.0.0.0/8", "x"]}).problems()
    assert len([problem for problem in problems if "databaseCidrs" in problem]) == 2


def test_mend_of_a_bad_entry_is_of_that_entry() -> None:
    problems = external().with_({"databaseCidrs": ["10.0.0.0/8", "x", 5]}).problems()
    for index, problem in zip((1, 2), problems, strict=True):
        assert f"--path 'airflow:databaseCidrs[{index}]'" in problem


@pytest.mark.parametrize("key", ["uiCidrs", "egressExceptCidrs", "databaseCidrs"])
def test_address_without_a_prefix_length_is_no_network(key: str) -> None:
    [problem] = external().with_({key: ["10.0.16.0"]}).problems()
    assert problem.startswith(f"airflow:{key}: expected networks with a prefix length, such as 10.0.0.0/16, found")


@pytest.mark.parametrize(
    ("stack", "changes", "key"),
    [
        (PROD, {"database": "manged"}, "database"),
        (EXTERNAL, {"database": "externl", "databaseCaCertificate": rds_certificates("eu-central-1")}, "database"),
        (DEV, {"database": "conainer"}, "database"),
        (
            EXTERNAL,
            {"databaseSslMode": "verifyfull", "databaseCaCertificate": rds_certificates("eu-central-1")},
            "databaseSslMode",
        ),
        (EXTERNAL, {"networkIsolation": "of", "databaseCidrs": []}, "networkIsolation"),
        (PROD, {"networkIsolation": "of", "uiCidrs": []}, "networkIsolation"),
        (EXTERNAL, {"pgbouncerEnabled": "yes", "workerScaling": "keda"}, "pgbouncerEnabled"),
        (DEV, {"executor": "Kubernetes", "taskLogs": "worker", "releaseTimeoutSeconds": 600}, "executor"),
        (DEV, {"protect": "no"}, "protect"),
        (PROD, {"keySource": "escro", "keyEscrow": ""}, "keySource"),
    ],
)
def test_misspelt_choice_is_not_taken_for_another_one(stack: str, changes: dict[str, Any], key: str) -> None:
    """What would follow from a choice that nobody made is not told."""
    problems = changed(stack, changes, {}).problems()
    assert [problem.split(": ")[0] for problem in problems] == [f"airflow:{key}"]


def test_choice_with_a_comma_in_it_can_be_told_from_two() -> None:
    [problem] = dev().with_({"executor": "Celery"}).problems()
    assert 'expected one of "CeleryExecutor", "KubernetesExecutor", "CeleryExecutor,KubernetesExecutor", ' in problem


@pytest.mark.parametrize(
    ("changes", "secrets", "mend"),
    [
        (SSH, {"gitSshPrivateKey": "x"}, "--secret airflow:gitSshPrivateKey < KEY_FILE"),
        ({}, {"registryCredentials": "x"}, "--secret airflow:registryCredentials < CONFIG_FILE"),
        (
            {"databaseSslMode": "verify-full", "databaseCaCertificate": "x"},
            {},
            "airflow:databaseCaCertificate < CA_FILE",
        ),
        ({}, {"databaseCaCertificate": "x"}, "--plaintext airflow:databaseCaCertificate < CA_FILE"),
        ({}, {"dagsToken": "a\nb"}, "--secret airflow:dagsToken"),
    ],
)
def test_value_of_several_lines_is_mended_from_a_file(
    changes: dict[str, Any], secrets: dict[str, str], mend: str
) -> None:
    """The command asks for one line where nothing is redirected into it."""
    problems = external().with_(changes, secrets).problems()
    assert any(problem.endswith(f". Fix: pulumi config set --stack prod {mend}") for problem in problems), problems


def test_every_kind_of_problem_in_helm_values_comes_at_once() -> None:
    given = {"executor": "x", "schedular": {}, "scheduler": {"terminationGracePeriodSeconds": "ten", "resource": {}}}
    problems = dev().with_({"helmValues": given}).problems()
    for path in (
        "executor is set",
        "schedular is not",
        "scheduler.resource is not",
        "scheduler.terminationGracePeriod",
    ):
        assert len([problem for problem in problems if f"airflow:helmValues: {path}" in problem]) == 1, path
    assert len(problems) == 4


def test_keys_of_other_programs_are_nobody_s_business() -> None:
    config = dev()
    values = {**config.values, "aws:region": "eu-central-1", "kubernetes:context": "x"}
    settings.parse(values, config.secret_keys, "dev")


# Secrets


def chain(error: BaseException) -> str:
    """All that a traceback with local variables left out would show, of causes and contexts too."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


def assert_silent(text: str, given: Mapping[str, str]) -> None:
    for key, value in given.items():
        for trace in samples.traces(key, value):
            assert trace not in text, f"{key} is shown"


def break_(value: str) -> str:
    """A value that no check of a secret accepts, with the whole secret in it."""
    return f"{value}\x07\n"


@pytest.mark.parametrize("stack", [DEV, PROD])
@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda key: ({}, {key: sentinels()[key]}), id="good"),
        pytest.param(lambda key: ({}, {key: break_(sentinels()[key])}), id="broken"),
        pytest.param(lambda key: ({}, {key: samples.traces(key, sentinels()[key])[0][:6]}), id="short"),
        pytest.param(lambda key: ({key: sentinels()[key]}, {}), id="plain"),
    ],
)
@pytest.mark.parametrize("key", sorted(settings.SECRET_KEYS))
def test_no_error_shows_a_secret(
    stack: str, given: Callable[[str], tuple[dict[str, str], dict[str, str]]], key: str
) -> None:
    plain, secret = given(key)
    config = changed(stack, {**plain, "unheardOf": "x"}, secret)
    with pytest.raises(settings.SettingsError) as error:
        config.parse()
    value = {**plain, **secret}[key]
    assert value not in chain(error.value)
    assert samples.traces(key, sentinels()[key])[0] not in chain(error.value)


def test_no_error_shows_a_value_that_is_encrypted_without_need() -> None:
    """Whoever encrypts a value holds it for a secret, whatever the program thinks of its key."""
    for key in sorted(schema().keys() - settings.SECRET_KEYS):
        config = dev().with_(secrets={key: "sentinel encrypted\x07value"})
        with pytest.raises(settings.SettingsError) as error:
            config.parse()
        assert "sentinel" not in chain(error.value), key
        assert any(problem.startswith(f"airflow:{key}: expected plain text") for problem in error.value.problems)


def test_good_settings_hold_the_secrets_and_do_not_show_them() -> None:
    secrets = all_secrets(but=["dagsToken"])
    loaded = external().with_(secrets=secrets).parse()
    assert_silent(repr(loaded) + str(loaded) + f"{loaded}", secrets)
    keys, database = loaded.platform.keys, loaded.platform.database
    assert isinstance(database, ExternalDatabase)
    assert keys.fernet_key == Secret(secrets["fernetKey"])
    assert keys.api_secret_key == Secret(secrets["apiSecretKey"])
    assert keys.jwt_secret == Secret(secrets["jwtSecret"])
    assert keys.redis_password == Secret(secrets["redisPassword"])
    assert keys.admin_password == Secret(secrets["adminPassword"])
    assert database.database.password == Secret(secrets["databasePassword"])
    assert loaded.platform.git.ssh_private_key == Secret(secrets["gitSshPrivateKey"])
    assert loaded.platform.registry_credentials == Secret(secrets["registryCredentials"])


def test_known_password_is_for_a_stack_that_may_be_thrown_away() -> None:
    assert dev().with_({"adminPassword": "admin"}).problems() == ()
    refused = prod().with_({"adminPassword": "admin"}).problems()
    assert [problem.split(":")[1] for problem in refused] == ["adminPassword"]
    assert prod().with_(secrets={"adminPassword": "admin"}).problems() == ()


def test_only_the_admin_password_may_be_plain() -> None:
    for key in settings.SECRET_KEYS - {"adminPassword"}:
        problems = dev().with_({key: sentinels()[key]}).problems()
        assert any(problem.startswith(f"airflow:{key}: expected an encrypted value") for problem in problems), key


# The shipped files


def test_dev_is_valid_as_shipped(tmp_path: Path) -> None:
    settings.check(samples.ship(tmp_path), "dev")
    platform = dev().parse().platform
    assert platform.kube_context == "kind-airflow"
    assert platform.protect is False
    assert isinstance(platform.database, ContainerDatabase)
    assert platform.isolation.mode is Isolation.WANTED
    assert platform.dags.repository.url == "https://github.com/apache/airflow.git"
    assert (platform.dags.ref, platform.dags.sub_path) == ("main", "airflow-core/src/airflow/example_dags")
    assert (platform.dags.sync_period_seconds, platform.dags.depth) == (30, 1)
    assert platform.executor is Executor.CELERY
    assert platform.pgbouncer is None
    assert platform.load_examples is False


def test_prod_lacks_its_deploy_key_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.check(samples.ship(tmp_path), "prod")
    assert [problem.split(":")[1] for problem in error.value.problems] == ["gitSshPrivateKey"]
    assert "pulumi config set --stack prod --secret" in error.value.problems[0]


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


def committed(folder: Path, stack: str, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the project's files in `folder`, one stack changed."""
    samples.ship(folder)
    content = yaml.safe_load((folder / f"Pulumi.{stack}.yaml").read_text())
    change(content["config"])
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_encrypted_values_count_as_given_where_they_cannot_be_read(tmp_path: Path) -> None:
    def encrypt(config: dict[str, Any]) -> None:
        config["airflow:gitSshPrivateKey"] = {"secure": "v1:abc:def"}

    settings.check(committed(tmp_path, "prod", encrypt), "prod")


def test_encrypted_value_that_does_not_belong_is_found_without_reading_it(tmp_path: Path) -> None:
    def encrypt(config: dict[str, Any]) -> None:
        config["airflow:databasePassword"] = {"secure": "v1:abc:def"}

    with pytest.raises(settings.SettingsError, match="airflow:databasePassword: expected none"):
        settings.check(committed(tmp_path, "dev", encrypt), "dev")


def test_missing_stack_file_is_one_clear_error(tmp_path: Path) -> None:
    shutil.copy(samples.ROOT / "Pulumi.yaml", tmp_path)
    with pytest.raises(settings.SettingsError) as error:
        settings.check(tmp_path, "qa")
    assert error.value.problems == ("expected a file Pulumi.qa.yaml, found none. Fix: pulumi stack init qa",)


def test_broken_stack_file_is_one_error_that_does_not_quote_it(tmp_path: Path) -> None:
    shutil.copy(samples.ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "Pulumi.qa.yaml").write_text("config:\n  airflow:adminPassword: 'sentinel\n  x: [\n")
    with pytest.raises(settings.SettingsError) as error:
        settings.check(tmp_path, "qa")
    assert len(error.value.problems) == 1
    assert "expected YAML in Pulumi.qa.yaml, line " in error.value.problems[0]
    assert "sentinel" not in chain(error.value)


@pytest.mark.parametrize("content", ["- a\n- b\n", "text", "config: []", "config: text", ""])
def test_stack_file_of_another_shape_is_one_clear_error(content: str, tmp_path: Path) -> None:
    shutil.copy(samples.ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "Pulumi.qa.yaml").write_text(content)
    with pytest.raises(settings.SettingsError):
        settings.check(tmp_path, "qa")


def problems_of(folder: Path, config: str) -> tuple[str, ...]:
    """What a check says of a stack's file with these lines in its `config`, beside the least that a laptop's needs."""
    shutil.copy(samples.ROOT / "Pulumi.yaml", folder)
    needed = {"kubeContext": "kind-airflow", "protect": "false", "database": "container", "networkIsolation": "wanted"}
    given = yaml.load(config, Loader=yaml.BaseLoader)  # noqa: S506 - makes texts of all
    lines = [*config.splitlines(), *(f"{key}: {value}" for key, value in needed.items() if key not in given)]
    (folder / "Pulumi.dev.yaml").write_text("\n  ".join(["config:", *lines]))
    try:
        settings.check(folder, "dev")
    except settings.SettingsError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    "key", ["namespace", "imageTag", "kubeContext", "protect", "workerReplicas", "uiCidrs", "dagsToken"]
)
@pytest.mark.parametrize("nothing", ["", " ~", " null"])
def test_key_without_a_value_is_refused_and_is_no_text(key: str, nothing: str, tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, f"{key}:{nothing}")
    assert problem.startswith(f'airflow:{key}: expected a value, found none (an empty text is "")')
    assert ". Fix: pulumi config set --stack dev " in problem


def test_empty_text_is_a_value(tmp_path: Path) -> None:
    assert problems_of(tmp_path, 'chartPath: ""') == ()


@pytest.mark.parametrize(
    ("line", "kind", "mend"),
    [
        ("imageTag: 3.10", "a number", '"3.10"'),
        ("imageTag: 0123456", "a number", '"0123456"'),
        ("imageTag: 1e5", "a number", '"1e5"'),  # to the engine, not to PyYAML
        ("imageTag: 0899999", "a number", '"0899999"'),
        ("imageTag: 0o17", "a number", '"0o17"'),
        ("databaseEngineVersion: 17.10 # why", "a number", '"17.10"'),
        ("awsAccountId: 012345670123", "a number", '"012345670123"'),
        ("networkIsolation: off", "a boolean", '"off"'),
        ("imageTag: 2026-01-15", "a date", '"2026-01-15"'),
        ("imageTag: 2026-1-5", "a date", '"2026-1-5"'),
        ("imageTag: 2026-01-15 10:00:00", "a date", '"2026-01-15 10:00:00"'),
    ],
)
def test_text_without_the_quotes_that_it_needs_is_refused_as_it_stands(
    line: str, kind: str, mend: str, tmp_path: Path
) -> None:
    [problem] = problems_of(tmp_path, line)
    key = line.partition(":")[0]
    assert problem == f"airflow:{key}: expected text, found {kind}. Fix: write it in quotes in Pulumi.dev.yaml: {mend}"


@pytest.mark.parametrize(
    "line", ["imageTag: '3.10'", 'imageTag: "1e5"', "imageTag: 3.2.2", "imageTag: 1a2b3c4", "imageTag: 3.2.2-7"]
)
@pytest.mark.parametrize("prefix", ["", "airflow:"])
def test_text_in_quotes_or_without_need_of_them_is_accepted(line: str, prefix: str, tmp_path: Path) -> None:
    assert problems_of(tmp_path, prefix + line) == ()


def test_secret_without_quotes_is_refused_and_not_shown(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "adminPassword: 31415926")
    assert problem.startswith("airflow:adminPassword: expected text, found a number. Fix: write it in quotes")
    assert "31415926" not in problem


@pytest.mark.parametrize(
    "line", ["workerReplicas: 2026-01-15", "helmValues: {labels: {since: 2026-01-15}}", "colour: 2026-01-15"]
)
def test_date_where_json_has_none_is_refused(line: str, tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, line)
    assert problem.startswith(
        f"airflow:{line.partition(':')[0]}: expected texts, numbers, booleans, lists or maps, found "
    )


def test_all_that_is_wrong_in_a_file_comes_at_once_with_all_else(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "imageTag: 3.10\nnamespace:\nworkerReplicas: 0\nairfow:size: large")
    named = sorted(problem.partition(": ")[0] for problem in problems)
    assert named == ["airflow:imageTag", "airflow:namespace", "airflow:workerReplicas", "airfow:size"]
    with pytest.raises(settings.SettingsError, match="3 problems"):
        settings.read_files(tmp_path, "dev")


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("database: 5", "database"),
        ("database:\ndatabaseCaCertificate: ''", "database"),
        ("eksCluster:", "eksCluster"),
        ("dagsRepository: 5\ngitKnownHosts: git.test ssh-ed25519 AAAA", "dagsRepository"),
        ("protect:\nadminPassword: admin", "protect"),
        ("workerGraceSeconds:\ntaskLogs: worker\nreleaseTimeoutSeconds: 100", "workerGraceSeconds"),
    ],
)
def test_default_does_not_stand_in_for_a_bad_value(lines: str, key: str, tmp_path: Path) -> None:
    """What would follow from a default that nobody meant is not told."""
    assert [problem.partition(": ")[0] for problem in problems_of(tmp_path, lines)] == [f"airflow:{key}"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("airfow:networkIsolation: off", "begins with airflow: or pulumi:, found another"),
        ("airfow:networkIsolation: required", "did you mean airflow:networkIsolation?"),
        ("Airflow:size: large", "did you mean airflow:size?"),
        ("aws:region: eu-central-1", "has no effect: the program tells the provider aws itself"),
        ("kubernetes:context: x", "has no effect: the program tells the provider kubernetes itself"),
    ],
)
def test_key_that_nothing_reads_is_refused(line: str, says: str, tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, line)
    key = line.partition(": ")[0]
    assert problem.startswith(f"{key}: ")
    assert says in problem
    assert problem.endswith(f". Fix: pulumi config rm --stack dev {key}")


def test_file_whose_map_has_another_name_says_what_is_there(tmp_path: Path) -> None:
    shutil.copy(samples.ROOT / "Pulumi.yaml", tmp_path)
    for content in ("Config:\n  airflow:size: small\n", "airflow:size: small\nencryptionsalt: x\n"):
        (tmp_path / "Pulumi.qa.yaml").write_text(content)
        with pytest.raises(settings.SettingsError) as error:
            settings.check(tmp_path, "qa")
        top = ", ".join(yaml.safe_load(content))
        assert error.value.problems == (
            f"expected a map config in Pulumi.qa.yaml, found at its top: {top}. Fix: edit it",
        )


@pytest.mark.parametrize("content", ["", "encryptionsalt: v1:x\n", "config:\nsecretsprovider: awskms://x\n"])
def test_file_that_says_nothing_yet_lacks_what_the_settings_lack(content: str, tmp_path: Path) -> None:
    shutil.copy(samples.ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "Pulumi.qa.yaml").write_text(content)
    with pytest.raises(settings.SettingsError, match="airflow:kubeContext: expected a value, or airflow:eksCluster"):
        settings.check(tmp_path, "qa")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"config:\n  airflow:size: \xe9\n", "expected UTF-8 in Pulumi.qa.yaml"),
        (b"config: " + b"[" * 1000, "found too many levels"),
        (b"config:\n  airflow:imageTag: 2026-13-45\n", "found a date or a number that cannot be"),
        (b"config:\n  airflow:imageTag: " + b"9" * 5000, "found a date or a number that cannot be"),
        (None, "expected a file Pulumi.qa.yaml that can be read, found none (Is a directory)"),
    ],
)
def test_file_that_cannot_be_read_is_one_clear_error(content: bytes | None, says: str, tmp_path: Path) -> None:
    shutil.copy(samples.ROOT / "Pulumi.yaml", tmp_path)
    path = tmp_path / "Pulumi.qa.yaml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(settings.SettingsError) as error:
        settings.check(tmp_path, "qa")
    [problem] = error.value.problems
    assert says in problem
    assert "Fix" in problem
    assert str(tmp_path) not in problem


def test_schema_has_type_default_and_description_of_every_key() -> None:
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    for key, entry in schema().items():
        assert set(entry) >= {"type", "default", "description"}, key
        assert type(entry["default"]) is kinds[entry["type"]], key
        assert entry["description"].endswith("."), key
        assert (key in settings.SECRET_KEYS) == entry["description"].startswith("Secret"), key


def test_program_reads_the_keys_of_the_schema_and_no_other() -> None:
    """A key that only the schema knows would do nothing; one that only the program knows could not be set."""
    nothing = StackConfig("dev", {}, frozenset())
    asked = {
        problem.split(":")[1]
        for problem in nothing.problems()
        if "Pulumi.yaml of this project holds the defaults" in problem
    }
    assert asked == set(schema())


def test_stack_files_say_only_what_differs_from_the_defaults() -> None:
    for stack in ("dev", "prod"):
        given = yaml.safe_load((samples.SHIPPED / f"Pulumi.{stack}.yaml").read_text())["config"]
        for key, value in given.items():
            if key.startswith("airflow:"):
                default = schema()[key.removeprefix("airflow:")]["default"]
                # Two are repeated because a reader looks for them there.
                assert value != default or key in ("airflow:database", "airflow:dagsSubPath"), f"{stack} {key}"


def test_no_default_provider_may_be_used_in_any_stack() -> None:
    for stack in ("dev", "prod"):
        given = yaml.safe_load((samples.SHIPPED / f"Pulumi.{stack}.yaml").read_text())["config"]
        assert set(given["pulumi:disable-default-providers"]) >= {"kubernetes", "aws"}


def test_version_defaults_are_the_pins() -> None:
    assert schema()["imageTag"]["default"] == schema()["airflowVersion"]["default"] == versions.AIRFLOW
    assert versions.AIRFLOW_CHART in schema()["helmValues"]["description"]


# The way from the engine


def test_load_reads_the_engine_s_config_and_finds_the_chart(
    stack_config: Callable[[Mapping[str, str], Iterable[str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Path]] = []

    def find(given: str, project: Path) -> str:
        asked.append((given, project))
        return samples.CHART

    monkeypatch.setattr(loading, "chart_archive", find)
    config = external().with_({"chartPath": "/srv/chart.tgz"})
    stack_config(config.values, config.secret_keys)
    loaded = settings.load()
    assert loaded.platform.chart == samples.CHART
    assert asked == [("/srv/chart.tgz", loading.ROOT)]
    assert loaded.platform == config.parse().platform.__class__(
        **{**vars(config.parse().platform), "chart": samples.CHART}
    )


def test_load_reads_config_from_the_environment_as_the_language_host_gives_it(
    runtime: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "chart_archive", lambda *_: samples.CHART)
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(dict(dev().values)))
    assert settings.load().platform.kube_context == "kind-airflow"


def test_bad_config_stops_before_the_chart_is_looked_for(
    stack_config: Callable[[Mapping[str, str], Iterable[str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "chart_archive", lambda *_: pytest.fail("looked for the chart"))
    stack_config(dev().with_({"executor": "x"}).values, ())
    with pytest.raises(settings.SettingsError):
        settings.load()


# What fits together


def test_isolation_off_needs_no_networks() -> None:
    assert prod().with_({"networkIsolation": "off", "databaseCidrs": []}).problems() == ()


def test_worker_logs_are_for_celery_alone() -> None:
    assert dev().with_({"taskLogs": "worker"}).problems() == ()
    for executor in ("CeleryExecutor,KubernetesExecutor", "KubernetesExecutor,CeleryExecutor"):
        assert len(dev().with_({"taskLogs": "worker", "executor": executor}).problems()) == 1


def test_weaker_tls_is_for_a_database_that_may_be_thrown_away() -> None:
    assert prod().with_({"protect": False, "databaseSslMode": "disable"}).problems() == ()


def test_credentials_of_a_private_https_repository_come_together() -> None:
    loaded = dev().with_({"dagsUsername": "robot"}, {"dagsToken": "token"}).parse()
    assert loaded.platform.git.username == "robot"
    assert loaded.platform.git.token == Secret("token")


@pytest.mark.parametrize("executor", [executor.value for executor in Executor])
def test_every_executor_is_a_legal_value(executor: str) -> None:
    assert dev().with_({"executor": executor}).parse().platform.executor.value == executor


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
