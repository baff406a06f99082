"""References to images, in pods and in the values of a Helm release."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policy.chart import airflow_values, release_values
from policy.model import UNKNOWN, JudgedResource, RenderedObject, dotted, get, maps
from policy.pods import containers

_HUB: Final = "docker.io"
_REFERENCE: Final = re.compile(
    r"(?P<name>[\w./-]+(?::[0-9]+/[\w./-]+)?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>[a-z0-9+._-]+:[0-9a-fA-F]+))?"
)
_FALLS_BACK: Final = ("airflow", "pod_template", "flower")
"""Keys of the chart's `images` that take the default repository and tag where they have none."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A reference to an image."""

    name: str
    """The name with its registry, such as `docker.io/library/redis`."""
    tag: str = ""
    """The tag, or ""."""
    digest: str = ""
    """The digest, or ""."""


def parse_image(reference: str) -> Image | None:
    """Read a reference in the grammar of github.com/distribution/reference; None for others, such as a template."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    name, first = match["name"], match["name"].partition("/")[0]
    if first == name or not ("." in first or ":" in first or first == "localhost"):
        name = f"{_HUB}/{name if '/' in name else f'library/{name}'}"
    return Image(name=name, tag=match["tag"] or "", digest=match["digest"] or "")


def images_of_object(rendered: RenderedObject) -> Iterator[tuple[str, Image]]:
    """Yield (where, image) of each container whose image is known and a reference."""
    for container in containers(rendered):
        image = _parsed(container.body.get("image", ""))
        if image is not None:
            yield f"container {container.name}", image


def images_of_release(resource: JudgedResource) -> list[tuple[str, Image]]:
    """Return (path of the values, image) of a Helm release; for the Airflow chart with its default images."""
    return resource.made_by(_images_of_release)


def _images_of_release(resource: JudgedResource) -> list[tuple[str, Image]]:
    return list(_found_in_release(resource))


def _found_in_release(resource: JudgedResource) -> Iterator[tuple[str, Image]]:
    airflow = airflow_values(resource)
    if airflow is None:
        yield from _images_in(release_values(resource))
        return
    values = dict(airflow)
    if get(values, "postgresql.enabled") is not True:
        values.pop("postgresql", None)
    defaults = {"repository": values.get("defaultAirflowRepository"), "tag": values.get("defaultAirflowTag")}
    named = values.get("images")
    if isinstance(named, Mapping):
        values["images"] = {
            key: _with_defaults(image, defaults) if key in _FALLS_BACK else image for key, image in named.items()
        }
    yield from _images_in(values)
    executor = get(values, "config.kubernetes_executor")
    task_pod = _joined(get(executor, "worker_container_repository"), get(executor, "worker_container_tag"), None)
    if task_pod is not None:
        yield "config.kubernetes_executor", task_pod


def _with_defaults(image: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(image, Mapping):
        return image
    return {**image, **{key: value for key, value in defaults.items() if image.get(key) in (None, "")}}


def _images_in(values: Any) -> Iterator[tuple[str, Image]]:
    """Yield the images of maps with a repository and a tag, and of containers with an image."""
    for path, value in maps(values):
        image: Image | None = None
        if "repository" in value and {"tag", "digest"} & value.keys():
            image = _joined(value["repository"], value.get("tag"), value.get("digest"))
        elif "name" in value and isinstance(value.get("image"), str):
            image = _parsed(value["image"])
        if image is not None:
            yield dotted(path), image


def _joined(repository: Any, tag: Any, digest: Any) -> Image | None:
    """Join the parts as the chart does: a digest wins over a tag, and a repository may end with `@sha256`."""
    if UNKNOWN in (repository, tag, digest) or not isinstance(repository, str) or not repository:
        return None
    if digest:
        return _parsed(f"{repository}@{digest}")
    return _parsed(f"{repository}:{tag}" if tag else repository)


def _parsed(reference: Any) -> Image | None:
    return parse_image(reference) if isinstance(reference, str) else None
