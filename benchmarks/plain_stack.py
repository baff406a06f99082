"""A stack of the program that is thrown away: the real engine, plain `pulumi` commands, state and namespace of its own.

For benchmarks, and for the tests that need an engine or a cluster.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from components.kube.safe_yaml import load_yaml

CONTEXT: Final = "kind-airflow"
ROOT: Final = Path(__file__).parents[1]
SHIPPED: Final = ROOT / "tests" / "shipped"
UNCHANGED: Final = frozenset({"same", "read", "refresh"})
COMMAND_SECONDS: Final = 1500


def core_api() -> Any:
    """Return the Kubernetes SDK's client of the core API group, at the cluster of the tests."""
    from kubernetes.client import CoreV1Api

    from components.kube.kubeconfig import api_client

    return CoreV1Api(api_client(None, CONTEXT))


def pulumi() -> str | None:
    """Return the path of the engine's command: on PATH, or where its installer or `make dev` puts it."""
    places = [Path.home() / ".pulumi" / "bin" / "pulumi", ROOT / ".dev" / "pulumi" / "bin" / "pulumi"]
    return shutil.which("pulumi") or next((str(place) for place in places if place.is_file()), None)


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    """The exit code."""
    output: str
    """All that it wrote."""
    steps: tuple[str, ...] = ()
    """`operation type::name` of each resource that changed."""


@dataclass
class Stack:
    """One stack."""

    folder: Path
    """Holds its Pulumi.yaml, its config and its state."""
    namespace: str
    """Its own namespace."""
    name: str = "it"
    _runs: int = field(default=0, init=False)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "only for this test",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DEBUG_COMMANDS": "1",  # knows --event-log
        }

    def create(self, config: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Initialise the stack with the dev stack's config and `config` on top."""
        (self.folder / "state").mkdir(parents=True)
        project = load_yaml((ROOT / "Pulumi.yaml").read_text())
        project["main"] = str(ROOT)
        project["runtime"]["options"]["virtualenv"] = sys.prefix
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        shutil.copyfile(SHIPPED / "Pulumi.dev.yaml", self.folder / f"Pulumi.{self.name}.yaml")
        self.command("stack", "init", self.name)
        self.set(namespace=self.namespace, **config)
        for key, value in secrets.items():
            self.command("config", "set", "--secret", f"airflow:{key}", given=value)

    def set(self, **config: Any) -> None:
        """Set plain config keys; None removes one."""
        path = self.folder / f"Pulumi.{self.name}.yaml"
        content = load_yaml(path.read_text())
        for key, value in config.items():
            content["config"].pop(f"airflow:{key}", None)
            if value is not None:
                content["config"][f"airflow:{key}"] = value
        path.write_text(yaml.safe_dump(content))

    def command(self, *words: str, given: str | None = None, check: bool = True) -> Result:
        """Run any command of the engine. With `check`, it must succeed."""
        done = subprocess.run(
            [str(pulumi()), *words, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        result = Result(done.returncode, done.stdout + done.stderr)
        assert not check or done.returncode == 0, result.output[-6000:]
        return result

    def up(self, *, check: bool = True) -> Result:
        """Run `pulumi up`. With `check`, it must succeed."""
        return self._logged("up", "--yes", "--skip-preview", check=check)

    def preview(self) -> Result:
        return self._logged("preview", "--diff")

    def refresh(self) -> Result:
        return self._logged("refresh", "--yes", "--skip-preview")

    def _logged(self, *words: str, check: bool = True) -> Result:
        log = self.event_log()
        result = self.command(*words, "--event-log", str(log), check=check)
        return Result(result.code, result.output, steps(log))

    def outputs(self) -> dict[str, Any]:
        outputs: dict[str, Any] = json.loads(self.command("stack", "output", "--json").output)
        return outputs

    def export(self) -> str:
        """Return the state as it is stored, with encrypted secrets."""
        return self.command("stack", "export").output

    def event_log(self) -> Path:
        """Return a new file for the engine's events."""
        self._runs += 1
        return self.folder / f"events-{self._runs}.json"


def events(log: Path) -> Iterator[dict[str, Any]]:
    """Yield the engine's events so far, without a last line that is half written."""
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            return


def steps(log: Path, *, ended: bool = False) -> tuple[str, ...]:
    """Return `operation type::name` of every resource that an update changed or would change.

    Args:
        ended: Whether a step counts when it has ended, and not when it begins. Only then a refresh says what it found.
    """
    changed = []
    for event in events(log):
        metadata = (event.get("resOutputsEvent" if ended else "resourcePreEvent") or {}).get("metadata")
        if metadata and metadata["op"] not in UNCHANGED and not metadata["type"].startswith(("airflow:", "pulumi:")):
            changed.append(f"{metadata['op']} {metadata['type']}::{metadata['urn'].rsplit('::', 1)[1]}")
    return tuple(changed)


@dataclass(frozen=True)
class Repository:
    """Config of the DAG repository."""

    config: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secret config by key; no output of a failed test shows it."""


def dag_repository(**config: Any) -> Repository:
    """Return the DAG repository of `dev`, or the one that the environment names, with `config` beside it.

    tests/cluster/conftest.py describes the environment's variables.
    """
    url = os.environ.get("AIRFLOW_TEST_GIT_REPOSITORY")
    if not url:
        return Repository()
    return Repository(
        config={
            "dagsRepository": url,
            "dagsSubPath": os.environ.get("AIRFLOW_TEST_GIT_SUB_PATH", "dags"),
            "gitKnownHosts": Path(os.environ["AIRFLOW_TEST_GIT_KNOWN_HOSTS"]).read_text(),
            **config,
        },
        secrets={"gitSshPrivateKey": Path(os.environ["AIRFLOW_TEST_GIT_SSH_KEY"]).read_text()},
    )


def make_stack(folder: Path, namespace: str, repository: Repository, **secrets: str) -> Stack:
    """Return a stack that is not deployed yet."""
    stack = Stack(folder, namespace)
    # A plain `pulumi destroy` may wait as long as a worker may: see "Order of a destroy" in docs/architecture.md.
    config = {"adminPassword": None, "releaseTimeoutSeconds": 600, "workerGraceSeconds": 120, **repository.config}
    stack.create(config, {**repository.secrets, **secrets})
    return stack


def destroyed(stack: Stack) -> Iterator[Stack]:
    """Yield the stack, and leave nothing of it in the cluster."""
    try:
        yield stack
    finally:
        stack.command("cancel", "--yes", check=False)
        stack.command("destroy", "--yes", "--skip-preview")
