"""What the scheduled verification registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from components.verification.scheduled import ScheduledVerification, ScheduledVerificationArgs
from components.verification.verified import Verified
from tests.components.verification.test_pods import PODS

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

JOB: Final = "kubernetes:batch/v1:Job"
CRON_JOB: Final = "kubernetes:batch/v1:CronJob"


def made(record: Record, verified: Verified = PODS.verified) -> Recorder:
    args = ScheduledVerificationArgs(
        namespace="ns", pods=replace(PODS, verified=verified), secret="airflow-keys-verification"
    )
    return record(lambda: ScheduledVerification("airflow-verification", args))


def test_a_failure_is_seen_and_not_tried_again_at_once(record: Record) -> None:
    spec = made(record).one(CRON_JOB).inputs["spec"]
    job = spec["jobTemplate"]["spec"]
    assert (spec["concurrencyPolicy"], job["backoffLimit"]) == ("Forbid", 0)
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (1, 1)
    assert job["template"]["spec"]["containers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_user_exists_before_the_first_verification(record: Record) -> None:
    recorder = made(record)
    assert recorder.one(JOB).urn in recorder.one(CRON_JOB).request.dependencies


def test_another_dag_makes_another_job_of_the_user_and_another_image_does_not(record: Record) -> None:
    before, after = made(record), made(record, Verified(dag_id="other", every_minutes=10))
    assert before.one(JOB).inputs["spec"] != after.one(JOB).inputs["spec"]
    assert list(before.one(JOB).request.ignoreChanges) == ["spec.template.spec.containers[0].image"]


def test_password_is_in_a_secret_and_protects_nothing(record: Record) -> None:
    recorder = made(record)
    assert set(recorder.secret_data("airflow-keys-verification")) == {"password"}
    assert not any(found.request.protect for found in recorder.every())
