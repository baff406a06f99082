"""Which operation of AWS a request is, and the parameters that say on what: read by botocore's models."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import botocore.loaders
import botocore.model

from tests.prod.emulator import cbor

MODELS: Final = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
"""Services whose model has another name than the one that they sign with."""
_S3_CONTROL: Final = "/v20180820/"
_PLACE: Final = re.compile(r"\\\{(\w+)(\\\+)?\\\}")
"""A parameter in an escaped path; an ARN holds slashes."""
_BUCKET_TAG: Final = re.compile(r"<Tag><Key>(.*?)</Key><Value>(.*?)</Value></Tag>")
_OF_AN_UPLOAD: Final = {"PutObject": "UploadPart", "DeleteObject": "AbortMultipartUpload"}
"""Operations of S3 with the addresses of others, which say of which upload they are."""
_CREDENTIAL: Final = re.compile(r"Credential=([^/]+)/\d+/([^/]*)/([^/]+)/aws4")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A request to AWS."""

    access_key: str
    """Whose request it is, or "" if it is not signed."""
    region: str
    service: str
    """The name of botocore's model, such as `cloudwatch`."""
    name: str
    """Such as `CreateBucket`."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What the request says, by the names of the API; of S3, those in its path and query."""
    by_cbor: bool = False
    """Whether it is written in CBOR, and wants such an answer."""


def operation_of(environ: Mapping[str, Any], body: bytes) -> Operation:
    """Return the operation of a WSGI request."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region, service = signed.groups() if signed else ("", "", "")
    path, query = str(environ.get("PATH_INFO", "")), str(environ.get("QUERY_STRING", ""))
    if service == "s3" and path.startswith(_S3_CONTROL):
        service = "s3control"
    service = MODELS.get(service, service)
    name, parameters = _content(environ, path, query, body)
    if name == "AssumeRoleWithWebIdentity":
        service = "sts"  # it is not signed: the token says who asks
    if not name:
        name, found = _routed(service, str(environ["REQUEST_METHOD"]), path, query)
        parameters = {**parameters, **found}
    if (service, name) == ("s3", "CreateBucket"):
        # In no path and no query, but IAM asks about them.
        parameters["Tags"] = [{"Key": key, "Value": value} for key, value in _BUCKET_TAG.findall(body.decode())]
    return Operation(
        access_key=key,
        region=region,
        service=service,
        name=name,
        parameters=parameters,
        by_cbor="HTTP_SMITHY_PROTOCOL" in environ,
    )


def _content(environ: Mapping[str, Any], path: str, query: str, body: bytes) -> tuple[str, dict[str, Any]]:
    """Return what the request itself says: its name, or "" if its path decides."""
    if environ.get("HTTP_SMITHY_PROTOCOL"):
        return path.rpartition("/")[2], dict(cbor.loads(body) or {}) if body else {}
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2], dict(json.loads(body or b"{}"))
    form = "application/x-www-form-urlencoded" in str(environ.get("CONTENT_TYPE", ""))
    fields = {key: values[0] for key, values in parse_qs(body.decode() if form else query).items()}
    if "Action" in fields:
        return fields["Action"], fields
    if "json" in str(environ.get("CONTENT_TYPE", "")) and body:
        return "", dict(json.loads(body))
    return "", {}


@functools.cache
def _routes(service: str) -> tuple[tuple[str, re.Pattern[str], Mapping[str, str], str], ...]:
    """Return method, path, query and name of each operation of a service; the most exact ones first."""
    # Of a loader of its own: a client of S3 takes the bucket out of the paths of the description that it is given.
    description = botocore.loaders.create_loader().load_service_model(service, "service-2")
    model = botocore.model.ServiceModel(description, service)
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        pattern = _PLACE.sub(
            lambda m: f"(?P<{m[1]}>{'.+' if m[2] or m[1].endswith('Arn') else '[^/]+'})", re.escape(path)
        )
        wanted = {key: value for key, _, value in (part.partition("=") for part in query.split("&") if part)}
        # Of two with one address, one is older and has another name: GetBucketLifecycle.
        if not operation.deprecated:
            found.append((operation.http["method"], re.compile(f"{pattern}/?"), wanted, name))
    return tuple(sorted(found, key=lambda route: (-len(route[2]), "+" in route[1].pattern, len(route[3]))))


def _routed(service: str, method: str, path: str, query: str) -> tuple[str, dict[str, Any]]:
    if not service:
        return "", {}
    found = parse_qs(query, keep_blank_values=True)
    given: dict[str, Any] = {key: values[0] if len(values) == 1 else values for key, values in found.items()}
    for wanted_method, pattern, wanted, name in _routes(service):
        matched = pattern.fullmatch(path)
        if matched and wanted_method == method and all(given.get(key) == value for key, value in wanted.items()):
            if "uploadId" in given:
                name = _OF_AN_UPLOAD.get(name, name)
            return name, {**given, **{key: unquote(value) for key, value in matched.groupdict().items()}}
    return f"{method} {path}", given
