"""Says what an image lacks of what a stack's config needs. A script of its own, which needs nothing but Python.

It runs in Airflow's image before a migration, as `python -c TEXT DOCUMENT`. DOCUMENT is JSON: `airflow` is the version
that the image should have, `packages` is pairs of a package that it should have and the text for the case that it has
not. What is missing is written to standard error, and the exit code is REFUSED.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

REFUSED = 78  # EX_CONFIG of sysexits.h: another try would end in the same way


def version(*packages: str) -> str:
    """Return the version of the first package that is installed; "" if none is."""
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def problems(wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the image lacks. A suffix of the version, as of a patched Airflow, does not matter."""
    airflow, found = wanted["airflow"], version("apache-airflow-core", "apache-airflow")
    if not found:
        yield (
            f"airflow:imageTag: expected an image with Airflow {airflow}, found no Airflow in it. "
            "Fix: pulumi config set --stack STACK airflow:imageTag TAG"
        )
        return
    release = re.match(r"\d+(\.\d+)*", found)
    if release is None or release.group() != airflow:
        yield (
            f"airflow:imageTag: expected an image with Airflow {airflow} (airflow:airflowVersion), found Airflow "
            f"{found} in it. Nothing was migrated. Fix: pulumi config set --stack STACK airflow:imageTag TAG; to change"
            " the version of Airflow: python -m automation upgrade STACK --tag TAG --airflow-version VERSION"
        )
    for package, text in wanted["packages"]:
        if not version(package):
            yield text


if __name__ == "__main__":
    lacking = list(problems(json.loads(sys.argv[1])))
    for problem in lacking:
        print(problem, file=sys.stderr)
    sys.exit(REFUSED if lacking else 0)
