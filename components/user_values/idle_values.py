"""Finds values that do nothing because another value or a setting decides: each is refused with what lets it work.

What never has an effect is in `dead_values`, and what a switch `enabled` beside it leaves out is found from the chart's
own values. The conditions here are those of the chart's templates. A test renders every value that a stack accepts, and
finds what is missing here (tests/chart/test_values_have_effect.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from components.chart_values.availability import SEVERAL
from components.chart_values.chart_defaults import merged
from components.chart_values.managed_variables import instead_at
from components.chart_values.owned_values import owner
from components.chart_values.value_paths import at, leaf_paths, nested, under
from components.chart_values.worker_sets import BUDGET, elements, several
from components.user_values.airflow_options import OPTIONS, option_of
from components.user_values.closed_systems import STATSD_OPTION, named_hosts
from components.user_values.surroundings import Surroundings
from components.user_values.yaml_texts import given_variables

_SWITCHES: Final = ("otelCollector.tracesEnabled", "otelCollector.metricsEnabled")
_CELERY: Final = "workers.celery"
_GROOMER: Final = "workers.celery.logGroomerSidecar"
_TOKEN: Final = "scheduler.serviceAccount.automountServiceAccountToken"
_DEPLOYMENT: Final = "workers.celery.strategy: the workers are a Deployment"
_OF_KIND: Final[Mapping[bool, Mapping[str, str]]] = {
    True: {"strategy": "workers.celery.updateStrategy: the workers are a StatefulSet"},
    False: {
        "updateStrategy": _DEPLOYMENT,
        "podManagementPolicy": _DEPLOYMENT,
        "volumeClaimTemplates": "extraVolumes with a claim: the workers are a Deployment",
    },
}
"""Keys of Celery's workers without effect, by whether the workers are a StatefulSet (worker-deployment.yaml)."""
_INHERITED: Final = ("workers.celery.", "workers.kubernetes.")
"""Where a switch without a value is that of `workers`."""

_Condition = Callable[[Mapping[str, Any], Surroundings], bool]


def _collects(values: Mapping[str, Any], _: Surroundings) -> bool:
    return any(at(values, switch) for switch in _SWITCHES)


def _grooms(values: Mapping[str, Any], surroundings: Surroundings) -> bool:
    return surroundings.stateful_workers is not False or at(values, f"{_GROOMER}.requirePersistence") is False


def _own_token(values: Mapping[str, Any], surroundings: Surroundings) -> bool:
    return "workers.kubernetes" in surroundings.switched_off or at(values, _TOKEN) is False


def _server_config(values: Mapping[str, Any], surroundings: Surroundings) -> bool:
    given = at(values, "apiServer.apiServerConfigConfigMapName")
    return not given and (surroundings.oidc or bool(at(values, "apiServer.apiServerConfig")))


def _sends_metrics(values: Mapping[str, Any], _: Surroundings) -> bool:
    off = str(at(values, "config.metrics.statsd_on")).lower() in ("false", "f", "0")
    return off or at(values, "statsd.enabled") is not False or bool(named_hosts(values, STATSD_OPTION))


def _authenticates(values: Mapping[str, Any], _: Surroundings) -> bool:
    return at(values, "kerberos.enabled") is True


def _flowers(values: Mapping[str, Any], _: Surroundings) -> bool:
    return at(values, "flower.enabled") is True


def _searches(name: str) -> _Condition:
    """Return whether task logs are read from a search engine, by the chart or by a handler of the team's."""
    return lambda values, _: bool(at(values, f"{name}.enabled") or at(values, "config.logging.logging_config_class"))


def _sends_logs(values: Mapping[str, Any], surroundings: Surroundings) -> bool:
    """Return whether something sends task logs to another place, so that options of the sender are read."""
    inside = surroundings.log_volume or surroundings.stateful_workers
    return not inside or any(_searches(name)(values, surroundings) for name in ("elasticsearch", "opensearch"))


def _made(claim: str) -> _Condition:
    """Return whether the chart makes a claim itself."""
    return lambda values, _: not at(values, f"{claim}.existingClaim")


_OF_CLAIMS: Final[Mapping[str, tuple[str, ...]]] = {
    "redis.persistence": ("annotations", "persistentVolumeClaimRetentionPolicy", "size", "storageClassName"),
    "dags.persistence": ("accessMode", "annotations", "size", "storageClassName"),
}
"""Keys of claims that only a claim of the chart's own has."""
_NO_KERBEROS: Final = "without kerberos.enabled, whose volumes it needs; set that to true, or leave it out"
_NO_COLLECTOR: Final = f"while {' and '.join(_SWITCHES)} are false; leave it out"
_IDLE: Final[Mapping[str, tuple[_Condition, str]]] = {
    "otelCollector": (_collects, _NO_COLLECTOR),
    "images.otelCollector": (_collects, _NO_COLLECTOR),
    "config.metrics.statsd_on": (
        _sends_metrics,
        "while statsd.enabled is false; name another system in config.metrics.statsd_host, or leave it out",
    ),
    "images.statsd": (
        lambda values, _: at(values, "statsd.enabled") is not False,
        "while statsd.enabled is false; leave it out",
    ),
    **{
        f"config.celery.{option}": (_flowers, "without flower.enabled; leave it out")
        for option in OPTIONS["celery"]
        if option.startswith("flower_")
    },
    **{
        f"config.logging.{option}": (
            _sends_logs,
            "while task logs stay in the cluster; use airflow:taskLogs remote or s3, or leave it out",
        )
        for option in ("delete_local_logs", "encrypt_s3_logs", "google_key_path", "remote_task_handler_kwargs")
    },
    **{
        f"config.fab.proxy_fix_x_{header}": (
            lambda _, surroundings: not surroundings.ingress,
            "with airflow:ingressHost; use airflow:trustedProxyCidrs",
        )
        for header in ("for", "host", "port", "prefix", "proto")
    },
    **{
        f"config.{name}{more}": (_searches(name), f"without {name}.enabled; set that to true, or leave it out")
        for name in ("elasticsearch", "opensearch")
        for more in ("", "_configs")
    },
    **{
        f"workers.{kind}.{part}.enabled": (_authenticates, _NO_KERBEROS)
        for kind in ("celery", "kubernetes")
        for part in ("kerberosInitContainer", "kerberosSidecar")
    },
    "redis.emptyDirConfig": (
        lambda values, _: at(values, "redis.persistence.enabled") is False,
        "while redis.persistence.enabled is true; set that to false, or leave it out",
    ),
    **{
        f"{claim}.{key}": (_made(claim), f"beside {claim}.existingClaim, which is there already; leave it out")
        for claim, keys in _OF_CLAIMS.items()
        for key in keys
    },
    **{
        f"apiServer.service.{key}": (
            lambda values, _: at(values, "apiServer.service.type") == "LoadBalancer",
            "without apiServer.service.type LoadBalancer; set that, or leave it out",
        )
        for key in ("loadBalancerIP", "loadBalancerSourceRanges")
    },
    "workers.celery.persistence": (
        lambda _, surroundings: surroundings.stateful_workers is not False,
        "because the workers have no volumes; set airflow:taskLogs to worker, or leave it out",
    ),
    "logs.emptyDirConfig": (
        lambda _, surroundings: not surroundings.log_volume,
        "with airflow:taskLogs volume; use airflow:taskLogsStorageGib, or leave it out",
    ),
    _GROOMER: (
        _grooms,
        f"because the workers are a Deployment; set {_GROOMER}.requirePersistence to false beside it, or leave it out",
    ),
    "apiServer.configMapAnnotations": (
        _server_config,
        "without apiServer.apiServerConfig; give that too, or leave it out",
    ),
    "workers.kubernetes.serviceAccount.annotations": (
        lambda *_: False,
        "because task pods run as the account of workers; use workers.celery.serviceAccount.annotations",
    ),
    "scheduler.serviceAccount.serviceAccountTokenVolume": (
        _own_token,
        f"while the account's token is mounted; set {_TOKEN} to false beside it, or leave it out",
    ),
}
"""Paths, each with the condition under which it has an effect, and how the sentence about another one goes on."""


def idle_problems(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each value that does nothing beside the others, or in this stack."""
    if surroundings.stateful_workers is not None:
        for key, instead in _OF_KIND[surroundings.stateful_workers].items():
            path = f"{_CELERY}.{key}"
            if at(helm_values, path) is not None:
                yield path, f"{path} has no effect here; use {instead}"
    for path in leaf_paths(helm_values):
        root = under(path, _IDLE)
        given = at(helm_values, path)  # what is false says what is so
        off = given is False if path.endswith(".enabled") else str(given).lower() == "false"
        if root is None or off or path in _SWITCHES or owner(path) is not None:
            continue
        has_effect, why = _IDLE[root]
        if not has_effect(helm_values, surroundings):
            yield path, f"{path} has no effect {why}"


def idle_set_problems(
    helm_values: Mapping[str, Any], chart_values: Mapping[str, Any], surroundings: Surroundings
) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each value of a set of workers that does nothing in `workers.celery` either."""
    for path, element in elements(helm_values):
        # The budget of a set is the chart's, or the program's, by other rules.
        own = nested(_CELERY, {key: value for key, value in element.items() if key != BUDGET})
        beside = merged(helm_values, own)
        found = [*idle_problems(beside, surroundings), *off_problems(beside, chart_values, frozenset())]
        for told, problem in found:
            if at(own, told) is not None:
                yield told.replace(_CELERY, path, 1), problem.replace(f"{_CELERY}.", f"{path}.")
        on = at(element, f"{BUDGET}.enabled") or at(helm_values, f"{_CELERY}.{BUDGET}.enabled")
        on = on or several(element, 1 if _CELERY in surroundings.without_budget else SEVERAL)
        if at(element, f"{BUDGET}.config") and on is not True and not surroundings.groups:
            budget = f"{path}.{BUDGET}"
            yield f"{budget}.config", f"{budget}.config has no effect without {budget}.enabled; set that to true"


def off_problems(
    helm_values: Mapping[str, Any], chart_values: Mapping[str, Any], without_budget: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each value of what a switch `enabled` beside it leaves out: the chart's, or the user's.

    A switch that is not a plain false decides nothing here: the program may set it.
    """
    for path in leaf_paths(helm_values):
        parts = path.split(".")
        for end in range(1, len(parts)):
            switch = ".".join([*parts[:end], "enabled"])
            given, component = at(helm_values, switch), ".".join(parts[: end - 1])
            # The program sets this switch where a component has several pods.
            by_program = parts[end - 1] == BUDGET and given is None and component not in without_budget
            off = (_default(chart_values, switch) if given is None else given) is False
            if off and path != switch and owner(switch) is None and not by_program:
                yield path, f"{path} has no effect while {switch} is false; set that to true, or leave the value out"
                break


def _default(chart_values: Mapping[str, Any], switch: str) -> Any:
    default = at(chart_values, switch)
    kind = next((kind for kind in _INHERITED if switch.startswith(kind)), None)
    return at(chart_values, f"workers.{switch.removeprefix(kind)}") if default is None and kind else default


_NO_CELERY: Final = "there are no workers of Celery"
_NO_TASK_PODS: Final = "there are no task pods"
_NOT_THERE: Final = {
    **dict.fromkeys(("workers.celery", "config.celery", "config.celery_broker_transport_options"), _NO_CELERY),
    **dict.fromkeys(("workers.kubernetes", "podTemplate", "config.kubernetes_executor"), _NO_TASK_PODS),
    **dict.fromkeys(("elasticsearch", "opensearch"), "task logs are written to and read from another place"),
    "dags.gitSync": "git-sync is not deployed",
    "images": "no pod has this image",
    "ingress": "there is no such Ingress",
}


def switched_off_problems(helm_values: Mapping[str, Any], off: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of a value of each component that the stack does not deploy.

    Args:
        helm_values: The user's values.
        off: Paths of what is not deployed, each with the setting that switches it on.
    """
    told = set()
    for path in leaf_paths(helm_values) if off else ():
        root = under(path, off)
        if root is not None and path == f"{root}.enabled" and at(helm_values, path) is False:
            continue  # it says what is so
        if root is not None and owner(path) is None and root not in told:
            told.add(root)
            yield path, f"{path} has no effect, because {_why(root)}; use {off[root]}, or leave it out"
    for path, name, _ in given_variables(helm_values) if off else ():
        option = option_of(name)
        root = None if option is None else under(f"config.{option}", off)
        if root is not None and instead_at(path, name) is None:
            yield (
                f"{path} {name}",
                f"{path} sets {name}, which has no effect, because {_why(root)}; use {off[root]}, or leave it out",
            )


def _why(root: str) -> str:
    return _NOT_THERE.get(under(root, _NOT_THERE) or "", f"{root} is not deployed")
