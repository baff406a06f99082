"""`push_image.py IMAGE`: push an image whose tag is new. A tag stays on the image that it was given first.

The job's AWS credentials log in to AWS ECR; for another registry the login comes before.
"""

from __future__ import annotations

import argparse
import base64
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

_ECR: Final = re.compile(
    r"(?P<host>(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?)/(?P<name>.+)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", help="REPOSITORY:TAG")
    args = parser.parse_args(arguments)
    repository, colon, tag = args.image.rpartition(":")
    if not colon or "/" in tag:
        print(f"error: expected REPOSITORY:TAG, found {args.image}", file=sys.stderr)
        return 1
    match = _ECR.fullmatch(repository)
    if match and _pushed(match, tag):
        print(f"{args.image} exists")
        return 0
    if match and not _login(match):
        return 1
    return subprocess.run(["docker", "push", args.image], check=False).returncode


def _pushed(match: re.Match[str], tag: str) -> bool:
    """Return whether the repository has the tag, because another run of the same commit pushed it."""
    client = _client(match)
    try:
        client.describe_images(registryId=match["account"], repositoryName=match["name"], imageIds=[{"imageTag": tag}])
    except client.exceptions.ImageNotFoundException:
        return False
    return True


def _login(match: re.Match[str]) -> bool:
    """Log Docker in for twelve hours. The password goes through a pipe, not through an argument."""
    data = _client(match).get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    command = ["docker", "login", "--username", user, "--password-stdin", match["host"]]
    return subprocess.run(command, input=password, text=True, check=False).returncode == 0


def _client(match: re.Match[str]) -> Any:
    import boto3

    return boto3.client("ecr", region_name=match["region"])


if __name__ == "__main__":
    sys.exit(main())
