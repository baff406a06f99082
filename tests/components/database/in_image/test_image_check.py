"""What an image lacks is named, by the script that runs in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from components.database.image_check import REFUSED, ImageNeed, command

NEED = ImageNeed(package="apache-airflow-providers-amazon", key="airflow:taskLogs", instead="set the key to volume")


def image(folder: Path, **packages: str) -> Path:
    """A folder with the metadata of packages, as pip writes it."""
    for name, version in packages.items():
        information = folder / f"{name}-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


def look(folder: Path, airflow: str, *needs: ImageNeed) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *command(airflow, needs)[1:]],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_image_with_everything_is_accepted_whatever_follows_its_version(tmp_path: Path) -> None:
    for number, version in enumerate(("3.2.2", "3.2.2+acme.1", "3.2.2.post1", "3.2.2rc1")):
        folder = image(tmp_path / str(number), apache_airflow_core=version, apache_airflow_providers_amazon="9.0.0")
        assert look(folder, "3.2.2", NEED) == (0, "")


def test_what_is_missing_is_named_with_its_key_and_the_way_out(tmp_path: Path) -> None:
    folder = image(tmp_path, apache_airflow="3.2.2", apache_airflow_providers_fab="3.6.0")
    other = ImageNeed(package="apache-airflow-providers-fab", key="airflow:imageTag")
    assert look(folder, "3.2.2", other, NEED) == (
        REFUSED,
        "airflow:taskLogs: expected the package apache-airflow-providers-amazon in the Airflow image, found none. "
        "Fix: add it to the image (docs/image.md), or set the key to volume\n",
    )


def test_another_airflow_is_refused_before_it_migrates_the_database(tmp_path: Path) -> None:
    for version in ("3.3.2", "3.2.20", "3.2"):
        code, said = look(image(tmp_path / version, apache_airflow_core=version), "3.2.2")
        assert code == REFUSED
        assert f"expected an image with Airflow 3.2.2 (airflow:airflowVersion), found Airflow {version}" in said
        assert "python -m automation upgrade STACK --tag TAG --airflow-version VERSION" in said


def test_image_without_airflow_is_named_once(tmp_path: Path) -> None:
    code, said = look(image(tmp_path / "none"), "3.2.2", NEED)
    assert code == REFUSED
    assert said.splitlines() == [
        "airflow:imageTag: expected an image with Airflow 3.2.2, found no Airflow in it. "
        "Fix: pulumi config set --stack STACK airflow:imageTag TAG"
    ]
