"""The pod that fetches the DAGs: as those of the release will, but once."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.executor import Executor
from components.chart_values.release_inputs import DagAccess
from components.chart_values.values import airflow_values
from components.dags.delivery import Dags, DagsDelivery, Submodules
from components.kube.images import Images
from components.network.database_place import DatabasePods
from components.network.isolation_rules import IsolationRules
from components.network.policies import network_policies
from components.preflight.git_pod import LFS, bundle_script, git_about, git_pod
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.chart.rendering import needs_chart, objects, pod_templates

SSH: Final = samples.dags(samples.SSH_REPOSITORY)
IMAGES: Final = Images(tag="3.2.2", pull_secrets=("registry",))


def pod(dags: Dags, access: DagAccess | None = None, users: dict[str, Any] | None = None) -> dict[str, Any]:
    inputs = samples.release_inputs(dags_=dags, dag_access=access, images=IMAGES)
    values = merged(chart_values(), with_helm_values(airflow_values(inputs), users or {}))
    return git_pod(dags, values, IMAGES, "airflow")


def variables(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def fetch(found: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = found["spec"]["initContainers"][-1]
    return container


def test_key_and_host_keys_come_from_the_stack_s_secret() -> None:
    found = pod(SSH, DagAccess(ssh_key_secret="git-1", known_hosts="x"))
    [volume] = [item for item in found["spec"]["volumes"] if "secret" in item]
    assert volume["secret"]["secretName"] == "git-1"
    mounts = {item["mountPath"]: item.get("subPath") for item in fetch(found)["volumeMounts"]}
    assert mounts["/etc/git-secret/ssh"] == "gitSshKey"
    assert mounts["/etc/git-secret/known_hosts"] == "known_hosts"
    assert variables(fetch(found))["GITSYNC_SSH_KNOWN_HOSTS"] == "true"
    assert len(found["spec"]["initContainers"]) == 1, "ssh has a time limit of its own"


def test_token_comes_from_the_stack_s_secret() -> None:
    found = pod(samples.dags(), DagAccess(credentials_secret="token-1"))
    given = variables(fetch(found))
    for name in ("GITSYNC_USERNAME", "GITSYNC_PASSWORD"):
        assert given[name] == {"secretKeyRef": {"name": "token-1", "key": name}}


def test_it_gives_up_at_once() -> None:
    given = variables(fetch(pod(samples.dags())))
    assert (given["GITSYNC_ONE_TIME"], given["GITSYNC_MAX_FAILURES"], given["GITSYNC_DEPTH"]) == ("true", "0", "1")


def test_host_is_reached_first_unless_a_proxy_reaches_it() -> None:
    names = [item["name"] for item in pod(samples.dags())["spec"]["initContainers"]]
    assert names == ["reach", "fetch"]
    proxy = {"dags": {"gitSync": {"env": [{"name": "https_proxy", "value": "http://proxy:3128"}]}}}
    found = pod(samples.dags(), users=proxy)
    assert [item["name"] for item in found["spec"]["initContainers"]] == ["fetch"]
    assert variables(fetch(found))["https_proxy"] == "http://proxy:3128"


def test_a_team_s_own_variables_win() -> None:
    own = {"dags": {"gitSync": {"env": [{"name": "GIT_SSH_COMMAND", "value": "ssh -v"}]}}}
    entries = [item for item in fetch(pod(SSH, users=own))["env"] if item["name"] == "GIT_SSH_COMMAND"]
    assert entries == [{"name": "GIT_SSH_COMMAND", "value": "ssh -v"}]


def test_network_policy_of_the_dag_processor_holds_for_it_and_no_other() -> None:
    rules = IsolationRules(
        release_name="airflow",
        executor=Executor.CELERY,
        database=DatabasePods(labels={"component": "postgres"}, port=5432),
        pgbouncer=True,
        egress_except=(),
        ui_namespaces=(),
        metrics_namespaces=(),
    )
    labels = pod(samples.dags())["metadata"]["labels"]

    def selects(selector: dict[str, Any]) -> bool:
        wanted = selector.get("matchLabels", {}).items() <= labels.items()
        expressions = selector.get("matchExpressions", ())
        return wanted and all(labels.get(item["key"]) in item["values"] for item in expressions)

    holding = {name for name, spec in network_policies(rules).items() if selects(spec["podSelector"])}
    assert holding == {"default-deny", "dns", "dag-processor"}


def test_listing_says_what_is_there_and_tells_pointers_of_git_lfs(tmp_path: Path) -> None:
    tree, answer = tmp_path / "repo", tmp_path / "answer"
    (tree / "airflow" / "dags").mkdir(parents=True)
    (tree / "models").mkdir()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (tree / "models" / "outside").write_text(pointer)

    def listed(sub_path: str) -> tuple[int, list[str]]:
        command = pod(dataclasses.replace(samples.dags(), sub_path=sub_path))["spec"]["containers"][0]["command"]
        command[2] = command[2].replace("/git/repo", str(tree)).replace("/dev/termination-log", str(answer))
        done = subprocess.run(command, check=False)
        return done.returncode, answer.read_text().splitlines()

    assert listed("airflow/dags") == (0, ["airflow", "dags"])
    assert listed("airflow/none") == (0, ["airflow", "dags"])
    (tree / "airflow" / "dags" / "weights.bin").write_text(pointer)
    assert listed("airflow/dags")[0] == LFS
    assert listed("")[0] == LFS


def test_submodules_are_fetched_as_the_release_will() -> None:
    for choice, value in ((None, None), *((item, item.value) for item in Submodules)):
        given = variables(fetch(pod(dataclasses.replace(samples.dags(), submodules=choice))))
        assert given.get("GITSYNC_SUBMODULES") == value


def test_bundle_is_fetched_in_airflow_s_image_without_the_database() -> None:
    dags = samples.dags(delivery=DagsDelivery.GIT_BUNDLE)
    connection = {"name": "AIRFLOW_CONN_GIT_DAGS", "valueFrom": {"secretKeyRef": {"name": "c", "key": "connection"}}}
    [container] = pod(dags, DagAccess(env=(connection,)))["spec"]["containers"]
    assert container["image"] == "apache/airflow:3.2.2"
    assert connection in container["env"]
    assert "SQL_ALCHEMY" not in str(container["env"])
    assert container["args"][-2:] == ["main", "dags"]
    compile(bundle_script("git_dags"), "script", "exec")
    assert 'GitHook("git_dags")' in container["args"][2]


_HOOK: Final = """
import contextlib
class GitHook:
    repo_url, env = {url!r}, {{}}
    def __init__(self, connection_id): pass
    def configure_hook_env(self): return contextlib.nullcontext()
"""


def test_bundle_s_script_lists_folders_and_tells_files_of_git_lfs(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for folder in ("airflow/dags", "models"):
        (repository / folder).mkdir(parents=True)
        (repository / folder / "weights.bin").write_text("x")

    def git(*words: str) -> None:
        author = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "filter.lfs.clean=cat")
        subprocess.run(["git", "-C", repository, *author, *words], check=True, capture_output=True)

    def ran(attributes: str, folder: str) -> tuple[int, list[str]]:
        (repository / ".gitattributes").write_text(attributes)
        git("add", "-A")
        git("commit", "-qm", "x", "--allow-empty")
        work = Path(tempfile.mkdtemp(dir=tmp_path))
        hook = _HOOK.format(url=repository.as_uri())
        text = bundle_script("git_dags").replace("from airflow.providers.git.hooks.git import GitHook", hook)
        text = text.replace("/dev/termination-log", str(work / "answer")).replace('cwd="/tmp"', f'cwd="{work}"')
        done = subprocess.run([sys.executable, "-c", text, "main", folder], check=False, cwd=work)
        return done.returncode, (work / "answer").read_text().splitlines()

    git("init", "-q", "-b", "main")
    git("config", "uploadpack.allowFilter", "true")
    assert ran("", "airflow/dags") == (0, ["airflow", "dags"])
    assert ran("models/** filter=lfs\n", "airflow/dags") == (0, ["airflow", "dags"])
    assert ran("models/** filter=lfs\n", "")[0] == LFS
    assert ran("*.bin filter=lfs diff=lfs merge=lfs -text\n", "airflow/dags") == (LFS, ["airflow", "dags"])


SURROUNDED: Final[dict[str, Any]] = {
    "env": [{"name": "GIT_SSL_CAINFO", "value": "/ca/ca.crt"}],
    "secret": [{"envName": "PROXY_LOGIN", "secretName": "proxy", "secretKey": "login"}],
    "extraEnv": "- name: HTTPS_PROXY\n  value: http://proxy.test:3128\n"
    "- name: FROM_SECRET\n  valueFrom:\n    secretKeyRef:\n      name: s\n      key: k\n",
    "extraEnvFrom": "- configMapRef:\n    name: more\n",
    "volumes": [{"name": "ca", "configMap": {"name": "company-ca"}}],
    "volumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
    "dagProcessor": {
        "extraVolumes": [{"name": "own", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "own", "mountPath": "/own"}],
    },
    "schedulerName": "another",
}
"""What a team says of all pods, such as an authority and a proxy for Git."""


def required(container: dict[str, Any]) -> dict[str, Any]:
    """A container without the difference between what must be there and what may be missing."""
    found: dict[str, Any] = json.loads(json.dumps(container).replace(', "optional": true', ""))
    return found


@needs_chart
def test_bundle_is_fetched_with_all_that_the_dag_processor_has_from_a_team() -> None:
    dags = samples.dags(delivery=DagsDelivery.GIT_BUNDLE)
    values = with_helm_values(airflow_values(samples.release_inputs(dags_=dags, images=IMAGES)), SURROUNDED)
    [template] = [found for name, found in pod_templates(objects(values)) if name.endswith("dag-processor")]
    [chart] = [item for item in template["spec"]["containers"] if item["name"] == "dag-processor"]
    spec = pod(dags, users=SURROUNDED)["spec"]
    [own] = map(required, spec["containers"])
    theirs = variables(chart)
    for name in ("GIT_SSL_CAINFO", "PROXY_LOGIN", "HTTPS_PROXY", "FROM_SECRET"):
        assert variables(own)[name] == theirs[name], name
    assert own["envFrom"] == chart["envFrom"]
    mounts = {item["mountPath"]: item for item in own["volumeMounts"]}
    assert mounts == {item["mountPath"]: item for item in chart["volumeMounts"] if item["mountPath"] in ("/ca", "/own")}
    assert spec["volumes"] == [item for item in template["spec"]["volumes"] if item["name"] in ("ca", "own")]
    assert spec["schedulerName"] == template["spec"]["schedulerName"]


def test_secret_that_the_release_may_make_is_no_reason_to_end_the_update() -> None:
    [container] = pod(samples.dags(delivery=DagsDelivery.GIT_BUNDLE), users=SURROUNDED)["spec"]["containers"]
    for name in ("PROXY_LOGIN", "FROM_SECRET"):
        assert variables(container)[name]["secretKeyRef"]["optional"] is True
    assert container["envFrom"] == [{"configMapRef": {"name": "more", "optional": True}}]
    template = {"extraEnv": "- name: X\n  value: '{{ .Release.Name }}'\n"}
    [container] = pod(samples.dags(delivery=DagsDelivery.GIT_BUNDLE), users=template)["spec"]["containers"]
    assert "X" not in variables(container), "Helm alone can read it"


def test_git_sync_has_its_variables_from_secrets_too() -> None:
    sources = {"dags": {"gitSync": {"envFrom": "- secretRef:\n    name: proxy\n"}}}
    assert fetch(pod(samples.dags(), users=sources))["envFrom"] == [{"secretRef": {"name": "proxy", "optional": True}}]
    assert "envFrom" not in fetch(pod(samples.dags()))


def test_texts_name_the_repository_and_no_secret() -> None:
    assert git_about(SSH)["host"] == "github.com"
    assert set(git_about(SSH)) == {"url", "host", "port", "ref", "folder"}


@needs_chart
@pytest.mark.parametrize("dags", [SSH, samples.dags()])
def test_variables_are_those_of_the_chart_s_own_container(dags: Dags) -> None:
    """Under the same names the chart's container has the same values, but for what makes it try again and again."""
    access = DagAccess(ssh_key_secret="git-1", known_hosts="x") if dags is SSH else DagAccess()
    inputs = samples.release_inputs(dags_=dags, dag_access=access, images=IMAGES)
    rendered = objects(airflow_values(inputs))
    processor = next(
        item for item in rendered if (item["kind"], item["metadata"]["name"]) == ("Deployment", "airflow-dag-processor")
    )
    spec = processor["spec"]["template"]["spec"]
    chart = next(item for item in spec["initContainers"] if item["name"] == "git-sync-init")
    own = fetch(git_pod(dags, merged(chart_values(), airflow_values(inputs)), IMAGES, "airflow"))
    assert own["image"] == chart["image"]
    theirs, ours = variables(chart), variables(own)
    differs = {name for name, value in ours.items() if theirs.get(name) != value}
    assert differs <= {"GITSYNC_MAX_FAILURES", "GITSYNC_DEPTH", "GIT_SSH_COMMAND"}
    assert own["securityContext"] == chart["securityContext"]
