"""The runbook of a lost state, followed word by word.

Its blocks are found when this module is imported: so a page with other ones fails without an engine too.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from tests.prod.account import ADMINISTRATOR, STATE_BUCKET, STATE_KEY, Account
from tests.prod.checkout import Checkout
from tests.prod.runbook import blocks

_PAGE: Final = "runbooks/lost-state.md"
[_TAKE_OLDER] = blocks(_PAGE, "1. An older version")
[_KEYS] = blocks(_PAGE, "2. The keys, from the escrow")
_STOP, _COLLECT, _WRITE, _LOOK = blocks(_PAGE, "Import")
_STATE: Final = ".pulumi/stacks/airflow/prod.json"
_NAMESPACE: Final = " airflow"
"""How the page's commands name the namespace."""


def take_older_version(checkout: Checkout, account: Account) -> str:
    """Lose the state, and take the last version that the bucket has. Return what the page's commands print."""
    s3 = account.client("s3")
    version = s3.list_object_versions(Bucket=STATE_BUCKET, Prefix=_STATE)["Versions"][0]["VersionId"]
    s3.delete_object(Bucket=STATE_BUCKET, Key=_STATE)
    return checkout.run(
        _TAKE_OLDER.filled({"BUCKET": STATE_BUCKET, "VERSION": version}), access_key=ADMINISTRATOR
    ).output


def begin_again_with_the_keys(checkout: Checkout, account: Account) -> str:
    """Lose the state for good, and make the stack again with the keys of the escrow. Return what a preview without them
    is refused with."""
    s3 = account.client("s3")
    for item in s3.list_objects_v2(Bucket=STATE_BUCKET)["Contents"]:
        if "/stacks/airflow/prod.json" in item["Key"]:
            s3.delete_object(Bucket=STATE_BUCKET, Key=item["Key"])
    init, take = _KEYS.filled({"KEY": STATE_KEY}).splitlines()
    checkout.run(init)
    refused = checkout.run("make preview STACK=prod", check=False)
    assert refused.code != 0
    checkout.run(take)
    return refused.output


def import_all(checkout: Checkout, account: Account, namespace: str = "airflow") -> None:
    """Import what exists, and look at the preview. The stack is to be updated next."""
    checkout.run(_STOP.text.replace(f"namespace{_NAMESPACE}", f"namespace {namespace}"))
    [found] = account.client("rds").describe_db_instances(DBInstanceIdentifier="airflow-prod")["DBInstances"]
    group = found["VpcSecurityGroups"][0]["VpcSecurityGroupId"]
    commands = _COLLECT.filled({"SECURITY_GROUP": group})
    commands = commands.replace(f"--namespace{_NAMESPACE}", f"--namespace {namespace}")
    tagged, described, rules, associations = _documents(checkout.run(commands, access_key=ADMINISTRATOR).output)
    key, subnets, parameters, listed, monitoring = described
    assert listed == group
    bucket = _only(tagged, r"arn:aws:s3:::(airflow-task-logs-\w+)")
    roles = account.roles()
    script = _WRITE.filled(
        {
            "BUCKET_NAME": bucket,
            "KEY_ID": key.rpartition("/")[2],
            "KEY_ID_OF_THE_BUCKET": _bucket_key(account, bucket),
            "SUBNET_GROUP": subnets,
            "PARAMETER_GROUP": parameters,
            "sg-ID": group,
            "sgr-ID": rules[0],
            "MONITORING_ROLE": monitoring.rpartition("/")[2],
            "TASK_LOG_ROLE": _only(roles, r"(airflow-task-logs-\w+)"),
            "API_SERVER_ROLE": _only(roles, r"(airflow-task-logs-api-server-\w+)"),
        }
    )
    for account_name, association in associations:
        script = re.sub(rf"(airflow-task-logs-{account_name}\": \"example,)a-ID", rf"\g<1>{association}", script)
    checkout.run(script)
    previewed = checkout.run(_LOOK.text).output
    assert "replace" not in previewed.partition("Resources:")[2]


def _documents(text: str) -> list[Any]:
    """Return the JSON documents that follow each other in a text."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].strip()
    return found


def _only(texts: list[str], pattern: str) -> str:
    found = {matched[1] for text in texts if (matched := re.fullmatch(pattern, text))}
    assert len(found) == 1, (pattern, texts)
    return found.pop()


def _bucket_key(account: Account, bucket: str) -> str:
    rules = account.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"].rpartition("/")[2])
