"""Files for Helmsman: Helm makes the same objects of them, no secret is in them, nobody's file is lost."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf import json_format

from automation import helmsman
from automation.__main__ import parse
from automation.helmsman import FILES, ExportedStack, FolderRefused, NotExportable
from automation.helmsman.image_values import REPOSITORY_KEYS, TAG_KEYS
from automation.helmsman.names import MARK
from automation.plan.answers import complete
from automation.plan.model import RELEASE_TYPE, Failure, FailureKind, Plan
from automation.plan.recorder import Recorder
from components.chart_values.chart_defaults import merged
from components.chart_values.value_paths import leaf_paths
from components.kube.safe_yaml import load_all_yaml, load_yaml
from tests import samples
from tests.automation.checkouts import Checkouts, plan_here
from tests.automation.fakes import FakeEngine, FakeStack, run_verb
from tests.chart import rendering
from tests.chart.rendering import needs_chart

CIPHERTEXT: Final = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}

KUBERNETES_EXECUTOR: Final = samples.dev().with_({"executor": "KubernetesExecutor"})
POOLED: Final = samples.dev().with_(
    {
        "pools": [{"name": "warehouse", "slots": 8}],
        "keySource": "secret",
        "keySecrets": {"fernetKey": "team-fernet", "apiSecretKey": "team-api", "jwtSecret": "team-jwt"},
    }
)
STACKS: Final[Mapping[str, Callable[[], samples.StackConfig]]] = {
    "dev": samples.dev,
    "prod": samples.prod,
    "kubernetes": lambda: KUBERNETES_EXECUTOR,
}
BUDGET: Final = {"podDisruptionBudget": {"enabled": True, "config": {"minAvailable": 1}}}
OVERRIDES: Final[Mapping[str, Mapping[str, Any]]] = {
    "budgets with another limit": {"scheduler": BUDGET, "apiServer": BUDGET},
    "defaults of the chart and values of the program taken away": {
        "securityContexts": {"pod": {"runAsUser": None, "fsGroup": None}},
        "config": {"logging": {"colored_console_log": None}, "core": {"parallelism": None}},
        "scheduler": {"startupProbe": {"failureThreshold": None}, "strategy": None},
        "statsd": {"resources": None},
    },
    "maps, lists, elements of lists and images": {
        "images": {"redis": {"repository": "registry.test/valkey", "tag": "8"}, "statsd": {"tag": "0.28"}},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "env": [{"name": "TEAM", "value": "data"}],
        "workers": {
            "celery": {
                "resources": {"limits": {"memory": "4Gi", "cpu": None}},
                "sets": [{"name": "gpu", "queue": "gpu", "replicas": 1, "livenessProbe": {"timeoutSeconds": None}}],
            }
        },
        "config": {"core": {"max_active_runs_per_dag": 40960000}},
    },
}
each_stack = pytest.mark.parametrize("stack", STACKS)


@pytest.fixture
def deployed(registered: Callable[..., Recorder]) -> Callable[..., dict[str, Any]]:
    """The state of a stack as the engine exports it, after an update that the recorder took part in."""

    def made(config: samples.StackConfig) -> dict[str, Any]:
        recorder = registered(config)
        return {"resources": [_resource(found, recorder) for found in recorder.every()]}

    return made


def _resource(found: Any, recorder: Recorder) -> dict[str, Any]:
    state = json_format.MessageToDict(found.request.object)
    complete(found.request, state)
    inputs = found.revealed
    if found.type == "kubernetes:core/v1:Secret":
        inputs["stringData"] = CIPHERTEXT
    if found.is_kubernetes and "metadata" in inputs:
        name = state["metadata"].get("name") or state["metadata"]["value"]["name"]
        annotations = {"pulumi.com/autonamed": "true", **inputs["metadata"].get("annotations", {})}
        inputs["metadata"] = {**inputs["metadata"], "name": name, "annotations": annotations}
    outputs = {"status": {"version": "1.22.0"}} if found.type == RELEASE_TYPE else {}
    return {
        "urn": found.urn,
        "type": found.type,
        "custom": not found.is_component,
        "inputs": inputs,
        "outputs": outputs,
    }


def values_of(deployment: Mapping[str, Any]) -> dict[str, Any]:
    (release,) = (item for item in deployment["resources"] if item["type"] == RELEASE_TYPE)
    values: dict[str, Any] = release["inputs"]["values"]
    return values


def source_of(deployment: Mapping[str, Any]) -> ExportedStack:
    source = helmsman.from_state("dev", deployment)
    assert source is not None
    return source


def rendered(folder: Path, made: Mapping[str, str]) -> list[dict[str, Any]]:
    """What Helm makes of the files, in the order and by the options of Helmsman."""
    folder.mkdir()
    for name, text in made.items():
        (folder / name).write_text(text)
    app = load_yaml(made["helmsman.yaml"])["apps"]["airflow"]
    options = [word for name in app["valuesFiles"] for word in ("-f", str(folder / name))]
    assert rendering.HELM is not None
    words = [rendering.HELM, "template", "airflow", str(rendering.CHART), "--namespace", app["namespace"], *options]
    done = subprocess.run([*words, "--kube-version", rendering.KUBERNETES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return load_all_yaml(done.stdout)


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(found["kind"], found["metadata"]["name"]): found for found in objects}


def with_tag(made: Mapping[str, str], tag: str) -> dict[str, str]:
    """As a person rolls the image: one line of one file."""
    changed, count = re.subn(r'tag: &tag ".*"', f'tag: &tag "{tag}"', made["values.image.yaml"])
    assert count == 1
    return {**made, "values.image.yaml": changed}


# The same release


@needs_chart
@each_stack
def test_helm_makes_the_objects_of_the_release_that_pulumi_made(
    stack: str, deployed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    deployment = deployed(STACKS[stack]())
    made = helmsman.files(source_of(deployment))
    found = by_name(rendered(tmp_path / "out", made))
    expected = by_name(rendering.objects(values_of(deployment)))
    assert sorted(found) == sorted(expected)
    assert {name for name in expected if found[name] != expected[name]} == set()
    assert len(expected) > 15


@needs_chart
@pytest.mark.parametrize("case", OVERRIDES)
def test_helm_makes_the_same_objects_of_a_team_s_own_values_and_nulls(
    case: str, deployed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    deployment = deployed(samples.dev().with_({"helmValues": OVERRIDES[case]}))
    made = helmsman.files(source_of(deployment))
    found = by_name(rendered(tmp_path / "out", made))
    assert found == by_name(rendering.objects(values_of(deployment)))
    assert found != by_name(rendering.objects(values_of(deployed(samples.dev())))), "the values have an effect"
    for budget in (item["spec"] for (kind, _), item in found.items() if kind == "PodDisruptionBudget"):
        assert not {"minAvailable", "maxUnavailable"} <= set(budget), "Kubernetes refuses both"


def test_nulls_of_the_release_are_in_the_files(deployed: Callable[..., dict[str, Any]]) -> None:
    """Pulumi's provider keeps them, whatever `allowNullValues` says."""
    deployment = deployed(samples.dev().with_({"helmValues": {"scheduler": BUDGET}}))
    values = load_yaml(helmsman.files(source_of(deployment))["values.yaml"])
    assert values["scheduler"]["podDisruptionBudget"]["config"] == {"minAvailable": 1, "maxUnavailable": None}


@needs_chart
@each_stack
@pytest.mark.parametrize("tag", ["3.2.2-own.7", "5e10"])
def test_another_tag_in_one_line_is_another_image_tag_of_the_program(
    stack: str, tag: str, deployed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    made = helmsman.files(source_of(deployed(STACKS[stack]())))
    found = by_name(rendered(tmp_path / "out", with_tag(made, tag)))
    assert found != by_name(rendered(tmp_path / "before", made))
    rolled = deployed(STACKS[stack]().with_({"imageTag": tag}))
    assert found == by_name(rendering.objects(values_of(rolled)))


@each_stack
def test_the_two_values_files_are_together_the_values(stack: str, deployed: Callable[..., dict[str, Any]]) -> None:
    values = values_of(deployment := deployed(STACKS[stack]()))
    made = helmsman.files(source_of(deployment))
    rest, image = (load_yaml(made[name]) for name in ("values.yaml", "values.image.yaml"))
    assert merged(rest, image) == values
    assert {*leaf_paths(image)} <= {*REPOSITORY_KEYS, *TAG_KEYS}, "repository and tag, nothing else"
    assert not {*leaf_paths(image)} & {*leaf_paths(rest)}


def test_every_value_that_moves_with_the_image_is_in_the_image_s_file(
    deployed: Callable[..., dict[str, Any]],
) -> None:
    """Or a roll by one line would leave one behind."""
    changed = samples.dev().with_({"imageTag": "other", "imageRepository": "registry.test/airflow"})
    before, after = (values_of(deployed(config)) for config in (samples.dev(), changed))
    rest_before, rest_after = helmsman.split_image(before)[0], helmsman.split_image(after)[0]
    assert before != after
    assert rest_before == rest_after


def test_with_a_digest_task_pods_keep_their_own_notation(deployed: Callable[..., dict[str, Any]]) -> None:
    deployment = deployed(samples.dev().with_({"imageDigest": samples.DIGEST}))
    made = helmsman.files(source_of(deployment))
    rest, image = (load_yaml(made[name]) for name in ("values.yaml", "values.image.yaml"))
    assert merged(rest, image) == values_of(deployment)
    assert rest["images"]["pod_template"]["repository"] == "apache/airflow@sha256"
    assert "digest is set" in made["values.image.yaml"]


# Helmsman's file


def test_desired_state_pins_what_the_release_is(deployed: Callable[..., dict[str, Any]]) -> None:
    deployment = deployed(samples.prod())
    (release,) = (item["inputs"] for item in deployment["resources"] if item["type"] == RELEASE_TYPE)
    deployment["resources"].append({"urn": "u::s", "type": "pulumi:pulumi:Stack", "outputs": {"kube_context": "a$b"}})
    made = helmsman.files(source_of(deployment))
    state = load_yaml(made["helmsman.yaml"])
    app = state["apps"]["airflow"]
    assert (app["chart"], app["version"], app["enabled"]) == ("apache-airflow/airflow", "1.22.0", True)
    assert state["helmRepos"] == {"apache-airflow": "https://airflow.apache.org"}
    assert (app["timeout"], app["wait"]) == (release["timeout"], True)
    assert state["namespaces"]["airflow"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert app["protected"] is state["namespaces"]["airflow"]["protected"] is False, "Helmsman upgrades none that is"
    assert state["settings"]["kubeContext"] == "a$$b", "Helmsman would look for a variable b"
    assert {file for file in made if file in made["helmsman.yaml"]} == {
        *("values.yaml", "values.image.yaml", "migrate.yaml", "admin-user.yaml")
    }


def test_the_version_is_that_of_what_is_deployed(deployed: Callable[..., dict[str, Any]]) -> None:
    deployment = deployed(samples.dev())
    for item in deployment["resources"]:
        if item["type"] == RELEASE_TYPE:
            item["outputs"]["status"]["version"] = "1.21.0"
    assert load_yaml(helmsman.files(source_of(deployment))["helmsman.yaml"])["apps"]["airflow"]["version"] == "1.21.0"


def test_every_object_beside_the_release_is_in_one_file(deployed: Callable[..., dict[str, Any]]) -> None:
    deployment = deployed(samples.prod())
    made = helmsman.files(source_of(deployment))
    written = {name: load_all_yaml(made[name]) for name in ("manifests.yaml", "migrate.yaml", "admin-user.yaml")}
    ours = [
        item["inputs"]["kind"]
        for item in deployment["resources"]
        if item["type"].startswith("kubernetes:") and item["type"] != RELEASE_TYPE
    ]
    expected = sorted(kind for kind in ours if kind not in ("Secret", "Namespace"))
    assert sorted(found["kind"] for documents in written.values() for found in documents) == expected
    assert expected.count("NetworkPolicy") > 10
    # Helmsman waits for one Job a hook, makes it anew each time, and must not delete the one that the stack owns.
    for name, job in (("migrate.yaml", "airflow-database-migrate"), ("admin-user.yaml", "airflow-database-admin-user")):
        (found,) = written[name]
        assert (found["kind"], found["metadata"]["name"]) == ("Job", job)
    for found in (item for documents in written.values() for item in documents):
        assert not [key for key in found["metadata"].get("annotations", {}) if key.startswith("pulumi.com/")]
        assert found["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") != "pulumi"


# Secrets and pools


def test_pools_are_imported_after_each_upgrade_too(deployed: Callable[..., dict[str, Any]]) -> None:
    for config, hooks in ((samples.dev(), {"postInstall"}), (POOLED, {"postInstall", "postUpgrade"})):
        made = load_yaml(helmsman.files(source_of(deployed(config)))["helmsman.yaml"])
        found = made["apps"]["airflow"]["hooks"]
        assert {hook for hook, file in found.items() if file == "admin-user.yaml"} == hooks


def test_secrets_of_the_team_with_keys_are_named_with_their_keys(deployed: Callable[..., dict[str, Any]]) -> None:
    made = helmsman.files(source_of(deployed(POOLED)))
    listed = {found["name"]: found.get("keys") for found in load_yaml(made["prerequisites.yaml"])["secrets"]}
    assert {name: keys for name, keys in listed.items() if name.startswith("team-")} == {
        "team-fernet": ["fernet-key"],
        "team-api": ["api-secret-key"],
        "team-jwt": ["jwt-secret"],
    }
    assert not [name for name in listed if name.startswith("airflow-keys-fernet-key")]


def test_a_deployed_stack_s_files_name_the_secrets_that_are_there(deployed: Callable[..., dict[str, Any]]) -> None:
    deployment = deployed(samples.dev())
    made = helmsman.files(source_of(deployment))
    there = {item["inputs"]["metadata"]["name"] for item in deployment["resources"] if item["type"].endswith(":Secret")}
    listed = {found["name"] for found in load_yaml(made["prerequisites.yaml"])["secrets"]}
    assert listed <= there
    assert values_of(deployment)["fernetKeySecretName"] in listed
    assert values_of(deployment)["fernetKeySecretName"] in made["values.yaml"]
    assert "v1:abc" not in "".join(made.values())


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_planned_stack_s_files_have_stable_names_and_list_them_with_their_keys(
    stack: str, base: Path, checkouts: Checkouts
) -> None:
    plan = checkouts.plan(base, stack, render=False)
    source = helmsman.from_plan(plan)
    made = helmsman.files(source)
    values = load_yaml(made["values.yaml"])
    secrets = {found["name"]: found["keys"] for found in load_yaml(made["prerequisites.yaml"])["secrets"]}
    assert values["fernetKeySecretName"] == "airflow-keys-fernet-key"
    assert secrets["airflow-keys-fernet-key"] == ["fernet-key"]
    assert secrets["airflow-database-metadata"] == ["connection", "connection-async"]
    assert "Make these Secrets" in made["prerequisites.yaml"]
    # All that is referred to is listed: no name that the program would have generated is left.
    whole = "".join(text for name, text in made.items() if name != "prerequisites.yaml")
    for found in plan.resources:
        if found.type.startswith("kubernetes:"):
            assert not re.search(rf"\b{found.name}-[0-9a-f]{{8}}\b", whole), found.name
    assert set(re.findall(r"[sS]ecretName: (airflow-[\w-]+)", whole)) <= set(secrets)
    # What nobody knows before a deployment is said to be made up.
    real = re.findall(r"s3://([\w-]+)/", whole)
    assert all(any(bucket in clause for clause in source.made_up) for bucket in real)
    assert bool(source.made_up) is (stack == "prod")


@pytest.mark.parametrize(
    "secret", [CIPHERTEXT, samples.sentinels()["fernetKey"], "postgresql://airflow:hunter2@db/airflow"]
)
def test_a_secret_in_the_values_is_refused_and_not_shown(secret: Any, deployed: Callable[..., dict[str, Any]]) -> None:
    deployment = deployed(samples.dev())
    values_of(deployment)["env"] = [{"name": "X", "value": secret}]
    with pytest.raises(NotExportable, match=r"hold a secret in env\[0\].value") as error:
        helmsman.from_state("dev", deployment)
    assert not [text for text in ("hunter2", "c2Vud", "v1:abc") if text in str(error.value)]


# What cannot be exported


def test_an_interrupted_update_is_to_be_recovered_first(deployed: Callable[..., dict[str, Any]]) -> None:
    deployment = {**deployed(samples.dev()), "pending_operations": [{"type": "updating"}]}
    with pytest.raises(NotExportable, match="python -m automation recover dev"):
        helmsman.from_state("dev", deployment)


def test_a_state_without_a_release_is_none() -> None:
    assert helmsman.from_state("dev", {"resources": None}) is None
    gone = {"urn": "u", "type": RELEASE_TYPE, "delete": True, "inputs": {}}
    assert helmsman.from_state("dev", {"resources": [gone]}) is None


def test_a_plan_that_failed_says_why() -> None:
    failed = Plan(stack="dev", failure=Failure(kind=FailureKind.SETTINGS, text="airflow:size: expected small"))
    with pytest.raises(NotExportable, match="airflow:size: expected small"):
        helmsman.from_plan(failed)


# The folder and the verb


def run(project: Path, *words: str) -> str:
    """The verb: what it printed."""
    code, text = run_verb(project, "export_helmsman", *words)
    assert code == 0
    return text


def test_the_verb_writes_a_planned_stack_the_same_at_each_run(
    tmp_path: Path, base: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plan has another key each time, by which secrets are masked: the files show none of it."""
    monkeypatch.setattr(
        "automation.stacks.export.plan_checkout",
        lambda folder, stack, *, render, key: plan_here(folder, stack, render=render, key=key.hex()),
    )
    folder = tmp_path / "team" / "airflow"
    before = helmsman.files(helmsman.from_plan(checkouts.plan(base, "dev", render=False)))
    assert " Secrets first: " in run(base, "dev", "--planned", "--output", str(folder))
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert sorted(before) == sorted(FILES)
    assert [path.name for path in folder.parent.iterdir()] == ["airflow"], "nothing is left beside it"


def test_a_stack_that_is_deployed_is_written_from_its_state(
    tmp_path: Path,
    base: Path,
    checkouts: Checkouts,
    deployed: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment = deployed(samples.dev())
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    monkeypatch.setattr("automation.environments.find_engine", lambda *_: FakeEngine())
    monkeypatch.setattr("automation.stacks.session.open_stack", lambda place, name, *_, **options: FakeStack(name))
    monkeypatch.setattr("automation.engine.operations.deployment", lambda on: deployment)
    plan = checkouts.plan(base, "dev", render=False)
    monkeypatch.setattr("automation.stacks.export.plan_checkout", lambda *_, **options: plan)
    out = str(tmp_path / "out")
    said = run(samples.ROOT, "dev", "--output", out)
    assert "of its state" in said
    assert "Secrets first" not in said
    assert values_of(deployment)["jwtSecretName"] in (tmp_path / "out" / "values.yaml").read_text()
    found = json.loads(run(samples.ROOT, "dev", "--output", out, "--json").partition("\n")[2])
    assert found["deployed"] is True
    assert "planned" not in found
    assert "of its plan" in run(samples.ROOT, "dev", "--output", out, "--planned"), "over what is there"
    assert "airflow-keys-jwt-secret" in (tmp_path / "out" / "values.yaml").read_text()


MADE: Final = {"values.yaml": f"{MARK} new\n"}


@pytest.mark.parametrize(
    ("name", "text"), [("notes.md", "ours"), ("values.yaml", "image: ours\n"), (".git", "gitdir: elsewhere")]
)
def test_a_folder_with_somebody_s_file_is_left_alone(name: str, text: str, tmp_path: Path) -> None:
    helmsman.write_folder(tmp_path / "out", MADE)
    (tmp_path / "out" / name).write_text(text)
    with pytest.raises(FolderRefused, match=re.escape(name)):
        helmsman.write_folder(tmp_path / "out", {"values.yaml": f"{MARK} newer\n"})
    assert (tmp_path / "out" / name).read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helmsman.write_folder(tmp_path / "out", MADE)
    rename = Path.rename

    def fail_once(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError("full")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OSError, match="full"):
        helmsman.write_folder(tmp_path / "out", {"values.yaml": f"{MARK} newer\n"})
    assert (tmp_path / "out" / "values.yaml").read_text() == MADE["values.yaml"]


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("ours")
    with pytest.raises(FolderRefused, match="a file out"):
        helmsman.write_folder(tmp_path / "out", MADE)


def test_the_document_names_every_file_and_its_commands_are_right() -> None:
    document = (samples.ROOT / "docs" / "helmsman.md").read_text()
    commands = re.findall(r"-m automation (export_helmsman [^\n`]+)", document)
    assert commands
    for words in commands:
        assert parse(words.split()).verb == "export_helmsman"
    assert [name for name in FILES if f"`{name}`" not in document] == []
    assert [path for path in (*REPOSITORY_KEYS, *TAG_KEYS) if path.rpartition(".")[2] not in document] == []
