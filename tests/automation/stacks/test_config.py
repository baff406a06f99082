"""Config as a value: what it accepts, and that the program gets exactly what was checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import settings as program_settings
from automation.errors import SettingsInvalid
from automation.folder import LocalFolder
from automation.stacks import work_directory
from automation.stacks.config import EnvironmentSettings
from automation.stacks.place import Place
from components.kube.safe_yaml import load_yaml
from components.kube.secret import Secret
from settings import SECRET_KEYS
from tests import samples
from tests.cases import each

DEV: dict[str, Any] = {
    "kubeContext": "kind-airflow",
    "protect": False,
    "adminPassword": Secret("sentinel-admin-password"),
    "database": "container",
    "databaseStorageGib": 2,
    "taskLogsAccessMode": "ReadWriteOnce",
    "networkIsolation": "wanted",
}


def written(settings: EnvironmentSettings, tmp_path: Path) -> Path:
    place = Place(project_dir=samples.ROOT, folder=LocalFolder(samples.ROOT, tmp_path), settings=settings, environ={})
    return work_directory.prepare_work_dir(place, settings.name)


def test_program_gets_the_texts_that_were_checked(tmp_path: Path) -> None:
    """Round trip: through the file that the engine reads, to the reader of the program's config."""
    settings = EnvironmentSettings.of("dev", {**DEV, "imageTag": "3.10", "uiCidrs": ["10.0.0.0/8"]})
    work_dir = written(settings, tmp_path)
    config, secret_keys = program_settings.read_files(work_dir, "dev")
    own = {key: value for key, value in config.items() if key.startswith("airflow:")}
    assert own == settings.texts()
    assert secret_keys == set(), "the engine encrypts them into the file"
    revealed = {f"airflow:{key}": secret.reveal() for key, secret in settings.secrets.items()}
    assert program_settings.parse({**own, **revealed}, revealed, "dev") == settings.checked


def test_committed_stack_can_be_given_as_a_value(tmp_path: Path) -> None:
    committed = load_yaml((samples.SHIPPED / "Pulumi.dev.yaml").read_text())["config"]
    values = {key.removeprefix("airflow:"): value for key, value in committed.items() if key.startswith("airflow:")}
    settings = EnvironmentSettings.of("dev", {**values, "adminPassword": Secret(values["adminPassword"])})
    texts, secret_keys = program_settings.read_files(samples.ship(tmp_path), "dev")
    assert settings.checked == program_settings.parse(texts, secret_keys, "dev")


def test_secrets_stand_in_no_file_and_in_no_text(tmp_path: Path) -> None:
    secrets = {key: Secret(value) for key, value in samples.sentinels().items() if key != "fernetKey"}
    given = {**DEV, **samples.OIDC, **secrets, "dagsRepository": samples.SSH_REPOSITORY, "pgbouncerEnabled": True}
    given["brokerCidrs"] = ["10.0.48.0/20"]
    for key in (
        "dagsToken",
        "databasePassword",
        "databaseMasterPassword",
        "redisPassword",
    ):  # of another kind of repository, of a database in AWS, and of a Redis in the stack
        given.pop(key, None)
    settings = EnvironmentSettings.of("dev", given)
    text = "".join(path.read_text() for path in written(settings, tmp_path).iterdir())
    for secret in settings.secrets.values():
        assert secret.reveal() not in text
        assert secret.reveal() not in repr(settings)
    assert "[secret]" in repr(settings)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SettingsInvalid) as raised:
        EnvironmentSettings.of("dev", {**DEV, "schedulerReplicas": 0, "imageTagg": "x"})
    assert len(raised.value.problems) == 2
    assert raised.value.to_json()["problems"] == list(raised.value.problems)
    assert str(raised.value).startswith("config of stack dev: 2 problems\n  airflow:")


@each("key", sorted(SECRET_KEYS))
def test_secret_that_is_a_plain_text_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"airflow:{key}: expected a Secret, found str") as raised:
        EnvironmentSettings.of("dev", {**DEV, key: "sentinel"})
    assert "sentinel" not in str(raised.value)


def test_what_is_no_secret_may_not_be_given_as_one() -> None:
    with pytest.raises(SettingsInvalid, match="airflow:imageTag: expected no Secret"):
        EnvironmentSettings.of("dev", {**DEV, "imageTag": Secret("3.2.2")})


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="airflow:uiCidrs: expected JSON, found set"):
        EnvironmentSettings.of("dev", {**DEV, "uiCidrs": {"10.0.0.0/8"}})


def levels(count: int) -> dict[str, Any]:
    """A map in a map, and so on."""
    found: dict[str, Any] = {}
    for _ in range(count):
        found = {"a": found}
    return found


@each(
    ("values", "says"),
    [
        ({"imageTag": None}, 'airflow:imageTag: expected a value, found none (an empty text is "")'),
        ({"fernetKey": None}, 'airflow:fernetKey: expected a value, found none (an empty text is "")'),
        ({"imageTag": 3.10}, "airflow:imageTag: expected a str, found float"),
        ({"awsAccountId": 123456789012}, "airflow:awsAccountId: expected a str, found int"),
        ({"networkIsolation": False}, "airflow:networkIsolation: expected a str, found bool"),
        ({5: "x", "imageTagg": "x"}, "airflow:5: expected a key that is a str, found int"),
        ({"adminPassword": Secret(5)}, "airflow:adminPassword: expected a Secret of a str, found one of int"),  # type: ignore[arg-type]
        ({"helmValues": levels(100_000)}, "airflow:helmValues: expected JSON, found too many levels"),
        ({"helmValues": "[" * 100_000}, "airflow:helmValues: expected a map, found too many levels"),
    ],
)
def test_key_or_value_of_another_kind_is_refused_and_never_becomes_text(values: dict[Any, Any], says: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        EnvironmentSettings.of("dev", {**DEV, **values})
    assert says in str(raised.value)
    assert all(". Fix: " in problem for problem in raised.value.problems)


def test_invalid_secret_is_not_shown() -> None:
    with pytest.raises(SettingsInvalid, match="airflow:fernetKey") as raised:
        EnvironmentSettings.of("dev", {**DEV, "fernetKey": Secret("sentinel")})
    assert "sentinel" not in str(raised.value)


def test_change_is_checked_and_leaves_the_original() -> None:
    settings = EnvironmentSettings.of("dev", DEV)
    changed = settings.changed(imageTag="3.2.2-7", databaseStorageGib=None)
    assert (settings.values.get("imageTag"), changed.values["imageTag"]) == (None, "3.2.2-7")
    assert "databaseStorageGib" not in changed.values
    assert changed.secrets == settings.secrets
    with pytest.raises(SettingsInvalid):
        settings.changed(imageTag="not a tag")


def test_values_cannot_be_changed_behind_its_back() -> None:
    given = {**DEV, "uiCidrs": ["10.0.0.0/8"]}
    settings = EnvironmentSettings.of("dev", given)
    given["uiCidrs"].append("0.0.0.0/0")
    given["imageTag"] = "x"
    assert settings.values["uiCidrs"] == ["10.0.0.0/8"]
    with pytest.raises(TypeError):
        settings.values["imageTag"] = "x"  # type: ignore[index]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "workerReplicas": st.integers(1, 1000),
            "loadExamples": st.booleans(),
            "imageTag": st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
            "adminEmail": st.just("a@example.com"),
            "uiCidrs": st.lists(st.sampled_from(["10.0.0.0/8", "192.168.0.0/16"]), unique=True),
            "helmValues": st.just({"scheduler": {"podDisruptionBudget": {"enabled": True}}}),
        },
    )
)
def test_whatever_is_valid_reads_back_as_it_was_given(values: dict[str, Any]) -> None:
    settings = EnvironmentSettings.of("dev", {**DEV, **values})
    text = yaml.safe_dump({"config": settings.file_config()})
    config = load_yaml(text)["config"]
    for key, value in values.items():
        assert config[f"airflow:{key}"] == value
        found = settings.texts()[f"airflow:{key}"]
        assert found == (value if isinstance(value, str) else json.dumps(value))
