"""Several repositories of DAGs: what each bundle has, and who gets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from components.dags.delivery import DagBundle
from components.dags.git_bundles import GitBundles, GitBundlesArgs
from components.dags.git_repository import parse_git_repository
from components.kube.own_secrets import Holds, holds

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


def bundle(name: str, url: str, **more: Any) -> DagBundle:
    return DagBundle(name=name, repository=parse_git_repository(url), ref="main", sub_path="dags", **more)


SSH: Final = bundle("team-a", "git@github.com:example/a.git", secret="a-key")
TOKEN: Final = bundle("team-b", "https://git.test/b.git", secret="b-token")
OTHER_TOKEN: Final = bundle("c", "https://git.test/c.git", secret="c-token")
PUBLIC: Final = bundle("public", "https://git.test/d.git", submodules=True)


def made(record: Record, *bundles: DagBundle) -> tuple[GitBundles, Recorder]:
    found: list[GitBundles] = []
    args = GitBundlesArgs(namespace="ns", bundles=bundles, sync_period_seconds=30)
    recorder = record(lambda: found.append(GitBundles("airflow-git-bundle", args)))
    return found[0], recorder


def test_each_bundle_has_its_own_connection_and_ref(record: Record) -> None:
    bundles, _ = made(record, SSH, TOKEN, PUBLIC)
    assert [(item["name"], item["kwargs"]["git_conn_id"]) for item in bundles.bundle_config] == [
        ("team-a", "git_team_a"),
        ("team-b", "git_team_b"),
        ("public", "git_public"),
    ]
    assert [item["kwargs"].get("submodules", False) for item in bundles.bundle_config] == [False, False, True]
    assert [entry["name"] for entry in bundles.env[:3]] == [
        "AIRFLOW_CONN_GIT_TEAM_A",
        "AIRFLOW_CONN_GIT_TEAM_B",
        "AIRFLOW_CONN_GIT_PUBLIC",
    ]


def test_key_of_another_s_secret_and_own_host_keys_are_one_folder(record: Record) -> None:
    other = bundle("x", "ssh://git@github.com/example/x.git", secret="x-key")
    bundles, recorder = made(record, SSH, other)
    for index, (name, key) in enumerate((("team-a", "a-key"), ("x", "x-key"))):
        data = recorder.secret_data(f"airflow-git-bundle-{name}")
        connection = json.loads(data["connection"])
        mount, volume = bundles.volume_mounts[index], bundles.volumes[index]
        assert mount["name"] == volume["name"] == f"git-ssh-key-{name}"
        keys, hosts = (source["secret"] for source in volume["projected"]["sources"])
        assert keys == {"name": key, "items": [{"key": "ssh-privatekey", "path": "gitSshKey"}]}
        assert hosts["items"] == [{"key": "known_hosts", "path": "known_hosts"}]
        assert volume["projected"]["defaultMode"] == 0o440
        assert connection["extra"]["key_file"] == f"{mount['mountPath']}/gitSshKey"
        assert connection["extra"]["known_hosts_file"] == f"{mount['mountPath']}/known_hosts"
        assert connection["extra"]["strict_host_key_checking"] == "yes"
        assert "github.com" in data["known_hosts"]


def test_tokens_of_one_host_are_told_apart_by_the_repository(record: Record) -> None:
    bundles, recorder = made(record, TOKEN, OTHER_TOKEN)
    given = {entry["name"]: str(entry.get("value")) for entry in bundles.env}
    assert given["GIT_CONFIG_COUNT"] == "2"
    assert given["GIT_CONFIG_KEY_0"] == "credential.https://git.test/b.git.helper"
    assert given["GIT_CONFIG_KEY_1"] == "credential.https://git.test/c.git.helper"
    for index, name in enumerate(("team-b", "c")):
        assert f"/etc/git-login/{name}/password" in given[f"GIT_CONFIG_VALUE_{index}"]
        assert bundles.volume_mounts[index]["mountPath"] == f"/etc/git-login/{name}"
        assert json.loads(recorder.secret_data(f"airflow-git-bundle-{name}")["connection"]) == {
            "conn_type": "git",
            "host": f"https://git.test/{name[-1]}.git",
        }


def test_secrets_are_known_as_logins_of_git(record: Record) -> None:
    """A task pod may refer to them, and to no other Secret of the stack."""
    _, recorder = made(record, SSH, TOKEN)
    names = [found.name for found in recorder.every("kubernetes:core/v1:Secret")]
    assert len(names) == 2
    assert {holds(f"{name}-1a2b3c4d") for name in names} == {Holds.GIT}
