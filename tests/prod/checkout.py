"""A checkout of its own, in which the committed stack `prod` is deployed by the commands of the documentation."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.plain_stack import Result, events, pulumi, steps
from tests.checkout_copy import copy_checkout
from tests.prod.account import BOUNDARY, DEPLOYER, REGION, STATE_BUCKET, STATE_KEY, Account
from tests.prod.emulator.rights import ACCOUNT
from tests.prod.runbook import Block, blocks
from tests.samples import ROOT, ssh_private_key

COMMAND_SECONDS: Final = 1800
SHIPPED: Final = ROOT / "tests" / "shipped" / "Pulumi.prod.yaml"
STATE: Final = f"s3://{STATE_BUCKET}?region={REGION}"
_SET_UP: Final = blocks("runbooks/first-production-deployment.md", "Steps")[0]
_INIT, _DEPLOY_KEY = (
    line for line in _SET_UP.text.splitlines() if line.startswith("pulumi stack init") or "gitSshPrivateKey" in line
)
"""Without the two commands after them, Airflow logs in as the master user."""


@dataclass
class Checkout:
    """A copy of this repository with one stack of it."""

    folder: Path
    account: Account
    more: Mapping[str, str] = field(default_factory=dict)
    """Variables of the environment beside those of the account."""
    stack: str = "prod"
    path: Sequence[Path] = ()
    """Folders before this machine's PATH."""
    _runs: int = field(default=0, init=False)

    @property
    def environment(self) -> dict[str, str]:
        engine = pulumi()
        folders = [*map(str, self.path), str(ROOT / ".venv" / "bin"), os.environ["PATH"]]
        # Where `make dev` has put it, it is not on PATH.
        path = os.pathsep.join([*folders, *([str(Path(engine).parent)] if engine else [])])
        return {
            **self.account.environment(),
            "PULUMI_BACKEND_URL": STATE,
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_COMMANDS": "1",  # knows --event-log
            "PULUMI_SKIP_CONFIRMATIONS": "true",  # a person answers yes
            **self.more,
            "PATH": path,
        }

    def copy(self) -> None:
        """Copy what is committed, and the environment by a link."""
        copy_checkout(self.folder)
        shutil.copy2(SHIPPED, self.file)

    def init(self, deploy_key: str | None = None, **config: Any) -> None:
        """Make the stack as its runbook says, with a deploy key (None makes one up), and `config` on top."""
        named = {"prod": self.stack}
        self.run(Block("", _INIT).filled({**named, "KEY": STATE_KEY}))
        self.set(awsPermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY}", **config)
        (self.folder / "deploy_key").write_text(deploy_key or ssh_private_key())
        self.run(Block("", _DEPLOY_KEY).filled(named))
        (self.folder / "deploy_key").unlink()

    @property
    def file(self) -> Path:
        return self.folder / f"Pulumi.{self.stack}.yaml"

    def set(self, **config: Any) -> None:
        """Set plain config keys; None removes one."""
        content = yaml.safe_load(self.file.read_text())
        for key, value in config.items():
            content["config"].pop(f"airflow:{key}", None)
            if value is not None:
                content["config"][f"airflow:{key}"] = value
        self.file.write_text(yaml.safe_dump(content))

    def run(
        self,
        command: str | Sequence[str],
        *,
        given: str | None = None,
        check: bool = True,
        access_key: str = DEPLOYER,
    ) -> Result:
        """Run a command, or lines of a shell, in the checkout; by the deploying role, or by the access key's owner."""
        shell = ["bash", "-euo", "pipefail", "-c", command] if isinstance(command, str) else list(command)
        done = subprocess.run(
            shell,
            cwd=self.folder,
            env={**self.environment, "AWS_ACCESS_KEY_ID": access_key},
            input=given,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        result = Result(done.returncode, done.stdout + done.stderr)
        assert not check or done.returncode == 0, f"{command}\n{result.output[-6000:]}"
        return result

    def pulumi(self, *words: str, given: str | None = None, check: bool = True) -> Result:
        return self.run(["pulumi", *words, "--non-interactive", "--color", "never"], given=given, check=check)

    def up(self, *words: str, check: bool = True) -> Result:
        return self._logged("up", "--yes", "--skip-preview", *words, check=check)

    def preview(self, *words: str, check: bool = True) -> Result:
        return self._logged("preview", "--diff", *words, check=check)

    def refresh(self) -> Result:
        """Return what was found otherwise than in the state."""
        return self._logged("refresh", "--yes", "--skip-preview", ended=True)

    def destroy(self, *words: str, check: bool = True) -> Result:
        return self._logged("destroy", "--yes", "--skip-preview", *words, check=check)

    def _logged(self, *words: str, check: bool = True, ended: bool = False) -> Result:
        self._runs += 1
        log = self.folder / f"events-{self._runs}.json"
        started = time.monotonic()
        result = self.pulumi(*words, "--stack", self.stack, "--event-log", str(log), check=check)
        print(f"{words[0]}: exit {result.code} after {time.monotonic() - started:.0f} s", flush=True)
        return Result(result.code, result.output, steps(log, ended=ended))

    def outputs(self) -> dict[str, Any]:
        shown = self.run(["pulumi", "stack", "output", "--stack", self.stack, "--json"])
        return dict(json.loads(shown.output))

    def export(self) -> dict[str, Any]:
        """Return the state as it is stored, with encrypted secrets."""
        return dict(json.loads(self.run(["pulumi", "stack", "export", "--stack", self.stack]).output)["deployment"])

    def resource(self, kind: str, name: str) -> dict[str, Any]:
        """Return a resource of the state by type and name."""
        found = [
            item for item in self.export()["resources"] if item["type"] == kind and item["urn"].endswith(f"::{name}")
        ]
        assert len(found) == 1, (kind, name, len(found))
        return dict(found[0])

    def errors(self) -> Iterator[str]:
        """Yield the errors of the last update."""
        for event in events(self.folder / f"events-{self._runs}.json"):
            said = event.get("diagnosticEvent") or {}
            if said.get("severity") == "error":
                yield re.sub(r"<\{%.*?%\}>", "", said["message"])


def document_in(output: str) -> dict[str, Any]:
    """Return the JSON document of a verb, which progress stands around."""
    document, _ = json.JSONDecoder().raw_decode(output[output.index("{") :])
    return dict(document)
