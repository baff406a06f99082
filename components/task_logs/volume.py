"""The volume that keeps task logs when pods are replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.task_logs.store import TaskLogs

TYPE: Final = "airflow:index:TaskLogVolume"


@dataclass(frozen=True, kw_only=True)
class TaskLogVolumeArgs:
    """Arguments of `TaskLogVolume`."""

    namespace: pulumi.Input[str]
    """Namespace of the claim."""
    logs: TaskLogs
    """Size, access mode and storage class of the volume."""
    protect: bool
    """Whether to refuse to delete the volume."""
    deleted_with: pulumi.Resource | None = None
    """The namespace: a destroy leaves the volume to it. The pod of a task that has ended holds the claim, and is itself
    deleted with the namespace alone once no scheduler runs."""
    opened: pulumi.ResourceHook | None = None
    """Hook that lets a pod use the claim, so that the volume is made; None leaves that to the pods of the release."""


class TaskLogVolume(pulumi.ComponentResource):
    """The volume on which all components write and read task logs.

    Raises: nothing of its own. Pods stay pending if the storage class lacks the access mode.
    Replaces: another access mode or storage class makes another, empty volume; a larger size grows it if the storage
    class allows.
    Survives a destroy: nothing, unless `protect` is set. The volume is deleted with its claim.
    """

    claim: pulumi.Output[str]
    """Name of the PersistentVolumeClaim."""

    def __init__(self, name: str, args: TaskLogVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        size = {"storage": f"{args.logs.storage_gib}Gi"}
        claim = KubeObject(
            "v1",
            "PersistentVolumeClaim",
            name,
            {
                # Bound when the first pod is scheduled; waiting here would never end.
                "metadata": object_metadata(args.namespace, skip_await=True),
                "spec": {
                    "accessModes": [args.logs.access_mode.value],
                    "resources": {"requests": size},
                    **({"storageClassName": args.logs.storage_class} if args.logs.storage_class is not None else {}),
                },
            },
            pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                deleted_with=args.deleted_with,
                hooks=pulumi.ResourceHookBinding(after_create=[args.opened]) if args.opened is not None else None,
            ),
        )
        self.claim = claim.name
        self.register_outputs({"claim": self.claim})
