"""Which packages the config needs in the Airflow image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from components.chart_values.executor import Executor
from components.chart_values.value_paths import nested
from components.kube.secret import Secret
from components.login.oidc import Oidc
from components.platform_image import image_needs
from components.task_logs.store import LogPlace, TaskLogStore
from tests import samples

ARGS: Final = samples.platform_args(executor=Executor.KUBERNETES)
LOGS: Final = ARGS.task_logs


def needed(**changes: Any) -> dict[str, str]:
    """Key by package, without the prefix of providers."""
    needs = image_needs(replace(ARGS, **changes))
    return {need.package.removeprefix("apache-airflow-providers-"): need.key for need in needs}


def test_each_executor_needs_its_provider() -> None:
    common = {"fab": "airflow:imageTag"}
    kubernetes, celery = {"cncf-kubernetes": "airflow:executor"}, {"celery": "airflow:executor"}
    assert needed() == {**common, **kubernetes}
    assert needed(executor=Executor.CELERY) == {**common, **celery}
    assert needed(executor=Executor.CELERY_AND_KUBERNETES) == {**common, **celery, **kubernetes}


def test_task_logs_need_the_provider_of_their_place() -> None:
    logs = {"amazon": "airflow:taskLogs"}
    assert logs.items() <= needed(task_logs=replace(LOGS, store=TaskLogStore.S3)).items()
    for url, provider in (
        ("s3://bucket/logs", "amazon"),
        ("gs://bucket/logs", "google"),
        ("wasb://container/logs", "microsoft-azure"),
    ):
        place = LogPlace(url=url)
        found = needed(task_logs=replace(LOGS, store=TaskLogStore.REMOTE, place=place))
        assert found.keys() - needed().keys() == {provider}


def test_sentry_needs_its_sdk_without_which_tasks_and_dag_processor_fail() -> None:
    option = "airflow:helmValues config.sentry.sentry_on"
    for value in ("True", True, "1"):
        assert needed(helm_values=nested("config.sentry.sentry_on", value))["sentry-sdk"] == option
    variable = [{"name": "AIRFLOW__SENTRY__SENTRY_ON", "value": "true"}]
    assert needed(helm_values={"workers": {"kubernetes": {"env": variable}}})["sentry-sdk"].endswith("kubernetes.env")
    for off in ({}, nested("config.sentry.sentry_on", "False"), nested("config.sentry.sentry_dsn", "http://a@b/1")):
        assert "sentry-sdk" not in needed(helm_values=off)


def test_secrets_of_aws_and_single_sign_on_need_a_package_each() -> None:
    oidc = Oidc(
        issuer="https://login.example.com",
        client_id="airflow",
        client_secret=Secret("sentinel"),
        groups_claim="groups",
        roles={},
        default_role="Viewer",
        scopes="openid",
    )
    found = needed(secrets_prefix="airflow-secrets/prod", oidc=oidc)
    assert found["amazon"] == "airflow:secretsManagerPrefix"
    assert found["authlib"] == "airflow:oidcIssuer"
    for need in image_needs(replace(ARGS, oidc=oidc)):
        assert "{" not in need.instead.format(stack="dev")
