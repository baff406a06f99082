"""What the image has is read by the command that runs in it, and findings_of by what the config needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from components.preflight.checks import CheckKind, findings_of
from components.preflight.finding import Verdict
from components.preflight.image_packages import CHECK, CONTAINER, ImageNeed, about, command
from components.preflight.pod_run import ContainerEnd, PodEnd

NEED: Final = ImageNeed(
    package="apache-airflow-providers-amazon",
    key="airflow:taskLogs",
    instead="pulumi config set --stack {stack} airflow:taskLogs volume",
)
ABOUT: Final = {**about("acme/airflow:7", "3.2.2", [NEED]), "stack": "qa"}


def image(folder: Path, requires: str = "", **packages: str) -> dict[str, dict[str, str]]:
    """What the command writes in an image with these packages, whose metadata are as pip writes it."""
    for name, version in packages.items():
        information = folder / f"{name}-{version}.dist-info"
        information.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
        (information / "METADATA").write_text(text)
    answer = folder / "answer"
    words = [word.replace("/dev/termination-log", str(answer)) for word in command([NEED])[1:]]
    subprocess.run([sys.executable, *words], env={"PYTHONPATH": str(folder)}, check=True)
    found: dict[str, dict[str, str]] = json.loads(answer.read_text())
    return found


def judge(code: int | None = 0, message: str = "", **versions: str) -> list[tuple[Verdict, str]]:
    """The findings about packages. An underscore stands for a dash."""
    found = {name.replace("_", "-"): version for name, version in versions.items()}
    written = message or json.dumps({"found": found, "needs": {}})
    item = ContainerEnd(name=CONTAINER, image="acme/airflow:7", pulled=True, exit_code=code, message=written)
    pulled, *told = findings_of(CheckKind.IMAGES, PodEnd(containers={CONTAINER: item}), ABOUT, str)
    assert pulled.verdict is Verdict.PASSED
    assert {item.check for item in told} == {CHECK}
    return [(item.verdict, str(item)) for item in told]


def test_the_command_says_which_versions_the_image_has(tmp_path: Path) -> None:
    found = image(tmp_path, apache_airflow_core="3.2.2", apache_airflow_providers_amazon="9.0.0", other="1.0")
    assert found == {
        "found": {"apache-airflow-core": "3.2.2", "apache-airflow-providers-amazon": "9.0.0"},
        "needs": {},
    }
    assert judge(message=json.dumps(found)) == [(Verdict.PASSED, "acme/airflow:7 has Airflow 3.2.2")]


def test_provider_that_does_not_fit_airflow_is_a_warning(tmp_path: Path) -> None:
    asked = ("boto3>=1", "apache-airflow>=3.3.0", "apache-airflow>=4; extra == 'x'")
    asks = "".join(f"Requires-Dist: {each}\n" for each in asked)
    found = image(tmp_path, asks, apache_airflow_core="3.2.2", apache_airflow_providers_amazon="8.29.0")
    assert found["needs"] == {"apache-airflow-providers-amazon": "3.3.0"}
    (old, oldest), (new, needed) = judge(message=json.dumps(found))
    assert (old, new) == (Verdict.WARNING, Verdict.WARNING)
    assert "apache-airflow-providers-amazon 8.29.0: Airflow 3.2 asks for 9.0.0 or newer" in oldest
    assert "asks for Airflow 3.3.0 or newer, and the image has 3.2.2. Fix: build the image anew" in needed


def test_what_is_missing_is_named_with_its_key_and_the_way_out() -> None:
    assert judge(apache_airflow="3.2.2") == [
        (
            Verdict.FAILED,
            "airflow:taskLogs: expected the package apache-airflow-providers-amazon in acme/airflow:7, found none. "
            "Fix: add it to the image (docs/image.md), or pulumi config set --stack qa airflow:taskLogs volume",
        )
    ]


def test_another_airflow_is_named_whatever_follows_its_number() -> None:
    rest: Any = {"apache_airflow_providers_amazon": "9.0.0"}
    for version in ("3.2.2", "3.2.2+acme.1", "3.2.2.post1", "3.2.2rc1"):
        [(verdict, _)] = judge(apache_airflow_core=version, apache_airflow="2.11.0", **rest)
        assert verdict is Verdict.PASSED, version
    for version in ("3.3.2", "3.2.20", "3.2"):
        [(verdict, text)] = judge(apache_airflow_core=version, **rest)
        assert verdict is Verdict.FAILED, version
        assert f"expected Airflow 3.2.2 in acme/airflow:7, as airflow:airflowVersion says, found {version}. " in text
        assert f"python -m automation upgrade qa --tag TAG --airflow-version {version}" in text
    [(verdict, text)] = judge(**rest)
    assert verdict is Verdict.FAILED
    assert "found no Airflow" in text


def test_image_that_does_not_answer_ends_no_update() -> None:
    for code, message in ((127, "python: not found"), (None, ""), (0, "no JSON"), (0, "{}")):
        [(verdict, _)] = judge(code, message)
        assert verdict is Verdict.SKIPPED
