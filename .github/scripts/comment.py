"""`comment.py FOLDER`: write the one comment of a pull request, or bring it up to date.

It holds `plan.md`, then each `preview-STACK.md` of the folder. A hidden mark finds it again. The script runs from the
base branch, never from the pull request's own code.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rest import Api, RestError

MARK: Final = "<!-- airflow-preview: this comment is brought up to date by .github/scripts/comment.py -->"
AUTHOR: Final = "github-actions[bot]"
"""The author of our comment. The mark alone proves nothing: anybody can write it."""

LIMIT: Final = 65536
"""Characters of a comment (GitHub: "Body is too long (maximum is 65536 characters)"). Counted here in bytes: fewer."""

MISSING: Final = "The plan was not made: see the run for the reason.\n"
NO_PREVIEW: Final = (
    "**No preview from the engine yet.** It is made when a reviewer approves this commit in the environment `preview`; "
    "a bot's pull request gets none. docs/pull-requests.md says why.\n"
)


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with plan.md and preview-STACK.md")
    args = parser.parse_args(arguments)
    number = event(environ)["pull_request"]["number"]
    try:
        print(upsert(Api.of(environ), number, body(parts(args.folder), run_link(environ))))
    except RestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parts(folder: Path) -> list[str]:
    """Return the Markdown of the report and of each preview, in this order."""
    plan = folder / "plan.md"
    files = [path for path in sorted(folder.glob("preview-*.md")) if _is_own(path)]
    return [_read(plan) if _is_own(plan) else MISSING, *(map(_read, files) if files else [NO_PREVIEW])]


def _is_own(path: Path) -> bool:
    """Return whether a file of an artifact is one, and no link: the pull request's code may have made it.

    A link could lead to this process's own variables, and so to its token.
    """
    return path.is_file() and not path.is_symlink()


def run_link(environ: Mapping[str, str]) -> str:
    """Return the address at which the run keeps the whole report."""
    server, repository, run = (environ[f"GITHUB_{name}"] for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}#artifacts"


def body(markdown: Sequence[str], link: str) -> str:
    """Return the comment: mark, report, and where the whole report is."""
    end = f"\n\n<sub>[Whole report and log]({link})</sub>\n"
    text = "\n\n".join(part.strip() for part in markdown if part.strip())
    return f"{MARK}\n{shortened(text, LIMIT - len(f'{MARK}{end}'.encode()) - 1)}{end}"


def shortened(text: str, limit: int) -> str:
    """Return the text, cut after a line where it has more bytes than `limit`; what the cut leaves open is closed."""
    if len(text.encode()) <= limit:
        return text
    end = "\n\n**Shortened: GitHub takes no longer comment.**"
    room = limit - len(end.encode())
    kept: list[str] = []
    size, fence, details = 0, "", 0
    for line in text.split("\n"):
        size += len(line.encode()) + 1
        after = _open_after(line, fence, details)
        if size + len(_closing(*after).encode()) > room:
            break
        kept.append(line)
        fence, details = after
    return "\n".join(kept) + _closing(fence, details) + end


def _open_after(line: str, fence: str, details: int) -> tuple[str, int]:
    """Return what is open after a line: the fence of a code block, "" for none, and how many `<details>`.

    Args:
        line: The line.
        fence: The fence that is open before it.
        details: How many `<details>` are open before it.
    """
    found = re.match(r" {0,3}(`{3,}|~{3,})", line)
    if found and not fence:
        return found[1], details
    if found and fence and found[1].startswith(fence) and not line.strip(" `~"):
        return "", details
    return fence, details if fence else details + line.count("<details") - line.count("</details>")


def _closing(fence: str, details: int) -> str:
    """Return what closes an open code block and the `<details>` around it."""
    return (f"\n{fence}" if fence else "") + "\n\n</details>" * max(details, 0)


def upsert(api: Api, number: int, text: str) -> str:
    """Bring the comment up to date, or make it, and return its address. Raises RestError."""
    own = own_comment(api, number)
    if own is None:
        made = api.call("POST", f"/issues/{number}/comments", {"body": text})
    else:
        made = api.call("PATCH", f"/issues/comments/{own}", {"body": text})
    return str(made["html_url"])


def own_comment(api: Api, number: int) -> int | None:
    """Return the ID of the first comment that has the mark and is ours, or None."""
    for found in api.pages(f"/issues/{number}/comments"):
        if (found.get("user") or {}).get("login") == AUTHOR and str(found.get("body")).startswith(MARK):
            return int(found["id"])
    return None


def fenced(text: str) -> str:
    """Return a text that Markdown shows as it is: no link, no mention, no picture.

    The fence is longer than any run of backticks inside. Control characters are left out.
    """
    plain = "".join(sign for sign in text if sign in "\n\t" or sign.isprintable())
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{plain.rstrip()}\n{fence}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def event(environ: Mapping[str, str]) -> Any:
    """Return what started the workflow's run."""
    return json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
