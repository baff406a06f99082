"""Pods that Helm renders and Kubernetes refuses."""

from __future__ import annotations

from typing import Any

from automation.plan.pod_refusals import pod_refusals


def workload(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    inside = {"containers": [{"name": "a", "volumeMounts": [{"name": "x", "mountPath": "/x"}]}], **spec.pop("pod", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "airflow-a"},
        "spec": {"template": {"spec": {"volumes": [{"name": "x", "emptyDir": {}}], **inside}}, **spec},
    }


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


def test_pod_with_names_of_its_own_is_not_refused() -> None:
    claims = [{"metadata": {"name": "data"}}]
    for good in (
        workload(),
        workload("StatefulSet", volumeClaimTemplates=claims, pod=mounting(("data", "/data"), ("x", "/x"))),
        workload(pod={"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]}),
        *(sized(memory=amount) for amount in ("2Gi", "128974848", "129e6", "0.5", 1.5, "129M", "100m")),
        workload(pod={"tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}]}),
        labelled(team="Data_Platform.1", empty=""),
        ported("http"),
        ported(None),
        resourced({"requests": {"memory": "1Gi", "cpu": 0.5}, "limits": {"memory": "1024Mi", "cpu": "500m"}}),
        resourced({"requests": {"memory": "1Gi"}, "limits": {"cpu": "500m"}}),
        workload(strategy={"type": "Recreate"}),
        workload(strategy={"rollingUpdate": {"maxSurge": 1}}),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {}},
    ):
        assert pod_refusals([good]) == ()


def test_each_name_that_a_pod_has_twice_is_told_once() -> None:
    for bad, says in (
        (workload(pod={"volumes": [{"name": "x"}, {"name": "x"}, {"name": "x"}]}), "has two volumes x"),
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
        (workload(pod={"tolerations": [{"effect": "NoSchedul"}]}), "has a toleration with the effect NoSchedul"),
        (workload(pod={"tolerations": [{"operator": "Exist"}]}), "has a toleration with the operator Exist"),
        (
            workload(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            "has the strategy Recreate, and rollingUpdate beside it: set that to null",
        ),
    ):
        [refusal] = pod_refusals([bad, bad])
        assert refusal.startswith(f"Deployment airflow-a {says}")


def test_the_template_of_a_task_pod_is_judged_too() -> None:
    text = "spec:\n  volumes: [{name: x}, {name: x}]\n  containers: [{name: base}]\n"
    found = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "airflow-config"},
        "data": {"pod_template_file.yaml": text},
    }
    [refusal] = pod_refusals([found])
    assert "has two volumes x" in refusal
