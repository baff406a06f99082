"""Finds pods that Helm renders and Kubernetes would refuse, which the chart's schema does not show. Pure.

Without this, an update would fail in the middle, after the migration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final

from yaml import YAMLError

from automation.plan.mount_refusals import LABEL_NAME, LABEL_NAME_RULE, mount_problems, volume_problems
from automation.plan.placement_refusals import LABEL_RULE, placement_problems
from automation.plan.workload_refusals import QUANTITY, workload_problems
from components.kube.any_form import entries, mapping
from components.kube.names import LABEL_VALUE, VARIABLE_NAME, qualified
from components.kube.safe_yaml import load_all_yaml
from components.preflight.quotas import quantity
from components.texts.image_fields import is_image
from policy.convert import TASK_POD, objects_of
from policy.model import UNKNOWN, RenderedObject, get
from policy.pods import Container, containers, pod_of

_PORT_NAME: Final = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
"""The name of a port, as RFC 6335 has it."""
_RESOURCES: Final = re.compile(r"cpu|memory|ephemeral-storage|hugepages-.+")
"""What a container may have without a domain in its name."""
_BYTES: Final = ("memory", "ephemeral-storage")
_MANY_CPUS: Final = 10_000
_LEAST_MEMORY: Final = 4 * 1024**2
"""What a container runtime needs to start one, in bytes."""
_PARTS: Final = ("m", "u", "n")
"""Endings for parts of one. In Docker, 512m is what Kubernetes calls 512Mi."""
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_NUMBERS: Final = (
    *("failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds"),
)


def pod_refusals(manifests: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a sentence for each. manifests: what Helm renders; the pod of a task is among them in a ConfigMap."""
    listed = tuple(manifests)
    found: dict[str, list[str]] = {}
    for rendered in objects_of(listed, []):
        for problem in dict.fromkeys(_refusals(rendered)):
            found.setdefault(problem, []).append(f"{rendered.kind} {rendered.name}")
    told = [f"{_named(names)} {problem}" for problem, names in found.items()]
    return tuple(dict.fromkeys([*told, *_doubles(listed), *_template_refusals(listed)]))


def _named(names: list[str]) -> str:
    """Return the first of several objects that have the same problem, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def _doubles(manifests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the objects that are rendered twice: one would take the other's place, or Helm would stop."""
    for name in _twice(f"{manifest.get('kind')} {get(manifest, 'metadata.name')}" for manifest in manifests):
        yield f"there are two of {name}: give yours another name"


def _template_refusals(manifests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the templates of task pods that Airflow could not read: each task would fail."""
    for manifest in manifests:
        text = mapping(manifest.get("data")).get(TASK_POD) if manifest.get("kind") == "ConfigMap" else None
        if not isinstance(text, str):
            continue
        try:
            read = load_all_yaml(text)
        except YAMLError:
            continue  # it may be the indentation of a part of the chart's, which the first task tells
        if [get(document, "kind") for document in read] != ["Pod"]:
            yield "podTemplate makes no Pod: write one YAML document with kind: Pod"


def _refusals(rendered: RenderedObject) -> Iterator[str]:
    spec = mapping(pod_of(rendered).get("spec"))
    volumes = [str(volume.get("name")) for volume in entries(spec.get("volumes"))]
    claims = [str(get(claim, "metadata.name")) for claim in entries(get(rendered.body, "spec.volumeClaimTemplates"))]
    yield from workload_problems(rendered)
    yield from _label_problems(rendered)
    yield from placement_problems(spec)
    for alias in entries(spec.get("hostAliases")):
        if not _is_address(alias.get("ip")):
            yield f"has hostAliases with the ip {alias.get('ip')}: write an address, such as 10.0.0.7"
    for source in entries(spec.get("volumes")):
        yield from (f"has a volume {source.get('name')} {problem}" for problem in volume_problems(source))
    inside = list(containers(rendered))
    for what, names in (("volumes", volumes), ("containers", [container.name for container in inside])):
        for name in _twice(names):
            yield f"has two {what} {name}: give yours another name"
    for container in inside:
        mounts = entries(container.body.get("volumeMounts"))
        for path in _twice(str(mount.get("mountPath")).rstrip("/") for mount in mounts):
            yield f"mounts two volumes at {path} in container {container.name}: mount yours elsewhere"
        yield from _container_problems(container)
        for mount in mounts:
            which = f"has a mount of {mount.get('name')} in container {container.name}"
            yield from (f"{which} {problem}" for problem in mount_problems(mount))
            if mount.get("name") not in (*volumes, *claims):
                volume = mount.get("name")
                yield f"mounts a volume {volume} in container {container.name}, and has none: add it to volumes"


def _container_problems(container: Container) -> Iterator[str]:
    if not LABEL_NAME.fullmatch(container.name):
        yield f"has a container {container.name}: {LABEL_NAME_RULE}"
    image = container.body.get("image")
    if isinstance(image, str) and not is_image(image):
        yield f"has an image {image} in container {container.name}: write a name in small letters and one tag"
    yield from _variable_problems(container)
    yield from _probe_problems(container)
    for port in entries(container.body.get("ports")):
        name = port.get("name")
        if isinstance(name, str) and not _PORT_NAME.fullmatch(name):
            yield (
                f"has a port {name} in container {container.name}: name it by at most 15 of a-z, 0-9 and -, not at "
                "the ends, with a letter"
            )
    requests, limits = (mapping(get(container.body, f"resources.{kind}")) for kind in ("requests", "limits"))
    for kind, amounts in (("requests", requests), ("limits", limits)):
        for name, amount in amounts.items():
            if "/" not in name and not _RESOURCES.fullmatch(name):
                yield (
                    f"has {kind} of {name} in container {container.name}: write cpu, memory, ephemeral-storage, or a "
                    "device with its domain, such as nvidia.com/gpu"
                )
            if not QUANTITY.fullmatch(str(amount)):
                yield (
                    f"has {kind} of {name} {amount} in container {container.name}: write an amount of Kubernetes, such "
                    "as 500m or 2Gi"
                )
            elif name in _BYTES and str(amount).endswith(_PARTS):
                yield (
                    f"has {kind} of {name} {amount} in container {container.name}, which is a part of a byte: write "
                    f"{str(amount)[:-1]}Mi"
                )
            elif name == "cpu" and quantity(str(amount)) >= _MANY_CPUS:
                yield (
                    f"has {kind} of cpu {amount} in container {container.name}, which no node has: write 500m for half "
                    "of one"
                )
            elif kind == "limits" and name == "memory" and 0 < quantity(str(amount)) < _LEAST_MEMORY:
                yield (
                    f"has limits of memory {amount} in container {container.name}, with which none can start: write it "
                    f"with Mi or Gi, such as 512Mi"
                )
            elif kind == "requests" and not _is_extended(name) and _above(amount, limits.get(name)):
                yield (
                    f"has requests of {name} {amount} above the limits {limits[name]} in container {container.name}: "
                    "set the limits beside it"
                )
    for name in sorted({*requests, *limits}):
        if _is_extended(name) and (problem := _extended_problem(requests.get(name), limits.get(name))):
            yield f"has {name} in container {container.name}: {problem}"


def _is_address(value: Any) -> bool:
    with suppress(ValueError):
        return value is UNKNOWN or bool(ip_address(str(value)))
    return False


def _is_extended(name: str) -> bool:
    """Return whether a resource is a device such as nvidia.com/gpu, which Kubernetes does not know itself."""
    return "/" in name and not name.partition("/")[0].endswith("kubernetes.io")


def _extended_problem(request: Any, limit: Any) -> str | None:
    """Kubernetes: devices are whole, and requested as limits, with equal requests or none (validation.go)."""
    if UNKNOWN in (request, limit):
        return None
    if limit is None:
        return "set it in limits, because a device cannot be requested alone"
    if not re.fullmatch("[0-9]+", str(limit)):
        return f"write a whole number in limits, not {limit}"
    return None if request in (None, limit, str(limit)) else "set equal requests and limits, or limits alone"


def _above(request: Any, limit: Any) -> bool:
    if limit is None or not QUANTITY.fullmatch(str(limit)):
        return False
    return quantity(str(request)) > quantity(str(limit))


def _label_problems(rendered: RenderedObject) -> Iterator[str]:
    for label, value in mapping(get(pod_of(rendered), "metadata.labels")).items():
        if isinstance(value, str) and not LABEL_VALUE.fullmatch(value):
            yield f"has a label {label} with the value {value}: {LABEL_RULE}"
        elif not qualified(label):
            yield f"has a label {label}: name it as in example.com/team, by A-Z, a-z, 0-9 and _.- alone"


def _variable_problems(container: Container) -> Iterator[str]:
    for entry in entries(container.body.get("env")):
        name = entry.get("name")
        if isinstance(name, str) and not VARIABLE_NAME.fullmatch(name):
            yield f"has a variable {name!r} in container {container.name}: name it by letters, digits and _.- alone"
        if entry.get("value") not in (None, "") and entry.get("valueFrom"):
            yield f"has a variable {name} with value and valueFrom in container {container.name}: give one of the two"
        sources = [source for source, given in mapping(entry.get("valueFrom")).items() if given is not None]
        if entry.get("valueFrom") is not None and len(sources) != 1:
            found = " and ".join(sources) or "no source"
            yield f"has a variable {name} from {found} in container {container.name}: give it one, such as secretKeyRef"


def _probe_problems(container: Container) -> Iterator[str]:
    for probe in _PROBES:
        probed = mapping(container.body.get(probe))
        for field in _PROBE_NUMBERS:
            number = probed.get(field)
            if isinstance(number, int) and number < 0:
                yield f"has {probe}.{field} {number} in container {container.name}: write 1 or more"
        if probe != "readinessProbe" and probed.get("successThreshold") not in (None, UNKNOWN, 0, 1):
            yield f"has {probe}.successThreshold in container {container.name}: write 1, or leave it out"


def _twice(names: Iterable[str]) -> list[str]:
    listed = list(names)
    return sorted({name for name in listed if listed.count(name) > 1})
