"""An AWS in which the whole stack `prod` can be deployed: moto, with what it lacks for that, and with IAM in force.

    python -m tests.prod.emulator.server HOST PORT FOLDER

FOLDER holds what tests tell the emulator while it runs (`control.py`), and the log of all calls. It is no AWS: RDS
takes no time, engine versions and key policies are not checked, and policies of buckets are not looked at.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

# AWS's own policies: the monitoring role has one.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

from tests.prod.emulator import cbor, web_identity
from tests.prod.emulator.amendments import Amendments
from tests.prod.emulator.control import CALLS, Call, Orders
from tests.prod.emulator.operations import Operation, operation_of
from tests.prod.emulator.pod_identity import PodIdentity
from tests.prod.emulator.principals import Principals, asked_of, tags_of
from tests.prod.emulator.refusals import Answer, denied, refused, throttled
from tests.prod.emulator.repairs import repair
from tests.prod.emulator.rights import Right, rights
from tests.prod.emulator.settling import Settling

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Emulator:
    """The WSGI application."""

    def __init__(self, folder: Path, url: str) -> None:
        self._moto: Any = DomainDispatcherApplication(create_backend_app)
        self._folder = folder
        self._associations = PodIdentity()
        self._amendments = Amendments(folder, url)
        self._principals = Principals()
        self._chance = random.Random(0)
        self._settling = Settling(self._chance)
        self._first: dict[str, str] = {}
        self._log = (folder / CALLS).open("a", buffering=1)
        self._writing = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        if len(body) < length:
            # Its sender was killed. AWS does nothing then; moto would store half an object.
            start_response("400 Bad Request", [("Connection", "close")])
            return [b""]
        started, operation = time.time(), operation_of(environ, body)
        asked = tuple(asked_of(right, operation) for right in rights(operation, tags_of))
        asked = tuple(self._associations.asked_of(right) for right in asked)
        orders = Orders.read(self._folder)
        answer, refused_right = self._refusal(operation, asked, orders)
        if answer is None:
            answer = self._answer(operation, environ, body)
            self._settling.note(operation, answer)
        call = Call(
            time=started,
            access_key=operation.access_key,
            operation=f"{operation.service}:{operation.name}",
            rights=tuple((right.action, right.resource) for right in asked),
            refused=refused_right,
            status=int(answer.status.split()[0]),
            answer="" if answer.status.startswith(("2", "3")) else answer.body[:600].decode("utf-8", "replace"),
        )
        with self._writing:
            print(json.dumps(vars(call)), file=self._log)
        while call.operation in Orders.read(self._folder).held and call.status < 400:
            time.sleep(0.2)
        start_response(answer.status, list(answer.headers))
        return [answer.body]

    def _refusal(self, operation: Operation, asked: Any, orders: Orders) -> tuple[Answer | None, str]:
        if f"{operation.service}:{operation.name}" == web_identity.ACTION:
            return web_identity.refusal(operation), ""
        principal = self._principals.of(operation.access_key, orders)
        if principal is None:  # an administrator of the tests
            return None, ""
        if orders.expired:
            return refused(
                operation, "403 Forbidden", "ExpiredToken", "The security token included in the request is expired"
            ), ""
        for right in asked:
            given = principal.statement_for(right)
            if given is None or ("Sid" in given and right.action in orders.missing and self._is_first(right)):
                return denied(operation, principal.arn, right.action, right.resource), right.action
        if self._chance.random() < orders.throttled:
            return throttled(operation), ""
        return self._settling.refusal(operation, orders.unsettled), ""

    def _is_first(self, right: Right) -> bool:
        return self._first.setdefault(right.action, right.resource) == right.resource

    def _answer(self, operation: Operation, environ: dict[str, Any], body: bytes) -> Answer:
        if self._associations.answers(operation):
            return self._associations.answer(operation)
        if operation.service == "cloudwatch" and operation.by_cbor:
            return self._cloudwatch(operation, environ)
        answer = self._asked(environ, body)
        if answer.status.startswith("2"):
            amended = self._amendments.amended(operation, body, answer.body)
            if amended != answer.body:
                kept = tuple(pair for pair in answer.headers if pair[0].lower() != "content-length")
                return Answer(answer.status, (*kept, ("Content-Length", str(len(amended)))), amended)
        return answer

    def _asked(self, environ: Mapping[str, Any], body: bytes) -> Answer:
        """Return moto's own answer."""
        said: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            said.append((status, tuple(headers)))

        content = self._moto(
            {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start_response
        )
        text = b"".join(content)
        status, headers = said[0]
        return Answer(status, headers, text)

    def _cloudwatch(self, operation: Operation, environ: Mapping[str, Any]) -> Answer:
        """CloudWatch by CBOR, which moto lacks: moto answers in JSON, which is the same without the types of times."""
        request = {
            key: value for key, value in environ.items() if key not in ("HTTP_SMITHY_PROTOCOL", "HTTP_ACCEPT")
        } | {
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "HTTP_X_AMZ_TARGET": f"GraniteServiceVersion20100801.{operation.name}",
            "PATH_INFO": "/",
        }
        answer = self._asked(request, json.dumps(operation.parameters).encode())
        content = _without_times(json.loads(answer.body or b"{}"))
        return Answer.of(answer.status, "application/cbor", cbor.dumps(content), ("smithy-protocol", "rpc-v2-cbor"))


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if not re.search(r"Timestamp$", key)}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


if __name__ == "__main__":
    repair()
    host, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    run_simple(host, port, Emulator(folder, f"http://127.0.0.1:{port}"), threaded=True, request_handler=_Quiet)
