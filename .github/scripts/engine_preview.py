"""`engine_preview.py STACK FOLDER`: what the engine would do: to the log, FOLDER/preview-STACK.md, the run's summary.

With --plan the engine also writes down what it may do, as FOLDER/STACK.plan: `up` then does that and nothing else. The
step's output `changes` says whether there is something to do.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from comment import fenced

_CHANGES: Final = 2
"""Exit code of `preview --detailed-exitcode` where something would change."""


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plan", action="store_true", help="also write FOLDER/STACK.plan")
    args = parser.parse_args(arguments)
    args.folder.mkdir(parents=True, exist_ok=True)
    # As a whole path: the engine runs in another folder.
    plan = ["--save-plan", str(args.folder.resolve() / f"{args.stack}.plan")] if args.plan else []
    command = [sys.executable, "-m", "automation", "preview", args.stack, "--detailed-exitcode", *plan]
    output = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            output += line
    markdown = section(args.stack, output, process.returncode)
    (args.folder / f"preview-{args.stack}.md").write_text(markdown, encoding="utf-8")
    changes = process.returncode == _CHANGES
    _append(environ, "GITHUB_STEP_SUMMARY", markdown)
    _append(environ, "GITHUB_OUTPUT", f"changes={str(changes).lower()}\n")
    return 0 if changes else process.returncode


def section(stack: str, output: str, code: int) -> str:
    """A part of the comment. A failure is shown opened."""
    text = fenced(output.strip() or "the engine wrote nothing")
    result = {0: "no change", _CHANGES: "from the engine"}.get(code, "failed")
    state = " open" if result == "failed" else ""
    title = f"Preview of <code>{stack}</code>: {result}"
    return f"<details{state}><summary>{title}</summary>\n\n{text}\n\n</details>\n"


def _append(environ: Mapping[str, str], variable: str, text: str) -> None:
    if environ.get(variable):
        with Path(environ[variable]).open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())
