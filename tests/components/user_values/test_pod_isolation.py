"""What Helm values may not take from a pod's isolation, wherever they say it."""

from __future__ import annotations

from typing import Any, Final

from components.aws.pod_identity import ROLE_ANNOTATION
from components.chart_values.chart_defaults import chart_schema, chart_values
from components.chart_values.value_paths import nested
from components.kube.own_secrets import OWN_SECRET
from components.user_values.pod_isolation import READ_LOGS, RUN_TASKS
from components.user_values.surroundings import Surroundings
from components.user_values.user_values import problems
from tests.cases import each

WITH_ROLE: Final = (*READ_LOGS, *RUN_TASKS)
DAG_CODE: Final = ("workers.celery", "workers.kubernetes", "dagProcessor", "triggerer")


def found(helm_values: dict[str, Any], **surroundings: Any) -> list[str]:
    mounted = frozenset({"a", "b"})
    return problems(helm_values, chart_values(), chart_schema(), Surroundings(mounted=mounted, **surroundings))


def in_set(**values: Any) -> dict[str, Any]:
    return {"workers": {"celery": {"sets": [{"name": "gpu", **values}]}}}


# Secrets of the stack

OWN: Final = ("airflow-keys-fernet-key-1a2b3c4d", "airflow-database-metadata-0f0f0f0f", "airflow-git-token-12345678")


def places_of(name: str) -> list[dict[str, Any]]:
    """Values that refer to a Secret, in each of the ways that the chart has."""
    key = {"secretKeyRef": {"name": name, "key": "connection"}}
    places: list[dict[str, Any]] = [
        {"secret": [{"envName": "A", "secretName": name, "secretKey": "b"}]},
        {"extraEnv": f"- name: A\n  valueFrom:\n    secretKeyRef: {{name: {name}, key: b}}\n"},
        {"extraEnvFrom": f"- secretRef: {{name: '{name}'}}\n"},
        {"volumes": [{"name": "a", "secret": {"secretName": name}}]},
        {"podTemplate": f"spec:\n  volumes:\n  - secret: {{secretName: {name}}}\n"},
        in_set(env=[{"name": "A", "valueFrom": key}]),
        in_set(extraVolumes=[{"name": "a", "secret": {"secretName": name}}]),
    ]
    for component in (*DAG_CODE, "scheduler"):
        places += [
            nested(f"{component}.env", [{"name": "A", "valueFrom": key}]),
            nested(f"{component}.extraVolumes", [{"name": "a", "secret": {"secretName": name}}]),
            nested(
                f"{component}.extraVolumes", [{"name": "a", "projected": {"sources": [{"secret": {"name": name}}]}}]
            ),
            nested(f"{component}.extraContainers", [{"name": "a", "envFrom": [{"secretRef": {"name": name}}]}]),
        ]
    return places


@each("name", OWN)
def test_reference_to_an_own_secret_is_refused_wherever_it_is(name: str) -> None:
    for place in places_of(name):
        refused = found(place)
        assert len(refused) == 1, (place, refused)
        assert "refers to a Secret of the stack itself; use a Secret of your own" in refused[0]


def test_reference_to_a_secret_with_a_key_of_the_team_is_refused_as_well() -> None:
    for place in places_of("team-fernet"):
        [refused] = found(place, held_secrets=dict.fromkeys(("team-api", "team-fernet"), "airflow:keySecrets"))
        assert "refers to a Secret of airflow:keySecrets; use another Secret" in refused
        others = found(place, held_secrets={"team": "a", "team-fernet-2": "b"})
        assert not [problem for problem in others if "refers to a Secret" in problem]
    assert found({"labels": {"team": "team-fernet"}}, held_secrets={"team-fernet": "a"}) == []


@each(
    "text",
    [
        "{{ .Values.data.metadataSecretName }}",
        "{{ .Values.fernetKeySecretName }}",
        '{{ include "airflow_metadata_secret" . }}',
        '{{ template "fernet_key_secret" . }}',
        "{{ .Values.pgbouncer.configSecretName }}",
    ],
)
def test_template_that_finds_an_own_secret_is_refused(text: str) -> None:
    for place in (
        {"extraEnv": text},
        {"workers": {"celery": {"extraVolumes": [{"name": text}]}}},
        {"podTemplate": text},
    ):
        assert any("Secret of the stack itself" in problem for problem in found(place)), place


@each(
    "text",
    [
        '{{ (lookup "v1" "Secret" .Release.Namespace "x").data }}',
        '{{ (lookup "v1" `Secret` "kube-system" "x").data }}',
        '{{ (lookup "v1" (print "Sec" "ret") "kube-system" "x").data }}',
        '{{- $kind := "Secret" }}{{ (lookup "v1" $kind "kube-system" "x").data }}',
        '{{ range (lookup "v1" "ConfigMap" "" "").items }}{{ .data }}{{ end }}',
        '{{ print "}}" `}}` (lookup "v1" "Secret" "kube-system" "x") }}',
        '{{/* }} " */}}{{lookup "v1" "Secret" "kube-system" "x"}}',
        '{{ tpl (print "{{ look" "up `v1` `Secret` `kube-system` `x` }}") . }}',
        '{{ $text := print "{{ look" "up }}" }}{{ tpl (toYaml $text) . }}',
        '{{ $_ := set .Values "airflowLocalSettings" (print "{{ look" "up }}") }}',
        '{{ include "airflow.tplDict" (dict "values" (dict "a" (print "{{ look" "up }}")) "context" $) }}',
        """{{ include "airflow.tplDict" (fromYaml (print "{values: {a: '{{ look" "up }}'}}")) }}""",
        '{{ $_ := mergeOverwrite .Values (.Files.Get "x" | fromJson) }}',
    ],
)
def test_template_that_reads_the_cluster_is_refused_however_it_is_written(text: str) -> None:
    """Helm would copy any Secret of the cluster into what tasks read; without a cluster it renders nothing."""
    for place in (
        {"airflowLocalSettings": f"# {text}"},
        {"extraConfigMaps": {"a": {"data": text}}},
        {"extraConfigMaps": {text: {"data": "a: b"}}},
        {"workers": {"celery": {"podAnnotations": {"a": text}}}},
        {"podTemplate": text},
    ):
        assert any("could read the cluster by " in problem for problem in found(place)), place


def test_template_without_an_end_is_judged_at_once() -> None:
    assert found({"airflowLocalSettings": "# {{ " + '"a' * 501 + "/*" * 500}) == []


def test_word_that_is_in_no_template_is_accepted() -> None:
    assert found({"airflowLocalSettings": "lookup = {'tpl': 1}"}) == []
    assert found({"airflowLocalSettings": "# set {{ .Values.executor }}\na = dict(lookup=1)"}) == []
    assert found({"airflowLocalSettings": '# {{ "{{" }} set {{ "}}" }} {{ print "lookup" .Values.labels.set }}'}) == []
    assert found({"labels": {"team": "lookup"}}) == []
    of_values = "tpl (toYaml (.Values.workers.kubernetes.extraVolumes | default .Values.workers.extraVolumes)) ."
    assert found({"podTemplate": f"spec:\n  volumes:\n  {{{{- {of_values} | nindent 2 }}}}\n"}) == []


def test_own_secret_of_a_team_is_the_way() -> None:
    key = {"secretKeyRef": {"name": "team-warehouse", "key": "password"}}
    for place in (
        {"secret": [{"envName": "A", "secretName": "airflow-team", "secretKey": "b"}]},
        {"extraEnvFrom": "- secretRef: {name: airflow-proxy}\n"},
        {"workers": {"celery": {"env": [{"name": "A", "valueFrom": key}]}}},
        in_set(env=[{"name": "A", "valueFrom": key}], extraVolumes=[{"name": "a", "secret": {"secretName": "b"}}]),
    ):
        assert found(place) == []


def test_text_that_refers_to_nothing_may_be_called_like_an_own_secret() -> None:
    """The default prefix of connections in Google's Secret Manager is airflow-connections."""
    kwargs = '{"connections_prefix": "airflow-connections"}'
    for place in (
        {"config": {"secrets": {"backend_kwargs": kwargs}}},
        {"env": [{"name": "WAREHOUSE", "value": "airflow-database.example.com"}]},
        nested("scheduler.env", [{"name": "AIRFLOW__SECRETS__BACKEND_KWARGS", "value": kwargs}]),
    ):
        assert found(place) == []
    for place in (
        {"config": {"core": {"x": "{{ .Values.fernetKeySecretName }}"}}},
        {"annotations": {"value": "airflow-keys-fernet-key-1a2b3c4d"}},
    ):
        assert "refers to a Secret of the stack itself" in " ".join(found(place))


def test_names_are_told_from_a_team_s() -> None:
    names = ("airflow-team", "my-database", "airflow-databases", "airflow", "team-airflow-keys", "a.airflow-database")
    assert not any(OWN_SECRET.search(name) for name in names)


# Labels


def test_label_by_which_sets_are_told_apart_is_refused() -> None:
    [refused] = found(in_set(labels={"worker-set": "other"}))
    assert refused.startswith("workers.celery.sets[0].labels.worker-set is set by the chart")


@each("label", ["tier", "release", "component"])
def test_label_of_a_set_that_policies_select_is_refused(label: str) -> None:
    [refused] = found(in_set(labels={label: "scheduler", "team": "data"}))
    assert refused.startswith(f"workers.celery.sets[0].labels.{label} is set by the chart")
    assert found(in_set(labels={"team": "data", f"my-{label}": "x"})) == [], "the way"


def test_selectors_of_a_team_are_accepted() -> None:
    term = {"labelSelector": {"matchLabels": {"component": "worker"}}, "topologyKey": "zone"}
    spread = [{**term, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}]
    assert found({"workers": {"celery": {"topologySpreadConstraints": spread}}}) == []


# What the Pod Security Standard does not admit


@each(
    "value",
    [
        {"securityContexts": {"container": {"privileged": True}}},
        {"securityContexts": {"container": {"allowPrivilegeEscalation": True}}},
        {"securityContexts": {"pod": {"runAsUser": 0}}},
        {"securityContexts": {"pod": {"runAsNonRoot": False}}},
        {"extraVolumes": [{"name": "a", "hostPath": {"path": "/"}}]},
        {"extraContainers": [{"name": "a", "securityContext": {"privileged": True}}]},
        {"extraContainers": [{"name": "a", "ports": [{"hostPort": 80, "containerPort": 80}]}]},
    ],
)
def test_more_than_restricted_is_refused(value: dict[str, Any]) -> None:
    for place in (*(nested(component, value) for component in DAG_CODE), in_set(**value)):
        refused = found(place)
        assert len(refused) == 1, (place, refused)
        assert "Pod Security Standard restricted only" in refused[0]


def test_less_is_accepted() -> None:
    context = {"container": {"allowPrivilegeEscalation": False, "privileged": False}, "pod": {"runAsUser": 1000}}
    for component in DAG_CODE:
        volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "b"}}]
        assert found(nested(component, {"securityContexts": context, "extraVolumes": volumes})) == []


# Service accounts


@each("component", DAG_CODE)
def test_token_is_refused_where_code_of_dags_runs(component: str) -> None:
    path = f"{component}.serviceAccount.automountServiceAccountToken"
    [refused] = found(nested(path, True))
    assert refused.startswith(f"{path} is set by the program")
    assert found(nested(path, False)) == []


@each("component", DAG_CODE)
def test_mounted_token_is_refused_unless_it_is_for_another_service(component: str) -> None:
    def volume(**token: Any) -> dict[str, Any]:
        sources = [{"serviceAccountToken": {"path": "token", **token}}]
        return nested(f"{component}.extraVolumes", [{"name": "a", "projected": {"sources": sources}}])

    [refused] = found(volume())
    assert refused.endswith("is a token for the Kubernetes API; use an audience of another service")
    assert found(volume(audience="vault")) == []
    assert found(volume(audience="https://kubernetes.default.svc")) == [refused], "what the API itself takes"


@each("component", [*DAG_CODE, "scheduler", "apiServer", "redis", "statsd", "pgbouncer", "databaseCleanup"])
def test_foreign_account_is_refused_and_the_chart_s_own_is_annotated(component: str) -> None:
    account = component.replace("workers.kubernetes", "workers.celery")  # task pods run as the account of workers
    for key, value in (("name", "own"), ("create", False)):
        path = f"{component}.serviceAccount.{key}"
        [refused] = found(nested(path, value))
        assert refused.startswith(f"{path}: rights are bound to the chart's own service accounts")
        assert refused.endswith(f"use {account}.serviceAccount.annotations")
    assert found(nested(f"{account}.serviceAccount", {"annotations": {"a.b/c": "d"}})) == []
    if component != "workers.kubernetes":
        assert found(nested(f"{component}.serviceAccount.create", True)) == [], "as the chart does by itself"


@each("component", ["apiServer", "triggerer", "workers.celery", "workers.kubernetes"])
def test_other_role_is_refused_where_the_program_gives_one(component: str) -> None:
    users = nested(f"{component}.serviceAccount.annotations", {ROLE_ANNOTATION: "arn:aws:iam::1:role/x"})
    [refused] = found(users, with_role=WITH_ROLE)
    assert "would take the role that the program gives to these pods" in refused
    assert ("airflow:taskPolicyArns" in refused) is (component != "apiServer")
    if component == "workers.kubernetes":
        [idle] = found(users)
        assert idle.endswith("use workers.celery.serviceAccount.annotations"), "task pods run as that account"
    else:
        assert found(users) == [], "where the program gives no role it is the user's"


def test_other_role_of_other_components_is_the_user_s() -> None:
    for component in ("scheduler", "dagProcessor"):
        users = nested(f"{component}.serviceAccount.annotations", {ROLE_ANNOTATION: "arn:aws:iam::1:role/x"})
        assert found(users, with_role=WITH_ROLE) == []


# Templates of task pods

TEMPLATE: Final = """apiVersion: v1
kind: Pod
metadata:
  labels:
    tier: airflow
    component: worker
    release: {{ .Release.Name }}
spec:
  serviceAccountName: {{ include "worker.serviceAccountName" . }}
  automountServiceAccountToken: false
  containers:
    - name: base
      env:
        - name: AIRFLOW__CORE__EXECUTOR
          value: LocalExecutor
        {{- include "standard_airflow_environment" . | indent 8 }}
      securityContext: {allowPrivilegeEscalation: false}
"""


@each(
    "old,new",
    [
        ("value: LocalExecutor", "value: {{ .Values.executor | quote }}"),
        ("value: LocalExecutor", 'value: "LocalExecutor"'),
        ("    component: worker\n", ""),
        ("    component: worker\n", "    component: worker\n    my-component: web\n"),
        ("spec:\n", "spec:\n  affinity:\n    podAntiAffinity:\n      x: {matchLabels: {component: scheduler}}\n"),
        ('{{ include "worker.serviceAccountName" . }}', "airflow-worker"),
    ],
)
def test_template_like_the_chart_s_is_accepted(old: str, new: str) -> None:
    assert found({"podTemplate": TEMPLATE}) == []
    assert old in TEMPLATE
    assert found({"podTemplate": TEMPLATE.replace(old, new)}) == []


@each(
    "old,new,problem",
    [
        ("component: worker", "component: scheduler", "label of another component; use component: worker"),
        ("component: worker", 'component: "api-server"', "label of another component"),
        ("labels:", "labels: {component: api-server}", "label of another component"),
        ("tier: airflow", "tier: web", "use tier: airflow"),
        ("Token: false", "Token: true", "use automountServiceAccountToken: false"),
        ("Escalation: false", "Escalation: true", "Pod Security Standard restricted"),
        ("  containers:", "  hostNetwork: true\n  containers:", "Pod Security Standard restricted"),
        ("  containers:", "  volumes: [{name: a, hostPath: {path: /}}]\n  containers:", "use an emptyDir"),
        ('{{ include "worker.serviceAccountName" . }}', "airflow-scheduler", "use serviceAccountName: airflow-worker"),
        ("AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__FERNET_KEY", "may not set AIRFLOW__CORE__FERNET_KEY"),
        ("value: LocalExecutor", "value: CeleryExecutor", "may not set AIRFLOW__CORE__EXECUTOR"),
    ],
)
def test_template_that_undoes_isolation_is_refused(old: str, new: str, problem: str) -> None:
    assert old in TEMPLATE
    refused = found({"podTemplate": TEMPLATE.replace(old, new)})
    assert len(refused) == 1, refused
    assert problem in refused[0]


# Volumes of the stack's servers


@each("claim", ["airflow-postgres-data-1a2b3c4d", "airflow-backups-1a2b3c4d", "redis-db-airflow-redis-0"])
def test_volume_of_a_server_is_refused_wherever_it_is(claim: str) -> None:
    mounted = {"name": "a", "persistentVolumeClaim": {"claimName": claim}}
    source = {"kind": "PersistentVolumeClaim", "name": claim}
    copied = {"name": "a", "ephemeral": {"volumeClaimTemplate": {"spec": {"dataSource": source}}}}
    for place in (
        *({"volumes": [mounted]}, in_set(extraVolumes=[mounted]), in_set(extraVolumes=[copied])),
        *(nested(f"{component}.extraVolumes", [mounted]) for component in (*DAG_CODE, "scheduler")),
    ):
        [refused] = found(place)
        assert refused.endswith("is the volume of a server of the stack; use a claim of your own"), place
    template = f"spec:\n  volumes:\n  - persistentVolumeClaim: {{claimName: {claim}}}\n"
    assert "podTemplate" in found({"podTemplate": template})[0]


def test_claim_of_a_team_is_the_way() -> None:
    for claim in ("models", "airflow-models", "my-airflow-backups-1"):
        assert found({"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": claim}}]}) == []


def test_agent_of_vault_is_refused_where_it_finds_no_token() -> None:
    annotation = {"vault.hashicorp.com/agent-inject": "true"}
    for place in ("airflowPodAnnotations", *(f"{component}.podAnnotations" for component in DAG_CODE)):
        [told] = found(nested(place, annotation))
        assert told.endswith("use config.secrets.backend, or a Secret that Vault's operator writes")
    assert found(nested("apiServer.podAnnotations", annotation)) == []
