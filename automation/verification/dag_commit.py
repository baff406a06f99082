"""Every pod with DAGs has the same commit of them, or the same image where they are in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from automation.cluster.airflow_api import Dag
from automation.cluster.pods import Pod
from automation.errors import AutomationError
from automation.verification.result import Check, failed, passed
from automation.verification.running_airflow import RunningAirflow
from automation.wait import wait_for

DAG_COMMIT: Final = "same DAG commit everywhere"
_VOLUME: Final = "dags"
_LINK: Final = "repo"
"""git-sync moves this link in the volume; it points to a folder with the name of the commit."""
_COMPONENTS: Final = ("dag-processor", "triggerer", "worker")
_SLACK_SECONDS: Final = 15.0
_PARSE_SECONDS: Final = 60.0  # Airflow's min_file_process_interval is 30 s, and parsing takes its time
_INTERVAL_SECONDS: Final = 2.0
_EXEC_SECONDS: Final = 30


def same_commit(airflow: RunningAirflow) -> Check:
    """Check the commits. Each pod fetches for itself, so a new one may reach a pod a period late: waits that long."""
    delivery, bundles = airflow.deployment.dags_delivery, airflow.deployment.dag_bundles
    unit = "DAGs" if delivery == "git-bundle" else "pods"

    def look() -> dict[str, dict[str, str]]:
        if delivery != "git-bundle":
            return {"": _by_pod(airflow, _image if delivery == "image" else _link)}
        dags = airflow.api.dags()
        if not bundles:
            return {"": _bundle_versions(dags)}
        return {
            name: {dag.dag_id: dag.bundle_version or "" for dag in dags if dag.bundle_name == name} for name in bundles
        }

    found = wait_for(
        look,
        lambda places: all(map(agreed, places.values())),
        seconds=airflow.deployment.dags_sync_period_seconds + (_PARSE_SECONDS if unit == "DAGs" else _SLACK_SECONDS),
        interval=_INTERVAL_SECONDS,
        clock=airflow.clock,
    )
    apart = [_of(name, disagreement(commits)) for name, commits in found.items() if not agreed(commits)]
    if apart:
        return failed(DAG_COMMIT, "; ".join(apart))
    kind = "image " if delivery == "image" else ""
    texts = [
        _of(name, f"{kind}{_short(next(iter(commits.values())))} in {len(commits)} {unit}")
        for name, commits in found.items()
    ]
    return passed(DAG_COMMIT, "; ".join(texts))


def _of(bundle: str, text: str) -> str:
    return f"bundle {bundle}: {text}" if bundle else text


def agreed(commits: Mapping[str, str]) -> bool:
    """Return whether all have a commit, and the same one."""
    return len(set(commits.values())) == 1 and "" not in commits.values()


def disagreement(commits: Mapping[str, str]) -> str:
    """Return who differs from the majority, or has no commit."""
    if not commits:
        return "nothing has a DAG commit yet"
    if not any(commits.values()):
        return f"no commit in {', '.join(sorted(commits))}"
    # By count, then by name, so that a tie gives the same answer in every run.
    usual = max(sorted(Counter(filter(None, commits.values())).items()), key=lambda item: item[1])[0]
    others = [f"{name} {_short(commit) or 'none'}" for name, commit in sorted(commits.items()) if commit != usual]
    return f"{_short(usual)} in most, but {', '.join(others)}"


def _by_pod(airflow: RunningAirflow, of: Callable[[RunningAirflow, Pod, str], str]) -> dict[str, str]:
    """Return what `of` says of each pod with DAGs and its container; "" where a pod has nothing."""
    return {
        pod.name: of(airflow, pod, component)
        for component in _COMPONENTS
        for pod in (airflow.standing_workers() if component == "worker" else airflow.pods(component))
    }


def _image(airflow: RunningAirflow, pod: Pod, container: str) -> str:
    """Return the digest of the image that runs: a tag may be another image on another node."""
    return pod.images.get(container, "").rpartition(":")[2]


def _link(airflow: RunningAirflow, pod: Pod, container: str) -> str:
    link = f"{pod.mounts.get((container, _VOLUME), '')}/{_LINK}"
    try:
        result = airflow.kube.run(pod.name, container, ("readlink", link), seconds=_EXEC_SECONDS)
    except AutomationError:
        return ""  # the pod is being replaced
    return result.stdout.strip().rpartition("/")[2] if result.exit_code == 0 else ""


def _bundle_versions(dags: tuple[Dag, ...]) -> dict[str, str]:
    """Return the commit by DAG. DAGs of a bundle without versions (Airflow's own examples) do not count."""
    versioned = {dag.bundle_name for dag in dags if dag.bundle_version}
    return {dag.dag_id: dag.bundle_version or "" for dag in dags if not versioned or dag.bundle_name in versioned}


def _short(commit: str) -> str:
    return commit[:8]
