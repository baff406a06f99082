"""What the end of a pod means."""

from __future__ import annotations

from typing import Any, Final

from components.preflight.checks import CheckKind, cluster_document, findings_of, pod_document
from components.preflight.existing_secrets import ExistingSecret
from components.preflight.finding import Verdict
from components.preflight.pod_run import ContainerEnd, PodEnd

ABOUT: Final = {
    "stack": "dev",
    "url": "https://git.test/dags.git",
    "host": "git.test",
    "port": "443",
    "ref": "main",
    "folder": "airflow/dags",
}


def end(*containers: ContainerEnd, waits: str = "") -> PodEnd:
    return PodEnd(containers={item.name: item for item in containers}, waits=waits)


def ended(name: str, message: str = "", code: int | None = 0, image: str = "git-sync:4") -> ContainerEnd:
    return ContainerEnd(name=name, image=image, pulled=True, exit_code=code, message=message)


def verdicts(kind: CheckKind, found: PodEnd, **about: Any) -> list[tuple[str, str]]:
    return [(item.check, item.verdict.value) for item in findings_of(kind, found, {**ABOUT, **about}, str)]


def test_repository_and_folder_that_are_there_pass() -> None:
    for listed, folder in (("airflow\ndags\nplugins\n", "airflow/dags"), ("\nairflow\ndags", "dags"), ("\n", "")):
        found = verdicts(CheckKind.GIT, end(ended("fetch"), ended("folder", listed)), folder=folder)
        assert {verdict for _, verdict in found} == {"passed"}


def test_folder_is_missing_unless_it_is_in_its_very_parent() -> None:
    for listed in ("airflow\nplugins\n", "\ndags\nairflow", "", "airflow\ndags-old"):
        [there, folder] = findings_of(CheckKind.GIT, end(ended("fetch"), ended("folder", listed)), ABOUT, str)
        assert (there.verdict, folder.verdict) == (Verdict.PASSED, Verdict.FAILED), listed
    [_, folder] = findings_of(CheckKind.GIT, end(ended("fetch"), ended("folder", "airflow\n.git\nplugins")), ABOUT, str)
    assert "there are: airflow/plugins." in str(folder)


def test_pointers_of_git_lfs_are_a_warning_with_a_way_out() -> None:
    for listed, folder in (("airflow\ndags", "airflow/dags"), ("\n", "")):
        found = end(ended("fetch"), ended("folder", listed, code=3))
        *_, lfs = findings_of(CheckKind.GIT, found, {**ABOUT, "folder": folder}, str)
        assert lfs.verdict is Verdict.WARNING
        assert "pointers of Git LFS" in lfs.what
        assert "airflow:dagsDelivery image" in lfs.fix
        bundle = {"folder": folder, "bundle": "team", "index": "0"}
        there, *_, lfs = findings_of(CheckKind.GIT, end(ended("fetch", listed, code=3)), {**ABOUT, **bundle}, str)
        assert (there.verdict, lfs.verdict) == (Verdict.PASSED, Verdict.WARNING)
        assert lfs.what.startswith("airflow:dagBundles[0].repository: ")


def test_failed_fetch_is_told_by_whichever_container_it_ended() -> None:
    reach = ended("reach", "bash: connect: Connection refused", 1)
    [found] = findings_of(CheckKind.GIT, end(reach, ended("fetch", code=None), ended("folder", code=None)), ABOUT, str)
    assert found.outage
    [found] = findings_of(CheckKind.GIT, end(ended("fetch", "fatal: couldn't find remote ref main", 1)), ABOUT, str)
    assert found.what.startswith("airflow:dagsRef: ")


def test_what_was_not_seen_in_time_ends_no_update() -> None:
    running = ended("fetch", code=None)
    assert verdicts(CheckKind.GIT, end(running, ended("folder", code=None), waits="its end")) == [
        ("DAG repository", "skipped")
    ]
    pulling = ContainerEnd(name="redis", image="redis:7")
    images = end(ended("airflow", code=None, image="airflow:3"), pulling, waits="its images")
    assert verdicts(CheckKind.IMAGES, images) == [
        ("image airflow:3", "passed"),
        ("image redis:7", "skipped"),
        ("packages of the image", "skipped"),
    ]
    assert verdicts(CheckKind.DATABASE, end(ended("airflow", code=None))) == [("database", "skipped")]


def test_git_host_that_does_not_end_its_answer_may_be_down_and_a_slow_node_says_nothing_of_it() -> None:
    running = ended("fetch", code=None)
    for waits, outage in (("its end", True), ("its images", False), ("a node with room for it (pending)", False)):
        [late] = findings_of(CheckKind.GIT, end(running, ended("folder", code=None), waits=waits), ABOUT, str)
        assert (late.verdict, late.outage) == (Verdict.SKIPPED, outage)


def test_missing_image_is_told_once_and_with_its_own_key() -> None:
    missing = {
        name: ContainerEnd(name=name, image="x:1", reason="ErrImagePull", message="x:1: not found")
        for name in ("fetch", "folder", "airflow")
    }
    for kind, names, key in (
        (CheckKind.GIT, ("fetch", "folder"), "images.gitSync"),
        (CheckKind.GIT, ("fetch",), "airflow:imageTag"),  # git-bundle, in Airflow's image
        (CheckKind.IMAGES, ("airflow",), "airflow:imageTag"),
        (CheckKind.DATABASE, ("airflow",), "airflow:imageTag"),
    ):
        [found] = findings_of(kind, end(*(missing[name] for name in names)), ABOUT, str)
        assert found.what.startswith(f"{key}: "), (kind, names)


def test_image_without_the_command_true_is_there_all_the_same() -> None:
    odd = ContainerEnd(name="statsd", image="s:1", pulled=True, exit_code=128, reason="StartError")
    airflow = ended("airflow", code=127, image="airflow:3")
    assert verdicts(CheckKind.IMAGES, end(airflow, odd))[:2] == [("image airflow:3", "passed"), ("image s:1", "passed")]


def test_image_for_another_processor_is_named_by_whichever_pod_runs_it() -> None:
    for kind, name, key in (
        (CheckKind.IMAGES, "airflow", "airflow:imageDigest"),
        (CheckKind.DATABASE, "airflow", "airflow:imageDigest"),
        (CheckKind.GIT, "fetch", "airflow:imageDigest"),  # git-bundle
        (CheckKind.DAGS, "look", "airflow:imageDigest"),
    ):
        odd = ended(name, "exec /usr/local/bin/python: exec format error\n", 255, "apache/airflow@sha256:ab")
        [found] = findings_of(kind, end(odd), ABOUT, str)
        assert found.verdict is Verdict.FAILED
        assert str(found).startswith(f"{key}: expected apache/airflow@sha256:ab for the processor of the nodes")
        assert "docker buildx" in found.fix


def test_refused_pod_is_a_failure_with_the_words_of_kubernetes() -> None:
    refused = PodEnd(refused='pods "x" is forbidden: exceeded quota: small, requested: pods=1, limited: pods=0')
    [found] = findings_of(CheckKind.GIT, refused, ABOUT, str)
    assert found.verdict is Verdict.FAILED
    assert "quota" in found.what
    assert "requested: pods=1" in found.what


def test_every_text_of_a_container_is_cleaned() -> None:
    secret = "sentinel-token"
    for found in (
        findings_of(
            CheckKind.GIT,
            end(ended("fetch", f"fatal: odd {secret}", 1)),
            ABOUT,
            lambda t: t.replace(secret, "[secret]"),
        ),
        findings_of(
            CheckKind.DATABASE, end(ended("airflow", f"odd {secret}")), ABOUT, lambda t: t.replace(secret, "[secret]")
        ),
    ):
        assert secret not in str(found)
        assert "[secret]" in str(found)


def test_documents_say_what_they_are() -> None:
    assert cluster_document({"apis": []}) == {"kind": "cluster", "needs": {"apis": []}}
    wanted = ExistingSecret(name="a", keys=("b",), setting="airflow:c")
    assert cluster_document({"apis": []}, [wanted])["secrets"] == [wanted.document()]
    document = pod_document(CheckKind.GIT, {"spec": {}}, {"url": "u"})
    assert document["kind"] == "git"
    assert set(document["patience"]) == {"node_seconds", "image_seconds", "run_seconds"}
