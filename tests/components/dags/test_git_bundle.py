"""Delivery by GitDagBundle: the connection as Airflow reads it, and what the pods mount."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from hypothesis import given
from hypothesis import strategies as st

from components.dags.delivery import DagsDelivery, Submodules
from components.dags.git_bundle import GitBundle, GitBundleArgs, connection_json
from components.dags.git_login import GitLogin, GitLoginKind
from components.dags.git_ssh_key import KNOWN_HOSTS, PRIVATE_KEY
from components.kube.secret import Secret
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

TOKEN: Final = 'sentinel "token" \'é'
HTTPS: Final = samples.dags("https://git.test/dags.git", DagsDelivery.GIT_BUNDLE)
SSH: Final = samples.dags("ssh://git@git.test:2222/dags.git", DagsDelivery.GIT_BUNDLE)


def made(record: Record, args: GitBundleArgs) -> tuple[GitBundle, Recorder]:
    bundles: list[GitBundle] = []
    recorder = record(lambda: bundles.append(GitBundle("bundle", args)))
    return bundles[0], recorder


def connection(recorder: Recorder) -> dict[str, Any]:
    data = recorder.secret_data("bundle")
    assert set(data) == {"connection"}
    found: dict[str, Any] = json.loads(data["connection"])
    return found


def test_public_repository_has_an_address_alone(record: Record) -> None:
    _, recorder = made(record, GitBundleArgs(namespace="ns", dags=HTTPS))
    assert connection(recorder) == {"conn_type": "git", "host": "https://git.test/dags.git"}


def test_private_https_repository_has_a_login(record: Record) -> None:
    args = GitBundleArgs(namespace="ns", dags=HTTPS, username="robot", token=Secret(TOKEN))
    bundle, recorder = made(record, args)
    assert connection(recorder) == {
        "conn_type": "git",
        "host": "https://git.test/dags.git",
        "login": "robot",
        "password": TOKEN,
    }
    assert (bundle.volumes, bundle.volume_mounts) == ([], [])
    assert all("sentinel" not in resource.plain_text for resource in recorder.every())


def test_ssh_repository_has_the_key_and_its_host_keys(record: Record) -> None:
    bundle, recorder = made(record, GitBundleArgs(namespace="ns", dags=SSH, ssh_key_secret="git-ssh-1"))
    [volume], [mount] = bundle.volumes, bundle.volume_mounts
    assert volume["secret"]["secretName"] == "git-ssh-1"
    # The files are root's, and the pod's group reads them: ssh objects to that only where they are the reader's own.
    assert volume["secret"]["defaultMode"] == 0o440
    assert mount["name"] == volume["name"]
    assert mount["readOnly"] is True
    assert connection(recorder) == {
        "conn_type": "git",
        "host": "ssh://git@git.test:2222/dags.git",
        "extra": {
            "key_file": f"{mount['mountPath']}/{PRIVATE_KEY}",
            "known_hosts_file": f"{mount['mountPath']}/{KNOWN_HOSTS}",
            "strict_host_key_checking": "yes",
        },
    }


def test_bundle_is_airflow_s_own_at_that_repository(record: Record) -> None:
    bundle, _ = made(record, GitBundleArgs(namespace="ns", dags=HTTPS))
    [config] = bundle.bundle_config
    assert config["classpath"] == "airflow.providers.git.bundles.git.GitDagBundle"
    assert config["kwargs"] == {
        "git_conn_id": "git_dags",
        "tracking_ref": "main",
        "subdir": "dags",
        "refresh_interval": 30,
    }


def test_submodules_are_fetched_only_if_asked_for(record: Record) -> None:
    for choice in (None, *Submodules):
        dags = dataclasses.replace(HTTPS, submodules=choice)
        bundle, _ = made(record, GitBundleArgs(namespace="ns", dags=dags))
        assert bundle.bundle_config[0]["kwargs"].get("submodules", False) is (choice is Submodules.RECURSIVE)


def test_variable_is_the_connection_s_from_its_secret(record: Record) -> None:
    """Airflow finds a connection `git_dags` in AIRFLOW_CONN_GIT_DAGS."""
    bundle, recorder = made(record, GitBundleArgs(namespace="ns", dags=HTTPS))
    [variable] = bundle.env
    assert variable["name"] == "AIRFLOW_CONN_GIT_DAGS"
    assert variable["valueFrom"]["secretKeyRef"]["key"] == "connection"
    outputs = recorder.outputs[recorder.one("airflow:index:GitBundle").urn]
    assert outputs["secret"].startswith("bundle-")


def test_login_of_another_s_secret_is_in_no_secret_of_the_stack(record: Record) -> None:
    login = GitLogin(secret="git-token", kind=GitLoginKind.TOKEN)
    bundle, recorder = made(record, GitBundleArgs(namespace="ns", dags=HTTPS, login=login))
    assert connection(recorder) == {"conn_type": "git", "host": "https://git.test/dags.git"}
    assert [entry["name"] for entry in bundle.env[1:]] == ["GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"]
    [volume], [mount] = bundle.volumes, bundle.volume_mounts
    assert volume["secret"]["secretName"] == "git-token"
    assert mount["name"] == volume["name"]


def test_another_token_is_another_secret(record: Record) -> None:
    def name(token: str) -> str:
        args = GitBundleArgs(namespace="ns", dags=HTTPS, username="robot", token=Secret(token))
        _, recorder = made(record, args)
        found: str = recorder.outputs[recorder.one("airflow:index:GitBundle").urn]["secret"]
        return found

    assert name("one") != name("other")
    assert name("one") == name("one")


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1))
def test_any_token_is_read_again(token: str) -> None:
    text = connection_json(HTTPS.repository.url, key_folder=None, username="robot", token=token)
    assert json.loads(text)["password"] == token
    assert "\n" not in text
