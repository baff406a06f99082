"""Refuses Helm values that would undo the isolation of a pod, wherever in the values they stand.

Pods that run DAG code (workers, task pods, DAG processor, triggerer) hold no Secret of the stack that they do not need,
no token for the Kubernetes API, and the label by which network policies know them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from components.aws.pod_identity import ROLE_ANNOTATION
from components.chart_values.value_paths import leaves, without_numbers
from components.kube.api_audience import is_of_api
from components.kube.own_claims import is_of_server
from components.kube.own_secrets import OWN_SECRET

SELECTED_LABELS: Final = ("tier", "release", "component")
"""Pod labels that network policies select by; the chart sets them."""

RUN_DAGS: Final = ("workers.celery", "workers.kubernetes", "dagProcessor", "triggerer")
"""Components whose pods run code of DAGs."""

READ_LOGS: Final = ("apiServer",)
"""Components whose pods have a role that reads the log bucket (see `components.aws_access.READERS`)."""
RUN_TASKS: Final = ("triggerer", "workers.celery", "workers.kubernetes", "workers.celery.sets")
"""Components whose pods have a role for tasks, and for the log bucket (see `components.aws_access.TASKS`)."""

# How a template of the chart finds the names of the stack's own Secrets.
_OWN_SECRET_IN_TEMPLATE: Final = re.compile(
    r"\.Values\.(?:\w+\.)*(?:\w+SecretName|sshKeySecret|credentialsSecret|data)\b"
    r"""|\b(?:include|template)\s+["'](?:\w*_secret|git_sync_ssh_key)["']"""
)
_TEXT_ALONE: Final = re.compile(r"^config\.|\]\.value$")
"""Paths of options and of variables: whatever their text is, it refers to no Secret, and may be a host or a prefix."""
_ACTION: Final = re.compile(r"""\{\{(?:/\*.*?\*/|"(?:\\.|[^"\\])*"|`[^`]*`|/(?!\*)|[^"`/])*?\}\}""", re.DOTALL)
_LITERAL: Final = re.compile(r"""/\*.*?\*/|"(?:\\.|[^"\\])*"|`[^`]*`""", re.DOTALL)
_TPL_OF_VALUES: Final = re.compile(
    r"\btpl \(toYaml (?:\.Values[\w.]+|\(\.Values[\w.]+ \| default \.Values[\w.]+\))\) [.$]"
)
"""As the chart's own pod template has it: each of these values is checked where it stands."""

_READS_THE_CLUSTER: Final = re.compile(
    r"(?<![\w.$])(?:lookup|tpl|set|dict|(?:mustM|m)erge(?:Overwrite)?|(?:mustFrom|from)(?:Yaml|Json|Toml)(?:Array)?)\b"
)
"""Helm's function that reads objects, and those by which a text that a template puts together becomes one itself."""

_TRUE_ON_RESTRICTED: Final = ("privileged", "allowPrivilegeEscalation", "hostNetwork", "hostPID", "hostIPC", "hostPort")
_VAULT_AGENT: Final = ".vault.hashicorp.com/agent-inject"
_NO_TOKEN: Final = "nothing: whoever writes a DAG would have the token"


def isolation_problems(
    helm_values: Mapping[str, Any], *, with_role: Collection[str] = (), held_secrets: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each value that would undo the isolation of a pod.

    Args:
        with_role: Paths of the components whose pods get an IAM role from the program.
        held_secrets: Secrets of the team that other settings name, each with the setting.
    """
    found = dict(leaves(helm_values))
    for path, value in found.items():
        token = _runs_dags(path) and path.endswith("].serviceAccountToken.path")
        if token and is_of_api(found.get(f"{path.removesuffix('path')}audience")):
            yield path, f"{path} is a token for the Kubernetes API; use an audience of another service"
        for secret, setting in (held_secrets or {}).items():
            if isinstance(value, str) and _names(path, value, secret):
                yield path, f"{path} refers to a Secret of {setting}; use another Secret"
        for check in (_label, _lookup, _own_claim, _own_secret, _beyond_restricted, _token, _agent, _account):
            problem = check(path, value)
            if problem is not None:
                yield path, problem
        component, annotation, rest = without_numbers(path).partition(f".serviceAccount.annotations.{ROLE_ANNOTATION}")
        if annotation and not rest and component in with_role:
            yield path, _role_problem(path, component)
    text = helm_values.get("podTemplate")
    if isinstance(text, str):
        yield from (("podTemplate", problem) for problem in _template_problems(text))


def _role_problem(path: str, component: str) -> str:
    way = "leave it out" if component not in RUN_TASKS else "use airflow:taskPolicyArns for what tasks need"
    return f"{path} would take the role that the program gives to these pods; {way}"


def _label(path: str, _: Any) -> str | None:
    if path.endswith(tuple(f"abels.{label}" for label in SELECTED_LABELS)) and re.search(r"(^|\.)labels\.\w+$", path):
        return f"{path} is set by the chart, and network policies tell pods apart by it; use a label of another name"
    return None


def _lookup(path: str, value: Any) -> str | None:
    # A key may be a template too: it becomes the name of an object.
    for text in (path, value):
        for action in _ACTION.findall(text) if isinstance(text, str) else ():
            used = _READS_THE_CLUSTER.search(_LITERAL.sub(" ", _TPL_OF_VALUES.sub("", action)))
            if used is not None:
                return (
                    f"{path} could read the cluster by {used[0]} in a template, with the rights of whoever deploys, "
                    "and no plan shows it; write the value itself, or use a Secret of your own"
                )
    return None


def _own_secret(path: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    named = OWN_SECRET.search(value) and not _TEXT_ALONE.search(path)
    if named or _OWN_SECRET_IN_TEMPLATE.search(value):
        return f"{path} refers to a Secret of the stack itself; use a Secret of your own"
    return None


def _own_claim(path: str, value: Any) -> str | None:
    if re.search(r"\.(persistentVolumeClaim\.claimName|dataSource(Ref)?\.name)$", path) and is_of_server(value):
        return f"{path} is the volume of a server of the stack; use a claim of your own"
    return None


def _names(path: str, value: str, secret: str) -> bool:
    """Return whether a value refers to a Secret: by its place, or in YAML in a text."""
    in_text = re.search(rf"""ame["']?:\s*["']?{re.escape(secret)}(?![\w.-])""", value)
    return (value == secret and "secret" in path.lower()) or in_text is not None


def _beyond_restricted(path: str, value: Any) -> str | None:
    key = path.rpartition(".")[2]
    refused = (
        (key in _TRUE_ON_RESTRICTED and value not in (False, None, 0))
        or (key == "runAsNonRoot" and value is False)
        or (key == "runAsUser" and value in (0, "0") and value is not False)
        or (re.search(r"\]\.hostPath(\.|$)", path) is not None and value is not None)
    )
    if not refused:
        return None
    return (
        f"{path}: the namespace admits pods of the Pod Security Standard restricted only; leave it out, and use an "
        "emptyDir or a claim instead of a hostPath"
    )


def _runs_dags(path: str) -> bool:
    return path.startswith(tuple(f"{component}." for component in RUN_DAGS))


def _token(path: str, value: Any) -> str | None:
    if not _runs_dags(path):
        return None
    if path.endswith("automountServiceAccountToken") and value not in (False, None):
        return f"{path} is set by the program; use {_NO_TOKEN}"
    return None


def _agent(path: str, value: Any) -> str | None:
    everywhere = path.startswith("airflowPodAnnotations.")
    if not path.endswith(_VAULT_AGENT) or str(value).lower() != "true" or not (everywhere or _runs_dags(path)):
        return None
    return (
        f"{path}: Vault's agent needs the token of the service account, which pods that run DAGs have not; use "
        "config.secrets.backend, or a Secret that Vault's operator writes"
    )


def _account(path: str, value: Any) -> str | None:
    plain = without_numbers(path)
    component, _, key = plain.rpartition(".serviceAccount.")
    foreign = key == "name" and value not in (None, "")
    none = key == "create" and (value is not True or component == "workers.kubernetes")
    if not component or not (foreign or none):
        return None
    # Task pods run as the account of workers.
    account = component.replace("workers.kubernetes", "workers.celery")
    return (
        f"{path}: rights are bound to the chart's own service accounts; leave it out, and use "
        f"{account}.serviceAccount.annotations"
    )


_TEMPLATE_RULES: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (
        lambda text: any(name != "worker" for name in _values_of("component", _labels_in(text))),
        "has the label of another component; use component: worker",
    ),
    (
        lambda text: any(name != "airflow" for name in _values_of("tier", _labels_in(text))),
        "has a label tier that no network policy knows; use tier: airflow",
    ),
    (
        lambda text: (
            any("true" in found.lower() for key in _TRUE_ON_RESTRICTED for found in _values_of(key, text))
            or re.search(r"\bhostPath:", text) is not None
        ),
        "asks for more than the Pod Security Standard restricted, which the namespace demands; use an emptyDir or a "
        "claim, and leave privileges out",
    ),
    (
        lambda text: any(is_of_server(found) for found in _values_of("claimName", text)),
        "mounts the volume of a server of the stack; use a claim of your own",
    ),
    (
        lambda text: any("true" in found.lower() for found in _values_of("automountServiceAccountToken", text)),
        "mounts a token for the Kubernetes API; use automountServiceAccountToken: false",
    ),
    (
        lambda text: any(
            found != "airflow-worker" and "worker.serviceAccountName" not in found
            for found in _values_of("serviceAccountName", text)
        ),
        "names a foreign service account; use serviceAccountName: airflow-worker",
    ),
)


def _values_of(key: str, text: str) -> list[str]:
    return [
        found.strip().strip("\"'") for found in re.findall(rf"(?<![\w./-]){key}:[ \t]*([^\n,}}#]*(?:\}}\}})?)", text)
    ]


def _labels_in(text: str) -> str:
    """Return the lines below each `labels:` of a template, and what follows it on its line."""
    found, depth = [], -1
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if depth >= 0 and indent <= depth and line.strip():
            depth = -1
        if line.lstrip().startswith("labels:"):
            depth = indent
            found.append(line.lstrip().removeprefix("labels:"))
        elif depth >= 0:
            found.append(line)
    return "\n".join(found)


def _template_problems(text: str) -> Iterator[str]:
    for broken, problem in _TEMPLATE_RULES:
        if broken(text):
            yield f"podTemplate {problem}"
