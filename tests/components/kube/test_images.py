"""Which image every container runs: by tag or digest, from its own registry or from a mirror."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.kube.images import CHART_IMAGES, POSTGRES_REPOSITORY, Images, registry_host
from tests import samples
from tests.cases import each

MIRROR: Final = "mirror.test:5000/all"

HOSTS: Final = {
    "apache/airflow": "",
    "airflow": "",
    "library/redis": "",
    "quay.io/prometheus/statsd-exporter": "quay.io",
    "localhost/airflow": "localhost",
    "localhost:5000/airflow": "localhost:5000",
    "registry:5000/airflow": "registry:5000",
    "123.dkr.ecr.eu-central-1.amazonaws.com/team/airflow": "123.dkr.ecr.eu-central-1.amazonaws.com",
    "a.b": "",
}


@each("repository", HOSTS)
def test_registry_host_is_told_from_a_path_as_docker_does(repository: str) -> None:
    assert registry_host(repository) == HOSTS[repository]


MIRRORED: Final = {
    "apache/airflow": f"{MIRROR}/apache/airflow",
    "redis": f"{MIRROR}/library/redis",
    "postgres": f"{MIRROR}/library/postgres",
    "quay.io/prometheus/statsd-exporter": f"{MIRROR}/prometheus/statsd-exporter",
    "registry.k8s.io/git-sync/git-sync": f"{MIRROR}/git-sync/git-sync",
    "otel/opentelemetry-collector-contrib": f"{MIRROR}/otel/opentelemetry-collector-contrib",
}


@each("repository", MIRRORED)
def test_mirror_holds_every_image_under_its_own_path(repository: str) -> None:
    assert Images(tag="x", registry=MIRROR).mirrored(repository) == MIRRORED[repository]


def test_the_table_above_is_every_image_that_runs() -> None:
    assert set(MIRRORED) == {*CHART_IMAGES.values(), POSTGRES_REPOSITORY}


@each("repository", [*MIRRORED, "registry.test/team/airflow"])
def test_without_a_mirror_every_image_comes_from_its_own_registry(repository: str) -> None:
    assert Images(tag="x").mirrored(repository) == repository


@pytest.mark.parametrize("repository", ["registry.test/team/airflow", "localhost:5000/airflow"])
def test_airflow_image_that_names_its_registry_stays_there(repository: str) -> None:
    images = Images(repository=repository, tag="x", registry=MIRROR)
    assert images.airflow == f"{repository}:x"
    assert images.mirrored("redis") == f"{MIRROR}/library/redis"


CACHE: Final = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
CACHES: Final = {"docker.io": f"{CACHE}/hub", "quay.io": f"{CACHE}/quay", "registry.k8s.io": f"{CACHE}/kubernetes"}


@each(
    ("repository", "cached"),
    [
        ("apache/airflow", f"{CACHE}/hub/apache/airflow"),
        ("docker.io/apache/airflow", f"{CACHE}/hub/apache/airflow"),
        ("redis", f"{CACHE}/hub/library/redis"),
        ("postgres", f"{CACHE}/hub/library/postgres"),
        ("quay.io/prometheus/statsd-exporter", f"{CACHE}/quay/prometheus/statsd-exporter"),
        ("registry.k8s.io/git-sync/git-sync", f"{CACHE}/kubernetes/git-sync/git-sync"),
    ],
)
def test_each_registry_has_a_cache_of_its_own(repository: str, cached: str) -> None:
    assert Images(tag="x", mirrors=CACHES).mirrored(repository) == cached


def test_registry_without_a_mirror_of_its_own_follows_the_common_one() -> None:
    images = Images(tag="x", registry=MIRROR, mirrors={"quay.io": f"{CACHE}/quay"})
    assert images.mirrored("redis") == f"{MIRROR}/library/redis"
    assert images.mirrored("quay.io/prometheus/statsd-exporter") == f"{CACHE}/quay/prometheus/statsd-exporter"
    assert Images(tag="x", mirrors={"quay.io": CACHE}).mirrored("redis") == "redis"


def test_airflow_image_follows_the_mirror_of_the_host_it_names() -> None:
    images = Images(repository="ghcr.io/airflow", tag="x", registry=MIRROR, mirrors={"ghcr.io": f"{CACHE}/github"})
    assert images.airflow == f"{CACHE}/github/airflow:x"
    assert images.registries == {"docker.io", "quay.io", "registry.k8s.io", "ghcr.io"}


@pytest.mark.parametrize("digest", [None, samples.DIGEST])
def test_no_image_of_the_chart_comes_past_the_caches(digest: str | None) -> None:
    values = Images(tag="x", digest=digest, mirrors=CACHES).chart_values()
    found = [image["repository"] for image in values["images"].values()]
    found += [
        values["defaultAirflowRepository"],
        values["config"]["kubernetes_executor"]["worker_container_repository"],
    ]
    assert [repository for repository in found if not repository.startswith(f"{CACHE}/")] == []


@given(
    st.from_regex(r"[a-z0-9]{1,8}\.test(:[0-9]{2,4})?(/[a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.sampled_from(sorted(MIRRORED)),
)
def test_no_image_comes_past_a_mirror(registry: str, repository: str) -> None:
    found = Images(tag="x", registry=registry).mirrored(repository)
    path = found.removeprefix(f"{registry}/")
    assert path != found
    assert registry_host(path) == ""


def test_image_is_named_by_its_tag() -> None:
    assert Images(tag="3.2.2").airflow == "apache/airflow:3.2.2"
    assert Images(tag="3.2.2", registry=MIRROR).airflow == f"{MIRROR}/apache/airflow:3.2.2"


def test_digest_wins_over_the_tag() -> None:
    assert Images(tag="3.2.2", digest=samples.DIGEST).airflow == f"apache/airflow@{samples.DIGEST}"


@each("digest", [None, samples.DIGEST])
@each("registry", [None, MIRROR])
def test_task_pods_run_the_image_of_all_others(digest: str | None, registry: str | None) -> None:
    """The chart prints REPOSITORY:TAG for them, from two places, and knows no digest there."""
    images = Images(tag="3.2.2", digest=digest, registry=registry)
    values = images.chart_values()
    template = values["images"]["pod_template"]
    option = values["config"]["kubernetes_executor"]
    assert f"{template['repository']}:{template['tag']}" == images.airflow
    assert f"{option['worker_container_repository']}:{option['worker_container_tag']}" == images.airflow


@pytest.mark.parametrize("digest", [None, samples.DIGEST])
def test_chart_s_pods_run_that_image(digest: str | None) -> None:
    values = Images(tag="t", digest=digest, registry=MIRROR).chart_values()
    assert values["images"]["airflow"] == {
        "repository": f"{MIRROR}/apache/airflow",
        "tag": "t",
        "digest": digest,
        "pullPolicy": "IfNotPresent",
    }
    # What the chart's other templates fall back to.
    assert (values["defaultAirflowRepository"], values["defaultAirflowTag"]) == (f"{MIRROR}/apache/airflow", "t")


def test_pull_policy_and_pull_secrets_are_for_every_image() -> None:
    values = Images(tag="t", pull_policy="Always", pull_secrets=("one", "two")).chart_values()
    assert {image["pullPolicy"] for image in values["images"].values()} == {"Always"}
    assert set(values["images"]) == {"airflow", "pod_template", *CHART_IMAGES}
    assert values["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]


def test_tags_of_the_chart_s_other_images_are_the_chart_s() -> None:
    values = Images(tag="t").chart_values()
    for key, repository in CHART_IMAGES.items():
        assert values["images"][key] == {"repository": repository, "pullPolicy": "IfNotPresent"}
