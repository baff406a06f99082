"""The secrets of a stack's committed file are known before its update says anything."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error

from automation.cluster import client
from automation.engine.events import Event
from automation.engine.opened_stack import OpenedStack
from automation.environments import Environments
from automation.recovery import recover
from automation.recovery import status as status_module
from automation.stacks import session as session_module
from automation.stacks.config import EnvironmentSettings
from automation.stacks.file_secrets import file_secrets, has_secrets
from automation.stacks.place import Place
from automation.stacks.session import Limits, Session
from automation.stacks.stack_values import file_values
from components.secrets.masker import Masker
from tests.automation.fakes import SETTINGS, FakeEngine
from tests.cases import each

URI = "postgres://u:sentinel-Kq8Rt2Vw5y@h/d"


class Engine(FakeEngine):
    """An engine that decrypts."""

    asked = 0
    refuses = False

    def run(self, words: list[str], *_: Any) -> CommandResult:
        self.asked += 1
        if self.refuses:
            raise create_command_error(CommandResult(stdout="", stderr="error: incorrect passphrase", code=255))
        assert words[:3] == ["config", "--show-secrets", "--json"]
        entries = {
            "airflow:dagsToken": {"value": "sentinel-Zx9Qw7Lm3p", "secret": True},
            "airflow:size": {"value": "small"},
            "airflow:connections": {"value": json.dumps({"db": URI}), "objectValue": {"db": URI}, "secret": True},
        }
        return CommandResult(stdout=json.dumps(entries), stderr="", code=0)


def opened(folder: Path, config: str) -> tuple[Any, Engine]:
    (folder / "Pulumi.dev.yaml").write_text(config)
    engine = Engine()
    workspace = SimpleNamespace(work_dir=str(folder), env_vars={})
    return SimpleNamespace(name="dev", workspace=workspace), engine


def test_only_encrypted_values_are_asked_for(tmp_path: Path) -> None:
    stack, engine = opened(tmp_path, "config:\n  airflow:dagsToken:\n    secure: v1:x\n")
    found: Any = OpenedStack(stack, engine)  # type: ignore[arg-type]
    assert has_secrets(tmp_path, "dev")
    assert file_secrets(found)["dagsToken"] == "sentinel-Zx9Qw7Lm3p"
    for config in ("config: {}\n", "", "config:\n  airflow:size: small\n"):
        (tmp_path / "Pulumi.dev.yaml").write_text(config)
        assert not has_secrets(tmp_path, "dev"), config
    assert not has_secrets(tmp_path / "nowhere", "dev")


def test_encrypted_entry_of_a_map_is_asked_for_too(tmp_path: Path) -> None:
    stack, engine = opened(tmp_path, "config:\n  airflow:connections:\n    db:\n      secure: v1:x\n")
    found: Any = OpenedStack(stack, engine)  # type: ignore[arg-type]
    assert has_secrets(tmp_path, "dev")
    assert json.loads(file_values(found, tmp_path)["connections"].reveal()) == {"db": URI}
    assert Masker(secrets=file_secrets(found).values()).text("it is sentinel-Kq8Rt2Vw5y") == "it is [secret]"


def test_session_learns_them_once_and_masks_its_events(tmp_path: Path, monkeypatch: Any) -> None:
    stack, engine = opened(tmp_path, "config:\n  airflow:dagsToken:\n    secure: v1:x\n")
    monkeypatch.setattr(session_module, "open_stack", lambda *args, **kwargs: stack)
    monkeypatch.setattr(Session, "work_dir", tmp_path)
    place = Place.of(tmp_path, {})
    session = Session("dev", place, lambda: engine, Limits(), Masker())  # type: ignore[arg-type,return-value]
    heard: list[Event] = []
    teller = session.events("up", heard.append)
    for _ in range(2):
        found = session.open(teller)
    assert engine.asked == 1
    found.teller.note("it said sentinel-Zx9Qw7Lm3p, and c2VudGluZWwtWng5UXc3TG0zcA")
    assert heard[0].text == "it said [secret], and [secret]"
    assert "sentinel" not in found.masker.text("sentinel-Zx9Qw7Lm3p")


def looking(folder: Path, config: str, monkeypatch: Any) -> tuple[Session, Engine]:
    """A session that has only read of a stack with this file."""
    stack, engine = opened(folder, config)
    (folder / "Pulumi.yaml").write_text("name: airflow\n")
    (folder / ".dev" / "state").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(session_module, "open_stack", lambda *args, **kwargs: stack)
    session = Session("dev", Place.of(folder, {}), lambda: engine, Limits(), Masker())  # type: ignore[arg-type,return-value]
    with session.open_for_reading("status"):
        pass
    return session, engine


ENCRYPTED = "encryptionsalt: v1:a:b\nconfig:\n  airflow:dagsToken:\n    secure: v1:x\n"


def test_who_only_looks_knows_them_too_once_a_pod_says_something(tmp_path: Path, monkeypatch: Any) -> None:
    session, engine = looking(tmp_path, ENCRYPTED, monkeypatch)
    assert engine.asked == 0, "a stack of which nothing is told costs nothing"
    for _ in range(2):
        assert session.clean("login failed: sentinel-Zx9Qw7Lm3p") == "login failed: [secret]"
    assert engine.asked == 1


@each(
    ("config", "refuses", "asked"),
    [
        (ENCRYPTED, True, 1),  # no passphrase, or no right to the key
        (ENCRYPTED.partition("\n")[2], False, 0),  # the engine would write its encryption into the committed file
        ("config: {}\n", False, 0),
    ],
)
def test_who_cannot_decrypt_them_may_look_all_the_same(
    config: str, refuses: bool, asked: int, tmp_path: Path, monkeypatch: Any
) -> None:
    session, engine = looking(tmp_path, config, monkeypatch)
    engine.refuses = refuses
    assert session.clean("one\ntwo") == "one\ntwo"
    assert session.clean("password=sentinel-Zx9Qw7Lm3p") == "password=[secret]"
    assert engine.asked == asked


@each("given", [True, False])
def test_what_looks_like_a_secret_in_the_clear_config_is_known_too(given: bool, tmp_path: Path) -> None:
    """A provider may quote a value of the chart in a form that nothing recognises."""
    values = {"env": [{"name": "SNOWFLAKE_PWD", "value": "sentinel-Wv4Np8Xs2k"}]}
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\n")
    settings = None
    if given:
        settings = EnvironmentSettings.of("dev", {**SETTINGS, "helmValues": values})
    else:
        (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  airflow:helmValues: {json.dumps(values)}\n")
    environment = Environments(tmp_path).open("dev", settings)
    assert environment.session.masker.text("it said c2VudGluZWwtV3Y0TnA4WHMyaw") == "it said [secret]"


def test_config_that_cannot_be_read_is_no_error_yet(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: [\n")
    assert Environments(tmp_path).open("dev").name == "dev"


def test_status_knows_them(tmp_path: Path, monkeypatch: Any) -> None:
    """It looks at pods, which may quote what the file holds."""
    cleaned: list[str] = []

    class Kube:
        def __init__(self, *_: Any, clean: Any, **__: Any) -> None:
            cleaned.append(clean("login failed: sentinel-Zx9Qw7Lm3p"))

    session, _ = looking(tmp_path, ENCRYPTED, monkeypatch)
    monkeypatch.setattr(client, "KubeClient", Kube)
    monkeypatch.setattr(recover, "cluster_objects", lambda _: None)
    monkeypatch.setattr(status_module, "cluster_status", lambda *_: None)
    recover._cluster_status(session, SimpleNamespace(kube_context="c", namespace="n", kubeconfig=None), None)  # type: ignore[arg-type]
    assert cleaned == ["login failed: [secret]"]
