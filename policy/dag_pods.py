"""Which pods run code of DAGs, and what a pod refers to: told from what it runs, not from its labels."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.kube.any_form import entries, items, mapping
from components.kube.api_audience import is_of_api
from components.kube.own_secrets import Holds, holds
from policy.convert import TASK_POD_NAME
from policy.model import UNKNOWN, RenderedObject, get
from policy.pods import containers, pod_of

WORKER: Final = "worker"
"""The chart's label of workers and task pods."""
_CONTAINERS: Final = {"worker": WORKER, "base": WORKER, "dag-processor": "dag-processor", "triggerer": "triggerer"}
"""The chart's names of the containers that run code of DAGs, with the label of their pods."""
_COMMANDS: Final = (
    (re.compile(r"\bcelery\s+worker\b"), WORKER),
    (re.compile(r"\bairflow\s+dag-processor\b"), "dag-processor"),
    (re.compile(r"\bairflow\s+triggerer\b"), "triggerer"),
)
_VARIABLES: Final = {
    **dict.fromkeys(
        (
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
            "AIRFLOW__CORE__SQL_ALCHEMY_CONN",
            "AIRFLOW_CONN_AIRFLOW_DB",
            "KEDA_DB_CONN",
        ),
        Holds.DATABASE,
    ),
    "AIRFLOW__CORE__FERNET_KEY": Holds.FERNET_KEY,
    "AIRFLOW__API_AUTH__JWT_SECRET": Holds.JWT_SECRET,
}
"""Variables that tell what a Secret holds, whatever its name is."""
_ENDINGS: Final = ("", "_CMD", "_SECRET")


def runs_dags(rendered: RenderedObject) -> str | None:
    """Return the label `component` that the pods of an object must have if they run code of DAGs, else None."""
    if rendered.kind == "Pod" and rendered.name.startswith(TASK_POD_NAME):
        return WORKER
    main = [container for container in containers(rendered) if not container.init]
    for container in main:
        if container.name in _CONTAINERS:
            return _CONTAINERS[container.name]
    for container in main:
        words = [*items(container.body.get("command")), *items(container.body.get("args"))]
        component = _started_by(" ".join(word for word in words if isinstance(word, str)))
        if component:
            return component
    return None


@functools.lru_cache(maxsize=256)
def _started_by(command: str) -> str | None:
    return next((component for pattern, component in _COMMANDS if pattern.search(command)), None)


def variable_of(name: Any) -> Holds | None:
    """Return what a variable holds, its forms `_CMD` and `_SECRET` included, or None."""
    return next((what for own, what in _VARIABLES.items() for ending in _ENDINGS if name == own + ending), None)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A place in a pod that names a Secret."""

    secret: str
    place: str
    variable: str = ""
    """The variable that gets the content, or ""."""


def references(rendered: RenderedObject) -> Iterator[Reference]:
    """Yield every reference of an object's pods to a Secret, but for those that only the kubelet reads."""
    for container in containers(rendered):
        place = f"container {container.name}"
        for variable in entries(container.body.get("env")):
            name = get(variable, "valueFrom.secretKeyRef.name")
            if isinstance(name, str):
                yield Reference(secret=name, place=place, variable=str(variable.get("name")))
        for source in entries(container.body.get("envFrom")):
            name = get(source, "secretRef.name")
            if isinstance(name, str):
                yield Reference(secret=name, place=place)
    for volume in entries(get(pod_of(rendered), "spec.volumes")):
        place = f"volume {volume.get('name')}"
        sources = entries(get(volume, "projected.sources"))
        for name in (
            get(volume, "secret.secretName"),
            get(volume, "csi.nodePublishSecretRef.name"),
            *(get(source, "secret.name") for source in sources),
        ):
            if isinstance(name, str):
                yield Reference(secret=name, place=place)


def secrets_by_content(objects: Iterable[RenderedObject]) -> Mapping[str, Holds]:
    """Return what each Secret holds that the objects refer to: by its name, else by a variable that gets it."""
    found: dict[str, Holds] = {}
    for rendered in objects:
        for reference in references(rendered):
            what = holds(reference.secret) or variable_of(reference.variable)
            if what is not None:
                found.setdefault(reference.secret, what)
    return found


def token_problem(rendered: RenderedObject, accounts: Mapping[str, Any]) -> str | None:
    """Return how the pods of an object get a token for the Kubernetes API, or None if they get none.

    Args:
        accounts: `automountServiceAccountToken` of each known service account.
    """
    spec = mapping(pod_of(rendered).get("spec"))
    for volume in entries(spec.get("volumes")):
        for source in entries(get(volume, "projected.sources")):
            token = source.get("serviceAccountToken")
            if isinstance(token, Mapping) and is_of_api(token.get("audience")):
                return f"volume {volume.get('name')} is a token for the Kubernetes API"
    own = spec.get("automountServiceAccountToken")
    if own is UNKNOWN or own is False:
        return None
    if own is True:
        return "automountServiceAccountToken is true"
    account = spec.get("serviceAccountName") or "default"
    if account is UNKNOWN or accounts.get(str(account)) in (UNKNOWN, False):
        return None
    return f"its service account {account} mounts a token"
