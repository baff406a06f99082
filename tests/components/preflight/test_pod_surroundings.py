"""What a team's values give every pod, in the pods of the preflight."""

from __future__ import annotations

from typing import Any, Final

from components.kube.job_pod import JobPod
from components.preflight.component_pods import with_own_files
from components.preflight.pod_surroundings import as_the_team_s

TEAM: Final[dict[str, Any]] = {
    "labels": {"team": "data", "tier": "x"},
    "airflowPodAnnotations": {"sidecar.istio.io/inject": False},
    "dagProcessor": {"labels": {"cost": 7, "gone": None}, "podAnnotations": {"own": "yes"}},
    "statsd": {"podAnnotations": {"of": "statsd"}},
}
POD: Final[dict[str, Any]] = {"metadata": {"labels": {"tier": "airflow"}}, "spec": {"containers": []}}


def test_labels_and_annotations_are_those_of_the_component_and_the_program_s_labels_win() -> None:
    assert as_the_team_s(POD, TEAM, "dagProcessor") == {
        "metadata": {
            "labels": {"team": "data", "cost": "7", "tier": "airflow"},
            "annotations": {"sidecar.istio.io/inject": "False", "own": "yes"},
        },
        "spec": POD["spec"],
    }
    assert as_the_team_s(POD, TEAM)["metadata"]["annotations"] == {"sidecar.istio.io/inject": "False"}
    assert as_the_team_s(POD, TEAM, "statsd")["metadata"]["annotations"] == {"of": "statsd"}
    assert as_the_team_s(POD, {}, "dagProcessor") == POD


def test_pods_that_stand_for_a_component_have_its_own_too() -> None:
    found = with_own_files(JobPod(labels={"team": "data"}), TEAM, "dagProcessor")
    assert (found.labels, found.annotations) == ({"team": "data", "cost": "7"}, {"own": "yes"})
