"""Rule that no key or password stands in plain text in Helm values, which Helm keeps in the cluster, or in an object.

Secrets (the objects) may hold them. Inputs of AWS resources are not judged: the provider says which of them are secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from components.kube.any_form import MAPS
from components.secrets.names import is_reference, is_secret_name
from components.secrets.shapes import harmless, key_shape
from policy.chart import airflow_values, release_values
from policy.context import Context
from policy.model import Finding, JudgedResource, Path, RenderedObject, dotted, get, walk
from policy.rule import Rule

_SECRET_DATA: Final = ("data", "stringData")

_CHART_KEYS: Final = (
    "apiSecretKey",
    "createUserJob.defaultUser.password",
    "dags.gitSync.sshKey",
    "data.metadataConnection.pass",
    "data.resultBackendConnection.pass",
    "elasticsearch.connection.pass",
    "fernetKey",
    "flower.password",
    "jwtSecret",
    "kerberos.keytabBase64Content",
    "opensearch.connection.pass",
    "postgresql.auth.password",
    "postgresql.auth.postgresPassword",
    "redis.password",
    "registry.connection.pass",
    "webserver.defaultUser.password",
    "webserverSecretKey",
)
"""Values from which the Airflow chart makes a Secret: they stand in clear in the values."""


def shown(path: Path) -> str:
    """Return the path for a message, without what may be a secret in it."""
    return dotted(tuple(harmless(part) if isinstance(part, str) else part for part in path))


def _in_resource(resource: JudgedResource, context: Context) -> Iterator[Finding]:
    values = release_values(resource)
    if values is not None:
        for message in {**dict(_of_values(resource, values)), **dict(_keys_in(values, ("values",)))}.values():
            yield Finding(message=message)
    elif resource.type.startswith("airflow:"):
        # A component's inputs stand in the state as they are, whatever is secret in them.
        for _, message in _keys_in(resource.inputs, ()):
            yield Finding(message=message)


def _in_objects(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    for rendered in objects:
        for message in rendered.made_by(_in_object):
            yield Finding.about(rendered, message)


def _in_object(rendered: RenderedObject) -> list[str]:
    body: Any = rendered.body
    if rendered.kind == "Secret":
        body = {key: value for key, value in body.items() if key not in _SECRET_DATA}
    return [message for _, message in _keys_in(body, ())]


def _keys_in(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield (path, message) of each text that is a secret by its shape or by the name of a variable."""
    for found, item in walk(value, path):
        if isinstance(item, str):
            shape = key_shape(item)
            if shape:
                yield found, f"{shown(found)} holds {shape}"
        elif isinstance(item, MAPS):
            for key in item:
                shape = key_shape(str(key))
                if shape:
                    yield (*found, str(key)), f"{shown(found) or 'it'} has {shape} for a name"
            if _is_variable(item):
                message = f"{shown((*found, 'value'))} is the value of {harmless(str(item['name']))}, in clear"
                yield (*found, "value"), message


def _is_variable(item: Mapping[str, Any]) -> bool:
    """Tell whether a map is a container's variable with a telling name and a literal value."""
    name, value = item.get("name"), item.get("value")
    return isinstance(name, str) and _is_literal(value) and is_secret_name(name)


def _is_literal(value: Any) -> bool:
    return isinstance(value, str) and not is_reference(value)


def _of_values(resource: JudgedResource, values: Any) -> Iterator[tuple[Path, str]]:
    """Yield (path, message) of values that are secret by their place."""
    if airflow_values(resource) is None:
        return
    for key in _CHART_KEYS:
        if _is_literal(get(values, key)):
            yield ("values", *key.split(".")), f"values.{key} is set, in clear"
    for path, value in walk(get(values, "config"), ("config",)):
        if len(path) == 3 and is_secret_name(str(path[-1])) and _is_literal(value):
            yield ("values", *path), f"values.{shown(path)} is set, in clear"
    for path, value in walk(get(values, "extraSecrets"), ("extraSecrets",)):
        if len(path) > 2 and path[2] in _SECRET_DATA and _is_literal(value):
            yield ("values", *path), f"values.{shown(path)} is the content of a Secret, in clear"


RULES: Final = (
    Rule(
        id="no-key-in-clear",
        description="No key, password or token is in Helm values or in an object other than a Secret.",
        remedy="Put it into a Secret, name the Secret instead, and replace the value, because it was readable.",
        source="docs/adr/0003-immutable-secrets-generated-once.md",
        resource=_in_resource,
        objects=_in_objects,
    ),
)
