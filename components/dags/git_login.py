"""Logins of a private HTTPS repository that something else puts into the namespace as a Secret.

Two forms: user name and token, or the key of a GitHub App. Token and key are files in the pods: no variable, no
argument and no value of Helm has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

from components.dags.git_repository import GitRepository
from components.kube.env import from_secret, variable

FOLDER: Final = "/etc/git-login"
_VOLUME: Final = "git-login"
_USERNAME: Final = "username"
_PASSWORD: Final = "password"
SSH_PRIVATE_KEY: Final = "ssh-privatekey"
"""Key of a Secret of the type kubernetes.io/ssh-auth."""
_APP_ID: Final = "githubAppID"
_INSTALLATION_ID: Final = "githubAppInstallationID"
_APP_KEY: Final = "githubAppPrivateKey"
_GITHUB: Final = "github.com"
_GITHUB_CLOUD: Final = ".ghe.com"
"""Hosts of GitHub Enterprise Cloud with data residency, whose API is at api.HOST."""


@unique
class GitLoginKind(StrEnum):
    """The kind of login in a Secret of your own."""

    TOKEN = "token"
    """User name and token, as in a Secret of the type kubernetes.io/basic-auth."""
    GITHUB_APP = "github-app"
    """A GitHub App, under the keys that Argo CD and Flux read."""


KEYS: Final = {
    GitLoginKind.TOKEN: (_USERNAME, _PASSWORD),
    GitLoginKind.GITHUB_APP: (_APP_ID, _INSTALLATION_ID, _APP_KEY),
}
"""The keys that a Secret must have."""
_FILES: Final = {GitLoginKind.TOKEN: (_USERNAME, _PASSWORD), GitLoginKind.GITHUB_APP: (_APP_KEY,)}


@dataclass(frozen=True, kw_only=True)
class GitLogin:
    """A Secret that the stack does not make, with a login for the repository."""

    secret: str
    """Its name, in the stack's namespace."""
    kind: GitLoginKind
    """The kind of login that the Secret holds."""

    @property
    def setting(self) -> str:
        """The config key that names it."""
        return "airflow:dagsTokenSecret" if self.kind is GitLoginKind.TOKEN else "airflow:dagsGithubAppSecret"


def login_variables(login: GitLogin, repository: GitRepository) -> list[dict[str, Any]]:
    """Return the variables with which git, or git-sync for a GitHub App, logs in.

    A token is read by a credential helper of git (git-scm.com/docs/gitcredentials) at each fetch, so that a changed one
    counts as soon as the kubelet has updated the file. git-sync's own option `--password-file` reads it once, at the
    start: a token that changes would stop the DAGs without a word. The key of a GitHub App is read for each new token,
    once an hour (git-sync 4.4.2, main.go).
    """
    if login.kind is GitLoginKind.TOKEN:
        # Set for the host, so that submodules on the same host are fetched too. No other host gets the token.
        return token_variables([(repository, FOLDER)], whole_path=False)
    found = [
        from_secret("GITSYNC_GITHUB_APP_APPLICATION_ID", login.secret, _APP_ID),
        from_secret("GITSYNC_GITHUB_APP_INSTALLATION_ID", login.secret, _INSTALLATION_ID),
        variable("GITSYNC_GITHUB_APP_PRIVATE_KEY_FILE", f"{FOLDER}/{_APP_KEY}"),
    ]
    if repository.host != _GITHUB:
        found.append(variable("GITSYNC_GITHUB_BASE_URL", _api(repository)))
    return found


def token_variables(logins: Sequence[tuple[GitRepository, str]], *, whole_path: bool) -> list[dict[str, Any]]:
    """Return the variables with which git reads user names and tokens from files.

    Args:
        logins: Repositories, each with the folder of its files.
        whole_path: Whether a token is for the repository alone, and not for all of its host.
    """
    found = [variable("GIT_CONFIG_COUNT", str(len(logins)))]
    for number, (repository, folder) in enumerate(logins):
        scope = repository.url if whole_path else _server(repository)
        answers = " && ".join(f'echo "{key}=`cat {folder}/{key}`"' for key in KEYS[GitLoginKind.TOKEN])
        found += [
            variable(f"GIT_CONFIG_KEY_{number}", f"credential.{scope}.helper"),
            variable(f"GIT_CONFIG_VALUE_{number}", f'!f() {{ test "$1" = get && {answers}; }}; f'),
        ]
    return found


def _api(repository: GitRepository) -> str:
    """Return the address of GitHub Enterprise's API (docs.github.com, "Getting started with the REST API")."""
    if repository.host.endswith(_GITHUB_CLOUD):
        return f"https://api.{repository.host}/"
    return f"{_server(repository)}/api/v3/"


def _server(repository: GitRepository) -> str:
    return f"https://{repository.host}{'' if repository.port == 443 else f':{repository.port}'}"


def login_volume(login: GitLogin, name: str = _VOLUME) -> dict[str, Any]:
    """Return the volume of the files."""
    items = [{"key": key, "path": key} for key in _FILES[login.kind]]
    # 0440: readable by the pod's group.
    return {"name": name, "secret": {"secretName": login.secret, "defaultMode": 0o440, "items": items}}


def login_mount(name: str = _VOLUME, folder: str = FOLDER) -> dict[str, Any]:
    """Return the mount of this volume, a whole folder: a file by subPath would never change."""
    return {"name": name, "mountPath": folder, "readOnly": True}
