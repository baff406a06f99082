"""The pages agree with the program: links, commands, config keys, code, components, policies."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import runpy
import subprocess
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest

import outputs
import settings
from automation.__main__ import main as command_line
from components.chart_values.chart_defaults import chart_schema, chart_values, schema_problems
from components.chart_values.executor import Executor
from components.chart_values.value_paths import without_nulls
from components.kube.safe_yaml import load_yaml
from components.network.database_place import DatabaseCidrs, DatabasePods
from components.network.isolation_rules import IsolationRules
from components.network.policies import network_policies
from components.release.helm_record import (
    ForeignReleaseError,
    KubernetesRecords,
    Revision,
    repair_before_create,
    repair_before_update,
)
from components.user_values.user_values import problems
from settings.generate import described_outputs
from tests.cases import each
from tests.conftest import Recorder
from tests.samples import ROOT, schema, ssh_private_key

_BLOCK: Final = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ADR_LINES: Final = 40
_README_LINES: Final = 200
_RUNBOOK: Final = ["When", "Steps", "Expected", "When it fails"]


def _documents() -> list[Path]:
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted([*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))])


DOCUMENTS: Final = _documents()
each_document = each("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def _blocks(document: Path, language: str) -> list[str]:
    return [body for found, body in _BLOCK.findall(document.read_text()) if found == language]


def _code(document: Path) -> str:
    """Return everything that is set as code, in blocks and in lines."""
    text = document.read_text()
    return "\n".join([*(body for _, body in _BLOCK.findall(text)), *_SPAN.findall(_BLOCK.sub("", text))])


def _every(language: str) -> list[tuple[Path, str]]:
    return [(document, body) for document in DOCUMENTS for body in _blocks(document, language)]


def _anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of headings: lower case, spaces as hyphens, without punctuation."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_documents_are_found() -> None:
    names = {str(path.relative_to(ROOT)) for path in DOCUMENTS}
    assert {"README.md", "docs/architecture.md", "docs/configuration.md", "docs/runbooks/rotate-keys.md"} <= names


# docs/configuration.md


def test_every_key_has_a_row_and_secrets_are_marked() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    rows = dict(re.findall(r"^\| `airflow:(\w+)` \| ([^|]+) \|", page, re.MULTILINE))
    assert set(rows) == set(schema())
    assert {key for key, kind in rows.items() if "**secret**" in kind} == settings.SECRET_KEYS


def test_every_output_is_described() -> None:
    described = dict(described_outputs((ROOT / "outputs.py").read_text()))
    assert set(described) == {value for name, value in vars(outputs).items() if name.isupper()}


# Links and commands


def _linked(document: Path) -> set[Path]:
    targets = (target.partition("#")[0] for target in _LINK.findall(_BLOCK.sub("", document.read_text())))
    return {
        (document.parent / target).resolve() for target in targets if target.endswith(".md") and "://" not in target
    }


def test_every_page_is_reached_from_the_readme_by_links() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document not in reached:
            reached.add(document)
            waiting.extend(_linked(document))
    pages = {path for path in DOCUMENTS if not path.is_relative_to(ROOT / "tests")}
    assert pages - reached == {ROOT / "docs" / "adr" / "template.md"} - reached


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= _README_LINES


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(_BLOCK.sub("", document.read_text())):
        if re.match(r"https://", target):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        assert not anchor or anchor in _anchors(found), target


@each_document
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([\w ]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {word for target in targets for word in target.split()}
    assert set(re.findall(r"\bmake ([a-z]+)", _code(document))) <= known


@functools.cache
def _options(verb: str) -> set[str]:
    """The options in a verb's help. Raises AssertionError if there is no such verb."""
    with pytest.raises(SystemExit) as exit_, contextlib.redirect_stdout(io.StringIO()) as written:
        command_line([verb, "--help"])
    assert exit_.value.code == 0, verb
    return set(re.findall(r"--[a-z-]+", written.getvalue()))


@each_document
def test_verbs_and_options_of_the_command_line_exist(document: Path) -> None:
    for verb, rest in re.findall(r"python -m automation ([a-z_]+)([^\n`]*)", _code(document)):
        assert set(re.findall(r"--[a-z-]+", rest)) <= _options(verb), rest


@each_document
def test_config_keys_and_outputs_exist(document: Path) -> None:
    text = document.read_text()
    known = set(schema())
    assert set(re.findall(r"(?<![\w/])airflow:([a-z]\w*)", text)) - {"index"} <= known | {"KEY"}
    names = {value for name, value in vars(outputs).items() if name.isupper()}
    assert set(re.findall(r"pulumi stack output ([a-z]\w*)|`secret (\w+) ", text)) <= {
        pair for name in names for pair in ((name, ""), ("", name))
    }


# Code


@each(("document", "code"), _every("python"))
def test_python_compiles(document: Path, code: str) -> None:
    compile(textwrap.dedent(code), str(document), "exec")


@each(("document", "commands"), _every("sh"))
def test_shell_parses(document: Path, commands: str) -> None:
    done = subprocess.run(["sh", "-n"], input=commands, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_embedding_example_registers_a_platform(
    tmp_path: Path,
    recorder: Recorder,
    stack_config: Callable[[Mapping[str, str], object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = next(body for body in _blocks(ROOT / "docs" / "embedding.md", "python") if "AirflowPlatform(" in body)
    monkeypatch.setattr("components.release.chart_archive.chart_archive", lambda given, project: "./chart.tgz")
    keys = {"deployKey": ssh_private_key(), "databasePassword": "a-password"}
    values = {"airflow:kubeContext": "a-context", **{f"airflow:{key}": value for key, value in keys.items()}}
    stack_config(values, [f"airflow:{key}" for key in keys])
    program = tmp_path / "__main__.py"
    program.write_text(code)
    recorder.run(lambda: runpy.run_path(str(program)))
    release = recorder.one("kubernetes:helm.sh/v3:Release")
    assert release.revealed["chart"] == "./chart.tgz"
    assert "a-context" in recorder.one("pulumi:providers:kubernetes").plain_text
    assert recorder.exports() == {"airflow_namespace": "airflow"}
    assert not [found for found in recorder.every() if keys["databasePassword"] in found.plain_text]


@each(("document", "text"), _every("yaml"))
def test_helm_values_in_examples_are_accepted(document: Path, text: str) -> None:
    given = load_yaml(text)["config"].get("airflow:helmValues", {})
    assert [*problems(given, chart_values(), chart_schema()), *schema_problems(without_nulls(given))] == []


# docs/architecture.md


def test_every_component_is_described() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "components").rglob("*.py"))
    components = set(re.findall(r'"airflow:index:(\w+)"', sources))
    table = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert set(table) & components == components
    assert len(components) > 10


def test_every_folder_is_described() -> None:
    layout = (ROOT / "docs" / "architecture.md").read_text().partition("## Layout")[2].partition("\n## ")[0]
    for parent in ("components", "automation"):
        folders = {path.parent.name for path in (ROOT / parent).glob("*/__init__.py")}
        folders |= {path.parent.name for path in (ROOT / parent).glob("*/*.py")}
        assert [folder for folder in sorted(folders) if f"`{folder}/`" not in layout] == []


def test_every_network_policy_is_described() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.partition("## Network isolation")[2].partition("\n## ")[0]
    table = section.partition("| --- |")[2]
    assert set(re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE)) == {name for found in _policies() for name in found}


def _policies() -> Iterator[Mapping[str, Any]]:
    databases: tuple[DatabasePods | DatabaseCidrs, ...] = (
        DatabasePods(labels={"component": "postgres"}, port=5432),
        DatabaseCidrs(cidrs=(), port=5432),
    )
    for executor, database, pgbouncer in product(tuple(Executor), databases, (False, True)):
        yield network_policies(
            IsolationRules(
                release_name="airflow",
                executor=executor,
                database=database,
                pgbouncer=pgbouncer,
                egress_except=(),
                ui_namespaces=(),
                metrics_namespaces=(),
                database_cleanup=True,
                exporter=True,
                verification=True,
                backup_bucket=True,
            )
        )


# docs/runbooks


@dataclass
class _Records(KubernetesRecords):
    revisions: list[Revision]

    def list(self) -> list[Revision]:
        return self.revisions

    def delete(self, revision: Revision) -> None:
        pass

    def write(self, revision: Revision, content: Mapping[str, Any], status: str) -> None:
        pass


def _revision(number: int, status: str) -> Revision:
    content = {"info": {"status": status}, "manifest": ""}
    return Revision(secret="", number=number, status=status, values={"name": "own"}, content=content)


def test_the_runbook_quotes_what_an_interrupted_update_says() -> None:
    runbook = (ROOT / "docs" / "runbooks" / "interrupted-update.md").read_text()
    taken_over = repair_before_create(_Records([_revision(1, "pending-install")]), ["own"], "airflow", 900)
    unfinished = _Records([_revision(3, "deployed"), _revision(4, "pending-upgrade")])
    mended = repair_before_update(unfinished, ["own"], "airflow", 900)
    assert [sentence for sentence in [*taken_over, *mended] if f"`{sentence}`" not in runbook] == []
    assert taken_over
    assert mended
    with pytest.raises(ForeignReleaseError) as error:
        repair_before_create(_Records([_revision(1, "deployed")]), ["another"], "airflow", 900)
    heading = re.findall(r"^#+ `(expected .*)`$", runbook, re.MULTILINE)[0]
    assert all(part in str(error.value) for part in heading.split(" … "))


RUNBOOKS: Final = sorted({*(ROOT / "docs" / "runbooks").glob("*.md")} - {ROOT / "docs" / "runbooks" / "README.md"})


@each("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_a_runbook_says_when_to_use_it_the_steps_what_to_expect_and_what_to_do_when_it_fails(runbook: Path) -> None:
    headings = re.findall(r"^## (.+)$", _BLOCK.sub("", runbook.read_text()), re.MULTILINE)
    assert [heading for heading in headings if heading in _RUNBOOK] == _RUNBOOK
    assert f"]({runbook.name})" in (runbook.parent / "README.md").read_text()


def test_the_runbook_quotes_why_a_recovery_is_refused() -> None:
    text = (ROOT / "docs" / "runbooks" / "interrupted-update.md").read_text()
    quoted = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    sources = "".join(path.read_text() for path in (ROOT / "automation").rglob("*.py"))
    assert quoted
    assert [words for words in quoted if words not in sources] == []


# docs/adr


@each("record", sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")), ids=lambda path: path.stem)
def test_a_decision_follows_the_template_and_is_listed(record: Path) -> None:
    lines = record.read_text().splitlines()
    assert len(lines) <= _ADR_LINES
    assert lines[0].startswith(f"# {int(record.name[:4])}. ")
    assert [line for line in lines if line.startswith("## ")] == ["## Context", "## Decision", "## Consequences"]
    assert f"]({record.name})" in (record.parent / "README.md").read_text()


# SECURITY.md


def test_every_promise_of_the_security_page_names_a_test_that_exists() -> None:
    promises = (ROOT / "SECURITY.md").read_text().partition("\n## What is promised\n")[2].partition("\n## ")[0]
    rows = [line for line in promises.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 15
    for row in rows:
        ((path, name),) = re.findall(r"\| `(tests/[\w/]+\.py)::(test_\w+)` \|$", row)
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), row
