"""The Pod Security Standard `restricted`, as functions of a pod's spec (kubernetes.io/docs/concepts/security).

For pods on Linux; the rules of `baseline` are part of it. It knows nothing of how the program makes a pod.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.kube.any_form import entries, items, mapping

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
SECCOMP: Final = ("RuntimeDefault", "Localhost")
SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
SYSCTLS: Final = (
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
)


def violations(spec: Mapping[str, Any]) -> list[str]:
    """Return what Kubernetes would say in a namespace that enforces the standard; nothing where it admits the pod.

    What is no value of JSON is not known, and never a violation.
    """
    pod = spec.get("securityContext")
    found = list(_of_pod(spec, mapping(pod)))
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in entries(spec.get(kind)):
            found += [f"{container.get('name')}: {text}" for text in _of_container(container, pod)]
    return found


def _of_pod(spec: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if _set(spec.get(key)):
            yield key
    for volume in entries(spec.get("volumes")):
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume.get('name')} of kind {', '.join(sorted(kinds - VOLUMES))}"
    for sysctl in entries(pod.get("sysctls")):
        if not _one_of(sysctl.get("name"), SYSCTLS):
            yield f"sysctl {sysctl.get('name')}"
    yield from _of_either(pod)


def _of_container(container: Mapping[str, Any], pod: Any) -> Iterator[str]:
    given = container.get("securityContext")
    own = mapping(given)
    if _set(own.get("privileged")):
        yield "privileged"
    if _known(given) and not _is(own.get("allowPrivilegeEscalation"), False):
        yield "allowPrivilegeEscalation is not false"
    if not _one_of(own.get("procMount", "Default"), ("Default",)):
        yield "procMount"
    if _known(given, pod):
        effective = {**mapping(pod), **own}
        if not _is(effective.get("runAsNonRoot"), True):
            yield "runAsNonRoot is not true"
        seccomp = effective.get("seccompProfile")
        if _known(seccomp) and not _one_of(mapping(seccomp).get("type"), SECCOMP):
            yield "no seccomp profile"
    capabilities = own.get("capabilities")
    if _known(given, capabilities):
        dropped = mapping(capabilities).get("drop")
        if _known(dropped, *items(dropped)) and "ALL" not in items(dropped):
            yield "does not drop ALL capabilities"
        if not all(_one_of(added, ("NET_BIND_SERVICE",)) for added in items(mapping(capabilities).get("add"))):
            yield "adds capabilities"
    if any(_set(port.get("hostPort")) for port in entries(container.get("ports"))):
        yield "hostPort"
    yield from _of_either(own)


def _of_either(context: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with what the contexts of a pod and of a container both have."""
    user = context.get("runAsUser")
    if user == 0 and not isinstance(user, bool):
        yield "runAsUser is 0"
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot is false"
    if not _one_of(mapping(context.get("seccompProfile")).get("type", "RuntimeDefault"), SECCOMP):
        yield "seccomp profile is Unconfined"
    if not _one_of(mapping(context.get("appArmorProfile")).get("type", "RuntimeDefault"), SECCOMP):
        yield "AppArmor profile is Unconfined"
    selinux = mapping(context.get("seLinuxOptions"))
    named = [selinux.get(key) for key in ("user", "role")]
    if not _one_of(selinux.get("type", ""), SELINUX_TYPES) or any(map(_set, named)):
        yield "SELinux options"
    if _set(mapping(context.get("windowsOptions")).get("hostProcess")):
        yield "hostProcess"


def _one_of(value: Any, allowed: tuple[str, ...]) -> bool:
    """Tell whether a value is one of the allowed ones, or not known."""
    return not _known(value) or value in allowed


def _is(value: Any, wanted: bool) -> bool:
    return not _known(value) or value is wanted


def _set(value: Any) -> bool:
    return bool(value) and _known(value)


def _known(*values: Any) -> bool:
    return all(value is None or isinstance(value, str | int | float | list | Mapping) for value in values)
