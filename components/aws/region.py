"""AWS regions: what their names look like, and the partition and domain that each belongs to."""

from __future__ import annotations

from typing import Final

REGION: Final = r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]"
"""Pattern of a region's name, such as eu-central-1 or us-gov-west-1."""

_PLACES: Final = {
    # prefix of the region: partition, domain
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "eusc-": ("aws-eusc", "amazonaws.eu"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
}
_COMMERCIAL: Final = ("aws", "amazonaws.com")


def partition(region: str) -> str:
    """Return the partition of a region, with which every ARN begins: `aws`, except in China and for governments."""
    return _place(region)[0]


def domain(region: str) -> str:
    """Return the domain of the AWS endpoints in a region."""
    return _place(region)[1]


def _place(region: str) -> tuple[str, str]:
    return next((place for prefix, place in _PLACES.items() if region.startswith(prefix)), _COMMERCIAL)
