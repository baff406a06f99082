"""The checks as documents, and the one way to make them, which the hooks of an update use.

A document says all that a check needs. It is stored in a ConfigMap, so that the engine makes the check again when the
document changes; it names Secrets and holds none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum, unique
from functools import partial
from typing import Any, Final

from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.rest import KubeRequestFailed
from components.preflight import aws_pods, aws_reasons, broker, database_reasons, git_reasons, image_packages, issuer
from components.preflight.existing_files import file_findings
from components.preflight.existing_secrets import ExistingSecret, secret_findings
from components.preflight.finding import Finding, Verdict, failed, passed, skipped
from components.preflight.git_pod import FETCH, FOLDER, LFS, REACH
from components.preflight.image_dags import CHECK as IMAGE_DAGS
from components.preflight.image_dags import LOOK, image_dags_finding
from components.preflight.image_reasons import WRONG_PROCESSOR, image_finding, image_key
from components.preflight.lookups import cluster_findings, refusal_finding
from components.preflight.other_pods import DATABASE, image_role
from components.preflight.own_nodes import on_own_nodes
from components.preflight.pod_run import ITS_END, ContainerEnd, PodEnd, WaitLimits, run_pod

DOCUMENT: Final = "check.json"
"""Data key of the document."""
_LINE_LENGTH: Final = 300
_NAMES: Final = 10


@unique
class CheckKind(StrEnum):
    """The kind of a check's document."""

    CLUSTER = "cluster"
    """Classes, APIs, quotas, admission: no pod is needed."""
    GIT = "git"
    """The DAG repository and its folder."""
    DAGS = "dags"
    """DAGs in Airflow's image."""
    IMAGES = "images"
    """Every image but git-sync's, which the pod of GIT has; and what is in Airflow's."""
    NODES = "nodes"
    """The images of components that have nodes of their own, on these."""
    DATABASE = "database"
    """An existing database."""
    BROKER = "broker"
    """A broker outside the stack."""
    LOGIN = "login"
    """The issuer by which people log in to the UI."""
    AWS = "aws"
    """The place of task logs in S3, secrets in AWS: each with the service account of the pods that use it."""


LIMITS: Final[Mapping[CheckKind, WaitLimits]] = {
    CheckKind.GIT: WaitLimits(image_seconds=30, run_seconds=20),
    # The migration would wait for Airflow's image too.
    CheckKind.IMAGES: WaitLimits(image_seconds=600),
    # Nodes that are only made for pods that need them are not waited for.
    CheckKind.NODES: WaitLimits(node_seconds=2, image_seconds=600),
    CheckKind.DAGS: WaitLimits(image_seconds=600),
    CheckKind.DATABASE: WaitLimits(image_seconds=600),
    CheckKind.BROKER: WaitLimits(image_seconds=600),
    CheckKind.LOGIN: WaitLimits(image_seconds=600),
    CheckKind.AWS: WaitLimits(image_seconds=600, run_seconds=60),
}


def cluster_document(
    needs: Mapping[str, Any], secrets: Sequence[ExistingSecret] = (), files: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """Return the document of look-ups.

    Args:
        needs: See `lookups.cluster_findings`.
        secrets: What something else must have made before any pod can start.
        files: See `team_files`.
    """
    document = {"kind": CheckKind.CLUSTER.value, "needs": needs, **({"files": list(files)} if files else {})}
    return _with_secrets(document, secrets)


def pod_document(
    kind: CheckKind, pod: Mapping[str, Any], about: Mapping[str, Any], secrets: Sequence[ExistingSecret] = ()
) -> dict[str, Any]:
    """Return the document of a check by a pod.

    Args:
        kind: What it is about.
        pod: Metadata and spec.
        about: What its texts name.
        secrets: What something else must have made before the pod can start.
    """
    return _with_secrets({"kind": kind.value, "pod": pod, "about": about, "patience": asdict(LIMITS[kind])}, secrets)


def _with_secrets(document: dict[str, Any], secrets: Sequence[ExistingSecret]) -> dict[str, Any]:
    return {**document, "secrets": [item.document() for item in secrets]} if secrets else document


def made(
    api: KubeApi,
    namespace: str,
    text: str,
    stack: str,
    clean: Callable[[str], str],
    sleep: Callable[[float], object] | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> tuple[Finding, ...]:
    """Make the checks of a document. A cluster that refuses a request is a finding, never an error.

    Args:
        api: The cluster.
        namespace: The stack's namespace.
        text: The document.
        stack: The stack's name, for commands.
        clean: Masks secrets in a text.
        sleep: See `run_pod`.
        tell: Is told in one line what a check waits for.
    """
    document = json.loads(text)
    kind = CheckKind(document["kind"])
    try:
        there = secret_findings(api, namespace, document.get("secrets", ()), stack)
        if kind is CheckKind.CLUSTER:
            there += file_findings(api, namespace, document.get("files", ()), sleep)
            return (*there, *cluster_findings(api, namespace, document["needs"], stack, clean))
        if any(finding.verdict is Verdict.FAILED for finding in there):
            return there
        limits = WaitLimits(**document["patience"])
        run = partial(run_pod, api, namespace, document["pod"], limits, sleep=sleep)
        if kind is CheckKind.AWS:
            account = document["about"]["service_account"]
            with aws_pods.account_present(api, namespace, account) as reason:
                if reason:
                    return (*there, skipped(aws_reasons.CHECK.format(account=account["name"]), reason))
                end = aws_pods.with_identity(run, account, tell, sleep)
        else:
            end = run()
    except (KubeRequestFailed, KubeUnreachable) as error:
        return (skipped(kind.value, getattr(error, "what", None) or str(error)),)
    found = findings_of(kind, end, {**document["about"], "stack": stack}, clean)
    return (*there, *(on_own_nodes(found, document["about"]) if kind is CheckKind.NODES else found))


def findings_of(
    kind: CheckKind, end: PodEnd, about: Mapping[str, Any], clean: Callable[[str], str]
) -> tuple[Finding, ...]:
    """Return what the end of a pod says."""
    stack = about["stack"]
    if end.refused:
        return (refusal_finding(clean(end.refused), f"the pod that checks {_SUBJECTS[kind]}"),)
    airflow = {DATABASE, LOOK} if FOLDER in end.containers else {DATABASE, LOOK, FETCH}
    missing = tuple(
        _image(item, airflow, stack, clean)
        for item in _once(end)
        if item.not_pulled or WRONG_PROCESSOR in item.message.lower()
    )
    if missing:
        return missing
    broken = next((item for item in end.containers.values() if item.reason.startswith("Create")), None)
    if broken is not None:
        found = _line(clean(broken.message))
        what = f"airflow:helmValues: expected that container {broken.name} can be made, found: {found}"
        return (failed(kind.value, what, "correct the volumes and variables that it has"),)
    return _JUDGES[kind](end, about, clean)


def _git(end: PodEnd, about: Mapping[str, Any], clean: Callable[[str], str]) -> tuple[Finding, ...]:
    fetch, folder = end.containers[FETCH], end.containers.get(FOLDER)
    has_lfs = (fetch if folder is None else folder).exit_code == LFS
    for item in (end.containers.get(REACH), fetch):
        if item is not None and item.exit_code and not (item is fetch and folder is None and has_lfs):
            return (git_reasons.git_finding(clean(item.message), about),)
    if fetch.exit_code is None:
        # If the pod has begun, the host is the one that has not answered to the end.
        return (_late(git_reasons.CHECK, end, outage=end.waits == ITS_END),)
    there = passed(git_reasons.CHECK, f"{about['url']} has {about['ref']}")
    wanted = about["folder"]
    lfs = (git_reasons.lfs_finding(about),) if has_lfs else ()
    if not wanted:
        return (there, *lfs)
    answer = fetch if folder is None else folder
    if answer.exit_code is None:
        return (there, _late(git_reasons.FOLDER_CHECK, end))
    listed, *names = [*answer.message.split("\n"), ""]
    parent, _, name = wanted.rpartition("/")
    if listed.strip() == parent and name in names:
        return (there, passed(git_reasons.FOLDER_CHECK, wanted), *lfs)
    place = f"{listed.strip()}/" if listed.strip() else ""
    shown = [f"{place}{item}" for item in names if item and not item.startswith(".")]
    return (there, git_reasons.folder_finding(about, shown[:_NAMES]))


def _dags(end: PodEnd, about: Mapping[str, Any], clean: Callable[[str], str]) -> tuple[Finding, ...]:
    item = end.containers[LOOK]
    if item.exit_code is None:
        return (_late(IMAGE_DAGS, end),)
    if item.exit_code:
        return (_broken(IMAGE_DAGS, item, clean),)
    return (image_dags_finding(item.message.strip(), about),)


def _pulled(end: PodEnd, about: Mapping[str, Any], clean: Callable[[str], str]) -> tuple[Finding, ...]:
    return tuple(
        passed(f"image {item.image}", "is on the node") if item.pulled else _late(f"image {item.image}", end)
        for item in _once(end)
    )


def _images(end: PodEnd, about: Mapping[str, Any], clean: Callable[[str], str]) -> tuple[Finding, ...]:
    pulled = _pulled(end, about, clean)
    item = end.containers[image_packages.CONTAINER]
    if item.exit_code is None:
        return (*pulled, _late(image_packages.CHECK, end))
    if item.exit_code:
        return (*pulled, _broken(image_packages.CHECK, item, clean))
    return (*pulled, *image_packages.findings(item.message, about))


def _answer(
    container: str,
    check: str,
    judge: Callable[[str, Mapping[str, Any]], Finding],
    end: PodEnd,
    about: Mapping[str, Any],
    clean: Callable[[str], str],
) -> tuple[Finding, ...]:
    """Return what the only container of a check says. check: its name, with what it is about in braces."""
    item, check = end.containers[container], check.format_map(about)
    if item.exit_code is None:
        return (_late(check, end),)
    try:
        return (judge(clean(item.message), about),)
    except (ValueError, KeyError):
        return (_broken(check, item, clean),)


_GIT_SYNC: Final = (REACH, FETCH, FOLDER)
_JUDGES: Final[Mapping[CheckKind, Callable[[PodEnd, Mapping[str, Any], Callable[[str], str]], tuple[Finding, ...]]]] = {
    CheckKind.GIT: _git,
    CheckKind.DAGS: _dags,
    CheckKind.IMAGES: _images,
    CheckKind.NODES: _pulled,
    CheckKind.DATABASE: partial(_answer, DATABASE, database_reasons.CHECK, database_reasons.database_finding),
    CheckKind.BROKER: partial(_answer, DATABASE, broker.CHECK, broker.broker_finding),
    CheckKind.LOGIN: partial(_answer, DATABASE, issuer.CHECK, issuer.issuer_finding),
    CheckKind.AWS: partial(_answer, aws_pods.CONTAINER, aws_reasons.CHECK, aws_reasons.aws_finding),
}
_SUBJECTS: Final[Mapping[CheckKind, str]] = {
    CheckKind.GIT: "the DAG repository",
    CheckKind.DAGS: "the DAGs in the image",
    CheckKind.IMAGES: "the images",
    CheckKind.NODES: "the images",
    CheckKind.DATABASE: "the database",
    CheckKind.BROKER: "the broker",
    CheckKind.LOGIN: "the issuer of the login",
    CheckKind.AWS: "the rights in AWS",
}


def _once(end: PodEnd) -> tuple[ContainerEnd, ...]:
    """Return one container of each image: the one whose image is known to be missing, or there."""
    found: dict[str, ContainerEnd] = {}
    for item in end.containers.values():
        if item.image not in found or item.not_pulled or (item.pulled and not found[item.image].not_pulled):
            found[item.image] = item
    return tuple(found.values())


def _image(item: ContainerEnd, airflow: set[str], stack: str, clean: Callable[[str], str]) -> Finding:
    """Return why an image was not pulled or cannot run. airflow: further containers that have Airflow's image."""
    role = "airflow" if item.name in airflow else "gitSync" if item.name in _GIT_SYNC else image_role(item.name)
    key, correct = image_key(role, item.image)
    text = clean(f"{item.reason}: {item.message}")
    return image_finding(item.image, text, key=key, correct=correct.format(stack=stack), stack=stack)


def _late(check: str, end: PodEnd, *, outage: bool = False) -> Finding:
    return skipped(check, f"not seen in time: the pod still waited for {end.waits or ITS_END}", outage=outage)


def _broken(check: str, item: ContainerEnd, clean: Callable[[str], str]) -> Finding:
    """Return that a check itself failed. Its image may be another Airflow, or none at all; the migration says so."""
    return skipped(check, f"the check itself failed: {_line(clean(item.message))}")


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE_LENGTH else f"{line[:_LINE_LENGTH]}…"
