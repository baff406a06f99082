"""Where the state is: a URL that is shown without its login, and a passphrase that is one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from pulumi.automation import CommandResult, Stack
from pulumi.automation.errors import create_command_error

from automation.cli.upgrade import _version
from automation.engine.backend import BACKEND, PASSPHRASE, prepare_backend
from automation.environments import Environments
from automation.errors import PassphraseMissing, StackUnknown, UpdateFailed, UpgradeRefused
from automation.folder import short_name
from automation.lifetime.derived import problems
from automation.stacks.listing import as_deployed, remove_empty, stack_tags
from automation.stacks.place import Place, no_such_stack
from automation.stacks.workspace import open_stack
from components.secrets.logins import shown_url, url_secrets
from tests.cases import each
from tests.samples import ship

SECRET: Final = "sentinel-4711"
WITH_LOGIN: Final = (
    f"postgres://user:{SECRET}@db.test:5432/state?sslmode=require",
    f"postgres://user:{SECRET}/with@odd:characters@db.test/state",
    f"postgres://:{SECRET}@db.test/state",
    f"postgres://user:odd?{SECRET}#more@db.test/state",
    f"https://{SECRET}@pulumi.test",
    f"s3://bucket?region=eu-central-1&secret_access_key={SECRET}",
    f"azblob://container?sas_token={SECRET}",
)
WITHOUT: Final = (
    "s3://bucket/folder?region=eu-central-1&endpoint=minio.test:9000&s3ForcePathStyle=true",
    "file:///home/me@work/.dev/state",
    "https://api.pulumi.com",
    "gs://bucket",
)


@each("url", WITH_LOGIN)
def test_login_of_a_backend_is_in_no_text(url: str) -> None:
    texts = [shown_url(url), str(no_such_stack("dev", url)), no_such_stack("dev", url).what]
    assert [text for text in texts if SECRET in text] == []
    assert shown_url(url).startswith(url.partition("://")[0])


@each("url", WITHOUT)
def test_url_without_a_login_is_shown_as_it_is(url: str) -> None:
    assert shown_url(url) == url
    assert url_secrets(url) == ()


@each("url", WITH_LOGIN)
def test_library_shows_no_login(url: str, tmp_path: Path) -> None:
    environments = Environments(ship(tmp_path), backend=url)
    environment = environments.open("dev")
    shown = [repr(environments), repr(environment), environments.backend, environment.backend]
    assert [text for text in shown if SECRET in text] == []


class Quoting:
    """An engine whose errors quote the backend's URL, as the real one's do where it cannot be reached."""

    interrupted, version = False, None

    def __init__(self, url: str) -> None:
        self.text = f'error: unable to open state database "{url}": no route to host'

    def run(self, *_: Any, **__: Any) -> CommandResult:
        raise create_command_error(CommandResult(stdout="", stderr=self.text, code=255))


@each("url", WITH_LOGIN)
def test_errors_of_the_engine_show_no_login(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = Quoting(url)
    monkeypatch.setattr(Stack, "create_or_select", engine.run)
    place = Place.of(ship(tmp_path), {BACKEND: url, PASSPHRASE: "x"})
    for use in (
        lambda: open_stack(place, "dev", engine),
        lambda: stack_tags(place, lambda: engine),
        lambda: remove_empty(place, "dev", lambda: engine),
        lambda: as_deployed(place, "dev", lambda: engine).__enter__(),
    ):
        with pytest.raises(UpdateFailed, match="unable to open state database") as raised:
            use()
        assert SECRET not in str(raised.value) + str(raised.value.to_json())


def test_text_that_should_be_a_name_or_a_tag_is_shown_without_a_login() -> None:
    url = f"https://user:{SECRET}@host"
    with pytest.raises(StackUnknown) as unknown:
        short_name(url)
    call: Any = SimpleNamespace(args=SimpleNamespace(airflow_version=None, stack="dev", verb="upgrade"))
    with pytest.raises(UpgradeRefused) as refused:
        _version(call, url)
    found = problems("dev", {"airflow:protect": "false", "airflow:database": "container", "airflow:upgrade": url}, {})
    texts = [str(unknown.value), str(refused.value), *found]
    assert len(texts) > 2
    assert [text for text in texts if SECRET in text] == []


def test_empty_passphrase_is_none_for_a_shared_backend(tmp_path: Path) -> None:
    project = ship(tmp_path)
    with pytest.raises(PassphraseMissing):
        prepare_backend(project, "dev", {"PULUMI_CONFIG_PASSPHRASE": ""}, url="s3://bucket")
    local = (tmp_path / "state").as_uri()
    assert prepare_backend(project, "dev", {"PULUMI_CONFIG_PASSPHRASE": ""}, url=local).url == local
