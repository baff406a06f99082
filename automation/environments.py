"""All stacks of the program, for a service that drives many of them from one process."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automation.engine.backend import KeyService, Passphrase, PassphraseFile, SecretsProvider
from automation.engine.command import Engine, find_engine
from automation.engine.events import OnEvent, ignore
from automation.environment import Environment
from automation.errors import StackUnknown
from automation.folder import LocalFolder, short_name
from automation.project_files import read_project
from automation.stacks.file_secrets import clear_secrets
from automation.stacks.place import Place
from automation.stacks.session import LOCK_SECONDS, Limits
from automation.wait import Clock
from components.kube.secret import Secret
from components.secrets.logins import shown_url, url_masker
from settings import PROJECT

if TYPE_CHECKING:
    from automation.lifetime.result import Expiry
    from automation.stacks.config import EnvironmentSettings

__all__ = ["Environment", "Environments", "KeyService", "Passphrase", "PassphraseFile", "Secret"]


class Environments:
    """All stacks of one program in one backend. Thread-safe."""

    def __init__(
        self,
        project_dir: Path,
        backend: str | None = None,
        secrets_provider: SecretsProvider | None = None,
        *,
        work_dir: Path | None = None,
        lock_seconds: float = LOCK_SECONDS,
        environ: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = lambda line: None,
        clock: Clock | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            project_dir: The checkout with the program.
            backend: URL of the state (`s3://…`, `file://…`, …). Default: `PULUMI_BACKEND_URL`, else that of the
                project, else a folder in the checkout.
            secrets_provider: What encrypts the secrets of new stacks. Default: what the environment says; for a folder,
                a passphrase that is generated once.
            work_dir: Folder for the engine's work directories. Default: `.dev` in the checkout.
            lock_seconds: How long to wait while another update has the lock.
            environ: Variables of the engine, in addition to those of this process.
            on_line: Receives a line before an engine is downloaded.
            clock: The clock of all waits.
        """
        # The Automation API quotes the whole event in its warning of one that it cannot parse.
        warnings.filterwarnings("ignore", message="Failed to parse engine event")
        self._project_dir = project_dir.resolve()
        folder = LocalFolder(self._project_dir, work_dir.resolve() if work_dir else None)
        self._place = Place(
            project_dir=self._project_dir,
            folder=folder,
            backend=backend,
            provider=secrets_provider,
            environ={**os.environ, **(environ or {})},
        )
        self._limits = Limits(lock_seconds=lock_seconds, clock=clock or Clock())
        self._on_line = on_line
        self._lock = threading.Lock()
        self._found: Engine | None = None
        self._opened: weakref.WeakSet[Environment] = weakref.WeakSet()

    def __repr__(self) -> str:
        return f"Environments({str(self._project_dir)!r}, {self.backend!r})"

    @property
    def project_dir(self) -> Path:
        """The checkout with the program."""
        return self._project_dir

    @property
    def backend(self) -> str:
        """URL of the state, without a login."""
        return shown_url(self._place.url)

    def open(self, name: str, settings: EnvironmentSettings | None = None) -> Environment:
        """Return a stack, whether it exists or not. Asks neither engine nor backend.

        `up` and `preview` create a stack that does not exist; the other methods raise StackUnknown.

        Args:
            name: The stack.
            settings: Its config. Default: the committed file `Pulumi.<name>.yaml`.

        Raises:
            StackUnknown: The name is not a valid one, or is not that of the settings.
        """
        if settings is not None and settings.name != short_name(name):
            raise StackUnknown(
                f"expected settings of stack {short_name(name)}, found settings of stack {settings.name}",
                "give it settings of its own",
            )
        return self._open(name, replace(self._place, settings=settings))

    def expire(
        self,
        names: Sequence[str] = (),
        *,
        dry_run: bool = False,
        cluster_gone: bool = False,
        on_event: OnEvent = ignore,
    ) -> Expiry:
        """Remove the stacks whose time to live has passed, with all that they own; see docs/temporary-stacks.md.

        It looks at every stack of the backend, in whichever checkout its file is. A stack without a time to live, or a
        protected one, is never touched. What could not be removed is in the result, not an error.

        Args:
            names: Remove these stacks now, and no others, if they exist. Each must have a time to live.
            dry_run: Only return what would be done.
            cluster_gone: The cluster of the named stacks will never answer again: forget what was in it.
            on_event: Receives the events.

        Raises:
            StackUnknown: A named stack has no time to live.
            UpdateFailed: The backend cannot be read.
        """
        from automation.lifetime.expire import Expiring

        return Expiring(place=self._place, find_engine=self._engine, opened=self._open, on_event=on_event).done(
            names, dry_run=dry_run, cluster_gone=cluster_gone
        )

    def _open(self, name: str, place: Place) -> Environment:
        short_name(name)
        secrets = list(place.settings.secrets.values()) if place.settings is not None else []
        secrets += [place.provider.value] if isinstance(place.provider, Passphrase) else []
        known = (*(secret.reveal() for secret in secrets), *clear_secrets(place, name))
        masker = url_masker(place.url, known)
        environment = Environment(name, place, self._engine, self._limits, masker)
        with self._lock:
            self._opened.add(environment)
        return environment

    def settings_of_release(self, name: str, values: Mapping[str, Any]) -> EnvironmentSettings:
        """Return the config of a stack that is to take over a release: its keys, its database, and what it runs.

        `Environment.adopt` then takes it over. Keep the settings, secrets included, for every later `open`.

        Args:
            name: The stack.
            values: What no release says (cluster, namespace), and what must differ from the release.

        Raises:
            AutomationError: AdoptionRefused, SettingsInvalid, ClusterUnreachable or ClusterRequestFailed.
        """
        from automation.adoption.prepare import settings_of_release
        from automation.cluster.objects import ClusterObjects
        from automation.stacks.config import StackConfig, as_config

        texts = {f"{PROJECT}:{key}": as_config(item) for key, item in values.items() if not isinstance(item, Secret)}
        defaults = read_project(self._project_dir).get("config") or {}
        texts.setdefault(f"{PROJECT}:namespace", defaults["namespace"]["default"])
        config = StackConfig.of(texts).reached(self._place.folder.work(name))
        cluster = ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)
        return settings_of_release(short_name(name), values, cluster, self._project_dir, config.namespace)

    @property
    def running(self) -> bool:
        """Something is under way on one of the stacks."""
        return any(environment.running for environment in self._all())

    @property
    def interrupted(self) -> bool:
        """On one of the stacks, the verb that runs, or that ran last, was cancelled."""
        return any(environment.interrupted for environment in self._all())

    def cancel(self) -> None:
        """Cancel all that is under way; see `Environment.cancel`."""
        for environment in self._all():
            environment.cancel()

    def _all(self) -> list[Environment]:
        return list(self._opened)

    def _engine(self) -> Engine:
        """Return an engine for one environment, so that each can be cancelled alone. Raises EngineMissing."""
        with self._lock:
            if self._found is None:
                self._found = find_engine(self._project_dir, self._on_line)
            return self._found.another()
