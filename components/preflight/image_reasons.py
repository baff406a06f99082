"""Says what the usual errors of an image pull mean for the config of a stack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from components.kube.refusals import IMAGE_DENIED, IMAGE_MISSING, IMAGE_NAME_INVALID, IMAGE_NEVER_PULLED
from components.preflight.finding import Finding
from components.preflight.reasons import Reason, explained

_SET: Final = "pulumi config set --stack {stack}"
_TAG: Final = "airflow:imageTag"
_DIGEST: Final = "airflow:imageDigest"
WRONG_PROCESSOR: Final = "exec format error"
"""What a container writes whose image was pulled by its digest, and is for another processor."""
_REASONS: Final = (
    Reason(
        rf"{WRONG_PROCESSOR}|no match for platform",
        "{key}: expected {image} for the processor of the nodes, found it for another one",
        "build it for this one too (docker buildx build --platform …), or: {correct}",
    ),
    Reason(
        rf"{IMAGE_DENIED}|40[13] ",
        "airflow:registryCredentials: expected that the registry hands out {image}, found that it refuses it without "
        "other credentials, or has no such repository",
        f"{_SET} --secret airflow:registryCredentials < CONFIG_FILE; or correct the name: {{rename}}",
    ),
    Reason(
        rf"{IMAGE_MISSING}|404",
        "{key}: expected an image that exists, found no {image}: {line}",
        "{correct}",
    ),
    Reason(
        IMAGE_NAME_INVALID,
        "{key}: expected the name of an image, found {image}",
        "{correct}",
    ),
    Reason(
        IMAGE_NEVER_PULLED,
        "airflow:imagePullPolicy: expected {image} on the node, because the policy is Never, found none",
        f"load it into every node, or: {_SET} airflow:imagePullPolicy IfNotPresent",
    ),
    Reason(
        r"x509|certificate",
        "{key}: expected {image} from a registry whose certificate the nodes trust, found: {line}",
        "let the nodes' container runtime trust the authority, or take another registry: "
        f"{_SET} airflow:imageRegistry REGISTRY",
    ),
    Reason(
        r"toomanyrequests|429|rate limit",
        "{key}: expected that the registry hands out {image}, found that it limits the pulls",
        f"log in: {_SET} --secret airflow:registryCredentials < CONFIG_FILE; or use a mirror: airflow:imageRegistry",
        outage=True,
    ),
)
_OTHER: Final = Reason(
    "",
    "{key}: expected that the nodes pull {image}, found: {line}",
    f"look at the registry and at the network of the nodes; a mirror: {_SET} airflow:imageRegistry REGISTRY",
    outage=True,
)
_CHAIN: Final = re.compile(
    r"^(\w+: )?(Back-off pulling image \"[^\"]*\": )?(ErrImagePull: )?(rpc error: code = \w+ desc = )?"
    r"(failed to pull and unpack image \"[^\"]*\": )?(failed to resolve reference \"[^\"]*\": )?"
    r"(failed to do request: )?"
)
"""What kubelet and containerd put before the reason."""
_PERMANENT: Final = _REASONS[:5]


def is_permanent(text: str) -> bool:
    """Whether a failed pull will fail again: what it needs does not exist, or is refused."""
    return any(re.search(reason.pattern, text, re.IGNORECASE) for reason in _PERMANENT)


def image_finding(image: str, text: str, *, key: str, correct: str, stack: str) -> Finding:
    """Return why an image could not be pulled or run.

    Args:
        image: Its reference.
        text: What Kubernetes or the container says.
        key: The config key that names the image.
        correct: How to name another one.
        stack: The stack's name.
    """
    own = key in (_TAG, _DIGEST)
    rename = f"{_SET.format(stack=stack)} airflow:imageRepository NAME" if own else correct
    known = {"image": image, "key": key, "correct": correct, "rename": rename, "stack": stack}
    return explained(f"image {image}", _CHAIN.sub("", text), (*_REASONS, _OTHER), known)


def image_key(role: str, image: str) -> tuple[str, str]:
    """Return the config key that decides on an image, and how to set it, with `{stack}` still in it.

    Args:
        role: `airflow`, `postgres`, or a key of the chart's `images`.
        image: Its reference. A digest in it makes the tag of no effect.
    """
    by_digest = (_DIGEST, f"{_SET} {_DIGEST} sha256:HEX")
    roles: Mapping[str, tuple[str, str]] = {
        "airflow": by_digest if "@" in image else (_TAG, f"{_SET} {_TAG} TAG"),
        "postgres": ("airflow:imageRegistry", f"mirror it, or: {_SET} airflow:imageRegistry REGISTRY"),
    }
    return roles.get(
        role,
        (
            f"images.{role}",
            f"mirror it, or: {_SET} airflow:imageRegistry REGISTRY; its tag is images.{role}.tag of airflow:helmValues",
        ),
    )
