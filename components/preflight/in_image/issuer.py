"""Reads once the metadata of an OpenID Connect issuer, as the login to the UI does. A script of its own.

It runs in Airflow's image, as `python -c TEXT URL`, with the variables and files of the API server. It asks with the
library that authlib uses there, which needs it as Airflow does: proxies, authorities and redirects are those of the
login. Nothing here imports it.

Its answer is JSON: `error`, or `status` and a part of `document`, which is null if the answer is no JSON object.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import requests

ANSWER = "/dev/termination-log"
TIMEOUTS = (5, 8)
NAMES = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
LENGTH = 1500


def asked(url: str) -> dict[str, Any]:
    """Return what is at the address. No error shows the login of a proxy."""
    try:
        answer = requests.get(url, timeout=TIMEOUTS)
    except Exception as error:
        text = re.sub(r"//[^/@\s]*@", "//", f"{type(error).__name__}: {error}")
        return {"error": text[:LENGTH]}
    try:
        document = answer.json()
    except ValueError:
        document = None
    part = {name: document.get(name) for name in NAMES} if isinstance(document, dict) else None
    return {"status": answer.status_code, "document": part}


def main(url: str) -> None:
    """Write the answer."""
    found = asked(url)
    with open(ANSWER, "w", encoding="utf-8") as answer:
        json.dump(found, answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
