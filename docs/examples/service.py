"""A small service that gives each team an Airflow: FastAPI in front of `automation`.

Run it with `uvicorn --factory docs.examples.service:from_environment` in the checkout. It keeps its operations in
memory. A real service keeps them in a database, and authenticates its callers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, SecretStr

from automation import AutomationError, Environment, Environments, EnvironmentSettings, Event, PassphraseFile, Secret
from automation.engine.events import OnEvent
from automation.errors import RecoveryRefused, SettingsInvalid, StackLocked, StackUnknown
from automation.results import Result
from automation.stacks.concurrency import in_thread

_LOG = logging.getLogger(__name__)
PROJECT_DIR = Path(__file__).resolve().parents[2]
_STATUS = {SettingsInvalid: 422, StackUnknown: 404, StackLocked: 409, RecoveryRefused: 409}


class Wanted(BaseModel):
    """The request of a team: config by key, plain and secret."""

    values: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)

    def settings(self, name: str, project_dir: Path) -> EnvironmentSettings:
        """Return the settings of a stack. Raises SettingsInvalid."""
        secrets = {key: Secret(value.get_secret_value()) for key, value in self.secrets.items()}
        return EnvironmentSettings.of(name, {**self.values, **secrets}, project_dir)


@dataclass
class Operation:
    """A call that was started, its events so far, and how it ended."""

    environment: Environment
    events: list[Event] = field(default_factory=list)
    result: Result | None = None
    error: AutomationError | None = None
    task: asyncio.Task[None] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "done": self.task is not None and self.task.done(),
            "events": [event.text for event in self.events],
            "result": self.result and self.result.to_json(),
            "error": self.error and self.error.to_json(),
        }


def create_app(environments: Environments, project_dir: Path = PROJECT_DIR) -> FastAPI:
    """Return the service. A request that takes minutes answers at once with an operation, whose state you ask for."""
    app = FastAPI(title="Airflow environments")
    operations: dict[str, Operation] = {}

    @app.exception_handler(AutomationError)
    def failed(request: Request, error: AutomationError) -> JSONResponse:
        return JSONResponse(error.to_json(), _STATUS.get(type(error), 502))

    def begin(environment: Environment, method: Callable[..., Result]) -> dict[str, str]:
        operation, loop = Operation(environment), asyncio.get_running_loop()
        # Events arrive on the thread of the call.
        tell: OnEvent = lambda event: loop.call_soon_threadsafe(operation.events.append, event)  # noqa: E731

        async def run() -> None:
            try:
                operation.result = await in_thread(environment, method, on_event=tell)
            except AutomationError as error:
                operation.error = error
            except Exception as error:
                # Log where the error was raised, but not its text, which may hold secrets.
                kind, places = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
                _LOG.error("an operation of %s ended with %s\n%s", environment.name, kind, places)
                operation.error = AutomationError(f"it ended with {kind}", "the service's log says where")

        operation.task = asyncio.create_task(run())
        operations[key := uuid.uuid4().hex] = operation
        return {"operation": key}

    @app.put("/environments/{name}", status_code=202)
    async def deploy(name: str, wanted: Wanted) -> dict[str, str]:
        environment = environments.open(name, wanted.settings(name, project_dir))
        return begin(environment, environment.up)

    @app.post("/environments/{name}/preview", status_code=202)
    async def preview(name: str, wanted: Wanted) -> dict[str, str]:
        environment = environments.open(name, wanted.settings(name, project_dir))
        return begin(environment, environment.preview)

    @app.post("/environments/{name}/recovery", status_code=202)
    async def recover(name: str, wanted: Wanted) -> dict[str, str]:
        environment = environments.open(name, wanted.settings(name, project_dir))
        return begin(environment, lambda on_event: environment.recover(on_event=on_event))

    @app.post("/environments/{name}/removal", status_code=202)
    async def remove(name: str, wanted: Wanted) -> dict[str, str]:
        environment = environments.open(name, wanted.settings(name, project_dir))
        return begin(environment, lambda on_event: environment.destroy(remove=True, on_event=on_event))

    @app.post("/environments/{name}/status")
    async def status(name: str, wanted: Wanted) -> dict[str, Any]:
        environment = environments.open(name, wanted.settings(name, project_dir))
        return (await in_thread(environment, environment.status)).to_json()

    @app.get("/operations/{key}")
    async def look(key: str) -> dict[str, Any]:
        return found(key).to_json()

    @app.delete("/operations/{key}", status_code=202)
    async def stop(key: str) -> None:
        found(key).environment.cancel()

    def found(key: str) -> Operation:
        if key not in operations:
            raise HTTPException(404, "no such operation")
        return operations[key]

    return app


def from_environment() -> FastAPI:
    """Return the service with the state and the passphrase that the environment variables name."""
    passphrase = PassphraseFile(Path(os.environ["SERVICE_PASSPHRASE_FILE"]))
    work_dir = Path(os.environ.get("SERVICE_WORK_DIR", "/var/lib/airflow-environments"))
    return create_app(Environments(PROJECT_DIR, os.environ["SERVICE_BACKEND"], passphrase, work_dir=work_dir))
