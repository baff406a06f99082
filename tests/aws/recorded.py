"""What a program registers with AWS, as the recorder saw it: each resource with the outputs that others refer to.

The scoreboards read this: `terraform` writes it down for Checkov, `botocore_calls` turns it into calls of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf import json_format

from tests.conftest import Recorder, Registration, _complete


@dataclass(frozen=True)
class AwsResource:
    """One resource.

    type, name: Pulumi's type token, and the logical name. inputs: with secrets as their values.
    outputs: what the recorder computed beyond the inputs, and `id`.
    refers_to: by input, the URNs of resources whose outputs are in it.
    """

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, str]
    refers_to: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    def changed(self, inputs: Mapping[str, Any]) -> AwsResource:
        """This resource with other inputs; None takes one out."""
        merged = {**self.inputs, **inputs}
        return replace(self, inputs={key: value for key, value in merged.items() if value is not None})


def aws_resources(recorder: Recorder) -> list[AwsResource]:
    """All AWS resources of a program that ran, not previewed: a resource comes after those that it refers to.

    That is the order of registration: the SDK asks for a resource only when it knows what is in it.
    """
    return [_resource(found) for found in recorder.registrations.values() if found.type.startswith("aws:")]


def _resource(registration: Registration) -> AwsResource:
    state = json_format.MessageToDict(registration.request.object)
    given = set(state)
    identity = _complete(registration.request, state)
    computed = {key: value for key, value in state.items() if key not in given and isinstance(value, str)}
    refers_to = {
        key: frozenset(dependencies.urns)
        for key, dependencies in registration.request.propertyDependencies.items()
        if dependencies.urns
    }
    return AwsResource(
        urn=registration.urn,
        type=registration.type,
        name=registration.name,
        inputs=registration.revealed,
        outputs={**computed, "id": identity},
        refers_to=refers_to,
    )


def with_references(
    resource: AwsResource, others: Mapping[str, AwsResource], reference: Callable[[AwsResource, str], str]
) -> dict[str, Any]:
    """The inputs, with each text that is another resource's output replaced by `reference(resource, output)`.

    Only where Pulumi knows of the reference: two values that are alike by chance stay what they are.
    """

    def replaced(value: Any, outputs: Mapping[str, tuple[AwsResource, str]]) -> Any:
        if isinstance(value, dict):
            return {key: replaced(item, outputs) for key, item in value.items()}
        if isinstance(value, list):
            return [replaced(item, outputs) for item in value]
        return reference(*outputs[value]) if isinstance(value, str) and value in outputs else value

    found = {}
    for key, value in resource.inputs.items():
        targets = [others[urn] for urn in resource.refers_to.get(key, ()) if urn in others]
        # An id comes last here: where it is the name too, the name says more.
        outputs = {
            text: (target, name) for target in targets for name, text in sorted(target.outputs.items(), reverse=True)
        }
        found[key] = replaced(value, outputs)
    return found
