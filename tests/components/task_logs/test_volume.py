"""The volume of task logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from components.task_logs.store import AccessMode, TaskLogs, TaskLogStore
from components.task_logs.volume import TaskLogVolume, TaskLogVolumeArgs
from tests.samples import dev

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("mode", AccessMode)
def test_claim_has_its_size_mode_and_protection(record: Record, mode: AccessMode, protect: bool) -> None:
    logs = TaskLogs(store=TaskLogStore.VOLUME, storage_gib=7, access_mode=mode)
    recorder = record(lambda: TaskLogVolume("logs", TaskLogVolumeArgs(namespace="ns", logs=logs, protect=protect)))
    claim = recorder.one("kubernetes:core/v1:PersistentVolumeClaim")
    assert claim.inputs["spec"] == {
        "accessModes": [mode.value],
        "resources": {"requests": {"storage": "7Gi"}},
    }
    assert claim.protected is protect
    assert claim.inputs["metadata"]["namespace"] == "ns"
    assert recorder.outputs[recorder.one("airflow:index:TaskLogVolume").urn]["claim"].startswith("logs-")


@pytest.mark.parametrize("storage_class", ["efs-sc", "nfs.csi", None])
def test_claim_has_its_storage_class_or_none(record: Record, storage_class: str | None) -> None:
    logs = TaskLogs(
        store=TaskLogStore.VOLUME,
        storage_gib=7,
        access_mode=AccessMode.READ_WRITE_MANY,
        storage_class=storage_class,
    )
    recorder = record(lambda: TaskLogVolume("logs", TaskLogVolumeArgs(namespace="ns", logs=logs, protect=False)))
    assert (
        recorder.one("kubernetes:core/v1:PersistentVolumeClaim").inputs["spec"].get("storageClassName") == storage_class
    )


def test_claim_goes_with_the_namespace_because_the_pod_of_a_task_may_hold_it(
    registered: Callable[..., Recorder],
) -> None:
    found = registered(dev())
    claim = next(item for item in found.every("kubernetes:core/v1:PersistentVolumeClaim") if "logs" in item.urn)
    assert claim.request.deletedWith == found.one("kubernetes:core/v1:Namespace").urn


def test_claim_is_not_waited_for(record: Record) -> None:
    """With Kind's storage class it is bound when a pod mounts it, and the first pod comes after it."""
    logs = TaskLogs(store=TaskLogStore.VOLUME, storage_gib=7, access_mode=AccessMode.READ_WRITE_ONCE)
    recorder = record(lambda: TaskLogVolume("logs", TaskLogVolumeArgs(namespace="ns", logs=logs, protect=False)))
    claim = recorder.one("kubernetes:core/v1:PersistentVolumeClaim")
    assert claim.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
