"""Cases of the rules about pods that run code of DAGs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from components.kube.pod_security import CONTAINER, pod_security_context
from policy.context import Context
from policy.model import UNKNOWN, JudgedResource, RenderedObject
from tests.policy.given import Cases, Given, objects, resource, stack, values

LABELS: Final = {"tier": "airflow", "release": "airflow"}
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
ADMISSION: Final = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
DATABASE: Final = "airflow-database-metadata-1a2b3c4d"
API: Final = "https://kubernetes.default.svc"
"""What the Kubernetes API takes a token for."""
DUMPS: Final = "airflow-backups-1a2b3c4d"
NO_TOKEN: Final = RenderedObject(
    kind="ServiceAccount", name="airflow-worker", body={"automountServiceAccountToken": False}
)


def runs(component: str, *, kind: str = "Deployment", labels: Any = None, **container: Any) -> RenderedObject:
    """What runs a component of Airflow, named as the chart names it. pod: fields of the pod's spec."""
    spec = container.pop("pod", {"serviceAccountName": "airflow-worker"})
    name = "base" if kind == "Pod" else component
    own = {**LABELS, "component": component}
    template = {
        "metadata": {"labels": own if labels is None else labels},
        "spec": {"containers": [{"name": name, **container}], **spec},
    }
    selector = {"matchLabels": own}
    body = template if kind == "Pod" else {"spec": {"selector": selector, "template": template}}
    return RenderedObject(kind=kind, name=f"airflow-{component}", body=body)


def labelled(**labels: Any) -> dict[str, Any]:
    return {**LABELS, "component": "worker", **labels}


def variable(secret: Any, name: str = "X") -> list[dict[str, Any]]:
    return [{"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": "connection"}}}]


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


def copied(claim: str, field: str = "dataSource") -> dict[str, Any]:
    """A volume that begins with what is on another one."""
    source = {"kind": "PersistentVolumeClaim", "name": claim}
    return volume(ephemeral={"volumeClaimTemplate": {"spec": {field: source}}})


def projected(source: Any) -> dict[str, Any]:
    return volume(projected={"sources": [source]})


def token(**fields: Any) -> dict[str, Any]:
    return {"serviceAccountToken": {"path": "token", **fields}}


def restricted(container: Any = None, **spec: Any) -> RenderedObject:
    contexts = {"securityContext": pod_security_context(50000), **spec}
    return runs("worker", pod=contexts, securityContext={**CONTAINER, **(container or {})})


def release(executor: Any = "CeleryExecutor") -> JudgedResource:
    inputs: Mapping[str, Any] = values({"executor": executor}).resources[0].inputs
    return resource(RELEASE, "airflow", inputs={**inputs, "namespace": "airflow"})


def logs_of(volume: Any) -> JudgedResource:
    """A release whose tasks share a volume for their logs, or not."""
    return resource(RELEASE, "airflow", inputs=values({"logs.persistence.enabled": volume}).resources[0].inputs)


def policy(namespace: Any = "airflow", **spec: Any) -> JudgedResource:
    full = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], **spec}
    inputs = {"metadata": {"namespace": namespace}, "spec": full}
    return resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", "deny", inputs=inputs)


def binding(actions: Any) -> JudgedResource:
    return resource(f"{ADMISSION}Binding", "b", inputs={"spec": {"policyName": "p", "validationActions": actions}})


TASKS: Final = "KubernetesExecutor"
PINS: Final = resource(ADMISSION, "p", inputs={"spec": {}})

ISOLATION: Final[dict[str, Cases]] = {
    "dag-pods-labelled": Cases(
        good=[
            objects(runs("worker"), runs("worker", kind="Pod"), runs("dag-processor"), runs("triggerer")),
            objects(runs("worker", labels=labelled(team="data"))),
            objects(runs("scheduler", labels={"component": "x"})),
        ],
        bad=[
            *(
                objects(runs("worker", kind=kind, labels=labelled(component="scheduler")))
                for kind in ("Deployment", "StatefulSet", "Pod")
            ),
            objects(runs("worker", labels=labelled(release="other"))),
            objects(runs("triggerer", labels=labelled(component="worker"))),
            objects(runs("x", args=["bash", "-c", "exec \\\nairflow celery worker"])),
            objects(replace(runs("scheduler", kind="Pod"), name="of a task (airflow-config)")),
        ],
        missing=[objects(runs("worker", labels=LABELS)), objects(runs("worker", kind="Pod", labels={}))],
        unknown=[objects(runs("worker", labels=UNKNOWN)), objects(runs("worker", labels=labelled(component=UNKNOWN)))],
        missing_is_bad=True,
    ),
    "workers-without-database": Cases(
        good=[
            objects(runs("worker", env=variable("airflow-keys-worker-key-1a2b3c4d"))),
            objects(runs("worker", env=variable("airflow-database-broker-1a2b3c4d"))),
            objects(runs("worker", env=variable("warehouse", "POSTGRES_PASSWORD"))),
            objects(runs("worker", pod=volume(persistentVolumeClaim={"claimName": "airflow-task-logs-1a2b3c4d"}))),
            objects(runs("worker", pod=copied("training-data"))),
            objects(runs("x", kind="Job", pod=volume(persistentVolumeClaim={"claimName": DUMPS}))),
            objects(runs("scheduler", env=variable(DATABASE)), runs("triggerer", env=variable(DATABASE))),
        ],
        bad=[
            objects(runs("worker", env=variable(DATABASE))),
            objects(runs("worker", kind="Pod", envFrom=[{"secretRef": {"name": DATABASE}}])),
            *(
                objects(runs("worker", pod=volumes))
                for volumes in (
                    volume(secret={"secretName": "airflow-postgres-1a2b3c4d"}),
                    projected({"secret": {"name": "airflow-database-pgbouncer-config-1a2b3c4d"}}),
                    volume(csi={"nodePublishSecretRef": {"name": "airflow-worker-scaler-connection-1a2b3c4d"}}),
                    volume(persistentVolumeClaim={"claimName": "airflow-postgres-data-1a2b3c4d"}),
                    volume(persistentVolumeClaim={"claimName": DUMPS}),
                    copied(DUMPS),
                    copied(DUMPS, "dataSourceRef"),
                )
            ),
            objects(runs("worker", env=[{"name": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "value": "cat x"}])),
            # The scheduler's variable tells what a Secret with another name holds.
            objects(
                runs("scheduler", env=variable("metadata-1", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")),
                runs("worker", env=variable("metadata-1")),
            ),
        ],
        missing=[objects(runs("worker")), objects(runs("worker", env=[{"name": "X"}], envFrom=[{}]))],
        unknown=[
            objects(runs("worker", env=UNKNOWN, envFrom=UNKNOWN, pod={"volumes": UNKNOWN})),
            objects(runs("worker", env=variable(UNKNOWN))),
            objects(runs("worker", pod=volume(persistentVolumeClaim={"claimName": UNKNOWN}))),
        ],
        missing_is_bad=False,
    ),
    "keys-where-needed": Cases(
        good=[
            objects(runs("worker", env=variable("airflow-keys-worker-key-1a2b3c4d"))),
            objects(runs("scheduler", env=variable("airflow-keys-jwt-secret-1a2b3c4d"))),
            objects(runs("redis", env=variable("airflow-keys-redis-password-1a2b3c4d"))),
            objects(runs("admin-user", kind="Job", env=variable("airflow-keys-admin-password-1a2b3c4d"))),
            objects(runs("statsd", env=variable("a-secret-of-a-team"))),
            objects(runs("exporter", env=variable(DATABASE))),
        ],
        bad=[
            objects(runs("worker", env=variable("airflow-keys-jwt-secret-1a2b3c4d"))),
            objects(runs("worker", kind="Pod", env=variable("airflow-keys-fernet-key-1a2b3c4d"))),
            objects(runs("dag-processor", env=variable("airflow-keys-admin-password-1a2b3c4d"))),
            objects(runs("statsd", env=variable("airflow-keys-fernet-key-1a2b3c4d"))),
            objects(runs("exporter", env=variable("airflow-keys-fernet-key-1a2b3c4d"))),
            objects(runs("redis", pod=volume(secret={"secretName": "airflow-database-broker-1a2b3c4d"}))),
            objects(
                runs("scheduler", env=variable("fernet-1", "AIRFLOW__CORE__FERNET_KEY")),
                runs("pgbouncer", env=variable("fernet-1")),
            ),
            objects(
                runs("scheduler", env=variable("fernet-1", "AIRFLOW__CORE__FERNET_KEY")),
                runs("worker", env=variable("fernet-1", "AIRFLOW__CORE__FERNET_KEY")),
            ),
        ],
        missing=[objects(runs("statsd"))],
        unknown=[
            objects(runs("statsd", env=UNKNOWN)),
            objects(runs("scheduler", labels=LABELS | {"component": UNKNOWN}, env=variable("airflow-keys-jwt-secret"))),
        ],
        missing_is_bad=False,
    ),
    "dag-pods-without-token": Cases(
        good=[
            objects(runs("worker"), NO_TOKEN),
            objects(runs("worker", pod={"automountServiceAccountToken": False})),
            objects(runs("worker", pod={**projected(token(audience="vault")), "automountServiceAccountToken": False})),
            objects(runs("scheduler", pod={"automountServiceAccountToken": True})),
        ],
        bad=[
            objects(runs("worker", pod={"automountServiceAccountToken": True}), NO_TOKEN),
            objects(runs("worker", pod={"serviceAccountName": "airflow-scheduler"}), NO_TOKEN),
            objects(runs("dag-processor", pod={**projected(token()), "automountServiceAccountToken": False})),
            objects(runs("worker", pod={**projected(token(audience=API)), "automountServiceAccountToken": False})),
        ],
        missing=[objects(runs("worker")), objects(runs("triggerer", pod={}))],  # Kubernetes mounts one by default
        unknown=[
            objects(runs("worker", pod={"automountServiceAccountToken": UNKNOWN})),
            objects(runs("worker", pod={**projected(token(audience=UNKNOWN)), "automountServiceAccountToken": False})),
            objects(runs("worker", pod={"serviceAccountName": UNKNOWN})),
            objects(
                runs("worker"),
                RenderedObject(
                    kind="ServiceAccount", name="airflow-worker", body={"automountServiceAccountToken": UNKNOWN}
                ),
            ),
        ],
        missing_is_bad=True,
    ),
    "pods-restricted": Cases(
        good=[objects(restricted(), restricted(volumes=[{"name": "x", "emptyDir": {}}]))],
        bad=[
            objects(restricted({"privileged": True})),
            objects(restricted({"allowPrivilegeEscalation": True})),
            objects(restricted({"runAsUser": 0})),
            *(objects(restricted(**{key: True})) for key in ("hostNetwork", "hostPID", "hostIPC")),
            objects(restricted(volumes=[{"name": "x", "hostPath": {"path": "/"}}])),
        ],
        missing=[objects(runs("worker"))],
        unknown=[
            objects(runs("worker", securityContext=UNKNOWN)),
            objects(restricted(hostNetwork=UNKNOWN, volumes=UNKNOWN)),
            objects(restricted({"privileged": UNKNOWN, "capabilities": UNKNOWN, "seccompProfile": UNKNOWN})),
        ],
        missing_is_bad=True,
    ),
    "default-deny": Cases(
        good=[
            stack(release(), policy()),
            stack(policy(podSelector={"matchLabels": {"a": "b"}}), release(), policy()),
            Given(resources=[release()], context=Context(disposable=True)),
        ],
        bad=[
            stack(release(), policy(namespace="other")),
            stack(release(), policy(podSelector={"matchLabels": {"component": "worker"}})),
            stack(release(), policy(policyTypes=["Ingress"])),
            stack(release(), policy(egress=[{}])),
        ],
        missing=[stack(release())],
        unknown=[stack(release(), policy(namespace=UNKNOWN)), stack(release(), policy(podSelector=UNKNOWN))],
        missing_is_bad=True,
    ),
    "task-pods-pinned": Cases(
        good=[stack(release()), stack(release(TASKS), PINS, binding(["Deny"]))],
        bad=[
            stack(release(TASKS), PINS, binding(["Audit", "Warn"])),
            stack(release("CeleryExecutor,KubernetesExecutor"), binding(["Deny"])),
        ],
        missing=[stack(release(TASKS))],
        unknown=[stack(release(UNKNOWN)), stack(release(TASKS), PINS, binding(UNKNOWN))],
        missing_is_bad=True,
    ),
    "task-logs-apart": Cases(
        good=[
            stack(logs_of(False)),
            Given(resources=[logs_of(True)], context=Context(disposable=True)),
        ],
        bad=[stack(logs_of(True))],
        missing=[stack(release())],
        unknown=[stack(logs_of(UNKNOWN))],
        missing_is_bad=False,
    ),
}
