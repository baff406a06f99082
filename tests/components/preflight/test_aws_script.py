"""The script that tries AWS, against an S3 and a Secrets Manager in this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from components.preflight.in_image import aws

REGION: Final = "eu-west-1"


class Hook:
    """As much of the Amazon provider's hook as the script uses."""

    def __init__(self, aws_conn_id: str, config: Config | None = None) -> None:
        assert aws_conn_id == "aws_task_logs"
        self.config = config or Config()

    @staticmethod
    def parse_s3_url(url: str) -> tuple[str, str]:
        bucket, _, folder = url.removeprefix("s3://").partition("/")
        return bucket, folder

    def get_conn(self) -> Any:
        assert self.config.connect_timeout == 5
        return boto3.client("s3", config=self.config)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Mapping[str, str]]]:
    module = ModuleType("airflow.providers.amazon.aws.hooks.s3")
    vars(module)["S3Hook"] = Hook
    name = ""
    for part in module.__name__.split("."):
        name = f"{name}.{part}".lstrip(".")
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(aws, "ANSWER", str(tmp_path / "answer"))
    monkeypatch.setattr("time.sleep", lambda _: None)
    for variable, value in (
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_EC2_METADATA_SERVICE_NUM_ATTEMPTS", "1"),
    ):
        monkeypatch.setenv(variable, value)

    def run(steps: str = "write,read,secret", seconds: int = 0) -> Mapping[str, str]:
        aws.main(steps, str(seconds), "s3://bucket/logs", "aws_task_logs", "airflow/prod")
        found: Mapping[str, str] = json.loads((tmp_path / "answer").read_text())
        return found

    with mock_aws():
        yield run


def test_bucket_is_as_before_and_what_is_missing_is_no_error(answered: Callable[..., Mapping[str, str]]) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert answered() == {}
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket")
    assert not s3.list_multipart_uploads(Bucket="bucket").get("Uploads")


def test_bucket_that_is_not_there_is_told_with_its_code(answered: Callable[..., Mapping[str, str]]) -> None:
    found = answered()
    assert found["step"] == "write"
    assert found["error"].startswith("NoSuchBucket: ")


def test_refusal_is_tried_again_as_long_as_it_is_told(
    answered: Callable[..., Mapping[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "X")] * 2

    def step(said: Mapping[str, Any]) -> None:
        if refusals:
            raise refusals.pop()

    monkeypatch.setitem(aws.STEPS, "secret", step)
    assert answered(steps="secret")["error"].startswith("AccessDenied: ")
    assert answered(steps="secret", seconds=60) == {}


def test_pod_without_credentials_says_so_at_once(
    answered: Callable[..., Mapping[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def step(said: Mapping[str, Any]) -> None:
        tries.append(said)
        raise NoCredentialsError

    monkeypatch.setitem(aws.STEPS, "write", step)
    assert answered(seconds=60)["error"].startswith("NoCredentialsError: ")
    assert len(tries) == 1
