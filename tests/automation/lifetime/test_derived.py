"""What a stack that is made like another one takes over, and when it would meet the other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from automation.lifetime.derived import HEADER, derived_text, own_values, problems
from components.kube.safe_yaml import load_yaml
from settings import read_files
from tests import samples
from tests.cases import each
from tests.samples import ROOT

LIKE = """\
# The DAG repository's stacks.
encryptionsalt: v1:salt
config:
  airflow:kubeContext: kind-airflow
  airflow:protect: false
  airflow:database: container
  airflow:dagsToken:
    secure: v1:cipher
  airflow:workerGroups:
    - name: big
      queues: [big]
"""


def config(**changed: str) -> dict[str, str]:
    """The other stack's config, as the engine gives it."""
    values = {"protect": "false", "database": "container", "namespace": "dags", **changed}
    return {f"airflow:{key}": value for key, value in values.items()}


def found(given: dict[str, str] | None = None, **like: str) -> tuple[str, ...]:
    return problems("dags", config(**like), own_values("pr-12", given or {}))


def test_file_says_what_the_other_says_but_for_its_own_values() -> None:
    text = derived_text(LIKE, own_values("pr-12", {"dagsRef": "refs/pull/12/head"}))
    assert text.startswith(HEADER)
    before, after = load_yaml(LIKE), load_yaml(text)
    own = {"airflow:namespace": "pr-12", "airflow:protect": "false", "airflow:dagsRef": "refs/pull/12/head"}
    assert after == {**before, "config": {**before["config"], **own}}
    assert derived_text(text, own_values("pr-12", {})).count(HEADER) == 1


def test_login_of_the_other_s_database_is_left_behind_and_other_secrets_stay() -> None:
    """Only that database has the role."""
    login = "  airflow:databaseLogin:\n    secure: v1:login\n"
    like = LIKE.replace("  airflow:dagsToken:\n", f"{login}  airflow:dagsToken:\n")
    text = derived_text(like, own_values("pr-12", {}), {"airflow:databaseLogin", "airflow:dagsToken"})
    before, after = load_yaml(LIKE)["config"], load_yaml(text)["config"]
    assert after == {**before, "airflow:namespace": "pr-12", "airflow:protect": "false", "airflow:databaseLogin": ""}
    assert samples.dev().with_({"databaseLogin": ""}).problems() == ()


def test_stack_of_its_own_namespace_is_refused_nothing() -> None:
    assert found({"dagsRef": "refs/pull/12/head", "workerReplicas": "2"}) == ()


def test_its_host_is_beside_that_of_the_other() -> None:
    values = own_values("pr-12", {}, "dags.example.com")
    assert values["ingressHost"] == "pr-12.example.com"
    assert problems("dags", config(ingressHost="dags.example.com"), values) == ()
    assert own_values("pr-12", {"ingressHost": "x.test"}, "dags.example.com")["ingressHost"] == "x.test"
    assert "ingressHost" not in own_values("pr-12", {}, "localhost")


@each(
    ("given", "like", "key", "because"),
    [
        ({}, {"protect": "true"}, "protect", "what is made like it is thrown away"),
        ({}, {"protect": ""}, "protect", "what is made like it is thrown away"),  # its default is true
        ({"protect": "true"}, {}, "protect", "in a stack that expires"),
        ({}, {"database": "managed"}, "database", "each stack has its own, found managed"),
        ({"database": "external"}, {}, "database", "each stack has its own, found external"),
        ({}, {"keyEscrow": "airflow/keys"}, "keyEscrow", "in one secret"),
        ({}, {"ingressHost": "dags.example.com"}, "ingressHost", "one host cannot lead to both"),
        ({}, {"taskLogs": "remote", "taskLogsUrl": "s3://logs/dags"}, "taskLogsUrl", "overwrite"),
        ({}, {"brokerUrl": "[secret]"}, "brokerUrl", "would take the tasks of the other"),
        ({"namespace": "dags"}, {}, "namespace", "each owns all that is in it"),
        ({}, {"rotation": "jwt 1/4 0123456789ab"}, "rotation", "finish it in dags"),
        ({}, {"upgrade": "upgrade 1/5 a/3.2.2 b/3.3.2"}, "upgrade", "finish it in dags"),
        ({}, {"restore": "x"}, "restore", "finish it in dags"),
        ({"dagsRfe": "main"}, {}, "dagsRfe", "is not a config key"),
        ({"dagsToken": "sentinel-token"}, {}, "dagsToken", "no secret among arguments"),
        ({"workerGroups": "[]"}, {}, "workerGroups", "a key of one value"),
        ({"namespace": "Try_1"}, {}, "namespace", 'found "Try_1". Fix: --set namespace=VALUE'),
        ({"workerReplicas": "many"}, {}, "workerReplicas", 'found "many". Fix: --set workerReplicas=VALUE'),
    ],
)
def test_what_would_let_two_stacks_meet_is_refused_with_its_key(
    given: dict[str, str], like: dict[str, str], key: str, because: str
) -> None:
    (problem,) = found(given, **like)
    assert problem.startswith(f"airflow:{key}: ")
    assert because in problem
    assert re.search(r"\. Fix: \S", problem)
    assert "sentinel" not in problem


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_of_the_shipped_stacks_one_can_be_copied_and_production_cannot(name: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copy(ROOT / "tests" / "shipped" / f"Pulumi.{name}.yaml", tmp_path)
    values, _ = read_files(tmp_path, name)
    keys = {problem.partition(": ")[0] for problem in problems(name, values, own_values("pr-12", {}))}
    refused = {"airflow:protect", "airflow:keyEscrow", "airflow:database", "airflow:ingressHost"}
    assert keys == (refused if name == "prod" else set())
