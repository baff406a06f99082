"""Values of the chart that are YAML in a text."""

from __future__ import annotations

from components.chart_values.value_paths import nested
from components.user_values.yaml_texts import extra_variables, text_problems
from tests.cases import each

GOOD = "# ours\n- name: A\n  value: b\n- name: C\n  valueFrom: {secretKeyRef: {name: a, key: b}}\n"


def test_a_list_of_variables_is_accepted_and_read() -> None:
    for text in (
        GOOD,
        "",
        "# nothing yet",
        "- name: A\n  value: {{ .Release.Name }}\n",
        "{{- range $x }}\n- x\n{{ end }}",
    ):
        assert list(text_problems({"extraEnv": text})) == [], text
    assert list(text_problems({"extraEnv": None, "dags": {"gitSync": {}}})) == []
    assert extra_variables({"extraEnv": GOOD}) == [("extraEnv", "A", "b"), ("extraEnv", "C", None)]
    assert extra_variables({"extraEnv": "- name: {{ .Release.Name }}"}) == []


@each(
    ("text", "expected"),
    [
        ("- name: A\n  value: [b\n", "found an error in line"),
        ("- name: A\n value: b\n", "found an error in line 2"),
        ("  - name: A\n    value: b\n", "found an error in line 1"),
        ("NAME: value\n", "found an error in line 1"),
        ("- name: A\n\tvalue: b\n", "found an error in line 2"),
        ("- NAME=value\n", "expected a list of maps"),
        ("- name: A\n  value: 2020-13-45\n", "found something else"),
        ("- name: A\n  value: 5\n", "extraEnv A: expected a text as its value"),
        ("- name: A\n  value: yes\n", "extraEnv A: expected a text as its value"),
    ],
)
def test_what_kubernetes_or_helm_would_refuse_is_refused(text: str, expected: str) -> None:
    [(_, problem)] = text_problems({"extraEnv": text})
    assert expected in problem
    assert "value" not in problem.replace("as its value", "")


def test_each_text_is_named() -> None:
    values = {"extraEnvFrom": "secretRef: a", "dags": {"gitSync": {"envFrom": "- a\n b"}}}
    assert [problem.partition(":")[0] for _, problem in text_problems(values)] == [
        "extraEnvFrom",
        "dags.gitSync.envFrom",
    ]


def test_python_that_cannot_be_read_is_refused_with_its_line() -> None:
    for path in ("airflowLocalSettings", "apiServer.apiServerConfig"):
        bad = nested(path, "import os\ndef hook(pod)\n    pass\n")
        assert [text for _, text in text_problems(bad)] == [f"{path}: expected Python, found an error in line 2"]
        for right in ("import os\nAUTH_TYPE = 1\n", "x = {{ .Values.y }}(", "", None):
            assert list(text_problems(nested(path, right))) == []
