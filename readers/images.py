"""Which images run, and where they come from."""

from __future__ import annotations

from enum import StrEnum

import checks
from components.images import Images
from config_reader import Reader


class _PullPolicy(StrEnum):
    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


def read_images(read: Reader) -> Images:
    """The keys image…."""
    return Images(
        repository=read.text("imageRepository", checks.image_repository) or "",
        tag=read.text("imageTag", checks.image_tag) or "",
        digest=read.text("imageDigest", checks.image_digest, empty=True),
        pull_policy=read.choice("imagePullPolicy", _PullPolicy).value,
        pull_secrets=read.texts("imagePullSecrets", checks.dns_subdomain),
        registry=read.text("imageRegistry", checks.image_registry, empty=True),
    )
