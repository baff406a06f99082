"""The declarations of the config keys, and what is generated from them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import versions
from components.kube.safe_yaml import load_yaml
from settings import generate
from settings.declared import KEYS, SECTIONS
from settings.keys import Section
from settings.reading import Config
from tests import samples
from tests.samples import OIDC, ROOT, StackConfig, dev, external, prod, schema


def test_generated_files_are_current() -> None:
    assert generate.main(["--check"]) == 0, "python -m settings.generate"


def test_stale_file_is_noticed_and_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("Pulumi.yaml", "outputs.py", "docs/configuration.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    assert generate.main(["--check"], tmp_path) == 0
    project = tmp_path / "Pulumi.yaml"
    project.write_text(project.read_text().replace("default: 600", "default: 601"))
    (tmp_path / "docs" / "configuration.md").unlink()
    assert generate.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err.count("is not current. Fix: python -m settings.generate") == 2
    assert generate.main([], tmp_path) == 0
    assert project.read_text() == (ROOT / "Pulumi.yaml").read_text()
    assert generate.main(["--check"], tmp_path) == 0
    assert generate.main(["--chekc"], tmp_path) == 2


def test_new_key_needs_its_declaration_only() -> None:
    section = Section("New", "a note")
    section.secret("newKey", str, description="New: a|b.")
    section.texts("newList", str, default=["off", "x"], description="New.")
    project = generate.project_text((ROOT / "Pulumi.yaml").read_text(), [section])
    assert load_yaml(project)["config"] == {
        "newKey": {"type": "string", "default": "", "description": "Secret. New: a|b."},
        "newList": {"type": "array", "items": {"type": "string"}, "default": ["off", "x"], "description": "New."},
    }
    assert load_yaml(project)["runtime"] == load_yaml((ROOT / "Pulumi.yaml").read_text())["runtime"]
    page = generate.page_text([section], 'NAME: Final = "name"\n"""Text."""\n')
    assert "### New\n\nA note.\n" in page
    assert "| `airflow:newKey` | string, **secret** |  | New: a\\|b. |\n" in page
    assert "| `name` | Text. |\n" in page


def test_output_without_a_description_is_refused() -> None:
    with pytest.raises(ValueError, match="below output new"):
        list(generate.described_outputs('NEW: Final = "new"\nOTHER: Final = "other"\n"""Text."""\n'))


def test_every_key_is_declared_once_with_a_default_of_its_type_and_a_description() -> None:
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    names = [key.name for section in SECTIONS for key in section.keys]
    assert len(names) == len(set(names)) == len(schema())
    for key in KEYS.values():
        assert type(key.default) is kinds[key.type], key.name
        assert key.description.endswith("."), key.name
        assert key.secret == schema()[key.name]["description"].startswith("Secret"), key.name


def test_default_of_every_key_is_a_legal_value() -> None:
    for key in KEYS.values():
        text = key.default if isinstance(key.default, str) else json.dumps(key.default)
        if text:
            key.parse(text)


def test_every_declared_key_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that no section uses would do nothing."""
    used: set[str] = set()
    read = Config.__getitem__

    def note(config: Config, key: Any) -> Any:
        used.add(key.name)
        return read(config, key)

    monkeypatch.setattr(Config, "__getitem__", note)
    ingress = {
        "ingressHost": "airflow.example.com",
        "ingressClass": "nginx",
        "ingressTlsSecret": "tls",
        "uiNamespaces": ["ingress"],
    }
    for config in (
        dev(),
        prod(),
        external().with_({**ingress, **OIDC, "databaseMaxConnections": 5000}, {"oidcClientSecret": "s"}),
    ):
        config.parse()
    assert used == set(KEYS)


def test_program_reads_the_keys_of_the_schema_and_no_other() -> None:
    """A key that only the schema knows would do nothing; one that only the program knows could not be set."""
    nothing = StackConfig("dev", {}, frozenset())
    asked = {
        problem.split(":")[1]
        for problem in nothing.problems()
        if "Pulumi.yaml of this project holds the defaults" in problem
    }
    assert asked == set(schema())


def test_stack_files_say_only_what_differs_from_the_defaults() -> None:
    for stack in ("dev", "prod"):
        given = load_yaml((samples.SHIPPED / f"Pulumi.{stack}.yaml").read_text())["config"]
        for key, value in given.items():
            if key.startswith("airflow:"):
                default = schema()[key.removeprefix("airflow:")]["default"]
                # Two are repeated because a reader looks for them there.
                assert value != default or key in ("airflow:database", "airflow:dagsSubPath"), f"{stack} {key}"


def test_no_default_provider_may_be_used_in_any_stack() -> None:
    for stack in ("dev", "prod"):
        given = load_yaml((samples.SHIPPED / f"Pulumi.{stack}.yaml").read_text())["config"]
        assert set(given["pulumi:disable-default-providers"]) >= {"kubernetes", "aws"}


def test_version_defaults_are_the_pins() -> None:
    assert schema()["imageTag"]["default"] == schema()["airflowVersion"]["default"] == versions.AIRFLOW
    assert versions.AIRFLOW_CHART in schema()["helmValues"]["description"]
