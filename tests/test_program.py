"""`__main__.py` run whole, for both shipped stacks and the ways in which others differ from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

import outputs
import settings
from components.chart_values.chart_defaults import schema_problems
from components.kube.own_secrets import OWN_SECRET
from settings import loading
from tests import samples
from tests.cases import each
from tests.samples import StackConfig, dev, external, prod, sentinels

if TYPE_CHECKING:
    from tests.conftest import Recorder, Registration

    Record = Callable[..., Recorder]

SET_CONFIG = Callable[[Mapping[str, str], Iterable[str]], None]
STACK: Final = "pulumi:pulumi:Stack"
PROVIDER: Final = "pulumi:providers:kubernetes"
DATABASE_KEY: Final = ("aws:kms/key:Key", "airflow-postgres-key")
AWS_PROVIDER: Final = "pulumi:providers:aws"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
CONFIG_MAP: Final = "kubernetes:core/v1:ConfigMap"

COMMON_SECRETS: Final = samples.all_secrets(but=["gitSshPrivateKey", "dagsToken", "databasePassword"])
PROGRAMS: Final[Mapping[str, Callable[[], StackConfig]]] = {
    "dev": dev,
    "prod": lambda: prod().with_(
        samples.OIDC, {**COMMON_SECRETS, "databaseMasterPassword": sentinels()["databaseMasterPassword"]}
    ),
    "prod by IRSA and KEDA": lambda: prod().with_(
        {
            "podIdentity": "irsa",
            "workerScaling": "keda",
            "databaseSubnetIds": ["subnet-dbc00000", "subnet-dbd00000"],
            "databaseAlarmTopicArn": "",
            "executor": "CeleryExecutor,KubernetesExecutor",
        }
    ),
    "prod with the keys of its escrow": lambda: prod().with_({"keySource": "escrow"}),
    "external": lambda: external().with_(samples.OIDC, COMMON_SECRETS),
    "prod with worker groups": lambda: prod().with_(
        {
            "workerGroups": [
                {"name": "gpu", "replicas": 0, "maxReplicas": 4},
                {"name": "a-name-as-long-as-it-may-be-30"},
            ],
            "taskPolicyArns": ["arn:aws:iam::123456789012:policy/airflow-tasks/sales"],
            "metricsNamespaces": ["monitoring"],
            "monitoring": "operator",
            "verificationDag": "probe",
        }
    ),
    "dev with task pods": lambda: dev().with_({"executor": "KubernetesExecutor"}),
    "dev with a private repository": lambda: dev().with_(
        {**samples.OIDC, "dagsUsername": "robot", "pgbouncerEnabled": True},
        {**COMMON_SECRETS, "dagsToken": sentinels()["dagsToken"]},
    ),
    "dev with bundles": lambda: dev().with_(
        {"dagsDelivery": "git-bundle", "dagsUsername": "robot"}, {"dagsToken": sentinels()["dagsToken"]}
    ),
    "external with everything": lambda: external().with_(
        {
            "dagsDelivery": "git-bundle",
            "executor": "CeleryExecutor,KubernetesExecutor",
            "imageDigest": samples.DIGEST,
            "imageRegistry": "mirror.test/all",
            "imagePullSecrets": ["registry"],
            "uiNamespaces": ["ingress-nginx"],
            "metricsNamespaces": ["monitoring"],
            "monitoring": "annotations",
            "helmValues": {"scheduler": {"resources": {"limits": {"memory": "2Gi"}}}},
            "kubeconfig": "/etc/kubeconfig",
        }
    ),
    "external with places of its own": lambda: external().with_(
        {
            "ingressHost": "tools.example.com",
            "ingressPath": "/airflow",
            "ingressGateway": "gateways/public",
            "uiNamespaces": ["gateways"],
            "taskLogs": "remote",
            "taskLogsUrl": "gs://logs/airflow",
            "taskLogsConnectionSecret": "log-store",
            "imageMirrors": {"docker.io": "mirror.test/hub", "quay.io": "mirror.test/quay"},
            "extraEgress": [{"components": ["all"], "cidrs": ["192.0.2.0/28"], "ports": [636]}],
            "brokerCidrs": ["10.0.48.0/20"],
        },
        {"brokerUrl": sentinels()["brokerUrl"]},
    ),
    "external without isolation": lambda: external().with_({"networkIsolation": "off", "taskLogs": "worker"}),
}

every_program = each("name", PROGRAMS)


@pytest.fixture
def programs(registered: Callable[..., Recorder]) -> Mapping[str, Recorder]:
    """What each program registers."""
    return {name: registered(config()) for name, config in PROGRAMS.items()}


@pytest.fixture
def run(record: Record, stack_config: SET_CONFIG, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    """Runs the program with a config, as the engine gives it."""
    monkeypatch.setattr(loading, "chart_archive", lambda *_: samples.CHART)
    samples.fake_aws(monkeypatch)

    def run(config: StackConfig, *, preview: bool = False) -> Recorder:
        stack_config(config.values, config.secret_keys)
        return record(config.program(), preview=preview, stack=config.stack)

    return run


def kubernetes(program: Recorder) -> list[Registration]:
    return [resource for resource in program.every() if resource.is_kubernetes]


# The tree


@every_program
def test_every_resource_is_under_the_platform(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    components = {found.urn for found in program.every() if found.is_component}
    platform = program.one("airflow:index:AirflowPlatform")
    for resource in program.every():
        if resource is platform or resource.type in (PROVIDER, AWS_PROVIDER):
            assert resource.request.parent == f"urn:pulumi:{program.stack}::airflow::{STACK}::airflow-{program.stack}"
        else:
            assert resource.request.parent in components, resource


@every_program
def test_every_resource_uses_the_one_explicit_provider_of_its_kind(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    assert kubernetes(program)
    for resource in program.every():
        for prefix, type_ in (("kubernetes:", PROVIDER), ("aws:", AWS_PROVIDER)):
            if resource.type.startswith(prefix):
                assert resource.request.provider.startswith(f"{program.one(type_).urn}::"), resource


@every_program
def test_aws_is_where_the_config_says_and_nowhere_without_it(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    if not name.startswith("prod"):
        assert [resource for resource in program.every() if "aws" in resource.type] == []
        return
    inputs = program.one(AWS_PROVIDER).revealed
    assert inputs["region"] == "eu-central-1"
    assert json.loads(inputs["allowedAccountIds"]) == ["123456789012"], "another account's credentials are refused"
    assert json.loads(inputs["defaultTags"])["tags"] == {"application": "airflow", "stack": "prod"}


@every_program
def test_provider_names_its_cluster(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    inputs = program.one(PROVIDER).inputs
    if name.startswith("prod"):
        cluster = samples.eks_cluster()
        assert inputs["context"] == inputs["clusterIdentifier"] == cluster.arn
        assert inputs["kubeconfig"] == cluster.kubeconfig
        return
    context = "kind-airflow" if name.startswith("dev") else "airflow-prod"
    assert inputs["context"] == context
    # By the context and not by the address, which may move: else all would be replaced.
    assert inputs["clusterIdentifier"] == context
    # Empty and not absent: the SDK would put $KUBECONFIG there, and the state would differ from machine to machine.
    assert inputs["kubeconfig"] == ("/etc/kubeconfig" if name == "external with everything" else "")


def test_provider_does_not_record_where_this_machine_keeps_its_kubeconfig(
    run: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/home/somebody/kubeconfig")
    assert run(PROGRAMS["dev"]()).one(PROVIDER).inputs["kubeconfig"] == ""


@every_program
def test_every_component_registered_its_outputs(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    components = [found for found in program.every() if found.is_component]
    assert len(components) >= 6
    for component in components:
        assert component.urn in program.outputs, component
        assert program.outputs[component.urn] or component.type.endswith(
            ("NetworkIsolation", "FernetKey", "EarlierFernetKeyRemoval")
        )


@every_program
def test_no_component_has_recorded_inputs(name: str, programs: Mapping[str, Recorder]) -> None:
    """They would stand in the state as they are, a secret among them too."""
    program = programs[name]
    for component in (found for found in program.every() if found.is_component):
        assert component.inputs == {}, component


@every_program
def test_all_is_in_the_namespace(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    for resource in kubernetes(program):
        if resource.type == "kubernetes:core/v1:Namespace":
            assert resource.inputs["metadata"]["name"] == "airflow"
        elif resource.type == RELEASE:
            assert resource.inputs["namespace"] == "airflow"
        elif resource.type.startswith("kubernetes:admissionregistration.k8s.io/"):
            # It belongs to the cluster, and selects the namespace; the binding names the policy. Its name is generated
            # from one that ends with the namespace, so two stacks in one cluster never meet.
            assert "airflow" in str(resource.inputs["spec"])
            assert resource.name.endswith("-airflow")
            assert "name" not in resource.inputs["metadata"]
        else:
            assert resource.inputs["metadata"]["namespace"] == "airflow", resource


@every_program
def test_logical_names_are_short_of_the_stack(name: str, programs: Mapping[str, Recorder]) -> None:
    """The URN has it already; a stack's name in them would replace everything when it changes."""
    program = programs[name]
    for resource in program.every():
        assert not {"dev", "prod", "stack"} & set(resource.name.split("-")), resource
        assert len(resource.name) + len("-12345678") <= 63
        assert resource.name.isascii()
        assert resource.name == resource.name.lower()


@every_program
def test_only_the_namespace_and_the_release_have_fixed_names(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    fixed = {resource.type for resource in kubernetes(program) if resource.inputs.get("metadata", {}).get("name")}
    assert fixed == {"kubernetes:core/v1:Namespace"}


def test_two_stacks_of_other_names_have_no_fixed_name_in_aws_in_common(registered: Callable[..., Recorder]) -> None:
    """Names that are not generated come of the config, and are the stack's own there."""
    own: dict[str, Any] = {"namespace": "other", "databaseIdentifier": "other-db", "keyEscrow": "other/keys"}
    config = PROGRAMS["prod with worker groups"]()

    def names(program: Recorder) -> set[tuple[str, str]]:
        # A policy of a role has its name in the role alone.
        aws = [found for found in program.every() if found.type.startswith("aws:") and "Policy" not in found.type]
        assert len(aws) > 10
        fixed = ("name", "identifier", "finalSnapshotIdentifier")
        return {(found.type, str(found.inputs[key])) for found in aws for key in fixed if key in found.inputs}

    assert names(registered(config)) & names(registered(config.with_(own))) == set()


@every_program
def test_nothing_is_retained_aliased_or_imported_by_chance(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    for resource in program.every():
        request = resource.request
        assert not request.importId
        # What can read a database's snapshots and a lost stack's keys outlives the stack.
        retained = resource.name == "airflow-keys-escrow" or (resource.type, resource.name) == DATABASE_KEY
        assert request.retainOnDelete is (retained and not resource.is_component), resource
        # It takes the place of a resource that earlier versions made.
        assert not (resource.is_component and request.aliases) or "EarlierFernetKeyRemoval" in resource.type
        # Another name of a database is another database; RDS would rename the one that is there.
        renamed = resource.type == "aws:rds/instance:Instance"
        assert list(request.replaceOnChanges) == (["identifier"] if renamed else [])
        assert not list(request.transforms)


# Secrets


def generated(program: Recorder) -> set[str]:
    """What the recorder gave as generated values: nobody may print them either."""
    found = set()
    for secret in program.every("kubernetes:core/v1:Secret"):
        found |= {text for text in samples.texts(program.secret_data(secret.name)) if "Gen" in text and "/" not in text}
    return found


@every_program
def test_helm_values_know_every_secret_of_the_stack(name: str, programs: Mapping[str, Recorder]) -> None:
    """A value that names one of them is refused, whatever digits the engine puts behind the name."""
    found = programs[name].every("kubernetes:core/v1:Secret")
    assert found
    for secret in found:
        assert OWN_SECRET.match(f"{secret.name}-1a2b3c4d"), secret.name


@every_program
def test_secrets_are_in_plain_text_nowhere(
    name: str, programs: Mapping[str, Recorder], caplog: pytest.LogCaptureFixture
) -> None:
    program = programs[name]
    config = PROGRAMS[name]()
    given = {key.removeprefix("airflow:"): config.values[key] for key in config.secret_keys}
    traces = {trace for key, value in given.items() for trace in samples.traces(key, value)} | generated(program)
    assert len(traces) >= 2
    for resource in program.every():
        shown = resource.plain_text
        for trace in traces:
            assert trace not in shown, resource
            assert json.dumps(trace)[1:-1] not in shown, resource
            assert trace not in resource.urn
    for trace in traces:
        assert trace not in repr(program.outputs.keys())
        assert trace not in caplog.text


@every_program
def test_given_secrets_reach_their_kubernetes_secrets(name: str, programs: Mapping[str, Recorder]) -> None:
    """The test above could pass because nothing arrives."""
    program = programs[name]
    config = PROGRAMS[name]()
    data = [program.secret_data(secret.name) for secret in program.every("kubernetes:core/v1:Secret")]
    revealed = json.dumps(data, ensure_ascii=False)
    for full in config.secret_keys:
        key = full.removeprefix("airflow:")
        if key == "rotationSecret":
            continue  # only the verb that rotates reads it
        for trace in samples.traces(key, config.values[full]):
            if key == "databasePassword":
                assert program.secret_data("airflow-database-pgbouncer-config")["users.txt"].count("sentinel database")
            elif key == "dagsToken" and "bundles" in name:
                assert json.loads(program.secret_data("airflow-git-bundle")["connection"])["password"] == trace
            else:
                assert json.dumps(trace, ensure_ascii=False)[1:-1] in revealed, key


@every_program
def test_no_output_is_secret_or_holds_one(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    config = PROGRAMS[name]()
    traces = {
        trace
        for full in config.secret_keys
        for trace in samples.traces(full.removeprefix("airflow:"), config.values[full])
    }
    for urn, registered in program.outputs.items():
        assert "SecretValue" not in repr(registered), urn
        assert not any(trace in text for trace in traces | generated(program) for text in samples.texts(registered)), (
            urn
        )


@every_program
def test_kubernetes_secrets_are_immutable_and_secret_whole(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    for secret in program.every("kubernetes:core/v1:Secret"):
        assert secret.inputs["immutable"] is True
        assert program.secret_data(secret.name), secret


@every_program
def test_stack_exports_what_the_platform_does(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    platform = program.one("airflow:index:AirflowPlatform")
    assert program.exports() == program.outputs[platform.urn]
    every = {value for constant, value in vars(outputs).items() if constant.isupper() and isinstance(value, str)}
    only_if_asked_for = {
        *([] if program.every("airflow:index:ManagedPostgres") else [outputs.BACKUP_PODS]),
        *([] if program.every("airflow:index:DatabaseRoles") else [outputs.DATABASE_ROLES_POD]),
        outputs.DAG_BUNDLES,
        outputs.RUNNING,
        *([] if "groups" in name else [outputs.WORKER_GROUPS]),
    }
    assert set(program.exports()) == every - only_if_asked_for


# What differs


@every_program
def test_what_holds_data_or_keys_is_protected_in_prod_and_nothing_in_dev(
    name: str, programs: Mapping[str, Recorder]
) -> None:
    program = programs[name]
    stateful = {
        "kubernetes:core/v1:Namespace",
        "kubernetes:core/v1:PersistentVolumeClaim",
        "random:index/randomPassword:RandomPassword",
        "pulumi:index:Stash",
        "aws:rds/instance:Instance",
        "aws:kms/key:Key",
        "aws:s3/bucket:Bucket",
        "kubernetes:helm.sh/v3:Release",  # where a destroy stops before it has deleted what the rest needs
    }
    for resource in program.every():
        # These users are made anew at no loss; the escrow is retained, which survives more.
        made_anew = ("airflow-database-pgbouncer-stats", "airflow-verification-password")
        exempt = resource.name in (*made_anew, "airflow-keys-escrow")
        expected = not name.startswith("dev") and resource.type in stateful and not exempt
        assert resource.protected is expected, resource


@every_program
def test_values_pass_the_chart_s_schema(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    assert schema_problems(program.one(RELEASE).inputs["values"]) == []


@every_program
def test_hooks_are_registered(name: str, programs: Mapping[str, Recorder]) -> None:
    program = programs[name]
    checked = [found for found in program.every(CONFIG_MAP) if "-preflight-" in found.name]
    assert len(checked) >= 3
    bound = {
        found.urn: {*hooks.before_create, *hooks.before_update, *hooks.after_create, *hooks.on_error}
        for found in program.every()
        for hooks in [found.request.hooks]
    }
    assert set().union(*bound.values()) == set(program.hooks)
    kept = program.every("aws:secretsmanager/secret:Secret")
    assert all(bound[found.urn] for found in (program.one(RELEASE), *checked, *kept))


# Keys and their escrow


def test_nothing_uses_a_key_before_it_is_in_the_escrow(programs: Mapping[str, Recorder]) -> None:
    """A stack that lost its state stops at the escrow, and has made neither Secret nor database with a second key."""
    program = programs["prod"]
    stored = program.one("aws:secretsmanager/secretVersion:SecretVersion").urn
    users = [found for found in program.every("kubernetes:core/v1:Secret") if found.name.startswith("airflow-keys-")]
    for resource in (*users, program.one("aws:rds/instance:Instance")):
        assert stored in resource.request.dependencies, resource
    assert len(users) == 8


def test_migration_waits_for_the_database_and_for_the_way_in(programs: Mapping[str, Recorder]) -> None:
    program = programs["prod"]
    waits_for = program.one("kubernetes:batch/v1:Job", "airflow-database-migrate").request.dependencies
    for type_ in ("aws:rds/instance:Instance", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"):
        assert program.one(type_).urn in waits_for


@every_program
def test_what_a_running_airflow_needs_is_deleted_after_it(name: str, programs: Mapping[str, Recorder]) -> None:
    """A destroy begins with what nothing depends on; in a protected stack it stops at the release, and leaves all that

    the release depends on. Policies that went first would leave pods running without isolation.
    """
    program = programs[name]
    before: dict[str, set[str]] = {found.urn: set(found.request.dependencies) for found in program.every()}
    reached: set[str] = set()
    waiting = [program.one(RELEASE).urn]
    while waiting:
        urn = waiting.pop()
        if urn not in reached:
            reached.add(urn)
            waiting += before.get(urn, ())
    # A generated value that a given one stands in front of is used by nothing, and protected where it matters.
    kept = {
        found.urn
        for found in program.every()
        if found.is_component or found.protected or found.type.startswith(("random:", "pulumi:index:Stash"))
    }
    spared = {found.urn for found in program.every()} - reached - kept
    types = {program.registrations[urn].type for urn in spared}
    allowed = {
        "kubernetes:keda.sh/v1alpha1:ScaledObject",
        "kubernetes:keda.sh/v1alpha1:TriggerAuthentication",
        "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
        "kubernetes:core/v1:Secret",  # of these three; made again of what the state has
        PROVIDER,
        AWS_PROVIDER,
    }
    if name.startswith("dev"):
        allowed |= {"kubernetes:batch/v1:Job"}  # of the admin user: nothing is protected, and it saves time
    assert types <= allowed, types - allowed
    assert {program.registrations[urn].name for urn in spared if "core/v1:Secret" in urn} <= {
        "airflow-worker-scaler-connection",
        "airflow-keys-admin-password",
        "airflow-keys-redis-password",  # without Celery nothing uses it
    }


def test_external_database_in_the_cluster_s_subnets_closes_its_port_and_not_the_network(
    run: Callable[..., Recorder],
) -> None:
    """The cluster's endpoints and other services are in these subnets too."""
    subnet = samples.eks_cluster().subnets[0].cidr
    of_managed = ("databaseIdentifier", "databaseStorageGib", "databaseAlarmTopicArn")
    config = prod().with_(
        {
            **{key: samples.schema()[key]["default"] for key in of_managed},
            "database": "external",
            "databaseHost": "db.abc.eu-central-1.rds.amazonaws.com",
            "databaseSslMode": "require",
            "databaseCidrs": [subnet],
        },
        {"databasePassword": "a password of nobody"},
    )
    policies = run(config).every("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    (worker,) = [policy.inputs["spec"] for policy in policies if policy.name.endswith("worker")]
    beside = [rule for rule in worker["egress"] if {"ipBlock": {"cidr": subnet}} in rule.get("to", [])]
    ports = [(port.get("port"), port.get("endPort")) for rule in beside for port in rule["ports"]]
    assert {(1, 5431), (5433, 65535)} <= set(ports)


def test_escrow_holds_every_key_that_is_in_use(programs: Mapping[str, Recorder]) -> None:
    program = programs["prod"]
    stored = json.loads(program.one("aws:secretsmanager/secretVersion:SecretVersion").revealed["secretString"])
    for role, data_key in samples.KEY_DATA.items():
        secret = f"airflow-keys-{role.replace('_', '-')}"
        assert program.secret_data(secret)[data_key] == stored.pop(role)
    # The config of this stack gives the master user another password, which no pod needs.
    known = f'"{stored.pop("database_password")}"'
    assert known in program.secret_data("airflow-database-pgbouncer-config")["users.txt"]
    assert stored == {}


def test_stack_that_lost_its_state_goes_on_with_the_keys_of_the_escrow(programs: Mapping[str, Recorder]) -> None:
    program = programs["prod with the keys of its escrow"]
    assert program.every("airflow:index:KeyEscrow") == [], "what it would write is what it has just read"
    for role, data_key in samples.KEY_DATA.items():
        data = program.secret_data(f"airflow-keys-{role.replace('_', '-')}")
        assert data == {data_key: samples.ESCROWED[role]}
    assert program.one("aws:rds/instance:Instance").revealed["password"] == samples.ESCROWED["database_password"]


# Runs of their own


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_preview_registers_the_same(stack: str, run: Callable[..., Recorder], programs: Mapping[str, Recorder]) -> None:
    """Of a stack that is not there yet: nothing generated is known, and nothing may hang on it."""
    config = PROGRAMS[stack]()
    previewed, updated = run(config, preview=True), programs[stack]
    assert previewed.registrations.keys() == updated.registrations.keys()
    assert previewed.outputs.keys() == updated.outputs.keys()
    for resource in previewed.every():
        other = updated.registrations[resource.urn]
        assert resource.protected == other.protected
        assert set(resource.request.dependencies) == set(other.request.dependencies)


def test_same_config_registers_the_same_twice(run: Callable[..., Recorder], programs: Mapping[str, Recorder]) -> None:
    first, second = programs["prod"], run(PROGRAMS["prod"]())
    assert {urn: found.inputs for urn, found in first.registrations.items()} == {
        urn: found.inputs for urn, found in second.registrations.items()
    }


def test_routine_deployment_touches_the_checks_the_migration_and_the_release_alone(
    run: Callable[..., Recorder], programs: Mapping[str, Recorder]
) -> None:
    before, after = programs["prod"], run(PROGRAMS["prod"]().with_({"imageTag": "another"}))
    assert before.registrations.keys() == after.registrations.keys()
    touched = {
        urn.rpartition("::")[2]
        for urn, found in after.registrations.items()
        if found.inputs != before.registrations[urn].inputs
    }
    # Two of the Jobs ignore their image; see database/test_migration.
    jobs = {"airflow-database-migrate", "airflow-database-admin-user", "airflow-database-roles"}
    kinds = ("cluster", "images", "database", "login", "aws-worker", "aws-api-server")
    checks = {f"airflow-preflight-{kind}" for kind in kinds}
    assert touched == {*jobs, *checks, "airflow"}
    for job in jobs - {"airflow-database-migrate"}:
        assert list(after.one("kubernetes:batch/v1:Job", job).request.ignoreChanges)


@pytest.mark.parametrize("key", ["fernetKey", "apiSecretKey", "jwtSecret"])
def test_another_key_moves_its_own_secret_and_what_refers_to_it(
    key: str, run: Callable[..., Recorder], programs: Mapping[str, Recorder]
) -> None:
    config = PROGRAMS["prod"]()
    other = {
        "fernetKey": "YW5vdGhlci1mZXJuZXQta2V5LW9mLTMyLWJ5dGVzISE=",
        "apiSecretKey": "another" * 10,
        "jwtSecret": "another" * 10,
    }
    before, after = programs["prod"], run(config.with_(secrets={key: other[key]}))
    touched = {
        resource.name for resource in after.every() if resource.inputs != before.registrations[resource.urn].inputs
    }
    role = {"fernetKey": "fernet-key", "apiSecretKey": "api-secret-key", "jwtSecret": "jwt-secret"}[key]
    jobs = {"airflow-database-migrate", "airflow-database-admin-user"} if key == "fernetKey" else set()
    forms = {"airflow-keys-jwks", "airflow-keys-jwt-key-id"} if key == "jwtSecret" else set()
    assert touched == {f"airflow-keys-{role}", "airflow-keys-escrow", "airflow"} | jobs | forms


@pytest.mark.parametrize(
    "changes",
    [{"executor": "LocalExecutor"}, {"imageTag": "latest", "unheardOf": "x"}, {"databaseHost": "db.test"}],
)
def test_bad_config_registers_nothing(
    changes: dict[str, str], recorder: Recorder, stack_config: SET_CONFIG, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "chart_archive", lambda *_: samples.CHART)
    config = dev().with_(changes)
    stack_config(config.values, config.secret_keys)
    with pytest.raises(settings.SettingsError):
        recorder.run(config.program())
    assert recorder.every() == []
