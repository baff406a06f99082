"""Groups of Celery workers with queues of their own, and what tasks may do in AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from components.aws.region import partition
from components.chart_values.chart_defaults import chart_schema
from components.chart_values.scale import WorkerAutoscaling
from components.chart_values.worker_group import WorkerGroup
from components.texts import fields
from settings.entries import no_entry
from settings.errors import remove_command
from settings.keys import ConfigKey, Section
from settings.parsers import EntryError
from settings.reading import Config
from settings.sections.cluster import AwsChoice, needs_aws
from settings.sections.database import PGBOUNCER_ENABLED
from settings.sections.executor import (
    EXECUTOR,
    KEDA_NAMESPACE,
    KEDA_NEEDS_PGBOUNCER,
    MOST_CONCURRENCY,
    MOST_WORKERS,
    WORKER_CONCURRENCY,
    WORKER_SCALING,
    WorkerScaling,
)

SECTION = Section("Worker groups and the rights of tasks")

_RESERVED: Final = ("default", "kubernetes")
"""Names of the chart's own: the default workers, and the account of task pods."""
_MOST_POLICIES: Final = 20
"""Managed policies of a role after an increase of the quota, which is 10
(docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
_TYPED: Final = ("name", "queues", "replicas", "maxReplicas", "concurrency", "taskPolicyArns")
_INSTEAD: Final[Mapping[str, str]] = {
    "queue": "queues, a list",
    "args": "queues and concurrency, which the chart's own command reads",
    "command": "queues and concurrency, which the chart's own command reads",
    "keda": "maxReplicas",
    "hpa": "maxReplicas",
    "minReplicas": "replicas, the smallest number beside maxReplicas",
    "priorityClass": "priorityClassName",
    "volumes": "extraVolumes",
    "volumeMounts": "extraVolumeMounts",
    "policyArns": "taskPolicyArns",
    "sets": "another item of airflow:workerGroups",
    "enableDefault": "nothing: the default workers serve the queue default",
}


def _name(text: str) -> str:
    fields.matching(
        text, r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", "a name: at most 30 of a-z, 0-9 and -, with no - at the ends"
    )
    return fields.refuse(f"expected another name, found {text}, which the chart uses") if text in _RESERVED else text


def _queue(text: str) -> str:
    return fields.matching(
        text,
        r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}",
        "queues: at most 100 of A-Z, a-z, 0-9 and _.-, not beginning with a sign",
    )


def _policies(arns: Sequence[str]) -> None:
    if len(arns) > _MOST_POLICIES:
        fields.refuse(f"expected at most {_MOST_POLICIES} policies, because IAM attaches no more, found {len(arns)}")
    if len(set(arns)) < len(arns):
        fields.refuse("expected each policy once, found one twice")


def _some(queues: Sequence[str]) -> None:
    if not queues:
        fields.refuse("expected one queue or more, found none: leave it out for a queue named as the group")


def _checked(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a group. Raises EntryError; `check_group_values` judges the chart's values in it."""
    problems = _group_problems(group)
    if problems:
        raise EntryError(problems)
    return group


def _group_problems(group: Mapping[str, Any]) -> dict[str, str]:
    known = {*_TYPED, *chart_schema()["properties"]["workers"]["properties"]["celery"]["properties"]}
    known -= _INSTEAD.keys()
    problems = {key[:100]: no_entry(key, "a group", known, _INSTEAD) for key in group if key not in known}
    problems |= _problem_of(_name, group.get("name"), "name", text=True)
    for key, least, most in (
        ("replicas", 0, MOST_WORKERS),
        ("maxReplicas", 1, MOST_WORKERS),
        ("concurrency", 1, MOST_CONCURRENCY),
    ):
        number = group.get(key, most)
        if type(number) is not int or not least <= number <= most:
            problems[key] = f"expected a whole number from {least} to {most}, found {fields.shown(number)}"
    for key, check, check_all in (("queues", _queue, _some), ("taskPolicyArns", fields.policy_arn, _policies)):
        if key in group:
            problems |= dict(_list_problems(group[key], key, check, check_all))
    return problems or dict(_bound_problems(group))


def _problem_of(check: Callable[[Any], Any], value: Any, path: str, *, text: bool = False) -> dict[str, str]:
    try:
        if text and not isinstance(value, str):
            fields.refuse(f"expected a text, found {fields.shown(value)}")
        check(value)
    except ValueError as error:
        return {path: str(error)}
    return {}


def _list_problems(
    values: Any, path: str, check: Callable[[str], str], check_all: Callable[[Sequence[str]], None]
) -> Iterator[tuple[str, str]]:
    if not isinstance(values, list):
        yield path, f"expected a list of texts, found {fields.shown(values)}"
        return
    problems: dict[str, str] = {}
    for index, value in enumerate(values):
        problems |= _problem_of(check, value, f"{path}[{index}]", text=True)
    yield from (problems or _problem_of(check_all, values, path)).items()


def _bound_problems(group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    replicas, most = group.get("replicas", WorkerGroup.replicas), group.get("maxReplicas")
    if most is None and replicas == 0:
        yield "replicas", "expected 1 or more without maxReplicas, found 0: no task of the group would ever start"
    elif most is not None and most < replicas:
        yield "maxReplicas", f"expected at least replicas, {replicas}, found {most}"


WORKER_GROUPS = SECTION.entries(
    "workerGroups",
    _checked,
    description="Groups of Celery workers, each a map of name, queues, replicas, maxReplicas, concurrency, "
    "taskPolicyArns, and values of the chart's workers.celery such as resources, nodeSelector, tolerations, "
    "priorityClassName, env, extraVolumes and extraVolumeMounts.",
)
TASK_POLICY_ARNS = SECTION.texts(
    "taskPolicyArns",
    fields.policy_arn,
    check_all=_policies,
    description="ARNs of IAM policies that DAGs need. Workers, task pods and the triggerer get them through their role "
    "(podIdentity); needs eksCluster.",
)


def read_task_policies(config: Config, aws: AwsChoice | None) -> tuple[str, ...]:
    """Return the policies of all tasks."""
    arns = config[TASK_POLICY_ARNS]
    if arns:
        needs_aws(config, aws, TASK_POLICY_ARNS, "roles are")
        _check_account(config, aws, TASK_POLICY_ARNS, {f"[{index}]": arn for index, arn in enumerate(arns)})
    return arns


def read_worker_groups(config: Config, aws: AwsChoice | None) -> tuple[WorkerGroup, ...]:
    """Return the groups of workers."""
    found = config[WORKER_GROUPS]
    scaled = config[WORKER_SCALING] is WorkerScaling.KEDA or any("maxReplicas" in group for group in found)
    if not scaled and config.given(KEDA_NAMESPACE) and not config.bad(WORKER_SCALING, WORKER_GROUPS):
        config.must_not_be_set(KEDA_NAMESPACE, f"without {WORKER_SCALING.full} keda and groups with maxReplicas")
    if not found:
        return ()
    _check_surroundings(config, found)
    _check_unique(config, found)
    policies = {
        f"[{index}].taskPolicyArns[{number}]": arn
        for index, group in enumerate(found)
        for number, arn in enumerate(group.get("taskPolicyArns", ()))
    }
    if policies:
        needs_aws(config, aws, WORKER_GROUPS, "roles are")
        _check_account(config, aws, WORKER_GROUPS, policies)
    return tuple(_group(config, group) for group in found)


def _group(config: Config, group: Mapping[str, Any]) -> WorkerGroup:
    most, policies = group.get("maxReplicas"), group.get("taskPolicyArns")
    return WorkerGroup(
        name=group["name"],
        queues=queues_of(group),
        replicas=group.get("replicas", WorkerGroup.replicas),
        concurrency=group.get("concurrency", config[WORKER_CONCURRENCY]),
        autoscaling=None
        if most is None
        else WorkerAutoscaling(max_workers=most, keda_namespace=config[KEDA_NAMESPACE]),
        policy_arns=None if policies is None else tuple(policies),
        values=group_values(group),
    )


def queues_of(group: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the queues of a group: those that it names, else one that is named as the group."""
    return tuple(group.get("queues", (group["name"],)))


def group_values(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chart's values among the entries of a group."""
    return {key: value for key, value in group.items() if key not in _TYPED}


def _check_surroundings(config: Config, found: Sequence[Mapping[str, Any]]) -> None:
    executor = config[EXECUTOR]
    if not executor.celery and not config.bad(EXECUTOR):
        config.problem(
            WORKER_GROUPS,
            f"expected {EXECUTOR.full} with CeleryExecutor beside it, found {executor}, which has no standing workers",
            f"pulumi config set {EXECUTOR.full} CeleryExecutor, or {remove_command(WORKER_GROUPS)}",
        )
    scaled = [index for index, group in enumerate(found) if "maxReplicas" in group]
    if scaled and not config[PGBOUNCER_ENABLED] and not config.bad(PGBOUNCER_ENABLED):
        config.problem(
            WORKER_GROUPS,
            f"[{scaled[0]}].maxReplicas: expected {PGBOUNCER_ENABLED.full} true with it, found false: "
            f"{KEDA_NEEDS_PGBOUNCER}",
            f"pulumi config set {PGBOUNCER_ENABLED.full} true, or leave maxReplicas out",
        )


def _check_unique(config: Config, found: Sequence[Mapping[str, Any]]) -> None:
    names: dict[str, str] = {}
    queues: dict[str, str] = {}
    for index, group in enumerate(found):
        if not _is_new(config, names, group["name"], "name", f"[{index}].name"):
            continue  # a queue that is named as the group follows
        for queue in queues_of(group):
            _is_new(config, queues, queue, "queue", f"[{index}].queues")


def _is_new(config: Config, known: dict[str, str], value: str, what: str, path: str) -> bool:
    if value not in known:
        known[value] = path
        return True
    text = f"{path}: expected a {what} of its own, found {value}, which is also {known[value]}"
    config.problem(WORKER_GROUPS, text, "edit it in Pulumi.STACK.yaml", one_of_many=True)
    return False


def _check_account(config: Config, aws: AwsChoice | None, key: ConfigKey[Any], arns: Mapping[str, str]) -> None:
    """Note each policy of another account or partition: IAM attaches those of the role's account, and AWS's own."""
    if aws is None or not aws.region or not aws.account_id:
        return
    prefixes = [f"arn:{partition(aws.region)}:iam::{owner}:policy/" for owner in (aws.account_id, "aws")]
    for path, arn in arns.items():
        if not arn.startswith(tuple(prefixes)):
            text = f"{path}: expected a policy that begins with {' or '.join(prefixes)}, found {arn}"
            config.problem(key, text, "edit it in Pulumi.STACK.yaml", one_of_many=True)
