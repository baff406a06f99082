"""What providers answer to a registration: ids, names, and what they compute."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from pulumi.runtime import rpc

PASSWORD: Final = "random:index/randomPassword:RandomPassword"
STASH: Final = "pulumi:index:Stash"
_REPLACED_BY_CONTENT: Final = ("kubernetes:core/v1:Secret", "kubernetes:batch/v1:Job")

AWS_REGION: Final = "eu-central-1"
AWS_ACCOUNT: Final = "123456789012"


def complete(
    request: Any, state: dict[str, Any], seed: str = "", region: str = AWS_REGION, account: str = AWS_ACCOUNT
) -> str:
    """Add what the provider computes to `state`, of which no part is changed, and return the resource's ID.

    The caller marks generated values as secret where the SDK asks for it (`additionalSecretOutputs`).
    """
    # An object keeps its generated name until it is replaced. Other content replaces an immutable Secret and a Job.
    content = json.dumps(state, sort_keys=True) if request.type in _REPLACED_BY_CONTENT else ""
    suffix = hashlib.sha256(f"{seed}{request.name} {content}".encode()).hexdigest()[:8]
    if request.type == PASSWORD:
        # No word of the name: what is secret is masked wherever a part of it stands.
        generated = f"Gen{hashlib.sha256(f'{suffix}{request.name}'.encode()).hexdigest()}"
        state["result"] = (generated * 9)[: int(state["length"])]
    elif request.type == STASH:
        state["output"] = state["input"]
    elif request.type == "kubernetes:helm.sh/v3:Release":
        state["status"] = {"status": "deployed"}
        return f"{state.get('namespace', '')}/{state.setdefault('name', f'{request.name}-{suffix}')}"
    elif request.type.startswith("kubernetes:"):
        given = state.get("metadata", {})
        opened = given["value"] if given.get(rpc._special_sig_key) == rpc._special_secret_sig else given
        metadata = {"name": f"{request.name}-{suffix}", **opened}
        if request.type == "kubernetes:core/v1:Secret":
            # The provider keeps a copy of a Secret's data among the annotations: the metadata then holds a secret.
            metadata["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": secret("{}")}
        state["metadata"] = metadata if opened is given else secret(metadata)
        return f"{metadata.get('namespace', '')}/{metadata['name']}"
    elif request.type.startswith("aws:"):
        return _complete_aws(request.type, f"{request.name}-{suffix}", state, region, account)
    return f"{request.name}-{suffix}"


def _complete_aws(type_: str, generated: str, state: dict[str, Any], region: str, account: str) -> str:
    """Complete a resource of AWS: a name where none is given, and the ARN that is made of it."""
    service, _, kind = type_.removeprefix("aws:").partition("/")
    name = str(next((state[key] for key in ("bucket", "name", "identifier") if state.get(key)), generated))
    # An S3 ARN names neither region nor account; an IAM one no region.
    place = {"s3": "::", "iam": f"::{account}"}.get(service, f":{region}:{account}")
    state.setdefault("arn", f"arn:aws:{service}{place}:{name}")
    if type_ == "aws:rds/instance:Instance":
        state |= {"address": f"{name}.abc.{region}.rds.amazonaws.com", "port": state.get("port", 5432)}
        state["endpoint"] = f"{state['address']}:{state['port']}"
    elif type_ == "aws:kms/key:Key":
        state["keyId"] = generated
    elif type_ == "aws:s3/bucket:Bucket":
        state["bucket"] = name
    elif kind.partition(":")[2] in ("Role", "SubnetGroup", "ParameterGroup"):
        state["name"] = name
    return str(state["arn"]) if service == "secretsmanager" else name


def secret(value: Any) -> dict[str, Any]:
    """Return a value as the engine marks a secret."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}
