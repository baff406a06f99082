"""Helm's manifests as plain, ordered data; and why there are none, in a clause."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.helm_template import KUBERNETES, ChartRefusedError, RenderingError, manifests, object_key, rendered


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command `helm` that a test writes."""
    path = tmp_path / "helm"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return path


def test_manifests_are_ordered_and_plain() -> None:
    text = """\
kind: Service
metadata: {name: b}
---
# nothing but a comment
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: n}
data: {day: 2026-01-01, 1: x}
"""
    first, second = manifests(text)
    assert first["data"] == {"day": "2026-01-01", "1": "x"}
    assert [object_key(found)[:3] for found in (first, second)] == [("ConfigMap", "n", "a"), ("Service", "", "b")]


def test_helm_is_asked_without_what_a_person_has_set_for_it(helm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_NAMESPACE", "mine")
    monkeypatch.setenv("KUBECONFIG", "/mine")
    helm.write_text(
        '#!/bin/sh\nprintf "kind: X\\nmetadata: {name: x}\\nenv: \\"%s %s\\"\\nargs: \\"%s\\"\\nvalues: %s\\n" '
        '"$HELM_NAMESPACE" "$KUBECONFIG" "$*" "$(cat)"\n'
    )
    (found,) = rendered(Path("chart.tgz"), "airflow", "ns", {"a": 1})
    assert found["env"] == " "
    assert found["args"].startswith(f"template airflow chart.tgz --namespace ns --kube-version {KUBERNETES} ")
    assert found["values"] == {"a": 1}


def test_a_refusal_is_one_clause(helm: Path) -> None:
    helm.write_text("#!/bin/sh\ncat >/dev/null\necho 'Error: values do not\n  fit' >&2\nexit 1\n")
    with pytest.raises(ChartRefusedError, match=r"^helm template failed: Error: values do not fit$"):
        rendered(Path("chart.tgz"), "airflow", "ns", {})


def test_without_helm_the_reason_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderingError, match="not on PATH") as missing:
        rendered(Path("chart.tgz"), "airflow", "ns", {})
    assert not isinstance(missing.value, ChartRefusedError), "the values may be right"
