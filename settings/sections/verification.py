"""Whether a DAG is run again and again, to see that the deployment runs DAGs."""

from __future__ import annotations

from components.database import rds_settings
from components.task_logs.store import TaskLogStore
from components.texts import fields
from components.verification.verified import USERNAME, Verified
from settings.keys import Section
from settings.reading import Config
from settings.sections.cluster import AwsChoice
from settings.sections.keys import ADMIN_USERNAME
from settings.sections.task_logs import TASK_LOGS, log_store

SECTION = Section("Scheduled verification", "a DAG that runs by a schedule, in addition to python -m automation verify")

_LEAST, _MOST = 10, 60


def _dag_id(text: str) -> str:
    """Check what Airflow checks (airflow 3.2.2, utils/helpers.py, `validate_key`), without letters beyond ASCII."""
    return fields.matching(text, r"[A-Za-z0-9_.-]{1,250}", "the id of a DAG")


VERIFICATION_DAG = SECTION.optional(
    "verificationDag",
    _dag_id,
    description="Id of a DAG that a CronJob runs through Airflow's API. It must need no input and change nothing. If "
    "it "
    "fails, status and an alert say so.",
)
VERIFICATION_MINUTES = SECTION.integer(
    "verificationMinutes",
    _LEAST,
    _MOST,
    default=Verified.every_minutes,
    description="Minutes between two runs of verificationDag: 10, 12, 15, 20, 30 or 60.",
)
VERIFICATION_ALARM_TOPIC_ARN = SECTION.optional(
    "verificationAlarmTopicArn",
    rds_settings.topic_arn,
    description="SNS topic that a CloudWatch alarm tells if no log of verificationDag arrives in the bucket. Needs "
    "taskLogs s3.",
)


def read_verified(config: Config, aws: AwsChoice | None) -> Verified | None:
    """Return what is run by a schedule, None for nothing."""
    _check_topic(config, aws)
    dag_id, minutes = config[VERIFICATION_DAG], config[VERIFICATION_MINUTES]
    if _MOST % minutes:
        config.problem(
            VERIFICATION_MINUTES,
            f"expected 10, 12, 15, 20, 30 or 60, which divide an hour, found {minutes}",
            f"pulumi config set {VERIFICATION_MINUTES.full} {Verified.every_minutes}",
        )
    if dag_id is None:
        if minutes != Verified.every_minutes:
            config.must_not_be_set(VERIFICATION_MINUTES, f"without {VERIFICATION_DAG.full}")
        return None
    if config[ADMIN_USERNAME].lower() == USERNAME:
        config.problem(
            ADMIN_USERNAME,
            f"expected another name than {USERNAME}, which is the user of {VERIFICATION_DAG.full}",
            f"pulumi config set {ADMIN_USERNAME.full} admin",
        )
    return Verified(dag_id=dag_id, every_minutes=minutes, alarm_topic_arn=config[VERIFICATION_ALARM_TOPIC_ARN])


def _check_topic(config: Config, aws: AwsChoice | None) -> None:
    key = VERIFICATION_ALARM_TOPIC_ARN
    topic = config[key]
    if topic is None:
        return
    if config[VERIFICATION_DAG] is None and not config.bad(VERIFICATION_DAG):
        config.must_not_be_set(key, f"without {VERIFICATION_DAG.full}")
    if log_store(config) is not TaskLogStore.S3 and not config.bad(TASK_LOGS):
        config.must_not_be_set(key, f"without {TASK_LOGS.full} s3: the alarm counts the logs in that bucket")
    if aws and aws.region:
        problem = rds_settings.topic_region_problem(topic, aws.region, "the bucket")
        if problem is not None:
            config.problem(key, problem)
