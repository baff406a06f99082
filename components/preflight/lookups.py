"""Looks in the cluster for what a stack needs (`needs`). Nothing is created; pods are tried by a dry run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from components.kube.client import KubeApi
from components.kube.rest import KubeRequestFailed
from components.preflight.finding import Finding, failed, passed, skipped
from components.preflight.quotas import LESS, quota_findings

STORAGE: Final = "storage class"
INGRESS: Final = "ingress class"
ADMISSION: Final = "admission of pods"
_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
_BY_HAND: Final = "kubernetes.io/no-provisioner"
"""Its volumes are made by people (kubernetes.io/docs/concepts/storage/storage-classes, "Local")."""
_CLASS: Final = "storageClassName"
_DRIVERS: Final = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",  # Kubernetes hands it on
    "ebs.csi.aws.com": "ebs.csi.aws.com",
    "efs.csi.aws.com": "efs.csi.aws.com",
}
"""The drivers of EKS, whose classes a cluster may have without them. Others need not register an object."""
_ADD_ONS: Final = {"ebs.csi.aws.com": "aws-ebs-csi-driver", "efs.csi.aws.com": "aws-efs-csi-driver"}
_NAMES: Final = 5
_QUOTA: Final = re.compile(r"exceeded quota|failed quota")
_ENDING: Final = re.compile(r"because it is being terminated")
"""The API server's message about a namespace that is being deleted (its plugin NamespaceLifecycle)."""
_LIMITS: Final = re.compile(r"(maximum|minimum) \w+ usage per|must specify|limit to request ratio")


def cluster_findings(
    api: KubeApi, namespace: str, needs: Mapping[str, Any], stack: str, clean: Callable[[str], str]
) -> tuple[Finding, ...]:
    """Return what the cluster has of the needs. What this user may not see counts as not seen. Raises KubeUnreachable.

    Args:
        api: The cluster.
        namespace: The stack's namespace, which exists.
        needs: `storage`, `ingress`, `apis` and `pods`, as `needs` makes them; `quota`, if the chart makes one.
        stack: The stack's name, for commands.
        clean: Masks secrets in what the cluster says.
    """
    found: list[Finding] = []
    looks: Mapping[str, Iterator[Finding]] = {
        STORAGE: _storage(api, namespace, needs.get("storage") or (), stack),
        INGRESS: _ingress(api, str(needs.get("ingress") or ""), stack),
        "add-ons": _apis(api, needs.get("apis") or (), stack),
        ADMISSION: _admission(api, namespace, needs.get("pods") or (), needs.get("quota"), clean),
    }
    for check, look in looks.items():
        try:
            found += look
        except KubeRequestFailed as error:
            found.append(skipped(check, error.what))
    return tuple(found)


def _storage(api: KubeApi, namespace: str, needs: Sequence[Mapping[str, str]], stack: str) -> Iterator[Finding]:
    if not needs:
        return
    classes = {str(item["metadata"]["name"]): item for item in api.items("storage.k8s.io/v1", "StorageClass", "")}
    default = [
        name for name, item in classes.items() if (item["metadata"].get("annotations") or {}).get(_DEFAULT) == "true"
    ]
    there = ", ".join(sorted(classes)[:_NAMES]) or "none"
    for need in needs:
        name, what, key = need["class"], need["what"], need["key"]
        if name and name not in classes:
            fix = f"pulumi config set --stack {stack} {key} NAME" if " of " not in key else f"correct {key}"
            yield failed(
                STORAGE, f"{key}: expected a storage class for {what}, found no {name}; there are: {there}", fix
            )
        elif not name and not default:
            yield failed(
                STORAGE,
                f"{key}: expected a default storage class for {what}, found none; there are: {there}",
                "kubectl annotate storageclass NAME storageclass.kubernetes.io/is-default-class=true, or name one",
            )
        else:
            chosen = name or default[0]
            found, fix = _not_made(api, namespace, classes[chosen])
            if found:
                expected = f"{key}: expected that something makes {what}, of storage class {chosen}"
                yield failed(STORAGE, f"{expected}, found {found}", f"{fix}, or take another class")
            else:
                yield passed(STORAGE, f"{what}: {chosen}")


def _not_made(api: KubeApi, namespace: str, item: Mapping[str, Any]) -> tuple[str, str]:
    """Return why nothing makes the volumes of a storage class, and the fix; "" if something may, or may not be seen."""
    provisioner = str(item.get("provisioner"))
    driver = _DRIVERS.get(provisioner, "")
    try:
        if driver:
            there = {str(one["metadata"]["name"]) for one in api.items("storage.k8s.io/v1", "CSIDriver", "")}
            if driver not in there:
                return f"no CSI driver {driver} in the cluster", f"install the add-on {_ADD_ONS[driver]} of EKS"
        elif provisioner == _BY_HAND:
            volumes = api.items("v1", "PersistentVolume", "")
            name = item["metadata"]["name"]
            if not any(_may_bind(volume, namespace) for volume in volumes if volume["spec"].get(_CLASS) == name):
                return "that it has no provisioner, and that no volume of it is free", "make a PersistentVolume of it"
    except KubeRequestFailed:
        pass  # this user may not look; the release may still have its volume
    return "", ""


def _may_bind(volume: Mapping[str, Any], namespace: str) -> bool:
    """Return whether a volume is free, or a claim of this namespace has it."""
    claim = (volume.get("spec") or {}).get("claimRef") or {}
    return (volume.get("status") or {}).get("phase") == "Available" or claim.get("namespace") == namespace


def _ingress(api: KubeApi, name: str, stack: str) -> Iterator[Finding]:
    if not name:
        return
    names = [str(item["metadata"]["name"]) for item in api.items("networking.k8s.io/v1", "IngressClass", "")]
    if name in names:
        yield passed(INGRESS, name)
        return
    there = ", ".join(sorted(names)[:_NAMES]) or "none"
    yield failed(
        INGRESS,
        f"airflow:ingressClass: expected an ingress class of the cluster, found no {name}; there are: {there}",
        f"install its controller, or: pulumi config set --stack {stack} airflow:ingressClass NAME",
    )


def _apis(api: KubeApi, needs: Sequence[Mapping[str, str]], stack: str) -> Iterator[Finding]:
    for need in needs:
        if api.serves(need["api"]):
            yield passed(need["what"], f"{need['api']} is served")
        else:
            what = f"{need['key']}: expected {need['what']} in the cluster, found that nothing serves {need['api']}"
            yield failed(need["what"], what, need["fix"].format(stack=stack))


def _admission(
    api: KubeApi,
    namespace: str,
    needs: Sequence[Mapping[str, Any]],
    own: Mapping[str, Any] | None,
    clean: Callable[[str], str],
) -> Iterator[Finding]:
    refused = False
    for need in needs:
        pod = need["pod"]
        metadata = {**pod["metadata"], "generateName": "airflow-preflight-"}
        trial = {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": metadata}
        # A webhook quotes the pod, with all that a team puts into it.
        message = clean(api.creation_refusal(trial, namespace))
        if message:
            refused = True
            yield refusal_finding(message, f"a pod of {need['component']}")
            if _ENDING.search(message):
                return  # it holds for all of them
    if refused or not needs:
        return
    quotas = list(api.items("v1", "ResourceQuota", namespace))
    if own is not None:
        # The release makes it, in place of what is there under its name.
        before = next((quota for quota in quotas if quota["metadata"]["name"] == own["name"]), {})
        used = (before.get("status") or {}).get("used") or {}
        quotas = [quota for quota in quotas if quota is not before]
        quotas.append({"metadata": {"name": own["name"]}, "spec": {"hard": own["hard"]}, "status": {"used": used}})
    if not quotas:
        yield passed(ADMISSION, f"{len(needs)} kinds of pods are admitted; there is no quota")
        return
    yield from quota_findings(quotas, api.items("v1", "Pod", namespace), needs)


def refusal_finding(message: str, what: str) -> Finding:
    """Return what to do about a pod that Kubernetes does not admit. message: what it says."""
    line = " ".join(message.split())[:400]
    line = re.sub(r'^pods "[^"]*" is forbidden: |^admission webhook ', "", line)
    if _ENDING.search(message):
        return failed(
            ADMISSION,
            f"airflow:namespace: expected that the cluster admits {what}, found that the namespace is being deleted",
            "wait until kubectl get namespaces does not list it any more, and run this again",
        )
    if _QUOTA.search(message):
        return failed(
            ADMISSION,
            f"airflow:size: expected room for {what} in the namespace's quota, found: {line}",
            LESS,
        )
    if _LIMITS.search(message):
        return failed(
            ADMISSION,
            f"airflow:helmValues: expected resources of {what} that the namespace's limit range allows, found: {line}",
            "change the limit range, or the resources in airflow:helmValues (migrateDatabaseJob for Jobs and checks)",
        )
    return failed(
        ADMISSION,
        f"airflow:namespace: expected that the cluster admits {what}, found: {line}",
        "let the policy of the cluster admit it, or change the pod by airflow:helmValues",
    )
