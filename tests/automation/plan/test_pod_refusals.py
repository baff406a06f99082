"""Pods that Helm renders and Kubernetes refuses."""

from __future__ import annotations

from typing import Any, Final

from automation.plan.pod_refusals import pod_refusals


def workload(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    inside = {"containers": [{"name": "a", "volumeMounts": [{"name": "x", "mountPath": "/x"}]}], **spec.pop("pod", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "airflow-a"},
        "spec": {"template": {"spec": {"volumes": [{"name": "x", "emptyDir": {}}], **inside}}, **spec},
    }


EMPTY: Final = {"name": "x", "emptyDir": {}}


def mounting(*mounts: tuple[str, str]) -> dict[str, Any]:
    listed = [{"name": name, "mountPath": path} for name, path in mounts]
    return {"containers": [{"name": "a", "volumeMounts": listed}]}


def sized(**limits: Any) -> dict[str, Any]:
    return workload(pod={"containers": [{"name": "a", "resources": {"limits": limits}}]})


def labelled(**labels: str) -> dict[str, Any]:
    found = workload()
    found["spec"]["template"]["metadata"] = {"labels": labels}
    return found


def ported(name: str | None) -> dict[str, Any]:
    port = {"containerPort": 8080} | ({} if name is None else {"name": name})
    return workload(pod={"containers": [{"name": "a", "ports": [port]}]})


def resourced(resources: dict[str, Any]) -> dict[str, Any]:
    return workload(pod={"containers": [{"name": "a", "resources": resources}]})


def having(**fields: Any) -> dict[str, Any]:
    return workload(pod={"containers": [{"name": "a", **fields}]})


def made(kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "airflow-a"}, "spec": spec}


def claiming(size: str = "8Gi", storage_class: str = "gp3") -> dict[str, Any]:
    claim = {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}}
    return workload("StatefulSet", volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": claim}])


def mode(number: int) -> dict[str, Any]:
    return workload(pod={"volumes": [{"name": "x", "secret": {"secretName": "s", "defaultMode": number}}]})


KEY: Final = {"secretKeyRef": {"name": "s", "key": "k"}}
SPREAD: Final = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2}
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def near(**term: Any) -> dict[str, Any]:
    """Affinity to pods."""
    return {"affinity": {"podAffinity": {REQUIRED: [term]}}}


def node(*expressions: dict[str, Any], weight: Any = 1) -> dict[str, Any]:
    """Affinity to nodes."""
    preferred = [{"weight": weight, "preference": {"matchExpressions": list(expressions)}}]
    return {"affinity": {"nodeAffinity": {PREFERRED: preferred}}}


NEAR: Final = near(topologyKey="zone", labelSelector={"matchExpressions": [{"key": "a", "operator": "Exists"}]})


def test_what_only_an_update_would_tell_is_refused() -> None:
    for bad, says in (
        (workload(pod={"nodeSelector": {"my pool": "x"}}), "a nodeSelector my pool: name it"),
        (workload(pod={"nodeSelector": {"Example.com/pool": "x"}}), "a nodeSelector Example.com/pool: name it"),
        (workload(pod={"nodeSelector": {"pool": "a b"}}), "a nodeSelector pool with the value a b: write"),
        (workload(pod={"tolerations": [{"key": "x", "operator": "Exists", "value": "y"}]}), "Exists and a value"),
        (workload(pod={"tolerations": [{"value": "y"}]}), "a toleration without a key"),
        (workload(pod={"tolerations": [{"key": "x y"}]}), "a toleration of x y: name it"),
        (workload(pod={"tolerations": [{"key": "x", "tolerationSeconds": 3}]}), "write the effect NoExecute beside it"),
        (workload(pod={"topologySpreadConstraints": [{**SPREAD, "maxSkew": 0}]}), "zone with maxSkew 0: write 1"),
        (workload(pod={"topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "Maybe"}]}), "Maybe: write DoNot"),
        (workload(pod={"topologySpreadConstraints": [{**SPREAD, "topologyKey": ""}]}), "without topologyKey"),
        (workload(pod={"topologySpreadConstraints": [SPREAD, SPREAD]}), "zone twice"),
        (
            workload(pod={"topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]}),
            "zone with minDomains",
        ),
        (workload(pod={"priorityClassName": "High One"}), "the priorityClassName High One"),
        (workload(pod={"runtimeClassName": "gVisor"}), "the runtimeClassName gVisor"),
        (workload(pod=near(labelSelector={})), "a podAffinity without topologyKey"),
        (workload(pod=node({"key": "a", "operator": "in"})), "a nodeAffinity with the operator in: write In"),
        (workload(pod=node({"key": "a", "operator": "In"})), "the operator In without values"),
        (workload(pod=node({"key": "a", "operator": "Exists", "values": ["x"]})), "Exists and values"),
        (workload(pod=node(weight=0)), "a nodeAffinity with the weight 0"),
        (workload(pod={"affinity": {"nodeAffinity": {REQUIRED: {}}}}), "no nodeSelectorTerms"),
        (workload(pod={"volumes": [EMPTY, {"name": "y"}]}), "a volume y with no source: give it one"),
        (
            workload(pod={"volumes": [EMPTY, {"name": "y", "emptyDir": {}, "secret": {"secretName": "s"}}]}),
            "and secret",
        ),
        (workload(pod={"volumes": [EMPTY, {"name": "y", "persistentVolumeClaim": {}}]}), "without persistentVolume"),
        (workload(strategy={"type": "Rolling"}), "the strategy Rolling: write RollingUpdate"),
        (workload(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}), "raise one of them"),
        (workload(strategy={"rollingUpdate": {"maxSurge": "half"}}), "maxSurge half: write a number"),
        (workload(replicas=-1), "replicas -1: write 0 or more"),
        (workload(pod={"terminationGracePeriodSeconds": -1}), "terminationGracePeriodSeconds -1"),
        (labelled(**{"my team": "x"}), "a label my team: name it"),
        (resourced({"requests": {"gpu": 1}}), "requests of gpu in container a: write cpu"),
        (sized(memory="-1Gi"), "limits of memory -1Gi in container a: write an amount"),
        (having(env=[{"name": "FOO "}]), "a variable 'FOO ' in container a: name it"),
        (having(env=[{"name": "1A"}]), "a variable '1A' in container a"),
        (having(livenessProbe={"periodSeconds": -1}), "livenessProbe.periodSeconds -1 in container a"),
        (having(startupProbe={"successThreshold": 2}), "startupProbe.successThreshold in container a: write 1"),
        (made("HorizontalPodAutoscaler", minReplicas=5, maxReplicas=3), "minReplicas 5 above maxReplicas 3"),
        (made("PodDisruptionBudget", minAvailable="150%"), "minAvailable 150%"),
        (made("PodDisruptionBudget", maxUnavailable=-1), "maxUnavailable -1"),
        (made("PodDisruptionBudget", maxUnavailable=1, minAvailable=1), "give one of the two"),
        (claiming(size="8GB"), "a claim of 8GB: write an amount"),
        (claiming(storage_class="Gp 3"), "the storageClassName Gp 3: write the name"),
        (sized(cpu="500M"), "limits of cpu 500M in container a, which no node has: write 500m"),
        (sized(memory=4), "limits of memory 4 in container a, with which none can start: write it with Mi or Gi"),
        (mode(644), "a volume x with secret.defaultMode 644: write 420, which is octal 644"),
        (mode(888), "a volume x with secret.defaultMode 888: write 0 to 511"),
        (workload(pod={"volumes": [{"name": "x", "emptyDir": {"sizeLimit": "10GB"}}]}), "sizeLimit 10GB: write"),
        (workload(pod={"volumes": [EMPTY, {"name": "my_ca", "emptyDir": {}}]}), "a volume my_ca with a bad name"),
        (workload(pod={"hostAliases": [{"ip": "db.example.com", "hostnames": ["db"]}]}), "the ip db.example.com"),
        (
            having(volumeMounts=[{"name": "x", "mountPath": "/x", "subPath": "../y"}]),
            "a with subPath ..",
        ),
        (having(volumeMounts=[{"name": "x", "mountPath": "C:/x"}]), "at 'C:/x': write a path without a colon"),
        (having(image="registry.example.com/Team/init:1"), "an image registry.example.com/Team/init:1 in container a"),
        (having(image="valkey/valkey:8.0:7.2"), "an image valkey/valkey:8.0:7.2 in container a: write a name in small"),
        (having(env=[{"name": "A", "value": "x", "valueFrom": KEY}]), "a variable A with value and valueFrom"),
        (having(env=[{"name": "A", "valueFrom": {**KEY, "fieldRef": {"fieldPath": "a"}}}]), "a variable A from secret"),
        (having(env=[{"name": "A", "valueFrom": {}}]), "a variable A from no source in container a"),
        (
            made("Ingress", ingressClassName="nginx")
            | {"metadata": {"name": "airflow-a", "annotations": {"kubernetes.io/ingress.class": "nginx"}}},
            "beside ingressClassName: leave it out",
        ),
        (made("CronJob", schedule="daily"), "the schedule daily: write five fields"),
        (made("CronJob", schedule="0 25 * * *"), "the schedule 0 25 * * *: write five fields"),
        (sized(memory="512m"), "limits of memory 512m in container a, which is a part of a byte: write 512Mi"),
        (made("Service") | {"metadata": {"name": "airflow-a", "annotations": {"a b": "x"}}}, "an annotation a b"),
    ):
        [refusal] = pod_refusals([bad])
        assert refusal.startswith(f"{bad['kind']} airflow-a has "), refusal
        assert says in refusal, refusal


def test_bad_names_of_objects_and_keys_are_refused() -> None:
    for kind in ("ConfigMap", "Secret"):
        for name, data, says in (("Bad_Name", {}, "has a bad name: name it"), ("good", {"a b": "x"}, "the key a b")):
            [told] = pod_refusals([{"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}])
            assert told.startswith(f"{kind} {name} has ")
            assert says in told


def test_pod_with_names_of_its_own_is_not_refused() -> None:
    claims = [{"metadata": {"name": "data"}}]
    for good in (
        workload(),
        workload("StatefulSet", volumeClaimTemplates=claims, pod=mounting(("data", "/data"), ("x", "/x"))),
        workload(pod={"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]}),
        *(sized(memory=amount) for amount in ("2Gi", "128974848", "129e6", 129e6, "129M")),
        workload(pod={"tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}]}),
        labelled(team="Data_Platform.1", empty=""),
        ported("http"),
        ported(None),
        resourced({"requests": {"memory": "1Gi", "cpu": 0.5}, "limits": {"memory": "1024Mi", "cpu": "500m"}}),
        resourced({"requests": {"memory": "1Gi"}, "limits": {"cpu": "500m"}}),
        workload(strategy={"type": "Recreate"}),
        workload(strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
        workload(strategy={"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": "0%"}}),
        workload(pod={"nodeSelector": {"topology.kubernetes.io/zone": "eu-1a", "pool": ""}, **NEAR}),
        workload(pod={"tolerations": [{"key": "a", "effect": "NoExecute", "tolerationSeconds": 3}]}),
        workload(pod={"priorityClassName": "high.one", "topologySpreadConstraints": [SPREAD]}),
        workload("StatefulSet", updateStrategy={"type": "OnDelete"}),
        resourced({"requests": {"hugepages-2Mi": "4Mi"}, "limits": {"hugepages-2Mi": "4Mi"}}),
        having(env=[{"name": "_A.b-1", "value": "x"}], livenessProbe={"successThreshold": 1, "periodSeconds": 0}),
        made("HorizontalPodAutoscaler", minReplicas=2, maxReplicas=2),
        claiming(),
        mode(0o400),
        having(env=[{"name": "A", "value": "", "valueFrom": KEY}], image="localhost:5000/a_b/c:1.2@sha256:" + "0" * 64),
        workload(pod={"hostAliases": [{"ip": "fd00::7", "hostnames": ["db"]}]}),
        having(volumeMounts=[{"name": "x", "mountPath": "/x", "subPath": "a..b/c"}]),
        made("Ingress") | {"metadata": {"name": "a", "annotations": {"kubernetes.io/ingress.class": "nginx"}}},
        made("PodDisruptionBudget", minAvailable="100%"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a.b-c"}, "data": {"a_B.yaml": "x"}},
        made("PodDisruptionBudget", maxUnavailable=0),
        made("CronJob", schedule="*/5 1-3 * * MON"),
        made("CronJob", schedule="@midnight"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {}},
    ):
        assert pod_refusals([good]) == ()


def test_each_name_that_a_pod_has_twice_is_told_once() -> None:
    for bad, says in (
        (workload(pod={"volumes": [EMPTY, EMPTY, EMPTY]}), "has two volumes x"),
        (workload(pod={"containers": [{"name": "a"}, {"name": "a"}]}), "has two containers a"),
        (workload(pod={"initContainers": [{"name": "a"}]}), "has two containers a"),
        (workload(pod=mounting(("x", "/x"), ("x", "/x/"))), "mounts two volumes at /x in container a"),
        (workload(pod=mounting(("y", "/x"))), "mounts a volume y in container a, and has none"),
        (labelled(team="Data Platform"), "has a label team with the value Data Platform: write at most 63"),
        (labelled(team="a" * 64), "has a label team"),
        (workload(pod={"containers": [{"name": "My_Proxy"}]}), "has a container My_Proxy: name it by at most 63"),
        (ported("a-very-long-port"), "has a port a-very-long-port in container a: name it by at most 15"),
        (
            resourced({"requests": {"memory": "4Gi"}, "limits": {"memory": "2000Mi"}}),
            "has requests of memory 4Gi above the limits 2000Mi in container a",
        ),
        (
            resourced({"requests": {"nvidia.com/gpu": 1}}),
            "has nvidia.com/gpu in container a: set it in limits, because a device cannot be requested alone",
        ),
        (
            sized(**{"nvidia.com/gpu": "0.5"}),
            "has nvidia.com/gpu in container a: write a whole number in limits, not 0.5",
        ),
        (
            resourced({"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}),
            "has nvidia.com/gpu in container a: set equal requests and limits",
        ),
        (sized(memory="2GB"), "has limits of memory 2GB in container a: write an amount of Kubernetes"),
        (
            workload(pod={"tolerations": [{"key": "a", "effect": "NoSchedul"}]}),
            "has a toleration of a with the effect NoSchedul",
        ),
        (workload(pod={"tolerations": [{"operator": "Exist"}]}), "has a toleration with the operator Exist"),
        (
            workload(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            "has the strategy Recreate, and rollingUpdate beside it: set that to null",
        ),
    ):
        [refusal] = pod_refusals([bad])
        assert refusal.startswith(f"Deployment airflow-a {says}")


def test_what_several_objects_have_is_told_once() -> None:
    bad = {"priorityClassName": "High One"}
    kinds = ("Deployment", "StatefulSet", "Job")
    listed = [{**workload(kind, pod=bad), "metadata": {"name": f"airflow-{kind.lower()}"}} for kind in kinds]
    [told] = pod_refusals(listed)
    assert told.startswith("Deployment airflow-deployment (and 2 more) has the priorityClassName High One")


def test_the_template_of_a_task_pod_is_judged_too() -> None:
    text = "kind: Pod\nspec:\n  volumes: [{name: x, emptyDir: {}}, {name: x, emptyDir: {}}]\n  containers: []\n"
    found = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "airflow-config"},
        "data": {"pod_template_file.yaml": text},
    }
    [refusal] = pod_refusals([found])
    assert "has two volumes x" in refusal


def test_template_of_which_airflow_makes_no_pod_is_refused() -> None:
    pod = "kind: Pod\nspec: {containers: [{name: base}]}\n"
    for text, refused in (
        (pod, False),
        (f"---\n{pod}", False),
        (f"{pod}---\n{pod}", True),
        ("kind: [", False),
        ("a", True),
    ):
        made = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"pod_template_file.yaml": text}}
        told = [found for found in pod_refusals([made]) if found.startswith("podTemplate makes no Pod: ")]
        assert len(told) == refused, text


def test_object_that_is_rendered_twice_is_refused() -> None:
    """One would take the place of the other."""
    own, users = made("ConfigMap"), made("ConfigMap")
    assert pod_refusals([own, users]) == ("there are two of ConfigMap airflow-a: give yours another name",)
    assert pod_refusals([own, made("Secret")]) == ()
