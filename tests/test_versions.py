"""Each pin is one constant, and every file that must agree with it does."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import tarfile
from typing import Final

import pytest

import compatibility
import versions
from automation.engine import pin_plugins, plugins
from components.chart_values import chart_defaults
from components.database import pgbouncer
from components.kube import env, images
from components.kube import pod_security as uids
from components.kube.safe_yaml import load_yaml
from components.network import pods
from components.release import chart_archive
from tests import samples
from tests.cases import each
from tests.requirements import pins

CHART = chart_defaults.chart_values()
# Before any test changes the environment.
ARCHIVE = samples.real_cache() / chart_archive.ARCHIVE


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_sdk_and_cli_are_of_one_version() -> None:
    assert pins("requirements.txt")["pulumi"] == versions.PULUMI_CLI


def test_kubernetes_provider_passes_a_null_in_helm_values_on_to_helm() -> None:
    """4.30 is the first that does."""
    assert number(pins("requirements.txt")["pulumi-kubernetes"]) >= (4, 30)


def test_tests_run_on_the_pinned_sdk() -> None:
    assert importlib.metadata.version("pulumi") == versions.PULUMI_CLI


def test_archives_of_the_cli_are_of_the_pinned_version() -> None:
    """Who moves the number alone would pin the content of another version."""
    platforms = [f"{system}-{processor}" for system in ("darwin", "linux") for processor in ("arm64", "x64")]
    assert list(versions.PULUMI_CLI_SHA256) == [f"pulumi-v{versions.PULUMI_CLI}-{name}.tar.gz" for name in platforms]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in versions.PULUMI_CLI_SHA256.values())


def test_pinned_plugins_are_those_of_the_packages() -> None:
    """Without a line, none is pinned yet. Who moves a package's version runs `make pin` again."""
    locked = plugins.pinned(samples.ROOT)
    names = [f"{name}-v{pins('requirements.txt')[f'pulumi-{name}']}" for name in (*plugins.PLUGINS, plugins.AWS)]
    files = {f"pulumi-resource-{name}-{system}.tar.gz" for name in names for system in pin_plugins.SYSTEMS}
    assert not locked or locked.keys() == files, "Fix: make pin"


def test_hashes_of_uv_are_of_the_pinned_version() -> None:
    assert pins("image/requirements-uv.txt") == {"uv": versions.UV}


def test_minimum_cli_is_not_above_the_pin() -> None:
    assert number(versions.PULUMI_CLI_MINIMUM) <= number(versions.PULUMI_CLI)


def test_airflow_is_the_one_that_the_chart_deploys() -> None:
    assert versions.AIRFLOW == CHART["airflowVersion"] == CHART["defaultAirflowTag"]


def test_images_are_those_of_the_chart() -> None:
    """An image that a new chart adds would come past `imageRegistry`."""
    of_airflow = {"airflow", "pod_template", "flower"}
    named = {key: image["repository"] for key, image in CHART["images"].items() if isinstance(image, dict)}
    assert {key: repository for key, repository in named.items() if key not in of_airflow} == images.CHART_IMAGES
    assert {named[key] for key in of_airflow} == {None}, "each falls back to the default repository"
    assert CHART["defaultAirflowRepository"] == images.Images(tag="x").repository


def test_ports_are_those_of_the_chart() -> None:
    ports = CHART["ports"]
    assert ports["apiServer"] == pods.API_SERVER_PORT
    assert ports["workerLogs"] == pods.WORKER_LOG_PORT
    assert ports["triggererLogs"] == pods.TRIGGERER_LOG_PORT
    assert ports["redisDB"] == pods.REDIS_PORT
    assert ports["statsdIngest"] == pods.STATSD_PORT
    assert ports["statsdScrape"] == pods.STATSD_METRICS_PORT
    assert ports["pgbouncerScrape"] == pods.PGBOUNCER_METRICS_PORT
    assert ports["pgbouncer"] == pgbouncer.PORT


def test_users_of_the_images_are_those_of_the_chart() -> None:
    assert CHART["uid"] == uids.AIRFLOW_UID
    assert CHART["dags"]["gitSync"]["uid"] == uids.GIT_SYNC_UID
    assert CHART["pgbouncer"]["uid"] == CHART["statsd"]["uid"] == uids.NOBODY_UID


def test_auth_manager_of_the_migration_is_that_of_the_chart() -> None:
    assert CHART["config"]["core"]["auth_manager"] == env.AUTH_MANAGER


def test_chart_folder_says_which_chart_it_is() -> None:
    assert versions.AIRFLOW_CHART in (samples.ROOT / "chart" / "README.md").read_text()


def test_local_cluster_has_a_kubernetes_that_airflow_is_tested_on() -> None:
    image, _, tag = versions.KIND_NODE_IMAGE.partition(":")
    assert image == "kindest/node"
    assert (1, 30) <= number(tag.removeprefix("v").partition("@")[0])[:2] <= (1, 35)


def test_pinned_airflow_is_among_the_versions_that_a_config_may_name() -> None:
    assert ".".join(versions.AIRFLOW.split(".")[:2]) in compatibility.AIRFLOW


NO_PINS: Final = ("PULUMI_CLI_MINIMUM",)
"""A bound, which no tool moves."""


@each(
    "name",
    [name for name in vars(versions) if name.isupper() and name not in NO_PINS and "SHA256" not in name],
)
def test_every_pin_is_found_by_renovate_or_follows_from_another(name: str) -> None:
    source = (samples.ROOT / "versions.py").read_text()
    assert re.search(rf"^# renovate: .*\n{name} = ", source, re.MULTILINE)


@pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"the chart's archive is not at hand ({ARCHIVE})")
def test_chart_folder_is_the_pinned_archive_s() -> None:
    assert hashlib.sha256(ARCHIVE.read_bytes()).hexdigest() == versions.AIRFLOW_CHART_SHA256
    with tarfile.open(ARCHIVE) as archive:

        def content(path: str) -> bytes:
            member = archive.extractfile(f"airflow/{path}")
            assert member is not None
            return member.read()

        assert content("values.yaml") == (chart_defaults.FOLDER / "values.yaml").read_bytes()
        assert content("values.schema.json") == (chart_defaults.FOLDER / "values.schema.json").read_bytes()
        chart = load_yaml(content("Chart.yaml").decode())
    assert chart["version"] == versions.AIRFLOW_CHART
    assert chart["appVersion"] == versions.AIRFLOW
