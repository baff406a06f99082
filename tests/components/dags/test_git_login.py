"""Logins from a Secret of another: what git and git-sync read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

from components.chart_values.release_inputs import DagAccess
from components.chart_values.values import airflow_values
from components.dags.git_login import (
    FOLDER,
    KEYS,
    GitLogin,
    GitLoginKind,
    login_mount,
    login_variables,
    login_volume,
)
from components.dags.git_repository import parse_git_repository
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.chart.rendering import needs_chart, objects

TOKEN: Final = GitLogin(secret="git-token", kind=GitLoginKind.TOKEN)
APP: Final = GitLogin(secret="git-app", kind=GitLoginKind.GITHUB_APP)
PASSWORD: Final = 'sentinel "token" \'$(x)`y`\\'


def variables(login: GitLogin, url: str = "https://git.test/dags.git") -> dict[str, Any]:
    found = login_variables(login, parse_git_repository(url))
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in found}


def asked(folder: Path, environment: dict[str, Any], host: str) -> subprocess.CompletedProcess[str]:
    """Ask git itself for the login of a host."""
    settings = {name: value.replace(FOLDER, str(folder)) for name, value in environment.items()}
    quiet = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ASKPASS": "",
    }
    return subprocess.run(
        ["git", "credential", "fill"],
        input=f"protocol=https\nhost={host}\n\n",
        env={"PATH": os.environ["PATH"], **quiet, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_git_gives_the_token_to_its_host_and_to_no_other(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("robot\n")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    for url, host in (("https://git.test/dags.git", "git.test"), ("https://git.test:8443/dags.git", "git.test:8443")):
        answer = asked(tmp_path, variables(TOKEN, url), host)
        assert f"username=robot\npassword={PASSWORD}\n" in answer.stdout, answer.stderr
        other = asked(tmp_path, variables(TOKEN, url), "elsewhere.test")
        assert other.returncode != 0
        assert "sentinel" not in other.stdout + other.stderr


def test_changed_token_counts_at_the_next_fetch(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("robot")
    for token in ("first", "second"):
        (tmp_path / "password").write_text(token)
        assert f"password={token}\n" in asked(tmp_path, variables(TOKEN), "git.test").stdout


def test_app_is_git_sync_s_own_way_with_the_key_in_a_file() -> None:
    assert variables(APP, "https://github.com/example/dags.git") == {
        "GITSYNC_GITHUB_APP_APPLICATION_ID": {"secretKeyRef": {"name": "git-app", "key": "githubAppID"}},
        "GITSYNC_GITHUB_APP_INSTALLATION_ID": {"secretKeyRef": {"name": "git-app", "key": "githubAppInstallationID"}},
        "GITSYNC_GITHUB_APP_PRIVATE_KEY_FILE": f"{FOLDER}/githubAppPrivateKey",
    }
    for url, api in (
        ("https://github.example.com/a/b.git", "https://github.example.com/api/v3/"),
        ("https://github.example.com:8443/a/b.git", "https://github.example.com:8443/api/v3/"),
        ("https://team.ghe.com/a/b.git", "https://api.team.ghe.com/"),
    ):
        assert variables(APP, url)["GITSYNC_GITHUB_BASE_URL"] == api


def test_files_are_those_that_are_read_and_no_more() -> None:
    for login, files in ((TOKEN, {"username", "password"}), (APP, {"githubAppPrivateKey"})):
        volume = login_volume(login)["secret"]
        assert volume["secretName"] == login.secret
        assert {item["key"] for item in volume["items"]} == files <= set(KEYS[login.kind])
        assert volume["defaultMode"] == 0o440
    assert "subPath" not in login_mount(), "a file by subPath never changes"


@needs_chart
def test_only_git_sync_has_the_login() -> None:
    access = DagAccess(
        git_sync_env=tuple(login_variables(TOKEN, samples.dags().repository)),
        git_sync_mounts=(login_mount(),),
        volumes=(login_volume(TOKEN),),
    )
    mount = {"name": "ca", "mountPath": "/etc/ca"}
    users = {
        "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "dags": {"gitSync": {"extraVolumeMounts": [mount]}},
    }
    seen = set()
    for item in objects(with_helm_values(airflow_values(samples.release_inputs(dag_access=access)), users)):
        spec = item.get("spec", {}).get("template", {}).get("spec", {})
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            has = login_mount() in (container.get("volumeMounts") or ())
            assert has == container["name"].startswith("git-sync"), container["name"]
            assert not has or mount in container["volumeMounts"], "a team's own mounts are added"
            if has:
                seen.add(item["metadata"]["name"])
                assert any(volume["name"] == "git-login" for volume in spec["volumes"])
    assert seen == {"airflow-dag-processor", "airflow-triggerer", "airflow-worker"}
