"""A pod that mounts a new volume and does nothing, so that the volume is made while other things start.

Many storage classes make a volume only when the first pod that mounts it has a node (`WaitForFirstConsumer`), which
takes seconds. The pods that need it would wait for that.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.kube.client import KubeApi
from components.kube.job_pod import JobPod
from components.kube.kubeconfig import KubeUnreachable
from components.kube.metadata import LABELS
from components.kube.pod_security import NOBODY_UID, followed, pod_security_context
from components.kube.rest import KubeRequestFailed
from components.platform_args import AirflowPlatformArgs
from components.preflight.pod_run import PodEnd, WaitLimits, run_pod
from components.preflight.pods import small_container
from components.release.job_pods import job_pod

THREAD: Final = "first-pod"
"""Name of the thread that runs the pod."""
_LABELS: Final = {"tier": "airflow", "component": "first-pod"}
"""No network policy admits it to anything."""
_LIMITS: Final = WaitLimits(node_seconds=30, image_seconds=0, run_seconds=0)
"""The volume is there once the node has begun with the pod. Its image does not matter."""


def first_pod(args: AirflowPlatformArgs, name: str) -> pulumi.ResourceHook:
    """Return the hook for the creation of a claim of the platform. `name` is that of the claim."""
    pod = FirstPod(
        kubeconfig=args.kubeconfig,
        kube_context=args.kube_context,
        image=args.images.airflow,
        pod=job_pod(args.helm_values),
    )
    return pod.hook(name)


@dataclass(frozen=True, kw_only=True)
class FirstPod:
    """Where the pod runs, and what it is made from."""

    kubeconfig: str | None = field(repr=False)
    """Kubeconfig of the provider."""
    kube_context: str
    """Context of the provider."""
    image: str
    """An image that the pods of the release have too."""
    pod: JobPod
    """What a team says of the pods of Jobs."""

    def hook(self, name: str, run: Callable[..., PodEnd] = run_pod) -> pulumi.ResourceHook:
        """Return a hook for the creation of a claim. Nothing waits for the pod, and its failure is none."""

        def opened(namespace: str, claim: str) -> None:
            with contextlib.suppress(KubeRequestFailed, KubeUnreachable):
                run(KubeApi(self.kube_context, self.kubeconfig), namespace, self._mounting(claim), _LIMITS)

        async def after_create(hook: pulumi.ResourceHookArgs) -> None:
            metadata = (hook.new_outputs or {})["metadata"]
            names = (str(metadata["namespace"]), str(metadata["name"]))
            threading.Thread(target=opened, args=names, name=THREAD, daemon=True).start()

        return pulumi.ResourceHook(f"{name}-first-pod", after_create)

    def _mounting(self, claim: str) -> Mapping[str, Any]:
        return {
            "metadata": {"labels": {**self.pod.labels, **LABELS, **_LABELS}},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": followed(pod_security_context(NOBODY_UID), self.pod.security),
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        **small_container("first", self.image),
                        "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
                    }
                ],
                "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}],
                **self.pod.placement,
            },
        }
