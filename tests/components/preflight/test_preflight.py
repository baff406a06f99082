"""The component: what is checked when, and what a hook does with the findings."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pytest

from automation.plan.recorder import UNKNOWN
from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.executor import Executor
from components.chart_values.values import airflow_values
from components.preflight import judgement, preflight
from components.preflight.checks import DOCUMENT, cluster_document
from components.preflight.finding import Finding, Preflight, PreflightFailedError, failed, passed, skipped
from components.preflight.other_pods import images_pod
from components.preflight.preflight import ClusterPreflight, ClusterPreflightArgs
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

GIT: Final = {"kind": "git", "about": {"host": "git.test", "url": "u"}, "pod": {}, "patience": {}}
OUTAGE: Final = failed("DAG repository", "airflow:dagsRepository: expected x, found y", "z", outage=True)
WRONG: Final = failed("DAG repository", "airflow:dagsRef: expected x, found y", "z")


def checks(mode: Preflight = Preflight.REQUIRED, document: Mapping[str, Any] = GIT) -> Callable[[], None]:
    def program() -> None:
        args = ClusterPreflightArgs(
            namespace="ns",
            mode=mode,
            release_name="airflow",
            kubeconfig=None,
            kube_context="c",
            secrets=("sentinel-token",),
        )
        ClusterPreflight("p", args).check(document)

    return program


class Api:
    """A cluster with or without a running release, and with what was checked before."""

    def __init__(self, *, runs: bool, host: str = "") -> None:
        document = json.dumps({**GIT, "about": {"host": host}})
        self.found: dict[str, list[Any]] = {
            "Secret": [{}] if runs else [],
            "ConfigMap": [{"data": {DOCUMENT: document}}] if host else [],
        }

    def items(self, api_version: str, kind: str, namespace: str, **selectors: Any) -> list[Any]:
        return self.found[kind]


@pytest.fixture
def hooked(record: Record, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Runs the hook with given findings, and returns what it warns of, with the resource that the warning is about."""
    warned: list[str] = []

    def warn(text: str, about: pulumi.Resource) -> None:
        warned.append(f"{about.pulumi_resource_name}: {text}")

    monkeypatch.setattr(pulumi.log, "warn", warn)
    monkeypatch.setattr(pulumi.log, "info", lambda *_: None)
    monkeypatch.setattr(preflight, "_die_when_interrupted", lambda: None)

    def run(
        *findings: Finding, mode: Preflight = Preflight.REQUIRED, runs: bool = False, earlier_host: str = ""
    ) -> list[str]:
        monkeypatch.setattr(preflight, "KubeApi", lambda *_: Api(runs=runs, host=earlier_host))
        monkeypatch.setattr(judgement, "made", lambda *_: findings)
        recorder = record(checks(mode))
        inputs = {"metadata": {"namespace": "ns"}, "data": {DOCUMENT: json.dumps(GIT)}}
        hook: Any = recorder.hooks[f"p-{GIT['kind']}-check"]
        arguments = SimpleNamespace(new_inputs=inputs, old_inputs=None, urn="urn:pulumi:dev::airflow::t::n")
        asyncio.get_event_loop().run_until_complete(hook(arguments))
        return warned

    return run


def test_each_document_is_a_config_map_with_a_hook_before_it_is_written(record: Record) -> None:
    recorder = record(checks(document=cluster_document({"apis": []})))
    found = recorder.one("kubernetes:core/v1:ConfigMap", "p-cluster")
    assert json.loads(found.inputs["data"][DOCUMENT]) == {"kind": "cluster", "needs": {"apis": []}}
    hooks = found.request.hooks
    assert list(hooks.before_create) == list(hooks.before_update) == ["p-cluster-check"]


def test_document_is_text_with_what_its_outputs_come_to_and_unknown_while_one_is(record: Record) -> None:
    def text(urls: Any, *, preview: bool = False) -> Any:
        def program() -> None:
            given = [pulumi.Output.from_input(urls), ("plain", None)]
            checks(document={**GIT, "about": {"host": pulumi.Output.from_input("git.test"), "urls": given}})()

        return record(program, preview=preview).one("kubernetes:core/v1:ConfigMap").inputs["data"][DOCUMENT]

    found = text({"one": [1, "é"]})
    assert json.loads(found)["about"] == {"host": "git.test", "urls": [{"one": [1, "é"]}, ["plain", None]]}
    assert found == json.dumps(json.loads(found), sort_keys=True)
    assert text(pulumi.UNKNOWN, preview=True) == UNKNOWN


def test_failure_ends_the_update_and_success_does_not(hooked: Callable[..., list[str]]) -> None:
    assert hooked(passed("a", "b"), skipped("c", "d")) == []
    with pytest.raises(PreflightFailedError, match=r"airflow:dagsRef: expected x, found y\. Fix: z"):
        hooked(WRONG, OUTAGE)


def test_git_host_that_is_down_stops_no_running_stack(hooked: Callable[..., list[str]]) -> None:
    assert hooked(OUTAGE, runs=True, earlier_host="git.test") == [f"p-git: could not be checked: {OUTAGE}"]
    with pytest.raises(PreflightFailedError):
        hooked(WRONG, runs=True, earlier_host="git.test")


def test_git_host_that_never_answered_is_a_mistake(hooked: Callable[..., list[str]]) -> None:
    with pytest.raises(PreflightFailedError):
        hooked(OUTAGE, runs=True, earlier_host="another.test")
    with pytest.raises(PreflightFailedError):
        hooked(OUTAGE)


def test_stack_that_was_deployed_without_checks_is_not_stopped_by_an_outage(hooked: Callable[..., list[str]]) -> None:
    assert hooked(OUTAGE, runs=True) == [f"p-git: could not be checked: {OUTAGE}"]


def test_check_that_an_outage_left_unmade_is_told_apart_from_one_that_may_not_be_made(
    hooked: Callable[..., list[str]],
) -> None:
    late = skipped("DAG repository", "not seen in time", outage=True)
    assert hooked(late, skipped("quotas", "forbidden")) == [
        "p-git: could not be checked: DAG repository: not seen in time"
    ]


def test_issuer_that_is_down_stops_no_stack_that_logged_in_by_it(
    hooked: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GIT, "kind", "login")
    assert hooked(OUTAGE, runs=True, earlier_host="git.test") == [f"p-login: could not be checked: {OUTAGE}"]
    for earlier in ("another.test", ""):
        with pytest.raises(PreflightFailedError):
            hooked(OUTAGE, runs=True, earlier_host=earlier)


def test_wanted_checks_only_warn(hooked: Callable[..., list[str]]) -> None:
    assert hooked(WRONG, mode=Preflight.WANTED) == [f"p: {WRONG}"]


def test_every_image_is_pulled_once(record: Record) -> None:
    values = merged(chart_values(), airflow_values(samples.release_inputs()))
    images = samples.release_inputs().images
    for executor, container, pooler, names in (
        (Executor.CELERY, True, True, ["airflow", "postgres", "statsd", "redis", "pgbouncer", "pgbouncerexporter"]),
        (Executor.KUBERNETES, False, False, ["airflow", "statsd"]),
    ):
        pod = images_pod(values, images, executor, container_database=container, pgbouncer=pooler, said={}, needs=())
        assert [item["name"] for item in pod["spec"]["containers"]] == names


def test_image_of_redis_is_not_pulled_where_none_runs(record: Record) -> None:
    inputs = replace(samples.release_inputs(), own_redis=False)
    values = merged(chart_values(), airflow_values(inputs))
    pod = images_pod(
        values, inputs.images, Executor.CELERY, container_database=False, pgbouncer=False, said={}, needs=()
    )
    assert [item["name"] for item in pod["spec"]["containers"]] == ["airflow", "statsd"]


def test_images_are_tried_beside_the_look_at_the_cluster_and_after_it_where_a_quota_counts_pods(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def made(_api: Any, _namespace: str, text: str, *_: Any) -> tuple[Finding, ...]:
        kind = json.loads(text)["kind"]
        if kind == "cluster":
            order.append("cluster begins")
            begun.wait(0.1 if quota else 10)
        begun.set()
        order.append(kind)
        return ()

    def program() -> None:
        args = ClusterPreflightArgs(
            namespace="ns", mode=Preflight.REQUIRED, release_name="airflow", kubeconfig=None, kube_context="c"
        )
        checks = ClusterPreflight("p", args)
        checks.check(cluster_document({}))
        checks.check({**GIT, "kind": "images"})

    async def both(recorder: Recorder) -> None:
        for kind in ("cluster", "images"):
            inputs = {"metadata": {"namespace": "ns"}, "data": {DOCUMENT: json.dumps({"kind": kind})}}
            given = SimpleNamespace(new_inputs=inputs, old_inputs=None, urn="urn:pulumi:dev::airflow::t::n")
            hook: Any = recorder.hooks[f"p-{kind}-check"]
            hooks.append(asyncio.ensure_future(hook(given)))
        await asyncio.gather(*hooks)

    monkeypatch.setattr(judgement, "made", made)
    quotas: list[list[Any]] = [[], [{}]]
    for quota, expected in zip(
        quotas, (["cluster begins", "images", "cluster"], ["cluster begins", "cluster", "images"]), strict=True
    ):
        order.clear()
        begun, hooks = threading.Event(), list[Any]()
        api = SimpleNamespace(items=lambda *_, quota=quota, **__: quota)
        monkeypatch.setattr(preflight, "KubeApi", lambda *_, api=api: api)
        asyncio.get_event_loop().run_until_complete(both(record(program)))
        assert order == expected
