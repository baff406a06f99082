"""Post the plan of a fork's pull request. Runs after it, on the base branch, with a token that may write.

The fork's code wrote the artifact, so nothing in it is trusted: GitHub's API says which pull request it is, the size is
limited, and the text is shown as text. No code of the fork runs here.
"""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from comment import body, event, fenced, upsert
from rest import Api, RestError

ARTIFACT: Final = "plan"
MEMBER: Final = "plan.md"
MAX_ARCHIVE_BYTES: Final = 1 << 20
MAX_TEXT_BYTES: Final = 256 << 10
HEADING: Final = (
    "### Plan of a fork's pull request\n\nMade without credentials, by the fork's own code: do not trust its text. "
    "There is no preview against the real stacks."
)


def main(environ: Mapping[str, str] = os.environ) -> int:
    run = event(environ)["workflow_run"]
    if run["event"] != "pull_request" or run["head_repository"]["full_name"] == environ["GITHUB_REPOSITORY"]:
        print("not the run of a fork's pull request: nothing to do")
        return 0
    try:
        api = Api.of(environ)
        numbers = pull_requests(api, run)
        if not numbers:
            print("no open pull request is at this run's commit any more: nothing to do")
            return 0
        found = plan(api, run["id"])
        if found is None:
            print(f"the run left no {ARTIFACT}: nothing to do")
            return 0
        text = body([HEADING, fenced(found)], f"{run['html_url']}#artifacts")
        for number in numbers:
            print(upsert(api, number, text))
    except RestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def pull_requests(api: Api, run: Mapping[str, Any]) -> list[int]:
    """Return the open ones whose head is the run's commit: the event names none for a fork. Raises RestError."""
    repository = run["head_repository"]
    head = quote(f"{repository['owner']['login']}:{run['head_branch']}", safe="")
    return [
        int(found["number"])
        for found in api.pages(f"/pulls?state=open&head={head}")
        if found["head"]["sha"] == run["head_sha"] and (found["head"]["repo"] or {}).get("id") == repository["id"]
    ]


def plan(api: Api, run_id: int) -> str | None:
    """Return the text of the run's newest plan, or None. Raises RestError where it is not what our job uploads."""
    found = api.call("GET", f"/actions/runs/{int(run_id)}/artifacts?name={ARTIFACT}&per_page=100")["artifacts"]
    usable = [item for item in found if item["name"] == ARTIFACT and not item["expired"]]
    if not usable:
        return None
    newest = max(usable, key=lambda item: int(item["id"]))
    archive = api.download(f"/actions/artifacts/{int(newest['id'])}/zip", MAX_ARCHIVE_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened, opened.open(MEMBER) as member:
            # Read, not unpacked: no name in the archive becomes a path, and its sizes are not believed.
            content = member.read(MAX_TEXT_BYTES + 1)
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, EOFError, NotImplementedError, ValueError) as error:
        raise RestError(f"the artifact {ARTIFACT} cannot be read ({type(error).__name__})") from None
    if len(content) > MAX_TEXT_BYTES:
        raise RestError(f"{MEMBER}: expected at most {MAX_TEXT_BYTES} bytes, found more")
    return content.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
