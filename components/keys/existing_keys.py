"""Keys that something else puts into the namespace as Secrets, and that the program therefore never sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DATA_KEYS: Final[Mapping[str, str]] = {
    "fernetKey": "fernet-key",
    "apiSecretKey": "api-secret-key",
    "jwtSecret": "jwt-secret",
}
"""The key in its Secret, as the chart's templates have it, by the config key that would give it."""


@dataclass(frozen=True, kw_only=True)
class ExistingKeys:
    """Names of the Secrets. Each is another one: workers refer to that of the API secret key alone."""

    fernet_key: str
    """Secret with key `fernet-key`: one Fernet key, or several with commas."""
    api_secret_key: str
    """Secret with key `api-secret-key`."""
    jwt_secret: str
    """Secret with key `jwt-secret`: one secret, which signs and is accepted."""

    @property
    def not_for_workers(self) -> tuple[str, ...]:
        """The Secrets to which no worker and no task pod may refer."""
        return (self.fernet_key, self.jwt_secret)
