"""What must hold of whatever a team writes into Pulumi.STACK.yaml and the list of registries, and of nothing else.

All other tests start from the shipped ones (`samples.SHIPPED`), so that these files are the team's.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import settings
from automation.plan.model import PolicyResult
from automation.plan.process import plan_checkout
from automation.plan.stand_ins import plan_config
from components.kube.safe_yaml import load_yaml
from policy.context import DECIDED
from policy.images import parse_image
from tests.automation.checkouts import edit, plan_here
from tests.chart import rendering
from tests.samples import ROOT
from tests.workflows.conftest import load

if TYPE_CHECKING:
    from tests.automation.checkouts import Checkouts

REGISTRIES: Final = Path("policy", "allowed-registries.txt")
REPOSITORY: Final = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/airflow"
FIRST_TAG: Final = "0123456789abcdef0123456789abcdef01234567"
NEXT_TAG: Final = "1234567e890123456789012345678901234567e8"

STACKS: Final = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in ROOT.glob("Pulumi.?*.yaml"))
each_stack = pytest.mark.parametrize("stack", STACKS)


def violations(folder: Path, stack: str) -> list[PolicyResult]:
    """What no stack may do, and this one does. Fails where there is no plan of it, with the reason."""
    plan = plan_checkout(folder, stack) if rendering.HELM and rendering.CHART else plan_here(folder, stack)
    assert plan.failure is None, plan.failure
    return [found for found in plan.policies if found.level == "mandatory"]


def config_of(folder: Path, stack: str) -> dict[str, Any]:
    found: dict[str, Any] = load_yaml((folder / f"Pulumi.{stack}.yaml").read_text())["config"]
    return found


# The committed files


@pytest.fixture(scope="module")
def committed(checkouts: Checkouts) -> Path:
    """The program as it is, with the team's files."""

    def take(folder: Path) -> None:
        for path in (*ROOT.glob("Pulumi.?*.yaml"), ROOT / REGISTRIES, ROOT / DECIDED):
            shutil.copy(path, folder / path.relative_to(ROOT))

    return checkouts.make("committed", take)


@each_stack
def test_committed_stack_is_valid_but_for_secrets_that_are_not_there(stack: str) -> None:
    """So is what it encrypts, as far as that can be told without the key. A secret in clear is refused."""
    config = plan_config(ROOT, stack, {})
    settings.parse(config.values, config.secret_keys, stack)


@each_stack
def test_policies_approve_of_the_committed_stack(stack: str, committed: Path) -> None:
    assert violations(committed, stack) == []


@each_stack
def test_committed_tag_and_digest_are_texts(stack: str) -> None:
    """`3.10` without quotes is a number, and becomes 3.1."""
    for key in ("airflow:imageTag", "airflow:imageDigest"):
        assert isinstance(config_of(ROOT, stack).get(key, ""), str), f"{key}: expected a text. Fix: put it in quotes"


@each_stack
def test_committed_stack_may_use_no_default_provider(stack: str) -> None:
    """They would deploy into whatever cluster and account a shell happens to point at."""
    assert set(config_of(ROOT, stack)["pulumi:disable-default-providers"]) >= {"kubernetes", "aws"}


def test_committed_registries_are_beginnings_of_whole_names() -> None:
    """One that is written in another way would allow nothing, and nobody would know why."""
    for line in (ROOT / REGISTRIES).read_text().splitlines():
        beginning = line.partition("#")[0].strip()
        image = parse_image(f"{beginning}/image") if beginning else None
        assert not beginning or (image and image.name == f"{beginning}/image"), (
            f"{REGISTRIES}: expected a registry and a path, such as registry.example.com/mirror, found {line!r}"
        )


# What a team does first (docs/image.md, "Set up once"), and what the workflow `image` does then


def with_an_image(folder: Path) -> None:
    image = f"  airflow:imageRepository: {REPOSITORY}\n  airflow:imageTag: {FIRST_TAG!r}\n"
    edit(folder / "Pulumi.dev.yaml", "config:\n", f"config:\n{image}")
    with (folder / REGISTRIES).open("a") as file:
        file.write(f"{REPOSITORY}\n")


def test_stack_with_an_image_of_its_own_stays_approved_when_its_tag_is_moved(checkouts: Checkouts) -> None:
    folder = checkouts.make("own-image", with_an_image)
    assert load("move_image_tag").main(["dev", NEXT_TAG], folder) == 0
    assert config_of(folder, "dev")["airflow:imageTag"] == NEXT_TAG
    assert violations(folder, "dev") == []


def test_image_of_a_registry_that_is_not_listed_is_refused(checkouts: Checkouts) -> None:
    """That is why the documents have the list among what is set up."""

    def unlisted(folder: Path) -> None:
        with_an_image(folder)
        edit(folder / REGISTRIES, f"{REPOSITORY}\n", "")

    folder = checkouts.make("unlisted-image", unlisted)
    assert {found.rule for found in violations(folder, "dev")} == {"images-from-allowed-registries"}


def test_documents_of_an_image_name_the_list() -> None:
    for name in ("image.md", "runbooks/change-image.md"):
        assert REGISTRIES.as_posix() in (ROOT / "docs" / name).read_text()
