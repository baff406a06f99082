"""The kinds of output of the program that quote what others say.

Each is made by the functions that make it in the program, with a masker that knows what that of a session knows.
"""

from __future__ import annotations

import functools
import io
import json
import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import pytest
from pulumi.automation import CommandResult, EngineEvent
from pulumi.automation.errors import CommandError, create_command_error

from automation.adoption.prepare import _cluster_refusals
from automation.backup.jobs import answer
from automation.change_report.engine_steps import preview_report
from automation.change_report.markdown import markdown
from automation.change_report.model import ChangeReport
from automation.cli.console import Console
from automation.cli.error_text import write_error
from automation.cli.report import report_json
from automation.cli.report_text import table_lines, verification_table
from automation.engine.events import Event, EventKind, Teller
from automation.engine.failures import engine_error, hopeless
from automation.engine.policy_pack import JudgedProgress, refused
from automation.errors import AutomationError, without_context
from automation.plan.failures import failure_of
from automation.plan.model import RELEASE_TYPE, Plan
from automation.plan.text import plan_text
from automation.preflight.result import Preflight, PreflightCheck
from automation.recovery.status import ClusterStatus, StackStatus
from automation.results import Step
from automation.upgrade.trial import read
from automation.verification.result import Verification, failed
from components.kube.client import KubeApi
from components.kube.look import Look, look
from components.preflight.checks import CheckKind, findings_of
from components.preflight.finding import FOUND, Finding, PreflightFailedError
from components.preflight.lookups import cluster_findings
from components.preflight.pod_run import ContainerEnd, PodEnd
from components.secrets.masker import Masker, without_digests
from tests.automation.adoption.releases import FakeCluster, installed
from tests.samples import ROOT

RELEASE: Final = Step(operation="update", type=RELEASE_TYPE, name="airflow", urn="urn")
MIGRATION: Final = Step(operation="create", type="kubernetes:batch/v1:Job", name="airflow-database-migrate", urn="urn")
MAP: Final = "kubernetes:core/v1:ConfigMap"
URN: Final = f"urn:pulumi:dev::airflow::{MAP}::own"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def _of_engine(text: str, masker: Masker, /, *reported: str, **more: Any) -> AutomationError:
    error = create_command_error(CommandResult(stdout=text, stderr=f"error: {text}", code=255))
    return engine_error(error, "up of stack dev", reported, stack="dev", clean=masker.text, **more)


def _trace(said: str, masker: Masker) -> str:
    with pytest.raises(AutomationError) as raised:
        _failing_command(said, masker)
    assert raised.value.__context__ is None
    return "".join(traceback.format_exception(raised.value))


@without_context()
def _failing_command(said: str, masker: Masker) -> None:
    try:
        raise create_command_error(CommandResult(stdout=said, stderr=f"error: {said}", code=255))
    except CommandError as error:
        raise engine_error(error, "up of stack dev", (said,), clean=masker.text) from None


def _written(text: str, file: io.StringIO) -> str:
    write_error(text, file)
    return file.getvalue()


@functools.lru_cache(maxsize=4)
def _told(said: str, masker: Masker) -> list[Event]:
    """The events of an update in which a provider, the program and a rule of the pack say it."""
    heard: list[Event] = []
    progress = JudgedProgress(Teller(heard.append, "dev", "up", masker))
    for severity in ("error", "warning"):
        content = {"severity": severity, "message": said, "color": "never", "urn": URN}
        progress(EngineEvent.from_json({"sequence": 1, "timestamp": 1, "diagnosticEvent": content}))
    return heard


def _judged(said: str, masker: Masker) -> str:
    heard: list[Event] = []
    progress = JudgedProgress(Teller(heard.append, "dev", "up", masker))
    content = {"message": said, "color": "never", "policyName": "own-rule", "policyPackName": "airflow"}
    more = {"policyPackVersion": "1", "enforcementLevel": "mandatory", "resourceUrn": URN}
    progress(EngineEvent.from_json({"sequence": 1, "timestamp": 1, "policyEvent": {**content, **more}}))
    return f"{heard}{refused('up', [masker.text(text) for text in progress.refusals])}"


def _console(said: str, masker: Masker, file: io.StringIO) -> str:
    console = Console(results=io.StringIO(), progress=file)
    try:
        for event in _told(said, masker):
            console.event(event)
    finally:
        console.close()
    return file.getvalue()


def _logged(said: str, masker: Masker) -> str:
    """What a receiver of events that raises with their text leaves in the log."""
    file = io.StringIO()
    handler, log = logging.StreamHandler(file), logging.getLogger("automation.engine.events")

    def fail(event: Event) -> None:
        raise ValueError(said)

    log.addHandler(handler)
    log.propagate = False
    try:
        Teller(fail, "dev", "up", masker).tell(EventKind.NOTE, said)
    finally:
        log.removeHandler(handler)
        log.propagate = True
    assert "ValueError" in file.getvalue()
    return file.getvalue()


class _Cluster:
    """A namespace whose pod, event, log and admission say it."""

    def __init__(self, said: str) -> None:
        self._said = said

    def items(self, version: str, kind: str, namespace: str, **options: Any) -> list[Any]:
        owner = [{"kind": "StatefulSet", "name": "worker"}]
        waiting = {"reason": "ErrImagePull", "message": self._said}
        state = {"containerStatuses": [{"name": "main", "ready": False, "state": {"waiting": waiting}}]}
        crash = {"name": "main", "ready": False, "state": {"terminated": {"exitCode": 1, "message": self._said}}}
        init = {"initContainerStatuses": [{"name": "git-sync-init", "ready": False, "state": {"running": {}}}]}
        pods = {
            "a": {"metadata": {"name": "a", "uid": "a", "ownerReferences": owner}, "spec": {}, "status": state},
            "b": {"metadata": {"name": "b", "uid": "b"}, "spec": {}, "status": {"containerStatuses": [crash]}},
            "c": {
                "metadata": {"name": "c", "uid": "c", "ownerReferences": [{"kind": "StatefulSet", "name": "two"}]},
                "spec": {},
                "status": init,
            },
        }
        about = {"kind": "Pod", "name": "a", "uid": "a"}
        found: dict[str, list[Any]] = {
            "Pod": list(pods.values()),
            "StatefulSet": [
                {"metadata": {"name": name}, "spec": {"replicas": 1}, "status": {}} for name in ("worker", "two")
            ],
            "Event": [
                {
                    "metadata": {"uid": "e", "resourceVersion": "1"},
                    "involvedObject": about,
                    "reason": "FailedMount",
                    "type": "Warning",
                    "message": self._said,
                }
            ],
        }
        return found.get(kind, [])

    def log(self, namespace: str, pod: str, container: str, **options: Any) -> str:
        return f"fatal: {self._said}"

    def creation_refusal(self, manifest: Mapping[str, Any], namespace: str) -> str:
        return f"admission webhook denied the request: {self._said}"


@functools.lru_cache(maxsize=4)
def _looked(said: str, masker: Masker) -> Look:
    return look(cast("KubeApi", _Cluster(said)), "airflow", masker.text)


def _status(said: str, masker: Masker) -> StackStatus:
    seen = _looked(said, masker)
    return StackStatus(stack="dev", exists=True, deployed=True, cluster=ClusterStatus(workloads=seen.workloads))


def _workload_events(said: str, masker: Masker) -> str:
    heard: list[Event] = []
    JudgedProgress(Teller(heard.append, "dev", "up", masker)).see(_looked(said, masker).workloads)
    assert heard
    return json.dumps([event.to_json() for event in heard]) + repr(heard)


def _end(said: str) -> PodEnd:
    return PodEnd(containers={"airflow": ContainerEnd(name="airflow", image="i", exit_code=1, message=said)})


@functools.lru_cache(maxsize=4)
def _findings(said: str, masker: Masker) -> tuple[Finding, ...]:
    """What a pod of the preflight and the admission of another one say."""
    ends = {name: ContainerEnd(name=name, image="i", exit_code=1, message=said) for name in ("reach", "fetch")}
    about = {"stack": "dev", "url": "u", "host": "h", "ref": "main", "port": "22", "folder": "dags"}
    about |= {"login_key": "k", "login": "none", "login_fix": "f", "refused": "it"}
    git = findings_of(CheckKind.GIT, PodEnd(containers=ends), about, masker.text)
    pod = {"metadata": {"labels": {"release": "airflow"}}, "spec": {"containers": []}}
    needs = {"pods": [{"component": "scheduler", "pods": 1, "pod": pod}]}
    api = cast("KubeApi", _Cluster(said))
    return (*git, *cluster_findings(api, "airflow", needs, "dev", masker.text))


def _preflight(said: str, masker: Masker) -> Preflight:
    checks = [PreflightCheck(name=i.check, verdict=i.verdict, what=i.what, fix=i.fix) for i in _findings(said, masker)]
    return Preflight(stack="dev", new_namespace=False, checks=tuple(checks))


@functools.lru_cache(maxsize=4)
def _preview(said: str, masker: Masker) -> ChangeReport:
    """The report of the engine's preview: its messages, and the inputs of a resource before and after."""

    def state(text: str) -> dict[str, Any]:
        return {"urn": URN, "type": MAP, "custom": True, "inputs": {"data": {"x": text}}, "outputs": {"y": text}}

    step = {
        "op": "update",
        "urn": URN,
        "oldState": state(said),
        "newState": state(f"{said}, another"),
        "diffReasons": ["data"],
    }
    message = {"diagnosticEvent": {"severity": "error", "message": said, "color": "never"}}
    report = preview_report("dev", [step, message], secrets=KNOWN[masker])
    assert report.steps
    return ChangeReport(base="a", head="b", stacks=(report,))


KNOWN: Final[dict[Masker, tuple[str, ...]]] = {}
"""What a masker knows, for the report of a preview, which makes its own."""


@functools.lru_cache(maxsize=4)
def _failed_plan(said: str, masker: Masker) -> Plan:
    try:
        raise ValueError(said)
    except ValueError as error:
        return Plan(stack="dev", messages=(masker.text(f"warning: {said}"),), failure=failure_of(error, ROOT, masker))


_INSTALLED: Final = installed()


def _refused_adoption(said: str, masker: Masker) -> str:
    item = {"kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": {"name": "airflow-worker"}}
    settings: Any = type("Settings", (), {"values": {}})
    cluster = FakeCluster(contents=(), refused={"airflow-worker": said})
    found = _cluster_refusals(_INSTALLED, Plan(stack="dev", objects=(item,)), cluster, masker, settings)
    assert found
    return "\n".join(found)


def _backup(said: str, masker: Masker) -> str:
    found = []
    for end in (_end(said), PodEnd(refused=said)):
        try:
            answer(end, masker.text, "backup")
        except AutomationError as error:
            found.append(f"{error}{error.to_json()}")
    return "".join(found)


def without(plan: Plan) -> Plan:
    """The plan as it is shown."""
    return Plan.from_json(without_digests(plan.to_json()))


SAID: Final[Mapping[str, Callable[[str, Masker], str]]] = {
    "an error of the engine": lambda said, masker: str(_of_engine(said, masker, said)),
    "an error of the engine, not in its events": lambda said, masker: str(_of_engine(said, masker)),
    "an error of the engine as JSON": lambda said, masker: json.dumps(_of_engine(said, masker, said).to_json()),
    "an error of the engine, repr": lambda said, masker: repr(_of_engine(said, masker, said)),
    "a traceback": _trace,
    "an error in a pipe": lambda said, masker: _written(str(_of_engine(said, masker, said)), io.StringIO()),
    "an error on a terminal": lambda said, masker: _written(str(_of_engine(said, masker, said)), Terminal()),
    "pods that were not ready in time": lambda said, masker: str(
        _of_engine("timed out", masker, "airflow: timed out", failed=(RELEASE,), warnings=(said,))
    ),
    "a migration that failed": lambda said, masker: str(
        _of_engine(
            "x", masker, "airflow-database-migrate: it failed", failed=(MIGRATION,), said=lambda: {"airflow": said}
        )
    ),
    "a wait that is hopeless": lambda said, masker: str(hopeless("up", _looked(said, masker).workloads, "dev")),
    "the preflight of an update": lambda said, masker: str(
        _of_engine("x", masker, f"{FOUND} one problem\n  k: {said}")
    ),
    "a wrong config, told by the engine": lambda said, masker: str(
        _of_engine("x", masker, f"config of stack dev: one problem\n  airflow:x: {said}")
    ),
    "a rule of the pack": _judged,
    "progress": lambda said, masker: "\n".join(event.text for event in _told(said, masker)),
    "events as JSON": lambda said, masker: json.dumps([event.to_json() for event in _told(said, masker)]),
    "events, repr": lambda said, masker: repr(_told(said, masker)),
    "events of workloads": _workload_events,
    "progress in a pipe": lambda said, masker: _console(said, masker, io.StringIO()),
    "progress on a terminal": lambda said, masker: _console(said, masker, Terminal()),
    "a log": _logged,
    "status": lambda said, masker: "\n".join(_status(said, masker).problems),
    "status as JSON": lambda said, masker: json.dumps(_status(said, masker).to_json()),
    "status, repr": lambda said, masker: repr(_status(said, masker)),
    "pods of no workload": lambda said, masker: repr(_looked(said, masker).loose),
    "the preflight": lambda said, masker: str(PreflightFailedError(_findings(said, masker))),
    "the preflight as JSON": lambda said, masker: json.dumps(_preflight(said, masker).to_json()),
    "the preflight, repr": lambda said, masker: repr(_preflight(said, masker)),
    "a check of the verification": lambda said, masker: "\n".join(
        table_lines(verification_table(Verification((failed("DAG run", masker.text(said)),))))
    ),
    "the comment about a preview": lambda said, masker: markdown(_preview(said, masker)),
    "the whole report about a preview": lambda said, masker: markdown(_preview(said, masker), limit=None),
    "the report about a preview as JSON": lambda said, masker: report_json(_preview(said, masker)),
    "a plan that failed": lambda said, masker: plan_text(without(_failed_plan(said, masker))),
    "a plan that failed as JSON": lambda said, masker: json.dumps(without(_failed_plan(said, masker)).to_json()),
    "a plan that failed, repr": lambda said, masker: repr(without(_failed_plan(said, masker))),
    "a refused adoption": _refused_adoption,
    "a backup that failed": _backup,
    "the trial of an upgrade": lambda said, masker: repr(_trial(said, masker)),
}
"""What others say, by the kind of output that quotes it."""


def _trial(said: str, masker: Masker) -> Any:
    return read(f"tried: {json.dumps({'file': 'dag.py', 'error': said})}\n", masker.text)
