"""Programs as the policies see them: what the recorder saw, as the resources that a rule is asked about."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from automation.plan.recorder import Recorder, Registration
from policy.convert import known
from policy.model import JudgedResource
from tests import samples
from tests.samples import StackConfig

RELEASE: Final = "kubernetes:helm.sh/v3:Release"
SECRET: Final = "kubernetes:core/v1:Secret"
INSTANCE: Final = "aws:rds/instance:Instance"

TEAMS: Final = [
    {"name": "a", "repository": "git@github.com:example/a.git", "keySecret": "a-key"},
    {"name": "b", "repository": "https://github.com/example/b.git", "tokenSecret": "b-login"},
]
CONNECTION: Final = json.dumps(
    {"dwh": {"conn_type": "postgres", "password": "dwh-0123456789", "extra": {"sslmode": "verify-full"}}}
)
"""In it are words that stand in the addresses of the stack's own database too."""
PROGRAMS: Final[Mapping[str, Callable[[], StackConfig]]] = {
    "dev": samples.dev,
    "prod": samples.prod,
    "dev with task pods": lambda: samples.dev().with_({"executor": "KubernetesExecutor"}),
    "dev with bundles": lambda: samples.dev().with_(
        {"dagsDelivery": "git-bundle", "dagsUsername": "robot"}, {"dagsToken": samples.sentinels()["dagsToken"]}
    ),
    "prod by IRSA and KEDA": lambda: samples.prod().with_(
        {"podIdentity": "irsa", "workerScaling": "keda", "executor": "CeleryExecutor,KubernetesExecutor"}
    ),
    "prod with given keys": lambda: samples.prod().with_(
        samples.OIDC, samples.all_secrets(but=["gitSshPrivateKey", "dagsToken", "databasePassword"])
    ),
    "prod with the keys of its escrow": lambda: samples.prod().with_({"keySource": "escrow"}),
    "prod with bundles": lambda: samples.prod().with_({"dagsDelivery": "git-bundle"}),
    "dev with repositories of teams": lambda: samples.dev().with_(
        {"dagsDelivery": "git-bundle", "dagsSubPath": "", "dagBundles": TEAMS}
    ),
    "prod with worker groups": lambda: samples.prod().with_(
        {"workerGroups": [{"name": "gpu", "replicas": 2}, {"name": "one", "maxReplicas": 4}, {"name": "single"}]}
    ),
    "prod by digest": lambda: samples.prod().with_({"imageDigest": samples.DIGEST}),
    "external": lambda: samples.external().with_(
        {"databaseSslMode": "verify-full", "databaseCaCertificate": certificate(), "taskLogs": "worker"},
        {"connections": CONNECTION},
    ),
}
"""Stacks of which the policies approve; the first two are the shipped ones."""


def certificate() -> str:
    """One of RDS's authorities: any certificate will do."""
    text = (samples.ROOT / "certificates" / "rds-global-bundle.pem").read_text()
    end = "-----END CERTIFICATE-----\n"
    return text[: text.index(end)] + end


def resource_of(registration: Registration) -> JudgedResource:
    """With its secrets in clear: a rule that repeats one is wrong."""
    return JudgedResource(
        type=registration.type,
        name=registration.name,
        urn=registration.urn,
        inputs=known(registration.revealed),
        protect=registration.protected,
        retain_on_delete=bool(registration.request.retainOnDelete),
        parent=registration.request.parent,
    )


def resources_of(program: Recorder) -> list[JudgedResource]:
    return [resource_of(found) for found in program.every()]


def values_of(resources: Sequence[JudgedResource]) -> dict[str, Any]:
    """Values of the only Helm release."""
    [release] = [found for found in resources if found.type == RELEASE]
    found: dict[str, Any] = release.inputs["values"]
    return found


def changed(
    resources: Sequence[JudgedResource],
    type_: str,
    ending: str,
    change: Callable[[dict[str, Any]], object],
    **options: Any,
) -> list[JudgedResource]:
    """The same resources, with inputs and options changed of those of a type whose name ends so: one at least."""
    found = [resource.type == type_ and resource.name.endswith(ending) for resource in resources]
    assert any(found), f"no {type_} …{ending}"

    def with_change(resource: JudgedResource) -> JudgedResource:
        inputs = copy.deepcopy(dict(resource.inputs))
        change(inputs)
        return replace(resource, inputs=inputs, **options)

    return [with_change(resource) if hit else resource for hit, resource in zip(found, resources, strict=True)]


def set_at(container: Any, path: str, value: Any) -> None:
    """Sets what is at a dotted path, of which maps that are missing are made; a number is an index of a list."""
    *parents, last = path.split(".")
    for part in parents:
        container = container[int(part)] if isinstance(container, list) else container.setdefault(part, {})
    container[int(last) if isinstance(container, list) else last] = value
