"""Random values over the chart's schema: each is refused, or has an effect, and never breaks a rule about pods.

The values are drawn with malice: a Secret of the stack, another component's label, a privilege and a token are as
likely as anything else.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from components.chart_values.chart_defaults import chart_schema, chart_values, merged, schema_problems
from components.chart_values.executor import Executor
from components.chart_values.ingress import Ingress
from components.chart_values.scale import Scale
from components.chart_values.size_preset import SizePreset
from components.chart_values.value_paths import at, nested, without_nulls
from components.chart_values.values import airflow_values
from components.chart_values.worker_sets import SETS, set_schema_problems
from components.database.pgbouncer import PgBouncer
from components.kube.pod_security import CONTAINER
from components.user_values.surroundings import Surroundings
from components.user_values.user_values import problems, with_helm_values
from policy.convert import objects_of
from policy.evaluate import evaluate_objects
from policy.rules import isolation
from tests import samples
from tests.chart import rendering

DATABASE: Final = "airflow-database-metadata-1a2b3c4d"
OWN: Final = (DATABASE, "airflow-keys-jwt-secret-1a2b3c4d", "airflow-keys-fernet-key-1a2b3c4d")
MARK: Final = "zz-mark"
RULES: Final = tuple(rule for rule in isolation.RULES if rule.objects)
SURROUNDINGS: Final = Surroundings(isolated=True, ui_reachable=False, mounted=frozenset({"v"}))


@functools.cache
def program() -> dict[str, Any]:
    """The program's values where nearly everything is deployed."""
    inputs = samples.release_inputs(
        executor=Executor.CELERY_AND_KUBERNETES,
        pgbouncer=PgBouncer(replicas=2),
        size=SizePreset.SMALL,
        scale=Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=2),
        metadata_retention_days=30,
        ingress=Ingress(host="airflow.example.com", class_name="nginx", annotations={}),
        database_ca="ca",
    )
    return airflow_values(inputs)


@functools.cache
def schema_leaves() -> list[tuple[str, Mapping[str, Any]]]:
    """Path and schema of each value of the chart that has no values below it."""

    def walk(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for key, below in node.get("properties", {}).items():
            if below.get("properties"):
                yield from walk(below, f"{path}{key}.")
            else:
                yield f"{path}{key}", below

    return list(walk(chart_schema(), ""))


secret_names: Final = st.sampled_from([*OWN, "warehouse"])
DIFFERENT: Final = ({**CONTAINER, "privileged": True}, {"runAsUser": 0}, {"readOnlyRootFilesystem": True})
contexts: Final = st.sampled_from([CONTAINER, *DIFFERENT])
variables: Final = st.one_of(
    st.builds(lambda name: {"name": "X", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}, secret_names),
    st.sampled_from([{"name": name, "value": "1"} for name in ("X", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD")]),
)
volumes: Final = st.one_of(
    st.builds(lambda name: {"name": "v", "secret": {"secretName": name}}, secret_names),
    st.builds(lambda name: {"name": "v", "projected": {"sources": [{"secret": {"name": name}}]}}, secret_names),
    st.sampled_from(
        [
            {"name": "v", "emptyDir": {}},
            {"name": "v", "hostPath": {"path": "/"}},
            {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        ]
    ),
)
containers: Final = st.builds(
    lambda name, context: {
        "name": MARK,
        "image": "redis:7",
        "securityContext": context,
        "envFrom": [{"secretRef": {"name": name}}],
    },
    secret_names,
    contexts,
)
labels: Final = st.sampled_from([{"component": "scheduler"}, {"tier": "x"}, {"team": MARK}])
accounts: Final = st.sampled_from([{"create": False, "name": "powerful"}, {"automountServiceAccountToken": True}])
LISTS: Final = {
    "env": variables,
    "volumes": volumes,
    "extraVolumes": volumes,
    "extraContainers": containers,
    "extraInitContainers": containers,
    "secret": st.builds(lambda name: {"envName": "X", "secretName": name}, secret_names),
}
MAPS: Final = {
    "labels": labels,
    "serviceAccount": accounts,
    "container": st.sampled_from(DIFFERENT),
    "pod": st.sampled_from(DIFFERENT),
}


def value_of(path: str, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values for a leaf of the schema."""
    key = path.rpartition(".")[2]
    default, given_type = at(merged(chart_values(), program()), path), node.get("type")
    types = given_type if isinstance(given_type, list) else [given_type]
    if key in LISTS:
        return st.lists(LISTS[key], min_size=1, max_size=1)
    if key in MAPS:
        return MAPS[key]
    if "boolean" in types or isinstance(default, bool):
        return st.just(not default)
    if "object" in types or isinstance(default, Mapping):
        return st.just({MARK: MARK})
    if "array" in types or isinstance(default, list):
        return st.just([MARK] if key in ("args", "command") else [{"name": MARK, "value": MARK}])
    if "integer" in types or "number" in types or isinstance(default, int | float):
        return st.integers(71, 79)
    return st.sampled_from([MARK, DATABASE, "{{ .Values.data.metadataSecretName }}"])


@st.composite
def values_files(draw: st.DrawFn) -> dict[str, Any]:
    """A file with one value, at the root of the chart or in a set of workers."""
    leaves = schema_leaves()
    malicious = [leaf for leaf in leaves if leaf[0].rpartition(".")[2] in (*LISTS, *MAPS)]
    path, node = draw(st.sampled_from(leaves) | st.sampled_from(malicious))
    found = nested(path, draw(value_of(path, node)))
    if path.startswith("workers.celery.") and path != SETS and draw(st.booleans()):
        element = found["workers"]["celery"]
        return nested(SETS, [{"name": "gpu", **element}])
    return found


def refusals(users: Mapping[str, Any]) -> list[str]:
    """What `airflow:helmValues` says of the values."""
    found = problems(users, chart_values(), chart_schema(), SURROUNDINGS)
    return [*found, *schema_problems(without_nulls(users)), *set_schema_problems(users)]


@rendering.needs_chart
@settings(max_examples=25, derandomize=True)
@given(users=values_files())
def test_accepted_values_break_no_rule(users: dict[str, Any]) -> None:
    if refusals(users):
        return
    values = with_helm_values(program(), users)
    objects = rendering.objects(values)
    broken = evaluate_objects(objects_of(objects), rules=RULES)
    assert list(map(str, broken)) == [], users
    assert objects != rendering.objects(program()) or values == program(), f"no effect: {users}"


@settings(max_examples=100, derandomize=True)
@given(users=values_files())
def test_accepted_values_name_no_secret_of_the_stack(users: dict[str, Any]) -> None:
    """What can be told without Helm."""
    assert refusals(users) or not [name for name in OWN if name in json.dumps(users)]


def test_malice_is_refused() -> None:
    """Or the tests above could pass because they draw nothing of the kind."""
    for component in ("workers.celery", "workers.kubernetes", "triggerer"):
        for users in (
            nested(f"{component}.labels", {"component": "scheduler"}),
            nested(f"{component}.env", [{"name": "X", "valueFrom": {"secretKeyRef": {"name": DATABASE, "key": "k"}}}]),
            nested(f"{component}.extraVolumes", [{"name": "v", "hostPath": {"path": "/"}}]),
            nested(f"{component}.serviceAccount", {"automountServiceAccountToken": True}),
        ):
            assert refusals(users), users
