"""The Helm release: its fixed name, what it waits for, and what happens around a create, an update and a failure."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_random as random
import pytest

from components.chart_values.values import airflow_values
from components.release import airflow_release
from components.release.airflow_release import AirflowRelease, AirflowReleaseArgs, own_secrets
from components.release.helm_record import ForeignReleaseError, encode
from components.release.ready_watch import ReadyWatch
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder, Registration

    Record = Callable[..., Recorder]

RELEASE: Final = "kubernetes:helm.sh/v3:Release"


def release(
    *, timeout_seconds: int = 900, helm_values: Mapping[str, Any] | None = None, after: tuple[pulumi.Resource, ...] = ()
) -> Callable[[], AirflowRelease]:
    args = AirflowReleaseArgs(
        namespace="ns",
        chart="./.charts/chart.tgz",
        inputs=samples.release_inputs(),
        helm_values=helm_values or {},
        timeout_seconds=timeout_seconds,
        kubeconfig="/etc/kubeconfig",
        kube_context="the-context",
        after=after,
    )
    return lambda: AirflowRelease("rel", args)


def made(recorder: Recorder) -> Registration:
    return recorder.one(RELEASE)


def test_name_is_fixed_because_all_names_begin_with_it(record: Record) -> None:
    assert made(record(release())).inputs["name"] == "airflow"
    assert airflow_release.API_SERVER_SERVICE == "airflow-api-server"
    assert airflow_release.SCHEDULER_SERVICE_ACCOUNT == "airflow-scheduler"


def test_chart_is_the_archive_and_no_repository_is_asked(record: Record) -> None:
    inputs = made(record(release())).inputs
    assert inputs["chart"] == "./.charts/chart.tgz"
    assert not {"repositoryOpts", "version", "devel", "dependencyUpdate"} & set(inputs)
    assert inputs["namespace"] == "ns"
    assert not inputs.get("createNamespace")


def test_update_waits_until_every_pod_is_ready_and_leaves_what_failed(record: Record) -> None:
    inputs = made(record(release(timeout_seconds=777))).inputs
    assert inputs["timeout"] == 777
    assert inputs["skipAwait"] is False
    assert inputs["atomic"] is False, "rolled back, the reason would be gone"
    assert inputs["cleanupOnFail"] is False
    assert not inputs.get("forceUpdate")
    assert not inputs.get("replace")
    assert 1 < inputs["maxHistory"] <= 20


def test_engine_gives_up_after_helm_has(record: Record) -> None:
    timeouts = made(record(release(timeout_seconds=777))).request.customTimeouts
    for text in (timeouts.create, timeouts.update):
        assert int(text.removesuffix("s")) > 777


def test_release_waits_for_what_must_be_before_it(record: Record) -> None:
    def program() -> None:
        release(after=(random.RandomId("job", byte_length=1),))()

    recorder = record(program)
    assert list(made(recorder).request.dependencies) == [recorder.one("random:index/randomId:RandomId").urn]


def test_values_are_the_program_s_with_the_user_s_on_top(record: Record) -> None:
    users: dict[str, Any] = {
        "scheduler": {"resources": {"limits": {"memory": "2Gi"}}},
        "env": [{"name": "X", "value": "y"}],
    }
    values = made(record(release(helm_values=users))).inputs["values"]
    own = airflow_values(samples.release_inputs())
    assert values["scheduler"]["resources"] == users["scheduler"]["resources"]
    assert values["scheduler"]["env"] == own["scheduler"]["env"]
    assert values["env"] == [*own["env"], {"name": "X", "value": "y"}]
    assert values["executor"] == "CeleryExecutor"


def test_update_in_place_never_replaces_or_recreates(record: Record) -> None:
    request = made(record(release())).request
    assert not request.deleteBeforeReplace
    assert list(request.ignoreChanges) == []
    assert not request.protect, "the namespace is; a release holds no data of its own"


# Hooks


class FakeApi:
    """A cluster with records of a release that the engine's Helm has made, and pods."""

    now = 0.0

    def __init__(self, records: dict[str, tuple[str, str]], pods: list[dict[str, Any]] | None = None) -> None:
        self.records = {
            name: encode(
                {
                    "version": number,
                    "info": {"status": status},
                    "config": {"fernetKeySecretName": fernet_key},
                    "manifest": "",
                }
            )
            for number, (name, (status, fernet_key)) in enumerate(records.items(), 1)
        }
        self.pods = pods or []
        self.deployments: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.written: dict[str, str] = {}

    def items(self, api_version: str, kind: str, namespace: str, **selectors: Any) -> list[dict[str, Any]]:
        if kind != "Secret":
            assert (namespace, selectors) == ("ns", {})
            return {"Pod": self.pods, "Deployment": self.deployments}.get(kind, [])
        self.asked.append(namespace)
        engine = {"managedFields": [{"manager": "pulumi-kubernetes"}]}
        return [
            {"metadata": {"name": name, **engine}, "data": {"release": data}} for name, data in self.records.items()
        ]

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        assert namespace == "ns"
        del self.records[name]

    def merge(self, api_version: str, kind: str, namespace: str, name: str, changes: dict[str, Any]) -> None:
        assert namespace == "ns"
        self.written[name] = changes["metadata"]["labels"]["status"]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hooks tell the user."""
    sentences: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_, **__: sentences.append(text))
    return sentences


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The namespaces in which a watch was started, instead of a thread."""
    namespaces: list[str] = []
    monkeypatch.setattr(ReadyWatch, "start", lambda _, namespace: namespaces.append(namespace))
    return namespaces


def cluster(monkeypatch: pytest.MonkeyPatch, api: FakeApi) -> list[tuple[str | None, str]]:
    """Puts `api` behind every way to the cluster; returns the ways that were asked for."""
    ways: list[tuple[str | None, str]] = []

    def kube_api(context: str, kubeconfig: str | None) -> FakeApi:
        ways.append((kubeconfig, context))
        return api

    monkeypatch.setattr(airflow_release, "KubeApi", kube_api)
    return ways


def call(recorder: Recorder, name: str) -> Any:
    """Calls a hook as the engine would before or after the step of the release."""
    resource = made(recorder)
    hook = recorder.hooks[name]
    common: dict[str, Any] = {"urn": resource.urn, "id": "ns/airflow", "name": resource.name, "type": resource.type}

    async def called() -> Any:
        # The engine's calls come in the program's event loop.
        if isinstance(hook, pulumi.ErrorHook):
            answer: Any = hook(pulumi.ErrorHookArgs(**common, new_inputs=resource.inputs, failed_operation="update"))
        else:
            answer = hook(pulumi.ResourceHookArgs(**common, new_inputs=resource.inputs))
        return await answer if inspect.isawaitable(answer) else answer

    return asyncio.get_event_loop().run_until_complete(called())


def test_hooks_are_bound_to_their_steps_and_no_other(record: Record) -> None:
    recorder = record(release())
    hooks = made(recorder).request.hooks
    assert list(hooks.before_create) == ["rel-take-over"]
    assert list(hooks.before_update) == ["rel-unlock"]
    assert list(hooks.on_error) == ["rel-unready-pods"]
    assert not [*hooks.after_create, *hooks.after_update, *hooks.before_delete, *hooks.after_delete]
    assert set(recorder.hooks) == {"rel-take-over", "rel-unlock", "rel-unready-pods"}


def test_no_hook_runs_in_a_preview(record: Record) -> None:
    for hook in record(release()).hooks.values():
        if isinstance(hook, pulumi.ResourceHook):
            assert hook.opts is None or not hook.opts.on_dry_run


def test_cluster_is_asked_only_when_a_hook_runs(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = cluster(monkeypatch, FakeApi({}))
    record(release())
    assert ways == []


def test_create_takes_over_what_an_interrupted_one_left(
    record: Record, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    api = FakeApi({"sh.helm.release.v1.airflow.v1": ("pending-install", "fernet-1")})
    ways = cluster(monkeypatch, api)
    call(record(release()), "rel-take-over")
    assert api.records == {}
    assert api.asked == ["ns"]
    assert ways == [("/etc/kubeconfig", "the-context")], "the provider's cluster, never the current context"
    assert len(told) == 1
    assert "took over" in told[0]


def test_create_refuses_the_release_of_somebody_else(
    record: Record, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    api = FakeApi({"sh.helm.release.v1.airflow.v1": ("deployed", "another-stack-s")})
    cluster(monkeypatch, api)
    recorder = record(release())
    with pytest.raises(ForeignReleaseError):
        call(recorder, "rel-take-over")
    assert len(api.records) == 1
    assert told == []


def test_first_create_finds_nothing_to_do(
    record: Record, monkeypatch: pytest.MonkeyPatch, told: list[str], watched: list[str]
) -> None:
    cluster(monkeypatch, FakeApi({}))
    call(record(release()), "rel-take-over")
    assert told == []
    assert watched == ["ns"]


def test_pods_are_watched_while_helm_waits(record: Record, monkeypatch: pytest.MonkeyPatch, watched: list[str]) -> None:
    cluster(monkeypatch, FakeApi({}))
    call(record(release()), "rel-unlock")
    assert watched == ["ns"]


def test_update_unlocks_a_release_that_an_interrupted_one_left_pending(
    record: Record, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    api = FakeApi(
        {
            "sh.helm.release.v1.airflow.v1": ("deployed", "fernet-1"),
            "sh.helm.release.v1.airflow.v2": ("pending-upgrade", "fernet-1"),
        }
    )
    ways = cluster(monkeypatch, api)
    call(record(release()), "rel-unlock")
    assert api.written == {
        "sh.helm.release.v1.airflow.v1": "superseded",
        "sh.helm.release.v1.airflow.v2": "deployed",
    }
    assert ways == [("/etc/kubeconfig", "the-context")]
    assert len(told) == 1


def test_failure_names_the_pods_that_are_not_ready_and_is_not_tried_again(
    record: Record, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    owner = {"kind": "ReplicaSet", "name": "airflow-scheduler-5d9c"}
    metadata = {"name": "airflow-scheduler-1", "labels": {"pod-template-hash": "5d9c"}, "ownerReferences": [owner]}
    status = {"containerStatuses": [{"name": "scheduler", "ready": False, "state": {"waiting": waiting}}]}
    api = FakeApi({}, [{"metadata": metadata, "status": status}])
    api.deployments = [
        {"metadata": {"name": f"airflow-{name}", "labels": labels}, "spec": {}, "status": {"readyReplicas": ready}}
        for name, labels, ready in (
            ("scheduler", {"release": "airflow"}, 0),
            ("triggerer", {"release": "airflow"}, 1),
            ("of-somebody-else", {}, 0),
        )
    ]
    api.deployments[1]["status"] |= {"replicas": 1, "updatedReplicas": 1}
    cluster(monkeypatch, api)
    assert call(record(release()), "rel-unready-pods") is False
    assert len(told) == 1
    assert "airflow-scheduler-1" in told[0]
    assert "no such image" in told[0]


def test_failure_stays_the_one_to_tell_where_the_cluster_does_not_answer(
    record: Record, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    def refused(*_: object) -> object:
        raise ConnectionRefusedError("sentinel")

    monkeypatch.setattr("components.release.airflow_release.KubeApi", refused)
    assert call(record(release()), "rel-unready-pods") is False
    assert told == ["the cluster did not say which pods are not ready (ConnectionRefusedError)"]


def test_own_secrets_are_names_that_only_this_stack_gave() -> None:
    found = own_secrets(airflow_values(samples.release_inputs()))
    assert found == ["fernet-1", "api-secret-1", "jwt-1", "metadata-1"]


def test_secrets_of_the_team_prove_nothing_about_whose_a_release_is() -> None:
    inputs = samples.release_inputs()
    values = airflow_values(replace(inputs, keys=replace(inputs.keys, jwks=None, jwt_key_id=None)))
    assert own_secrets(values) == ["metadata-1"]


def test_outputs_say_what_became_of_it(record: Record) -> None:
    recorder = record(release())
    outputs = recorder.outputs[recorder.one("airflow:index:AirflowRelease").urn]
    assert outputs == {"name": "airflow", "status": "deployed"}
