"""Where a stack is found: its program, its backend, its config, and the folder of the engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from automation.engine.backend import Backend, SecretsProvider, backend_url, may_have_stacks, prepare_backend
from automation.errors import StackUnknown
from automation.folder import LocalFolder
from components.secrets.logins import shown_url

if TYPE_CHECKING:
    from automation.stacks.config import EnvironmentSettings


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stack is found, and where its config is."""

    project_dir: Path
    """The checkout with the program."""
    folder: LocalFolder
    """The folder with the engine's work directories."""
    backend: str | None = field(default=None, repr=False)
    """URL of the state; None means what the environment and the files say."""
    provider: SecretsProvider | None = None
    """What encrypts the secrets of a new stack; None means what the environment and the files say."""
    settings: EnvironmentSettings | None = None
    """The stack's config; None means the committed file `Pulumi.<stack>.yaml`."""
    environ: Mapping[str, str] = field(repr=False)
    """The engine's environment."""

    @staticmethod
    def of(project_dir: Path, environ: Mapping[str, str] = os.environ) -> Place:
        """Return the place of a stack that the files of a checkout describe."""
        return Place(project_dir=project_dir.resolve(), folder=LocalFolder(project_dir.resolve()), environ=environ)

    @property
    def url(self) -> str:
        """The URL of the backend."""
        return self.backend or backend_url(self.project_dir, self.environ)

    def must_have(self, stack: str) -> None:
        """Raise StackUnknown if there is no state at all, so that no engine is downloaded only to find nothing."""
        if self.backend is None and not may_have_stacks(self.project_dir, self.environ):
            raise no_such_stack(stack, self.url)

    def prepare(self, stack: str) -> Backend:
        """Return the backend with what the engine needs to use it. Raises PassphraseMissing."""
        return prepare_backend(self.project_dir, stack, self.environ, url=self.backend, provider=self.provider)

    def known_secrets(self) -> dict[str, str]:
        """Return the secret values of the given settings, by short key."""
        return {} if self.settings is None else {key: value.reveal() for key, value in self.settings.secrets.items()}


def no_such_stack(stack: str, url: str) -> StackUnknown:
    """Return the error for a backend without the stack. It may be the wrong backend."""
    return StackUnknown(
        f"there is no stack {stack} in {shown_url(url)}",
        "if it is deployed, set PULUMI_BACKEND_URL to where its state is; else make it: "
        f"python -m automation up {stack}",
    )
