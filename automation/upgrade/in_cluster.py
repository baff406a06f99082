"""The part of an upgrade that works in the stack's cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from automation.cluster import paused
from automation.cluster.client import cluster_errors
from automation.cluster.templates import migration_template, processor_template
from automation.errors import AutomationError, ClusterRequestFailed, NotHealthy
from automation.stages.writers import AIRFLOW
from automation.upgrade import trial
from automation.upgrade.pods import AFTER, BEFORE, DOWNGRADE, downgrade_pod, trial_pod, with_tag
from automation.upgrade.trial import Trial
from automation.wait import Clock, reminding, wait_for
from components.kube.client import KubeApi
from components.preflight.pod_run import WaitLimits, run_pod

_LIMITS: Final = WaitLimits(node_seconds=120, image_seconds=900, run_seconds=1200)
"""An image of a team may be large, and a repository may have hundreds of DAGs."""
_LABEL: Final = "airflow-upgrade"
_LOG_LINES: Final = 20_000
_WRITERS_SECONDS: Final = 180.0
"""A triggerer has 60 s to end, and the others less."""
_INTERVAL_SECONDS: Final = 3.0
_REVISION: Final = (
    "from airflow.configuration import conf; from sqlalchemy import create_engine, text; "
    "print(create_engine(conf.get('database', 'sql_alchemy_conn')).connect()"
    ".execute(text('SELECT version_num FROM alembic_version')).scalar_one())"
)


class UpgradeCluster:
    """The namespace of a stack. Every method may raise ClusterUnreachable or ClusterRequestFailed."""

    def __init__(
        self,
        api: KubeApi,
        namespace: str,
        clock: Clock,
        on_line: Callable[[str], object],
        clean: Callable[[str], str],
    ) -> None:
        """Ask nothing yet. on_line: is told what is waited for. clean: masks secrets in what pods wrote."""
        self._api, self._namespace, self._clock, self._on_line = api, namespace, clock, on_line
        self._clean = clean

    @cluster_errors()
    def version(self) -> str:
        """Return the version of Kubernetes."""
        return self._api.version()

    @cluster_errors()
    def try_image(self, tag: str) -> tuple[Trial, Trial]:
        """Return what the running image and the new one tell."""
        logs = self._run(trial_pod(processor_template(self._api, self._namespace), tag))
        return trial.read(logs[BEFORE], self._clean), trial.read(logs[AFTER], self._clean)

    def way_back(self, tag: str, version: str) -> Trial:
        """Return the migration that the database is at, and the one of an older Airflow. tag: of the newer image."""
        return self._downgrade(tag, version, "look")

    def downgrade(self, tag: str, version: str) -> None:
        """Take the database back to an older Airflow, unless it is there. tag: of the newer image."""
        self._downgrade(tag, version, "do")

    @cluster_errors()
    def _downgrade(self, tag: str, version: str, mode: str) -> Trial:
        template = migration_template(self._api, self._namespace)
        logs = self._run(downgrade_pod(template, tag, version, mode=mode))
        return trial.read(logs[DOWNGRADE], self._clean)

    def _run(self, pod: Mapping[str, Any]) -> Mapping[str, str]:
        """Run a pod to its good end, and return what its containers wrote."""
        end = run_pod(
            self._api,
            self._namespace,
            pod,
            _LIMITS,
            label=_LABEL,
            sleep=reminding(self._clock, self._on_line, "the pod that tries the image has not ended"),
            log_lines=_LOG_LINES,
        )
        if end.problem:
            raise ClusterRequestFailed(
                f"a pod of the image did not finish: {self._clean(end.problem)}", "correct that; then run it again"
            )
        return end.logs

    @cluster_errors()
    def pause(self) -> None:
        """Stop what writes to the database by itself. Raises NotHealthy if it does not end."""
        left = paused.pause(
            self._api, self._namespace, seconds=_WRITERS_SECONDS, clock=self._clock, on_line=self._on_line
        )
        if left:
            raise NotHealthy(
                f"these pods did not end: {', '.join(left)}", f"kubectl delete pod {' '.join(left)}; then run it again"
            )

    @cluster_errors()
    def resume(self) -> None:
        """Start again what was stopped, unless something has started it since."""
        paused.resume(self._api, self._namespace)

    def until_updated(self, tag: str, seconds: float) -> None:
        """Wait until every pod of Airflow runs an image with this tag. Raises NotHealthy."""

        def others() -> list[str]:
            left = self.other_pods(tag)
            if left:
                self._on_line(f"waiting: pods of another image: {', '.join(left)}")
            return left

        left = wait_for(others, lambda found: not found, seconds=seconds, interval=_INTERVAL_SECONDS, clock=self._clock)
        if left:
            raise NotHealthy(
                f"these pods run another image: {', '.join(left)}", f"kubectl describe pod {left[0]} says why"
            )

    @cluster_errors()
    def other_pods(self, tag: str) -> list[str]:
        """Return the pods of Airflow that run another image and are not ending."""
        return [
            pod["metadata"]["name"]
            for pod in self._api.items("v1", "Pod", self._namespace, labels={"tier": "airflow"})
            if not pod["metadata"].get("deletionTimestamp")
            and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
            and any(
                container["name"] in AIRFLOW and with_tag(container["image"], tag) != container["image"]
                for container in pod["spec"]["containers"]
            )
        ]

    def revision(self) -> str:
        """Return the migration that the database is at, asked in an API server; "" if that is not possible."""
        try:
            with cluster_errors():
                labels = {"tier": "airflow", "component": "api-server"}
                for pod in self._api.items("v1", "Pod", self._namespace, labels=labels):
                    if (pod.get("status") or {}).get("phase") == "Running":
                        name, command = pod["metadata"]["name"], ("python", "-c", _REVISION)
                        done = self._api.run(self._namespace, name, "api-server", command, seconds=60)
                        if done.exit_code == 0:
                            return (done.stdout.strip().splitlines() or [""])[-1]
        except AutomationError:
            pass
        return ""
