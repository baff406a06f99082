"""Tries once what a pod does in AWS: write and read task logs in a bucket, read secrets. A script of its own.

It runs in Airflow's image, as `python -c TEXT STEPS SECONDS FOLDER CONNECTION PREFIX`, with the service account, the
variables and the connection of the pods that it stands for, and reaches S3 by the hook of the Amazon provider. Nothing
here imports it.

It leaves nothing: an upload in parts that is never completed needs the rights of a log that is written (S3 asks KMS for
a key when it begins, and to decrypt it for each part), and no right to delete. A secret and a log that do not exist are
reported as missing only to those who may read them.

Its answer is JSON: `{}`, or what it could not do. The rights of a new role reach all of AWS within seconds, so a
refusal is tried again for as long as it is told.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any

ANSWER = "/dev/termination-log"
PAUSE = 2
TIMEOUTS = {"connect_timeout": 5, "read_timeout": 10, "retries": {"total_max_attempts": 2}}
MISSING = ("NoSuchKey", "404", "ResourceNotFoundException")
LENGTH = 1500


def write(said: dict[str, str]) -> None:
    """Begin a log in the bucket, and give it up."""
    client, bucket, folder = logs(said)
    place = {"Bucket": bucket, "Key": f"{folder}/airflow-preflight/{secrets.token_hex(8)}"}
    upload = client.create_multipart_upload(**place)["UploadId"]
    try:
        client.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"-")
    finally:
        try:
            client.abort_multipart_upload(**place, UploadId=upload)
        except Exception as error:
            # A right that pods need not have. The bucket of a stack deletes what is unfinished.
            print(f"not aborted: {type(error).__name__}", file=sys.stderr)


def read(said: dict[str, str]) -> None:
    """Look for a log as Airflow does, and read one that does not exist."""
    client, bucket, folder = logs(said)
    client.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/airflow-preflight/", MaxKeys=1)
    unless_missing(lambda: client.get_object(Bucket=bucket, Key=f"{folder}/airflow-preflight/none"))


def secret(said: dict[str, str]) -> None:
    """Read a secret that does not exist."""
    import boto3
    from botocore.config import Config

    # As the provider's own backend does, which takes no time limits.
    client = boto3.client("secretsmanager", config=Config(**TIMEOUTS))
    unless_missing(lambda: client.get_secret_value(SecretId=f"{said['secrets']}/connections/airflow-preflight-none"))


STEPS: dict[str, Callable[[dict[str, str]], None]] = {"write": write, "read": read, "secret": secret}


def logs(said: dict[str, str]) -> tuple[Any, str, str]:
    """Return a client of S3, and bucket and folder of the logs."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    hook = S3Hook(aws_conn_id=said["connection"])
    bucket, folder = hook.parse_s3_url(said["folder"])
    # What the connection says, such as how buckets are addressed, stays.
    return (
        S3Hook(aws_conn_id=said["connection"], config=hook.config.merge(Config(**TIMEOUTS))).get_conn(),
        bucket,
        folder,
    )


def unless_missing(ask: Callable[[], object]) -> None:
    """Ask, and take it well that there is nothing."""
    from botocore.exceptions import ClientError

    try:
        ask()
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise


def tried(step: str, said: dict[str, str], until: float) -> dict[str, str]:
    """Take a step until it is done or the time is over; return {}, or what went wrong."""
    while True:
        try:
            STEPS[step](said)
            return {}
        except Exception as error:
            name = type(error).__name__
            code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
            found = {"step": step, "error": f"{code or name}: {error}"[:LENGTH]}
            if name == "NoCredentialsError" or time.monotonic() + PAUSE > until:
                return found
            time.sleep(PAUSE)


def main(steps: str, seconds: str, *places: str) -> None:
    """Take the steps until one fails for so many seconds, and write the answer."""
    said, until = dict(zip(("folder", "connection", "secrets"), places, strict=True)), time.monotonic() + int(seconds)
    found = next(filter(None, (tried(step, said, until) for step in steps.split(","))), {})
    with open(ANSWER, "w", encoding="utf-8") as answer:
        json.dump(found, answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
