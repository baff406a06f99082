"""Checks the parts of an image's name (github.com/distribution/reference), as `fields` checks other texts."""

from __future__ import annotations

import re
from typing import Final

from components.texts.fields import matching, refuse, shown

_MOVING_TAGS: Final = (
    "latest|stable|current|newest|main|master|trunk|head|default|edge|nightly|daily|weekly|snapshot|canary|unstable|"
    "dev|devel|develop|development|staging|stage|prod|production|release|test|testing|next|lts|rolling"
)
_MOVING_TAG: Final = re.compile(rf"(slim-)?({_MOVING_TAGS})(-slim)?(-python[0-9.]+)?", re.IGNORECASE)
"""Tags that are pushed again, alone or as apache/airflow and python combine them."""


_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
"""A tag of an image."""
_COMPONENT: Final = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_HOST: Final = r"([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:)|localhost)(:[0-9]+)?/"
"""A first part is a host only with a dot or a port in it; see `images.registry_host`."""
_REPOSITORY: Final = rf"({_HOST})?{_COMPONENT}(/{_COMPONENT})*"
_REFERENCE: Final = re.compile(rf"{_REPOSITORY}(:{_TAG})?(@sha256:[0-9a-f]{{64}})?")


def is_image(text: str) -> bool:
    """Tell whether a text is a reference to an image, with or without tag and digest."""
    return _REFERENCE.fullmatch(text) is not None


def image_repository(text: str) -> str:
    """An image reference without tag and digest (github.com/distribution/reference)."""
    if is_image(text) and ("@" in text or ":" in text.rpartition("/")[2]):
        refuse(
            "expected an image without tag, such as apache/airflow, found a tag or a digest at its end: give that as "
            "airflow:imageTag or airflow:imageDigest"
        )
    if text.startswith(("http://", "https://")):
        refuse("expected an image without tag, such as apache/airflow, found a URL: leave out what is before the host")
    return matching(text, _REPOSITORY, "an image without tag, such as apache/airflow")


def image_tag(text: str) -> str:
    """A tag that names one image for good."""
    if re.fullmatch(rf"({_TAG})?@?sha256:[0-9a-f]{{64}}", text):
        refuse("expected an image tag, found a digest: give it as airflow:imageDigest, and the tag alone here")
    matching(text, _TAG, "an image tag: at most 128 of A-Z, a-z, 0-9 and _.-")
    if _MOVING_TAG.fullmatch(text):
        refuse(
            f"expected a tag that always names the same image, such as a commit or 3.2.2-4, found {shown(text)}: "
            "an update would not notice a new image"
        )
    return text


def image_digest(text: str) -> str:
    """A SHA-256 digest."""
    return matching(text, r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits")


def image_registry(text: str) -> str:
    """Host, optional port, optional path; no scheme, no slash at the end."""
    return matching(
        text,
        r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)*",
        "a registry such as registry.example.com/mirror, without https:// and without a slash at the end",
    )
