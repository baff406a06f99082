"""The pod that fetches the DAGs once, with the image, key, host keys, variables and network policy of the real pods."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from components.chart_values.value_paths import at
from components.dags.delivery import Dags, DagsDelivery
from components.dags.git_bundle import CONNECTION_ID
from components.dags.git_ssh_key import KNOWN_HOSTS, PRIVATE_KEY
from components.kube.env import NO_DATABASE_CHECK, variable
from components.kube.images import Images
from components.kube.pod_security import CONTAINER
from components.preflight.pod_surroundings import airflow_variables, processor_mounts, variable_sources
from components.preflight.pods import chart_image, pod_spec, processor_volumes

FETCH: Final = "fetch"
REACH: Final = "reach"
FOLDER: Final = "folder"
"""The pod's containers, in their order."""
LABELS: Final = {"tier": "airflow", "component": "dag-processor"}
"""Those of the DAG processor, which make its network policy hold for this pod. No Service and no controller selects a
pod by them."""
SECONDS: Final = 8
"""How long a host may take to answer."""
LFS: Final = 3
"""Exit code where the DAG folder has files of Git LFS."""
_SECRET_FOLDER: Final = "/etc/git-secret"
_TREE: Final = "/git/repo"
_PROXIES: Final = frozenset({"HTTPS_PROXY", "ALL_PROXY"})
_ANSWER: Final = "/dev/termination-log"
_MOST_ANSWER: Final = 3500  # a container's message holds 4096 bytes

_LISTING: Final = f"""\
cd {_TREE}; parent=$1
until [ -d "./$parent" ]; do case $parent in */*) parent=${{parent%/*}} ;; *) parent= ;; esac; done
{{ echo "$parent"; ls -1ApL -- "./$parent" | sed -n 's|/$||p'; }} | head -c {_MOST_ANSWER} > {_ANSWER}
timeout {SECONDS} grep -rqsF 'version https://git-lfs.github.com/spec/' -- "./$2" && exit {LFS}
exit 0
"""
"""Writes the nearest parent of the DAG folder that exists, and then the folders in it; ends with `LFS` where a pointer
of Git LFS is in the folder. git-sync's image has bash, coreutils, sed and grep."""

_BUNDLE_SCRIPT: Final = f"""\
import json, os, subprocess, sys
from airflow.providers.git.hooks.git import GitHook
ref, folder = sys.argv[1:]
hook = GitHook("CONNECTION")
def git(*words, env):
    done = subprocess.run(["git", *words], env=env, capture_output=True, text=True, cwd="/tmp")
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout
with hook.configure_hook_env():
    env = {{**os.environ, **hook.env, "GIT_TERMINAL_PROMPT": "0", "GIT_HTTP_LOW_SPEED_LIMIT": "1",
           "GIT_HTTP_LOW_SPEED_TIME": "{SECONDS}"}}
    if "GIT_SSH_COMMAND" in env:
        env["GIT_SSH_COMMAND"] += " -o ConnectTimeout={SECONDS}"
    git("init", "-q", "--bare", "preflight", env=env)
    git("-C", "preflight", "fetch", "-q", "--depth", "1", "--filter", "blob:none", hook.repo_url, ref, env=env)
    parent = folder.rpartition("/")[0]
    while True:
        words = ("-C", "preflight", "ls-tree", "-d", "--name-only", "FETCH_HEAD:" + parent)
        done = subprocess.run(["git", *words], env=env, capture_output=True, text=True, cwd="/tmp")
        if not done.returncode or not parent:
            break
        parent = parent.rpartition("/")[0]
    def said(*words, given=b""):  # what is not known is no reason to fail
        words = ["git", "-C", "preflight", *words]
        return subprocess.run(words, env=env, capture_output=True, input=given, cwd="/tmp").stdout
    said("read-tree", "FETCH_HEAD")
    files = said("ls-files", "-z", *(["--", folder] if folder else []))
    lfs = b"\\0filter\\0lfs\\0" in said("check-attr", "--cached", "-z", "--stdin", "filter", given=files)
with open("{_ANSWER}", "w") as answer:
    answer.write("\\n".join([parent, *done.stdout.splitlines()])[:{_MOST_ANSWER}])
sys.exit({LFS} if lfs else 0)
"""
"""Python script that fetches one tree of the repository by Airflow's own hook of Git, without the files in it but
.gitattributes. It ends with `LFS` where these give a file of the DAG folder to Git LFS.

A GitDagBundle clones the whole repository with the same hook, so with the same address, key and host keys.
"""


def bundle_script(connection_id: str) -> str:
    """Return the script for an Airflow connection."""
    return _BUNDLE_SCRIPT.replace("CONNECTION", connection_id)


def git_about(dags: Dags) -> dict[str, str]:
    """Return what the texts about the repository name. It holds no secret."""
    repository = dags.repository
    return {
        "url": repository.url,
        "host": repository.host,
        "port": str(repository.port),
        "ref": dags.ref,
        "folder": dags.sub_path,
    }


def git_pod(
    dags: Dags, values: Mapping[str, Any], images: Images, release_name: str, connection_id: str = CONNECTION_ID
) -> dict[str, Any]:
    """Return metadata and spec of the pod.

    Args:
        dags: The repository.
        values: The values of the release, with the chart's own below them.
        images: The images of the stack.
        release_name: Value of the chart's label `release`.
        connection_id: Airflow connection of a bundle.
    """
    if dags.delivery is DagsDelivery.GIT_BUNDLE:
        spec = _bundle_spec(dags, values, images, connection_id)
    else:
        spec = _git_sync_spec(dags, values, images)
    return {"metadata": {"labels": {**LABELS, "release": release_name}}, "spec": spec}


def _git_sync_spec(dags: Dags, values: Mapping[str, Any], images: Images) -> dict[str, Any]:
    git_sync = values["dags"]["gitSync"]
    given = {str(entry["name"]): entry for entry in git_sync.get("env") or ()}
    mounts: list[dict[str, Any]] = [{"name": "dags", "mountPath": "/git"}]
    volumes: list[Mapping[str, Any]] = [{"name": "dags", "emptyDir": {}}]
    env = {
        "GITSYNC_REPO": dags.repository.url,
        "GITSYNC_REF": dags.ref,
        "GITSYNC_DEPTH": "1",
        "GITSYNC_ROOT": "/git",
        "GITSYNC_LINK": "repo",
        "GITSYNC_ADD_USER": "true",
        "GITSYNC_ONE_TIME": "true",
        # The pods of the release never give up; this one does at once.
        "GITSYNC_MAX_FAILURES": "0",
    }
    credentials: list[dict[str, Any]] = []
    if git_sync.get("sshKeySecret") is not None:
        env |= {
            "GITSYNC_SSH_KEY_FILE": f"{_SECRET_FOLDER}/ssh",
            "GITSYNC_SSH_KNOWN_HOSTS": "true",
            "GITSYNC_SSH_KNOWN_HOSTS_FILE": f"{_SECRET_FOLDER}/known_hosts",
            # git-sync adds the key and the host keys to it.
            "GIT_SSH_COMMAND": f"ssh -o ConnectTimeout={SECONDS}",
        }
        secret = {"secretName": git_sync["sshKeySecret"], "defaultMode": 0o440}
        volumes.append({"name": "git-sync-ssh-key", "secret": secret})
        for file, key in (("ssh", PRIVATE_KEY), ("known_hosts", KNOWN_HOSTS)):
            mounts.append(
                {
                    "name": "git-sync-ssh-key",
                    "mountPath": f"{_SECRET_FOLDER}/{file}",
                    "subPath": key,
                    "readOnly": True,
                }
            )
    elif git_sync.get("credentialsSecret") is not None:
        for name in ("GITSYNC_USERNAME", "GITSYNC_PASSWORD"):
            reference = {"name": git_sync["credentialsSecret"], "key": name}
            credentials.append({"name": name, "valueFrom": {"secretKeyRef": reference}})
    mounts += git_sync.get("extraVolumeMounts") or ()
    volumes += processor_volumes(values, mounts)
    common = {
        "image": chart_image(values, "gitSync"),
        "imagePullPolicy": images.pull_policy,
        "securityContext": dict(git_sync["securityContexts"]["container"]),
        "resources": git_sync.get("resources") or {},
        "volumeMounts": mounts,
        **variable_sources(values, "dags.gitSync.envFrom"),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    variables = [variable(name, value) for name, value in env.items() if name not in given]
    fetch = {"name": FETCH, **common, "env": [*variables, *credentials, *given.values()]}
    first = [] if dags.repository.scheme == "ssh" or _PROXIES & {name.upper() for name in given} else [_reach(dags)]
    return {
        **pod_spec(values, "dagProcessor", images, _security(values)),
        "initContainers": [*({**common, **container} for container in first), fetch],
        "containers": [
            {"name": FOLDER, **common, "command": ["bash", "-c", _LISTING, FOLDER, _parent(dags), dags.sub_path]}
        ],
        "volumes": volumes,
    }


def _security(values: Mapping[str, Any]) -> Mapping[str, Any]:
    security: Mapping[str, Any] = at(values, "dagProcessor.securityContexts.pod") or at(values, "securityContexts.pod")
    return security


def _parent(dags: Dags) -> str:
    return dags.sub_path.rpartition("/")[0]


def _reach(dags: Dags) -> dict[str, Any]:
    """Return a container that only connects: git has no time limit of its own for a host that does not answer."""
    host, port = dags.repository.host, dags.repository.port
    connect = f"timeout {SECONDS} bash -c {shlex.quote(f': < /dev/tcp/{host}/{port}')}"
    late = f"Connection to {host} port {port} timed out"
    script = f"{connect} && exit 0; code=$?; [ $code = 124 ] && echo {shlex.quote(late)}; exit $code"
    return {"name": REACH, "command": ["bash", "-c", script]}


def _bundle_spec(dags: Dags, values: Mapping[str, Any], images: Images, connection_id: str) -> dict[str, Any]:
    mounts = processor_mounts(values)
    variables = [*airflow_variables(values), *(at(values, "dagProcessor.env") or ())]
    return {
        **pod_spec(values, "dagProcessor", images, _security(values)),
        "containers": [
            {
                "name": FETCH,
                "image": images.airflow,
                "imagePullPolicy": images.pull_policy,
                "securityContext": CONTAINER,
                # Arguments, not a command: the image's entry point sets up the user and the paths.
                "args": ["python", "-c", bundle_script(connection_id), dags.ref, dags.sub_path],
                **variable_sources(values, "extraEnvFrom"),
                "env": [*_without_database(variables), NO_DATABASE_CHECK],
                "volumeMounts": mounts,
                "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ],
        "volumes": processor_volumes(values, mounts),
    }


def _without_database(env: Any) -> list[Any]:
    """Return the variables without the database's: it may not be there yet, and its Secret depends on it."""
    return [entry for entry in env if not str(entry["name"]).startswith("AIRFLOW__DATABASE__")]
