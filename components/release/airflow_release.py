"""The official Helm release of Airflow.

`helm.v3.Release`, not `helm.v4.Chart`: Helm keeps its history, and the update waits until every pod is ready. What a
release must not be interrupted in, it may be: before each create and update, what an interrupted one left is mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as k8s

from components.kube.client import KubeApi
from components.kube.unready_pods import why_unready
from components.release.helm_record import repair_before_create, repair_before_update
from components.release.kubernetes_records import KubernetesRecords
from components.release.user_values import with_helm_values
from components.release.values import ReleaseInputs, airflow_values

TYPE: Final = "airflow:index:AirflowRelease"

RELEASE_NAME: Final = "airflow"
"""Fixed: the names of all Services and service accounts begin with it, and a generated one would move them."""
API_SERVER_SERVICE: Final = f"{RELEASE_NAME}-api-server"
SCHEDULER_SERVICE_ACCOUNT: Final = f"{RELEASE_NAME}-scheduler"
_MAX_HISTORY = 10


@dataclass(frozen=True, kw_only=True)
class AirflowReleaseArgs:
    """Arguments of `AirflowRelease`.

    namespace: of the release.
    chart: path of the chart's archive, relative to the program.
    inputs: what decides the values.
    helm_values: the user's own values, checked by `user_values.problems`.
    timeout_seconds: for all pods to become ready; longer than a worker's warm shutdown (600 s).
    kubeconfig, kube_context: the cluster of the provider, for the repair of Helm's record.
    protect: refuse to delete the release, and with it whatever it depends on.
    after: what must be there, or have succeeded, before any pod changes.
    """

    namespace: pulumi.Input[str]
    chart: str
    inputs: ReleaseInputs
    helm_values: Mapping[str, Any]
    timeout_seconds: int
    kubeconfig: str | None
    kube_context: str
    protect: bool = False
    after: tuple[pulumi.Resource, ...] = ()


class AirflowRelease(pulumi.ComponentResource):
    """Helm release `airflow` of the official chart, waited for until every pod is ready.

    Raises: nothing of its own. The update fails when a pod is not ready in time, and names it; and when a release of
    this name is there that another stack or person installed.
    Replaces: nothing; the release is upgraded in place, and each object rolls as its kind does.
    Survives a destroy: with `protect`, everything, because the destroy stops here; else the volumes of Redis and of
    workers that keep their own logs, until the namespace goes.
    """

    release: k8s.helm.v3.Release
    """The release, ready."""

    def __init__(self, name: str, args: AirflowReleaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)

        def records(inputs: Mapping[str, Any]) -> KubernetesRecords:
            api = KubeApi(args.kube_context, args.kubeconfig)
            return KubernetesRecords(api, str(inputs["namespace"]), RELEASE_NAME)

        def before_create(hook: pulumi.ResourceHookArgs) -> None:
            inputs = hook.new_inputs or {}
            own = own_secrets(inputs["values"])
            _tell(repair_before_create(records(inputs), own, RELEASE_NAME), self)

        def before_update(hook: pulumi.ResourceHookArgs) -> None:
            _tell(repair_before_update(records(hook.new_inputs or {}), RELEASE_NAME), self)

        def on_error(hook: pulumi.ErrorHookArgs) -> bool:
            try:
                namespace = str((hook.new_inputs or {})["namespace"])
                pods = KubeApi(args.kube_context, args.kubeconfig).items(
                    "v1", "Pod", namespace, labels={"release": RELEASE_NAME}
                )
                sentences = [unready.sentence for pod in pods if (unready := why_unready(pod)) is not None]
            except Exception as error:  # the failure itself is the engine's to tell; this only adds to it
                sentences = [f"the cluster did not say which pods are not ready ({type(error).__name__})"]
            _tell(sentences, self)
            return False  # the engine is not to try again

        self.release = k8s.helm.v3.Release(
            name,
            name=RELEASE_NAME,
            namespace=args.namespace,
            chart=args.chart,
            values=with_helm_values(airflow_values(args.inputs), args.helm_values),
            timeout=args.timeout_seconds,
            skip_await=False,
            # Left in place, what failed can be looked at, and the next update mends it; rolled back, it would be gone.
            atomic=False,
            cleanup_on_fail=False,
            max_history=_MAX_HISTORY,
            opts=pulumi.ResourceOptions(
                parent=self,
                # A destroy deletes what nothing depends on first: it must stop here, and not when all pods are gone.
                protect=args.protect,
                depends_on=args.after,
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
        self.register_outputs({"name": RELEASE_NAME, "status": self.release.status.status})


def own_secrets(values: Mapping[str, Any]) -> list[str]:
    """Names in the values that only this stack can have given: those of its key Secrets."""
    return [str(values[key]) for key in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")]


def _tell(sentences: list[str], resource: pulumi.Resource) -> None:
    for sentence in sentences:
        pulumi.log.warn(sentence, resource)
