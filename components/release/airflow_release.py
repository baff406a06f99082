"""The Helm release of the official Airflow chart.

It is a `helm.v3.Release`, not a `helm.v4.Chart`: Helm keeps its history, and the update waits until every pod is ready.
An update can be killed in the middle of Helm's work. Hooks before each create and update repair what it left behind,
and then watch the pods: Helm waits for them without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s

from components.chart_values.availability import component_labels
from components.chart_values.release_inputs import ReleaseInputs
from components.chart_values.running import Running, with_running
from components.chart_values.values import airflow_values
from components.chart_values.worker_groups import default_budget
from components.keys.jwt_keys import JWKS_VOLUME
from components.kube.client import KubeApi
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.release.helm_record import KubernetesRecords, repair_before_create, repair_before_update
from components.release.ready_watch import ReadyWatch
from components.user_values.user_values import with_helm_values

TYPE: Final = "airflow:index:AirflowRelease"

RELEASE_NAME: Final = "airflow"
"""Fixed, because the names of all Services and service accounts begin with it."""
API_SERVER_SERVICE: Final = f"{RELEASE_NAME}-api-server"
SCHEDULER_SERVICE_ACCOUNT: Final = f"{RELEASE_NAME}-scheduler"
TASK_SERVICE_ACCOUNTS: Final = (f"{RELEASE_NAME}-worker",)
"""Service accounts of task pods: the chart's template has that of the workers."""
_MAX_HISTORY = 10


@dataclass(frozen=True, kw_only=True)
class AirflowReleaseArgs:
    """Arguments of `AirflowRelease`."""

    namespace: pulumi.Input[str]
    """Namespace of the release."""
    chart: str
    """Path of the chart's archive, relative to the program."""
    inputs: ReleaseInputs
    """What decides the values."""
    helm_values: Mapping[str, Any] = field(repr=False)
    """The user's own values, checked by `user_values.problems`."""
    timeout_seconds: int
    """Time for all pods to become ready, in seconds; longer than a worker's warm shutdown (600 s)."""
    kubeconfig: str | None = field(repr=False)
    """Kubeconfig of the provider, for the repair of Helm's records."""
    kube_context: str
    """Context of the provider, for the repair of Helm's records."""
    running: Running = Running.ALL
    """How much of it runs."""
    protect: bool = False
    """Whether to refuse to delete the release, and so everything it depends on."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must exist, or Jobs that must have succeeded, before any pod changes."""


class AirflowRelease(pulumi.ComponentResource):
    """Helm release `airflow` of the official chart. The update waits until every pod is ready.

    Raises: nothing of its own. The update fails if a pod is not ready in time, and names it. It also fails if another
    stack or person installed a release of this name.
    Replaces: nothing; the release is upgraded in place, and each object rolls as its kind does.
    Survives a destroy: with `protect`, everything, because the destroy stops here. Otherwise the volumes of Redis and
    of workers that keep their own logs, until the namespace is deleted.
    """

    release: k8s.helm.v3.Release
    """The release; Pulumi waits until it is ready."""

    def __init__(self, name: str, args: AirflowReleaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)

        watch = ReadyWatch(lambda: KubeApi(args.kube_context, args.kubeconfig), RELEASE_NAME, self)

        def records(inputs: Mapping[str, Any]) -> KubernetesRecords:
            api = KubeApi(args.kube_context, args.kubeconfig)
            return KubernetesRecords(api, str(inputs["namespace"]), RELEASE_NAME)

        def before_create(hook: pulumi.ResourceHookArgs) -> None:
            inputs = hook.new_inputs or {}
            own = own_secrets(inputs["values"])
            _tell(repair_before_create(records(inputs), own, RELEASE_NAME, args.timeout_seconds), self)
            watch.start(str(inputs["namespace"]))

        def before_update(hook: pulumi.ResourceHookArgs) -> None:
            inputs = hook.new_inputs or {}
            own = [*own_secrets(inputs["values"]), *own_secrets((hook.old_inputs or {}).get("values") or {})]
            _tell(repair_before_update(records(inputs), own, RELEASE_NAME, args.timeout_seconds), self)
            watch.start(str(inputs["namespace"]))

        def on_error(hook: pulumi.ErrorHookArgs) -> bool:
            watch.failed(str((hook.new_inputs or {})["namespace"]))
            return False  # no retry

        values = airflow_values(args.inputs)
        budget: Any = default_budget(values, args.helm_values, component_labels(RELEASE_NAME, "worker"))
        budgets = [
            KubeObject(
                "policy/v1",
                "PodDisruptionBudget",
                f"{name}-default-workers",
                {"metadata": object_metadata(args.namespace), "spec": spec},
                pulumi.ResourceOptions(parent=self),
            )
            for spec in (budget,)
            if spec is not None
        ]
        self.release = k8s.helm.v3.Release(
            name,
            name=RELEASE_NAME,
            namespace=args.namespace,
            chart=args.chart,
            values=with_running(with_helm_values(values, args.helm_values), args.running),
            timeout=args.timeout_seconds,
            skip_await=False,
            # A failed release is kept, so that it can be inspected; the next update repairs it.
            atomic=False,
            cleanup_on_fail=False,
            max_history=_MAX_HISTORY,
            opts=pulumi.ResourceOptions(
                parent=self,
                # A destroy deletes first what nothing depends on: it must stop here, before all pods are gone.
                protect=args.protect,
                depends_on=[*args.after, *budgets],
                custom_timeouts=pulumi.CustomTimeouts(
                    create=f"{args.timeout_seconds + 60}s", update=f"{args.timeout_seconds + 60}s"
                ),
                hooks=pulumi.ResourceHookBinding(
                    before_create=[pulumi.ResourceHook(f"{name}-take-over", before_create)],
                    before_update=[pulumi.ResourceHook(f"{name}-unlock", before_update)],
                    on_error=[pulumi.ErrorHook(f"{name}-unready-pods", on_error)],
                ),
            ),
        )
        self.release.status.apply(lambda _: watch.stop())
        self.register_outputs({"name": RELEASE_NAME, "status": self.release.status.status})


def own_secrets(values: Mapping[str, Any]) -> list[str]:
    """Return the names in the values that only this stack can have given: those of its Secrets.

    Keys in Secrets of the team's own are left out, because an earlier release of that team may name them too. With such
    keys there is no set of them.
    """
    volumes = (values.get("apiServer") or {}).get("extraVolumes") or ()
    made = any(volume.get("name") == JWKS_VOLUME for volume in volumes)
    keys = ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName") if made else ()
    named = [*(values.get(key) for key in keys), (values.get("data") or {}).get("metadataSecretName")]
    return [str(name) for name in named if name]


def _tell(sentences: list[str], resource: pulumi.Resource) -> None:
    for sentence in sentences:
        pulumi.log.warn(sentence, resource)
