"""The policies approve of the shipped stacks, and see each thing that is made worse: that, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.kube.pod_security import CONTAINER as CONTAINER_CONTEXT
from policy.context import Context, context_of
from policy.convert import objects_of
from policy.evaluate import evaluate_objects, evaluate_resources, evaluate_steps
from policy.model import UNKNOWN, JudgedResource, JudgedStep, Level, RenderedObject, Violation, walk
from policy.rules import ALL_RULES
from policy.rules.stateful import lost_with
from tests import samples
from tests.cases import each
from tests.chart import rendering
from tests.policy.conftest import Recorded
from tests.policy.programs import INSTANCE, PROGRAMS, RELEASE, SECRET, changed, set_at, values_of

SHIPPED: Final = ("dev", "prod")
FERNET_KEY: Final = samples.sentinels()["fernetKey"]

Change = Callable[[list[JudgedResource]], list[JudgedResource]]


def rules(violations: Sequence[Violation]) -> set[str]:
    return {violation.rule for violation in violations}


def texts(violations: Sequence[Violation]) -> list[str]:
    return [str(violation) for violation in violations]


def objects_for(resources: Sequence[JudgedResource]) -> list[RenderedObject]:
    """What the chart makes of a program's values, as a plan judges it. Nobody may change them."""
    return objects_of(rendering.objects(values_of(resources)), resources)


# Approval


@each("name", PROGRAMS)
def test_nothing_is_wrong_with_a_stack(recorded: Recorded, name: str) -> None:
    assert texts(evaluate_resources(recorded(name))) == []


@each("name", ["dev with task pods", "prod by IRSA and KEDA", "prod with given keys", "external"])
def test_nothing_is_wrong_with_what_is_not_known_yet(recorded: Recorded, name: str) -> None:
    assert texts(evaluate_resources(recorded(name, preview=True))) == []


@rendering.needs_chart
@each("name", PROGRAMS)
def test_nothing_is_wrong_with_what_the_chart_makes(recorded: Recorded, name: str) -> None:
    resources = recorded(name)
    assert texts(evaluate_objects(objects_for(resources), context_of(resources))) == []


@rendering.needs_chart
def test_the_chart_alone_would_not_be_approved() -> None:
    """Or the tests above would prove nothing."""
    objects = objects_of(rendering.objects({}))
    found = rules(evaluate_objects(objects, Context()))
    assert {"images-from-allowed-registries", "resources-set", "safe-to-evict-off"} <= found
    assert "no-guessable-admin-password" in found


def test_a_stack_is_a_laptop_s_by_what_it_is_and_not_by_its_name(recorded: Recorded) -> None:
    assert context_of(recorded("dev")).disposable
    assert not context_of(recorded("prod")).disposable
    renamed = [
        replace(found, urn=found.urn.replace("urn:pulumi:prod::", "urn:pulumi:dev::")) for found in recorded("prod")
    ]
    assert not context_of(renamed).disposable


@pytest.mark.parametrize("name", [name for name in PROGRAMS if not name.startswith("dev")])
def test_an_unprotected_stack_with_a_real_database_is_not_a_laptop_s(recorded: Recorded, name: str) -> None:
    unprotected = [replace(found, protect=False) for found in recorded(name)]
    assert not context_of(unprotected).disposable
    assert rules(evaluate_resources(unprotected)) == {"stateful-protected"}


def test_a_laptop_s_stack_with_one_protected_volume_is_none(recorded: Recorded) -> None:
    claim = "kubernetes:core/v1:PersistentVolumeClaim"
    resources = changed(recorded("dev"), claim, "airflow-task-logs", lambda _: None, protect=True)
    assert not context_of(resources).disposable
    assert {"stateful-protected", "no-guessable-admin-password", "resources-set"} <= rules(
        evaluate_resources(resources)
    )


# Each thing made worse


def value(path: str, to: Any) -> Change:
    """Another Helm value."""
    return lambda resources: changed(resources, RELEASE, "", lambda inputs: set_at(inputs["values"], path, to))


def content(ending: str, key: str, text: Callable[[str], str]) -> Change:
    """Another content of a Secret."""

    def change(inputs: dict[str, Any]) -> None:
        inputs["stringData"][key] = text(inputs["stringData"][key])

    return lambda resources: changed(resources, SECRET, ending, change)


def inputs(type_: str, ending: str, **to: Any) -> Change:
    return lambda resources: changed(resources, type_, ending, lambda found: found.update(to))


def options(type_: str, ending: str, **to: Any) -> Change:
    return lambda resources: changed(resources, type_, ending, lambda _: None, **to)


def without(type_: str, ending: str = "") -> Change:
    return lambda resources: [found for found in resources if not (found.type == type_ and found.name.endswith(ending))]


def job(path: str, to: Any) -> Change:
    return lambda resources: changed(resources, JOB, "migrate", lambda found: set_at(found, path, to))


KEYS: Final = "airflow:index:AirflowKeys"
JOB: Final = "kubernetes:batch/v1:Job"
CONTAINER: Final = "spec.template.spec.containers.0"
SIZED: Final = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
SIDECAR: Final = {
    "name": "x",
    "resources": SIZED,
    "livenessProbe": {"exec": {"command": ["true"]}},
    "securityContext": dict(CONTAINER_CONTEXT),
}

WORSE: Final[dict[str, dict[str, Change]]] = {
    # rule: what breaks it, and it alone
    "stateful-present": {
        "no namespace": without("kubernetes:core/v1:Namespace"),
        "no Fernet key": without(SECRET, "airflow-keys-fernet-key"),
        "no database": without(INSTANCE),
        "no log bucket": without("aws:s3/bucket:Bucket"),
        "no escrow": without("aws:secretsmanager/secret:Secret"),
        "no generated keys": lambda resources: [
            found
            for found in resources
            if not (found.type.startswith(("random:", "pulumi:index:Stash")) and found.under(KEYS))
        ],
    },
    "stateful-protected": {
        "database": options(INSTANCE, "", protect=False),
        "namespace": options("kubernetes:core/v1:Namespace", "", protect=False),
        "log bucket": options("aws:s3/bucket:Bucket", "", protect=False),
        "database's KMS key": options("aws:kms/key:Key", "airflow-postgres-key", protect=False),
        "Fernet key": options("pulumi:index:Stash", "fernet-key", protect=False),
        "database password": options("random:index/randomPassword:RandomPassword", "database-password", protect=False),
        "escrow": options("aws:secretsmanager/secret:Secret", "", retain_on_delete=False),
    },
    "deletion-guarded": {
        "no deletion protection": inputs(INSTANCE, "", deletionProtection=False),
        "no final snapshot": inputs(INSTANCE, "", skipFinalSnapshot=True),
        "few backups": inputs(INSTANCE, "", backupRetentionPeriod=1),
        "bucket goes with its logs": inputs("aws:s3/bucket:Bucket", "", forceDestroy=True),
        "escrow goes at once": inputs("aws:secretsmanager/secret:Secret", "", recoveryWindowInDays=0),
    },
    "no-latest-image": {
        "Airflow": value("images.airflow.tag", "latest"),
        "a variant": value("images.airflow.tag", "latest-python3.12"),
        "task pods": value("config.kubernetes_executor.worker_container_tag", "latest"),
        "an image of the chart": value("images.redis.tag", "latest"),
        "a container of the user's": value("scheduler.extraContainers", [{**SIDECAR, "image": "apache/airflow"}]),
        "a Job": lambda resources: changed(
            resources, JOB, "", lambda found: set_at(found, f"{CONTAINER}.image", "apache/airflow:latest")
        ),
    },
    "images-from-allowed-registries": {
        "Airflow": value("images.airflow.repository", "docker.io/someone/airflow"),
        "git-sync": value("images.gitSync.repository", "registry.k8s.io.example.com/git-sync/git-sync"),
        "a longer name": value("images.redis.repository", "redis-of-somebody"),
        "the chart's database": value("postgresql.enabled", True),
        "a container of the user's": value("workers.celery.extraContainers", [{**SIDECAR, "image": "sidecar:1"}]),
        "a Job": lambda resources: changed(
            resources, JOB, "", lambda found: set_at(found, f"{CONTAINER}.image", "example.com/airflow:1")
        ),
    },
    "no-key-in-clear": {
        "Fernet key": value("scheduler.env", [{"name": "SOMETHING", "value": FERNET_KEY}]),
        "private key": value("extraConfigMaps", {"x": {"data": samples.ssh_private_key()}}),
        "private key in a line": value("env", [{"name": "X", "value": samples.ssh_private_key().replace("\n", "\\n")}]),
        "URI": value("config.celery.broker_url", "redis://:hunter2@redis.example.com:6379/0"),
        "generated key": value("labels", {"x": "k3Jt9vQm2ZxR7pLw8NbY4sFd6HgT1cVaEuXo5PiK"}),
        "password by its place": value("redis.password", "hunter2"),
        "password by its name": value("env", [{"name": "SMTP_PASSWORD", "value": "hunter2"}]),
        "option by its name": value("config.smtp.smtp_password", "hunter2"),
        "content of a Secret": value("extraSecrets", {"x": {"stringData": "a: hunter2"}}),
        "ConfigMap": lambda resources: changed(
            resources, "kubernetes:core/v1:ConfigMap", "", lambda found: found["data"].update(x=FERNET_KEY)
        ),
        "a Job's arguments": lambda resources: changed(
            resources,
            JOB,
            "migrate",
            lambda found: set_at(found, f"{CONTAINER}.args", ["x", "postgresql://airflow:hunter2@db.example.com/x"]),
        ),
        "a component's inputs": lambda resources: changed(
            resources, "airflow:index:AirflowKeys", "", lambda found: found.update(key=FERNET_KEY)
        ),
    },
    "database-tls": {
        "migration": content(
            "airflow-database-migration", "connection", lambda uri: uri.replace("verify-full", "prefer")
        ),
        "migration, asynchronous": content(
            "airflow-database-migration", "connection-async", lambda uri: uri.partition("?")[0]
        ),
        "PgBouncer": content(
            "airflow-database-pgbouncer-config", "pgbouncer.ini", lambda ini: ini.replace("verify-full", "disable")
        ),
        "PgBouncer's default": content(
            "airflow-database-pgbouncer-config",
            "pgbouncer.ini",
            lambda ini: ini.replace("server_tls_sslmode", "; server_tls_sslmode"),
        ),
        "RDS": inputs("aws:rds/parameterGroup:ParameterGroup", "", parameters=[]),
        "RDS off": inputs(
            "aws:rds/parameterGroup:ParameterGroup", "", parameters=[{"name": "rds.force_ssl", "value": "0"}]
        ),
    },
    "database-tls-verified": {
        "migration": content(
            "airflow-database-migration", "connection", lambda uri: uri.replace("verify-full", "require")
        ),
        "PgBouncer": content(
            "airflow-database-pgbouncer-config", "pgbouncer.ini", lambda ini: ini.replace("verify-full", "require")
        ),
    },
    "known-hosts-pinned": {
        "no lines": value("dags.gitSync.knownHosts", ""),
        "another host's": value("dags.gitSync.knownHosts", "example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="),
        "a Secret": content("airflow-git-ssh-key", "known_hosts", lambda _: " \n"),
    },
    "resources-set": {
        "none": value("scheduler.resources", {}),
        "no limit": value("workers.celery.resources.limits", {}),
        "a sidecar": value("triggerer.logGroomerSidecar.resources", None),
        "git-sync": value("dags.gitSync.resources.requests", {"cpu": "1"}),
        "what the user adds": value("flower.enabled", True),
        "a Job": lambda resources: changed(
            resources, JOB, "migrate", lambda found: set_at(found, f"{CONTAINER}.resources", {})
        ),
    },
    "probes-set": {
        "workers": value("workers.celery.livenessProbe", {"enabled": False}),
        "git-sync": value("dags.gitSync.livenessProbe.enabled", False),
        "git-sync of one's own": value("dags.gitSync.recommendedProbeSetting", False),
    },
    "disruption-budgets-set": {
        "off": value("scheduler.podDisruptionBudget.enabled", False),
        "none": value("workers.celery.podDisruptionBudget", {}),
        "lets none go": value("apiServer.podDisruptionBudget.config", {"maxUnavailable": 0}),
        "wants all": value("pgbouncer.podDisruptionBudget.config", {"maxUnavailable": None, "minAvailable": 2}),
    },
    "pods-spread": {
        "off": value("apiServer.topologySpreadConstraints", []),
        "over nodes alone": value(
            "pgbouncer.topologySpreadConstraints",
            [{"topologyKey": "kubernetes.io/hostname", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}],
        ),
    },
    "examples-off": {
        "option": value("config.core.load_examples", "True"),
        "variable": value("env", [{"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": "true"}]),
        "a component's variable": value("dagProcessor.env", [{"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": "1"}]),
    },
    "safe-to-evict-off": {
        "scheduler": value("scheduler.safeToEvict", True),
        "the chart's default": value("redis.safeToEvict", True),
        "all workers": lambda resources: value("workers.celery.safeToEvict", None)(
            value("workers.safeToEvict", True)(resources)
        ),
        "annotation": value("airflowPodAnnotations", {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}),
    },
    "no-guessable-admin-password": {
        "the chart's": content("airflow-keys-admin-password", "password", lambda _: "admin"),
        "in capitals": content("airflow-keys-admin-password", "password", lambda _: "Airflow"),
    },
    "pods-restricted": {
        "privileges": job(f"{CONTAINER}.securityContext.privileged", True),
        "the node's network": job("spec.template.spec.hostNetwork", True),
    },
    "default-deny": {
        "no policy": without("kubernetes:networking.k8s.io/v1:NetworkPolicy"),
        "none for all pods": without("kubernetes:networking.k8s.io/v1:NetworkPolicy", "-default-deny"),
    },
    "task-pods-pinned": {"nothing pins them": value("executor", "CeleryExecutor,KubernetesExecutor")},
    "task-logs-apart": {"one volume": value("logs.persistence.enabled", True)},
}
WORSE_IDS: Final = [(rule, what) for rule, changes in WORSE.items() for what in changes]


@each(("rule", "what"), WORSE_IDS, ids=[f"{rule}: {what}" for rule, what in WORSE_IDS])
def test_what_is_made_worse_breaks_its_own_rule_alone(recorded: Recorded, rule: str, what: str) -> None:
    violations = evaluate_resources(WORSE[rule][what](recorded("prod")))
    assert rules(violations) == {rule}, texts(violations)
    [level] = {violation.level for violation in violations}
    assert level is next(found.level for found in ALL_RULES if found.id == rule)


def test_each_rule_over_resources_is_broken_once() -> None:
    """Only the chart makes pods that run code of DAGs: see test_isolation_programs.py."""
    elsewhere = {"dag-pods-labelled", "workers-without-database", "keys-where-needed", "dag-pods-without-token"}
    assert set(WORSE) | elsewhere == {rule.id for rule in ALL_RULES if rule.resource or rule.stack or rule.objects}


@each(
    ("rule", "what"),
    [(rule, what) for rule, what in WORSE_IDS if not next(r for r in ALL_RULES if r.id == rule).needs_stack],
)
def test_what_needs_no_stack_is_seen_in_the_resource_alone(recorded: Recorded, rule: str, what: str) -> None:
    """That is how the pack asks, before anything is done to a resource; and whose stack it is makes no difference."""
    prod = recorded("prod")
    unchanged = {id(resource) for resource in prod}
    worse = [resource for resource in WORSE[rule][what](prod) if id(resource) not in unchanged]
    for context in (Context(), Context(disposable=True)):
        found = [violation for resource in worse for violation in evaluate_resources([resource], context)]
        assert rule in rules(found)


CREATE_USER: Final = {"enabled": True, "resources": SIZED}


def test_a_laptop_s_stack_may_have_admin_admin_and_no_other(recorded: Recorded) -> None:
    dev, prod = recorded("dev"), recorded("prod")
    assert rules(evaluate_resources(value("createUserJob", CREATE_USER)(prod))) == {"no-guessable-admin-password"}
    assert evaluate_resources(value("createUserJob", CREATE_USER)(dev)) == []


@pytest.mark.parametrize(
    "rule",
    ["no-latest-image", "no-key-in-clear", "examples-off", "safe-to-evict-off", "images-from-allowed-registries"],
)
def test_a_laptop_s_stack_is_held_to_what_costs_it_nothing(recorded: Recorded, rule: str) -> None:
    change = next(iter(WORSE[rule].values()))
    assert rules(evaluate_resources(change(recorded("dev")))) == {rule}


# What the chart makes of what is made worse

RENDERED: Final = (
    *(("no-latest-image", what) for what in ("Airflow", "an image of the chart", "a container of the user's")),
    *(("images-from-allowed-registries", what) for what in ("Airflow", "git-sync", "a container of the user's")),
    *(("no-key-in-clear", what) for what in ("Fernet key", "generated key", "password by its name")),
    *(("resources-set", what) for what in ("none", "no limit", "git-sync")),
    *(("probes-set", what) for what in ("workers", "git-sync")),
    *(("disruption-budgets-set", what) for what in ("off", "lets none go", "wants all")),
    *(("pods-spread", what) for what in ("off", "over nodes alone")),
    *(("examples-off", what) for what in ("option", "variable", "a component's variable")),
    *(("safe-to-evict-off", what) for what in ("scheduler", "the chart's default")),
    ("known-hosts-pinned", "no lines"),
)


@rendering.needs_chart
@each(("rule", "what"), RENDERED, ids=[f"{rule}: {what}" for rule, what in RENDERED])
def test_values_and_what_the_chart_makes_of_them_are_judged_alike(recorded: Recorded, rule: str, what: str) -> None:
    worse = WORSE[rule][what](recorded("prod"))
    violations = evaluate_objects(objects_for(worse), context_of(worse))
    assert rules(violations) == {rule}, texts(violations)


@rendering.needs_chart
def test_admin_admin_is_seen_in_the_job_that_would_make_it(recorded: Recorded) -> None:
    worse = value("createUserJob", CREATE_USER)(recorded("prod"))
    assert rules(evaluate_objects(objects_for(worse), context_of(worse))) == {"no-guessable-admin-password"}


# Steps


def step(resource: JudgedResource, operation: str) -> JudgedStep:
    return JudgedStep(
        operation=operation,
        type=resource.type,
        name=resource.name,
        urn=resource.urn,
        protect=resource.protect,
        retain_on_delete=bool(resource.retain_on_delete),
    )


KEPT: Final = {
    "airflow-keys-admin-password",
    "airflow-keys-api-secret-key",
    "airflow-keys-database-password",
    "airflow-keys-escrow",
    "airflow-keys-fernet-key",
    "airflow-keys-jwt-secret",
    "airflow-keys-redis-password",
    "airflow-keys-worker-key",
    "airflow-namespace",
    "airflow-postgres",
    "airflow-postgres-key",
    "airflow-task-logs",
}


@pytest.mark.parametrize("operation", ["replace", "create-replacement", "delete-replaced"])
def test_replacing_what_holds_data_or_keys_is_told(recorded: Recorded, operation: str) -> None:
    prod = recorded("prod")
    violations = evaluate_steps([step(found, operation) for found in prod], context_of(prod))
    assert rules(violations) == {"stateful-kept"}
    assert {violation.subject.split()[1] for violation in violations} == KEPT
    subjects = {violation.subject for violation in violations}
    assert {"Instance airflow-postgres", "Bucket airflow-task-logs", "Namespace airflow-namespace"} <= subjects
    assert {"Secret airflow-keys-fernet-key", "Stash airflow-keys-fernet-key"} <= subjects
    assert not {"Secret airflow-database-metadata", "Release airflow", "Job airflow-database-migrate"} & subjects


def test_deleting_is_told_but_of_what_stays_where_it_is(recorded: Recorded) -> None:
    prod = recorded("prod")
    violations = evaluate_steps([step(found, "delete") for found in prod], context_of(prod))
    retained = {"airflow-keys-escrow", "airflow-postgres-key"}
    assert {violation.subject.split()[1] for violation in violations} == KEPT - retained


@each("operation", ["create", "update", "same", "read", "refresh", "import"])
def test_other_steps_are_nobody_s_loss(recorded: Recorded, operation: str) -> None:
    prod = recorded("prod")
    assert evaluate_steps([step(found, operation) for found in prod], context_of(prod)) == []


def test_the_steps_of_one_replacement_are_told_once(recorded: Recorded) -> None:
    [database] = [found for found in recorded("prod") if found.type == INSTANCE]
    steps = [step(database, operation) for operation in ("create-replacement", "replace", "delete-replaced")]
    [violation] = evaluate_steps(steps, Context())
    assert str(violation) == (
        "Instance airflow-postgres: would be replaced, and the metadata database is lost [stateful-kept, mandatory]"
    )


@pytest.mark.parametrize("by", ["name", "urn"])
def test_what_was_decided_is_not_told(recorded: Recorded, by: str) -> None:
    prod = recorded("prod")
    fernet = [found for found in prod if found.name == "airflow-keys-fernet-key"]
    context = context_of(prod, decided=[getattr(found, by) for found in fernet])
    assert evaluate_steps([step(found, "replace") for found in fernet], context) == []
    others = [found for found in prod if found.name == "airflow-keys-jwt-secret"]
    assert evaluate_steps([step(found, "replace") for found in others], context) != []


def test_a_laptop_s_stack_may_lose_all(recorded: Recorded) -> None:
    dev = recorded("dev")
    for operation in ("replace", "delete"):
        assert evaluate_steps([step(found, operation) for found in dev], context_of(dev)) == []


def test_a_stack_that_becomes_a_laptop_s_does_not_lose_its_database_unseen(recorded: Recorded) -> None:
    """Its database is in AWS, or protected, whatever the rest of the change says."""
    dev = context_of(recorded("dev"))
    assert dev.disposable
    for found in recorded("prod"):
        told = evaluate_steps([step(found, "delete")], dev)
        of_a_laptop = not found.protect and not found.type.startswith("aws:")
        assert bool(told) is (lost_with(found) is not None and not found.retain_on_delete and not of_a_laptop)


# Secrets, unknown values, and whatever else there may be


@pytest.mark.parametrize("name", SHIPPED)
def test_no_violation_repeats_a_secret(recorded: Recorded, name: str) -> None:
    """Wherever a key stands, in a value or as a name: it is told of, and not repeated."""
    keys = [
        FERNET_KEY,
        samples.ssh_private_key(),
        "postgresql://airflow:hunter2hunter2@db.example.com/airflow",
        "k3Jt9vQm2ZxR7pLw8NbY4sFd6HgT1cVaEuXo5PiK",
    ]
    traces = [samples.ssh_private_key().splitlines()[2], "hunter2", *keys]
    for key in keys:
        for path in ("scheduler.env.0.value", "images.airflow.tag", "images.redis.repository", "config.smtp.smtp_user"):
            resources = value(path, key)(recorded(name))
            found = evaluate_resources(resources)
            assert "no-key-in-clear" in rules(found), path
            assert not [trace for trace in traces for text in texts(found) if trace in text], path
        resources = value("labels", {key: "x", "more": {key: {"password": key}}})(recorded(name))
        found = evaluate_resources(resources)
        assert "no-key-in-clear" in rules(found)
        assert not [trace for trace in traces for text in texts(found) if trace in text]


def places(value: Any) -> list[tuple[str | int, ...]]:
    return [path for path, _ in walk(value) if path]


def _places(resource: JudgedResource) -> list[tuple[str | int, ...]]:
    return places(dict(resource.inputs))


def put(body: Any, path: tuple[str | int, ...], item: Any) -> Any:
    """The same with something else at a path. What lies beside the path is not copied."""
    first, *rest = path
    copied = copy.copy(body)
    copied[first] = put(body[first], tuple(rest), item) if rest else item
    return copied


ODD: Final[tuple[Any, ...]] = (
    None,
    "",
    0,
    1,
    -1,
    1.5,
    True,
    False,
    [],
    {},
    "x",
    [None],
    {"a": None},
    [UNKNOWN],
    {"a": UNKNOWN},
    UNKNOWN,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_rule_falls_over_anything_in_a_resource(recorded: Recorded, data: st.DataObject) -> None:
    resources = list(recorded("prod"))
    index = data.draw(st.sampled_from([i for i, found in enumerate(resources) if found.inputs]))
    path = data.draw(st.sampled_from(resources[index].made_by(_places)))
    odd = data.draw(st.sampled_from(ODD))
    resources[index] = replace(resources[index], inputs=put(dict(resources[index].inputs), path, odd))
    violations = evaluate_resources(resources, context_of(recorded("prod")))
    if odd is UNKNOWN:
        assert texts([found for found in violations if found.level is Level.MANDATORY]) == []


@rendering.needs_chart
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_rule_falls_over_anything_in_an_object(recorded: Recorded, data: st.DataObject) -> None:
    objects = objects_for(recorded("prod"))
    index = data.draw(st.integers(0, len(objects) - 1))
    path = data.draw(st.sampled_from(places(objects[index].body)))
    odd = data.draw(st.sampled_from(ODD))
    objects[index] = replace(objects[index], body=put(objects[index].body, path, odd))
    violations = evaluate_objects(objects, context_of(recorded("prod")))
    if odd is UNKNOWN:
        assert texts([found for found in violations if found.level is Level.MANDATORY]) == []


def test_every_unknown_value_of_the_release_is_no_violation(recorded: Recorded) -> None:
    """Each of its upper ones: the release decides most."""
    prod, context = recorded("prod"), context_of(recorded("prod"))
    [release] = [found for found in prod if found.type == RELEASE]
    for path in places(dict(release.inputs)):
        if len(path) > 3:
            continue
        unknown = replace(release, inputs=put(dict(release.inputs), path, UNKNOWN))
        found = evaluate_resources([unknown], context, [rule for rule in ALL_RULES if not rule.stack])
        assert texts([violation for violation in found if violation.level is Level.MANDATORY]) == [], path
