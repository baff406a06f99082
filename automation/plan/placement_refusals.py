"""Finds what Kubernetes would refuse in the fields that decide on a pod's node. Pure.

The limits are those of pkg/apis/core/validation/validation.go of Kubernetes 1.35.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.kube.any_form import entries, items, mapping
from components.kube.names import DNS_NAME, LABEL_VALUE, qualified
from policy.model import UNKNOWN, get

LABEL_RULE: Final = "write at most 63 of A-Z, a-z, 0-9 and _.-, with a letter or digit at both ends"
_NAME_RULE: Final = "name it as in example.com/pool, by A-Z, a-z, 0-9 and _.- alone"
_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS: Final = ("Exists", "Equal", "Lt", "Gt")
_UNSATISFIABLE: Final = ("DoNotSchedule", "ScheduleAnyway")
_NAMED: Final = ("priorityClassName", "runtimeClassName")
_OPERATORS_OF_NODES: Final = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_MOST_WEIGHT: Final = 100


def placement_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with each field of a pod's spec that decides on its node."""
    for label, value in mapping(spec.get("nodeSelector")).items():
        if not qualified(label):
            yield f"has a nodeSelector {label}: {_NAME_RULE}"
        elif isinstance(value, str) and not LABEL_VALUE.fullmatch(value):
            yield f"has a nodeSelector {label} with the value {value}: {LABEL_RULE}"
    for toleration in entries(spec.get("tolerations")):
        yield from _toleration_problems(toleration)
    yield from _spread_problems(spec)
    for field in _NAMED:
        name = spec.get(field)
        if isinstance(name, str) and name and not DNS_NAME.fullmatch(name):
            yield f"has the {field} {name}: write the name of one, which has a-z, 0-9, - and . alone"
    for kind in ("nodeAffinity", "podAffinity", "podAntiAffinity"):
        affinity = mapping(get(spec, f"affinity.{kind}"))
        yield from (f"has a {kind} {problem}" for problem in _affinity_problems(affinity, kind))


def _toleration_problems(toleration: Mapping[str, Any]) -> Iterator[str]:
    key, effect = toleration.get("key"), toleration.get("effect")
    operator = toleration.get("operator") or "Equal"
    if UNKNOWN in (key, effect, operator):
        return
    which = f"has a toleration of {key}" if key else "has a toleration"
    if operator not in _OPERATORS:
        yield f"{which} with the operator {operator}: write {' or '.join(_OPERATORS)}"
    if effect and effect not in _EFFECTS:
        yield f"{which} with the effect {effect}: write {' or '.join(_EFFECTS)}"
    if operator == "Exists" and toleration.get("value"):
        yield f"{which} with the operator Exists and a value: leave the value out, or write Equal"
    if operator == "Equal" and not key:
        yield f"{which} without a key: name the taint's key, or write the operator Exists for every taint"
    if isinstance(key, str) and key and not qualified(key):
        yield f"{which}: {_NAME_RULE}"
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        yield f"{which} with tolerationSeconds: write the effect NoExecute beside it, which alone has a time"


def _spread_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    seen = set()
    for constraint in entries(spec.get("topologySpreadConstraints")):
        key, what = constraint.get("topologyKey"), constraint.get("whenUnsatisfiable")
        which = f"has a topologySpreadConstraint {key or ''}".rstrip()
        skew = constraint.get("maxSkew")
        if not key:
            yield f"{which} without topologyKey: name the label of nodes, such as topology.kubernetes.io/zone"
        if what is not UNKNOWN and what not in _UNSATISFIABLE:
            yield f"{which} with whenUnsatisfiable {what}: write {' or '.join(_UNSATISFIABLE)}"
        if skew is not UNKNOWN and (not isinstance(skew, int) or skew < 1):
            yield f"{which} with maxSkew {skew}: write 1 or more"
        if constraint.get("minDomains") is not None and what == "ScheduleAnyway":
            yield f"{which} with minDomains: write whenUnsatisfiable DoNotSchedule beside it"
        if (key, what) in seen:
            yield f"{which} twice with whenUnsatisfiable {what}: give one of them"
        seen.add((key, what))


def _affinity_problems(affinity: Mapping[str, Any], kind: str) -> Iterator[str]:
    nodes, pods = [*entries(get(affinity, f"{_REQUIRED}.nodeSelectorTerms"))], [*entries(affinity.get(_REQUIRED))]
    if kind == "nodeAffinity" and get(affinity, _REQUIRED) is not None and not nodes:
        yield f"with {_REQUIRED} and no nodeSelectorTerms: give one at least"
    for preferred in entries(affinity.get(_PREFERRED)):
        weight = preferred.get("weight")
        if weight is not UNKNOWN and (not isinstance(weight, int) or not 1 <= weight <= _MOST_WEIGHT):
            yield f"with the weight {weight}: write 1 to {_MOST_WEIGHT}"
        nodes.append(mapping(preferred.get("preference")))
        pods += entries([preferred.get("podAffinityTerm")])
    for term in pods:
        if not term.get("topologyKey"):
            yield "without topologyKey: name the label of nodes, such as topology.kubernetes.io/zone"
    for term in [*nodes, *(mapping(pod.get("labelSelector")) for pod in pods)]:
        for found in entries(term.get("matchExpressions")):
            yield from _expression_problems(found.get("operator"), items(found.get("values")))


def _expression_problems(operator: Any, values: list[Any]) -> Iterator[str]:
    if operator is not UNKNOWN and operator not in _OPERATORS_OF_NODES:
        yield f"with the operator {operator}: write {' or '.join(_OPERATORS_OF_NODES)}"
    elif operator in ("In", "NotIn") and not values:
        yield f"with the operator {operator} without values: give one at least"
    elif operator in ("Exists", "DoesNotExist") and values:
        yield f"with the operator {operator} and values: leave the values out, or write In"
