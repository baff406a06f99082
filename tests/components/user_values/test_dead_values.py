"""Which values of the chart have no effect beside the program's: found by rendering, and compared with what is refused.

Every value of values.yaml that users may set gets a mark of its own, all in one render. A mark that is not found again
in any object has no effect: it is refused, or another value of the same render hid it, which `HIDDEN` lists.
"""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.executor import Executor
from components.chart_values.owned_values import APPENDED, advice, owner
from components.chart_values.size_preset import SizePreset
from components.chart_values.value_paths import at, nested, under
from components.chart_values.values import airflow_values
from components.database.pgbouncer import PgBouncer
from components.user_values.dead_values import DEAD, dead_instead
from components.user_values.deprecated_values import deprecated_paths, replacements
from components.user_values.user_values import problems
from tests import samples
from tests.cases import each
from tests.chart import rendering

HIDDEN: Final[Mapping[str, str]] = {
    "affinity": "each component has its own here",
    "apiServer.apiServerConfigConfigMapName": "the other of the two ways is marked",
    "cleanup.serviceAccount.serviceAccountTokenVolume": "the account's token is mounted",
    "containerLifecycleHooks": "each component has its own here",
    "createUserJob": "the program's own Jobs follow it",
    "dags.persistence": "off here: git-sync delivers",
    "databaseCleanup": "the marked args hide what the script reads",
    "elasticsearch": "off here",
    "flower.password": "the Secret's name is marked",
    "flower.secretAnnotations": "the Secret's name is marked",
    "flower.username": "the Secret's name is marked",
    "ingress.apiServer": "needs airflow:ingressHost",
    "migrateDatabaseJob": "the program's own Jobs follow it",
    "nodeSelector": "each component has its own here",
    "opensearch": "off here",
    "podTemplate": "not marked: it hides what the chart's own template reads",
    "priorityClasses": "its entries have a shape",
    "redis.persistence": "the claim's name is marked",
    "redis.service": "needs another type of Service",
    "revisionHistoryLimit": "each component has its own here",
    "scheduler.serviceAccount.serviceAccountTokenVolume": "the account's token is mounted",
    "securityContexts": "each component has its own here",
    "statsd.extraMappings": "overrideMappings is marked",
    "tolerations": "each component has its own here",
    "topologySpreadConstraints": "each component has its own here",
    "workers.celery.logGroomerSidecar": "needs a volume of the worker's",
    "workers.celery.persistence": "needs a volume of the worker's",
    "workers.celery.queue": "the marked args hide it",
    "workers.celery.sets": "its entries have a shape",
    "workers.celery.updateStrategy": "needs a volume of the worker's",
    "workers.celery.volumeClaimTemplates": "needs a volume of the worker's",
}
"""Values that have an effect, though not in this render: another value of the user's, or a setting, decides."""

_NOT_MARKED: Final = ("podTemplate", "airflowVersion", "config", "priorityClasses", "registry", "workers.celery.sets")
_SHAPED: Final[dict[str, Any]] = {
    "extraEnv": "- name: extra-env-mark\n  value: x\n",
    "extraEnvFrom": "- configMapRef: {name: extra-env-from-mark}\n",
    "elasticsearch.enabled": False,
    "opensearch.enabled": False,
    "dags.persistence.enabled": False,
    "apiServer.apiServerConfigConfigMapName": None,
    "flower.networkPolicy": {"ingress": {"from": [], "ports": []}},
    "elasticsearch.secretName": None,
    "elasticsearch.connection": {},
    "opensearch.secretName": None,
    "ingress.web.enabled": False,
    "webserver.enabled": False,
}


def values_of_users() -> Iterator[tuple[str, Any]]:
    """Path and default of each leaf that is neither the program's nor deprecated."""
    for path, default in _leaves(chart_values()):
        if owner(path) is None and not replacements(path, chart_schema()) and not under(path, APPENDED):
            yield path, default


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _schema_at(path: str) -> Mapping[str, Any]:
    node: Mapping[str, Any] = chart_schema()
    for part in path.split("."):
        node = node.get("properties", {}).get(part, {})
    return node


def marked(path: str, default: Any, number: int) -> tuple[Any, str]:
    """A value for a leaf, and the mark in it; "" where it can hold none."""
    given = _schema_at(path).get("type")
    types = given if isinstance(given, list) else [given]
    mark = f"zz{number}zz"
    if "boolean" in types or isinstance(default, bool):
        # Switched on, where that shows more.
        return True if path.endswith(("nabled", "create")) else default, ""
    if path in ("extraConfigMaps", "extraSecrets"):
        return {mark: {"labels": {mark: mark}, "data": "a: b"}}, mark
    if "object" in types or isinstance(default, dict):
        return {mark: mark}, mark
    if path == "secret":
        return [{"envName": mark, "secretName": mark}], mark
    if "array" in types or isinstance(default, list):
        return [mark] if path.endswith(("args", "command")) else [{"name": mark, "value": mark}], mark
    if "integer" in types or "number" in types or isinstance(default, int | float):
        return 700_000 + number, str(700_000 + number)
    return mark, mark


@functools.cache
def without_effect() -> set[str]:
    """The marked paths whose mark is in no object."""
    values = airflow_values(
        samples.release_inputs(
            executor=Executor.CELERY_AND_KUBERNETES,
            pgbouncer=PgBouncer(replicas=2),
            size=SizePreset.SMALL,
            metadata_retention_days=30,
            database_ca="ca",
        )
    )
    marks = {}
    for number, (path, default) in enumerate(values_of_users()):
        if path in _SHAPED or under(path, _NOT_MARKED):
            continue
        value, mark = marked(path, default, number)
        values = merged(values, nested(path, value))
        if mark:
            marks[path] = mark
    for path, value in _SHAPED.items():
        values = merged(values, nested(path, value))
    text = rendering.manifest(values, validate=False)
    text += "".join(_secret_text(found) for found in rendering.objects_in(text) if found["kind"] == "Secret")
    return {path for path, mark in marks.items() if mark not in text}


def _secret_text(secret: Mapping[str, Any]) -> str:
    texts = []
    for value in (secret.get("data") or {}).values():
        try:
            texts.append(base64.b64decode(value).decode())
        except (binascii.Error, UnicodeDecodeError):
            texts.append(str(value))
    return "".join(texts)


def refused(path: str) -> bool:
    return any(problem.startswith(path) for problem in problems(nested(path, "x"), chart_values(), chart_schema()))


@rendering.needs_chart
def test_every_value_without_effect_is_refused_or_hidden_by_another_one() -> None:
    left = {path for path in without_effect() if not refused(path) and under(path, HIDDEN) is None}
    assert left == set()


@rendering.needs_chart
def test_every_refused_dead_value_has_no_effect() -> None:
    dead = {path for path, _ in values_of_users() if under(path, DEAD)}
    # PgBouncer's certificates get a Secret and a mount, and no line of the program's pgbouncer.ini names them. The
    # login of the registry is used where the stack has none, which is airflow:registryCredentials. Switches have no
    # mark. The webserver's configuration reaches every pod but the API server.
    known = {path for path in dead if path.startswith(("pgbouncer.ssl.", "pgbouncer.certificates", "registry."))}
    known |= {path for path in dead if isinstance(at(chart_values(), path), bool) or "boolean" in str(_schema_at(path))}
    known |= {path for path in dead if path.startswith("webserver.webserverConfig") or path in _SHAPED}
    assert dead - known - without_effect() == set()


@rendering.needs_chart
def test_switches_and_logins_of_dead_values_change_no_object() -> None:
    """What holds no mark: all at once, with the certificates beside them, whose Secret alone is new."""
    values = airflow_values(samples.release_inputs(pgbouncer=PgBouncer(replicas=2)))
    changed = values
    for path in ("pgbouncer.verbose", "pgbouncer.logConnections", "pgbouncer.logDisconnections"):
        changed = merged(changed, nested(path, 7))
    changed = merged(changed, nested("ingress.web.enabled", True))
    changed = merged(changed, {"uid": 1000650000, "gid": 7, "securityContext": {"runAsUser": 7}})
    assert rendering.objects(changed) == rendering.objects(values)


def test_every_dead_value_exists_in_the_chart() -> None:
    for path in DEAD:
        assert _schema_at(path) or at(chart_values(), path) is not None, path


def test_every_hidden_value_exists_and_is_no_dead_one() -> None:
    for path in HIDDEN:
        assert _schema_at(path) or at(chart_values(), path) is not None, path
        assert path not in DEAD


@each("path", DEAD)
def test_dead_value_is_refused_with_what_to_use(path: str) -> None:
    for value in ("x", 7, None, {"a": "b"}, ["x"]):
        found = problems(nested(path, value), chart_values(), chart_schema())
        assert any(problem.startswith(path) and advice(DEAD[path]) in problem for problem in found), (value, found)


@each("key", ["resources", "env", "strategy", "labels", "startupProbe"])
def test_value_of_the_webserver_is_refused_with_the_api_server_s(key: str) -> None:
    [problem] = problems({"webserver": {key: "x"}}, chart_values(), chart_schema())
    assert problem == f"webserver.{key} has no effect here; use apiServer.{key}: Airflow 3 has no webserver"


WAYS: Final[dict[str, dict[str, Any]]] = {
    "uid": {"securityContexts": {"pod": {"runAsUser": 1000650000}}},
    "gid": {"securityContexts": {"pod": {"runAsGroup": 7, "fsGroup": 7}}},
    "statsd.uid": {"statsd": {"securityContexts": {"pod": {"runAsUser": 7}}}},
    "redis.uid": {"redis": {"securityContexts": {"pod": {"runAsUser": 7}}}},
    "pgbouncer.uid": {"pgbouncer": {"securityContexts": {"pod": {"runAsUser": 7}}}},
    "scheduler.updateStrategy": {"scheduler": {"strategy": {"type": "Recreate"}}},
    "triggerer.updateStrategy": {"triggerer": {"strategy": {"type": "Recreate"}}},
    "webserver.webserverConfig": {"apiServer": {"apiServerConfig": "AUTH_TYPE = 1"}},
    "webserver.webserverConfigConfigMapName": {"apiServer": {"apiServerConfigConfigMapName": "own"}},
    "webserver.allowPodLogReading": {"apiServer": {"allowPodLogReading": True}},
}


def test_way_that_a_refusal_names_is_accepted() -> None:
    """The others are config keys, or nothing to use."""
    others = {path for path, use in DEAD.items() if not use.startswith(("airflow:", "nothing", "a NetworkPolicy"))}
    assert set(WAYS) >= others
    for path, way in WAYS.items():
        assert problems(way, chart_values(), chart_schema()) == [], path


def test_every_config_key_that_a_refusal_names_exists() -> None:
    words = " ".join(DEAD.values()).replace(",", " ").replace(":", " ").split()
    named = {words[number + 1] for number, word in enumerate(words) if word == "airflow"}
    assert named
    assert named <= set(samples.schema())


# Deprecated values


def refused_otherwise(path: str) -> bool:
    return owner(path) is not None or dead_instead(path, chart_schema()) is not None


def test_every_deprecated_value_of_the_chart_is_refused_with_a_value_of_the_chart() -> None:
    paths = list(deprecated_paths(chart_schema()))
    assert len(paths) > 60
    for path in paths:
        found = problems(nested(path, "x"), chart_values(), chart_schema())
        assert any(
            problem.startswith(path) and ("; use " in problem or "; leave it out" in problem) for problem in found
        ), (path, found)
        for new in replacements(path, chart_schema()) if not refused_otherwise(path) else ():
            assert _schema_at(new) or at(chart_values(), new) is not None, (path, new)


@each(
    "path,new",
    [
        ("workers.env", "workers.celery.env and workers.kubernetes.env"),
        ("workers.resources.requests", "workers.celery.resources.requests and workers.kubernetes.resources.requests"),
        ("workers.securityContext", "workers.celery.securityContexts.pod and workers.kubernetes.securityContexts.pod"),
        ("workers.updateStrategy", "workers.celery.updateStrategy"),
        ("workers.podDisruptionBudget.enabled", "workers.celery.podDisruptionBudget.enabled"),
        ("workers.replicas", "airflow:workerReplicas"),
        ("workers.keda.enabled", "airflow:workerScaling keda"),
        ("workers.persistence.size", "airflow:taskLogsStorageGib"),
        ("workers.persistence.storageClassName", "workers.celery.persistence.storageClassName"),
        ("scheduler.securityContext", "scheduler.securityContexts.pod"),
        ("ingress.flower.host", "ingress.flower.hosts"),
        ("ingress.statsd.host", "ingress.statsd.hosts"),
        ("securityContext", "securityContexts.pod"),
    ],
)
def test_deprecated_value_is_refused_with_the_place_that_works(path: str, new: str) -> None:
    [problem] = problems(nested(path, "x"), chart_values(), chart_schema())
    assert problem == f"{path} is deprecated in the chart; use {new}"
