"""A refusal by AWS that the provider hides: a bucket that it may not see is to it one that is not there yet.

So it waits for 20 minutes for what it has made, and then says that it cannot find it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from components.aws.deploying_role import statements_for

_RIGHT: Final = "s3:ListBucket"
_BUCKET: Final = "aws:s3/bucket:Bucket"
_WAITS: Final = re.compile(r"waiting for S3 Bucket \(([^)\s]+)\) create")
_LONG_SECONDS: Final = 60.0
"""A bucket is made within seconds."""


def hint(operation: str, type: str, seconds: float) -> str:
    """Return why a step may take so long, "" where no reason is known."""
    if (operation, type) != ("create", _BUCKET) or seconds < _LONG_SECONDS:
        return ""
    given = statements_for(_RIGHT)
    return (
        f": it may be that the role that deploys lacks {_RIGHT}{f' ({given})' if given else ''}, which the provider "
        "notices after 20 minutes; to go on sooner, interrupt this, allow that, and run it again"
    )


def hidden_rights(text: str) -> Iterator[tuple[str, str]]:
    """Yield each right that is missing by the text of a failure, with the ARN for which it is."""
    yield from ((_RIGHT, f"arn:aws:s3:::{match[1]}") for match in _WAITS.finditer(text))
