"""Helm's release records, and their repair after an interrupted update.

Helm keeps a record of each revision in a Secret `sh.helm.release.v1.NAME.vN`. If the process that installs or upgrades
is killed, the record stays `pending-…`, and Helm refuses every later attempt: "cannot re-use a name that is still in
use", "another operation is in progress". The objects in the cluster are sound; only the record is in the way.

- Before a create, the records of an unfinished install are deleted. Helm then takes over each object that has its label
  and the release's name.
- Before an update, the newest record is changed so that Helm can start from it: no longer pending, and with everything
  that the unfinished revisions may have changed.

No other object is changed. A record is repaired only if it belongs to this stack (the values of the release name one of
the stack's own Secrets) and if no Helm works on it:

- The engine's own Helm does not: the hook runs in an update that has the stack's lock, so no other one runs.
- Another Helm, as that of a person, knows nothing of the lock. Its record is repaired once it is older than the
  release's time-out, by the cluster's clock.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from components.kube.client import KubeApi
from components.release.manifest_union import manifest_union
from components.secrets.encodings import texts

MOST_BYTES: Final = 64 << 20
"""A Secret holds 1 MiB, and a release of the chart unpacks to a few."""
_PENDING: Final = "pending-"
_DEPLOYED: Final = "deployed"
_FAILED: Final = "failed"
_SUPERSEDED: Final = "superseded"
_UNINSTALLING: Final = "uninstalling"
_ENGINE: Final = frozenset({"pulumi-kubernetes", "pulumi-resource-kubernetes"})
"""How the engine's provider names itself to the cluster (pulumi-kubernetes: provider/pkg/version), now and earlier."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The record of one revision."""

    secret: str
    """Name of the Secret that holds it."""
    number: int
    """Number of the revision."""
    status: str
    """Helm's status, such as deployed or pending-upgrade."""
    values: Mapping[str, Any] = field(repr=False)
    """The values given to Helm."""
    content: Mapping[str, Any] = field(repr=False)
    """The decoded record."""
    writers: frozenset[str] = frozenset()
    """The programs that wrote it, as they named themselves to the cluster."""
    age_seconds: float = math.inf
    """Seconds since it was made, by the cluster's clock."""


class KubernetesRecords:
    """The records of one release in a cluster."""

    def __init__(self, api: KubeApi, namespace: str, release: str) -> None:
        self._api, self._namespace, self._release = api, namespace, release

    def list(self) -> list[Revision]:
        """Return all revisions of the release."""
        labels = {"owner": "helm", "name": self._release}
        secrets = self._api.items("v1", "Secret", self._namespace, labels=labels, fields="type=helm.sh/release.v1")
        revisions = []
        for secret in secrets:
            content = decode(secret["data"]["release"])
            revisions.append(
                Revision(
                    secret=secret["metadata"]["name"],
                    number=int(content["version"]),
                    status=str(content["info"]["status"]),
                    values=content.get("config") or {},
                    content=content,
                    writers=frozenset(
                        str(entry.get("manager")) for entry in secret["metadata"].get("managedFields") or ()
                    ),
                    age_seconds=self._age(secret["metadata"].get("creationTimestamp")),
                )
            )
        return revisions

    def _age(self, created: str | None) -> float:
        """Return 0 where the cluster does not tell: nothing is repaired too early."""
        now = self._api.now
        return now - datetime.fromisoformat(created).timestamp() if now is not None and created else 0.0

    def delete(self, revision: Revision) -> None:
        """Delete one record."""
        self._api.delete("v1", "Secret", self._namespace, revision.secret)

    def write(self, revision: Revision, content: Mapping[str, Any], status: str) -> None:
        """Replace the content and the status of one record."""
        # Helm looks for a release's status by the label, then in the content.
        changes = {"metadata": {"labels": {"status": status}}, "data": {"release": encode(content)}}
        self._api.merge("v1", "Secret", self._namespace, revision.secret, changes)


class ForeignReleaseError(Exception):
    """The namespace has a release of this name that another stack or person installed."""


class ReleaseBusyError(Exception):
    """Another Helm may be at work on the release."""


def decode(data: str) -> dict[str, Any]:
    """Decode the `release` field of a record's Secret in the Kubernetes API: base64 of base64 of gzipped JSON.

    Raises ValueError for what unpacks to more than any release: whoever may write Secrets of the namespace could
    otherwise fill the memory of who deploys.
    """
    with gzip.open(io.BytesIO(base64.b64decode(base64.b64decode(data)))) as packed:
        text = packed.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ValueError(f"a record of Helm unpacks to more than {MOST_BYTES >> 20} MiB")
    content: dict[str, Any] = json.loads(text)
    return content


def encode(content: Mapping[str, Any]) -> str:
    """Encode a record; the inverse of `decode`."""
    packed = gzip.compress(json.dumps(content).encode(), mtime=0)
    return base64.b64encode(base64.b64encode(packed)).decode()


def repair_before_create(
    records: KubernetesRecords, own_secrets: Iterable[str], release: str, timeout_seconds: float
) -> list[str]:
    """Free the release's name if an earlier create of this stack was interrupted.

    Args:
        records: KubernetesRecords of the release.
        own_secrets: Names of the stack's Secrets; the record's values must name one of them.
        release: Name of the release.
        timeout_seconds: Time after which no Helm works on it any more.

    Returns:
        What was done, a sentence each.

    Raises:
        ForeignReleaseError: If another stack or person installed the release.
        ReleaseBusyError: If another Helm may be at work on it.
    """
    revisions = records.list()
    if not revisions:
        return []
    newest = max(revisions, key=lambda revision: revision.number)
    if not _is_own(newest, set(own_secrets)):
        raise ForeignReleaseError(
            f"expected no Helm release {release} in the namespace, got one (revision {newest.number}, {newest.status}) "
            f"that this stack did not install. Fix: `helm uninstall {release} --kube-context CONTEXT --namespace "
            "NAMESPACE`, or choose another namespace with `pulumi config set --stack STACK airflow:namespace NAME`"
        )
    _raise_if_busy(newest, release, timeout_seconds)
    done = []
    for revision in sorted(revisions, key=lambda revision: revision.number):
        records.delete(revision)
        done.append(
            f"took over Helm release {release}: an interrupted update left revision {revision.number} "
            f"{revision.status}; its objects stay"
        )
    return done


def repair_before_update(
    records: KubernetesRecords, own_secrets: Iterable[str], release: str, timeout_seconds: float
) -> list[str]:
    """Let Helm upgrade a release whose newest revision was interrupted. Return what was done, a sentence each.

    Helm then starts from everything that any revision since the last deployed one may have changed; see
    `manifest_union`.

    Args:
        records: KubernetesRecords of the release.
        own_secrets: Names of the stack's Secrets, before and after this update.
        release: Name of the release.
        timeout_seconds: Time after which no Helm works on it any more.

    Raises:
        ForeignReleaseError: If no record of the release names a Secret of this stack.
        ReleaseBusyError: If another Helm may be at work on it.
    """
    revisions = sorted(records.list(), key=lambda revision: revision.number)
    if not revisions or revisions[-1].status == _DEPLOYED:
        return []
    newest, own = revisions[-1], set(own_secrets)
    if not any(_is_own(revision, own) for revision in revisions):
        raise ForeignReleaseError(
            f"expected the Helm release {release} of this stack, got one (revision {newest.number}, {newest.status}) "
            "that names none of its Secrets. Fix: `helm history` and `helm get values` tell whose it is"
        )
    _raise_if_busy(newest, release, timeout_seconds)
    deployed = next((revision for revision in reversed(revisions) if revision.status == _DEPLOYED), None)
    if deployed is None:
        # An interrupted install: Helm starts from the newest revision, once it is not pending.
        if newest.status.startswith(_PENDING):
            records.write(newest, _as(newest.content, _FAILED), _FAILED)
    else:
        unfinished = [revision for revision in revisions if revision.number >= deployed.number]
        union = manifest_union(str(revision.content["manifest"]) for revision in unfinished)
        records.write(newest, _as({**newest.content, "manifest": union}, _DEPLOYED), _DEPLOYED)
        records.write(deployed, _as(deployed.content, _SUPERSEDED), _SUPERSEDED)
    return [
        f"Helm release {release}: revision {newest.number} did not come to its end ({newest.status}); this update "
        "replaces all that it changed"
    ]


def _as(content: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Return a record's content with another status."""
    description = "did not come to its end; repaired by the next update" if status != _SUPERSEDED else "superseded"
    return {**content, "info": {**content["info"], "status": status, "description": description}}


def _raise_if_busy(newest: Revision, release: str, timeout_seconds: float) -> None:
    """Raise ReleaseBusyError if a Helm that does not know the stack's lock may be at work."""
    if not newest.status.startswith(_PENDING) and newest.status != _UNINSTALLING:
        return
    if (newest.writers and newest.writers <= _ENGINE) or newest.age_seconds >= timeout_seconds:
        return
    writers = " and ".join(sorted(newest.writers)) or "an unknown program"
    raise ReleaseBusyError(
        f"expected no other Helm at work on the release {release}, found its revision {newest.number} {newest.status}, "
        f"begun by {writers} {max(0.0, newest.age_seconds):.0f} s ago. Fix: wait for its end, then update again; if it "
        f"has no end, an update repairs it {timeout_seconds:.0f} s after its start"
    )


def _is_own(revision: Revision, own_secrets: set[str]) -> bool:
    return not own_secrets.isdisjoint(texts(revision.values))
