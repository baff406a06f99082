"""Write the stacks of the committed `Pulumi.STACK.yaml` as outputs of the workflow's step, for a job's matrix.

all: every stack. deployable: stacks on a cluster that a runner reaches (`airflow:eksCluster`); `dev` is a laptop's.
report: `all` with commas.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_CLUSTER: Final = re.compile(r"""^\s+["']?airflow:eksCluster["']?\s*:\s*[^\s#]""", re.MULTILINE)


def main(root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> int:
    try:
        found = stacks(root)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    names = sorted(found)
    deployable = [name for name in names if found[name]]
    lines = f"all={json.dumps(names)}\ndeployable={json.dumps(deployable)}\nreport={','.join(names)}\n"
    print(lines, end="")
    if environ.get("GITHUB_OUTPUT"):
        with Path(environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
            file.write(lines)
    return 0


def stacks(root: Path) -> dict[str, bool]:
    """Return whether each stack is deployable. Raises ValueError for a bad name: it becomes an argument elsewhere."""
    deployable = {}
    for path in root.glob("Pulumi.?*.yaml"):
        name = path.name[len("Pulumi.") : -len(".yaml")]
        if not _NAME.fullmatch(name):
            raise ValueError(f"{path.name!r}: expected Pulumi.STACK.yaml with letters, digits, dots and hyphens")
        deployable[name] = bool(_CLUSTER.search(path.read_text(encoding="utf-8")))
    return deployable


if __name__ == "__main__":
    sys.exit(main())
