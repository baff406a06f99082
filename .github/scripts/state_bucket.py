"""Refuse a PULUMI_BACKEND_URL that is more than a bucket, before there are credentials.

In pull-request-stack.yml it is a variable of the caller's, which people may set who may not change this repository. A
state says which commands the engine runs to reach a cluster. So it must be in a bucket that the role lets it read: an
address with an `endpoint`, or of another kind of server, would have the state of whoever runs that server.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Final

_BUCKET: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?")


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Return 0 for a bucket, else 1 with an error that does not repeat the address: it may hold a login."""
    if _BUCKET.fullmatch(environ.get("PULUMI_BACKEND_URL", "")):
        return 0
    print(
        "TEMPORARY_BACKEND_URL: expected a bucket and perhaps a folder, such as s3://example-temporary, without "
        "parameters, found something else. Fix: set the variable to the bucket of temporary stacks",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
