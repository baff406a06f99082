"""What the Airflow image has in it: the right Airflow, and the packages that the config needs, which must fit it.

The pod that pulls the images looks. What is missing would otherwise be found by components that crash, long after the
old ones were rolled; and another Airflow would migrate the database before anybody had said so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import compatibility
from components.preflight.finding import Finding, Verdict, failed, passed, skipped
from components.preflight.image_reasons import image_key

CHECK: Final = "packages of the image"
CONTAINER: Final = "airflow"
"""The container that looks, of the pod that pulls the images."""
_AIRFLOW: Final = ("apache-airflow-core", "apache-airflow")
"""Airflow 3 is in the first; an image may have been built without the second."""
_SCRIPT: Final = """\
import json, re, sys
from importlib.metadata import PackageNotFoundError, requires, version
found, needs = {}, {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        continue
    for line in requires(name) or () if name.startswith("apache-airflow-providers-") else ():
        oldest = re.match(r"apache-airflow(?:-core)? *\\(?>= *([0-9.]+)", line)
        if oldest and "extra" not in line:
            needs[name] = oldest[1].rstrip(".")
with open("/dev/termination-log", "w") as answer:
    json.dump({"found": found, "needs": needs}, answer)
"""


@dataclass(frozen=True, kw_only=True)
class ImageNeed:
    """A package that the image must have."""

    package: str
    """Its name as a distribution."""
    key: str
    """The config key that needs it."""
    instead: str
    """What to do in place of adding it, as a command with `{stack}` in it or as a sentence."""


def command(needs: Sequence[ImageNeed]) -> list[str]:
    """Return the command that writes which versions of packages the image has, and what providers ask for, as JSON."""
    return ["python", "-c", _SCRIPT, *_AIRFLOW, *sorted({need.package for need in needs})]


def about(image: str, airflow: str, needs: Sequence[ImageNeed]) -> dict[str, Any]:
    """Return what the texts name.

    Args:
        image: Its reference.
        airflow: The version of Airflow that it must have.
        needs: The packages that it must have.
    """
    return {
        "image": image,
        "airflow": airflow,
        "needs": [{"package": need.package, "key": need.key, "instead": need.instead} for need in needs],
    }


def findings(answer: str, about: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what the image lacks, or that it lacks nothing.

    Args:
        answer: What the container wrote.
        about: See `about`, and the stack's name.
    """
    try:
        told = json.loads(answer)
        found, needs = told["found"], told["needs"]
    except (ValueError, KeyError, TypeError):
        return (skipped(CHECK, "the check itself failed: its answer is not JSON"),)
    image = about["image"]
    problems = tuple(_problems(found, about))
    providers = {name: version for name, version in found.items() if name.startswith(compatibility.PROVIDER)}
    unfit = tuple(
        Finding(
            check=CHECK, verdict=Verdict.WARNING, what=f"{image}: {note}", fix="build the image anew (docs/image.md)"
        )
        for note in compatibility.provider_notes(about["airflow"], providers, needs)
    )
    return (*problems, *unfit) or (passed(CHECK, f"{image} has Airflow {about['airflow']}"),)


def _problems(found: Mapping[str, str], about: Mapping[str, Any]) -> Iterator[Finding]:
    image, airflow, stack = about["image"], about["airflow"], about["stack"]
    key, correct = (text.format(stack=stack) for text in image_key(CONTAINER, image))
    there = next((found[name] for name in _AIRFLOW if name in found), None)
    if there is None:
        yield failed(CHECK, f"{key}: expected Airflow {airflow} in {image}, found no Airflow", correct)
        return
    # A suffix of the number, such as that of a patched Airflow, does not matter.
    number = re.match(r"\d+(\.\d+)*", there)
    if number is None or number.group() != airflow:
        version = number.group() if number else "VERSION"
        yield failed(
            CHECK,
            f"{key}: expected Airflow {airflow} in {image}, as airflow:airflowVersion says, found {there}",
            f"{correct}; or, where nothing is deployed yet: pulumi config set --stack {stack} airflow:airflowVersion "
            f"{version}; or set back what is deployed, and change Airflow's version by: "
            f"python -m automation upgrade {stack} --tag TAG --airflow-version {version}",
        )
    for need in about["needs"]:
        if need["package"] not in found:
            yield failed(
                CHECK,
                f"{need['key']}: expected the package {need['package']} in {image}, found none",
                f"add it to the image (docs/image.md), or {need['instead'].format(stack=stack)}",
            )
