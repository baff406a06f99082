"""docs/policy.md has every rule, as it is; the pack's files agree with the program's pins."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import pytest

import versions
from components.kube.safe_yaml import load_yaml
from policy.context import allowed_registries
from policy.rule import Rule
from policy.rules import ALL_RULES
from tests.requirements import pins
from tests.samples import ROOT

PAGE: Final = (ROOT / "docs" / "policy.md").read_text()
PACK: Final = ROOT / "policy"


def judged(rule: Rule) -> str:
    """What the pack judges by the rule."""
    if not (rule.resource or rule.objects or rule.stack):
        return "nothing"
    return "the stack" if rule.needs_stack else "each resource"


def link(source: str) -> str:
    """The source as a link of the page."""
    if source.startswith("https://"):
        return f"<{source}>"
    target = source.removeprefix("docs/").removeprefix("policy.md")
    return f"[{source.removeprefix('docs/').partition('#')[0]}]({target})"


def table(heading: str) -> list[str]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_every_rule_has_its_row() -> None:
    assert table("The rules") == [
        f"| `{rule.id}` | {rule.description} | {rule.level} | {judged(rule)} | {rule.when_unknown} |"
        for rule in ALL_RULES
    ]


def test_every_rule_has_its_remedy_and_its_source() -> None:
    assert table("What to do about a violation") == [
        f"| `{rule.id}` | {rule.remedy} | {link(rule.source)} |" for rule in ALL_RULES
    ]


def test_page_names_what_is_advisory_and_no_rule_that_there_is_not() -> None:
    ids = {rule.id for rule in ALL_RULES}
    section = PAGE.partition("\n## What is advisory\n")[2].partition("\n## ")[0]
    advisory = {rule.id for rule in ALL_RULES if rule.level == "advisory"}
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", section)) & ids == advisory
    used = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', PAGE))
    assert used <= ids


def test_page_names_the_registries_that_are_shipped() -> None:
    section = PAGE.partition("\n## Allow a registry\n")[2].partition("\n## ")[0]
    for registry in allowed_registries():
        assert f"`{registry}`" in section


# The pack's files


def test_every_requirement_of_the_pack_is_pinned_and_its_sdk_is_the_program_s() -> None:
    found = pins("policy/requirements.txt")
    assert found["pulumi"] == versions.PULUMI_CLI
    assert {"pulumi-policy", "pyyaml", "protobuf"} <= set(found)
    assert f"pulumi=={versions.PULUMI_CLI}\n" in (PACK / "requirements.in").read_text()
    for line in (PACK / "requirements.in").read_text().splitlines():
        name, _, version = line.partition("==")
        if version and not line.startswith("#"):
            assert found[name] == version


def test_pack_runs_in_the_environment_that_the_makefile_makes() -> None:
    project = load_yaml((PACK / "PulumiPolicy.yaml").read_text())
    assert project["runtime"]["name"] == "python"
    # Not resolved: a checkout may share its environment with another by a link.
    environment = Path(os.path.normpath(PACK / project["runtime"]["options"]["virtualenv"]))
    target = environment.relative_to(ROOT)
    assert re.search(
        rf"^{re.escape(str(target))}: .*\bpolicy/requirements\.txt$", (ROOT / "Makefile").read_text(), re.M
    )
    assert not environment.is_relative_to(PACK), "an environment in the pack would be taken for its sources"


@pytest.mark.parametrize("name", ["__main__.py"])
def test_pack_s_program_is_the_pack_alone(name: str) -> None:
    lines = (PACK / name).read_text().splitlines()
    assert len(lines) < 20
    assert not [line for line in lines if line.startswith(("def ", "class ", "if "))]
