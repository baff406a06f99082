"""What AWS or the way to it refuses: one error each, that says what mends it and shows no credential."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pulumi
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from components.aws import client as aws_error
from components.aws.client import AwsError, aws_call, aws_clients, refusal
from tests.cases import each

REGION: Final = "eu-central-1"
ACTION: Final = "sts:GetCallerIdentity"
DENIED: Final = (
    "User: arn:aws:sts::123456789012:assumed-role/ci/run is not authorized to perform: eks:DescribeCluster on "
    "resource: arn:aws:eks:eu-central-1:123456789012:cluster/prod because no identity-based policy allows it"
)


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that has no credentials of AWS; returns where its config file would be."""
    config = tmp_path / "config"
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return config


def problem(call: Callable[[], Any] | None = None) -> AwsError:
    """What becomes of a call that fails; without one, of asking who is calling."""
    with pytest.raises(AwsError) as error:
        aws_call(ACTION, call or (lambda: aws_clients(REGION)("sts").get_caller_identity()))
    return error.value


def test_answer_is_given_on() -> None:
    assert aws_call(ACTION, lambda: {"Account": "1"}) == {"Account": "1"}


def test_what_is_no_error_of_aws_stays_what_it_is() -> None:
    with pytest.raises(KeyError, match="sentinel"):
        aws_call(ACTION, lambda: dict[str, str]()["sentinel"])


def test_engine_shows_the_text_alone() -> None:
    assert issubclass(AwsError, pulumi.RunError)


def test_no_credentials(no_credentials: Path) -> None:
    assert str(problem()).startswith(f"{ACTION}: expected AWS credentials, found none. Fix: `aws sso login`")


def test_profile_that_is_not_there(no_credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "set AWS_PROFILE to one of `aws configure list-profiles`" in str(problem())


def test_config_file_that_cannot_be_read(no_credentials: Path) -> None:
    no_credentials.write_text("no section\n")
    assert "config file, found none to read (ConfigParseError)" in str(problem())


def test_session_that_was_never_signed_in(no_credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_credentials.write_text(
        "[profile work]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = ci\n"
        f"[sso-session work]\nsso_region = {REGION}\nsso_start_url = https://work.awsapps.test/start\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert "Fix: `aws sso login`" in str(problem())


def test_program_that_gives_no_credentials_is_not_quoted(
    no_credentials: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "give.py"
    program.write_text("import sys\nsys.exit('sentinel secret')\n")
    no_credentials.write_text(f"[profile work]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    text = str(problem())
    assert "found some that have expired or cannot be read (CredentialRetrievalError). Fix: `aws sso login`" in text
    assert "sentinel" not in text


def test_credentials_by_half(no_credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sentinel")
    assert "cannot be read (PartialCredentialsError)" in str(problem())


def test_no_way_to_aws(no_credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sentinel")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(aws_error, "_ATTEMPTS", 1)
    text = str(problem())
    assert "expected an answer from AWS, found none (EndpointConnectionError)" in text
    assert "check airflow:awsRegion" in text
    assert "sentinel" not in text


def test_credentials_are_looked_for_once(no_credentials: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A role that asks for a code, or a slow program, is asked once and not for every service."""
    asked, program = tmp_path / "asked", tmp_path / "give.py"
    keys = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s"}
    program.write_text(f"open({str(asked)!r}, 'a').write('.')\nprint({json.dumps(keys)!r})\n")
    no_credentials.write_text(f"[profile work]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    with mock_aws(config={"core": {"mock_credentials": False}}):
        client = aws_clients(REGION)
        client("sts").get_caller_identity()
        client("eks").list_clusters()
    assert asked.read_text() == "."


def test_client_is_of_the_region_and_does_not_wait_for_ever() -> None:
    with mock_aws():
        client = aws_clients(REGION)("eks")
    assert client.meta.region_name == REGION
    assert client.meta.config.connect_timeout <= 10
    assert client.meta.config.read_timeout <= 60


def test_error_of_boto3_is_not_chained() -> None:
    """A traceback would show it, and it can quote what the message leaves out."""

    def call() -> None:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "sentinel"}}, "GetCallerIdentity")

    error = problem(call)
    assert error.code == "ExpiredToken"
    assert error.__cause__ is None
    assert error.__context__ is None


@each("code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "AuthFailure"])
def test_bad_credentials_are_refused_without_the_message_that_may_quote_them(code: str) -> None:
    error = refusal(ACTION, code, "The Canonical String should have been x-amz-security-token:sentinel")
    assert (
        f"expected valid AWS credentials, found credentials that have expired or that AWS does not know ({code})"
        in str(error)
    )
    assert "aws sso login" in str(error)
    assert "sentinel" not in str(error)
    assert error.code == code


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_missing_right_is_named_with_who_misses_it(code: str) -> None:
    text = str(refusal("eks:ListClusters", code, DENIED))
    assert "arn:aws:sts::123456789012:assumed-role/ci/run" in text
    assert "on arn:aws:eks:eu-central-1:123456789012:cluster/prod" in text
    assert "Fix: allow eks:DescribeCluster in" in text, "what AWS names, not what was asked for"
    assert "(statement Cluster of docs/deploying-role.json)" in text


def test_missing_right_is_the_one_asked_for_where_aws_names_none() -> None:
    text = str(refusal("eks:ListClusters", "AccessDeniedException", ""))
    assert "expected the identity in use to be allowed eks:ListClusters" in text


def test_right_to_the_key_of_a_secret_is_named() -> None:
    text = str(refusal("secretsmanager:GetSecretValue", "AccessDeniedException", "Access to KMS is not allowed"))
    assert "Fix: allow kms:Decrypt in" in text


def test_other_refusal_is_told_in_the_words_of_aws() -> None:
    error = refusal("eks:DescribeCluster", "ServerException", "It is\n  us, not you.")
    assert str(error) == "eks:DescribeCluster: AWS refuses it with ServerException: It is us, not you."
    assert error.code == "ServerException"


@given(
    before=st.text(max_size=50),
    secret=st.text("ABCDEFGHabcdefgh0123456789+/=_-", min_size=40, max_size=900)
    | st.from_regex(r"A[KS]IA[A-Z0-9]{16}", fullmatch=True),
    after=st.text(max_size=50),
)
def test_no_message_shows_what_looks_like_a_key_or_a_token(before: str, secret: str, after: str) -> None:
    for code in ("ServerException", "AccessDenied", "ExpiredToken"):
        text = str(refusal(ACTION, code, f"{before} {secret} {after}"))
        assert secret not in text
        assert "\n" not in text
        assert len(text) < 600
