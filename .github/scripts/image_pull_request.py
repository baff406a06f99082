"""`image_pull_request.py STACK TAG`: open a pull request with what `move_image_tag.py` changed, and with nothing else.

One branch and one pull request for each stack: a newer image takes the place of one that was not merged yet. The commit
is made through the API, so no credential of Git is on the runner and GitHub signs it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from rest import Api, RestError

ROOT: Final = Path(__file__).parents[2]
BASE: Final = "main"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("tag")
    args = parser.parse_args(arguments)
    path = f"Pulumi.{args.stack}.yaml"
    changed = _git(root, "diff", "--name-only").splitlines()
    if not changed:
        print(f"{path} has the tag already: no pull request")
        return 0
    if changed != [path]:
        print(f"error: expected a change of {path} alone, found {', '.join(changed)}", file=sys.stderr)
        return 1
    try:
        api = Api.of(environ)
        commit = make_commit(
            api,
            parent=_git(root, "rev-parse", "HEAD").strip(),
            path=path,
            content=(root / path).read_bytes().decode(),
            message=title(args.stack, args.tag),
        )
        branch = f"image/{args.stack}"
        point_branch(api, branch, commit)
        print(open_or_update(api, branch, title(args.stack, args.tag), text(args.stack, args.tag)))
    except RestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def title(stack: str, tag: str) -> str:
    return f"Move the image of {stack} to {tag[:12]}"


def text(stack: str, tag: str) -> str:
    return (
        f"Moves `airflow:imageTag` of `{stack}` to `{tag}`, the image of that commit, and `airflow:imageDigest` to its "
        "content, and nothing else.\n\n"
        f"Merging it deploys `{stack}`, after an approval. A newer image takes this pull request over.\n"
    )


def make_commit(api: Api, *, parent: str, path: str, content: str, message: str) -> str:
    """Make a commit that changes one file, on no branch yet, and return its SHA. Raises RestError."""
    tree = api.call("GET", f"/git/commits/{parent}")["tree"]["sha"]
    entry = {"path": path, "mode": "100644", "type": "blob", "content": content}
    made = api.call("POST", "/git/trees", {"base_tree": tree, "tree": [entry]})["sha"]
    commit = api.call("POST", "/git/commits", {"message": message, "tree": made, "parents": [parent]})
    return str(commit["sha"])


def point_branch(api: Api, branch: str, commit: str) -> None:
    """Make the branch, or move it. Raises RestError."""
    try:
        api.call("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": commit})
    except RestError as error:
        if error.status != 422:  # Reference already exists
            raise
        api.call("PATCH", f"/git/refs/heads/{quote(branch)}", {"sha": commit, "force": True})


def open_or_update(api: Api, branch: str, heading: str, body: str) -> str:
    """Open or update the pull request of a branch, and return its address. Raises RestError."""
    owner = api.repository.partition("/")[0]
    content: dict[str, Any] = {"title": heading, "body": body}
    for found in api.pages(f"/pulls?state=open&base={BASE}&head={quote(f'{owner}:{branch}', safe='')}"):
        return str(api.call("PATCH", f"/pulls/{int(found['number'])}", content)["html_url"])
    return str(api.call("POST", "/pulls", {**content, "head": branch, "base": BASE})["html_url"])


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
