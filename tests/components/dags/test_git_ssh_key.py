"""The deploy key and the host keys that it may be shown to, in the Secret that the chart reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from components.dags.git_repository import parse_git_repository
from components.dags.git_ssh_key import GitSshKey, GitSshKeyArgs
from components.dags.known_hosts import pinned_known_hosts, published_known_hosts
from components.kube.secret import Secret
from tests import samples
from tests.cases import each

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


def ssh_key(url: str, known_hosts: str | None = None) -> Callable[[], GitSshKey]:
    args = GitSshKeyArgs(
        namespace="ns",
        repository=parse_git_repository(url),
        private_key=Secret(samples.ssh_private_key()),
        known_hosts=known_hosts,
    )
    return lambda: GitSshKey("key", args)


def test_secret_has_the_key_and_the_host_keys(record: Record) -> None:
    recorder = record(ssh_key(samples.SSH_REPOSITORY))
    data = recorder.secret_data("key")
    assert set(data) == {"gitSshKey", "known_hosts"}
    assert data["gitSshKey"] == samples.ssh_private_key()
    assert "github.com" in data["known_hosts"]
    outputs = recorder.outputs[recorder.one("airflow:index:GitSshKey").urn]
    assert outputs["known_hosts"] == data["known_hosts"]
    assert outputs["secret"].startswith("key-")


def test_key_is_in_no_plain_text(record: Record) -> None:
    recorder = record(ssh_key(samples.SSH_REPOSITORY))
    for trace in samples.traces("gitSshPrivateKey", samples.ssh_private_key()):
        assert all(trace not in resource.plain_text for resource in recorder.every())


def test_no_repository_comes_without_host_keys(record: Record) -> None:
    """Without any the chart switches the check off."""
    with pytest.raises(ValueError, match=r"expected known_hosts lines for git\.test") as error:
        record(ssh_key("ssh://git@git.test:2222/dags.git"))
    assert "ssh-keyscan -p 2222 git.test" in str(error.value)


@each("nothing", [None, ""])
@each("host", ["github.com", "gitlab.com", "bitbucket.org"])
def test_well_known_host_has_its_published_keys(host: str, nothing: str | None) -> None:
    published = published_known_hosts(host)
    assert published
    pinned = pinned_known_hosts(nothing, parse_git_repository(f"git@{host}:a/b.git"))
    assert set(pinned.split()) == set(published.split())
