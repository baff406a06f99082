"""`install_go_tools.py NAME...`: build tools in the versions of versions.py and put them on the job's PATH.

Go checks what it downloads against its public checksum database, so a number is enough of a pin.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import versions  # noqa: E402 - not found before the line above

MODULES: Final = {
    "actionlint": f"github.com/rhysd/actionlint/cmd/actionlint@v{versions.ACTIONLINT}",
    "kind": f"sigs.k8s.io/kind@v{versions.KIND}",
}


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(MODULES), metavar="NAME")
    args = parser.parse_args(arguments)
    folder = Path(environ["RUNNER_TEMP"]) / "go-tools"
    for name in args.names:
        print(f"go install {MODULES[name]}", flush=True)
        command = ["go", "install", MODULES[name]]
        if code := subprocess.run(command, env={**environ, "GOBIN": str(folder)}, check=False).returncode:
            return code
    with Path(environ["GITHUB_PATH"]).open("a", encoding="utf-8") as path:
        path.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
