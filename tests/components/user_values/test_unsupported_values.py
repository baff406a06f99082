"""What works in the chart and not in this deployment, and how numbers and variables are read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.executor import Executor
from components.chart_values.managed_variables import GIT_SYNC_VARIABLES, MANAGED_VARIABLES, managed_name
from components.chart_values.size_preset import SizePreset
from components.chart_values.value_paths import at, nested
from components.chart_values.values import airflow_values
from components.kube.images import CHART_IMAGES
from components.user_values.surroundings import Surroundings
from components.user_values.unsupported_values import FAB
from components.user_values.user_values import problems, with_helm_values
from tests import samples
from tests.cases import each
from tests.chart import rendering

ISOLATED: Final = Surroundings(isolated=True, ui_reachable=False)


def in_env(name: str, value: str = "1", path: str = "env") -> dict[str, Any]:
    """A variable, for all pods or in another place."""
    return nested(path, [{"name": name, "value": value}])


GRACE: Final = {"worker_grace_seconds": 600}
SEARCH: Final = {"elasticsearch": {"enabled": True, "secretName": "search"}}
PIP: Final = {"env": [{"name": "_PIP_ADDITIONAL_REQUIREMENTS", "value": "pandas"}]}


def found(helm_values: dict[str, Any], surroundings: Surroundings | None = None) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema(), surroundings)


# Isolation


@each("path", ["flower.enabled", "otelCollector.tracesEnabled", "otelCollector.metricsEnabled", "cleanup.enabled"])
def test_component_without_policies_is_refused_while_pods_are_isolated(path: str) -> None:
    [refused] = found(nested(path, True), ISOLATED)
    assert refused.startswith(f"{path} is refused while airflow:networkIsolation is not off: ")
    assert refused.endswith("or set airflow:networkIsolation to off")
    assert found(nested(path, True)) == [], "the way"
    assert found(nested(path, False), ISOLATED) == []


@each(
    "path,host",
    [
        ("config.metrics.statsd_host", "datadog-agent.monitoring.svc"),
        ("config.metrics.statsd_host", "10.0.0.7"),
        ("config.metrics.statsd_host", "telegraf"),
        ("config.metrics.otel_host", "otel-collector.observability"),
        ("config.traces.otel_host", "tempo.example.com"),
    ],
)
def test_metrics_leave_no_isolated_namespace(path: str, host: str) -> None:
    [refused] = found(nested(path, host), ISOLATED)
    assert "airflow:metricsNamespaces" in refused
    assert found(nested(path, host)) == []


@each(
    "host", ["airflow-statsd", "airflow-statsd.airflow.svc", '{{ printf "%s-statsd" (include "airflow.fullname" .) }}']
)
def test_chart_s_own_statsd_is_accepted(host: str) -> None:
    assert found(nested("config.metrics.statsd_host", host), ISOLATED) == []


@each("type_", ["LoadBalancer", "NodePort"])
def test_service_that_nobody_may_call_or_that_has_no_tls_is_refused(type_: str) -> None:
    users = nested("apiServer.service", {"type": type_})
    [closed] = found(users, ISOLATED)
    assert "nobody may call the API server from outside; use airflow:ingressHost, or airflow:uiCidrs" in closed
    [open_] = found(users, Surroundings(isolated=True, ui_reachable=True, protected=True))
    assert "passwords would go over plain HTTP; use airflow:ingressHost" in open_
    [both] = found(users, Surroundings(isolated=True, ui_reachable=False, protected=True))
    assert "nobody may call" in both
    assert "plain HTTP" in both
    certificate = {"annotations": {"service.beta.kubernetes.io/aws-load-balancer-ssl-cert": "arn"}}
    with_tls = {"apiServer": {"service": {**users["apiServer"]["service"], **certificate}}}
    assert found(with_tls, Surroundings(isolated=True, ui_reachable=True, protected=True)) == [], "the way"
    assert found(users, Surroundings(isolated=True, ui_reachable=True)) == [], "the way"
    assert found(nested("apiServer.service.type", "ClusterIP"), ISOLATED) == []


# The Ingress


@each(
    ("users", "instead"),
    [
        ({"config": {"api": {"base_url": "https://other.example.com"}}}, "airflow:ingressHost and airflow:ingressPath"),
        ({"env": [{"name": "AIRFLOW__API__BASE_URL", "value": "https://x"}]}, "airflow:ingressPath"),
        ({"config": {"api": {"server_type": "gunicorn"}}}, "set uvicorn"),
        ({"apiServer": {"env": [{"name": "FORWARDED_ALLOW_IPS", "value": "*"}]}}, "airflow:trustedProxyCidrs"),
        ({"apiServer": {"args": ["bash", "-c", "exec airflow api-server"]}}, "apiServer.env"),
    ],
)
def test_what_contradicts_the_ingress_is_refused(users: dict[str, Any], instead: str) -> None:
    [refused] = found(users, Surroundings(ingress=True))
    assert instead in refused
    assert found(users) == [], "without one it is the user's"


# The auth manager


@each(
    "users",
    [
        {"config": {"core": {"auth_manager": "airflow.api_fastapi.auth.managers.simple.SimpleAuthManager"}}},
        {"config": {"core": {"auth_manager": "airflow.providers.keycloak.auth_manager.KeycloakAuthManager"}}},
        {"apiServer": {"env": [{"name": "AIRFLOW__CORE__AUTH_MANAGER", "value": "own.Manager"}]}},
        {"env": [{"name": "AIRFLOW__CORE__AUTH_MANAGER", "value": ""}]},
        {"extraEnv": "- name: AIRFLOW__CORE__AUTH_MANAGER\n  value: own.Manager\n"},
    ],
)
def test_another_auth_manager_is_refused(users: dict[str, Any]) -> None:
    [refused] = found(users)
    assert "the Jobs create a user of the FAB auth manager; use airflow:oidcIssuer for OpenID Connect" in refused


def test_fab_and_its_configuration_are_accepted() -> None:
    assert found({"config": {"core": {"auth_manager": FAB}}, "apiServer": {"apiServerConfig": "AUTH_TYPE = 4"}}) == []
    assert chart_values()["config"]["core"]["auth_manager"] == FAB


# What is not deployed


OFF: Final = Surroundings(switched_off={"pgbouncer": "airflow:pgbouncerEnabled true", "workers.kubernetes": "x"})


def test_value_of_what_is_not_deployed_is_refused_once() -> None:
    users = {"pgbouncer": {"resources": {}, "nodeSelector": {"a": "b"}}, "scheduler": {"nodeSelector": {"a": "b"}}}
    assert found(users, OFF) == [
        "pgbouncer.resources has no effect, because pgbouncer is not deployed; use airflow:pgbouncerEnabled true, or "
        "leave it out"
    ]
    assert found(users) == []


def test_refusal_names_no_place_of_what_is_not_deployed() -> None:
    assert found({"workers": {"env": []}}, OFF) == ["workers.env is deprecated in the chart; use workers.celery.env"]


# Variables


@each("ending", ["", "_CMD", "_SECRET"])
def test_names_are_compared_whole(ending: str) -> None:
    for name in MANAGED_VARIABLES:
        assert managed_name(name + ending) == name
    for other in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS", "AIRFLOW__LOGGING__REMOTE_TASK_HANDLER_KWARGS"):
        assert managed_name(other + ending) is None


@each(
    "users",
    [
        {"config": {"database": {"sql_alchemy_connect_args": "airflow_local_settings.keepalive"}}},
        {"config": {"logging": {"remote_task_handler_kwargs": "{}", "encrypt_s3_logs": "True"}}},
        {"config": {"celery": {"broker_url_options": "x"}, "core": {"executor_config": "x"}}},
        {"extraEnv": "- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS\n  value: team.db.args\n"},
        {"env": [{"name": "AIRFLOW__CORE__LOAD_EXAMPLES_FROM", "value": "x"}]},
    ],
)
def test_longer_names_are_the_user_s(users: dict[str, Any]) -> None:
    assert found(users) == []


# git-sync


@each("name", ["GITSYNC_REPO", "GIT_SYNC_REV", "GITSYNC_ROOT", "GITSYNC_STALE_WORKTREE_TIMEOUT", "GITSYNC_PASSWORD"])
def test_variable_that_the_program_sets_for_git_sync_is_refused(name: str) -> None:
    [refused] = found({"dags": {"gitSync": {"env": [{"name": name, "value": "x"}]}}})
    assert refused == f"dags.gitSync.env may not set {name}: the program does; use the keys airflow:dags…"
    assert found({"scheduler": {"env": [{"name": name, "value": "x"}]}}) == [], "it is of git-sync alone"


def test_proxy_and_ca_of_git_sync_are_appended() -> None:
    env = [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}, {"name": "GIT_SSL_CAINFO", "value": "/etc/ca/ca.crt"}]
    mounts = [{"name": "ca", "mountPath": "/etc/ca"}]
    users = {"dags": {"gitSync": {"env": env, "extraVolumeMounts": mounts}}}
    assert found(users) == []
    values = with_helm_values(airflow_values(samples.release_inputs()), users)
    own = {"name": "GITSYNC_STALE_WORKTREE_TIMEOUT", "value": "600s"}
    assert at(values, "dags.gitSync.env") == [own, *env]
    assert at(values, "dags.gitSync.extraVolumeMounts") == mounts


@rendering.needs_chart
def test_every_variable_that_the_chart_gives_git_sync_is_refused() -> None:
    from components.chart_values.release_inputs import DagAccess

    names: set[str] = set()
    accesses = (DagAccess(ssh_key_secret="k", known_hosts="h"), DagAccess(credentials_secret="c"), DagAccess())
    for access in accesses:
        for _, pod in rendering.pod_templates(
            rendering.objects(airflow_values(samples.release_inputs(dag_access=access)))
        ):
            for container in rendering.containers(pod):
                if container["name"].startswith("git-sync"):
                    names |= {variable["name"] for variable in container["env"]}
    assert len(names) > 20
    assert names <= GIT_SYNC_VARIABLES


# Images


@each("image", ["redis", "statsd", "pgbouncer", "pgbouncerExporter", "gitSync"])
def test_tag_of_another_component_is_the_user_s(image: str) -> None:
    users = nested(f"images.{image}.tag", "7.4-bookworm")
    assert found(users) == []
    assert (
        at(with_helm_values(airflow_values(samples.release_inputs()), users), f"images.{image}.tag") == "7.4-bookworm"
    )


@each("image", ["airflow", "pod_template", "flower"])
def test_tag_of_airflow_is_the_program_s(image: str) -> None:
    [refused] = found(nested(f"images.{image}.tag", "x"))
    assert "use airflow:imageTag" in refused


# Numbers and nulls


@each(
    "given,text",
    [(40960000, "40960000"), (1209600, "1209600"), (4.096e7, "40960000"), (0, "0"), (-1, "-1"), (2.0, "2")],
)
def test_whole_number_of_airflow_cfg_goes_out_as_text(given: float, text: str) -> None:
    users = {"config": {"core": {"max_templated_field_length": given}}}
    values = with_helm_values(airflow_values(samples.release_inputs()), users)
    assert values["config"]["core"]["max_templated_field_length"] == text
    assert users["config"]["core"]["max_templated_field_length"] == given, "the input stays as it is"


@each("given", [0.5, True, False, "1e6"])
def test_other_options_stay_as_they_are(given: Any) -> None:
    values = with_helm_values(airflow_values(samples.release_inputs()), {"config": {"core": {"x": given}}})
    assert values["config"]["core"]["x"] is given


@rendering.needs_chart
def test_rendered_airflow_cfg_has_whole_numbers_and_no_deleted_defaults() -> None:
    users = {
        "config": {
            "core": {"max_templated_field_length": 40960000},
            "celery_broker_transport_options": {"visibility_timeout": 1209600},
            "logging": {"colored_console_log": None},
        },
    }
    assert found(users) == []
    values = with_helm_values(airflow_values(samples.release_inputs(executor=Executor.CELERY)), users)
    cfg = rendering.airflow_cfg(rendering.objects(values))
    assert "max_templated_field_length = 40960000\n" in cfg
    assert "visibility_timeout = 1209600\n" in cfg
    assert "colored_console_log" not in cfg


@each(
    "users",
    [
        {"securityContexts": None},
        {"config": {"logging": {"colored_console_log": None}}},
        {"triggerer": {"strategy": None}},
        {"statsd": {"resources": None}},
    ],
)
def test_null_deletes_a_default(users: dict[str, Any]) -> None:
    assert found(users) == []


@each("path", ["executor", "workers.celery.replicas", "data.metadataSecretName", "fernetKeySecretName"])
def test_null_deletes_nothing_of_the_program(path: str) -> None:
    [refused] = found(nested(path, None))
    assert "is set by the program" in refused


@rendering.needs_chart
def test_null_takes_away_what_only_the_program_sets() -> None:
    """Helm would keep a null without a default of the chart, and the chart's schema refuses it."""
    users = {
        "config": {"core": {"parallelism": None}, "workers": {"execution_api_retries": None}},
        "scheduler": {"startupProbe": {"failureThreshold": None}, "strategy": None},
    }
    assert found(users) == []
    values = with_helm_values(airflow_values(samples.release_inputs(size=SizePreset.SMALL)), users)
    assert "execution_api_retries" not in values["config"]["workers"]
    assert at(values, "scheduler.startupProbe") == {"failureThreshold": None}, "the chart has one"
    assert "execution_api_retries" not in rendering.airflow_cfg(rendering.objects(values))


# Other systems


def test_secrets_backend_that_the_api_server_may_not_reach_is_refused_with_its_port() -> None:
    """The tasks' connections come through the API server. Nothing would say why they are not found."""
    for url, port in (("https://vault.example.com:8200", 8200), ("http://vault.vault.svc", 80)):
        kwargs = json.dumps({"url": url, "auth_type": "kubernetes"})
        for values in (
            {"config": {"secrets": {"backend_kwargs": kwargs}}},
            in_env("AIRFLOW__SECRETS__BACKEND_KWARGS", kwargs, "apiServer.env"),
        ):
            [refused] = found(values, ISOLATED)
            assert (
                f"may not send to port {port}; open TCP port {port} to all components in airflow:extraEgress" in refused
            )
            assert found(values, replace(ISOLATED, api_server_may_send=port.__eq__)) == []
            assert found(values) == []
    for kwargs in ("{}", '{"url": "https://vault.example.com"}', '{"url": "https://x:port"}'):
        values = {"config": {"secrets": {"backend_kwargs": kwargs}}}
        assert found(values, replace(ISOLATED, api_server_may_send=(443).__eq__)) == []


def test_ldap_server_and_lineage_behind_a_closed_port_are_refused_with_it() -> None:
    ldap = "from flask_appbuilder.const import AUTH_LDAP\nAUTH_TYPE = AUTH_LDAP\nAUTH_LDAP_SERVER = '{}'\n"
    for server, port in (("ldaps://ldap.example.com", 636), ("ldap://ldap.example.com:3389", 3389)):
        values = {"apiServer": {"apiServerConfig": ldap.format(server)}}
        [refused] = found(values, ISOLATED)
        assert f"may not send to port {port}; open TCP port {port} to api-server in airflow:extraEgress" in refused
        assert found(values, replace(ISOLATED, api_server_may_send=port.__eq__)) == []
    lineage = {"config": {"openlineage": {"transport": '{"type": "http", "url": "http://marquez:5000"}'}}}
    [refused] = found(lineage, replace(ISOLATED, api_server_may_send=(5000).__eq__))
    assert "open TCP port 5000 to all components in airflow:extraEgress" in refused
    assert found(lineage, replace(ISOLATED, may_send=lambda protocol, port: (protocol, port) == ("TCP", 5000))) == []


# Switches


def test_value_of_what_is_switched_off_is_refused_with_its_switch() -> None:
    for path in ("elasticsearch.connection.host", "dags.persistence.size", "kerberos.configPath", "cleanup.schedule"):
        root = path.split(".")[0] if path != "dags.persistence.size" else "dags.persistence"
        [refused] = found(nested(path, "x"))
        assert refused.startswith(f"{path} has no effect while {root}.enabled is false")
        assert found(merged(nested(path, "x"), nested(f"{root}.enabled", True))) == [], "the way"
    [refused] = found({"scheduler": {"logGroomerSidecar": {"enabled": False, "retentionDays": 7}}})
    assert refused.startswith("scheduler.logGroomerSidecar.retentionDays has no effect while")
    budget = {"scheduler": {"podDisruptionBudget": {"config": {"minAvailable": 1}}}}
    assert found(budget) == [], "the program's switch"
    [refused] = found(budget, Surroundings(without_budget=frozenset({"scheduler"})))
    assert refused.startswith("scheduler.podDisruptionBudget.config.minAvailable has no effect while")


# Values of no use here


@each(
    "option",
    [
        "celery.worker_autoscale",
        "celery.worker_concurrency",
        "dag_processor.dag_bundle_config_list",
        "logging.base_log_folder",
        "logging.worker_log_server_port",
        "api.port",
        "kubernetes_executor.pod_template_file",
    ],
)
def test_option_of_the_program_is_refused_as_a_variable_too(option: str) -> None:
    [told] = found(nested(f"config.{option}", "x"))
    instead = told.partition("; ")[2]
    name = f"AIRFLOW__{option.replace('.', '__')}".upper()
    for place in (in_env(name), in_env(f"{name}_CMD", path="workers.celery.env"), {"extraEnv": f"- name: {name}\n"}):
        [told] = found(place)
        assert told.endswith(f"the program does; {instead}")


def test_default_queue_is_read_from_config_and_a_set_has_its_own_number_of_tasks() -> None:
    [told] = found(in_env("AIRFLOW__OPERATORS__DEFAULT_QUEUE", "gpu"))
    assert told.endswith("use config.operators.default_queue")
    assert found(nested("config.operators.default_queue", "gpu")) == []
    for name in ("WORKER_CONCURRENCY", "WORKER_AUTOSCALE"):
        own = [{"name": "gpu", "env": [{"name": f"AIRFLOW__CELERY__{name}", "value": "1"}]}]
        assert found(nested("workers.celery.sets", own)) == []


def test_number_of_tasks_of_a_default_worker_is_said_in_one_place() -> None:
    """KEDA divides by it, and requests and limits are multiples of it."""
    start = "exec airflow celery worker"
    for flag, end in (
        ("--autoscale", "--autoscale 32,4"),
        ("--concurrency", "-D --concurrency=32"),
        ("-c", "-c 32"),
        ("-a", "-a 32,4"),
    ):
        for words in (["bash", "-c", f"{start} {end}"], [*start.split(), *end.split()]):
            [told] = found(nested("workers.celery.args", words))
            assert told.startswith(f"workers.celery.args has {flag}; use airflow:workerConcurrency")
    for words in (
        ["bash", "-c", start],
        ["bash", "-c", f"{start}; bash -c x"],
        [*start.split(), "--umask=1"],
    ):
        assert found(nested("workers.celery.args", words)) == []


def test_no_pod_with_tasks_may_be_evicted() -> None:
    evict = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}
    for values in (
        {"airflowPodAnnotations": evict},
        {"triggerer": {"podAnnotations": evict}},
        {"workers": {"celery": {"podAnnotations": evict}}},
        {"workers": {"celery": {"sets": [{"name": "gpu", "podAnnotations": evict}]}}},
    ):
        [told] = found(values)
        assert "is set by the program; leave it out, because an eviction must not" in told
    assert found({"apiServer": {"podAnnotations": evict}}) == []


@each(
    "values, surroundings, says",
    [
        ({"priorityClasses": [{"name": "a", "preemptionPolicy": "Never", "value": 1}]}, {}, "make them with kubectl"),
        ({"env": [{"name": "A", "valueFrom": {}}]}, {}, "use extraEnv, or env of the components"),
        ({"redis": {"service": {"type": "LoadBalancer"}}}, {}, "nothing outside the stack may use its Redis"),
        ({"redis": {"service": {"type": "ClusterIP"}}}, {}, None),
        ({"ingress": {"flower": {"enabled": True}}}, {}, "has no effect without flower.enabled"),
        (nested("workers.celery.updateStrategy.type", "OnDelete"), {"stateful_workers": False}, "are a Deployment"),
        (nested("workers.celery.updateStrategy.type", "OnDelete"), {"stateful_workers": True}, None),
        (nested("workers.celery.podManagementPolicy", "Parallel"), {"stateful_workers": False}, "are a Deployment"),
        (nested("workers.celery.strategy.type", "Recreate"), {"stateful_workers": True}, "are a StatefulSet"),
        (nested("workers.celery.strategy.type", "Recreate"), {"stateful_workers": False}, None),
        (SEARCH, {"isolated": True}, "open TCP port 9200 to api-server in airflow:extraEgress"),
        (SEARCH, {"isolated": True, "api_server_may_send": lambda port: port == 9200}, None),
        (SEARCH, {"isolated": True, "api_server_may_send": lambda port: port == 443}, "TCP port 9200"),
        (SEARCH, {}, None),
        (nested("ingress.statsd.enabled", True), {"isolated": True}, "in airflow:metricsNamespaces"),
        (nested("ingress.statsd.enabled", True), {"isolated": True, "metrics_readable": True}, None),
        *(
            (nested(f"{name}.enabled", False), {}, "to pause, use airflow:running")
            for name in ("scheduler", "apiServer")
        ),
        (nested("triggerer.enabled", False), {}, None),
        (nested("dagProcessor.enabled", True), {}, None),
        (nested("config.core.dags_folder", "/x"), {"dags_fetched": True}, "use airflow:dagsSubPath"),
        (in_env("AIRFLOW__CORE__DAGS_FOLDER", "/x"), {"dags_fetched": True}, "use airflow:dagsSubPath"),
        (nested("config.core.dags_folder", "/x"), {}, None),
        (nested("config.metrics.statsd_port", 8125), {}, "listens at port 9125 only"),
        (nested("config.metrics.statsd_port", 9125), {}, None),
        (nested("config.metrics", {"statsd_port": 8125, "statsd_host": "datadog.monitoring.svc"}), {}, None),
        (nested("apiServer.service.type", "NodePort"), {"protected": True, "ingress": True}, None),
        (nested("apiServer.service.type", "NodePort"), {"protected": True}, "over plain HTTP"),
        (nested("apiServer.service.type", "LoadBalancer"), {"protected": True, "ingress": True}, "over plain HTTP"),
        (in_env("PGSSLCERT", "/x"), {"client_certificate": True}, "use one of the two"),
        (in_env("PGSSLCERT", "/x"), {}, None),
        *(
            (nested("apiServer.service", {"type": "LoadBalancer", "annotations": wrong}), {"protected": True}, "HTTP")
            for wrong in ([1], 1, {1: "x"})
        ),
        (nested("config.core.default_timezone", "utc\n[database]\nx = y"), {}, "write it in one"),
        (nested("config.logging.remote_task_handler_kwargs", "{}\n"), {}, None),
        (nested("dags.persistence.enabled", True), {"dags_fetched": True}, "use airflow:dagsDelivery image with it"),
        (nested("dags.persistence.enabled", True), {}, None),
        *(
            (nested("config.celery_broker_transport_options.visibility_timeout", seconds), GRACE, says)
            for seconds, says in ((60, "at least airflow:workerGraceSeconds, 600"), ("7200", None), (600, None))
        ),
        (in_env("AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT", "60"), GRACE, "started a second time"),
        (PIP, {"isolated": True}, "use an image with the packages"),
        (PIP, {}, None),
    ],
)
def test_value_of_no_use_is_refused_with_what_to_do(
    values: dict[str, Any], surroundings: dict[str, Any], says: str | None
) -> None:
    told = found(values, Surroundings(**surroundings))
    assert len(told) == (says is not None), told
    assert says is None or says in told[0]


def test_path_of_the_api_server_is_given_where_workers_learn_it() -> None:
    name, url = "AIRFLOW__API__BASE_URL", "https://tools.test/airflow"
    for values in (
        in_env(name, url),
        in_env(name, url, "apiServer.env"),
        {"extraEnv": f"- name: {name}\n  value: {url}\n"},
    ):
        [refused] = found(values)
        assert refused.endswith("the chart tells workers only the path of config.api.base_url; use that")
    for values in (in_env(name, "https://tools.test/"), {"config": {"api": {"base_url": url}}}):
        assert found(values) == []


def test_text_of_variables_is_judged_as_the_list_is() -> None:
    certificate = replace(ISOLATED, isolated=False, client_certificate=True)
    behind = replace(ISOLATED, isolated=False, ingress=True)
    for name, surroundings in (
        ("_PIP_ADDITIONAL_REQUIREMENTS", ISOLATED),
        ("PGSSLCERT", certificate),
        ("FORWARDED_ALLOW_IPS", behind),
    ):
        text = {"extraEnv": f"- name: {name}\n  value: x\n"}
        listed, written = found(in_env(name, "x"), surroundings), found(text, surroundings)
        assert len(listed) == len(written) == 1, name
        assert written[0].startswith("extraEnv may not set ")


def test_service_of_the_api_server_may_have_more_ports_of_its_pods() -> None:
    path = "apiServer.service.ports"
    own: dict[str, Any] = {"name": "api-server", "port": 8080, "targetPort": "api-server"}
    for right in (
        [{**own, "nodePort": 30080}],
        [{"name": "api-server", "port": "{{ .Values.ports.apiServer }}"}, {**own, "name": "https", "port": 443}],
        [own, {"name": "web", "port": 80, "targetPort": 8080}],
    ):
        assert found(nested(path, right)) == [], right
    [missing] = found(nested(path, [{**own, "port": 443}]))
    assert "by which workers call the API server, found none; add {name: api-server, port: 8080" in missing
    [other] = found(nested(path, [own, {"name": "sidecar", "port": 9080, "targetPort": 8888}]))
    assert other.endswith("set targetPort api-server for each")
    [behind] = found(nested(path, [own]), replace(ISOLATED, isolated=False, ingress=True))
    assert behind == f"{path} is set by the program where there is an Ingress; leave it out"


def test_image_beside_airflow_s_may_come_from_elsewhere() -> None:
    own = airflow_values(samples.release_inputs())
    for name in CHART_IMAGES:
        image = {"repository": "registry.test/hardened/image", "tag": "1.2.3"}
        values = nested(f"images.{name}", image)
        collects = {"otelCollector": {"tracesEnabled": True}} if name == "otelCollector" else {}
        assert found(merged(values, collects)) == [], name
        assert at(with_helm_values(own, values), f"images.{name}")["repository"] == image["repository"]
        [refused] = found(nested(f"images.{name}.pullPolicy", "Always"))
        assert "airflow:imagePullPolicy" in refused
    [refused] = found(nested("images.airflow.repository", "registry.test/airflow"))
    assert "airflow:imageTag" in refused


# DAGs


def test_volume_of_dags_is_for_pods_of_several_nodes() -> None:
    several = Surroundings(several_nodes=True)
    for mode in ({}, {"accessMode": "ReadWriteOnce"}, {"accessMode": "ReadWriteOncePod", "size": "5Gi"}):
        users = nested("dags.persistence", {"enabled": True, **mode})
        [told] = found(users, several)
        assert told.startswith("dags.persistence.accessMode: expected ReadWriteMany")
        assert found(users) == [], "one node can mount it"
    for way in ({"accessMode": "ReadWriteMany", "storageClassName": "efs"}, {"existingClaim": "dags"}):
        assert found(nested("dags.persistence", {"enabled": True, **way}), several) == []


def test_bundles_of_another_kind_need_dags_that_nothing_fetches() -> None:
    for kind in ("amazon.aws.bundles.s3.S3DagBundle", "google.cloud.bundles.gcs.GCSDagBundle"):
        bundles = [{"name": "team", "classpath": f"airflow.providers.{kind}", "kwargs": {"bucket_name": "dags"}}]
        users = nested("dagProcessor.dagBundleConfigList", bundles)
        [told] = found(users, Surroundings(dags_fetched=True))
        assert "use airflow:dagBundles for Git repositories, or airflow:dagsDelivery image" in told
        assert found(users) == [], "the way"
        config = samples.dev().with_({"dagsSubPath": "", "dagsDelivery": "image", "helmValues": users})
        assert config.problems() == ()
    [told] = found(nested("dagProcessor.dagBundleConfigList", None), Surroundings(dags_fetched=True))
    assert "is set by the program" in told


# Names


def test_name_of_a_config_map_of_the_chart_is_refused() -> None:
    for name in ("airflow-config", "{{ .Release.Name }}-statsd"):
        [told] = found({"extraConfigMaps": {name: {"data": "a: b"}}})
        assert told == f"extraConfigMaps.{name} is the name of a ConfigMap of the chart; give yours another name"
    assert found({"extraConfigMaps": {"{{ .Release.Name }}-team": {"data": "a: b"}}}) == []


def test_statsd_of_another_place_is_refused_wherever_its_address_comes_from() -> None:
    """Datadog's agent is on the node, whose address Kubernetes writes into a variable."""
    source = {"fieldRef": {"fieldPath": "status.hostIP"}}
    text = "- name: AIRFLOW__METRICS__STATSD_HOST\n  valueFrom:\n    fieldRef:\n      fieldPath: status.hostIP\n"
    for values in (
        {"extraEnv": text},
        {"scheduler": {"env": [{"name": "AIRFLOW__METRICS__STATSD_HOST", "valueFrom": source}]}},
    ):
        [told] = found(values, ISOLATED)
        assert "open UDP port 9125 of the other system to all components in airflow:extraEgress" in told
        assert found(values, replace(ISOLATED, may_send=lambda *_: True)) == [], "the way"
        assert found(values) == []


def test_role_that_everybody_would_have_is_refused_where_the_stack_is_protected() -> None:
    protected = Surroundings(protected=True)
    for values in (
        {"apiServer": {"apiServerConfig": "AUTH_TYPE = 1\nAUTH_ROLE_PUBLIC = 'Admin'\n"}},
        {"config": {"fab": {"auth_role_public": "Op"}}},
        {"apiServer": {"env": [{"name": "AIRFLOW__FAB__AUTH_ROLE_PUBLIC", "value": "Admin"}]}},
    ):
        [told] = found(values, protected)
        assert "to everybody without a login, pods that run tasks too; use Viewer" in told
        assert found(values) == []
    for text in ("# AUTH_ROLE_PUBLIC = 'Admin'", 'AUTH_ROLE_PUBLIC = "Viewer"', "AUTH_ROLE_PUBLIC = ''"):
        assert found({"apiServer": {"apiServerConfig": text}}, protected) == []


def test_autoscaler_of_the_api_server_needs_requests() -> None:
    none = Surroundings(with_requests=False)
    scaled = {"apiServer": {"hpa": {"enabled": True, "maxReplicaCount": 5}}}
    [told] = found(scaled, none)
    assert told.endswith("set apiServer.resources.requests.cpu beside it, or airflow:size")
    assert found(scaled) == []
    for more in (nested("apiServer.resources.requests.cpu", "500m"), nested("apiServer.hpa.metrics", [{"type": "x"}])):
        assert found(merged(scaled, more), none) == [], "the way"
    assert any("airflow:size" in text for text in samples.dev().with_({"helmValues": scaled}).problems())


def test_path_to_the_api_server_behind_those_of_the_ingress_is_refused() -> None:
    path = {"path": "/execution", "pathType": "Prefix", "servicePort": "api-server"}
    for service, told in (("airflow-api-server", 1), ("{{ .Release.Name }}-api-server", 1), ("team-docs", 0)):
        values = nested("ingress.apiServer.succeedingPaths", [{**path, "serviceName": service}])
        assert len(found(values, Surroundings(ingress=True))) == told, service


def test_proxy_options_of_fab_are_refused_where_it_believes_no_proxy() -> None:
    values = nested("config.fab.proxy_fix_x_for", 2)
    [told] = found(values, Surroundings(ingress=True))
    assert told.endswith("has no effect with airflow:ingressHost; use airflow:trustedProxyCidrs")
    assert found(values) == []


def test_git_sync_of_an_older_major_version_is_refused() -> None:
    for tag in ("v3.6.9", "3.4.0"):
        [told] = found(nested("images.gitSync.tag", tag))
        assert "expected git-sync 4, whose variables the chart and the program set" in told
        own = {"images": {"gitSync": {"tag": tag, "repository": "registry.example.com/own"}}}
        assert found(own) == [], "its numbers are the team's"
    assert found(nested("images.gitSync.tag", "v4.5.0")) == []


def test_bundle_that_airflow_cannot_read_is_refused() -> None:
    good = {"name": "a", "classpath": "airflow.providers.amazon.aws.bundles.s3.S3DagBundle", "kwargs": {}}

    def told(*bundles: Any) -> list[str]:
        return found(nested("dagProcessor.dagBundleConfigList", list(bundles)))

    assert told(good, {**good, "name": "b"}) == []
    for bad, says in (
        ([good, good], "1: expected a name of its own, found that of another bundle; give it another"),
        ([{**good, "kwargs": None}], "0: expected an entry kwargs, a map, found none; add it"),
        ([{"name": "a", "kwargs": {}}], "0: expected an entry classpath, a text, found none; add it"),
    ):
        assert told(*bad) == [f"dagProcessor.dagBundleConfigList.{says}"]


def test_sidecar_of_a_mesh_that_may_not_reach_its_control_plane_is_refused() -> None:
    for name, asking, told in (
        ("sidecar.istio.io/inject", "true", "open TCP port 15012 to all components in airflow:extraEgress"),
        ("linkerd.io/inject", "enabled", "open TCP port 8080 and 8086 and 8090 to all components"),
    ):
        for place in ("airflowPodAnnotations", "labels"):
            [text] = found({place: {name: asking}}, ISOLATED)
            assert "the program's Jobs would get a sidecar" in text
            assert text.endswith("use podAnnotations of the components")
        values = {"apiServer": {"podAnnotations": {name: asking}}}
        [text] = found(values, ISOLATED)
        assert told in text
        assert found(values, replace(ISOLATED, may_send=lambda *_: True)) == [], "the way"
        assert found(values) == []
        assert found({"airflowPodAnnotations": {name: "false"}}, ISOLATED) == []
