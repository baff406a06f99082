"""Where the state is: a URL that is shown without its login, and a passphrase that is one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from automation.environments import Environments
from automation.errors import PassphraseMissing
from automation.stacks.backend import prepare_backend, shown_url, url_secrets
from automation.stacks.place import no_such_stack
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


def test_empty_passphrase_is_none_for_a_shared_backend(tmp_path: Path) -> None:
    project = ship(tmp_path)
    with pytest.raises(PassphraseMissing):
        prepare_backend(project, "dev", {"PULUMI_CONFIG_PASSPHRASE": ""}, url="s3://bucket")
    local = (tmp_path / "state").as_uri()
    assert prepare_backend(project, "dev", {"PULUMI_CONFIG_PASSPHRASE": ""}, url=local).url == local
