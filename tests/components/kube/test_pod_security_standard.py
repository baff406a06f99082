"""That the evaluator of the Pod Security Standard lets a good pod pass, and sees each thing that is forbidden."""

from __future__ import annotations

import copy
from typing import Any, Final

from components.kube.pod_security import CONTAINER, pod_security_context
from components.kube.pod_security_standard import violations
from tests.cases import each

GOOD: Final[dict[str, Any]] = {
    "securityContext": pod_security_context(50000, gid=0, fs_group=65533),
    "initContainers": [{"name": "first", "securityContext": CONTAINER}],
    "containers": [{"name": "main", "securityContext": CONTAINER, "ports": [{"containerPort": 8080}]}],
    "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "secret": {"secretName": "x"}}],
}

BAD: Final[dict[str, tuple[tuple[str | int, ...], Any]]] = {
    "hostNetwork": (("hostNetwork",), True),
    "hostPID": (("hostPID",), True),
    "hostIPC": (("hostIPC",), True),
    "volume a of kind hostPath": (("volumes", 0), {"name": "a", "hostPath": {"path": "/"}}),
    "volume a of kind nfs": (("volumes", 0), {"name": "a", "nfs": {"server": "x", "path": "/"}}),
    "sysctl kernel.msgmax": (("securityContext", "sysctls"), [{"name": "kernel.msgmax", "value": "1"}]),
    "runAsUser is 0": (("securityContext", "runAsUser"), 0),
    "runAsNonRoot is false": (("securityContext", "runAsNonRoot"), False),
    "seccomp profile is Unconfined": (("securityContext", "seccompProfile"), {"type": "Unconfined"}),
    "hostProcess": (("securityContext", "windowsOptions"), {"hostProcess": True}),
    "main: privileged": (("containers", 0, "securityContext", "privileged"), True),
    "main: allowPrivilegeEscalation is not false": (
        ("containers", 0, "securityContext", "allowPrivilegeEscalation"),
        None,
    ),
    "main: procMount": (("containers", 0, "securityContext", "procMount"), "Unmasked"),
    "main: does not drop ALL capabilities": (("containers", 0, "securityContext", "capabilities"), {"drop": ["CHOWN"]}),
    "main: adds capabilities": (
        ("containers", 0, "securityContext", "capabilities"),
        {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
    ),
    "main: hostPort": (("containers", 0, "ports", 0, "hostPort"), 80),
    "main: runAsUser is 0": (("containers", 0, "securityContext", "runAsUser"), 0),
    "main: AppArmor profile is Unconfined": (
        ("containers", 0, "securityContext", "appArmorProfile"),
        {"type": "Unconfined"},
    ),
    "main: SELinux options": (("containers", 0, "securityContext", "seLinuxOptions"), {"type": "spc_t"}),
    "first: privileged": (("initContainers", 0, "securityContext", "privileged"), True),
}


def test_good_pod_passes() -> None:
    assert violations(GOOD) == []


@each("problem", BAD)
def test_each_forbidden_thing_is_seen(problem: str) -> None:
    path, value = BAD[problem]
    pod = copy.deepcopy(GOOD)
    place: Any = pod
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert problem in violations(pod)


def test_container_may_have_what_its_pod_has_not() -> None:
    pod = copy.deepcopy(GOOD)
    pod["securityContext"] = {}
    assert violations(pod) == []


def test_pod_without_any_context_is_refused() -> None:
    found = violations({"containers": [{"name": "main"}]})
    assert found == [
        "main: allowPrivilegeEscalation is not false",
        "main: runAsNonRoot is not true",
        "main: no seccomp profile",
        "main: does not drop ALL capabilities",
    ]
