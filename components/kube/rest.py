"""Requests to a cluster's REST API, at an explicit context: the answers, and the errors without what is secret."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from components.kube.fix_text import with_fix
from components.kube.kubeconfig import KubeUnreachable, api_client

REQUEST_SECONDS: Final = 30.0
JSON: Final = "application/json"


class KubeRequestFailed(Exception):  # noqa: N818 - the name says what is wrong
    """The cluster answered, but refused or failed a request. The text holds no header and no body."""

    def __init__(self, action: str, reason: str, remedy: str) -> None:
        self.reason, self.what, self.remedy = reason, f"cannot {action}: {reason}", remedy
        super().__init__(with_fix(self.what, remedy))


class KubeRest:
    """Makes requests, and turns what fails into KubeRequestFailed or KubeUnreachable. Thread-safe."""

    def __init__(
        self,
        context: str,
        kubeconfig: str | None = None,
        *,
        seconds: float = REQUEST_SECONDS,
        retries: int | None = None,
    ) -> None:
        """Read the kubeconfig; no request is made yet.

        Args:
            context: Name of the context.
            kubeconfig: A path, the content itself, or None for the one that kubectl uses.
            seconds: Time limit of a request.
            retries: How often to try again where the connection fails; None takes the client's three times.

        Raises:
            KubeUnreachable: There is no such context, or the kubeconfig cannot be used.
        """
        self._context, self._seconds = context, seconds
        self._configuration: Any = api_client(kubeconfig, context).configuration
        if retries is not None:
            self._configuration.retries = retries
        self._client = self._new_client()
        self._now: float | None = None

    @property
    def now(self) -> float | None:
        """The cluster's time of its last answer, in seconds since 1970; None if it has not told one."""
        return self._now

    def _new_client(self) -> Any:
        from kubernetes.client import ApiClient

        return ApiClient(configuration=self._configuration)

    def _request(self, method: str, path: str, **options: Any) -> dict[str, Any] | None:
        """Return the JSON of an answer; None where there is no such object."""
        status, answer = self._answer(method, path, **options)
        if status == HTTPStatus.NOT_FOUND:
            return None
        self._raise_for(status, f"{method} {path}")
        return answer

    def _answer(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of an answer, whatever it is."""
        status, text = self._text(method, path, **options)
        try:
            content = json.loads(text)
        except ValueError:
            content = None  # a proxy in between may answer with a page of its own
        return status, content if isinstance(content, dict) else {}

    def _text(
        self,
        method: str,
        path: str,
        *,
        accept: str = JSON,
        content_type: str = JSON,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[int, str]:
        """Return status and text of an answer, whatever it is."""
        with self._translated(f"{method} {path}"):
            request = self._client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": accept, "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = self._client.call_api(*request, _request_timeout=self._seconds)
            text = answer.read()
        self._now = _time(answer.getheader("Date")) or self._now
        return int(answer.status), text.decode(errors="replace") if isinstance(text, bytes) else str(text or "")

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        """Turn what the client raises into errors without the request's headers and bodies."""
        import urllib3
        from kubernetes.client.exceptions import ApiException

        try:
            yield
        except ApiException as error:
            # A handshake that failed has no status; its reason has it in the first words, then all headers.
            reason = f"{error.status} {error.reason}" if error.status else str(error.reason).partition(" -+-+- ")[0]
            raise self._failed(action, reason) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeUnreachable(
                f"the cluster of context {self._context} does not answer ({_why(error)})",
                f"kubectl --context {shlex.quote(self._context)} get nodes",
            ) from None

    def _raise_for(self, status: int, action: str) -> None:
        if status >= HTTPStatus.BAD_REQUEST:
            phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
            raise self._failed(action, f"{status} {phrase}".strip())

    def _failed(self, action: str, reason: str) -> KubeRequestFailed:
        return KubeRequestFailed(action, reason, f"kubectl --context {shlex.quote(self._context)} auth can-i --list")


def _why(error: Exception) -> str:
    """Return why there was no answer, without the client's addresses and classes around it."""
    import ssl

    reason = getattr(error, "reason", None) or error  # that of the last try
    for item in (reason, *getattr(reason, "args", ()), getattr(reason, "__cause__", None)):
        if isinstance(item, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {item.verify_message}"
        if isinstance(item, OSError) and item.strerror:
            return item.strerror
    return "it took too long" if "Timeout" in type(reason).__name__ else type(reason).__name__


def _time(header: str | None) -> float | None:
    """Return the time in a `Date` header, in seconds since 1970; None if there is none."""
    try:
        return parsedate_to_datetime(header or "").timestamp()
    except ValueError:
        return None
