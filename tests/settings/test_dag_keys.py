"""Keys that say where DAGs come from, as far as they depend on one another."""

from __future__ import annotations

from typing import Any

from components.dags.delivery import DagsDelivery
from components.dags.git_repository import NO_REPOSITORY
from tests import samples


def in_image(**changes: Any) -> samples.StackConfig:
    return samples.dev().with_({"dagsSubPath": "", "dagsDelivery": "image", **changes})


def test_dags_in_the_image_need_no_git() -> None:
    platform = in_image().parse().platform
    assert (platform.dags.delivery, platform.dags.repository) == (DagsDelivery.IMAGE, NO_REPOSITORY)


def test_what_would_be_fetched_is_refused_beside_dags_in_the_image() -> None:
    """Each would be without effect."""
    for key, value in {
        "dagsRepository": "https://git.test/dags.git",
        "dagsRef": "release",
        "dagsSubPath": "dags",
        "dagsSyncPeriodSeconds": 60,
        "dagsDepth": 0,
        "dagsUsername": "robot",
        "gitKnownHosts": "git.test ssh-ed25519 AAAA",
    }.items():
        [problem] = in_image(**{key: value}).problems()
        assert problem.startswith(f"airflow:{key}: must not be set with airflow:dagsDelivery image"), key
        assert f"pulumi config rm --stack dev airflow:{key}" in problem
    for key in ("gitSshPrivateKey", "dagsToken"):
        [problem] = in_image().with_({}, {key: samples.sentinels()[key]}).problems()
        assert problem.startswith(f"airflow:{key}: must not be set"), key
