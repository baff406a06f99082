"""Every pod that has DAGs has the same commit of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from automation.cluster.airflow_api import Dag
from automation.errors import AutomationError
from automation.verification.result import Check, failed, passed
from automation.verification.scene import Scene
from automation.wait import wait_for

DAG_COMMIT: Final = "same DAG commit everywhere"
LINK: Final = "/opt/airflow/dags/repo"
"""git-sync swaps this link; it points to a folder that is named after the commit."""
_COMPONENTS: Final = ("dag-processor", "triggerer", "worker")
_SLACK_SECONDS: Final = 15.0
_PARSE_SECONDS: Final = 60.0  # Airflow's min_file_process_interval is 30 s, and parsing takes its time
_INTERVAL_SECONDS: Final = 2.0
_EXEC_SECONDS: Final = 30


def same_commit(scene: Scene) -> Check:
    """Each pod fetches for itself, so a new commit may be a period late in one of them: waits that long."""
    bundle = scene.deployment.dags_delivery == "git-bundle"
    commits = wait_for(
        lambda: _bundle_versions(scene.api.dags()) if bundle else _links(scene),
        agreed,
        seconds=scene.deployment.dags_sync_period_seconds + (_PARSE_SECONDS if bundle else _SLACK_SECONDS),
        interval=_INTERVAL_SECONDS,
        clock=scene.clock,
    )
    if not agreed(commits):
        return failed(DAG_COMMIT, disagreement(commits))
    return passed(
        DAG_COMMIT, f"{_short(next(iter(commits.values())))} in {len(commits)} {'DAGs' if bundle else 'pods'}"
    )


def agreed(commits: Mapping[str, str]) -> bool:
    """There is one, and only one, and nobody is without."""
    return len(set(commits.values())) == 1 and "" not in commits.values()


def disagreement(commits: Mapping[str, str]) -> str:
    """Who differs from the majority, or has none."""
    if not commits:
        return "nothing has a DAG commit yet"
    if not any(commits.values()):
        return f"no commit in {', '.join(sorted(commits))}"
    # By number, then by name, so that a tie is the same in every run.
    usual = max(sorted(Counter(filter(None, commits.values())).items()), key=lambda item: item[1])[0]
    others = [f"{name} {_short(commit) or 'none'}" for name, commit in sorted(commits.items()) if commit != usual]
    return f"{_short(usual)} in most, but {', '.join(others)}"


def _links(scene: Scene) -> dict[str, str]:
    """Commit by pod, "" where a pod has none."""
    commits = {}
    for component in _COMPONENTS:
        for pod in scene.standing_workers() if component == "worker" else scene.pods(component):
            commits[pod.name] = _link(scene, pod.name, component)
    return commits


def _link(scene: Scene, pod: str, container: str) -> str:
    try:
        result = scene.kube.run(pod, container, ("readlink", LINK), seconds=_EXEC_SECONDS)
    except AutomationError:
        return ""  # the pod is just being replaced
    return result.stdout.strip().rpartition("/")[2] if result.exit_code == 0 else ""


def _bundle_versions(dags: tuple[Dag, ...]) -> dict[str, str]:
    """Commit by DAG; DAGs of a bundle without versions (Airflow's own examples) do not count."""
    versioned = {dag.bundle_name for dag in dags if dag.bundle_version}
    return {dag.dag_id: dag.bundle_version or "" for dag in dags if not versioned or dag.bundle_name in versioned}


def _short(commit: str) -> str:
    return commit[:8]
