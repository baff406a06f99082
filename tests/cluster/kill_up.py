"""Kills updates with SIGKILL at random moments, and recovers what is left: `python -m tests.cluster.kill_up`.

In turn, a round deploys the stack `dev`, rolls its image, or destroys it, in a process of its own, kills that process
and its engine at a random moment, by chance with all that they started, and recovers in another process. Recovered
means: `recover` alone brings the stack to healthy, every generated key and every Secret that was there is byte for byte
the same, no object is there twice, nothing is left to change, and a DAG runs to success. Every second destroy is begun
again instead, and must leave nothing. Needs the engine and the cluster; see conftest.py for the DAG repository. Exit
code 1 where a round failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from automation import Environment
from automation.engine.events import Event
from automation.engine.processes import Process, processes
from automation.errors import AutomationError, StackUnknown
from automation.verification.dag_run import DAG_RUN
from automation.verification.result import Check, Status
from tests.cluster import service
from tests.cluster.harness import ROOT, core_api, dag_repository, pulumi

NAMESPACE: Final = "airflow-env-kill"
STACK: Final = "kill"
TAGS: Final = ("3.2.2", "3.2.2-python3.12")
CREATE: Final = "create"
ROLL: Final = "roll"
DESTROY: Final = "destroy"
STATUS: Final = "status"
_SECONDS: Final = {CREATE: 75.0, ROLL: 60.0, DESTROY: 30.0}
"""About as long as each takes, in their order: moments are chosen in it."""
_CHILD_SECONDS: Final = 1500
_SETTLED_SECONDS: Final = 5.0
"""What the killed process had asked the cluster for has happened by then."""


@dataclass
class Round:
    """One kill. moment: seconds after the start. last: what was told last. problems: none where it was recovered."""

    kind: str
    moment: float
    whole: bool
    last: str = ""
    plan: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        what = "everything" if self.whole else "engine only"
        result = "recovered" if not self.problems else "; ".join(self.problems)
        return f"{self.kind:<7} {self.moment:5.1f} s  {what:<11}  {self.last:<50}  {self.seconds:5.1f} s  {result}"


@dataclass(frozen=True)
class Keys:
    """generated: results of the random resources in the state, by URN. secrets: of the cluster, by name. claims: names.

    Its `repr` shows names only.
    """

    generated: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    claims: frozenset[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs all rounds and prints what became of each."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.kill_up", description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=10, help="rounds; default: %(default)s")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; default: another one each time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rounds there")
    parser.add_argument("--child", nargs=3, metavar=("FOLDER", "VERB", "TAG"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        return _child(Path(given.child[0]), given.child[1], given.child[2])
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        rounds = run(Path(folder), given.times, random.Random(seed))
    for number, found in enumerate(rounds, 1):
        print(f"{number:>2}  {found}", flush=True)
    recovered = sum(not found.problems for found in rounds)
    print(f"{recovered} of {len(rounds)} recovered", flush=True)
    if given.json:
        given.json.write_text(json.dumps([vars(found) for found in rounds], indent=2))
    return 0 if recovered == len(rounds) else 1


def run(folder: Path, times: int, chance: random.Random) -> list[Round]:
    """Rounds in a folder of their own. Afterwards nothing of them is in the cluster."""
    api = core_api()
    rounds, tag = [], TAGS[0]
    env = environment(folder, tag)
    with service.removed(env, api, NAMESPACE):
        for number in range(times):
            kind, turn = list(_SECONDS)[number % len(_SECONDS)], number // len(_SECONDS)
            if kind == CREATE:
                with contextlib.suppress(StackUnknown):
                    env.destroy(remove=True)
            if kind == ROLL:
                tag = TAGS[1 - TAGS.index(tag)]
            found = Round(kind=kind, moment=chance.uniform(0.5, _SECONDS[kind]), whole=chance.random() < 0.5)
            rounds.append(found)
            tag = _round(found, folder, tag, api, again=kind == DESTROY and turn % 2 == 0)
            print(f"{number + 1:>2}  {found}", flush=True)
            env = environment(folder, tag)
    return rounds


def _round(found: Round, folder: Path, tag: str, api: Any, *, again: bool) -> str:
    """Kills, recovers and compares. Returns the image tag that the stack then has. again: destroy, do not recover."""
    env = environment(folder, tag)
    while not _killed(found, folder, tag):
        # It had come to its end: another moment of another update.
        found.moment *= 0.7
        if found.kind == CREATE:
            env.destroy(remove=True)
        elif found.kind == DESTROY:
            env.up()
        else:
            tag = TAGS[1 - TAGS.index(tag)]
            env = environment(folder, tag)
    time.sleep(_SETTLED_SECONDS)
    before = keys(folder, api)
    started, verb = time.monotonic(), DESTROY if again else "recover"
    done = subprocess.run(
        command(folder, verb, tag), cwd=ROOT, capture_output=True, text=True, timeout=_CHILD_SECONDS, check=False
    )
    found.seconds = time.monotonic() - started
    found.plan = [line for line in done.stdout.splitlines() if line.startswith("will ")]
    if done.returncode:
        found.problems.append(f"{verb}: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
        print(done.stdout, done.stderr, flush=True)
        return tag
    if again:
        found.problems += leftovers(keys(folder, api), api)
        return tag
    found.problems += differences(before, keys(folder, api))
    found.problems += health(env)
    return tag


def _killed(found: Round, folder: Path, tag: str) -> bool:
    """Starts the update and kills it; whether it was still running."""
    log, verb = folder / "events.txt", DESTROY if found.kind == DESTROY else "up"
    with log.open("w") as output:
        process = subprocess.Popen(command(folder, verb, tag), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        process.wait(found.moment)
        return False
    except subprocess.TimeoutExpired:
        pass
    kill(process.pid, whole=found.whole)
    process.wait()
    found.last = (log.read_text().strip().splitlines() or ["nothing yet"])[-1][:50]
    return True


def kill(pid: int, *, whole: bool) -> None:
    """Kills a process and its engine; with `whole` all that they started too, as where a machine is switched off."""
    victims = list(_below(pid, processes()))
    engines = [victim for victim in victims if victim.is_engine]
    # The engine first: told of its parent's death it might still write.
    for victim in [*(item.pid for item in (victims if whole else engines)), pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


def _below(pid: int, found: Iterable[Process]) -> Iterable[Process]:
    """All that a process started, and what that did."""
    everything = tuple(found)
    for process in everything:
        if process.parent == pid:
            yield process
            yield from _below(process.pid, everything)


def health(environment: Environment) -> list[str]:
    """What is wrong with a stack that was recovered: status, changes that are left, and verification with a DAG run."""
    try:
        status = environment.status()
        problems = list(status.problems)
        changes = environment.preview().changes
        problems += [f"left to change: {changes}"] if changes.any else []
        return problems + [
            f"{check.name}: {check.detail}" for check in environment.verify().checks if not _holds(check)
        ]
    except AutomationError as error:
        return [error.what]


def _holds(check: Check) -> bool:
    """A DAG must have run: where none was chosen, that is no more than a warning."""
    return check.status is Status.PASSED if check.name == DAG_RUN else check.status is not Status.FAILED


def differences(before: Keys, after: Keys) -> list[str]:
    """What was lost, made anew, or is there twice."""
    problems = [
        f"generated anew: {urn}" for urn, value in before.generated.items() if after.generated.get(urn) != value
    ]
    problems += [f"Secret changed: {name}" for name, data in before.secrets.items() if after.secrets.get(name) != data]
    # The stack's own: of the database, and of task logs.
    own = [name for name in after.claims if name.startswith("airflow-")]
    problems += [f"volume lost: {name}" for name in before.claims - after.claims]
    problems += [f"volumes: {', '.join(sorted(own))}"] if len(own) > 2 else []
    return problems


def leftovers(left: Keys, api: Any) -> list[str]:
    """What a destroy has left."""
    problems = [f"in the state: {urn}" for urn in left.generated]
    there = NAMESPACE in {item.metadata.name for item in api.list_namespace().items}
    return [*problems, *([f"namespace {NAMESPACE}"] if there else [])]


def keys(folder: Path, api: Any) -> Keys:
    """As state and cluster have them now."""
    variables = {
        **os.environ,
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": service.PASSPHRASE,
    }
    words = ["stack", "export", "--show-secrets", "--stack", STACK, "--non-interactive"]
    work_dir = folder / "work" / STACK
    resources: list[dict[str, Any]] = []
    if work_dir.is_dir():
        done = subprocess.run(
            [str(pulumi()), *words], cwd=work_dir, env=variables, capture_output=True, text=True, check=False
        )
        resources = json.loads(done.stdout)["deployment"].get("resources") or [] if done.returncode == 0 else []
    there = NAMESPACE in {item.metadata.name for item in api.list_namespace().items}
    claims = api.list_namespaced_persistent_volume_claim(NAMESPACE).items if there else []
    return Keys(
        generated={
            item["urn"]: json.dumps(item["outputs"], sort_keys=True)
            for item in resources
            if item["type"].startswith("random:")
        },
        secrets=service.own_secrets(api, NAMESPACE) if there else {},
        claims=frozenset(claim.metadata.name for claim in claims),
    )


def command(folder: Path, verb: str, tag: str) -> list[str]:
    """Of another process that does this to the stack."""
    return [sys.executable, "-m", "tests.cluster.kill_up", "--child", str(folder), verb, tag]


def _child(folder: Path, verb: str, tag: str) -> int:
    """What is killed, what recovers, and what looks at it."""

    def tell(event: Event) -> None:
        print(event.text.splitlines()[0], flush=True)

    env = environment(folder, tag)
    try:
        if verb == "up":
            env.up(on_event=tell)
        elif verb == STATUS:
            print(json.dumps(env.status().to_json()))
        elif verb == DESTROY:
            with contextlib.suppress(StackUnknown):  # it was killed when all was done
                env.destroy(remove=True, on_event=tell)
        else:
            env.recover(on_event=tell)
    except AutomationError as error:
        print(f"{error.kind}: {error}", flush=True)
        return 1
    return 0


def environment(folder: Path, tag: str) -> Environment:
    """The stack, with the image tag."""
    settings = service.settings(STACK, NAMESPACE, dag_repository(dagsSyncPeriodSeconds=5), imageTag=tag)
    return service.environments(folder, lock_seconds=30).open(STACK, settings)


if __name__ == "__main__":
    sys.exit(main())
