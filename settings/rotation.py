"""The mark of a rotation that is under way, as it stands in a stack's config."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from components.texts import fields

ROTATED: Final = {
    # what `rotate` calls the key: the config key with its values
    "fernet": "fernetKey",
    "api-secret-key": "apiSecretKey",
    "admin-password": "adminPassword",
    "jwt": "jwtSecret",
    "redis-password": "redisPassword",
    "git-key": "gitSshPrivateKey",
    "database-password": "databaseLogin",
    "registry": "registryCredentials",
    "ca": "databaseCaCertificate",
}
BEGINNING: Final = "the rotation of"
"""How a sentence about a rotation that is under way begins."""
_FORM: Final = re.compile(r"([a-z-]+) ([1-9])/([1-9]) ([0-9a-f]{12})(?: ([0-9]{8}T[0-9]{6}Z))?")
_TIME: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Which key is rotated, its stage, and a fingerprint of the new value. It holds no secret."""

    key: str
    """One of `ROTATED`."""
    stage: int
    """The stage that was begun last, from 1."""
    stages: int
    """How many there are."""
    fingerprint: str
    """Fingerprint of the new value; see `fingerprint`."""
    until: datetime | None = None
    """When a stage that waits is done, in whole seconds; None before such a stage."""

    @staticmethod
    def of(text: str) -> Mark:
        """Read a mark. Raises ValueError."""
        found = _FORM.fullmatch(text)
        if found is None or found[1] not in ROTATED or int(found[2]) > int(found[3]):
            fields.refuse(f"expected what `python -m automation rotate` wrote, found {fields.shown(text)}")
        try:
            until = datetime.strptime(found[5], _TIME).replace(tzinfo=UTC) if found[5] else None
        except ValueError:
            fields.refuse(f"expected what `python -m automation rotate` wrote, found the time {found[5]}")
        return Mark(key=found[1], stage=int(found[2]), stages=int(found[3]), fingerprint=found[4], until=until)

    def __str__(self) -> str:
        until = f" {self.until.strftime(_TIME)}" if self.until else ""
        return f"{self.key} {self.stage}/{self.stages} {self.fingerprint}{until}"

    def told(self, stack: str) -> str:
        """Return how far it is, and what continues it."""
        how_far = f"{BEGINNING} {self.key} is in stage {self.stage} of {self.stages}"
        return f"{how_far}; python -m automation rotate {self.key} {stack} continues it"


def fingerprint(value: str) -> str:
    """Return 12 hexadecimal digits by which a generated value is known again; they do not help to guess it."""
    return hashlib.sha256(value.encode()).hexdigest()[:12]
