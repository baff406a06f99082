"""The pages about production agree with the code: numbers, quoted messages, names of resources, commands of AWS."""

from __future__ import annotations

import importlib
import json
import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
import pytest
from botocore import xform_name
from moto import mock_aws

from components.aws.client import AwsError
from components.chart_values.connection_budget import ConnectionLoad, budget, budget_problem
from components.chart_values.scale import Scale
from components.chart_values.size_preset import SizePreset, size_values
from components.database.rds_alarms import AlarmSpec, Capacity, alarm_specs
from components.database.rds_instance_class import instance_memory_gib, max_connections
from components.keys.escrow_reader import refuse_second_keys
from components.kube.safe_yaml import load_yaml
from tests import samples
from tests.chart.rendering import containers, needs_chart, objects, pod_templates
from tests.samples import ROOT, StackConfig, prod

if TYPE_CHECKING:
    from tests.conftest import Recorder, Registration

DOCS: Final = ROOT / "docs"
PRODUCTION: Final = DOCS / "production.md"
ALARMS: Final = DOCS / "alarms.md"
LOST_STATE: Final = DOCS / "runbooks" / "lost-state.md"
DOCUMENTS: Final = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])

PROGRAMS: Final[Mapping[str, Callable[[], StackConfig]]] = {
    "prod": prod,
    "prod with the keys of its escrow": lambda: prod().with_({"keySource": "escrow"}),
}


@pytest.fixture
def program(registered: Callable[..., Recorder]) -> Callable[[str], Recorder]:
    """Return a function that records what a named program registers."""
    return lambda name: registered(PROGRAMS[name]())


def section(document: Path, heading: str) -> str:
    found = re.split(r"^## ", document.read_text(), flags=re.MULTILINE)
    return next(text for text in found if text.startswith(f"{heading}\n"))


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of all tables in a text, by their first cell."""
    lines = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("| "))
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


# What it costs

SCALES: Final = {
    SizePreset.SMALL: Scale(api_server=2, worker=2),
    SizePreset.MEDIUM: Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=4),
    SizePreset.LARGE: Scale(api_server=3, scheduler=3, dag_processor=3, triggerer=3, worker=10),
}
"""The numbers of pods in the table."""
POOLERS: Final = 2
NODE_CPU: Final = 3.6
NODE_GIB: Final = 13.5
ZONES: Final = 3

PODS: Final[Mapping[str, Sequence[str]]] = {
    "api-server": ("apiServer",),
    "scheduler": ("scheduler", "scheduler.logGroomerSidecar"),
    "dag-processor": ("dagProcessor", "dagProcessor.logGroomerSidecar", "dags.gitSync"),
    "triggerer": ("triggerer", "triggerer.logGroomerSidecar", "dags.gitSync"),
    "worker": ("workers.celery", "dags.gitSync"),
    "pgbouncer": ("pgbouncer", "pgbouncer.metricsExporterSidecar"),
    "redis": ("redis",),
    "statsd": ("statsd",),
}
"""The containers of each pod, by the place of their resources in the values; task logs in S3, DAGs by git-sync."""
ROLLING: Final = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
"""The pods that another image rolls."""


def numbers(scale: Scale) -> dict[str, int]:
    one = {"pgbouncer": POOLERS, "redis": 1, "statsd": 1, "worker": scale.worker}
    return one | {name: getattr(scale, name.replace("-", "_")) for name in ROLLING}


def requested(preset: SizePreset, scale: Scale, pods: Mapping[str, int]) -> tuple[float, float]:
    """Return vCPU and GiB of these numbers of pods."""
    values = size_values(preset, scale.worker_concurrency)
    cpu = memory = 0
    for name, count in pods.items():
        for path in PODS[name]:
            part: Any = values
            for key in path.split("."):
                part = part[key]
            asked = part["resources"]["requests"]
            cpu += count * int(asked["cpu"].removesuffix("m"))
            memory += count * int(asked["memory"].removesuffix("Mi"))
    return cpu / 1000, memory / 1024


def column(preset: SizePreset, instance_class: str) -> dict[str, str]:
    """Return the table's column for a size, computed from the code."""
    scale = SCALES[preset]
    pods = numbers(scale)
    rolling = {name: count + (math.ceil(count / 4) if name in ROLLING else 0) for name, count in pods.items()}
    cpu, memory = requested(preset, scale, pods)
    most_cpu, most_memory = requested(preset, scale, rolling)
    load = ConnectionLoad(scale=scale)
    found = budget(load, max_connections=max_connections(instance_class), pgbouncer_replicas=POOLERS)
    assert budget_problem(found) is None, "the class bears it"
    return {
        "API servers, schedulers, DAG processors, triggerers": ", ".join(str(pods[name]) for name in ROLLING[:4]),
        "Celery workers, tasks at a time": f"{scale.worker}, {scale.worker * scale.worker_concurrency}",
        "PgBouncer, Redis, statsd": ", ".join(str(pods[name]) for name in ("pgbouncer", "redis", "statsd")),
        "pods": str(sum(pods.values())),
        "requested: vCPU, GiB": f"{cpu:.2f}, {memory:.1f}",
        "in a roll: vCPU, GiB": f"{most_cpu:.2f}, {most_memory:.1f}",
        "nodes": str(max(ZONES, math.ceil(max(most_cpu / NODE_CPU, most_memory / NODE_GIB)))),
        "database class, twice (standby)": f"`{instance_class}`",
        "connections at the peak, of those allowed": f"{found.server_connections} of {found.limit}",
    }


def test_quantities_equal_those_of_the_code() -> None:
    text = section(PRODUCTION, "What it costs")
    table = rows(text)
    presets = [SizePreset(name.strip("`")) for name in table["`airflow:size`"]]
    assert set(presets) == set(SizePreset) - {SizePreset.NONE}
    for index, preset in enumerate(presets):
        instance_class = table["database class, twice (standby)"][index].strip("`")
        for label, value in column(preset, instance_class).items():
            assert table[label][index] == value, f"{preset}: {label}"
    assert f"about {NODE_CPU} vCPU and {NODE_GIB} GiB" in text


def test_medium_is_the_shipped_production_stack() -> None:
    platform = prod().parse().platform
    assert platform.size is SizePreset.MEDIUM
    assert platform.scale == SCALES[SizePreset.MEDIUM]
    assert platform.pgbouncer is not None
    assert platform.pgbouncer.replicas == POOLERS
    classes = rows(section(PRODUCTION, "What it costs"))["database class, twice (standby)"]
    assert getattr(platform.database, "instance_class", "") == classes[1].strip("`")


@needs_chart
def test_the_containers_of_each_pod_are_counted(program: Callable[[str], Recorder]) -> None:
    values = program("prod").one("kubernetes:helm.sh/v3:Release").inputs["values"]
    counted = {name: requested(SizePreset.MEDIUM, SCALES[SizePreset.MEDIUM], {name: 1}) for name in PODS}
    rendered = {}
    for name, template in pod_templates(objects(values)):
        asked = [
            container["resources"]["requests"]
            for container in containers(template)
            if container not in (template["spec"].get("initContainers") or [])
        ]
        cpu = sum(int(requests["cpu"].removesuffix("m")) for requests in asked)
        memory = sum(int(requests["memory"].removesuffix("Mi")) for requests in asked)
        rendered[name.removeprefix("airflow-")] = cpu / 1000, memory / 1024
    # Pods that come and go are not in the table.
    assert {name: found for name, found in rendered.items() if name in PODS} == counted
    assert set(rendered) - set(PODS) <= {"database-cleanup", "task pod"}


def test_the_stack_s_resources_in_aws_are_counted(program: Callable[[str], Recorder]) -> None:
    recorder = program("prod")
    table = rows(section(PRODUCTION, "What it costs"))
    keys = recorder.every("aws:kms/key:Key")
    assert table["KMS keys"][0].startswith(f"{len(keys)}: ")
    assert table["Secrets Manager"] == [f"{len(recorder.every('aws:secretsmanager/secret:Secret'))} secret"]
    alarms = len(recorder.every("aws:cloudwatch/metricAlarm:MetricAlarm"))
    groups = recorder.every("aws:cloudwatch/logGroup:LogGroup")
    assert {group.inputs["retentionInDays"] for group in groups} == {365}
    assert table["CloudWatch"][0].startswith(f"{alarms} alarms ({alarms + 1} with a class `db.t…`), {len(groups)} log")
    days = recorder.one("aws:rds/instance:Instance").inputs["performanceInsightsRetentionPeriod"]
    assert table["Performance Insights"][0].startswith(f"{days} days")


# Alarms


def threshold_text(spec: AlarmSpec, capacity: Capacity) -> str:
    """Return an alarm's threshold as the table writes it."""
    parts = {
        "FreeStorageSpace": capacity.storage_gib * 2**30,
        "FreeableMemory": capacity.memory_gib * 2**30,
        "DatabaseConnections": capacity.max_connections,
    }
    if spec.metric in parts:
        return f"{spec.threshold / parts[spec.metric]:.0%}".replace("%", " %")
    return f"{spec.threshold * 1000:.0f} ms" if spec.metric.endswith("Latency") else f"{spec.threshold:g}"


def test_every_alarm_is_explained_with_its_threshold() -> None:
    name = "db.t4g.medium"
    connections, memory = max_connections(name), instance_memory_gib(name)
    capacity = Capacity(storage_gib=100, memory_gib=memory, max_connections=connections, burstable=True)
    explained = {
        role: cells[0]
        for cell, cells in rows(section(ALARMS, "Alarms of the database")).items()
        for role in re.findall(r"`([a-z-]+)`", cell)
    }
    specs = {spec.role: spec for spec in alarm_specs(capacity)}
    assert explained.keys() == specs.keys()
    for role, spec in specs.items():
        words = explained[role].replace("1000000000", "1e+09")
        assert threshold_text(spec, capacity) in words, role
        assert f"{spec.minutes} min" in words, role


# Config


def test_every_key_of_the_shipped_stack_is_on_the_page() -> None:
    text = PRODUCTION.read_text()
    config = load_yaml((samples.SHIPPED / "Pulumi.prod.yaml").read_text())["config"]
    pods = {key for key in config if key.endswith("Replicas")}
    assert [key for key in config if key.startswith("airflow:") and key not in pods and f"`{key}`" not in text] == []


# Messages of the program, and names of its resources


def test_the_runbook_quotes_the_refusal_of_a_stack_without_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    with mock_aws():
        boto3.client("secretsmanager", region_name="eu-central-1").create_secret(
            Name="airflow/prod/keys", SecretString="{}"
        )
        with pytest.raises(AwsError) as error:
            refuse_second_keys("airflow/prod/keys", "eu-central-1")
    quoted = " ".join(re.findall(r"^> (.*)$", LOST_STATE.read_text(), re.MULTILINE)).strip("`")
    assert quoted.startswith("airflow:keyEscrow: expected no secret")
    assert quoted.removesuffix(".") in str(error.value)


def test_resources_that_the_pages_name_exist(program: Callable[[str], Recorder]) -> None:
    resources = program("prod").every()
    kinds = {f"{resource.type.rpartition(':')[2]} {resource.name}" for resource in resources}
    for document in DOCUMENTS:
        text = " ".join(document.read_text().split())
        for named in re.findall(r"`(?:would (?:create|update|replace)|created) ([A-Z]\w+ [a-z-]+)`", text):
            assert named in kinds, f"{document.name}: {named}"
        for pattern in re.findall(r"grep -o '(urn:[^']+)'", text):
            assert len([found for found in resources if re.fullmatch(pattern, found.urn)]) == 1, pattern


def imported() -> dict[str, str]:
    """Return the ids of the runbook, by type and name."""
    block = LOST_STATE.read_text().partition("IDS = {")[2].partition("\n   }")[0]
    return dict(re.findall(r'"([\w/]+:\w+ [\w-]+)": f?"([^"]+)"', block))


def aws_resources(recorder: Recorder) -> Iterator[tuple[str, Registration]]:
    for resource in recorder.every():
        if resource.type.startswith("aws:"):
            yield f"{resource.type.removeprefix('aws:')} {resource.name}", resource


def test_the_import_names_every_resource_with_a_fixed_name(program: Callable[[str], Recorder]) -> None:
    found = dict(aws_resources(program("prod with the keys of its escrow")))
    ids = imported()
    assert ids.keys() <= found.keys()
    fixed = {
        what: str(resource.inputs.get("identifier") or resource.inputs["name"])
        for what, resource in found.items()
        # An alarm of the same name is overwritten.
        if not what.startswith("cloudwatch/metricAlarm") and resource.inputs.keys() & {"identifier", "name"}
    }
    assert len(fixed) == 6
    # A policy of a role is known by both names.
    fixed["iam/rolePolicy:RolePolicy airflow-task-logs"] = "TASK_LOG_ROLE:task-logs"
    fixed["iam/rolePolicy:RolePolicy airflow-task-logs-api-server"] = "API_SERVER_ROLE:task-logs"
    assert {what: ids[what] for what in fixed} == fixed
    assert {"kms/key:Key airflow-postgres-key", "rds/subnetGroup:SubnetGroup airflow-postgres"} <= ids.keys()
    associations = {what for what in found if what.startswith("eks/podIdentityAssociation")}
    assert associations <= ids.keys(), "EKS takes one for each service account"


# Commands of AWS

GLOBAL_OPTIONS: Final = {"region", "query", "output", "profile"}
OF_THE_CLI_ALONE: Final = {
    ("configure", "list-profiles"),
    ("eks", "update-kubeconfig"),
    ("s3", "cp"),
    ("sso", "login"),
}
SERVICES: Final = {"s3api": "s3"}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every `aws` command of the pages, as words."""
    for document in DOCUMENTS:
        text = document.read_text()
        blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
        spans = re.findall(r"`(aws [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        for block in blocks:
            joined = re.sub(r"<<'EOF'.*?^ *EOF$", "", block, flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
            for found in re.finditer(r"^\s*(aws (?:'[^']*'|\"[^\"]*\"|[^'\"\n])*)", joined, re.MULTILINE):
                yield document.name, shlex.split(found[1], comments=True)
        for span in spans:
            yield document.name, shlex.split(" ".join(span.split()))


def cli_problems(words: Sequence[str]) -> list[str]:
    """Return what is wrong with a command, by the service's model."""
    _, service, *rest = words
    if not rest or (service, rest[0]) in OF_THE_CLI_ALONE:
        return []
    session = botocore.session.Session()
    model = session.get_service_model(SERVICES.get(service, service))
    if rest[0] == "wait":
        waiters = session.get_waiter_model(service).waiter_names
        return [] if rest[1] in {xform_name(name, "-") for name in waiters} else [f"no waiter {rest[1]}"]
    operation = next((name for name in model.operation_names if xform_name(name, "-") == rest[0]), None)
    if operation is None:
        return [f"no operation {rest[0]}"]
    shape = model.operation_model(operation).input_shape
    members = {xform_name(name, "-"): member.type_name for name, member in (shape.members if shape else {}).items()}
    known = {*members, *(f"no-{name}" for name, kind in members.items() if kind == "boolean")}
    options = {word.removeprefix("--") for word in rest if word.startswith("--")}
    return [f"{rest[0]} has no option {option}" for option in sorted(options - known - GLOBAL_OPTIONS)]


def test_aws_commands_exist_with_their_options() -> None:
    found = list(commands())
    assert len(found) > 30
    problems = [(document, problem) for document, words in found for problem in cli_problems(words)]
    assert problems == []


@pytest.mark.parametrize("text", ["aws rds make-db-instance", "aws kms describe-key --key KEY", "aws rds wait db-gone"])
def test_an_unknown_aws_command_is_a_problem(text: str) -> None:
    assert cli_problems(text.split())


def test_queries_are_valid_jmespath() -> None:
    queries = [words[words.index("--query") + 1] for _, words in commands() if "--query" in words]
    assert len(queries) > 5
    jmespath = importlib.import_module("jmespath")  # botocore's; it has no types
    for query in queries:
        jmespath.compile(query)


def test_the_runbook_s_script_keeps_the_named_resources_and_the_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script turns the engine's list of resources to create into a list to import."""
    script = LOST_STATE.read_text().partition("python3 - <<'EOF'\n")[2].partition("   EOF\n")[0]
    entries: list[dict[str, Any]] = [
        {"type": "pulumi:providers:aws", "name": "aws"},
        {"type": "airflow:index:ManagedPostgres", "name": "airflow-postgres", "component": True},
        {"type": "aws:rds/instance:Instance", "name": "airflow-postgresInstance", "logicalName": "airflow-postgres"},
        {"type": "aws:s3/bucket:Bucket", "name": "airflow-task-logs"},
        {"type": "kubernetes:core/v1:Namespace", "name": "airflow-namespace"},
    ]
    (tmp_path / "all.json").write_text(json.dumps({"nameTable": {}, "resources": entries}))
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(line[3:] for line in script.splitlines()), "runbook", "exec"), {})  # noqa: S102 - our own
    kept = json.loads((tmp_path / "import.json").read_text())["resources"]
    assert [entry["type"] for entry in kept] == [entry["type"] for entry in entries[:4]]
    assert [entry.get("id") for entry in kept] == [None, None, "airflow-prod", "BUCKET_NAME"]
