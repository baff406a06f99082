"""Variables that nothing reads, that are given twice, or that cut pods off, and what works instead."""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.value_paths import nested
from components.user_values.surroundings import Surroundings
from components.user_values.user_values import problems
from tests import samples
from tests.cases import each

CELERY: Final = Surroundings(switched_off={"workers.kubernetes": "x"})
PROXY: Final = "http://proxy:3128"


def found(helm_values: dict[str, Any], surroundings: Surroundings = CELERY) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema(), surroundings)


def env(path: str = "env", **variables: str | None) -> dict[str, Any]:
    return nested(path, [{"name": name, "value": value} for name, value in variables.items()])


def in_set(**variables: str) -> dict[str, Any]:
    return {"workers": {"celery": {"sets": [{"name": "gpu", "queue": "gpu", **env(**variables)}]}}}


@each(
    ("name", "says"),
    [
        ("AIRFLOW_VAR_foo", "which Airflow does not read; use AIRFLOW_VAR_FOO"),
        ("AIRFLOW_CONN_my_db", "which Airflow does not read; use AIRFLOW_CONN_MY_DB"),
        ("AIRFLOW_HOME", "leave it out"),
        ("DUMB_INIT_SETSID", "a worker that stops would end its tasks at once; leave it out"),
        ("AIRFLOW_CONFIG", "the chart writes airflow.cfg from config; use config"),
        ("_AIRFLOW_DB_MIGRATE", "the program migrates before the release; leave it out"),
        ("_AIRFLOW_WWW_USER_PASSWORD", "use airflow:adminUsername and airflow:adminPassword"),
        ("FOO ", "name a variable by letters, digits and _.- alone"),
        ("MY VAR", "name a variable by letters, digits and _.- alone"),
    ],
)
def test_variable_that_does_no_good_is_refused_wherever_it_is_given(name: str, says: str) -> None:
    places: list[dict[str, Any]] = [
        env(**{name: "x"}),
        env("scheduler.env", **{name: "x"}),
        in_set(**{name: "x"}),
        {"secret": [{"envName": name, "secretName": "mine", "secretKey": "y"}]},
        {"extraEnv": f"- name: '{name}'\n  value: x\n"},
    ]
    for values in places:
        [told] = found(values)
        assert told.endswith(says), told


def test_variable_that_airflow_reads_is_accepted() -> None:
    for name in ("AIRFLOW_VAR_FOO", "AIRFLOW_CONN_MY_DB", "AIRFLOW_HOMES", "foo.bar-1", "PYTHONPATH"):
        assert found(env(**{name: "x"})) == []
    optional = {"name": "N", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "y", "optional": True}}}
    assert found(nested("scheduler.env", [optional])) == [], "the pod starts without it, as Kubernetes says"
    assert found({"extraEnvFrom": "- secretRef: {name: 'airflow-metadata-12345678'}"}) == [], "it is not the stack's"


def test_list_of_folders_that_nothing_completes_is_refused() -> None:
    """Kubernetes knows $(NAME) of a variable that it has itself, and none that the image has."""
    for value in ("/opt/oracle/bin:$PATH", "${PATH}:/x", "$(PATH):/usr/bin"):
        [told] = found(env(PATH=value))
        assert "which nothing replaces here; write all of it, such as /home/airflow/.local/bin:" in told
        [told] = found(env("scheduler.env", PYTHONPATH=value.replace("PATH", "PYTHONPATH")))
        assert told.endswith("which nothing replaces here; write the folders alone")
    [told] = found(env(PATH="/opt/oracle/bin"))
    assert "sets PATH without /usr/bin" in told
    whole = told.rpartition("such as ")[2]
    for right in (whole, f"/opt/oracle/bin:{whole}", "$(FOLDERS):/x", None):
        assert found(env(PATH=right)) == []
    assert found(env(PYTHONPATH="/opt/airflow/dags/repo", PATHS="$PATH")) == []


def test_home_of_root_is_refused_because_no_pod_runs_as_root() -> None:
    for path in ("env", "scheduler.env", "workers.celery.env"):
        for value in ("/root", "/root/airflow", "/"):
            [told] = found(env(path, HOME=value))
            assert told == (
                f"{path} sets HOME to {value}, where no pod may write: none runs as root; use /home/airflow, or leave "
                "it out"
            )
    for value in ("/home/airflow", "/tmp", "/opt/data/root", "$(FOLDER)"):
        assert found(env(HOME=value)) == []


def test_other_identity_in_aws_is_refused_where_pods_have_a_role() -> None:
    """AWS's SDKs ask for keys in variables first, and logs would go nowhere."""
    roles = Surroundings(with_role=("workers.celery", "workers.celery.sets", "apiServer"))
    key = {"secret": [{"envName": "AWS_ACCESS_KEY_ID", "secretName": "mine", "secretKey": "y"}]}
    for values in (
        env(AWS_ROLE_ARN="arn"),
        env("workers.celery.env", AWS_PROFILE="x"),
        in_set(AWS_PROFILE="x"),
        key,
        {"extraEnv": "- {name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /x}\n"},
    ):
        [told] = found(values, roles)
        assert (
            "which would take the place of the role that the program gives to pods; use airflow:taskPolicyArns" in told
        )
        assert found(values) == [], "the program gives none"
    assert found(env("scheduler.env", AWS_PROFILE="x"), roles) == []
    assert found(env(AWS_REGION="eu-central-1"), roles) == []


def test_variable_that_a_list_has_twice_is_refused() -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    [told] = found({"scheduler": {"env": twice}})
    assert told == "scheduler.env sets A twice, and an update may drop both; give it once"
    [told] = found({"extraEnv": "- {name: A, value: b}\n- {name: A, value: c}\n"})
    assert "sets A twice" in told
    assert found({"scheduler": {"env": twice[:1]}, "triggerer": {"env": twice[1:]}}) == []


def test_variable_that_two_lists_of_a_pod_have_is_refused_where_they_are_not_joined() -> None:
    secret = {"secret": [{"envName": "A", "secretName": "mine", "secretKey": "y"}]}
    for values, path, other in (
        ({**env(A="x"), **secret}, "env", "secret"),
        ({**env(A="x"), "extraEnv": "- {name: A, value: b}\n"}, "env", "extraEnv"),
        ({**env("scheduler.env", A="x"), **secret}, "scheduler.env", "secret"),
        ({**in_set(A="x"), **secret}, "workers.celery.sets[0].env", "secret"),
        ({**secret, "extraEnv": "- {name: A, value: b}\n"}, "secret", "extraEnv"),
    ):
        [told] = found(values)
        assert told == f"{path} sets A beside {other}, and an update may drop both; give it in one of the two"
    assert found(merged(env(A="x"), env("scheduler.env", A="y"))) == [], "these are"


def test_connection_that_the_config_has_too_is_refused() -> None:
    """Workers would have the one of the variable, and the API server the other."""
    config = samples.prod().with_({"helmValues": env(AIRFLOW_CONN_MYDB="x")})
    assert config.problems() == ()
    [told] = config.with_(secrets={"connections": '{"mydb": "postgres://h/d"}'}).problems()
    assert "env sets AIRFLOW_CONN_MYDB beside airflow:connections" in told


# Proxies


@each(
    "values",
    [
        env(HTTP_PROXY=PROXY),
        env(http_proxy=PROXY, NO_PROXY="10.0.0.0/8,.svc"),
        env(ALL_PROXY=PROXY),
        env("workers.celery.env", HTTP_PROXY=PROXY),
        in_set(HTTP_PROXY=PROXY),
        {"extraEnv": f"- {{name: HTTP_PROXY, value: '{PROXY}'}}\n"},
        env(HTTP_PROXY=PROXY, NO_PROXY="airflow-api-server", no_proxy="10.0.0.0/8"),
    ],
)
def test_proxy_between_workers_and_the_api_server_is_refused(values: dict[str, Any]) -> None:
    [told] = found(values)
    assert told.endswith("use NO_PROXY beside it, with airflow-api-server")
    path = told.partition(" ")[0]
    if path == "env":
        rest = [entry for entry in values["env"] if entry["name"].lower() != "no_proxy"]
        assert found({"env": [*rest, {"name": "NO_PROXY", "value": "airflow-api-server"}]}) == [], "the way"
    else:
        assert found(merged(values, env(NO_PROXY="10.0.0.0/8, airflow-api-server"))) == [], "the way"


def test_proxy_between_the_scheduler_and_kubernetes_is_refused() -> None:
    for path in ("env", "scheduler.env"):
        [told] = found(env(path, HTTPS_PROXY=PROXY), Surroundings())
        assert told.endswith("use NO_PROXY beside it, with $(KUBERNETES_SERVICE_HOST)")
        for way in ("$(KUBERNETES_SERVICE_HOST)", "10.0.0.0/8", "x,172.20.0.1", "*", "fd00::/8"):
            assert found(env(path, HTTPS_PROXY=PROXY, NO_PROXY=way), Surroundings()) == [], "the way"
    [told] = found(env(HTTP_PROXY=PROXY, HTTPS_PROXY=PROXY), Surroundings())
    assert told.endswith("with airflow-api-server and $(KUBERNETES_SERVICE_HOST)")


def test_proxy_that_cuts_nothing_off_is_accepted() -> None:
    for values in (
        env(HTTPS_PROXY=PROXY),
        env(HTTP_PROXY=""),
        env(HTTP_PROXY=PROXY, NO_PROXY="*"),
        env("dags.gitSync.env", HTTP_PROXY=PROXY),
        env("apiServer.env", HTTP_PROXY=PROXY),
    ):
        assert found(values) == []


def test_option_that_a_variable_of_every_pod_hides_is_refused() -> None:
    option = {"config": {"core": {"parallelism": 64}}}
    name = "AIRFLOW__CORE__PARALLELISM"
    for place, where in (
        (env(**{name: "8"}), "env"),
        ({"extraEnv": f"- name: {name}\n  value: '8'\n"}, "extraEnv"),
        ({"secret": [{"envName": name, "secretName": "mine", "secretKey": "y"}]}, "secret"),
    ):
        assert found(merged(option, place)) == [
            f"config.core.parallelism has no effect beside {name} in {where}, which wins; give one of the two"
        ]
    for right in (env("scheduler.env", **{name: "8"}), env(AIRFLOW__CORE__DEFAULT_TIMEZONE="utc")):
        assert found(merged(option, right)) == []


def test_lfs_is_refused_where_git_sync_has_none() -> None:
    users = {"dags": {"gitSync": {"env": [{"name": "GIT_LFS_SKIP_SMUDGE", "value": "0"}]}}}
    [told] = problems(users, chart_values(), chart_schema())
    assert told.endswith("git-sync has no git-lfs; use airflow:dagsDelivery image")
    image = {"images": {"gitSync": {"repository": "registry.example.com/git-sync-with-lfs"}}}
    assert problems({**users, **image}, chart_values(), chart_schema()) == []
