"""What breaks the chart's schema is said in plain words, and no value that may be a secret is repeated."""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.chart_defaults import schema_problems
from components.chart_values.value_paths import nested
from tests.cases import each

PASSWORD: Final = "sentinel-password"


@each(
    "path,value,problem",
    [
        ("scheduler.replicas", "two", "scheduler.replicas: expected a whole number, found a text"),
        (
            "scheduler.replicas",
            "2",
            'scheduler.replicas: expected a whole number, found the text "2"; write it without',
        ),
        (
            "workers.celery.extraVolumes",
            [{"name": "a", "secret": {"secretName": "a", "defaultMode": "0400"}}],
            'workers.celery.extraVolumes.0.secret.defaultMode: expected a whole number, found the text "0400"; '
            "write it in decimal digits, 256",
        ),
        ("labels.team", 12345, "labels.team: expected a text, found 12345; write it in quotes"),
        ("nodeSelector.spot", True, "nodeSelector.spot: expected a text, found true; write it in quotes"),
        (
            "tolerations",
            {"key": "a"},
            "tolerations: expected a list, found a map; write each entry as a map of its own",
        ),
        ("extraEnvFrom", [{"secretRef": {"name": "x"}}], "extraEnvFrom: expected a text, found a list; write | behind"),
        ("env", [{"value": "x"}], "env.0: expected an entry name, found none"),
        ("tolerations", [{"efect": "x"}], "tolerations.0: efect is not an entry; did you mean effect?"),
        ("scheduler", {"unheardOf": 1}, "scheduler: unheardOf is not an entry"),
        (
            "scheduler.env",
            [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}],
            "scheduler.env.0.valueFrom: expected one of the entries configMapKeyRef, secretKeyRef, found fieldRef",
        ),
        (
            "workers.celery.logGroomerSidecar.retentionDays",
            -1,
            "workers.celery.logGroomerSidecar.retentionDays: expected at least 0",
        ),
        ("redis.service.type", "Sideways", "redis.service.type: expected one of ClusterIP"),
    ],
)
def test_problem_says_what_was_expected_and_found(path: str, value: Any, problem: str) -> None:
    assert any(found.startswith(problem) for found in schema_problems(nested(path, value))), (
        schema_problems(nested(path, value)),
        problem,
    )


def test_no_value_that_may_be_a_secret_is_repeated() -> None:
    for values in (
        {"env": {"DB_PASSWORD": PASSWORD}},
        {"env": [f"DB_PASSWORD={PASSWORD}"]},
        {"extraEnv": [{"name": "DB_PASSWORD", "value": PASSWORD}]},
        {"scheduler": {"replicas": PASSWORD, "env": [{"name": "A", "valueFrom": PASSWORD}]}},
        {"scheduler": {f"postgresql://me:{PASSWORD}@db/x": 1}},
        {"workers": {"celery": {"extraContainers": {"command": [PASSWORD]}}}},
    ):
        problems = schema_problems(values)
        assert problems
        assert PASSWORD not in str(problems)


def test_many_problems_are_a_few_short_sentences() -> None:
    problems = schema_problems({"scheduler": {f"unheardOf{n}" * 50: n for n in range(50)}, "statsd": 1})
    assert 1 < len(problems) <= 10
    assert all(len(problem) < 2000 for problem in problems)
