"""Keys that say where DAGs come from, as far as they depend on one another."""

from __future__ import annotations

from typing import Any

from components.dags.delivery import DagsDelivery, Submodules
from components.dags.git_login import GitLogin, GitLoginKind
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
        "dagsTokenSecret": "git-token",
        "dagsGithubAppSecret": "git-app",
        "gitKnownHosts": "git.test ssh-ed25519 AAAA",
    }.items():
        [problem] = in_image(**{key: value}).problems()
        assert problem.startswith(f"airflow:{key}: must not be set with airflow:dagsDelivery image"), key
        assert f"pulumi config rm --stack dev airflow:{key}" in problem
    for key in ("gitSshPrivateKey", "dagsToken"):
        [problem] = in_image().with_({}, {key: samples.sentinels()[key]}).problems()
        assert problem.startswith(f"airflow:{key}: must not be set"), key


def test_login_may_be_in_a_secret_of_another() -> None:
    for key, kind in (("dagsTokenSecret", GitLoginKind.TOKEN), ("dagsGithubAppSecret", GitLoginKind.GITHUB_APP)):
        login = samples.dev().with_({key: "team-git"}).parse().platform.git.login
        assert login == GitLogin(secret="team-git", kind=kind)
        assert login.setting == f"airflow:{key}"
    bundle = samples.dev().with_({"dagsTokenSecret": "team-git", "dagsDelivery": "git-bundle"})
    assert bundle.problems() == ()


def test_second_login_is_refused() -> None:
    token = {"dagsToken": samples.sentinels()["dagsToken"]}
    for changes, secrets, refused, why in (
        ({"dagsTokenSecret": "a", "dagsUsername": "robot"}, token, {"dagsUsername", "dagsToken"}, "has the login"),
        ({"dagsGithubAppSecret": "a"}, token, {"dagsToken"}, "beside airflow:dagsGithubAppSecret"),
        ({"dagsTokenSecret": "a", "dagsGithubAppSecret": "b"}, {}, {"dagsGithubAppSecret"}, "dagsTokenSecret"),
        ({"dagsGithubAppSecret": "a", "dagsDelivery": "git-bundle"}, {}, {"dagsGithubAppSecret"}, "dagsTokenSecret"),
        ({"dagsTokenSecret": "airflow-git-token-1a2b3c4d"}, {}, {"dagsTokenSecret"}, "a Secret of your own"),
        ({"dagsTokenSecret": "Not A Name"}, {}, {"dagsTokenSecret"}, "the name of a Secret"),
    ):
        problems = samples.dev().with_(changes, secrets).problems()
        assert {text.partition(":")[2].partition(":")[0] for text in problems} == refused, problems
        assert all(why in text for text in problems), problems
    problems = samples.prod().with_({"dagsTokenSecret": "a"}).problems()
    assert [text.partition(": ")[0] for text in problems] == ["airflow:dagsTokenSecret"], "an SSH repository"


def test_submodules_are_those_that_the_delivery_can_fetch() -> None:
    for choice in Submodules:
        assert samples.dev().with_({"dagsSubmodules": choice}).parse().platform.dags.submodules is choice
    for delivery, value, why in (
        ("git-sync", "all", "expected one of recursive, shallow, off"),
        ("git-bundle", "shallow", "expected recursive or off with airflow:dagsDelivery git-bundle"),
    ):
        [problem] = samples.dev().with_({"dagsDelivery": delivery, "dagsSubmodules": value}).problems()
        assert problem.startswith("airflow:dagsSubmodules: ")
        assert why in problem
