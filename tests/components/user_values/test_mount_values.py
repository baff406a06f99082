"""Volumes that nothing mounts."""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.value_paths import nested
from components.user_values.user_values import problems
from tests import samples
from tests.cases import each

VOLUME: Final = [{"name": "models", "emptyDir": {}}]
MOUNT: Final = [{"name": "models", "mountPath": "/models"}]
SIDECAR: Final = [
    {
        "name": "side",
        "image": "redis:7",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": MOUNT,
    }
]


def found(*values: dict[str, Any]) -> list[str]:
    whole: dict[str, Any] = {}
    for one in values:
        whole = merged(whole, one)
    return problems(whole, chart_values(), chart_schema())


def sets(**element: Any) -> dict[str, Any]:
    return nested("workers.celery.sets", [{"name": "gpu", "queue": "gpu", **element}])


def test_volume_that_nothing_mounts_is_refused_with_the_place_of_its_mount() -> None:
    for path, where in {
        "volumes": "volumeMounts",
        "scheduler.extraVolumes": "scheduler.extraVolumeMounts",
        "workers.celery.extraVolumes": "workers.celery.extraVolumeMounts",
        "workers.kubernetes.extraVolumes": "workers.kubernetes.extraVolumeMounts",
        "pgbouncer.extraVolumes": "pgbouncer.extraVolumeMounts",
    }.items():
        [told] = found(nested(path, VOLUME))
        assert told == f"{path}: nothing mounts the volume models; add it to {where}, or leave it out"
        assert found(nested(path, VOLUME), nested(where, MOUNT)) == [], "the way"
    [told] = found(sets(extraVolumes=VOLUME))
    assert told.endswith("add it to workers.celery.sets[0].extraVolumeMounts, or leave it out")
    two = [*VOLUME, {"name": "cache", "emptyDir": {}}]
    [told] = found({"volumes": two, "volumeMounts": MOUNT})
    assert "nothing mounts the volume cache" in told


@each(
    ("volume", "mount"),
    [
        ("volumes", nested("apiServer.extraVolumeMounts", MOUNT)),
        ("volumes", sets(extraVolumeMounts=MOUNT)),
        ("volumes", nested("triggerer.extraContainers", SIDECAR)),
        ("volumes", {"podTemplate": "kind: Pod\nspec: {containers: [{volumeMounts: [{name: models}]}]}\n"}),
        ("scheduler.extraVolumes", {"volumeMounts": MOUNT}),
        ("scheduler.extraVolumes", nested("scheduler.extraInitContainers", SIDECAR)),
        ("dagProcessor.extraVolumes", nested("dags.gitSync.extraVolumeMounts", MOUNT)),
        ("workers.celery.extraVolumes", sets(extraVolumeMounts=MOUNT)),
        ("pgbouncer.extraVolumes", nested("pgbouncer.metricsExporterSidecar.extraVolumeMounts", MOUNT)),
    ],
)
def test_volume_that_any_container_of_its_pods_mounts_is_accepted(volume: str, mount: dict[str, Any]) -> None:
    assert found(nested(volume, VOLUME), mount) == []


def test_mount_in_other_pods_does_not_count() -> None:
    [told] = found(nested("scheduler.extraVolumes", VOLUME), nested("apiServer.extraVolumeMounts", MOUNT))
    assert told.startswith("scheduler.extraVolumes: nothing mounts the volume models")


def test_volumes_of_worker_groups_and_of_values_are_mounted_by_each_other() -> None:
    def told(group: dict[str, Any], **values: Any) -> tuple[str, ...]:
        config = {"workerGroups": [{"name": "gpu", **group}], "helmValues": values}
        return samples.prod().with_(config).problems()

    [problem] = told({"extraVolumes": VOLUME})
    assert "airflow:workerGroups: [0].extraVolumes: nothing mounts the volume models; add it to [0]." in problem
    assert told({"extraVolumes": VOLUME, "extraVolumeMounts": MOUNT}) == ()
    assert told({"extraVolumes": VOLUME}, **nested("workers.celery.extraVolumeMounts", MOUNT)) == ()
    assert told({"extraVolumeMounts": MOUNT}, volumes=VOLUME) == ()
    [problem] = told({}, volumes=VOLUME)
    assert "airflow:helmValues: volumes: nothing mounts the volume models" in problem
