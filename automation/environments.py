"""Stacks of the program for a service: made, changed, looked at and removed, as many as it likes, from one process."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automation.engine.command import Engine, find_engine
from automation.environment import LOCK_SECONDS, Environment, Limits
from automation.errors import StackUnknown
from automation.folder import Folder, short_name
from automation.redaction import Redactor
from automation.stacks.backend import KeyService, Passphrase, PassphraseFile, SecretsProvider, backend_url, read_yaml
from automation.stacks.workspace import Place
from automation.wait import Clock
from components.kube.secret import Secret
from settings import PROJECT

if TYPE_CHECKING:
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
        """project_dir: the checkout with the program.

        backend: URL of the state (`s3://…`, `file://…`, …); None takes `PULUMI_BACKEND_URL`, else the project's, else a
        folder in the checkout. secrets_provider: what encrypts the secrets of new stacks; None takes what the
        environment says, and for a folder a passphrase that is made once.
        work_dir: folder for the engine's work directories, instead of `.dev` in the checkout.
        lock_seconds: how long to wait where somebody else's update has the lock.
        environ: of the engine, beside this process's own. on_line: hears of an engine that has to be downloaded.
        """
        # The Automation API warns of an event that it cannot parse with the whole event.
        warnings.filterwarnings("ignore", message="Failed to parse engine event")
        self._project_dir = project_dir.resolve()
        folder = Folder(self._project_dir, work_dir.resolve() if work_dir else None)
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
        """Of the program."""
        return self._project_dir

    @property
    def backend(self) -> str:
        """URL of the state."""
        return self._place.backend or backend_url(self._project_dir, self._place.environ)

    def open(self, name: str, settings: EnvironmentSettings | None = None) -> Environment:
        """A stack, whether it is there or not: `up` and `preview` make it, the other methods raise StackUnknown.

        settings: its config; None takes the committed file `Pulumi.<name>.yaml`. Raises StackUnknown where the name
        cannot be one, or is not that of the settings. Asks neither engine nor backend.
        """
        if settings is not None and settings.name != short_name(name):
            raise StackUnknown(
                f"expected settings of stack {short_name(name)}, found settings of stack {settings.name}",
                "give it settings of its own",
            )
        short_name(name)
        provider = self._place.provider
        secrets = list(settings.secrets.values()) if settings is not None else []
        secrets += [provider.value] if isinstance(provider, Passphrase) else []
        place = Place(
            project_dir=self._place.project_dir,
            folder=self._place.folder,
            backend=self._place.backend,
            provider=provider,
            settings=settings,
            environ=self._place.environ,
        )
        environment = Environment(name, place, self._engine, self._limits, Redactor(secrets))
        with self._lock:
            self._opened.add(environment)
        return environment

    def settings_of_release(self, name: str, values: Mapping[str, Any]) -> EnvironmentSettings:
        """Config of a stack that is to take over a release of Helm or Helmsman: keys, database, and what it runs.

        values: what no release says (cluster, namespace), and what is to be otherwise. `Environment.adopt` then takes
        it over; keep the settings, secrets included, for every later `open`. Raises AdoptionRefused, SettingsInvalid,
        ClusterUnreachable, ClusterRequestFailed.
        """
        from automation.adoption.prepare import settings_of_release
        from automation.cluster.objects import ClusterObjects
        from automation.stacks.config import as_config
        from automation.stacks.stack_config import StackConfig

        texts = {f"{PROJECT}:{key}": as_config(item) for key, item in values.items() if not isinstance(item, Secret)}
        defaults = read_yaml(self._project_dir / "Pulumi.yaml").get("config") or {}
        texts.setdefault(f"{PROJECT}:namespace", defaults["namespace"]["default"])
        config = StackConfig.of(texts).reached(self._place.folder.work(name))
        cluster = ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)
        return settings_of_release(short_name(name), values, cluster, self._project_dir, config.namespace)

    @property
    def running(self) -> bool:
        """An operation of one of them is under way."""
        return any(environment.running for environment in self._all())

    @property
    def interrupted(self) -> bool:
        """One of them was told to stop."""
        return any(environment.interrupted for environment in self._all())

    def cancel(self) -> None:
        """Tells all that is under way to stop; see `Environment.cancel`."""
        for environment in self._all():
            environment.cancel()

    def _all(self) -> list[Environment]:
        return list(self._opened)

    def _engine(self) -> Engine:
        """One for each environment, so that each can be told to stop apart; found once. Raises EngineMissing."""
        with self._lock:
            if self._found is None:
                self._found = find_engine(self._project_dir, self._on_line)
            return self._found.another()
