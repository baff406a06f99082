"""Recognise the address of a repository's page in a browser, and tell the repository, the ref and the folder in it.

The forms of the pages: GitHub `/OWNER/REPO/tree/REF/PATH`, GitLab `/GROUP/…/PROJECT/-/tree/REF/PATH`, Gitea and Forgejo
`/OWNER/REPO/src/branch/REF/PATH`, Bitbucket `/WORKSPACE/REPO/src/REF/PATH` and `/projects/KEY/repos/REPO/browse/PATH`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PAGES: Final = "tree|blob|raw|blame|edit|commit|commits|releases/tag"
_FOLDER_PAGES: Final = ("tree",)
_REPO: Final = r"/(?P<repo>[^/]+/[^/]+?)(\.git)?"
_FORMS: Final = (
    # GitLab reserves "-" as a name, so that it separates a project of any depth from its pages.
    re.compile(rf"/(?P<repo>.+?)(\.git)?/-(/(?P<page>{_PAGES}|[^/]+)(/(?P<ref>[^/]+)(/(?P<path>.+))?)?)?"),
    re.compile(rf"{_REPO}/(?P<page>{_PAGES})/(?P<ref>[^/]+)(/(?P<path>.+))?"),
    re.compile(rf"{_REPO}/(?P<page>src|raw|commits)/(branch|tag|commit)/(?P<ref>[^/]+)(/(?P<path>.+))?"),
)
_GITHUB: Final = re.compile(rf"{_REPO}/(?P<page>pull|pulls|issues|actions|wiki|settings|branches|releases)(/.*)?")
_BITBUCKET: Final = re.compile(rf"{_REPO}/(?P<page>src)(/(?P<ref>[^/]+)(/(?P<path>.+))?)?")
_BITBUCKET_SERVER: Final = re.compile(r"/projects/(?P<key>[^/]+)/repos/(?P<name>[^/]+)(/browse(/(?P<path>.+))?|/.*)?")


@dataclass(frozen=True)
class ClonePlace:
    """The place in a clone that a page in a browser shows."""

    repository: str
    """Path of the repository on its host, with `.git`."""
    ref: str
    """First part of the branch, the tag or the commit; "" where the address does not say."""
    folder: str
    """Folder in the repository, "" for its root."""

    kind = "give the repository's address for cloning, dagsRef for the branch and dagsSubPath for the folder"
    """What to do, without any part of the address."""

    def advice(self, authority: str) -> str:
        """Return what to set instead. authority: host, with a port if there is one."""
        settings = [f"dagsRepository https://{authority}/{self.repository}"]
        if self.ref:
            settings.append(f"dagsRef {self.ref}")
        if self.folder:
            settings.append(f"dagsSubPath {self.folder}")
        return f"set {', '.join(settings)}"


def clone_address(host: str, path: str) -> ClonePlace | None:
    """Return the repository, the ref and the folder of a page's address; None for any other address.

    Args:
        host: DNS name in lower case.
        path: Path with its first slash, without one at its end.
    """
    server = _BITBUCKET_SERVER.fullmatch(path)
    if server:
        return ClonePlace(f"scm/{server['key'].lower()}/{server['name']}.git", "", server["path"] or "")
    own = {"github.com": (_GITHUB,), "bitbucket.org": (_BITBUCKET,)}.get(host, ())
    match = next((found for form in (*_FORMS, *own) if (found := form.fullmatch(path))), None)
    if match is None:
        return None
    parts = match.groupdict()
    folder = parts.get("path") or ""
    if parts["page"] not in (*_FOLDER_PAGES, "src") or re.search(r"/[^/]+\.(py|md|txt|ya?ml|json|zip)$", f"/{folder}"):
        folder = folder.rpartition("/")[0]  # the page of a file
    return ClonePlace(f"{parts['repo']}.git", parts.get("ref") or "", folder)
