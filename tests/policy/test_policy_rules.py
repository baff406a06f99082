"""Every rule on its own: of what is good, bad, missing, not known and empty."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from components.kube.safe_yaml import load_yaml
from policy.context import Context
from policy.model import UNKNOWN, JudgedResource, JudgedStep, Level, RenderedObject, Violation
from policy.rule import Rule, WhenUnknown
from policy.rules import ALL_RULES
from tests.cases import each
from tests.policy.given import SIZED, Cases, Given, budget, objects, one, pod, resource, secret, stack, steps, values
from tests.policy.isolation_cases import ISOLATION
from tests.samples import ROOT, sentinels

RULES: Final = {rule.id: rule for rule in ALL_RULES}

PLATFORM: Final = "airflow:index:AirflowPlatform"
KEYS: Final = f"{PLATFORM}$airflow:index:AirflowKeys"
PROBE: Final = {"exec": {"command": ["true"]}}
ZONES: Final = [{"topologyKey": "topology.kubernetes.io/zone"}]
GITHUB: Final = "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


WITHOUT_GROUP: Final = {
    "matchLabels": {"component": "x"},
    "matchExpressions": [{"key": "group", "operator": "DoesNotExist"}],
}


def platform(*but: str) -> Given:
    """All that a stack needs, but some by name."""
    parts = [
        resource(PLATFORM, "platform"),
        resource("kubernetes:core/v1:Namespace", "namespace", parents=PLATFORM),
        *(
            resource("kubernetes:core/v1:Secret", f"airflow-keys-{name}", parents=KEYS)
            for name in ("fernet-key", "api-secret-key", "jwt-secret")
        ),
        resource("pulumi:index:Stash", "generated", parents=KEYS),
        resource("airflow:index:ManagedPostgres", "postgres", parents=PLATFORM),
        resource("aws:rds/instance:Instance", "database", parents=f"{PLATFORM}$airflow:index:ManagedPostgres"),
    ]
    return stack(*(part for part in parts if part.name not in but))


def platform_with_keys(fernet_key: str | None) -> Given:
    """The same with keys in Secrets of others, and what its release calls that of the Fernet key."""
    names = {"fernetKeySecretName": fernet_key, "apiSecretKeySecretName": "team-api", "jwtSecretName": "team-jwt"}
    release = values({key: name for key, name in names.items() if name})
    made = (f"airflow-keys-{name}" for name in ("fernet-key", "api-secret-key", "jwt-secret"))
    return stack(*platform(*made).resources, *release.resources)


INSTANCE: Final = "aws:rds/instance:Instance"
BUCKET: Final = "aws:s3/bucket:Bucket"
ESCROW: Final = "aws:secretsmanager/secret:Secret"
PARAMETERS: Final = "aws:rds/parameterGroup:ParameterGroup"
SAFE: Final = {"deletionProtection": True, "backupRetentionPeriod": 14}
URI: Final = "postgresql+psycopg2://airflow:hunter2@{}:5432/airflow{}"
INI: Final = "[databases]\nairflow = host={} port=5432\n\n[pgbouncer]\n{}\n"
FORCED: Final = [{"name": "rds.force_ssl", "value": "1"}]


def migration(host: str, query: str) -> Given:
    return secret(connection=URI.format(host, query))


CASES: Final[dict[str, Cases]] = {
    "stateful-kept": Cases(
        good=[
            steps("update", INSTANCE, protect=True),
            steps("delete", "kubernetes:core/v1:Secret"),
            steps("delete", ESCROW, retain_on_delete=True),
            steps("replace", "random:index/randomPassword:RandomPassword", parents="airflow:index:DatabaseAccess"),
            steps(
                "delete", "random:index/randomPassword:RandomPassword", parents="airflow:index:ScheduledVerification"
            ),
            steps("replace", INSTANCE, context=Context(decided=frozenset({"x"}))),
            steps("delete", "kubernetes:core/v1:Namespace", context=Context(disposable=True)),
        ],
        bad=[
            steps("replace", INSTANCE),
            steps("delete", "aws:kms/key:Key"),
            steps("delete-replaced", BUCKET),
            steps("create-replacement", "kubernetes:core/v1:Namespace"),
            steps("replace", "kubernetes:core/v1:PersistentVolumeClaim"),
            steps("replace", "kubernetes:core/v1:Secret", parents=KEYS),
            steps("replace", "pulumi:index:Stash", parents=KEYS),
            steps("replace", ESCROW, retain_on_delete=True),
            steps("delete", INSTANCE, context=Context(disposable=True)),
            steps("delete", "kubernetes:core/v1:Namespace", context=Context(disposable=True), protect=True),
        ],
        missing=[steps("same", "pulumi:pulumi:Stack"), steps("", INSTANCE)],
        unknown=[steps("refresh", INSTANCE), steps("something-new", INSTANCE)],
        missing_is_bad=False,
    ),
    "stateful-present": Cases(
        good=[platform(), platform_with_keys("team-fernet")],
        bad=[
            platform_with_keys("airflow-keys-fernet-key-1a2b3c4d"),
            platform_with_keys(None),
            *(platform(name) for name in ("namespace", "airflow-keys-fernet-key", "generated", "database")),
            stack(*platform().resources, resource("airflow:index:TaskLogBucket", "logs", parents=PLATFORM)),
            stack(*platform().resources, resource("airflow:index:KeyEscrow", "escrow", parents=PLATFORM)),
        ],
        missing=[stack(resource(PLATFORM))],
        unknown=[
            stack(
                *(
                    JudgedResource(type=p.type, name=p.name, urn=p.urn, inputs={"a": UNKNOWN})
                    for p in platform().resources
                )
            )
        ],
        missing_is_bad=True,
    ),
    "stateful-protected": Cases(
        good=[
            stack(resource(INSTANCE, protect=True)),
            stack(resource(INSTANCE, retain_on_delete=True)),  # a restore leaves it
            stack(resource(ESCROW, parents="airflow:index:KeyEscrow", retain_on_delete=True)),
            stack(resource("random:index/randomPassword:RandomPassword", parents="airflow:index:DatabaseAccess")),
            stack(
                resource("random:index/randomPassword:RandomPassword", parents="airflow:index:ScheduledVerification")
            ),
            Given(resources=[resource("kubernetes:core/v1:Namespace")], context=Context(disposable=True)),
        ],
        bad=[
            stack(resource(INSTANCE)),
            stack(resource("aws:kms/key:Key", retain_on_delete=True)),
            stack(resource("kubernetes:core/v1:Namespace")),
            stack(resource("pulumi:index:Stash", parents=KEYS)),
            stack(resource(ESCROW, retain_on_delete=True)),
            stack(resource(ESCROW, parents="airflow:index:KeyEscrow", retain_on_delete=False)),
        ],
        missing=[stack(resource("aws:sns/topic:Topic"), resource("kubernetes:core/v1:Secret", parents=KEYS))],
        unknown=[stack(resource(ESCROW, parents="airflow:index:KeyEscrow", retain_on_delete=None))],
        missing_is_bad=False,
    ),
    "deletion-guarded": Cases(
        good=[one(INSTANCE, **SAFE), one(BUCKET, forceDestroy=False), one(ESCROW, recoveryWindowInDays=7)],
        bad=[
            one(INSTANCE, **{**SAFE, "deletionProtection": False}),
            one(INSTANCE, **SAFE, skipFinalSnapshot=True),
            one(INSTANCE, **{**SAFE, "backupRetentionPeriod": 6}),
            one(BUCKET, forceDestroy=True),
            one(ESCROW, recoveryWindowInDays=0),
        ],
        missing=[one(INSTANCE, deletionProtection=True), one(INSTANCE, backupRetentionPeriod=14)],
        unknown=[
            one(INSTANCE, deletionProtection=UNKNOWN, backupRetentionPeriod=UNKNOWN, skipFinalSnapshot=UNKNOWN),
            one(BUCKET, forceDestroy=UNKNOWN),
            one(ESCROW, recoveryWindowInDays=UNKNOWN),
        ],
        missing_is_bad=True,
    ),
    "no-latest-image": Cases(
        good=[
            objects(pod(image="redis:7"), pod(image="redis@sha256:" + "0" * 64)),
            objects(pod(image="redis:latest@sha256:" + "0" * 64)),
            values({"images.airflow.tag": "3.2.2"}),
            values({"images.pod_template": {"repository": "apache/airflow@sha256", "tag": "0" * 64}}),
        ],
        bad=[
            objects(pod(image="redis:latest")),
            objects(pod(image="apache/airflow:slim-latest")),
            objects(pod(pod={"initContainers": [{"name": "i", "image": "redis:latest"}]})),
            values({"images.airflow.tag": "latest"}),
            values({"defaultAirflowTag": "latest"}),
            values({"scheduler.extraContainers": [{"name": "x", "image": "redis"}]}),
            one("kubernetes:helm.sh/v3:Release", chart="other", values={"image": {"repository": "a", "tag": "latest"}}),
        ],
        missing=[objects(pod(image="redis"))],
        unknown=[
            objects(pod(image=UNKNOWN)),
            values({"images.airflow.tag": UNKNOWN}),
            values({"images": UNKNOWN}),
            one("kubernetes:helm.sh/v3:Release", chart="airflow", values=UNKNOWN),
        ],
        missing_is_bad=True,
    ),
    "images-from-allowed-registries": Cases(
        good=[
            objects(pod(image="redis:7"), pod(image="docker.io/apache/airflow:3")),
            values(),
            Given(
                objects=[pod(image="mirror.test/all/x:1")],
                context=Context(registries=("mirror.test/all/",)),
            ),
        ],
        bad=[
            objects(pod(image="quay.io/redis:7")),
            objects(pod(image="docker.io/apache/airflow-of-mine:1")),
            objects(pod(image="mirror.test/other:1")),
            values({"images.statsd.repository": "statsd-exporter"}),
            values({"postgresql.enabled": True}),
            Given(objects=[pod(image="redis:7")], context=Context(registries=())),
        ],
        missing=[objects(pod(image="")), objects(pod(image=None))],
        unknown=[objects(pod(image=UNKNOWN)), values({"images.statsd.repository": UNKNOWN})],
        missing_is_bad=False,
    ),
    "no-key-in-clear": Cases(
        good=[
            secret(connection=URI.format("db.example.com", ""), key=sentinels()["fernetKey"]),
            values({"fernetKeySecretName": "airflow-keys-fernet-key-1a2b3c4d"}),
            objects(pod(env=[{"name": "X_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}])),
            objects(pod(env=[{"name": "X_TOKEN", "value": "$(OTHER)"}, {"name": "PRIVATE_KEY", "value": "/etc/key"}])),
            one("aws:rds/instance:Instance", password="k3Jt9vQm2ZxR7pLw8NbY4sFd6HgT1cVaEuXo5PiK"),
        ],
        bad=[
            values({"fernetKey": "x"}),
            values({"registry.connection": {"pass": "x"}}),
            values({"data.metadataConnection": {"pass": "postgres"}}),
            values({"config.api": {"secret_key": "x"}}),
            values({"extraSecrets": {"s": {"data": "a: eA=="}}}),
            objects(pod(env=[{"name": "X_PASSWORD", "value": "hunter2"}])),
            objects(pod(env=[{"name": "X", "value": URI.format("db.example.com", "")}])),
            objects(RenderedObject(kind="ConfigMap", name="c", body={"data": {"x": sentinels()["fernetKey"]}})),
            one("airflow:index:Anything", key=sentinels()["fernetKey"]),
        ],
        missing=[
            objects(pod(env=[{"name": "X_PASSWORD"}, {"name": "X_TOKEN", "value": ""}])),
            values({"fernetKey": None}),
        ],
        unknown=[
            objects(pod(env=[{"name": "X_PASSWORD", "value": UNKNOWN}, {"name": UNKNOWN, "value": "x"}])),
            values({"fernetKey": UNKNOWN}),
            one("airflow:index:Anything", key=UNKNOWN),
        ],
        missing_is_bad=False,
    ),
    "database-tls": Cases(
        good=[
            migration("db.example.com", "?sslmode=verify-full"),
            migration("db.example.com", "?ssl=require"),
            migration("airflow-pgbouncer", ""),
            migration("airflow-pgbouncer.airflow.svc", "?sslmode=disable"),
            migration("127.0.0.1", ""),
            migration("[::1]", ""),
            secret(connection="db+" + URI.format("db.example.com", "?sslmode=verify-full")),
            secret(connection="db+" + URI.format("airflow-pgbouncer", "")),
            secret(connection="db+mysql://airflow:hunter2@db.example.com/airflow"),
            secret(**{"pgbouncer.ini": INI.format("db.example.com", "server_tls_sslmode = require")}),
            secret(**{"pgbouncer.ini": INI.format("airflow-postgres", "")}),
            secret(other="postgres is a word", url="https://db.example.com"),
            one(PARAMETERS, family="postgres17", parameters=FORCED),
            one(PARAMETERS, family="mysql8.0", parameters=[]),
        ],
        bad=[
            migration("db.example.com", "?sslmode=prefer"),
            migration("db.example.com", "?ssl=disable"),
            migration("10.0.0.1", "?sslmode=allow"),
            migration("[2001:db8::1]", "?sslmode=allow"),
            secret(connection="db+" + URI.format("db.example.com", "?sslmode=disable")),
            secret(connection="db+postgresql://airflow:hunter2@db.example.com/airflow?sslmode=prefer"),
            secret(connection="postgresql+asyncpg://airflow:hunter2@db.example.com/airflow?ssl=prefer"),
            *(
                secret(connection=f"postgresql://airflow:{password}@db.example.com/airflow?sslmode=disable")
                for password in ("hun/ter2", "12#34", "hun[ter2", "hun?ter2")
            ),
            secret(**{"pgbouncer.ini": INI.format("db.example.com", "server_tls_sslmode = prefer")}),
            one(PARAMETERS, family="postgres17", parameters=[{"name": "rds.force_ssl", "value": "0"}]),
        ],
        missing=[
            migration("db.example.com", ""),
            secret(**{"pgbouncer.ini": INI.format("db.example.com", "")}),
            one(PARAMETERS, family="postgres17"),
        ],
        unknown=[
            secret(connection=UNKNOWN),
            one("kubernetes:core/v1:Secret", stringData=UNKNOWN),
            one(PARAMETERS, family="postgres17", parameters=UNKNOWN),
            one(PARAMETERS, family="postgres17", parameters=[{"name": "rds.force_ssl", "value": UNKNOWN}]),
            one(PARAMETERS, family=UNKNOWN),
        ],
        missing_is_bad=True,
    ),
    "database-tls-verified": Cases(
        good=[
            migration("db.example.com", "?sslmode=verify-full"),
            migration("db.example.com", "?sslmode=verify-ca"),
            migration("airflow-pgbouncer", "?sslmode=require"),
        ],
        bad=[
            migration("db.example.com", "?sslmode=require"),
            secret(**{"pgbouncer.ini": INI.format("db.example.com", "server_tls_sslmode = require")}),
        ],
        missing=[migration("db.example.com", ""), secret(other="x")],  # another rule's
        unknown=[secret(connection=UNKNOWN), one("kubernetes:core/v1:Secret", data=UNKNOWN)],
        missing_is_bad=False,
    ),
    "known-hosts-pinned": Cases(
        good=[
            values({"dags.gitSync": {"enabled": True, "repo": "git@github.com:a/b.git", "knownHosts": GITHUB}}),
            values({"dags.gitSync": {"enabled": True, "repo": "https://github.com/a/b.git"}}),
            values({"dags.gitSync": {"enabled": False, "repo": "git@github.com:a/b.git"}}),
            secret(gitSshKey="x", known_hosts=GITHUB),
            secret(connection=json.dumps({"conn_type": "git", "host": "https://github.com/a/b.git"})),
            objects(pod(env=[{"name": "GITSYNC_SSH_KNOWN_HOSTS", "value": "true"}])),
        ],
        bad=[
            values({"dags.gitSync": {"enabled": True, "repo": "git@gitlab.com:a/b.git", "knownHosts": GITHUB}}),
            values({"dags.gitSync": {"enabled": True, "repo": "git@github.com:a/b.git", "knownHosts": "nonsense"}}),
            secret(gitSshKey="x", known_hosts=" "),
            secret(connection=json.dumps({"conn_type": "git", "extra": {"key_file": "k", "known_hosts_file": "h"}})),
            objects(pod(env=[{"name": "GIT_KNOWN_HOSTS", "value": "false"}])),
            objects(pod(env=[{"name": "GIT_SSH_COMMAND", "value": "ssh -o StrictHostKeyChecking=no"}])),
        ],
        missing=[
            values({"dags.gitSync": {"enabled": True, "repo": "git@github.com:a/b.git"}}),
            values({"dags.gitSync": {"enabled": True, "sshKeySecret": "s"}}),
            secret(gitSshKey="x"),
        ],
        unknown=[
            values({"dags.gitSync": {"enabled": True, "repo": "git@github.com:a/b.git", "knownHosts": UNKNOWN}}),
            values({"dags.gitSync": UNKNOWN}),
            secret(gitSshKey="x", known_hosts=UNKNOWN),
            one("kubernetes:core/v1:Secret", stringData=UNKNOWN),
            objects(pod(env=[{"name": "GIT_KNOWN_HOSTS", "value": UNKNOWN}]), pod(env=UNKNOWN)),
        ],
        missing_is_bad=True,
    ),
    "resources-set": Cases(
        good=[
            objects(pod(resources=SIZED), pod(kind="Job", resources=SIZED)),
            values(),
            values({"workers.resources": SIZED, "workers.celery": {"logGroomerSidecar": {"enabled": False}}}),
            Given(objects=[pod()], context=Context(disposable=True)),
        ],
        bad=[
            objects(pod(resources={**SIZED, "limits": {"cpu": "1"}})),
            objects(pod(resources=SIZED, pod={"initContainers": [{"name": "i"}]})),
            values({"scheduler.enabled": True}),
            values({"workers.celery.resources": {"requests": {"cpu": "1"}}}),
            values({"workers.celery.logGroomerSidecar.enabled": True}),
        ],
        missing=[objects(pod()), values({"workers.celery.resources": None})],
        unknown=[
            objects(pod(resources=UNKNOWN)),
            objects(pod(resources={**SIZED, "limits": UNKNOWN})),
            values({"workers.celery.resources": UNKNOWN}),
        ],
        missing_is_bad=True,
    ),
    "probes-set": Cases(
        good=[
            objects(pod(livenessProbe=PROBE), pod(readinessProbe={"httpGet": {"port": 1}})),
            objects(pod(kind="Job"), pod(name="scheduler-log-groomer"), pod(name="redis")),
            values(),
            values(
                {"dags.gitSync": {"enabled": True, "recommendedProbeSetting": True, "livenessProbe": {"enabled": True}}}
            ),
            values({"dags.gitSync": {"enabled": True, "livenessProbe": PROBE}}),
            Given(objects=[pod()], context=Context(disposable=True)),
        ],
        bad=[
            objects(pod(livenessProbe={"periodSeconds": 1})),
            objects(pod(startupProbe=PROBE)),
            values({"workers.celery.livenessProbe": {"enabled": False}}),
            values({"workers.livenessProbe": {"enabled": False}}),
            values({"dags.gitSync": {"enabled": True, "recommendedProbeSetting": False}}),
        ],
        missing=[objects(pod())],
        unknown=[
            objects(pod(livenessProbe=UNKNOWN)),
            objects(pod(livenessProbe={"exec": UNKNOWN})),
            values({"workers.celery.livenessProbe": UNKNOWN}),
            values({"dags.gitSync": {"enabled": True, "recommendedProbeSetting": UNKNOWN}}),
        ],
        missing_is_bad=True,
    ),
    "disruption-budgets-set": Cases(
        good=[
            objects(pod(replicas=2), budget(maxUnavailable=1)),
            *(objects(pod(replicas=2), budget(minAvailable=least)) for least in (0, 1, "0%", "1%", "50%")),
            objects(pod(replicas=4), budget(minAvailable="75%")),
            objects(pod(replicas=100), budget(minAvailable="99%")),
            *(objects(pod(replicas=2), budget(maxUnavailable=most)) for most in ("1%", "100%")),
            objects(pod(replicas=1), pod(replicas=None)),
            objects(
                pod(replicas=2, labels={"component": "worker"}),
                RenderedObject(kind="Pod", body={"metadata": {"labels": {"component": "worker"}}}),
            ),
            objects(pod(replicas=2), budget(maxUnavailable=1, selector=WITHOUT_GROUP)),
            values({"workers.celery.replicas": 2, "workers.celery.podDisruptionBudget": {"enabled": True}}),
            values({"workers.celery.replicas": 2, "workers.celery.sets": [{"name": "gpu"}]}),
            values({"workers.celery.replicas": 2, "executor": "CeleryExecutor,KubernetesExecutor"}),
            Given(objects=[pod(replicas=2)], context=Context(disposable=True)),
        ],
        bad=[
            objects(pod(replicas=2, labels={"component": "y"}), budget(maxUnavailable=1)),
            objects(
                pod(replicas=2, labels={"component": "x", "group": "gpu"}),
                budget(maxUnavailable=1, selector=WITHOUT_GROUP),
            ),
            objects(pod(replicas=2), budget(maxUnavailable=0)),
            objects(pod(replicas=2), budget(maxUnavailable="0%")),
            *(objects(pod(replicas=2), budget(minAvailable=least)) for least in (2, 3, "51%", "75%", "100%")),
            objects(pod(replicas=4), budget(minAvailable="76%")),
            objects(pod(replicas=4), budget(minAvailable="90%")),
            values(
                {
                    "workers.celery.replicas": 2,
                    "workers.celery.podDisruptionBudget": {"enabled": True, "config": {"minAvailable": "75%"}},
                }
            ),
            values({"workers.celery.replicas": 2, "workers.celery.podDisruptionBudget": {"enabled": False}}),
        ],
        missing=[objects(pod(replicas=2)), values({"workers.celery.replicas": 2})],
        unknown=[
            objects(pod(replicas=UNKNOWN)),
            objects(pod(replicas=2, labels=UNKNOWN), budget(maxUnavailable=1)),
            objects(pod(replicas=2), RenderedObject(kind="PodDisruptionBudget", body={"spec": UNKNOWN})),
            values({"workers.celery.replicas": UNKNOWN}),
            values({"workers.celery.replicas": 2, "workers.celery.podDisruptionBudget": UNKNOWN}),
        ],
        missing_is_bad=True,
    ),
    "pods-spread": Cases(
        good=[
            objects(pod(replicas=2, pod={"topologySpreadConstraints": ZONES})),
            objects(pod(replicas=1)),
            values({"workers.celery.replicas": 2, "workers.celery.topologySpreadConstraints": ZONES}),
            values({"workers.celery.replicas": 2, "topologySpreadConstraints": ZONES}),
            Given(objects=[pod(replicas=2)], context=Context(disposable=True)),
        ],
        bad=[
            objects(pod(replicas=2, pod={"topologySpreadConstraints": [{"topologyKey": "kubernetes.io/hostname"}]})),
            objects(pod(replicas=2, pod={"affinity": {"podAntiAffinity": {}}})),
            values({"workers.celery.replicas": 2, "workers.celery.topologySpreadConstraints": []}),
        ],
        missing=[objects(pod(replicas=2)), values({"workers.celery.replicas": 2})],
        unknown=[
            objects(pod(replicas=2, pod={"topologySpreadConstraints": UNKNOWN})),
            objects(pod(replicas=2, pod={"topologySpreadConstraints": [{"topologyKey": UNKNOWN}]})),
            values({"workers.celery.replicas": 2, "workers.celery.topologySpreadConstraints": UNKNOWN}),
        ],
        missing_is_bad=True,
    ),
    "examples-off": Cases(
        good=[
            values(),
            values({"config.core": {"load_examples": "False"}}),
            objects(pod(env=[{"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": "False"}])),
            objects(
                RenderedObject(kind="ConfigMap", body={"data": {"airflow.cfg": "[core]\nload_examples = False\n"}})
            ),
        ],
        bad=[
            values({"config.core": {"load_examples": "true"}}),
            values({"config.core": {"load_examples": True}}),
            values({"env": [{"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": "1"}]}),
            objects(pod(env=[{"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": "t"}])),
            objects(RenderedObject(kind="ConfigMap", body={"data": {"airflow.cfg": "[core]\nload_examples = True\n"}})),
        ],
        missing=[
            values({"config": {}}),
            objects(pod(env=[]), RenderedObject(kind="ConfigMap")),
        ],  # the chart says False
        unknown=[
            values({"config.core": {"load_examples": UNKNOWN}}),
            values({"env": UNKNOWN}),
            objects(pod(env=[{"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": UNKNOWN}])),
            objects(RenderedObject(kind="ConfigMap", body={"data": UNKNOWN})),
        ],
        missing_is_bad=False,
    ),
    "safe-to-evict-off": Cases(
        good=[
            values(),
            values({"scheduler": {"enabled": True, "safeToEvict": False}}),
            values({"scheduler": {"enabled": False, "safeToEvict": True}}),
            objects(pod()),
        ],
        bad=[
            values({"scheduler": {"enabled": True, "safeToEvict": True}}),
            values({"workers.safeToEvict": True}),
            values({"airflowPodAnnotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}}),
            objects(
                RenderedObject(
                    kind="Pod",
                    body={"metadata": {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}}},
                )
            ),
        ],
        missing=[values({"scheduler": {"enabled": True}})],  # the chart says true
        unknown=[
            values({"scheduler": {"enabled": True, "safeToEvict": UNKNOWN}}),
            values({"airflowPodAnnotations": UNKNOWN}),
            objects(RenderedObject(kind="Pod", body={"metadata": {"annotations": UNKNOWN}})),
        ],
        missing_is_bad=True,
    ),
    "no-guessable-admin-password": Cases(
        good=[
            secret("airflow-keys-admin-password", KEYS, password="hunter2"),
            secret("airflow-keys-redis-password", KEYS, password="admin"),
            values({"createUserJob": {"enabled": True, "defaultUser": {"password": "hunter2"}}}),
            values({"createUserJob": {"enabled": False, "defaultUser": {"password": "admin"}}}),
            objects(pod(kind="Job", args=["airflow users create -u admin -p hunter2"])),
            objects(pod(kind="Job", args=["run", "-p", "admin"])),
            Given(
                resources=secret("airflow-keys-admin-password", KEYS, password="admin").resources,
                context=Context(disposable=True),
            ),
        ],
        bad=[
            secret("airflow-keys-admin-password", KEYS, password="admin"),
            secret("airflow-keys-admin-password", KEYS, password="Airflow"),
            values({"createUserJob": {"enabled": True, "defaultUser": {"password": "admin"}}}),
            values({"createUserJob.enabled": True, "webserver.defaultUser": {"password": "admin"}}),
            objects(pod(kind="Job", args=["bash", "-c", 'exec airflow users create "$@"', "--", "-p", "admin"])),
            objects(pod(kind="Job", command=["airflow", "users", "create", "--password", "'admin'"])),
        ],
        missing=[values({"createUserJob": {"enabled": True}})],  # the chart says admin
        unknown=[
            secret("airflow-keys-admin-password", KEYS, password=UNKNOWN),
            stack(
                resource(
                    "kubernetes:core/v1:Secret",
                    "airflow-keys-admin-password",
                    parents=KEYS,
                    inputs={"stringData": UNKNOWN},
                )
            ),
            values({"createUserJob": {"enabled": True, "defaultUser": UNKNOWN}}),
            objects(pod(kind="Job", args=UNKNOWN), pod(kind="Job", args=["airflow users create -p", UNKNOWN])),
        ],
        missing_is_bad=True,
    ),
    **ISOLATION,
}


def judged(rule: str, cases: Sequence[Given]) -> list[list[Violation]]:
    """The violations of a rule in each case."""
    return [case.judged_by(RULES[rule]) for case in cases]


def test_every_rule_has_its_cases() -> None:
    assert set(CASES) == set(RULES)
    for rule, cases in CASES.items():
        assert cases.good, rule
        assert cases.bad, rule
        assert cases.missing, rule
        assert cases.unknown, rule


@each("rule", CASES)
def test_good_case_is_not_reported(rule: str) -> None:
    for index, violations in enumerate(judged(rule, CASES[rule].good)):
        assert list(map(str, violations)) == [], index


@each("rule", CASES)
def test_bad_case_is_reported_at_the_level_of_the_rule(rule: str) -> None:
    for index, violations in enumerate(judged(rule, CASES[rule].bad)):
        assert violations, index
        assert {violation.level for violation in violations} == {RULES[rule].level}, index
        assert all(violation.subject and violation.message for violation in violations), index


@each("rule", CASES)
def test_missing_value_is_reported_if_it_is_required(rule: str) -> None:
    for index, violations in enumerate(judged(rule, CASES[rule].missing)):
        assert bool(violations) is CASES[rule].missing_is_bad, index


@each("rule", CASES)
def test_unknown_value_is_at_most_a_warning(rule: str) -> None:
    for index, violations in enumerate(judged(rule, CASES[rule].unknown)):
        assert [str(violation) for violation in violations if violation.level is Level.MANDATORY] == [], index
        if RULES[rule].when_unknown is WhenUnknown.NOTHING:
            assert violations == [], index


@each("rule", [rule.id for rule in ALL_RULES if rule.when_unknown is WhenUnknown.WARNING])
def test_rule_warns_of_an_unknown_value(rule: str) -> None:
    found = judged(rule, CASES[rule].unknown)
    assert sum(map(bool, found)) > len(found) / 2
    assert {violation.level for violations in found for violation in violations} == {Level.ADVISORY}


EMPTY: Final = (
    Given(),
    stack(resource("")),
    *(
        one(type_)
        for type_ in (
            "kubernetes:helm.sh/v3:Release",
            "kubernetes:core/v1:Secret",
            "kubernetes:core/v1:ConfigMap",
            "kubernetes:batch/v1:Job",
            "kubernetes:apps/v1:Deployment",
            "aws:rds/parameterGroup:ParameterGroup",
            "airflow:index:AirflowKeys",
        )
    ),
    stack(JudgedResource(type="", name="")),
    objects(RenderedObject(kind="")),
    *(
        objects(RenderedObject(kind=kind))
        for kind in ("Deployment", "Pod", "ConfigMap", "Secret", "PodDisruptionBudget")
    ),
    objects(RenderedObject(kind="Deployment", body={"spec": {"template": {"spec": {"containers": []}}}})),
    Given(steps=[JudgedStep(operation="", type="", name="")]),
)


@each("rule", RULES)
def test_of_nothing_nothing_is_told(rule: str) -> None:
    for empty in EMPTY:
        assert list(map(str, empty.judged_by(RULES[rule]))) == []


# The registry


@each("rule", ALL_RULES, ids=list(RULES))
def test_rule_is_described(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.id)
    for text in (rule.description, rule.remedy):
        assert text.endswith(".")
        assert "\n" not in text
    assert len(rule.description) <= 110
    assert rule.resource or rule.stack or rule.objects or rule.step
    assert not (rule.stack and not rule.needs_stack)
    path, _, anchor = rule.source.partition("#")
    assert rule.source.startswith("https://") or (ROOT / path).is_file()
    if anchor and not rule.source.startswith("https://"):
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_ids_are_different() -> None:
    assert len(RULES) == len(ALL_RULES)


def test_config_keys_in_remedies_exist() -> None:

    known: Mapping[str, Any] = load_yaml((ROOT / "Pulumi.yaml").read_text())["config"]
    for rule in ALL_RULES:
        assert set(re.findall(r"airflow:(\w+)", rule.remedy)) <= set(known), rule.id


LOADED: Final = "import sys, policy.evaluate; print(*sorted({name.split('.')[0] for name in sys.modules}))"


def test_rules_need_neither_pulumi_nor_a_policy_pack() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {"pulumi", "pulumi_policy", "pulumi_kubernetes", "grpc", "google"} & loaded


@each("path", sorted((ROOT / "policy").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_one_module_alone_knows_crossguard(path: Path) -> None:
    """PolicyPack() never returns: what imports its module cannot be tested."""
    knows = bool(re.search(r"^(from|import) pulumi", path.read_text(), re.MULTILINE))
    assert knows is (path.name in ("pack.py", "__main__.py"))
    assert path.name == "__main__.py" or not re.search(r"\bPolicyPack\(", path.read_text())
