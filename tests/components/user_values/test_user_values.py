"""The escape hatch: what a user's Helm values may not touch, and how the rest is merged."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.chart_values.chart_defaults import chart_schema, chart_values, merged, schema_problems
from components.chart_values.executor import Executor
from components.chart_values.ingress import Ingress
from components.chart_values.managed_variables import JWT_VARIABLES, MANAGED_VARIABLES
from components.chart_values.metrics import Monitoring
from components.chart_values.owned_values import APPENDED, FREE, OWNED, SAFE_TO_EVICT, advice
from components.chart_values.release_inputs import DagAccess, ReleaseInputs
from components.chart_values.scale import Scale
from components.chart_values.size_preset import SizePreset
from components.chart_values.value_paths import without_nulls
from components.chart_values.values import airflow_values
from components.database.pgbouncer import PgBouncer
from components.kube.images import Images
from components.task_logs.remote import CONNECTION_VARIABLE, REMOTE_CONNECTION_VARIABLE, RemoteLogs, remote_log_values
from components.task_logs.store import TaskLogStore
from components.user_values.dead_values import DEAD
from components.user_values.user_values import problems, with_helm_values
from tests import samples
from tests.cases import each

COMPONENTS: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer", "pgbouncer", "workers.celery")
TUNABLE: Final = {
    "apiServer.allowPodLogReading",
    "apiServer.args",
    "apiServer.service.ports",
    "config.api.base_url",
    "dagProcessor.dagBundleConfigList",
    "config.celery.sync_parallelism",
    "config.celery_broker_transport_options.socket_timeout",
    "config.dag_processor.refresh_interval",
    "config.logging.delete_local_logs",
    "config.workers.execution_api_retries",
    "config.workers.max_failed_heartbeats",
    "databaseCleanup.args",
    "databaseCleanup.batchSize",
    "databaseCleanup.schedule",
    "databaseCleanup.skipArchive",
    "enableServiceLinks",
    "redis.terminationGracePeriodSeconds",
    "revisionHistoryLimit",
    "workers.celery.podManagementPolicy",
}
"""What the program sets, and a user may set otherwise."""
TUNABLE_PARTS: Final = (
    "containerLifecycleHooks",
    "podDisruptionBudget",
    "resources",
    "securityContexts",
    "serviceAccount",
    "startupProbe",
    "strategy",
    "topologySpreadConstraints",
)
"""The same, of any component."""


def tunable(path: str) -> bool:
    if under(path, OWNED):
        return under(path, FREE) and path not in APPENDED
    return under(path, TUNABLE) or any(part in path.split(".") for part in TUNABLE_PARTS)


def found(helm_values: Mapping[str, Any]) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema())


def nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values[part]
    return values


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def under(path: str, roots: Any) -> bool:
    return any(path == root or path.startswith(f"{root}.") for root in roots)


# What the program owns


@each("path", OWNED)
def test_owned_value_is_refused_in_whatever_shape(path: str) -> None:
    for value in ("x", None, True, 7, [], {}, ["x"], {"child": "x"}, {"child": {"grandchild": None}}):
        refused = found(nested(path, value))
        assert any(problem.startswith(path) and advice(OWNED[path]) in problem for problem in refused), (
            value,
            refused,
        )


@each("path", [path for path in OWNED if "." in path and not path.endswith(SAFE_TO_EVICT)])
def test_owned_value_is_refused_among_its_neighbours(path: str) -> None:
    parent, _, key = path.rpartition(".")
    default = at(chart_values(), parent) if not parent.startswith("config") else {}
    refused = found(nested(parent, {**default, key: "x"}))
    keys = [problem.partition(")")[0].removeprefix(f"{parent} (").split(", ") for problem in refused]
    assert any(problem.startswith(path) for problem in refused) or any(key in found for found in keys), refused


@each("path", [path for path in OWNED if path.endswith(SAFE_TO_EVICT)])
def test_annotation_that_lets_a_pod_be_evicted_is_refused_among_others(path: str) -> None:
    values = nested(path.removesuffix(f".{SAFE_TO_EVICT}"), {"owner": "data", SAFE_TO_EVICT: "true"})
    assert any(problem.startswith(path) for problem in found(values)), found(values)


@each("path", sorted({path.rpartition(".")[0] for path in (*OWNED, *APPENDED) if "." in path} - set(OWNED)))
@each("value", [None, "x", 7, []])
def test_parent_of_an_owned_value_cannot_be_taken_away(path: str, value: Any) -> None:
    """Merged as it is, it would take the program's own values with it."""
    why = " holds values that the program sets; give a map of the others"
    nothing = ": expected a map, found nothing; leave it out"
    assert found(nested(path, value)) == [f"{path}{nothing if value is None else why}"]


@each("path", sorted({path.rpartition(".")[0] for path in OWNED if "." in path} - set(OWNED)))
def test_empty_parent_changes_nothing(path: str) -> None:
    assert found(nested(path, {})) == []
    values = airflow_values(samples.release_inputs())
    assert with_helm_values(values, nested(path, {})) == merged(nested(path, {}), values)


def test_all_problems_come_at_once() -> None:
    refused = found({"executor": "x", "schedular": {}, "env": [{"name": "AIRFLOW__CORE__EXECUTOR", "value": "x"}]})
    assert refused == [
        "executor is set by the program; use airflow:executor",
        "schedular is not a value of the chart; did you mean scheduler?",
        "env may not set AIRFLOW__CORE__EXECUTOR: the program does; use airflow:executor",
    ]


def test_every_value_of_the_program_is_owned_appended_or_free_on_purpose() -> None:
    """A new value has to be put in one of the four; `TUNABLE` above is the third."""
    for path in {path for values in whole() for path in leaves(values)}:
        kinds = [under(path, OWNED) and not under(path, FREE), path in APPENDED, tunable(path), under(path, DEAD)]
        assert kinds.count(True) == 1, path


def whole() -> Iterator[dict[str, Any]]:
    """Values in which everything is that the program ever sets."""
    x: tuple[dict[str, Any], ...] = ({"name": "x"},)
    accesses = (
        DagAccess(ssh_key_secret="k", known_hosts="h"),
        DagAccess(credentials_secret="c"),
        DagAccess(bundle_config=x, env=x, volumes=x, volume_mounts=x),
    )
    for executor, store, access, pooler in itertools.product(Executor, TaskLogStore, accesses, (PgBouncer(), None)):
        yield airflow_values(
            samples.release_inputs(
                executor=executor,
                store=store,
                pgbouncer=pooler and PgBouncer(replicas=2),
                dag_access=access,
                images=Images(tag="x", digest=samples.DIGEST),
                scale=Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=2),
                size=SizePreset.SMALL,
                metadata_retention_days=30,
                ingress=Ingress(host="airflow.test", class_name="nginx", tls_secret="t", annotations={"a.b/c": "d"}),
                database_ca="ca",
            )
        )


def test_every_owned_path_exists_in_the_chart_or_is_an_option_of_airflow() -> None:
    for path in (*OWNED, *APPENDED):
        if not path.startswith("config."):
            assert [problem for problem in found(nested(path, {})) if "not a value" in problem] == [], path


# Variables


PLACES: Final[Mapping[str, Callable[[str], dict[str, Any]]]] = {
    "env of every pod": lambda name: {"env": [{"name": name, "value": "x"}]},
    "env of the API server": lambda name: {"apiServer": {"env": [{"name": name, "value": "x"}]}},
    "env of the scheduler": lambda name: {"scheduler": {"env": [{"name": name, "value": "x"}]}},
    "env of the DAG processor": lambda name: {"dagProcessor": {"env": [{"name": name, "value": "x"}]}},
    "env of the triggerer": lambda name: {"triggerer": {"env": [{"name": name, "value": "x"}]}},
    "env of Celery workers": lambda name: {"workers": {"celery": {"env": [{"name": name, "value": "x"}]}}},
    "env of task pods": lambda name: {"workers": {"kubernetes": {"env": [{"name": name, "value": "x"}]}}},
    "env of a set": lambda name: {"workers": {"celery": {"sets": [{"name": "big", "env": [{"name": name}]}]}}},
    "env of a container": lambda name: {"scheduler": {"extraContainers": [{"name": "x", "env": [{"name": name}]}]}},
    "secret": lambda name: {"secret": [{"envName": name, "secretName": "x", "secretKey": "y"}]},
    "extraEnv": lambda name: {"extraEnv": f"- name: {name}\n  value: x\n"},
    "extraEnvFrom": lambda name: {"extraEnvFrom": f"- configMapRef: {{name: {name}}}"},
    "podTemplate": lambda name: {"podTemplate": f"spec:\n  containers:\n  - env: [{{name: {name}}}]"},
}


@each("place", PLACES)
def test_managed_variable_is_refused_wherever_variables_are_set(place: str) -> None:
    for name in (*MANAGED_VARIABLES, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"):
        refused = found(PLACES[place](name))
        assert len(refused) == 1, (name, refused)
        assert f"may not set {name}: the program does; use airflow:" in refused[0] or "the keys airflow:" in refused[0]


@each("name", [name for name in MANAGED_VARIABLES if name.startswith("AIRFLOW__")])
@each("suffix", ["", "_cmd", "_secret"])
def test_managed_variable_is_refused_as_an_option_of_airflow_too(name: str, suffix: str) -> None:
    section, option = name.removeprefix("AIRFLOW__").lower().split("__")
    refused = found({"config": {section: {option + suffix: "x"}}})
    assert len(refused) == 1
    assert refused[0].startswith(f"config.{section}.{option}")


def test_every_secret_variable_of_the_chart_is_managed() -> None:
    """But for those of services that the program does not deploy."""
    of_the_chart = {name for name in chart_values()["enableBuiltInSecretEnvVars"] if "SEARCH" not in name}
    of_the_chart -= {"AIRFLOW__WEBSERVER__SECRET_KEY"}  # of Airflow 2
    of_the_program = {"AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__LOAD_EXAMPLES"}
    of_the_program |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", *JWT_VARIABLES}
    of_the_program |= {f"AIRFLOW__KUBERNETES_EXECUTOR__{name}" for name in ("CONFIG_FILE", "IN_CLUSTER", "NAMESPACE")}
    options = remote_log_values(RemoteLogs(folder="s3://a/b", region="x"))["config"]["logging"]
    of_remote_logs = {"AIRFLOW__AZURE_REMOTE_LOGGING__REMOTE_WASB_LOG_CONTAINER"}
    of_remote_logs |= {f"AIRFLOW__LOGGING__{name}".upper() for name in options if name.startswith("remote_")}
    assert set(MANAGED_VARIABLES) == of_the_chart | of_the_program | of_remote_logs | {
        CONNECTION_VARIABLE,
        REMOTE_CONNECTION_VARIABLE,
    }


def test_other_variables_are_the_user_s() -> None:
    variable = {"name": "AIRFLOW__CORE__PARALLELISM", "value": "64"}
    for path in (path for path in APPENDED if path.endswith("env")):
        assert found(nested(path, [variable])) == []
    assert found({"extraEnv": "- name: SMTP_PROXY\n  value: x\n"}) == []
    assert found({"config": {"core": {"parallelism": "64"}, "api": {"base_url": "https://airflow.test"}}}) == []


@each("label", ["tier", "release", "component"])
@each("parent", ["labels", "workers.celery.labels", "workers.kubernetes.labels", "scheduler.labels"])
def test_labels_by_which_network_policies_tell_pods_apart_are_refused(parent: str, label: str) -> None:
    """A worker that called itself an API server would be let into the database."""
    refused = found(nested(parent, {label: "api-server", "team": "data"}))
    why = "is set by the chart, and network policies tell pods apart by it; use a label of another name"
    assert refused == [f"{parent}.{label} {why}"]


# Keys that nobody knows


@each(
    "helm_values",
    [
        {"schedular": {"replicas": 2}},
        {"workers": {"celery": {"resource": {}}}},
        {"workers": {"kubernetes": {"nodeselector": {}}}},
        {"ingress": {"apiserver": {}}},
        {"scheduler": {"serviceAccount": {"annotation": {}}}},
        {"extraObject": []},
    ],
)
def test_misspelt_key_is_refused_even_where_the_chart_ignores_it(helm_values: dict[str, Any]) -> None:
    path = next(leaves(helm_values))
    refused = found(helm_values)
    assert len(refused) == 1
    named, sentence, rest = refused[0].partition(" is not a value of the chart")
    assert path.startswith(named)
    assert sentence
    assert not rest or rest.startswith("; did you mean ")


@each(
    "helm_values",
    [
        {"scheduler": {"resources": {"limits": {"memory": "2Gi"}}}},
        {"scheduler": {"podDisruptionBudget": {"enabled": True, "config": {"minAvailable": 1}}}},
        {"workers": {"celery": {"podManagementPolicy": "OrderedReady", "queue": "default,large"}}},
        {"workers": {"kubernetes": {"nodeSelector": {"pool": "tasks"}, "tolerations": [{"key": "tasks"}]}}},
        {
            "ingress": {
                "apiServer": {"succeedingPaths": []},
                "flower": {"enabled": False},
            }
        },
        {"config": {"smtp": {"smtp_host": "mail.test"}}},
        {"dags": {"gitSync": {"resources": {"limits": {"memory": "1Gi"}}}}},
        {"labels": {"team": "data"}, "airflowPodAnnotations": {"a.b/c": "d"}},
        {"apiServer": {"service": {"type": "ClusterIP", "annotations": {"a": "b"}}}},
        {},
    ],
)
def test_what_a_team_needs_is_accepted(helm_values: dict[str, Any]) -> None:
    assert found(helm_values) == []
    assert schema_problems(helm_values) == []
    values = with_helm_values(airflow_values(samples.release_inputs()), helm_values)
    assert schema_problems(without_nulls(values)) == []
    assert merged(values, helm_values) == values, "all of it has arrived"


def test_defaults_of_the_chart_are_known_but_for_what_is_owned() -> None:
    """Whoever copies values.yaml whole is told of owned keys only."""
    assert [problem for problem in found(chart_values()) if "not a value of the chart" in problem] == []


# Merging


def appendable(path: str) -> dict[str, Any]:
    """Values in which the list at `path`, of `APPENDED`, has an entry of the program's."""
    own = ({"name": "own"},)
    access = DagAccess(env=({"name": "OWN"},), volumes=own, volume_mounts=own, git_sync_mounts=own)
    pooler = PgBouncer() if path.startswith("pgbouncer.") else None
    inputs = samples.release_inputs(dag_access=access, pgbouncer=pooler, database_ca="own", metadata_retention_days=30)
    return airflow_values(replace(inputs, monitoring=Monitoring.OPERATOR))


@each("path", APPENDED)
def test_list_of_the_program_grows(path: str) -> None:
    values = appendable(path)
    own = copy.deepcopy(at(values, path))
    assert own
    users = [{"name": "users-1"}, {"name": "users-2"}]
    assert at(with_helm_values(values, nested(path, users)), path) == [*own, *users]
    assert at(values, path) == own, "the input stays as it is"


@each("path", APPENDED)
def test_list_of_the_program_cannot_be_taken_away(path: str) -> None:
    values = appendable(path)
    nothings: tuple[Any, ...] = (None, [])
    for nothing in nothings:
        assert at(with_helm_values(values, nested(path, nothing)), path) == at(values, path)


@pytest.mark.parametrize("path", ["triggerer.extraVolumes", "pgbouncer.extraVolumeMounts", "databaseCleanup.env"])
def test_list_that_the_program_leaves_empty_is_the_user_s(path: str) -> None:
    users = [{"name": "users"}]
    values = airflow_values(samples.release_inputs(pgbouncer=PgBouncer()))
    assert at(with_helm_values(values, nested(path, users)), path) == users


def test_other_lists_are_replaced() -> None:
    values = {"scheduler": {"tolerations": [{"key": "a"}]}}
    assert with_helm_values(values, {"scheduler": {"tolerations": [{"key": "b"}]}}) == {
        "scheduler": {"tolerations": [{"key": "b"}]}
    }


def test_user_s_value_wins_and_the_program_s_stay() -> None:
    values = with_helm_values(
        airflow_values(samples.release_inputs()), {"scheduler": {"startupProbe": {"failureThreshold": 99}}}
    )
    assert values["scheduler"]["startupProbe"]["failureThreshold"] == 99
    assert values["scheduler"]["replicas"] == 1


# Disruption budgets

SEVERAL: Final = samples.release_inputs(
    pgbouncer=PgBouncer(replicas=2),
    scale=Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=2),
)


@each("inputs", [SEVERAL, samples.release_inputs()], ids=["several", "single"])
@each("component", COMPONENTS)
def test_user_s_minimum_takes_the_place_of_the_maximum(component: str, inputs: ReleaseInputs) -> None:
    """The chart's default has the other one too, which only a null takes away; Kubernetes refuses both."""
    users = nested(f"{component}.podDisruptionBudget", {"enabled": True, "config": {"minAvailable": 1}})
    assert found(users) == []
    config = at(with_helm_values(airflow_values(inputs), users), f"{component}.podDisruptionBudget.config")
    assert config["minAvailable"] == 1
    assert config["maxUnavailable"] is None


@each("component", COMPONENTS)
def test_user_s_maximum_takes_the_place_of_the_program_s(component: str) -> None:
    users = nested(f"{component}.podDisruptionBudget.config", {"maxUnavailable": "50%"})
    config = at(with_helm_values(airflow_values(SEVERAL), users), f"{component}.podDisruptionBudget.config")
    assert config == {"maxUnavailable": "50%", "unhealthyPodEvictionPolicy": "AlwaysAllow"}


@each("component", COMPONENTS)
def test_minimum_and_maximum_at_once_are_refused(component: str) -> None:
    path = f"{component}.podDisruptionBudget.config"
    assert found(nested(path, {"minAvailable": 1, "maxUnavailable": 1})) == [
        f"{path}: give one of minAvailable and maxUnavailable"
    ]


def test_chart_s_budget_of_all_workers_is_off_beside_sets() -> None:
    """It would select the pods of the sets too, which have one each."""
    users: dict[str, Any] = {"workers": {"celery": {"sets": [{"name": "large"}]}}}
    path = "workers.celery.podDisruptionBudget.enabled"
    values = airflow_values(SEVERAL)
    assert at(values, path) is True
    assert at(with_helm_values(values, users), path) is False
    assert at(with_helm_values(values, {"workers": {"celery": {"sets": []}}}), path) is True
    assert at(with_helm_values(values, merged(users, nested(path, True))), path) is False


KEYS: Final = st.sampled_from(["a", "b", "c"])
TREES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda children: st.dictionaries(KEYS, children, max_size=3),
    max_leaves=12,
)
MAPS: Final = st.dictionaries(KEYS, TREES, max_size=3)


@given(MAPS, MAPS)
def test_merge_changes_neither_side(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((base, over))
    merged(base, over)
    assert (base, over) == before


@given(MAPS)
def test_merge_with_nothing_or_itself_is_itself(base: dict[str, Any]) -> None:
    assert merged(base, {}) == base
    assert merged({}, base) == base
    assert merged(base, base) == base


@given(MAPS, MAPS, MAPS)
def test_merge_may_be_done_in_any_grouping(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    grouped = merged(first, merged(second, third))
    # A scalar between two maps cuts them apart in one grouping only.
    if all(shapes_agree(a, b) for a, b in ((first, second), (second, third), (first, third))):
        assert merged(merged(first, second), third) == grouped


def shapes_agree(one: Any, other: Any) -> bool:
    if isinstance(one, dict) != isinstance(other, dict):
        return False
    return not isinstance(one, dict) or all(shapes_agree(one[key], other[key]) for key in one.keys() & other.keys())


@given(MAPS, MAPS)
def test_merged_leaf_is_the_upper_one_or_else_the_lower_one(base: dict[str, Any], over: dict[str, Any]) -> None:
    result = merged(base, over)
    assert result.keys() == base.keys() | over.keys()
    for key, value in result.items():
        if key not in over:
            assert value == base[key]
        elif key not in base or not (isinstance(base[key], dict) and isinstance(over[key], dict)):
            assert value == over[key]
        else:
            assert value == merged(base[key], over[key])


def test_values_of_another_chart_are_refused_with_what_to_use_here() -> None:
    for values, says in (
        ({"airflow": {"config": {"core": {"parallelism": 64}}}}, "write what is below it without it: the values are"),
        (
            {"airflow": {"config": {"AIRFLOW__CORE__PARALLELISM": "64"}, "executor": "X"}},
            "use for config config.SECTION.OPTION for each AIRFLOW__SECTION__OPTION; for executor airflow:executor",
        ),
        ({"airflow": {"users": []}}, "use for users airflow:adminUsername, and airflow:oidcIssuer for other people"),
        ({"airflow": {"foo": 1}}, "write what is below it without it, as far as the chart has it"),
        ({"web": {"replicas": 2}}, "use apiServer"),
        ({"externalDatabase": {"host": "db"}}, "use airflow:database external, airflow:databaseHost and the keys"),
        ({"externalRedis": {"host": "r"}}, "use airflow:brokerUrl"),
        ({"global": {"storageClass": "gp3"}}, "use airflow:imageRegistry, airflow:imagePullSecrets"),
        ({"extraDeploy": []}, "leave it out, because no policy would judge its objects; make them beside"),
    ):
        [told] = problems(values, chart_values(), chart_schema())
        assert told.startswith(f"{next(iter(values))} is not a value of the chart; {says}"), told
