"""The Pod Security Standard `restricted`, as functions of a pod's spec (kubernetes.io/docs/concepts/security).

Linux pods; the rules of `baseline` are part of it. Knows nothing of how the program makes a pod.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

VOLUMES: Final = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SECCOMP: Final = {"RuntimeDefault", "Localhost"}
SELINUX_TYPES: Final = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SYSCTLS: Final = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}


def violations(spec: Mapping[str, Any]) -> list[str]:
    """What Kubernetes would say in a namespace that enforces the standard; none where it admits the pod."""
    pod = spec.get("securityContext") or {}
    found = [*_of_pod(spec, pod)]
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or []:
            found += [f"{container['name']}: {text}" for text in _of_container(container, pod)]
    return found


def _of_pod(spec: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield key
    for volume in spec.get("volumes") or []:
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume['name']} of kind {', '.join(sorted(kinds - VOLUMES))}"
    for sysctl in pod.get("sysctls") or []:
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    yield from _of_either(pod)


def _of_container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext") or {}
    effective = {**pod, **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if effective.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if (effective.get("seccompProfile") or {}).get("type") not in SECCOMP:
        yield "no seccomp profile"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield "does not drop ALL capabilities"
    if not set(capabilities.get("add") or []) <= {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if any(port.get("hostPort") for port in container.get("ports") or []):
        yield "hostPort"
    yield from _of_either(own)


def _of_either(context: Mapping[str, Any]) -> Iterator[str]:
    """Of what the contexts of a pod and of a container both have."""
    if context.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot is false"
    if (context.get("seccompProfile") or {}).get("type", "RuntimeDefault") not in SECCOMP:
        yield "seccomp profile is Unconfined"
    if (context.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in SECCOMP:
        yield "AppArmor profile is Unconfined"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type", "") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield "SELinux options"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess"
