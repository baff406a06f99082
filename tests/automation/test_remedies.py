"""Commands in errors can be copied as they are: they name the stack, its cluster and its namespace."""

from __future__ import annotations

import ast
import re

import pytest

from automation.cli.verbs import VERBS
from automation.errors import AdoptionRefused, AutomationError, NotHealthy
from automation.remedies import complete
from automation.stacks.config import StackConfig
from automation.stacks.session import Limits, Session
from automation.wait import Clock
from components.secrets.masker import Masker
from tests.samples import ROOT

KUBECTL = "kubectl --context there --namespace airflow"


def test_remedy_names_the_stack_and_tells_kubectl_where() -> None:
    error = NotHealthy("the pod p is not ready", "kubectl logs p; then python -m automation up STACK")
    complete(error, "prod", lambda: KUBECTL)
    complete(error, "prod", lambda: KUBECTL)
    assert error.remedy == f"{KUBECTL} logs p; then python -m automation up prod"
    assert str(error) == f"the pod p is not ready. Fix: {error.remedy}"
    assert error.to_json()["remedy"] == error.remedy


def test_kubectl_that_reads_the_kubeconfig_is_told_no_cluster() -> None:
    error = AutomationError("what", "kubectl config get-contexts, and kubectl get nodes")
    complete(error, "prod", lambda: KUBECTL)
    assert error.remedy == f"kubectl config get-contexts, and {KUBECTL} get nodes"


def test_kubeconfig_that_is_given_as_text_is_in_no_command() -> None:
    content = '{"users": [{"name": "u", "user": {"token": "sentinel-token"}}]}'
    config = StackConfig(kube_context="there", kubeconfig=content, protect=True, namespace="airflow")
    error = AutomationError("what", "kubectl get nodes")
    complete(error, "prod", config.kubectl)
    assert str(error) == f"what. Fix: {KUBECTL} get nodes"


def test_kubectl_stays_as_it_is_where_the_cluster_is_not_known() -> None:
    error = AutomationError("what", "kubectl get nodes")
    complete(error, "prod")
    assert error.remedy == "kubectl get nodes"


def test_each_refusal_is_completed_and_what_was_found_is_not() -> None:
    error = AdoptionRefused("prod", ("airflow:x: found STACK. Fix: pulumi config rm --stack STACK airflow:x", "alone"))
    complete(error, "prod")
    assert error.refusals == ("airflow:x: found STACK. Fix: pulumi config rm --stack prod airflow:x", "alone")
    assert "--stack prod airflow:x" in str(error)


def test_session_completes_the_errors_of_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("prod", None, None, Limits(clock=Clock()), Masker())  # type: ignore[arg-type]
    config = StackConfig(kube_context="there", kubeconfig=None, protect=True, namespace="airflow")
    monkeypatch.setattr(Session, "config", lambda self: config)

    def fail(session: Session) -> None:
        raise NotHealthy("no", "kubectl get pods; python -m automation status STACK")

    with pytest.raises(NotHealthy) as raised:
        session.do(fail)
    assert raised.value.remedy == f"{KUBECTL} get pods; python -m automation status prod"


def _texts() -> list[tuple[str, str]]:
    """Return every text that is no docstring, of the code that names Python, with the names in its braces as NAME."""
    texts = []
    for path in sorted([*(ROOT / "automation").rglob("*.py"), *(ROOT / "components").rglob("*.py")]):
        if "python" not in (source := path.read_text()):
            continue
        nodes = list(ast.walk(ast.parse(source)))
        within = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        within |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "NAME" for part in node.values)
                texts.append((path.name, "".join(parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in within:
                texts.append((path.name, node.value))
    return texts


def test_every_verb_in_an_error_is_given_what_it_needs() -> None:
    """Without a stack, a command of a stack's error would be about `dev`."""
    takes_stack = {
        name
        for verb in VERBS
        for name in (verb.name, *verb.aliases)
        if any("stack" in item.flags for item in verb.arguments) and name != "env"  # its help is about dev
    }
    for place, text in _texts():
        for verb, rest in re.findall(r"python -m automation ([a-z_]+)([^;`'\")]*)", text):
            named = re.match(r"( [a-z-]+| NAME)? (STACK\b|NAME\b|\{stack\})", rest)  # the last is filled in later
            assert named or verb not in takes_stack or text.startswith("# Made by"), (place, text)
