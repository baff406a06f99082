"""Which images run, and where they are pulled from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import compatibility
import versions
from components.kube.docker_config import docker_config
from components.kube.images import Images
from components.texts import fields, image_fields
from settings.keys import Section
from settings.reading import Config
from settings.upgrade import UpgradeMark

SECTION = Section("Images")

_VERSION: Final = re.compile(r"(?:slim-)?v?(?P<version>[0-9]+\.[0-9]+(?:\.[0-9]+(?:(?:a|b|rc)[0-9]+)?)?)(?:[-_.+].*)?")
"""A tag that begins with a version, as all of apache/airflow do."""
_AIRFLOW_MAJORS: Final = ("2", "3")
_OFFICIAL: Final = re.compile(r"(.*/)?apache/airflow")


def _airflow_version(text: str) -> str:
    fields.version(text)
    if ".".join(text.split(".")[:2]) not in compatibility.AIRFLOW:
        fields.refuse(
            f"expected a released Airflow, {', '.join(f'{minor}.x' for minor in compatibility.AIRFLOW)}, found "
            f"{fields.shown(text)}"
        )
    return text


def _mirror_problems(mirrors: Mapping[str, str]) -> dict[str, str]:
    problems = {}
    for host, mirror in mirrors.items():
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", host):
            problems[host] = f"expected hosts of registries such as docker.io, found {fields.shown(host)}"
            continue
        try:
            image_fields.image_registry(mirror)
        except ValueError as error:
            problems[host] = f"{host}: {error}"
    return problems


class PullPolicy(StrEnum):
    """Values of Kubernetes' `imagePullPolicy`."""

    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


IMAGE_REPOSITORY = SECTION.text(
    "imageRepository",
    image_fields.image_repository,
    default=Images.repository,
    description="Airflow image without tag. One without a registry host follows imageRegistry.",
)
IMAGE_TAG = SECTION.text(
    "imageTag",
    image_fields.image_tag,
    default=versions.AIRFLOW,
    description="Tag of the Airflow image. A routine deployment moves this key and nothing else.",
)
IMAGE_DIGEST = SECTION.optional(
    "imageDigest",
    image_fields.image_digest,
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
    docker_config,
    file="CONFIG_FILE",
    description="A Docker config.json with credentials for private registries; the stack makes the Secret of it.",
)
IMAGE_REGISTRY = SECTION.optional(
    "imageRegistry",
    image_fields.image_registry,
    description="Registry, with optional port and path, that mirrors every image. Empty takes each image from its own.",
)
IMAGE_MIRRORS = SECTION.text_map(
    "imageMirrors",
    description="Mirror of each upstream registry that has one of its own, such as a pull-through cache: docker.io, "
    "quay.io, registry.k8s.io, each with a registry as in imageRegistry. The others follow imageRegistry.",
    problems_of=_mirror_problems,
)
AIRFLOW_VERSION = SECTION.text(
    "airflowVersion",
    _airflow_version,
    default=versions.AIRFLOW,
    description="Version of Airflow in the image. The chart decides by it what to deploy.",
)


UPGRADE = SECTION.mark(
    "upgrade",
    UpgradeMark.of,
    description="The upgrade or rollback that is under way. python -m automation upgrade and rollback write and remove "
    "it.",
)


def read_images(config: Config) -> Images:
    """Return the images of the deployment. A tag with another Airflow than airflowVersion is refused."""
    _check_version_of_tag(config)
    images = Images(
        repository=config[IMAGE_REPOSITORY],
        tag=config[IMAGE_TAG],
        digest=config[IMAGE_DIGEST],
        pull_policy=config[IMAGE_PULL_POLICY].value,
        pull_secrets=config[IMAGE_PULL_SECRETS],
        registry=config[IMAGE_REGISTRY],
        mirrors=config[IMAGE_MIRRORS],
    )
    _check_mirrors(config, images)
    return images


def _check_mirrors(config: Config, images: Images) -> None:
    """Note mirrors of registries that no image comes from."""
    if config.bad(IMAGE_MIRRORS, IMAGE_REPOSITORY):
        return
    for host in images.mirrors.keys() - images.registries:
        config.problem(
            IMAGE_MIRRORS,
            f"expected registries that images come from, {', '.join(sorted(images.registries))}, found {host}",
            f"pulumi config rm --path '{IMAGE_MIRRORS.full}[\"{host}\"]'",
            one_of_many=True,
        )


def _check_version_of_tag(config: Config) -> None:
    """Note a tag that begins with another version than airflowVersion, by which the chart decides what to deploy.

    A team's own image may have versions of its own: those that cannot be Airflow's are left alone.
    """
    tag, airflow = config[IMAGE_TAG], config[AIRFLOW_VERSION]
    match = _VERSION.fullmatch(tag)
    if match is None or config.bad(IMAGE_TAG, IMAGE_REPOSITORY, AIRFLOW_VERSION):
        return
    found = match["version"]
    foreign = found.split(".")[0] not in _AIRFLOW_MAJORS and not _OFFICIAL.fullmatch(config[IMAGE_REPOSITORY])
    if found.count(".") == 1 and found not in compatibility.AIRFLOW:
        return  # 3.10 may be Python's
    if foreign or airflow == found or airflow.startswith(f"{found}."):
        return
    other = found.split(".")[:2]
    change = f", or pulumi config set {AIRFLOW_VERSION.full} {found}"
    config.problem(
        IMAGE_TAG,
        f"expected a tag of {AIRFLOW_VERSION.full}, {airflow}, found {fields.shown(tag)}, which begins with another "
        "version (if it is a version of your own, begin the tag with a letter other than v)",
        f"pulumi config set {IMAGE_TAG.full} {airflow}"
        f"{change if '.'.join(other) in compatibility.AIRFLOW and found.count('.') > 1 else ''}",
    )
