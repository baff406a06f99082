"""Which images run, and where they are pulled from."""

from __future__ import annotations

from enum import StrEnum

import versions
from components import fields
from components.kube.images import Images
from settings.keys import Section
from settings.reading import Config

SECTION = Section("Images")


class PullPolicy(StrEnum):
    """Values of Kubernetes' `imagePullPolicy`."""

    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


IMAGE_REPOSITORY = SECTION.text(
    "imageRepository",
    fields.image_repository,
    default=Images.repository,
    description="Airflow image without tag. One without a registry host follows imageRegistry.",
)
IMAGE_TAG = SECTION.text(
    "imageTag",
    fields.image_tag,
    default=versions.AIRFLOW,
    description="Tag of the Airflow image. A routine deployment moves this key and nothing else.",
)
IMAGE_DIGEST = SECTION.optional(
    "imageDigest",
    fields.image_digest,
    description="Digest of the Airflow image (sha256: and 64 hexadecimal digits). Wins over the tag, in task pods too.",
)
IMAGE_PULL_POLICY = SECTION.choice(
    "imagePullPolicy",
    PullPolicy,
    default=PullPolicy(Images.pull_policy),
    description="{choices}, for every container.",
)
IMAGE_PULL_SECRETS = SECTION.texts(
    "imagePullSecrets",
    fields.dns_subdomain,
    description="Names of Secrets that something else puts into the namespace, with registry credentials.",
)
REGISTRY_CREDENTIALS = SECTION.secret(
    "registryCredentials",
    fields.docker_config,
    file="CONFIG_FILE",
    description="A Docker config.json with credentials for private registries; the stack makes the Secret of it.",
)
IMAGE_REGISTRY = SECTION.optional(
    "imageRegistry",
    fields.image_registry,
    description="Registry, with optional port and path, that mirrors every image. Empty takes each image from its own.",
)
AIRFLOW_VERSION = SECTION.text(
    "airflowVersion",
    fields.version,
    default=versions.AIRFLOW,
    description="Airflow in the image. The chart decides by it what to deploy.",
)


def read_images(config: Config) -> Images:
    """Return the images of the deployment."""
    return Images(
        repository=config[IMAGE_REPOSITORY],
        tag=config[IMAGE_TAG],
        digest=config[IMAGE_DIGEST],
        pull_policy=config[IMAGE_PULL_POLICY].value,
        pull_secrets=config[IMAGE_PULL_SECRETS],
        registry=config[IMAGE_REGISTRY],
    )
