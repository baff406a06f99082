"""GitHub's REST API with the job's token, for the scripts beside this file.

Standard library only: a job that may write runs no code but these scripts, so nothing is installed for it.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_SECONDS: Final = 30
_PER_PAGE: Final = 100
_MAX_ANSWER_BYTES: Final = 16 << 20


class RestError(Exception):
    """GitHub refused a request, or its answer is not usable. `status` is 0 where there was none."""

    def __init__(self, text: str, status: int = 0) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True, kw_only=True)
class Api:
    """The API of one repository."""

    url: str
    """The API's address, without a slash at the end."""
    repository: str
    """`owner/name`."""
    token: str = field(repr=False)
    """Shown nowhere."""

    @staticmethod
    def of(environ: Mapping[str, str] = os.environ) -> Api:
        """Return the API for this job. Raises RestError where the workflow's step does not pass the token."""
        if not environ.get("GITHUB_TOKEN"):
            raise RestError("expected the job's token in GITHUB_TOKEN, found none")
        return Api(
            url=environ.get("GITHUB_API_URL", "https://api.github.com"),
            repository=environ["GITHUB_REPOSITORY"],
            token=environ["GITHUB_TOKEN"],
        )

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer to a request. path: below the repository. Raises RestError."""
        content = self._answer(self._request(method, path, body), _MAX_ANSWER_BYTES)
        return json.loads(content) if content else None

    def pages(self, path: str) -> Iterator[Any]:
        """Yield every item of a list. Raises RestError."""
        separator = "&" if "?" in path else "?"
        page = 1
        while True:
            items = self.call("GET", f"{path}{separator}per_page={_PER_PAGE}&page={page}")
            yield from items
            if len(items) < _PER_PAGE:
                return
            page += 1

    def download(self, path: str, limit: int) -> bytes:
        """Return a file of at most `limit` bytes. Raises RestError."""
        return self._answer(self._request("GET", path, None), limit)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> urllib.request.Request:
        request = urllib.request.Request(  # noqa: S310 - the API's own address, from the runner
            f"{self.url}/repos/{self.repository}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        )
        # Not sent on to where a download redirects: that is another host.
        request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        return request

    def _answer(self, request: urllib.request.Request, limit: int) -> bytes:
        what = f"{request.get_method()} {request.full_url}"
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
                content: bytes = response.read(limit + 1)
        except urllib.error.HTTPError as error:
            reason = error.read(2000).decode(errors="replace")
            raise RestError(f"{what}: {error.code} {error.reason}: {reason}", error.code) from None
        except OSError as error:
            raise RestError(f"{what}: {error}") from None
        if len(content) > limit:
            raise RestError(f"{what}: expected at most {limit} bytes, found more")
        return content
