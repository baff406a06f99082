"""A bad config is refused whole: one problem for each bad key, with what is expected and how to fix it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

import settings
from components.database.rds_certificates import rds_certificates
from tests import samples
from tests.samples import StackConfig, all_secrets, dev, external, prod, schema, sentinels, ssh_private_key

SSH: Final = {"dagsRepository": samples.SSH_REPOSITORY}
DEV: Final = "dev"
PROD: Final = "prod"
EXTERNAL: Final = "external"
"""`prod` without AWS; see `samples.external`."""
STACKS: Final[Mapping[str, Callable[[], StackConfig]]] = {DEV: dev, PROD: prod, EXTERNAL: external}
OIDC: Final = {"oidcClientSecret": sentinels()["oidcClientSecret"]}
KEY_SECRETS: Final = {"fernetKey": "team-fernet", "apiSecretKey": "team-api", "jwtSecret": "team-jwt"}
NO_EXTERNAL: Final = {"databaseHost": "", "databaseCidrs": [], "databasePassword": ""}

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
    "the scheduler's account for tasks": (
        DEV,
        {"executor": "KubernetesExecutor", "taskServiceAccounts": ["airflow-scheduler"]},
        {},
        "taskServiceAccounts",
        "a service account of your own",
    ),
    "accounts without task pods": (
        DEV,
        {"taskServiceAccounts": ["etl"]},
        {},
        "taskServiceAccounts",
        "no task pods",
    ),
    "restore of an instance without one": (
        DEV,
        {"restore": "20260131104500 snapshot airflow-prod-a airflow-prod airflow-prod-2 all"},
        {},
        "restore",
        "with airflow:database container",
    ),
    "another instance during a restore": (
        PROD,
        {
            "restore": "20260131104500 moment 2026-01-31T10:45:00Z airflow-prod airflow-prod-2 all",
            "databaseIdentifier": "airflow-prod-3",
        },
        {},
        "databaseIdentifier",
        "expected airflow-prod or airflow-prod-2 during the restore, found airflow-prod-3",
    ),
    "no API server": (DEV, {"apiServerReplicas": 0}, {}, "apiServerReplicas", "from 1 to 50"),
    "too many schedulers": (DEV, {"schedulerReplicas": 51}, {}, "schedulerReplicas", "from 1 to 50"),
    "half a DAG processor": (DEV, {"dagProcessorReplicas": 1.5}, {}, "dagProcessorReplicas", "whole number"),
    "triggerers in words": (DEV, {"triggererReplicas": "two"}, {}, "triggererReplicas", "whole number"),
    "too many workers": (DEV, {"workerReplicas": 1001}, {}, "workerReplicas", "from 1 to 1000"),
    "number too long": (DEV, {"workerReplicas": "9" * 5000}, {}, "workerReplicas", "whole number"),
    "number in other digits": (DEV, {"workerReplicas": "٣"}, {}, "workerReplicas", "whole number"),
    "worker group without a name": (DEV, {"workerGroups": [{}]}, {}, "workerGroups", "[0].name"),
    "policies of tasks outside of AWS": (
        DEV,
        {"taskPolicyArns": ["arn:aws:iam::123456789012:policy/a"]},
        {},
        "taskPolicyArns",
        "expected airflow:eksCluster beside it",
    ),
    "no concurrency": (DEV, {"workerConcurrency": 0}, {}, "workerConcurrency", "from 1 to 1000"),
    "image with a tag": (DEV, {"imageRepository": "apache/airflow:3"}, {}, "imageRepository", "without tag"),
    "image with capitals": (DEV, {"imageRepository": "Apache/Airflow"}, {}, "imageRepository", "an image"),
    "no image": (DEV, {"imageRepository": ""}, {}, "imageRepository", "found none"),
    "moving tag": (DEV, {"imageTag": "latest"}, {}, "imageTag", "always names the same image"),
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
    "user name without token": (DEV, {"dagsUsername": "robot"}, {}, "dagsToken", "beside airflow:dagsUsername"),
    "token without user name": (
        DEV,
        {},
        all_secrets(but=sentinels().keys() - {"dagsToken"}),
        "dagsUsername",
        "beside airflow:dagsToken",
    ),
    "token and a Secret": (DEV, {"dagsTokenSecret": "a", "dagsUsername": "b"}, {}, "dagsUsername", "has the login"),
    "Secret of the stack": (DEV, {"dagsTokenSecret": "airflow-git-token-1"}, {}, "dagsTokenSecret", "of your own"),
    "two logins": (
        DEV,
        {"dagsTokenSecret": "a", "dagsGithubAppSecret": "b"},
        {},
        "dagsGithubAppSecret",
        "must not be set beside airflow:dagsTokenSecret",
    ),
    "bundle with a misspelt entry": (
        DEV,
        {"dagBundles": [{"name": "a", "repository": "https://git.test/a.git", "branch": "main"}]},
        {},
        "dagBundles",
        "is not an entry of a bundle; use ref",
    ),
    "submodules": (DEV, {"dagsSubmodules": "all"}, {}, "dagsSubmodules", "recursive, shallow, off"),
    "token on two lines": (DEV, {"dagsUsername": "robot"}, {"dagsToken": "tok\nen"}, "dagsToken", "on one line"),
    "token in plain text": (DEV, {"dagsUsername": "robot", "dagsToken": "plain"}, {}, "dagsToken", "disclosed"),
    "issuer without TLS": (DEV, {**samples.OIDC, "oidcIssuer": "http://x.test"}, OIDC, "oidcIssuer", "the HTTPS URL"),
    "issuer without a scheme": (DEV, {**samples.OIDC, "oidcIssuer": "x.test"}, OIDC, "oidcIssuer", "the HTTPS URL"),
    "issuer with a query": (
        DEV,
        {**samples.OIDC, "oidcIssuer": "https://x.test/?t=1"},
        OIDC,
        "oidcIssuer",
        "HTTPS URL",
    ),
    "issuer with a bad port": (
        DEV,
        {**samples.OIDC, "oidcIssuer": "https://x.test:y"},
        OIDC,
        "oidcIssuer",
        "HTTPS URL",
    ),
    "issuer's metadata": (
        DEV,
        {**samples.OIDC, "oidcIssuer": "https://x.test/.well-known/openid-configuration"},
        OIDC,
        "oidcIssuer",
        "leave out /.well-known",
    ),
    "issuer without a client": (DEV, {**samples.OIDC, "oidcClientId": ""}, OIDC, "oidcClientId", "found none"),
    "client without an issuer": (DEV, {"oidcClientId": "x"}, {}, "oidcClientId", "without airflow:oidcIssuer"),
    "client without its secret": (DEV, samples.OIDC, {}, "oidcClientSecret", "found none"),
    "login for nobody": (DEV, {**samples.OIDC, "oidcRoles": {}}, OIDC, "oidcRoles", "nobody could log in"),
    "group without a role": (DEV, {**samples.OIDC, "oidcRoles": {"x": ""}}, OIDC, "oidcRoles", "a role of Airflow"),
    "role of Airflow in small letters": (
        DEV,
        {**samples.OIDC, "oidcRoles": {"x": "admin"}},
        OIDC,
        "oidcRoles",
        "such as Admin, Op",
    ),
    "group with several roles": (DEV, {**samples.OIDC, "oidcRoles": {"x": ["Op"]}}, OIDC, "oidcRoles", "texts"),
    "scopes without openid": (DEV, {**samples.OIDC, "oidcScopes": "profile"}, OIDC, "oidcScopes", "openid among them"),
    "empty claim of groups": (DEV, {**samples.OIDC, "oidcGroupsClaim": ""}, OIDC, "oidcGroupsClaim", "found none"),
    "default role on two lines": (
        DEV,
        {**samples.OIDC, "oidcDefaultRole": "a\nb"},
        OIDC,
        "oidcDefaultRole",
        "a role of Airflow",
    ),
    "default role in small letters": (
        DEV,
        {**samples.OIDC, "oidcDefaultRole": "viewer"},
        OIDC,
        "oidcDefaultRole",
        "such as Admin, Op",
    ),
    "connection that is none": (DEV, {}, {"connections": '{"x": "y"}'}, "connections", "x: expected a connection"),
    "connection in plain text": (DEV, {"connections": {"x": "a://b"}}, {}, "connections", "disclosed"),
    "variable without a value": (DEV, {}, {"variables": '{"x": null}'}, "variables", "x: expected a text"),
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
    "schedule of backups": (DEV, {"backupSchedule": "daily"}, {}, "backupSchedule", "five fields"),
    "backups without a volume": (DEV, {"backupSchedule": "@daily"}, {}, "backupStorageGib", "the size of a volume"),
    "dumps without a bucket": (DEV, {"backupStore": "bucket"}, {}, "backupStore", "which has no bucket, found bucket"),
    "dumps in a bucket with a volume": (
        PROD,
        {"backupStore": "bucket", "backupStorageGib": 5},
        {},
        "backupStorageGib",
        "must not be set with airflow:backupStore bucket",
    ),
    "dumps in a bucket of Google": (
        DEV,
        {"backupStore": "bucket", "taskLogs": "remote", "taskLogsUrl": "gs://logs/airflow"},
        {},
        "backupStore",
        "dumps go to S3, or to what speaks its API. Fix: pulumi config set",
    ),
    "dumps in a bucket without credentials": (
        DEV,
        {"backupStore": "bucket", "taskLogs": "remote", "taskLogsUrl": "s3://logs/airflow"},
        {},
        "backupStore",
        "expected airflow:taskLogsConnectionSecret beside bucket without an EKS cluster",
    ),
    "retention of backups": (DEV, {"backupRetentionDays": -1}, {}, "backupRetentionDays", "from 0 to 3650"),
    "restore that nobody began": (DEV, {"restore": "all of it"}, {}, "restore", "python -m automation restore"),
    "large volume of backups": (DEV, {"backupStorageGib": 70_000}, {}, "backupStorageGib", "from 0 to 65536"),
    "rotation that nobody began": (DEV, {"rotation": "fernet"}, {}, "rotation", "python -m automation rotate"),
    "upgrade that nobody began": (DEV, {"upgrade": "3.3.2"}, {}, "upgrade", "python -m automation upgrade"),
    "value of a rotation in plain text": (DEV, {"rotationSecret": "12345678"}, {}, "rotationSecret", "encrypted"),
    "admin password on two lines": (DEV, {"adminPassword": "a\nb"}, {}, "adminPassword", "on one line"),
    "admin password in plain text": (EXTERNAL, {"adminPassword": "admin"}, {}, "adminPassword", "encrypted"),
    "user name with a space": (DEV, {"adminUsername": "the admin"}, {}, "adminUsername", "user name"),
    "no address": (DEV, {"adminEmail": "admin"}, {}, "adminEmail", "e-mail address"),
    "kind of database": (DEV, {"database": "rds"}, {}, "database", '"container", "external"'),
    "host with a container": (
        DEV,
        {"databaseHost": "db.test"},
        {},
        "databaseHost",
        "must not be set with airflow:database container",
    ),
    "password with a container": (
        DEV,
        {},
        {"databasePassword": "secret"},
        "databasePassword",
        "must not be set with airflow:database container",
    ),
    "networks with a container": (
        DEV,
        {"databaseCidrs": ["10.0.0.0/8"]},
        {},
        "databaseCidrs",
        "must not be set with airflow:database container",
    ),
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
    "broker of another kind": (
        EXTERNAL,
        {"brokerCidrs": ["10.0.48.0/20"]},
        {"brokerUrl": "amqp://u:sentinel@mq.test/"},
        "brokerUrl",
        "RabbitMQ",
    ),
    "broker without networks": (EXTERNAL, {}, {"brokerUrl": sentinels()["brokerUrl"]}, "brokerCidrs", "found none"),
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
    "master user's password of a container": (
        DEV,
        {},
        {"databaseLogin": "airflow_0a1b2c:a-secret-of-nobody", "databaseMasterPassword": "a-secret-of-nobody"},
        "databaseMasterPassword",
        "must not be set with airflow:database container",
    ),
    "master user's password where Airflow logs in as the master": (
        PROD,
        {},
        {"databaseMasterPassword": "a-secret-of-nobody"},
        "databaseMasterPassword",
        "must not be set without airflow:databaseLogin",
    ),
    "master user's password that RDS refuses": (
        PROD,
        {},
        {"databaseLogin": "role:a-secret-of-nobody", "databaseMasterPassword": "with a / and @"},
        "databaseMasterPassword",
        "8 to 128 printable ASCII characters",
    ),
    "master user as the login": (
        PROD,
        {},
        {"databaseLogin": "airflow:a-secret-of-nobody"},
        "databaseLogin",
        "found airflow",
    ),
    "owner as the login": (
        PROD,
        {},
        {"databaseLogin": "airflow_owner:a-secret-of-nobody"},
        "databaseLogin",
        "owner, found",
    ),
    "role that nothing makes in a container": (
        DEV,
        {},
        {"databaseLogin": "robot:a-secret-of-nobody"},
        "databaseLogin",
        "expected what a rotation wrote, found the role robot, which nothing makes in a database container",
    ),
    "owner of a container as the login": (
        DEV,
        {},
        {"databaseLogin": "airflow:a-secret-of-nobody"},
        "databaseLogin",
        "found the role airflow",
    ),
    "role without a password": (DEV, {}, {"databaseLogin": "role"}, "databaseLogin", "expected ROLE:PASSWORD"),
    "no role": (DEV, {}, {"databaseLogin": ":a-secret-of-nobody"}, "databaseLogin", "expected a PostgreSQL name"),
    "pool too large": (DEV, {"pgbouncerPoolSize": 1001}, {}, "pgbouncerPoolSize", "from 0 to 1000"),
    "few clients": (
        EXTERNAL,
        {"pgbouncerMaxClientConnections": 9},
        {},
        "pgbouncerMaxClientConnections",
        "10 to 100000",
    ),
    "place of logs": (DEV, {"taskLogs": "gcs"}, {}, "taskLogs", '"volume", "worker", "s3"'),
    "no room for logs": (DEV, {"taskLogsStorageGib": 0}, {}, "taskLogsStorageGib", "from 1"),
    "access mode": (DEV, {"taskLogsAccessMode": "RWX"}, {}, "taskLogsAccessMode", "ReadWriteMany"),
    "storage class with a capital": (
        EXTERNAL,
        {"taskLogsStorageClass": "EFS"},
        {},
        "taskLogsStorageClass",
        "a storage class",
    ),
    "claim with a capital": (EXTERNAL, {"taskLogsClaim": "My_Logs"}, {}, "taskLogsClaim", "a claim"),
    "logs that go with their pods": (
        DEV,
        {"executor": "KubernetesExecutor", "taskLogs": "worker"},
        {},
        "taskLogs",
        "lost with its pod",
    ),
    "isolation": (DEV, {"networkIsolation": "on"}, {}, "networkIsolation", '"required", "wanted", "off"'),
    "preflight": (DEV, {"preflight": "on"}, {}, "preflight", '"required", "wanted", "off"'),
    "exception that is no network": (DEV, {"egressExceptCidrs": ["metadata"]}, {}, "egressExceptCidrs", "networks"),
    "exceptions as a map": (DEV, {"egressExceptCidrs": {"a": "b"}}, {}, "egressExceptCidrs", "a list of texts"),
    "DNS that is none": (DEV, {"clusterDns": ["8.8.8.8/8"]}, {}, "clusterDns", "expected a namespace or an address"),
    "egress to nothing": (DEV, {"extraEgress": [{"components": ["all"]}]}, {}, "extraEgress", "found neither"),
    "path that ends with a slash": (EXTERNAL, {"ingressPath": "/a/"}, {}, "ingressPath", "without a slash at its end"),
    "TLS elsewhere of nothing": (EXTERNAL, {"ingressTlsElsewhere": "yes"}, {}, "ingressTlsElsewhere", "true or false"),
    "proxy without a length": (EXTERNAL, {"trustedProxyCidrs": ["10.0.0.1"]}, {}, "trustedProxyCidrs", "prefix length"),
    "mirror that is a URL": (
        DEV,
        {"imageMirrors": {"quay.io": "https://mirror.test/quay"}},
        {},
        "imageMirrors",
        "without https://",
    ),
    "mirror of no image": (
        DEV,
        {"imageMirrors": {"gcr.io": "mirror.test/gcr"}},
        {},
        "imageMirrors",
        "docker.io, quay.io, registry.k8s.io, found gcr.io",
    ),
    "mirror of an address": (DEV, {"imageMirrors": {"https://quay.io": "m.test"}}, {}, "imageMirrors", "docker.io"),
    "mirror of a path": (DEV, {"imageMirrors": {"quay.io/x": "m.test"}}, {}, "imageMirrors", "hosts of registries"),
    "remote logs nowhere": (EXTERNAL, {"taskLogs": "remote"}, {}, "taskLogsUrl", "expected the place"),
    "place of logs on a volume": (
        EXTERNAL,
        {"taskLogsUrl": "gs://logs/a"},
        {},
        "taskLogsUrl",
        "airflow:taskLogs volume",
    ),
    "connection of logs on a volume": (
        EXTERNAL,
        {"taskLogsConnectionSecret": "log-store"},
        {},
        "taskLogsConnectionSecret",
        "or pulumi config set --stack prod airflow:taskLogs remote",
    ),
    **{
        f"place of logs {url}": (EXTERNAL, {"taskLogs": "remote", "taskLogsUrl": url}, {}, "taskLogsUrl", "gs://BUCKET")
        for url in (
            "https://logs/a",
            "gs://logs",
            "s3://logs/a/",
            "s3://logs",
            "wasb://logs",
            "azure://logs/a",
            "s3://L/a",
        )
    },
    "Azure without an account": (
        EXTERNAL,
        {"taskLogs": "remote", "taskLogsUrl": "wasb://logs/airflow"},
        {},
        "taskLogsConnectionSecret",
        "names the storage account",
    ),
    "Secret of the stack for logs": (
        EXTERNAL,
        {"taskLogs": "remote", "taskLogsUrl": "gs://logs/a", "taskLogsConnectionSecret": "airflow-database-metadata-1"},
        {},
        "taskLogsConnectionSecret",
        "a Secret of your own",
    ),
    "Gateway without a namespace": (EXTERNAL, {"ingressGateway": "public"}, {}, "ingressGateway", "NAMESPACE/NAME"),
    "namespace of the UI": (DEV, {"uiNamespaces": ["Ingress"]}, {}, "uiNamespaces", "name of a namespace"),
    "namespace of metrics": (DEV, {"metricsNamespaces": [""]}, {}, "metricsNamespaces", "name of a namespace"),
    "unknown monitoring": (DEV, {"monitoring": "on"}, {}, "monitoring", "annotations"),
    "monitoring without a scraper": (DEV, {"monitoring": "annotations"}, {}, "metricsNamespaces", "Prometheus could"),
    "label of no object": (
        DEV,
        {"monitoring": "operator", "metricsNamespaces": ["monitoring"], "monitoringLabels": {"release": "a b"}},
        {},
        "monitoringLabels",
        "a label of Kubernetes",
    ),
    "labels without an operator": (DEV, {"monitoringLabels": {"a": "b"}}, {}, "monitoringLabels", "must not be set"),
    "page that is no address": (DEV, {"runbookUrl": "docs/monitoring.md"}, {}, "runbookUrl", "the URL of a page"),
    "id of no DAG": (DEV, {"verificationDag": "a b"}, {}, "verificationDag", "the id of a DAG"),
    "minutes that divide no hour": (
        DEV,
        {"verificationDag": "d", "verificationMinutes": 25},
        {},
        "verificationMinutes",
        "which divide an hour, found 25",
    ),
    "minutes of no DAG": (DEV, {"verificationMinutes": 15}, {}, "verificationMinutes", "must not be set without"),
    "alarm without a DAG": (
        PROD,
        {"verificationAlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:airflow-prod"},
        {},
        "verificationAlarmTopicArn",
        "must not be set without airflow:verificationDag",
    ),
    "alarm without a bucket": (
        DEV,
        {"verificationDag": "d", "verificationAlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:a"},
        {},
        "verificationAlarmTopicArn",
        "must not be set without airflow:taskLogs s3",
    ),
    "alarm in another region": (
        PROD,
        {"verificationDag": "d", "verificationAlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:a"},
        {},
        "verificationAlarmTopicArn",
        "where the bucket is",
    ),
    "admin with the name of the verification": (
        DEV,
        {"verificationDag": "d", "adminUsername": "scheduled-verification"},
        {},
        "adminUsername",
        "another name",
    ),
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
    "how much runs": (DEV, {"running": "paused"}, {}, "running", '"all", "frozen", "stopped"'),
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
    "boundary by its name": (PROD, {"awsPermissionsBoundary": "x"}, {}, "awsPermissionsBoundary", "the ARN of an IAM"),
    "boundary without a cluster": (
        DEV,
        {"awsPermissionsBoundary": "arn:aws:iam::123456789012:policy/x"},
        {},
        "awsPermissionsBoundary",
        "without airflow:eksCluster",
    ),
    "account without a cluster": (DEV, {"awsAccountId": "123456789012"}, {}, "awsAccountId", "without"),
    "tags without a cluster": (DEV, {"awsTags": {"a": "b"}}, {}, "awsTags", "without airflow:eksCluster"),
    "context beside an EKS cluster": (
        PROD,
        {"kubeContext": "x"},
        {},
        "kubeContext",
        "must not be set together with airflow:eksCluster",
    ),
    "kubeconfig beside an EKS cluster": (
        PROD,
        {"kubeconfig": "/x"},
        {},
        "kubeconfig",
        "must not be set together with airflow:eksCluster",
    ),
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
    "keys in Secrets without their names": (
        DEV,
        {"keySource": "secret", "keySecrets": {"fernetKey": "a", "jwtSecret": "b"}},
        {},
        "keySecrets",
        "apiSecretKey: expected the name of a Secret with airflow:keySource secret, found none",
    ),
    "several keys in one Secret": (
        DEV,
        {"keySource": "secret", "keySecrets": {"fernetKey": "a", "apiSecretKey": "a", "jwtSecret": "b"}},
        {},
        "keySecrets",
        "a Secret of its own for each key",
    ),
    "names of key Secrets that nothing uses": (
        DEV,
        {"keySecrets": KEY_SECRETS},
        {},
        "keySecrets",
        "must not be set with airflow:keySource generate",
    ),
    "an unknown key in a Secret": (
        DEV,
        {"keySource": "secret", "keySecrets": {**KEY_SECRETS, "redisPassword": "x"}},
        {},
        "keySecrets",
        "expected one of fernetKey, apiSecretKey, jwtSecret",
    ),
    "a key itself in place of its Secret": (
        DEV,
        {"keySource": "secret", "keySecrets": {**KEY_SECRETS, "apiSecretKey": "0123456789abcdef" * 3}},
        {},
        "keySecrets",
        "may be a key itself",
    ),
    "a key Secret that pods refer to for task logs": (
        EXTERNAL,
        {
            "keySource": "secret",
            "keySecrets": {**KEY_SECRETS, "fernetKey": "team"},
            "taskLogs": "remote",
            "taskLogsUrl": "s3://bucket/x",
            "taskLogsConnectionSecret": "team",
        },
        {},
        "keySecrets",
        "expected Secrets that no other key names, found team, which airflow:taskLogsConnectionSecret names too",
    ),
    "a key Secret that pulls images": (
        DEV,
        {"keySource": "secret", "keySecrets": KEY_SECRETS, "imagePullSecrets": ["team-jwt"]},
        {},
        "keySecrets",
        "which airflow:imagePullSecrets names too",
    ),
    "a key Secret that opens a repository of a bundle": (
        DEV,
        {
            "keySource": "secret",
            "keySecrets": KEY_SECRETS,
            "dagsDelivery": "git-bundle",
            "dagsSubPath": "",
            "dagBundles": [{"name": "a", "repository": "git@github.com:example/a.git", "keySecret": "team-jwt"}],
        },
        {},
        "keySecrets",
        "found team-jwt, which airflow:dagBundles names too",
    ),
    "a key in a Secret of the stack": (
        DEV,
        {"keySource": "secret", "keySecrets": {**KEY_SECRETS, "fernetKey": "airflow-keys-fernet-key-1a2b3c4d"}},
        {},
        "keySecrets",
        "expected a Secret of your own",
    ),
    "JWT secret beside one in a Secret": (
        DEV,
        {"keySource": "secret", "keySecrets": KEY_SECRETS},
        {"jwtSecret": sentinels()["jwtSecret"]},
        "jwtSecret",
        "with airflow:keySource secret, which holds it",
    ),
    "escrow of keys in Secrets": (
        PROD,
        {"keySource": "secret", "keySecrets": KEY_SECRETS},
        {},
        "keyEscrow",
        "the program does not read these keys, so it can store no copy",
    ),
    "keys in Secrets within a rotation": (
        DEV,
        {"keySource": "secret", "keySecrets": KEY_SECRETS, "rotation": "jwt 1/4 0123456789ab"},
        {},
        "keySource",
        "until the rotation of jwt is done",
    ),
    # Pools
    "pool with a number as its name": (
        DEV,
        {"pools": [{"name": 2024, "slots": 1}]},
        {},
        "pools",
        "[0].name: expected a text, found 2024",
    ),
    "pool with a character that no database keeps": (
        DEV,
        {"pools": [{"name": "a", "slots": 1, "description": "a\0b"}]},
        {},
        "pools",
        "[0].description: expected a text without",
    ),
    "more pools than a variable holds": (
        DEV,
        {"pools": [{"name": "a", "slots": 1, "description": "ä" * 30_000}]},
        {},
        "pools",
        "expected at most 100000 bytes",
    ),
    "pool without slots": (DEV, {"pools": [{"name": "a"}]}, {}, "pools", "[0].slots: expected a value"),
    "pool of another team's API": (
        DEV,
        {"pools": [{"name": "a", "slots": 1, "include_deferred": True}]},
        {},
        "pools",
        "did you mean includeDeferred?",
    ),
    # Secrets in AWS
    "secrets in AWS without AWS": (
        EXTERNAL,
        {"secretsManagerPrefix": "airflow-secrets/prod"},
        {},
        "secretsManagerPrefix",
        "expected airflow:eksCluster beside it, because pods get their rights by an AWS role",
    ),
    "secrets in AWS that are the keys": (
        PROD,
        {"secretsManagerPrefix": "airflow/prod"},
        {},
        "secretsManagerPrefix",
        "could read all keys",
    ),
    "secrets in AWS below a slash": (
        PROD,
        {"secretsManagerPrefix": "airflow-secrets/"},
        {},
        "secretsManagerPrefix",
        "without a slash at its ends",
    ),
    "another secrets backend": (
        PROD,
        {
            "secretsManagerPrefix": "airflow-secrets/prod",
            "helmValues": {"config": {"secrets": {"backend": "a.b.C"}}},
        },
        {},
        "helmValues",
        "may not set a secrets backend beside airflow:secretsManagerPrefix",
    ),
    "client certificate for whoever answers": (
        EXTERNAL,
        {"databaseClientCertificateSecret": "team-client", "databaseSslMode": "require"},
        {},
        "databaseClientCertificateSecret",
        "pods would show the certificate to whoever answers",
    ),
    "client certificate of a managed database": (
        PROD,
        {"databaseClientCertificateSecret": "team-client"},
        {},
        "databaseClientCertificateSecret",
        "must not be set with airflow:database managed",
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
    "one zone": (PROD, {"databaseMultiAz": False}, {}, "databaseMultiAz", "would stop if the database's zone fails"),
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
    "managed user of RDS": (PROD, {"databaseUser": "rdsadmin"}, {}, "databaseUser", "PostgreSQL or RDS reserves"),
    "managed database of RDS": (PROD, {"databaseName": "rdsadmin"}, {}, "databaseName", "RDS creates itself"),
    "host with a managed one": (PROD, {"databaseHost": "db.test"}, {}, "databaseHost", "with airflow:database managed"),
    "password of a managed one": (
        PROD,
        {},
        {"databasePassword": "x" * 12},
        "databasePassword",
        "must not be set with airflow:database managed",
    ),
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
    # Task logs
    "logs where nobody chose": (EXTERNAL, {"taskLogs": ""}, {}, "taskLogs", "expected s3, remote, worker or volume"),
    "the same on protected AWS": (PROD, {"taskLogs": ""}, {}, "taskLogs", "with airflow:database managed, found none"),
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


def test_every_bad_config_is_one_problem_that_names_the_key_what_is_expected_and_the_fix() -> None:
    wrong = {}
    for case, (stack, changes, secrets, key, says) in BAD.items():
        config = STACKS[stack]().with_(changes, secrets)
        problems = config.problems()
        if len(problems) != 1 or not is_clear(problems[0], key, says, config.stack):
            wrong[case] = problems
    assert not wrong


def is_clear(problem: str, key: str, says: str, stack: str) -> bool:
    text, _, fix = problem.rpartition(". Fix: ")
    commands = ("pulumi config set", "pulumi config rm")
    return (
        problem.startswith(f"airflow:{key}: ")
        and says in problem
        and text != ""
        and "\n" not in problem
        and len(problem) < 700
        and (f"airflow:{key}" in fix or key in ("database", "helmValues") or f"Pulumi.{stack}.yaml" in fix)
        # A command must not change another stack, nor set a secret in plain text.
        and all(fix.count(command) == fix.count(f"{command} --stack {stack} ") for command in commands)
        and not (key in settings.SECRET_KEYS and fix.startswith(commands[0]) and "--secret" not in fix)
    )


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


def test_every_entry_of_a_map_that_is_no_text_is_named() -> None:
    problems = prod().with_({"awsTags": {"team": 7, "stage": "x", "cost": None}}).problems()
    assert [problem.partition(": ")[0] for problem in problems] == ["airflow:awsTags"] * 2


def test_fix_of_a_bad_entry_is_of_that_entry() -> None:
    problems = external().with_({"databaseCidrs": ["10.0.0.0/8", "x", 5]}).problems()
    for index, problem in zip((1, 2), problems, strict=True):
        assert f"--path 'airflow:databaseCidrs[{index}]'" in problem


def test_unknown_entry_of_a_list_is_to_be_taken_out_and_not_to_be_set() -> None:
    for key, entry in (
        ("pools", {"name": "a", "slots": 1, "pool": "b"}),
        ("dagBundles", {"name": "a", "repository": "https://git.test/a.git", "branch": "b"}),
        ("workerGroups", {"name": "a", "queues": ["a"], "scale": 1}),
    ):
        unknown = list(entry)[-1]
        told = [text for text in dev().with_({key: [entry]}).problems() if "is not an entry" in text]
        assert len(told) == 1
        assert told[0].endswith(f"Fix: pulumi config rm --stack dev --path 'airflow:{key}[0].{unknown}'")


def test_secret_in_the_place_of_a_name_is_not_shown() -> None:
    secrets = {key: value for key, value in sentinels().items() if key in ("fernetKey", "jwtSecret")}
    secrets["PEM"] = "MIIEpAIBAAKCAQEAMIIEpAIBAAKCAQEA+/=="
    for secret in secrets.values():
        for changes in (
            {"keySource": "secret", "keySecrets": {**KEY_SECRETS, "fernetKey": secret}},
            {"databaseClientCertificateSecret": secret},
            {"taskLogsConnectionSecret": secret},
        ):
            told = " ".join(external().with_(changes).problems())
            assert "expected the name of a Secret" in told
            assert secret[:12] not in told
    key = sentinels()["fernetKey"]
    for changes in (
        {"keySecrets": key},
        {"keySecrets": {key: "a"}, "keySource": "secret"},
        {"keySecrets": {"fernetKey": {"name": key}}, "keySource": "secret"},
        {"keySource": key},
    ):
        told = " ".join(external().with_(changes).problems())
        assert told != ""
        assert key[:12] not in told


def test_secret_of_the_team_may_have_a_name_that_only_ends_as_one_of_the_stack() -> None:
    assert (
        dev().with_({"keySource": "secret", "keySecrets": {**KEY_SECRETS, "jwtSecret": "team-airflow-keys"}}).problems()
        == ()
    )
    [told] = external().with_({"databaseClientCertificateSecret": "airflow-database-client"}).problems()
    assert 'whose name does not begin like that of a Secret of the stack, found "airflow-database-client"' in told


def test_address_without_a_prefix_length_is_no_network() -> None:
    for key in ("uiCidrs", "egressExceptCidrs", "databaseCidrs"):
        [problem] = external().with_({key: ["10.0.16.0"]}).problems()
        assert problem.startswith(f"airflow:{key}: expected networks with a prefix length, such as 10.0.0.0/16, found")


def test_list_that_is_bad_is_not_taken_for_an_empty_one() -> None:
    """An ingress controller that may enter from a misspelt network is not told to enter from a namespace too."""
    ingress = {"ingressHost": "airflow.test.example", "ingressClass": "nginx", "ingressTlsSecret": "tls"}
    [problem] = external().with_({**ingress, "uiCidrs": ["anywhere"]}).problems()
    assert problem.startswith("airflow:uiCidrs: ")


def test_misspelt_choice_is_not_taken_for_another_one() -> None:
    """What would follow from a choice that is not known is not reported."""
    certificate = {"databaseCaCertificate": rds_certificates("eu-central-1")}
    cases: list[tuple[str, dict[str, Any]]] = [
        (PROD, {"database": "manged"}),
        (EXTERNAL, {"database": "externl", **certificate}),
        (DEV, {"database": "conainer"}),
        (EXTERNAL, {"databaseSslMode": "verifyfull", **certificate}),
        (EXTERNAL, {"networkIsolation": "of", "databaseCidrs": []}),
        (PROD, {"networkIsolation": "of", "uiCidrs": []}),
        (EXTERNAL, {"pgbouncerEnabled": "yes", "workerScaling": "keda"}),
        (DEV, {"executor": "Kubernetes", "taskLogs": "worker", "releaseTimeoutSeconds": 600}),
        (DEV, {"protect": "no"}),
        (PROD, {"keySource": "escro", "keyEscrow": ""}),
    ]
    for stack, changes in cases:
        problems = STACKS[stack]().with_(changes).problems()
        assert [problem.split(": ")[0] for problem in problems] == [f"airflow:{next(iter(changes))}"], problems


def test_choice_with_a_comma_in_it_can_be_told_from_two() -> None:
    [problem] = dev().with_({"executor": "Celery"}).problems()
    assert 'expected one of "CeleryExecutor", "KubernetesExecutor", "CeleryExecutor,KubernetesExecutor", ' in problem


def test_value_of_several_lines_is_set_from_a_file() -> None:
    """The command asks for one line where nothing is redirected into it."""
    cases: list[tuple[dict[str, Any], dict[str, str], str]] = [
        (SSH, {"gitSshPrivateKey": "x"}, "--secret airflow:gitSshPrivateKey < KEY_FILE"),
        ({}, {"registryCredentials": "x"}, "--secret airflow:registryCredentials < CONFIG_FILE"),
        (
            {"databaseSslMode": "verify-full", "databaseCaCertificate": "x"},
            {},
            "airflow:databaseCaCertificate < CA_FILE",
        ),
        ({}, {"databaseCaCertificate": "x"}, "--plaintext airflow:databaseCaCertificate < CA_FILE"),
        ({}, {"dagsToken": "a\nb"}, "--secret airflow:dagsToken"),
    ]
    for changes, secrets, fix in cases:
        problems = external().with_(changes, secrets).problems()
        assert any(problem.endswith(f". Fix: pulumi config set --stack prod {fix}") for problem in problems), problems


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


HELM_VALUES: Final[dict[str, tuple[Any, dict[str, Any], dict[str, Any]]]] = {
    "flower.enabled": (external, {"flower": {"enabled": True}}, {"networkIsolation": "off"}),
    "apiServer.service.type": (
        external,
        {"apiServer": {"service": {"type": "LoadBalancer", "annotations": {"lb.example.com/tls-cert": "x"}}}},
        {"uiCidrs": ["10.1.0.0/16"]},
    ),
    "workers.kubernetes": (
        external,
        {"workers": {"kubernetes": {"nodeSelector": {"a": "b"}}}},
        {"executor": "CeleryExecutor,KubernetesExecutor"},
    ),
    "pgbouncer": (
        lambda: external().with_({"pgbouncerEnabled": False}),
        {"pgbouncer": {"nodeSelector": {"a": "b"}}},
        {"pgbouncerEnabled": True},
    ),
    "dags.gitSync.env": (
        lambda: external().with_({"dagsDelivery": "git-bundle"}),
        {"dags": {"gitSync": {"env": [{"name": "HTTPS_PROXY", "value": "http://a:3128"}]}}},
        {"dagsDelivery": "git-sync"},
    ),
    "workers.celery.serviceAccount.annotations": (
        prod,
        {"workers": {"celery": {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:x"}}}}},
        {"taskLogs": "volume"},
    ),
}
"""What is refused in a stack, and the setting with which it is accepted."""


def test_helm_value_that_a_setting_is_against_is_accepted_with_another_setting() -> None:
    for path, (stack, users, way) in HELM_VALUES.items():
        problems = stack().with_({"helmValues": users}).problems()
        assert len(problems) == 1, (path, problems)
        assert f"airflow:helmValues: {path}" in problems[0]
        assert stack().with_({**way, "helmValues": users}).problems() == (), path


def test_sets_are_compared_with_the_schema_of_workers() -> None:
    wrong = {"name": "gpu", "tolerations": "all", "livenessProbe": {"periodSeconds": "often"}}
    problems = external().with_({"helmValues": {"workers": {"celery": {"sets": [wrong]}}}}).problems()
    assert len(problems) == 2, problems
    for path in ("tolerations", "livenessProbe.periodSeconds"):
        assert any(f"workers.celery.sets[0].{path}: " in problem for problem in problems), problems


def test_nulls_are_no_problem_of_the_schema() -> None:
    users = {"config": {"logging": {"colored_console_log": None}}, "securityContexts": None}
    assert external().with_({"helmValues": users}).problems() == ()


def test_keys_of_other_programs_are_ignored() -> None:
    config = dev()
    values = {**config.values, "aws:region": "eu-central-1", "kubernetes:context": "x"}
    settings.parse(values, config.secret_keys, "dev")
