"""States of stacks as releases of this program left them, and the engine without a cluster that made them.

    python -m tests.upgrade.releases CHECKOUT RELEASE

makes the stacks `dev`, `external` and `prod` by the program in a checkout of the release, and writes their states to
`states/RELEASE/STACK.json`. Nothing is deployed anywhere (`tests/prod/kubernetes_stand_in.py`). The secrets in a state
are made up by the engine for it alone, and encrypted with `PASSPHRASE`. `prod` needs the AWS plugin, and is left out
without it.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from automation.engine.plugins import AWS, missing
from benchmarks.plain_stack import Result, pulumi, steps
from components.kube.safe_yaml import load_yaml
from tests.prod.account import Account, running
from tests.prod.kubernetes_stand_in import StandIn, kubernetes_stand_in, outputs_of
from tests.samples import ROOT, ssh_private_key

STATES: Final = Path(__file__).parent / "states"
STACKS: Final = ("dev", "external", "prod")
PASSPHRASE: Final = "only for the recorded states of the tests"
CONTEXT: Final = "kind-airflow"
_NOISE: Final = ("stackTrace", "sourcePosition", "created", "modified", "propertyDependencies")
"""What a state holds for people, of which nothing follows."""
_KUBERNETES: Final = "kubernetes:"
_SECONDS: Final = 600


@dataclass
class Offline:
    """A stack of a program, in a folder of its own, on a Kubernetes in which nothing exists."""

    folder: Path
    program: Path
    name: str
    kubernetes: StandIn
    account: Account | None
    _runs: int = field(default=0, init=False)

    def prepare(self, config: Mapping[str, Any]) -> None:
        """Write the project and the stack's file."""
        (self.folder / "state").mkdir(parents=True)
        project = load_yaml((self.program / "Pulumi.yaml").read_text())
        project["main"] = str(self.program)
        project["runtime"]["options"]["virtualenv"] = sys.prefix
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        (self.folder / "kubeconfig").write_text(self.kubernetes.kubeconfig(CONTEXT))
        self.file.write_text(yaml.safe_dump(dict(config)))
        self.run("stack", "init", self.name)

    @property
    def file(self) -> Path:
        return self.folder / f"Pulumi.{self.name}.yaml"

    def run(self, *words: str, given: str | None = None, check: bool = True, real: bool = False) -> Result:
        """Run a command of the engine. `real`: with the Kubernetes provider itself, not the one that makes nothing."""
        self._runs += 1
        log = self.folder / f"events-{self._runs}.json"
        environment = {
            **(self.account.environment() if self.account else os.environ),
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DEBUG_COMMANDS": "1",  # knows --event-log
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            **({} if real else {"PULUMI_DEBUG_PROVIDERS": self.kubernetes.provider}),
        }
        logged = ["--event-log", str(log)] if words[0] in ("up", "preview") else []
        done = subprocess.run(
            [str(pulumi()), *words, *logged, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        result = Result(done.returncode, done.stdout + done.stderr, steps(log))
        assert not check or done.returncode == 0, result.output[-6000:]
        return result


@contextmanager
def offline(program: Path, name: str, folder: Path) -> Iterator[Offline]:
    """Yield a stack that is not there yet; `prod` has an account of its own."""
    with kubernetes_stand_in(program) as kubernetes:
        if name != "prod":
            yield Offline(folder / "stack", program, name, kubernetes, None)
            return
        with running(folder / "aws") as account:
            account.seed(kubernetes.endpoint, "", "10.0.0.0/16", ("10.0.64.0/20", "10.0.80.0/20", "10.0.96.0/20"))
            # Nobody is refused anything: today's policies bound roles, which earlier releases did not.
            yield Offline(folder / "stack", program, name, kubernetes, account)


def config_of(program: Path, name: str) -> dict[str, Any]:
    """Return the content of a stack's file, as the release shipped it; `external` is `prod` without AWS."""
    shipped = program / "tests" / "shipped"
    content: dict[str, Any] = load_yaml((shipped / f"Pulumi.{'dev' if name == 'dev' else 'prod'}.yaml").read_text())
    if name == "external":
        config = content["config"]
        for key in [key for key in config if key.startswith(("airflow:aws", "airflow:database", "airflow:ingress"))]:
            del config[key]
        for key in ("airflow:eksCluster", "airflow:keyEscrow", "airflow:taskLogs"):
            del config[key]
        config |= {
            "airflow:kubeContext": CONTEXT,
            "airflow:database": "external",
            "airflow:databaseHost": "airflow.example.com",
            "airflow:databaseCidrs": ["10.1.0.0/24"],
            "airflow:databaseSslMode": "require",
            "airflow:databaseMaxConnections": 800,
            "airflow:ingressHost": "airflow.example.com",
            "airflow:ingressClass": "nginx",
            "airflow:ingressTlsSecret": "airflow-tls",
            "airflow:taskLogs": "volume",
        }
    return content


def secrets_of(name: str) -> dict[str, str]:
    """Return the secret config that a stack needs beside its file."""
    if name == "dev":
        return {}
    return {"gitSshPrivateKey": ssh_private_key(), **({"databasePassword": "made-up"} if name == "external" else {})}


def record(program: Path, name: str, folder: Path) -> dict[str, Any]:
    """Deploy a stack by a program and return its file and its state."""
    with offline(program, name, folder) as stack:
        stack.prepare(config_of(program, name))
        for key, value in secrets_of(name).items():
            stack.run("config", "set", "--secret", f"airflow:{key}", given=value)
        stack.run("up", "--yes", "--skip-preview")
        deployment = json.loads(stack.run("stack", "export").output.partition("\nwarning:")[0])["deployment"]
        network = _network(stack.account)
        return {"file": load_yaml(stack.file.read_text()), "network": network, "deployment": stripped(deployment)}


def stripped(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state without what is for people, and without what `whole` adds again."""
    small = {key: value for key, value in copy.deepcopy(dict(deployment)).items() if key != "metadata"}
    for resource in small["resources"]:
        for key in _NOISE:
            resource.pop(key, None)
        if resource["type"].startswith(_KUBERNETES):
            del resource["outputs"]
    return small


def whole(recorded: Mapping[str, Any], account: Account | None) -> dict[str, Any]:
    """Return the state that was recorded, in the network that the account has now."""
    deployment = copy.deepcopy(dict(recorded["deployment"]))
    for resource in deployment["resources"]:
        if resource["type"].startswith(_KUBERNETES):
            resource["outputs"] = outputs_of(resource["type"], resource["inputs"])
    text = json.dumps({"version": 3, "deployment": deployment})
    for before, now in zip(recorded["network"], _network(account), strict=True):
        text = text.replace(before, now)
    return dict(json.loads(text))


def as_text(recorded: Mapping[str, Any]) -> str:
    """Return a record with one resource on a line, so that it stays small and two of them can be compared."""
    *rest, last = recorded["deployment"]["resources"]
    head = {**recorded, "deployment": {**recorded["deployment"], "resources": []}}
    lines = [*(json.dumps(resource, sort_keys=True) + "," for resource in rest), json.dumps(last, sort_keys=True)]
    return json.dumps(head).replace('"resources": []', '"resources": [\n' + "\n".join(lines) + "\n]") + "\n"


def _network(account: Account | None) -> list[str]:
    """Return the ids of the VPC, its subnets and the cluster's security group, in a fixed order."""
    if account is None:
        return []
    network = account.client("eks").describe_cluster(name="example")["cluster"]["resourcesVpcConfig"]
    return [network["vpcId"], network["clusterSecurityGroupId"], *network["subnetIds"]]


def main() -> None:
    """Record a release."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade.releases")
    parser.add_argument("checkout", type=Path, help="a checkout of the release, such as a worktree of its commit")
    parser.add_argument("release", help="its name: the folder of its states")
    parser.add_argument("--stack", choices=STACKS, action="append", help="only this one; default: all")
    given = parser.parse_args()
    folder = STATES / given.release
    folder.mkdir(parents=True, exist_ok=True)
    for name in given.stack or STACKS:
        if name == "prod" and missing((AWS,), os.environ):
            print("prod: left out, the AWS plugin is not here")
            continue
        with tempfile.TemporaryDirectory() as work:
            recorded = record(given.checkout.resolve(), name, Path(work))
        path = folder / f"{name}.json"
        path.write_text(as_text(recorded))
        print(f"{path.relative_to(ROOT)}: {len(recorded['deployment']['resources'])} resources")


if __name__ == "__main__":
    main()
