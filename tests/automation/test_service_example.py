"""The service of docs/examples, run: requests that a team would make, on the real engine with a program of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automation import Environment, Environments, Passphrase, Secret
from tests import samples

PROGRAM = """\
import pulumi
import pulumi_random as random

config = pulumi.Config("airflow")
random.RandomPassword("image", length=12, keepers={"tag": config.require("imageTag")})
if config.require("imageTag") == "broken":
    raise ValueError("no such image; password " + config.require("adminPassword"))
pulumi.export("image", config.require("imageTag"))
"""
VALUES = {
    "kubeContext": "kind-airflow",
    "protect": False,
    "database": "container",
    "taskLogsAccessMode": "ReadWriteOnce",
}
WANTED = {"values": VALUES, "secrets": {"adminPassword": "sentinel-admin-password"}}


class Client:
    """Asks the service, in an event loop that goes on with its operations while somebody asks."""

    def __init__(self, app: Any, runner: asyncio.Runner) -> None:
        self._app, self._runner = app, runner

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        import httpx

        async def ask() -> Any:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.request(method, path, json=content)

        return self._runner.run(ask())

    def ended(self, answer: Any) -> dict[str, Any]:
        """What became of an operation."""
        assert answer.status_code == 202, answer.text
        path = f"/operations/{answer.json()['operation']}"
        while not (found := self.ask("GET", path).json())["done"]:
            self._runner.run(asyncio.sleep(0.1))
        assert "sentinel" not in json.dumps(found)
        return dict(found)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    pytest.importorskip("fastapi", reason="the example's own framework is not here")
    pytest.importorskip("httpx", reason="what asks the example's service is not here")
    from docs.examples.service import create_app

    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text((samples.ROOT / "Pulumi.yaml").read_text())
    (project / "__main__.py").write_text(PROGRAM)
    environments = Environments(
        project,
        backend=(tmp_path / "state").as_uri(),
        secrets_provider=Passphrase(Secret("sentinel-passphrase")),
        work_dir=tmp_path / "work",
    )
    with asyncio.Runner() as runner:
        yield Client(create_app(environments, project), runner)


def with_tag(tag: str) -> dict[str, Any]:
    return {**WANTED, "values": {**VALUES, "imageTag": tag}}


@pytest.mark.engine
def test_environment_is_deployed_rolled_and_removed(
    engine_on_path: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automation.cluster.client.cluster_identity", lambda *args, **options: "uid")
    previewed = client.ended(client.ask("POST", "/environments/team/preview", WANTED))
    assert previewed["result"]["changes"]["any"]
    deployed = client.ended(client.ask("PUT", "/environments/team", WANTED))
    assert "created RandomPassword image" in deployed["events"]
    assert deployed["result"]["outputs"]["image"] == "3.2.2"
    rolled = client.ended(client.ask("PUT", "/environments/team", with_tag("3.2.2-2")))
    assert rolled["result"]["outputs"]["image"] == "3.2.2-2"
    failed = client.ended(client.ask("PUT", "/environments/team", with_tag("broken")))
    assert failed["error"]["kind"] == "UpdateFailed"
    assert failed["error"]["what"].endswith("ValueError: no such image; password [secret]")
    removed = client.ended(client.ask("POST", "/environments/team/removal", WANTED))
    assert removed["result"]["changes"]["counts"]["delete"] == 2
    gone = client.ask("POST", "/environments/team/status", WANTED)
    assert gone.json()["exists"] is False


def test_operation_that_ends_with_an_error_of_another_kind_says_that_it_failed(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`done` with neither a result nor an error would look like success."""

    secret = "sentinel-admin-password"

    def broken(*args: Any, **options: Any) -> None:
        raise OSError(f"no space left for {secret}")

    monkeypatch.setattr(Environment, "up", broken)
    failed = client.ended(client.ask("PUT", "/environments/team", WANTED))
    assert failed["result"] is None
    assert failed["error"]["kind"] == "AutomationError"
    assert "OSError" in failed["error"]["what"]
    assert "in broken" in caplog.text
    assert "sentinel" not in caplog.text


def test_what_is_not_valid_is_refused_before_anything_is_begun(client: Client) -> None:
    answer = client.ask("PUT", "/environments/team", {"values": {**VALUES, "workerReplicas": 0}, "secrets": {}})
    assert answer.status_code == 422
    assert answer.json()["kind"] == "SettingsInvalid"
    assert "airflow:workerReplicas" in answer.json()["problems"][0]
    plain = client.ask("PUT", "/environments/team", {"values": {**VALUES, "adminPassword": "sentinel"}})
    assert plain.status_code == 422
    assert "sentinel" not in plain.text
    assert client.ask("GET", "/operations/none").status_code == 404
