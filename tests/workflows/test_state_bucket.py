"""Which places of the states of temporary stacks `.github/scripts/state_bucket.py` takes from the caller's variable."""

from __future__ import annotations

import pytest

from tests.workflows.conftest import load
from tests.workflows.test_workflows import jobs

state_bucket = load("state_bucket")

SENTINEL = "sentinel-password"


def test_a_bucket_is_taken_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    for url in ("s3://example-temporary", "s3://example.temporary/states", "s3://example-temporary/a/b-c/"):
        assert state_bucket.main({"PULUMI_BACKEND_URL": url}) == 0, url
    for url in (
        "",
        f"s3://example-temporary?endpoint=attacker.example&x={SENTINEL}",
        "s3://example-temporary?region=eu-central-1",
        "s3://example-temporary#?endpoint=attacker.example",
        "s3://example-temporary\n?endpoint=attacker.example",
        "s3://example-temporary\n",
        "s3://example-temporary%3Fendpoint=attacker.example",
        "S3://example-temporary",
        f"s3://user:{SENTINEL}@attacker.example",
        f"postgres://user:{SENTINEL}@attacker.example/states",
        "https://attacker.example",
        "file:///tmp/states",
        "gs://attacker",
        "azblob://states?storage_account=attacker",
        "-s3://example-temporary",
    ):
        assert state_bucket.main({"PULUMI_BACKEND_URL": url}) == 1, url
        error = capsys.readouterr().err
        assert error.startswith("TEMPORARY_BACKEND_URL: expected a bucket")
        assert SENTINEL not in error
    assert state_bucket.main({}) == 1


def test_it_is_asked_before_anything_else_has_the_address() -> None:
    job = jobs("pull-request-stack")["stack"]
    runs = [str(step.get("run") or step["uses"]) for step in job["steps"]]
    place = runs.index("python3 .github/scripts/state_bucket.py")
    assert "PULUMI_BACKEND_URL" in job["env"]
    assert all(run.startswith("actions/") for run in runs[:place])
