"""The pages of the library and the command line agree with it: settings, errors, verbs; commands name a stack."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Final

import versions
from automation import AutomationError, EnvironmentSettings, Secret
from automation.errors import UpdateFailed
from docs.generate_verbs import with_table
from tests.cases import each
from tests.samples import ROOT

PAGE: Final = (ROOT / "docs" / "automation.md").read_text()
COMMAND_LINE: Final = (ROOT / "docs" / "command-line.md").read_text()
DOCUMENTS: Final = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
MODULES: Final = (
    "automation.cli.deploy",
    "automation.helmsman",
    "automation.change_report.checkout",
    "automation.cli.report",
)
"""Modules with errors, apart from `automation.errors`."""


def kinds(root: type[AutomationError]) -> set[str]:
    """Return the names of a class's subclasses, to any depth."""
    return {name for found in root.__subclasses__() for name in (found.__name__, *kinds(found))}


def test_the_request_to_the_example_service_is_valid() -> None:
    bodies = [json.loads(body) for body in re.findall(r"-d '(\{.*?\})'\n", PAGE, re.DOTALL)]
    assert bodies
    for body in bodies:
        secrets = {key: Secret(value) for key, value in body["secrets"].items()}
        assert EnvironmentSettings.of("team-a", {**body["values"], **secrets}).name == "team-a"


def test_every_error_has_a_row() -> None:
    for module in MODULES:
        import_module(module)
    table = PAGE.partition("\n## Errors\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == {name for name in kinds(AutomationError) if not name.startswith("_")}
    also = re.search(r"([^.;]*) are\s`UpdateFailed` too", table)
    assert also
    assert set(re.findall(r"`(\w+)`", also[1])) == kinds(UpdateFailed)


def test_table_of_verbs_is_made_from_their_declarations() -> None:
    assert with_table(COMMAND_LINE) == COMMAND_LINE, "python -m docs.generate_verbs"


def test_modules_whose_names_a_service_must_not_use_exist() -> None:
    named = re.search(r"are at its top \((.*?), …\)", PAGE)
    assert named
    names = re.findall(r"`(\w+)`", named[1])
    assert [name for name in names if not (ROOT / f"{name}.py").is_file() and not (ROOT / name).is_dir()] == []


@each("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_of_the_engine_names_its_stack(document: Path) -> None:
    """`automation env` exports PULUMI_STACK. A command without `--stack` could change the wrong stack."""
    commands = r"pulumi (?:config (?:set|rm)|state \w+|import|refresh|stack (?:export|import|output)) [^`\n]+"
    assert [found for found in re.findall(commands, document.read_text()) if "--stack " not in found] == []


def test_the_oldest_engine_that_production_takes_is_the_pinned_one() -> None:
    text = (ROOT / "docs" / "production.md").read_text()
    assert re.findall(r"`pulumi`, (\d+\.\d+\.\d+) or newer", text) == [versions.PULUMI_CLI_MINIMUM]
