"""Files that the engine works on, and where state and passphrase are."""

from __future__ import annotations

import errno
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from pulumi.automation import CommandResult, LocalWorkspace, Stack
from pulumi.automation.errors import create_command_error

from automation.engine.backend import (
    KeyService,
    Passphrase,
    PassphraseFile,
    SecretsProvider,
    backend_url,
    passphrase_file,
    prepare_backend,
)
from automation.engine.command import Engine
from automation.errors import FileInvalid, FileUnusable, Interrupted, PassphraseMissing, StackUnknown, UpdateFailed
from automation.folder import LocalFolder, short_name, stack_file, write_file, write_new_file
from automation.stacks import work_directory
from automation.stacks.config import EnvironmentSettings
from automation.stacks.place import Place
from automation.stacks.workspace import open_stack
from components.kube.safe_yaml import load_yaml
from components.kube.secret import Secret
from tests import samples
from tests.automation.fakes import SETTINGS
from tests.cases import each

PROJECT = """\
name: airflow
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: .venv
config:
  imageTag: {type: string, default: "3.10"}
"""
STACK = """\
# A comment that stays where it is.
config:
  airflow:imageTag: 3.10   # looks like a number
  airflow:when: 2024-01-01
"""
SALT = "v1:abc=:v1:def:ghi=="


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    return tmp_path


def prepare_work_dir(project: Path, stack: str) -> Path:
    return work_directory.prepare_work_dir(Place.of(project), stack)


def test_program_and_its_python_are_where_they_were(project: Path) -> None:
    (project / ".venv").mkdir()
    made = load_yaml((prepare_work_dir(project, "dev") / "Pulumi.yaml").read_text())
    assert made["main"] == str(project)
    assert made["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(project / ".venv")}}
    assert made["config"] == load_yaml(PROJECT)["config"]
    assert made["name"] == "airflow"


def test_without_the_projects_environment_the_running_one_is_taken(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", "/some/venv")
    made = load_yaml((prepare_work_dir(project, "dev") / "Pulumi.yaml").read_text())
    assert made["runtime"]["options"]["virtualenv"] == "/some/venv"
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    made = load_yaml((prepare_work_dir(project, "dev") / "Pulumi.yaml").read_text())
    assert made["runtime"]["options"] == {"toolchain": "pip"}


def test_short_form_of_the_runtime_is_understood(project: Path) -> None:
    (project / "Pulumi.yaml").write_text("name: airflow\nruntime: python\n")
    (project / ".venv").mkdir()
    made = load_yaml((prepare_work_dir(project, "dev") / "Pulumi.yaml").read_text())
    assert made["runtime"] == {"name": "python", "options": {"virtualenv": str(project / ".venv")}}


def test_committed_files_are_not_touched(project: Path) -> None:
    work_dir = prepare_work_dir(project, "dev")
    with (work_dir / "Pulumi.dev.yaml").open("a") as file:
        file.write(f"encryptionsalt: {SALT}\n")
    prepare_work_dir(project, "dev")
    assert (project / "Pulumi.yaml").read_text() == PROJECT
    assert (project / "Pulumi.dev.yaml").read_text() == STACK


def test_copy_of_the_stacks_file_is_as_it_is_written(project: Path) -> None:
    """Written anew, 3.10 would become 3.1."""
    assert (prepare_work_dir(project, "dev") / "Pulumi.dev.yaml").read_text() == STACK


def test_salt_that_the_engine_wrote_is_kept_and_config_is_refreshed(project: Path) -> None:
    copy = prepare_work_dir(project, "dev") / "Pulumi.dev.yaml"
    copy.write_text(f"{STACK}encryptionsalt: {SALT}\n")
    (project / "Pulumi.dev.yaml").write_text(STACK.replace("3.10 ", "3.20 "))
    for _ in range(2):
        prepare_work_dir(project, "dev")
        assert copy.read_text().startswith(STACK.replace("3.10 ", "3.20 "))
        assert load_yaml(copy.read_text())["encryptionsalt"] == SALT


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}\n", "config: {}\n...\n"])
def test_salt_is_kept_beside_any_form_of_file(project: Path, text: str) -> None:
    (project / "Pulumi.dev.yaml").write_text(text)
    copy = prepare_work_dir(project, "dev") / "Pulumi.dev.yaml"
    write_file(copy, f"encryptionsalt: {SALT}\n")
    prepare_work_dir(project, "dev")
    assert load_yaml(copy.read_text()) == {**(load_yaml(text) or {}), "encryptionsalt": SALT}


@pytest.mark.parametrize("key", ["encryptionsalt", "secretsprovider", "encryptedkey"])
def test_what_the_committed_file_says_of_encryption_wins(project: Path, key: str) -> None:
    copy = prepare_work_dir(project, "dev") / "Pulumi.dev.yaml"
    copy.write_text(f"{STACK}encryptionsalt: old\nsecretsprovider: old\n")
    (project / "Pulumi.dev.yaml").write_text(f"{STACK}{key}: new\n")
    prepare_work_dir(project, "dev")
    found = load_yaml(copy.read_text())
    assert {name: found[name] for name in found if name != "config"} == {key: "new"}


def test_copy_of_the_stacks_file_is_for_its_owner_alone(project: Path) -> None:
    """A secret may stand in the file in clear, and its owner may have kept it from others."""
    for mode in (0o600, 0o644):
        (project / "Pulumi.dev.yaml").chmod(mode)
        copy = prepare_work_dir(project, "dev") / "Pulumi.dev.yaml"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert stat.S_IMODE((project / "Pulumi.dev.yaml").stat().st_mode) == mode


@pytest.mark.parametrize(("told", "kind"), [(True, Interrupted), (False, UpdateFailed)])
def test_opening_that_was_told_to_stop_is_no_failure(
    project: Path, monkeypatch: pytest.MonkeyPatch, told: bool, kind: type[Exception]
) -> None:
    def ends(*args: Any) -> Stack:
        raise create_command_error(CommandResult(stdout="", stderr="error: signal: interrupt", code=255))

    monkeypatch.setattr(Stack, "create_or_select", ends)
    engine = cast(Engine, SimpleNamespace(interrupted=told, version=None))
    with pytest.raises(kind, match="opening stack dev"):
        open_stack(Place.of(project, {}), "dev", engine)


def test_new_stack_is_encrypted_by_the_key_that_its_file_names(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told, the engine would ask for a passphrase."""
    url, file = "awskms://alias/key?region=eu-central-1", project / "Pulumi.dev.yaml"
    told: list[str | None] = []

    def create(name: str, workspace: LocalWorkspace) -> Stack:
        told.append(workspace.secrets_provider)
        return cast(Stack, SimpleNamespace(name=name, workspace=workspace))

    monkeypatch.setattr(Stack, "create_or_select", create)
    for line in ("", "secretsprovider: passphrase\n", f"secretsprovider: {url}\nencryptedkey: abc\n"):
        file.write_text(line + STACK)
        place = replace(Place.of(project), environ={"PULUMI_CONFIG_PASSPHRASE": "x"})
        open_stack(place, "dev", cast(Engine, SimpleNamespace(interrupted=False, command="pulumi", version=None)))
    assert told == [None, None, url]


def test_stack_without_a_file_is_an_error_that_names_those_with_one(project: Path) -> None:
    (project / "Pulumi.prod.yaml").write_text(STACK)
    with pytest.raises(StackUnknown, match=r"stack nope has no file Pulumi.nope.yaml.*dev, prod"):
        prepare_work_dir(project, "nope")
    assert not (project / ".dev").exists()


def test_file_that_is_not_yaml_is_an_error_that_quotes_nothing(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("config:\n  secret: 'sentinel\n")
    with pytest.raises(FileInvalid) as raised:
        prepare_work_dir(project, "dev")
    assert "Pulumi.dev.yaml" in str(raised.value)
    assert "sentinel" not in str(raised.value)
    (project / "Pulumi.dev.yaml").write_text("- a\n")
    with pytest.raises(FileInvalid, match="expected a map, found list"):
        prepare_work_dir(project, "dev")


@each("name", ["", "../x", ".hidden", "a b", "-x", "a/../.."])
def test_name_that_could_leave_the_folder_is_refused(project: Path, name: str) -> None:
    with pytest.raises(StackUnknown):
        prepare_work_dir(project, name)


@each("name", ["state", "pulumi", "passphrase", "cluster"])
def test_name_of_something_else_in_the_folder_is_refused(project: Path, name: str) -> None:
    with pytest.raises(StackUnknown, match="another use"):
        LocalFolder(project).work(name)


def test_organisation_before_a_name_is_not_part_of_the_file() -> None:
    assert short_name("acme/airflow/prod") == "prod"
    assert stack_file(Path("here"), "acme/airflow/prod") == Path("here/Pulumi.prod.yaml")


@pytest.mark.parametrize("name", ["../x", "a//x", "/x", "a/b/c/x"])
def test_name_before_the_stack_must_be_one_too(name: str) -> None:
    with pytest.raises(StackUnknown, match=f"expected a stack name .*found '{name}'"):
        short_name(name)


def test_looking_for_a_stack_where_none_was_made_makes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StackUnknown, match="there is no stack dev in file://") as raised:
        open_stack(Place.of(project, {}), "dev", cast(Engine, None), create=False)
    assert raised.value.remedy == (
        "if it is deployed, set PULUMI_BACKEND_URL to where its state is; else make it: python -m automation up dev"
    )
    assert not (project / ".dev").exists()


def test_backend_is_the_variable_else_the_projects_else_the_local_folder(project: Path) -> None:
    local = (project / ".dev" / "state").as_uri()
    assert backend_url(project, {}) == local
    assert backend_url(project, {"PULUMI_BACKEND_URL": "s3://bucket"}) == "s3://bucket"
    (project / "Pulumi.yaml").write_text(f"{PROJECT}backend: {{url: 'gs://bucket'}}\n")
    assert backend_url(project, {}) == "gs://bucket"
    assert backend_url(project, {"PULUMI_BACKEND_URL": "s3://bucket"}) == "s3://bucket"


def test_asking_for_the_backend_makes_nothing(project: Path) -> None:
    backend_url(project, {})
    assert not (project / ".dev").exists()


def test_local_backend_exists_and_has_a_passphrase(project: Path) -> None:
    backend = prepare_backend(project, "dev", {})
    assert (project / ".dev" / "state").is_dir()
    assert backend.env == {
        "PULUMI_BACKEND_URL": (project / ".dev" / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(project / ".dev" / "passphrase"),
    }


def test_folder_of_a_local_backend_that_is_given_is_made_too(project: Path, tmp_path: Path) -> None:
    prepare_backend(project, "dev", {"PULUMI_BACKEND_URL": (tmp_path / "my state").as_uri()})
    assert (tmp_path / "my state").is_dir()


@pytest.mark.parametrize("name", ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"])
@pytest.mark.parametrize("value", ["something", ""])
def test_passphrase_that_is_given_is_left_to_the_engine(project: Path, name: str, value: str) -> None:
    """An empty one is one: the engine takes it."""
    backend = prepare_backend(project, "dev", {name: value})
    assert set(backend.env) == {"PULUMI_BACKEND_URL"}
    assert not (project / ".dev" / "passphrase").exists()


def test_shared_backend_gets_no_passphrase_that_only_this_machine_has(project: Path) -> None:
    with pytest.raises(PassphraseMissing, match=r"s3 backend.*--secrets-provider"):
        prepare_backend(project, "dev", {"PULUMI_BACKEND_URL": "s3://bucket"})
    assert not (project / ".dev" / "passphrase").exists()
    (project / "Pulumi.dev.yaml").write_text(f"{STACK}secretsprovider: awskms://alias/x\n")
    assert prepare_backend(project, "dev", {"PULUMI_BACKEND_URL": "s3://bucket"}).env == {}
    assert prepare_backend(project, "dev", {"PULUMI_BACKEND_URL": "https://api.pulumi.com"}).env == {}


def test_passphrase_is_made_once_long_and_for_the_owner_alone(project: Path) -> None:
    path = passphrase_file(project)
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(text) >= 43
    assert text == text.strip()
    assert passphrase_file(project).read_text() == text


def test_two_projects_have_two_passphrases(tmp_path: Path) -> None:
    assert passphrase_file(tmp_path / "a").read_text() != passphrase_file(tmp_path / "b").read_text()


def test_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_file(path, "old")

    def no_space(source: str, target: Path) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("os.replace", no_space)
    with pytest.raises(FileUnusable, match="no space"):
        write_file(path, "new")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["x"]


def test_passphrase_that_two_threads_make_is_one(project: Path) -> None:
    """Else a stack could be encrypted with one that nobody has any more."""
    with ThreadPoolExecutor(8) as pool:
        found = {path.read_text() for path in pool.map(lambda _: passphrase_file(project), range(32))}
    assert found == {passphrase_file(project).read_text()}
    assert [path.name for path in (project / ".dev").iterdir()] == ["passphrase"]


def test_file_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    write_new_file(tmp_path / "x", "old", mode=0o600)
    write_new_file(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "old"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


# A stack whose config is given as a value

KMS = KeyService("awskms://alias/airflow?region=eu-central-1")


def given(folder: Path, provider: SecretsProvider | None = None) -> Place:
    return Place(
        project_dir=samples.ROOT,
        folder=LocalFolder(samples.ROOT, folder),
        provider=provider,
        settings=EnvironmentSettings.of("team", SETTINGS),
        environ={},
    )


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = load_yaml((folder / "team" / "Pulumi.team.yaml").read_text())
    return found


def test_its_file_holds_what_the_engine_has_encrypted_and_nothing_that_it_has_not(tmp_path: Path) -> None:
    work_directory.prepare_work_dir(given(tmp_path), "team")
    path = tmp_path / "team" / "Pulumi.team.yaml"
    assert "sentinel" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = content(tmp_path)
    assert "airflow:adminPassword" not in made["config"]
    made["config"] |= {"airflow:adminPassword": {"secure": "v1:x"}, "airflow:old": {"secure": "v1:y"}}
    write_file(path, yaml.safe_dump({**made, "encryptionsalt": SALT}))
    work_directory.prepare_work_dir(given(tmp_path), "team")
    kept = content(tmp_path)
    assert kept["config"]["airflow:adminPassword"] == {"secure": "v1:x"}
    assert "airflow:old" not in kept["config"], "what is not given any more goes"
    assert kept["encryptionsalt"] == SALT


def test_text_like_a_number_stays_a_text_for_the_engine_too(tmp_path: Path) -> None:
    """Its reader of YAML takes `1e5` for a number, Python's for a text."""
    place = replace(given(tmp_path), settings=EnvironmentSettings.of("team", {**SETTINGS, "imageTag": "1e5"}))
    work_directory.prepare_work_dir(place, "team")
    assert 'airflow:imageTag: "1e5"' in (tmp_path / "team" / "Pulumi.team.yaml").read_text()


def test_key_of_a_service_is_kept_for_that_service_alone(tmp_path: Path) -> None:
    work_directory.prepare_work_dir(given(tmp_path, KMS), "team")
    assert content(tmp_path)["secretsprovider"] == KMS.url
    path = tmp_path / "team" / "Pulumi.team.yaml"
    write_file(path, yaml.safe_dump({**content(tmp_path), "encryptedkey": "k"}))
    work_directory.prepare_work_dir(given(tmp_path, KMS), "team")
    assert content(tmp_path)["encryptedkey"] == "k"
    work_directory.prepare_work_dir(given(tmp_path, KeyService("awskms://alias/other")), "team")
    assert "encryptedkey" not in content(tmp_path)


def test_file_that_a_killed_engine_left_half_written_is_no_obstacle(tmp_path: Path) -> None:
    write_file(tmp_path / "team" / "Pulumi.team.yaml", "config: {airflow:x: [")
    work_directory.prepare_work_dir(given(tmp_path), "team")
    assert content(tmp_path)["config"]["airflow:kubeContext"] == "kind-airflow"


def test_folder_for_looking_knows_how_the_stack_is_encrypted_and_no_config(project: Path) -> None:
    copy = prepare_work_dir(project, "dev") / "Pulumi.dev.yaml"
    copy.write_text(f"{STACK}encryptionsalt: {SALT}\n")
    folder = work_directory.prepare_reading_dir(Place.of(project), "dev")
    assert folder.parent == copy.parent
    assert load_yaml((folder / "Pulumi.dev.yaml").read_text()) == {"encryptionsalt": SALT}
    assert load_yaml((folder / "Pulumi.yaml").read_text())["name"] == "airflow"
    assert copy.read_text() == f"{STACK}encryptionsalt: {SALT}\n", "an operation may be at work with it"


def test_place_that_looks_like_the_project_has_another_stack_file(tmp_path: Path) -> None:
    settings = EnvironmentSettings.of("team", SETTINGS)
    with work_directory.looks_like(samples.ROOT, "team", settings) as folder:
        names = {path.name for path in folder.iterdir()}
        assert {"Pulumi.yaml", "Pulumi.team.yaml", "__main__.py", "components"} <= names
        assert not {"Pulumi.dev.yaml", ".git", ".dev"} & names
        text = (folder / "Pulumi.team.yaml").read_text()
        assert "sentinel" not in text
        assert load_yaml(text)["config"]["airflow:adminPassword"] == {"secure": ""}
    assert not folder.exists()


# What a caller gives


def test_backend_and_passphrase_that_are_given_win(project: Path, tmp_path: Path) -> None:
    url = (tmp_path / "elsewhere").as_uri()
    environ = {"PULUMI_BACKEND_URL": "s3://bucket", "PULUMI_CONFIG_PASSPHRASE_FILE": "/nowhere"}
    backend = prepare_backend(project, "dev", environ, url=url, provider=Passphrase(Secret("sentinel")))
    assert backend.env == {"PULUMI_BACKEND_URL": url, "PULUMI_CONFIG_PASSPHRASE": "sentinel"}
    assert "sentinel" not in repr(backend)
    assert not (project / ".dev" / "passphrase").exists()
    (tmp_path / "file").write_text(" of a file\n")
    assert (
        prepare_backend(project, "dev", {}, url=url, provider=PassphraseFile(tmp_path / "file")).env[
            "PULUMI_CONFIG_PASSPHRASE"
        ]
        == "of a file"
    )
    assert prepare_backend(project, "dev", {}, url="s3://bucket", provider=KMS).env == {
        "PULUMI_BACKEND_URL": "s3://bucket"
    }
    with pytest.raises(PassphraseMissing, match="cannot be read"):
        prepare_backend(project, "dev", {}, url=url, provider=PassphraseFile(tmp_path / "nothing"))
