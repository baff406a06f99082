"""Runs a DAG through Airflow's API, and reads the log of one of its tasks. A script of its own.

It runs in Airflow's image, as `python -c TEXT URL DAG_ID SECONDS [STATSD_HOST:PORT]`, with the user name and the
password of `user.py` in its environment. It needs nothing but Python. What it prints last becomes the message by which
its container ended. It succeeds if the run does, if a task of it ran on a worker, and if a line of that task's log can
be read; then it tells statsd the time.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import socket
import sys
import time
import urllib.parse
from collections.abc import Sequence
from typing import Any

PAUSE_SECONDS = 2.0
REQUEST_SECONDS = 30
LOG_SECONDS = 30
"""A log that is uploaded at the end of its task may come a little later."""
NOTE = "Started by the scheduled verification of the deployment."
SUCCEEDED = "airflow.verification.succeeded_timestamp_seconds"
NOT_A_LOG = re.compile(r"(\*+ *)?(Could not read|Log file not found|Failed to fetch|!!!!|.*\b403\b.*forbidden)", re.I)


class VerificationError(Exception):
    """The deployment does not do what it should; the text says what was seen."""


def log_parts(events: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where a log was read, and its lines. Airflow puts the sources first, as a group (file_task_handler.py)."""
    if not events or not events[0].startswith("::group::"):
        return (), tuple(events)
    end = next((index for index, event in enumerate(events) if event.startswith("::endgroup::")), len(events))
    return tuple(events[1:end]), tuple(events[end + 1 :])


def readable(lines: Sequence[str]) -> bool:
    """Return whether there is a line that a task wrote, not only the reason why there is none."""
    return any(line.strip() and not NOT_A_LOG.match(line.strip()) for line in lines)


class Api:
    """Airflow's API. A request is made again while the server does not answer and there is time."""

    def __init__(self, url: str, seconds: float) -> None:
        place = urllib.parse.urlsplit(url)
        self.host, self.root = place.netloc, place.path
        self.token, self.end = "", time.monotonic() + seconds

    def late(self) -> bool:
        return time.monotonic() > self.end

    def once(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=REQUEST_SECONDS)
        try:
            connection.request(method, f"{self.root}{path}", data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, accepted: Sequence[int] = ()) -> Any:
        """Return the JSON of the answer; None for a status in `accepted`. Raises VerificationError."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        while True:
            try:
                status, answer = self.once(method, path, data, headers)
                if status in accepted:
                    return None
                if status < http.client.MULTIPLE_CHOICES:
                    return json.loads(answer)
                problem = f"Airflow answers {method} {path} with {status}"
                if status < http.client.INTERNAL_SERVER_ERROR:
                    raise VerificationError(problem)
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem = f"Airflow's API server does not answer {method} {path} ({type(error).__name__})"
            if self.late():
                raise VerificationError(problem)
            time.sleep(PAUSE_SECONDS)


def run(api: Api, dag_id: str) -> str:
    """Run the DAG, and return what was seen. A paused DAG is unpaused for the run only. Raises VerificationError."""
    dag = f"/api/v2/dags/{dag_id}"
    found = api.ask("GET", dag, accepted=(http.client.NOT_FOUND,))
    if found is None:
        raise VerificationError(f"airflow:verificationDag: expected a DAG that Airflow has, found {dag_id}")
    run_id = f"verification__{secrets.token_hex(8)}"
    path = f"{dag}/dagRuns/{run_id}"
    if found["is_paused"]:
        api.ask("PATCH", dag, {"is_paused": False})
    try:
        wanted: dict[str, Any] = {"dag_run_id": run_id, "logical_date": None, "conf": {}, "note": NOTE}
        # A request that was made again may have been answered the first time.
        api.ask("POST", f"{dag}/dagRuns", wanted, accepted=(http.client.CONFLICT,))
        while (state := api.ask("GET", path)["state"]) not in ("success", "failed") and not api.late():
            time.sleep(PAUSE_SECONDS)
    finally:
        if found["is_paused"]:
            api.ask("PATCH", dag, {"is_paused": True})
    tasks = api.ask("GET", f"{path}/taskInstances")["task_instances"]
    if state != "success":
        states = ", ".join(sorted(f"{task['task_id']} {task['state'] or 'not scheduled'}" for task in tasks))
        raise VerificationError(f"the run {run_id} of {dag_id} is {state}: {states or 'no tasks'}")
    ran = [task for task in tasks if task["state"] == "success" and task["hostname"] and task["try_number"]]
    if not ran:
        raise VerificationError(f"the run {run_id} of {dag_id} succeeded, but no task ran on a worker")
    lines = read_log(api, path, ran[0])
    return f"{dag_id}: {len(ran)} tasks ran, {lines} lines of {ran[0]['task_id']}'s log could be read"


def read_log(api: Api, path: str, task: Any) -> int:
    """Return the number of lines in the log of a task's last try. Raises VerificationError if no line is a task's."""
    wanted = f"{path}/taskInstances/{urllib.parse.quote(task['task_id'])}/logs/{task['try_number']}?full_content=true"
    end = time.monotonic() + LOG_SECONDS
    while True:
        content = api.ask("GET", f"{wanted}&map_index={task.get('map_index', -1)}")["content"]
        _, lines = log_parts([item if isinstance(item, str) else str(item.get("event", "")) for item in content])
        if readable(lines):
            return len(lines)
        if time.monotonic() > end:
            raise VerificationError(
                f"the log of the task {task['task_id']} cannot be read: {(*lines, 'it is empty')[0][:160]}"
            )
        time.sleep(PAUSE_SECONDS)


def tell(statsd: str) -> None:
    """Tell statsd when a verification last succeeded."""
    host, _, port = statsd.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(f"{SUCCEEDED}:{time.time():.0f}|g".encode(), (host, int(port)))


def main(url: str, dag_id: str, seconds: str, statsd: str = "") -> int:
    """Verify once; the result is the exit code."""
    api = Api(url, float(seconds))
    login = {"username": os.environ["VERIFICATION_USERNAME"], "password": os.environ["VERIFICATION_PASSWORD"]}
    began = time.monotonic()
    try:
        api.token = api.ask("POST", "/auth/token", login)["access_token"]
        seen = run(api, dag_id)
    except VerificationError as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"{seen}, in {time.monotonic() - began:.0f} s")
    if statsd:
        tell(statsd)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
