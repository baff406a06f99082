"""Requests to Airflow's REST API: the login, the retries, and errors that hold neither password nor token."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from automation.errors import AirflowRequestFailed, ClusterRequestFailed
from automation.wait import Clock

_PAGE: Final = 100
_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 2.0
_REMEDY: Final = "python -m automation status STACK"


class AirflowRequests:
    """Opens a connection for each request, and retries where the connection or the server fails."""

    def __init__(
        self,
        connect: Callable[[], http.client.HTTPConnection],
        username: str,
        password: Callable[[], str],
        *,
        root: str = "",
        clock: Clock | None = None,
    ) -> None:
        """Make a client. `password` is called at each login, and its answer is not kept. root: path of the server."""
        self._connect, self._username, self._password, self._root = connect, username, password, root
        self._clock = clock or Clock()
        self._token: str | None = None

    def _pages(self, path: str, key: str) -> list[dict[str, Any]]:
        """Return all items of a list that comes in pages."""
        items: list[dict[str, Any]] = []
        while True:
            page = self._request("GET", f"{path}?{urlencode({'limit': _PAGE, 'offset': len(items)})}")
            items += page[key]
            if not page[key] or len(items) >= int(page.get("total_entries", 0)):
                return items

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, login: bool = True
    ) -> dict[str, Any]:
        """Return the JSON of an answer. Raises AirflowRequestFailed, which holds neither password nor token."""
        if login and self._token is None:
            self._token = self._log_in()
        status, answer = self._send(method, path, body, self._token if login else None)
        # The token has expired, or another key signs them now, for which Airflow says that it is forbidden.
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN) and login:
            self._token = self._log_in()
            status, answer = self._send(method, path, body, self._token)
        if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
            raise AirflowRequestFailed(
                f"Airflow answers {method} {path.partition('?')[0]} with {status}{_detail(answer)}", _REMEDY, status
            )
        if not isinstance(answer, dict):
            raise AirflowRequestFailed(f"Airflow answers {method} {path.partition('?')[0]} without JSON", _REMEDY)
        return answer

    def _log_in(self) -> str:
        status, answer = self._send(
            "POST", "/auth/token", {"username": self._username, "password": self._password()}, None
        )
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise AirflowRequestFailed(
                f"Airflow refuses the login of {self._username} with {status}",
                "its password is in the Secret that the stack's output admin_password_secret names",
                status,
            )
        return token

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str | None) -> tuple[int, Any]:
        """Return status and JSON, None for other content. Retries where the connection or the server fails."""
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        payload = None
        if body is not None:
            payload, headers["Content-Type"] = json.dumps(body), "application/json"
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._clock.sleep(_PAUSE_SECONDS)
            try:
                connection = self._connect()
                try:
                    connection.request(method, f"{self._root}{path}", payload, headers)
                    response = connection.getresponse()
                    status, text = response.status, response.read()
                finally:
                    connection.close()
            except ClusterRequestFailed as error:
                problem = error.what
            except (OSError, http.client.HTTPException) as error:
                problem = type(error).__name__
            else:
                if status < http.client.INTERNAL_SERVER_ERROR:
                    return status, _json(text)
                problem = str(status)
        raise AirflowRequestFailed(
            f"Airflow's API server does not answer {method} {path.partition('?')[0]} ({problem})", _REMEDY
        )


def _detail(answer: Any) -> str:
    """Return what FastAPI says about an error, in one short line."""
    detail = answer.get("detail") if isinstance(answer, dict) else None
    if isinstance(detail, list):
        detail = "; ".join(str(item.get("msg")) for item in detail if isinstance(item, dict))
    return f": {' '.join(str(detail).split())[:200]}" if detail else ""


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
