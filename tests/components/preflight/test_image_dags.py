"""The pod that looks for DAGs in the image, and what its answer means."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.values import airflow_values
from components.dags.delivery import DagsDelivery
from components.kube.images import Images
from components.preflight.checks import CheckKind, findings_of
from components.preflight.finding import Verdict
from components.preflight.image_dags import (
    LABELS,
    LOOK,
    SCRIPT,
    dags_folder,
    image_dags_about,
    image_dags_finding,
    image_dags_pod,
)
from components.preflight.pod_run import ContainerEnd, PodEnd
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.chart.rendering import needs_chart, objects

IMAGES: Final = Images(tag="team-1")
ABOUT: Final = {**image_dags_about("/opt/airflow/dags", IMAGES), "stack": "dev"}


def values(users: dict[str, Any] | None = None) -> dict[str, Any]:
    inputs = samples.release_inputs(dags_=samples.dags(delivery=DagsDelivery.IMAGE), images=IMAGES)
    return merged(chart_values(), with_helm_values(airflow_values(inputs), users or {}))


def test_folder_is_the_one_that_airflow_loads() -> None:
    for users, folder in (
        ({}, "/opt/airflow/dags"),
        ({"config": {"core": {"dags_folder": "/srv/dags"}}}, "/srv/dags"),
        ({"dags": {"mountPath": "/mnt/dags"}}, "/mnt/dags"),
        ({"dags": {"persistence": {"enabled": True, "existingClaim": "dags"}}}, None),
        ({"dagProcessor": {"dagBundleConfigList": [{"name": "s3", "classpath": "x", "kwargs": {}}]}}, None),
        ({"config": {"core": {"dags_folder": "{{ .Values.airflowHome }}/x"}}}, None),
        ({"dagProcessor": in_volume("/opt/airflow/dags", emptyDir={})}, None),
        ({"dagProcessor": in_volume("/opt/airflow/", emptyDir={})}, None),
        ({"dagProcessor": in_volume("/opt/airflow/dags-old", emptyDir={})}, "/opt/airflow/dags"),
        ({"dagProcessor": in_volume("/opt/airflow/dags", configMap={"name": "dags"})}, "/opt/airflow/dags"),
    ):
        assert dags_folder(values(users)) == folder, users


def in_volume(path: str, **volume: Any) -> dict[str, Any]:
    """A volume of a user's at a path, which a container of theirs may fill."""
    return {
        "extraVolumes": [{"name": "team", **volume}],
        "extraVolumeMounts": [{"name": "team", "mountPath": path}],
    }


@needs_chart
def test_chart_says_the_same_folder_and_makes_no_git_sync() -> None:
    inputs = samples.release_inputs(dags_=samples.dags(delivery=DagsDelivery.IMAGE), images=IMAGES)
    rendered = objects(airflow_values(inputs))
    [config] = [item for item in rendered if item["kind"] == "ConfigMap" and "airflow.cfg" in item.get("data", {})]
    found = re.search(r"^dags_folder = (.*)$", config["data"]["airflow.cfg"], re.MULTILINE)
    assert found is not None
    assert found[1] == dags_folder(values())
    assert "git-sync" not in str(rendered)


def test_pod_has_airflow_s_image_and_the_volumes_of_the_dag_processor() -> None:
    mount = {"name": "plugins", "mountPath": "/opt/airflow/plugins"}
    volume = {"name": "plugins", "configMap": {"name": "plugins"}}
    users = {"dagProcessor": {"extraVolumes": [volume], "extraVolumeMounts": [mount]}}
    found = image_dags_pod("/opt/airflow/dags", values(users), IMAGES, {})
    [container] = found["spec"]["containers"]
    assert container["image"] == "apache/airflow:team-1"
    assert container["args"][-1] == "/opt/airflow/dags"
    assert container["volumeMounts"] == [mount]
    assert found["spec"]["volumes"] == [volume]
    assert found["metadata"]["labels"] == LABELS


def test_script_tells_a_folder_with_dags_from_one_without(tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    script = SCRIPT.replace("/dev/termination-log", str(answer))

    def said(folder: Path) -> str:
        subprocess.run([sys.executable, "-c", script, str(folder)], check=True)
        return answer.read_text()

    folder = tmp_path / "dags"
    assert said(folder) == "missing"
    (folder / "team").mkdir(parents=True)
    (folder / "team" / "README.md").touch()
    assert said(folder) == "empty"
    (folder / "team" / "daily.py").touch()
    assert said(folder) == "there"


def test_missing_dags_are_named_with_folder_image_and_ways_out() -> None:
    assert image_dags_finding("there", ABOUT).verdict is Verdict.PASSED
    for answer, found in (("empty", "no .py and no .zip file in it"), ("missing", "no such folder")):
        text = str(image_dags_finding(answer, ABOUT))
        assert f"expected DAGs in /opt/airflow/dags of apache/airflow:team-1, found {found}" in text
        assert "airflow:dagsDelivery git-sync" in text


def test_check_that_cannot_be_made_ends_no_update() -> None:
    for code, message in ((None, ""), (1, "exec: python: not found")):
        container = ContainerEnd(name=LOOK, image="x:1", pulled=True, exit_code=code, message=message)
        [found] = findings_of(CheckKind.DAGS, PodEnd(containers={LOOK: container}), ABOUT, str)
        assert found.verdict is Verdict.SKIPPED
    missing = ContainerEnd(name=LOOK, image="x:1", reason="ErrImagePull", message="x:1: not found")
    [found] = findings_of(CheckKind.DAGS, PodEnd(containers={LOOK: missing}), ABOUT, str)
    assert found.what.startswith("airflow:imageTag: ")
