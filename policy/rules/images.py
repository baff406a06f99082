"""Images: each has a name that stays the same image, and comes from an allowed registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from components.secrets.shapes import harmless
from policy.context import Context
from policy.images import Image, images_of_object, images_of_release
from policy.model import Finding, JudgedResource, RenderedObject
from policy.rule import Check, Rule

_LATEST: Final = re.compile(r"(^|[-_.])latest($|[-_.])", re.IGNORECASE)


def _moving(image: Image, context: Context) -> str | None:
    if image.digest:
        return None
    if not image.tag:
        return f"{harmless(image.name)} has no tag, which means latest"
    return (
        f"{harmless(f'{image.name}:{image.tag}')} may be another image tomorrow" if _LATEST.search(image.tag) else None
    )


def _foreign(image: Image, context: Context) -> str | None:
    for allowed in context.registries:
        if image.name == allowed or image.name.startswith(f"{allowed.rstrip('/')}/"):
            return None
    return f"{harmless(image.name)} is not from an allowed registry"


Judge = Callable[[Image, Context], str | None]


def _in_release(judge: Judge) -> Check[JudgedResource]:
    def check(resource: JudgedResource, context: Context) -> Iterator[Finding]:
        paths: dict[str, list[str]] = {}
        for path, image in images_of_release(resource):
            problem = judge(image, context)
            if problem:
                paths.setdefault(problem, []).append(path)
        for problem, (first, *others) in paths.items():
            more = f" and {len(others)} more" if others else ""
            yield Finding(message=f"values.{first}{more}: {problem}")

    return check


def _in_objects(judge: Judge) -> Check[Sequence[RenderedObject]]:
    def check(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
        for rendered in objects:
            for where, image in images_of_object(rendered):
                problem = judge(image, context)
                if problem:
                    yield Finding.about(rendered, f"{where}: {problem}")

    return check


RULES: Final = (
    Rule(
        id="no-latest-image",
        description="Every image has a digest, or a tag that is not `latest`.",
        remedy="Set airflow:imageTag, or the tag in airflow:helmValues, to one that always names the same image.",
        source="https://kubernetes.io/docs/concepts/containers/images/#image-names",
        resource=_in_release(_moving),
        objects=_in_objects(_moving),
    ),
    Rule(
        id="images-from-allowed-registries",
        description="Every image comes from a registry or a repository in policy/allowed-registries.txt.",
        remedy="Use an image from a registry of that list, or add its registry to the list.",
        source="docs/policy.md#allow-a-registry",
        resource=_in_release(_foreign),
        objects=_in_objects(_foreign),
    ),
)
