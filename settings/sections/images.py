"""Which images run, and where they come from."""

from __future__ import annotations

from enum import StrEnum

from components import fields
from components.kube.images import Images
from settings.reader import Reader


class _PullPolicy(StrEnum):
    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


def read_images(read: Reader) -> Images:
    """The keys image…."""
    return Images(
        repository=read.text("imageRepository", fields.image_repository) or "",
        tag=read.text("imageTag", fields.image_tag) or "",
        digest=read.text("imageDigest", fields.image_digest, empty=True),
        pull_policy=read.choice("imagePullPolicy", _PullPolicy).value,
        pull_secrets=read.texts("imagePullSecrets", fields.dns_subdomain),
        registry=read.text("imageRegistry", fields.image_registry, empty=True),
    )
