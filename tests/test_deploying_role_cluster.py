"""The rights in the cluster of the role that deploys: all that the program, the provider and Helm ask for, and no more.

What the program registers and what Helm renders is seen here. What the client asks for is read from its calls in the
source. That Kubernetes then refuses nothing is seen in `tests/cluster/test_deploying_role.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

from automation.cluster.objects import CLUSTER_KINDS, OWNED_KINDS
from components.kube.kinds import PLURALS
from components.kube.safe_yaml import load_all_yaml
from tests import samples
from tests.cases import each
from tests.chart.rendering import needs_chart
from tests.chart.test_rendered_chart import MATRIX, rendered
from tests.policy.programs import PROGRAMS
from tests.samples import ROOT

if TYPE_CHECKING:
    from tests.conftest import Recorder

BASE: Final = "deploying-role-cluster.yaml"
TASK_PODS: Final = "deploying-role-cluster-task-pods.yaml"
NAMESPACE: Final = "airflow"
LIFE: Final = ("create", "delete", "get", "list", "patch", "update", "watch")
"""What the provider and Helm do with an object."""
CLUSTER_WIDE: Final = frozenset(
    {
        *("namespaces", "persistentvolumes", "storageclasses", "csidrivers", "ingressclasses"),
        *("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
    }
)
"""Kinds without a namespace, of those that the program uses."""
WAITS: Final = {
    # What the provider and Helm read while they wait for a Deployment, a StatefulSet or a Service.
    *(("apps", "replicasets"), ("apps", "controllerrevisions"), ("", "endpoints"), ("", "events")),
    ("discovery.k8s.io", "endpointslices"),
}
VERBS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "get": (("get", ""),),
    "items": (("list", ""),),
    "create": (("create", ""),),
    "merge": (("patch", ""),),
    "delete": (("delete", ""),),
    "refusal": (("update", ""),),
    "creation_refusal": (("create", ""),),
}
"""Verbs of Kubernetes by the method of `KubeApi`, for calls that name API version and kind."""
OF_PODS: Final = {
    # Of a pod itself. Kubernetes asks for both verbs where a command is run over a WebSocket.
    "log": (("get", "pods/log"),),
    "run": (("create", "pods/exec"), ("get", "pods/exec")),
    "connect": (("create", "pods/portforward"), ("get", "pods/portforward")),
}
ELSEWHERE: Final = {
    # Calls whose kind is not written beside them, by file: the kinds that they take.
    "automation/cluster/client.py": ("v1 Secret", "v1 ConfigMap", "apps/v1 Deployment", "apps/v1 StatefulSet"),
    "automation/cluster/objects.py": tuple(f"{version} {kind}" for version, kind in (*OWNED_KINDS, *CLUSTER_KINDS)),
    "automation/cluster/paused.py": ("apps/v1 Deployment", "apps/v1 StatefulSet"),
    "automation/cluster/worker_stop.py": ("apps/v1 Deployment", "apps/v1 StatefulSet", "keda.sh/v1alpha1 ScaledObject"),
    "automation/cluster/templates.py": ("apps/v1 Deployment", "batch/v1 Job", "batch/v1 CronJob"),
    "automation/preflight/temporary.py": ("v1 Secret", "v1 ConfigMap", "v1 Namespace"),
    "components/preflight/existing_files.py": ("v1 ConfigMap", "v1 Secret"),
    "automation/backup/jobs.py": ("batch/v1 Job",),
}


def documents(*files: str) -> list[dict[str, Any]]:
    text = "\n---\n".join((ROOT / "docs" / file).read_text() for file in files)
    return list(load_all_yaml(text.replace("NAMESPACE", NAMESPACE).replace("GROUP", "deployers")))


def rules(kind: str, *files: str) -> list[dict[str, Any]]:
    return [rule for item in documents(*files) if item["kind"] == kind for rule in item["rules"]]


def allows(given: list[dict[str, Any]], verb: str, group: str, resource: str, name: str = "") -> bool:
    """Whether one of the rules has the right; without a name, only a rule for all names has it."""
    return any(
        group in rule["apiGroups"]
        and resource in rule["resources"]
        and verb in rule["verbs"]
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
        for rule in given
    )


def plural(kind: str) -> str:
    word = kind.lower()
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"


def spelled(api_version: str, kind: str) -> tuple[str, str]:
    """Group and resource of a kind; the program's own table is compared with the rule of spelling."""
    group, _, _ = api_version.rpartition("/")
    known = PLURALS.get(api_version, {}).get(kind)
    assert known in (None, plural(kind)), kind
    return group, plural(kind)


def missing(needed: set[tuple[str, str, str]], *files: str) -> list[str]:
    """The rights that the role lacks, of verbs, groups and resources."""
    wide, own = rules("ClusterRole", *files), rules("Role", *files)
    return sorted(
        f"{verb} {group}/{resource}"
        for verb, group, resource in needed
        if not allows(
            wide if resource in CLUSTER_WIDE else own,
            verb,
            group,
            resource,
            NAMESPACE if resource == "namespaces" else "",
        )
    )


def of_objects(kinds: set[tuple[str, str]]) -> set[tuple[str, str, str]]:
    return {(verb, *spelled(version, kind)) for version, kind in kinds for verb in LIFE}


def registered_kinds(recorder: Recorder) -> set[tuple[str, str]]:
    found = (re.fullmatch(r"kubernetes:(.+):(\w+)", item.type) for item in recorder.every())
    kinds = {(match[1].removeprefix("core/"), match[2]) for match in found if match}
    return {(version, kind) for version, kind in kinds if not version.startswith("helm.sh/")}


MORE: Final[Mapping[str, Callable[[], samples.StackConfig]]] = {
    "prod with the operator and KEDA": lambda: samples.prod().with_(
        {
            "monitoring": "operator",
            "metricsNamespaces": ["monitoring"],
            "workerScaling": "keda",
            "backupSchedule": "0 2 * * *",
            "backupStorageGib": 10,
        }
    ),
    "prod behind a Gateway": lambda: samples.prod().with_(
        {
            **dict.fromkeys(("ingressClass", "ingressCertificateArn"), ""),
            "ingressHost": "airflow.example.com",
            "ingressGateway": "gateways/public",
        }
    ),
}


@each("name", [*PROGRAMS, *MORE])
def test_role_has_what_the_program_registers(name: str, registered: Callable[..., Recorder]) -> None:
    config = {**PROGRAMS, **MORE}[name]()
    kinds = registered_kinds(registered(config))
    assert kinds
    files = (BASE, TASK_PODS) if "KubernetesExecutor" in str(config.values.get("airflow:executor")) else (BASE,)
    assert missing(of_objects(kinds), *files) == []
    for item in registered(config).every("kubernetes:rbac.authorization.k8s.io/v1:Role"):
        assert unheld(item.inputs["rules"]) == []


def unheld(given: list[Mapping[str, Any]]) -> list[str]:
    """The rights that a Role gives and that the deploying role does not have: Kubernetes refuses to make it."""
    own = rules("Role", BASE)
    return [
        f"{verb} {group}/{resource}"
        for rule in given
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if not allows(own, verb, group, resource)
    ]


@needs_chart
def test_role_has_what_the_chart_deploys() -> None:
    kinds: set[tuple[str, str]] = set()
    for inputs in MATRIX.values():
        for item in rendered(inputs):
            kinds.add((item["apiVersion"], item["kind"]))
            if item["kind"] == "Role":
                assert unheld(item["rules"]) == [], item["metadata"]["name"]
    assert ("apps/v1", "StatefulSet") in kinds
    assert missing(of_objects(kinds), BASE) == []


def calls() -> Iterator[tuple[str, str, str, str]]:
    """File, method, API version and kind of each call of the client; "" for what is not written there."""
    for folder in ("automation", "components"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text()
            if not re.search(r"api\s*\.", text):
                continue
            tree = ast.parse(text)
            constants = {
                target.id: node.value.value
                for node in ast.walk(tree)
                if isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Constant)
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name)
            }
            for node in ast.walk(tree):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                of = ast.unparse(node.func.value)
                if node.func.attr in {**VERBS, **OF_PODS} and re.fullmatch(r"(self\.)?_?api", of):
                    words = [
                        str(item.value) if isinstance(item, ast.Constant) else str(constants.get(ast.unparse(item), ""))
                        for item in [*node.args[:2], ast.Constant(""), ast.Constant("")]
                    ]
                    yield str(path.relative_to(ROOT)), node.func.attr, words[0], words[1]


def test_role_has_what_the_client_asks_for() -> None:
    needed, unknown = set[tuple[str, str, str]](), set[str]()
    for file, method, version, kind in calls():
        if method in OF_PODS:
            needed |= {(verb, "", resource) for verb, resource in OF_PODS[method]}
        elif version and kind:
            needed |= {(verb, *spelled(version, kind)) for verb, _ in VERBS[method]}
        elif method in ("create", "creation_refusal", "refusal"):
            continue  # a manifest: of a pod, a Job, a Secret or what is registered; their life is asked for below
        else:
            unknown.add(file)
    assert ("list", "storage.k8s.io", "storageclasses") in needed, "or the test would see nothing"
    assert ("create", "", "pods/exec") in needed
    assert unknown - ELSEWHERE.keys() == set(), "say in ELSEWHERE which kinds these calls take"
    reads = {tuple(item.split()) for kinds in ELSEWHERE.values() for item in kinds}
    needed |= {("list", *spelled(version, kind)) for version, kind in reads}
    needed |= {(verb, *spelled("v1", kind)) for kind in ("Pod", "Secret", "ServiceAccount") for verb in LIFE}
    needed |= {(verb, "batch", "jobs") for verb in LIFE}
    needed |= {(verb, *item) for item in WAITS for verb in ("get", "list", "watch")}
    # The preflight of a stack that is not there makes a namespace of its own, for which the role has no rights.
    needed -= {("delete", "", "namespaces"), ("create", "", "namespaces")}
    assert missing(needed, BASE) == []


def test_every_right_of_the_whole_cluster_is_one_of_these() -> None:
    """Each is a read of names and settings, but for namespaces and, with task pods, admission policies."""
    found = {
        (verb, resource, ",".join(rule.get("resourceNames", ())))
        for rule in rules("ClusterRole", BASE)
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    changes = {item for item in found if item[0] not in ("get", "list", "watch")}
    assert changes == {
        ("create", "namespaces", ""),
        *((verb, "namespaces", NAMESPACE) for verb in ("delete", "patch", "update")),
    }
    assert {resource for _, resource, _ in found} == CLUSTER_WIDE
    assert {r for rule in rules("ClusterRole", TASK_PODS) for r in rule["resources"]} == {
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    }


@pytest.mark.parametrize("files", [(BASE,), (BASE, TASK_PODS)])
def test_role_has_nothing_that_makes_it_more(files: tuple[str, ...]) -> None:
    wide, own = rules("ClusterRole", *files), rules("Role", *files)
    for rule in (*wide, *own):
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
        assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"])
        assert "nonResourceURLs" not in rule
    readable = {"secrets", "pods", "pods/log", "pods/exec", "configmaps", "serviceaccounts", "serviceaccounts/token"}
    assert not readable & {resource for rule in wide for resource in rule["resources"]}, "of other namespaces"
    assert not {"nodes", "clusterroles", "clusterrolebindings"} & {
        r for rule in (*wide, *own) for r in rule["resources"]
    }
    for item in documents(*files):
        assert item["metadata"].get("namespace", "") == (NAMESPACE if item["kind"] in ("Role", "RoleBinding") else "")
        if item["kind"].endswith("Binding"):
            assert [subject["kind"] for subject in item["subjects"]] == ["Group"]
            assert item["roleRef"]["name"] in {other["metadata"]["name"] for other in documents(*files)}
