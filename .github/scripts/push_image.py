"""`push_image.py IMAGE`: push an image whose tag is new, and write its digest to the step's output `digest`.

A tag stays on the image that it was given first.

The job's AWS credentials log in to AWS ECR; for another registry the login comes before.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_ECR: Final = re.compile(
    r"(?P<host>(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?)/(?P<name>.+)"
)

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", help="REPOSITORY:TAG")
    args = parser.parse_args(arguments)
    repository, colon, tag = args.image.rpartition(":")
    if not colon or "/" in tag:
        print(f"error: expected REPOSITORY:TAG, found {args.image}", file=sys.stderr)
        return 1
    match = _ECR.fullmatch(repository)
    digest = _pushed(match, tag) if match else None
    if match and not _login(match):  # those who sign the image push statements about it
        return 1
    if digest is not None:
        print(f"{args.image} exists")
        return _told(digest)
    code = subprocess.run(["docker", "push", args.image], check=False).returncode
    return code or _told(_digest(args.image, repository))


def _pushed(match: re.Match[str], tag: str) -> str | None:
    """Return the digest of the tag, if another run of the same commit has pushed it."""
    client = _client(match)
    wanted = [{"imageTag": tag}]
    try:
        found = client.describe_images(registryId=match["account"], repositoryName=match["name"], imageIds=wanted)
    except client.exceptions.ImageNotFoundException:
        return None
    return str(found["imageDetails"][0]["imageDigest"])


def _digest(image: str, repository: str) -> str:
    """Return the digest that the registry gave the image, "" if Docker does not know it."""
    command = ["docker", "image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', image]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    known = dict(line.split("@", 1) for line in done.stdout.splitlines() if "@" in line)
    return known.get(repository, "")


def _told(digest: str) -> int:
    """Write the digest where the next steps read it."""
    if not _DIGEST.fullmatch(digest):
        print(f"error: expected the digest of the image, found {digest!r}", file=sys.stderr)
        return 1
    print(f"digest: {digest}")
    path = os.environ.get("GITHUB_OUTPUT")
    if path:
        with Path(path).open("a", encoding="utf-8") as output:
            output.write(f"digest={digest}\n")
    return 0


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
