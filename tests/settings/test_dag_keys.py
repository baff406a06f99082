"""Keys that say where DAGs come from, as far as they depend on one another."""

from __future__ import annotations

from typing import Any, Final

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


def several(*bundles: dict[str, Any], **changes: Any) -> samples.StackConfig:
    return samples.dev().with_({"dagsSubPath": "", "dagsDelivery": "git-bundle", "dagBundles": [*bundles], **changes})


SSH_BUNDLE: Final = {"name": "team-a", "repository": "git@github.com:example/a.git", "keySecret": "a-key"}
HTTPS_BUNDLE: Final = {"name": "team-b", "repository": "https://git.test/b.git", "tokenSecret": "b-token"}


def test_several_repositories_have_their_own_refs_folders_and_logins() -> None:
    more = {"ref": "release", "subPath": "airflow/dags", "submodules": True}
    dags = several(SSH_BUNDLE, {**HTTPS_BUNDLE, **more}, dagsSyncPeriodSeconds=60).parse().platform.dags
    first, second = dags.bundles
    assert (dags.repository, dags.sync_period_seconds) == (NO_REPOSITORY, 60)
    assert (first.ref, first.sub_path, first.submodules, first.secret, first.by_key) == (
        "main",
        "",
        False,
        "a-key",
        True,
    )
    assert (second.ref, second.sub_path, second.submodules) == ("release", "airflow/dags", True)
    assert (second.secret, second.secret_keys) == ("b-token", ("username", "password"))
    assert first.secret_keys == ("ssh-privatekey",)


def test_each_mistake_in_a_bundle_is_named_with_its_place() -> None:
    unknown_host = {**SSH_BUNDLE, "repository": "git@git.test:a.git"}
    for entry, path, why in (
        ({**SSH_BUNDLE, "name": "Team_A"}, "name", "a-z, 0-9 and -"),
        ({"repository": "https://git.test/b.git"}, "name", "found none"),
        ({"name": "x"}, "repository", "found none"),
        ({**HTTPS_BUNDLE, "repository": "http://git.test/b.git"}, "repository", "use https://"),
        ({**HTTPS_BUNDLE, "ref": "origin/main"}, "ref", "write main"),
        ({**HTTPS_BUNDLE, "subPath": "../x"}, "subPath", "may leave the repository"),
        ({**HTTPS_BUNDLE, "submodules": "yes"}, "submodules", "expected true or false"),
        ({**HTTPS_BUNDLE, "knownHosts": "x"}, "knownHosts", "HTTPS repository"),
        ({**HTTPS_BUNDLE, "keySecret": "x"}, "keySecret", "use tokenSecret"),
        ({**SSH_BUNDLE, "tokenSecret": "x"}, "tokenSecret", "use keySecret"),
        ({"name": "x", "repository": "git@github.com:a/b.git"}, "keySecret", "ssh-privatekey"),
        (unknown_host, "knownHosts", "expected"),
        ({**SSH_BUNDLE, "keySecret": "airflow-git-ssh-key-1a2b3c4d"}, "keySecret", "a Secret of your own"),
        ({**HTTPS_BUNDLE, "token": "sentinel"}, "token", "use tokenSecret"),
        ({**SSH_BUNDLE, "sshPrivateKey": "sentinel"}, "sshPrivateKey", "use keySecret"),
        ({**HTTPS_BUNDLE, "branch": "main"}, "branch", "use ref"),
        ({**HTTPS_BUNDLE, "subpath": "x"}, "subpath", "did you mean subPath?"),
    ):
        [problem] = several(entry).problems()
        assert problem.startswith(f"airflow:dagBundles: [0].{path}: "), problem
        assert why in problem, problem
        assert "sentinel" not in problem
    [problem] = several(SSH_BUNDLE, {**HTTPS_BUNDLE, "name": "team-a"}).problems()
    assert 'expected each bundle once, found "team-a" twice' in problem


def test_one_repository_and_another_delivery_are_refused_beside_several() -> None:
    [problem] = several(SSH_BUNDLE, dagsDelivery="git-sync").problems()
    assert problem.startswith("airflow:dagsDelivery: expected git-bundle with airflow:dagBundles, found git-sync")
    for key, value in {"dagsRepository": "https://git.test/x.git", "dagsRef": "x", "dagsSubmodules": "off"}.items():
        [problem] = several(SSH_BUNDLE, **{key: value}).problems()
        assert problem.startswith(f"airflow:{key}: must not be set beside airflow:dagBundles")
