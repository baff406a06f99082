"""`engine_preview.py STACK FOLDER`: write the engine's preview to the log, FOLDER/preview-STACK.md, the run's summary.

The file and the summary hold the change report of the preview with the log folded up below it, or the log alone where
there is no report. The report alone is FOLDER/report-STACK.md. A failure is shown unfolded.
With --plan the engine also saves its update plan as FOLDER/STACK.plan: `up` then does that and nothing else. The
output `changes` of the workflow's step says whether there is something to do.
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
    # An absolute path: the engine runs in another folder.
    plan = ["--save-plan", str(args.folder.resolve() / f"{args.stack}.plan")] if args.plan else []
    report = args.folder.resolve() / f"report-{args.stack}.md"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "automation", "preview", args.stack, "--detailed-exitcode"]
    command += ["--report", str(report), *plan]
    output = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            output += line
    told = report.read_text(encoding="utf-8") if report.is_file() else ""
    markdown = section(args.stack, output, process.returncode, told)
    (args.folder / f"preview-{args.stack}.md").write_text(markdown, encoding="utf-8")
    changes = process.returncode == _CHANGES
    _append(environ, "GITHUB_STEP_SUMMARY", markdown)
    _append(environ, "GITHUB_OUTPUT", f"changes={str(changes).lower()}\n")
    return 0 if changes else process.returncode


def section(stack: str, output: str, code: int, report: str) -> str:
    """Return a part of the comment. report: Markdown, "" where there is none. A failure is shown unfolded."""
    log = fenced(output.strip() or "the engine wrote nothing")
    if code == 0:
        return _details(f"Preview of <code>{stack}</code>: no change", log)
    if code == _CHANGES:
        report = report.strip() or "**The change report could not be made**: the log says why."
        text = f"{report}\n\n{_details('Log', log)}"
        return _details(f"Preview of <code>{stack}</code>: from the engine", text)
    return _details(f"Preview of <code>{stack}</code>: failed", f"{log}\n\n{report.strip()}".strip(), opened=True)


def _details(title: str, text: str, *, opened: bool = False) -> str:
    return f"<details{' open' if opened else ''}><summary>{title}</summary>\n\n{text.strip()}\n\n</details>\n"


def _append(environ: Mapping[str, str], variable: str, text: str) -> None:
    if environ.get(variable):
        with Path(environ[variable]).open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())
