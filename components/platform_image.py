"""What the Airflow image must have, read from the arguments of the platform. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from components.chart_values.given_options import given_options
from components.platform_args import AirflowPlatformArgs
from components.preflight.image_packages import ImageNeed
from components.task_logs.store import TaskLogs, TaskLogStore

_PROVIDER: Final = "apache-airflow-providers-"
_OF_LOGS: Final = {"s3": "amazon", "gs": "google", "wasb": "microsoft-azure"}
"""The provider that reads and writes task logs, by the scheme of their URL."""
_SET: Final = "pulumi config set --stack {stack}"
_NO_OIDC: Final = "take the airflow:oidc… keys out of the config"
_SENTRY: Final = "config.sentry.sentry_on"
_YES: Final = ("true", "t", "1")
"""How Airflow reads that an option is on (`[section] option` as a boolean)."""
_UNSET: Final = "pulumi config rm --stack {stack}"


def image_needs(args: AirflowPlatformArgs) -> tuple[ImageNeed, ...]:
    """Return the packages that the config needs and that not every image of Airflow has."""
    return tuple(_needs(args))


def _needs(args: AirflowPlatformArgs) -> Iterator[ImageNeed]:
    # The images of Airflow whose tags begin with `slim` have none of these three.
    yield ImageNeed(package=f"{_PROVIDER}fab", key="airflow:imageTag", instead=f"{_SET} airflow:imageTag TAG")
    if args.executor.celery:
        yield _provider("celery", "airflow:executor", f"{_SET} airflow:executor KubernetesExecutor")
    if args.executor.kubernetes:
        yield _provider("cncf-kubernetes", "airflow:executor", f"{_SET} airflow:executor CeleryExecutor")
    logs = _log_provider(args.task_logs)
    if logs:
        yield _provider(logs, "airflow:taskLogs", f"{_SET} airflow:taskLogs volume")
    if args.secrets_prefix is not None:
        yield _provider("amazon", "airflow:secretsManagerPrefix", f"{_UNSET} airflow:secretsManagerPrefix")
    if args.oidc is not None:
        yield ImageNeed(package="authlib", key="airflow:oidcIssuer", instead=_NO_OIDC)
    for path, value in given_options(args.helm_values, _SENTRY):
        if str(value).strip().lower() in _YES:
            # The DAG processor and each task import it (3.2.2, sdk/execution_time/task_runner.py), and fail without it.
            key, instead = f"airflow:helmValues {path}", f"take {_SENTRY} out"
            yield ImageNeed(package="sentry-sdk", key=key, instead=instead)
            break


def _provider(name: str, key: str, instead: str) -> ImageNeed:
    return ImageNeed(package=f"{_PROVIDER}{name}", key=key, instead=instead)


def _log_provider(logs: TaskLogs) -> str:
    if logs.store is TaskLogStore.S3:
        return _OF_LOGS["s3"]
    return _OF_LOGS[logs.place.url.split(":", 1)[0]] if logs.place is not None else ""
