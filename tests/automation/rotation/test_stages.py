"""The stages: what they bring about in a deployment that is killed anywhere, and that none of them leaves a gap."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest

from automation.rotation.keys import KEYS
from automation.rotation.stage_lists import fernet_stages, login_stages, redis_stages, replacement_stages
from automation.rotation.stages import Encrypted, PodKey, RotationAction, RotationStage
from automation.stages.stage import next_stage

PODS: Final = ("api-server", "scheduler", "dag-processor", "triggerer")


@dataclass
class Deployment:
    """Pods that roll one after the other, and a database whose values are known by the key that encrypted them."""

    deployed: str | None
    running: dict[str, str] = field(default_factory=dict)
    ending: dict[str, str | None] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)
    foreign: tuple[str, ...] = ()
    accepted: bool = True
    signed_until: str = ""
    alone: bool = True
    apart: bool = True
    refusal: str = "401"

    def __post_init__(self) -> None:
        assert self.deployed is not None
        self.running = self.running or dict.fromkeys(PODS, self.deployed)

    @property
    def pods(self) -> tuple[PodKey, ...]:
        running = (PodKey(name=name, component=name, value=value) for name, value in self.running.items())
        ending = (PodKey(name=f"old-{n}", component=n, value=v, ending=True) for n, v in self.ending.items())
        return (*running, *ending)

    @property
    def encrypted(self) -> Encrypted:
        return Encrypted(read={key: self.values.count(key) for key in set(self.values)}, unread=self.foreign)

    def write_from_every_pod(self) -> None:
        """Every pod stores a value, and every pod must read all that is stored."""
        self.values += [value.split(",")[0] for value in self.running.values()]
        stored = set(self.values)
        for name, value in self.running.items():
            assert stored <= set(value.split(",")), f"{name} cannot read what another pod stored"

    def do(self, stage: RotationStage) -> Iterator[str]:
        """Do a stage in steps, after each of which it may be killed."""
        if stage.doing is RotationAction.RENEW:
            keys = self.running["scheduler"].split(",")
            for index, key in enumerate(tuple(self.values)):
                assert key in keys
                self.values[index] = keys[0]
                yield "a value"
            return
        for name in PODS:
            self.running[name] = stage.value
            yield name
        self.deployed = stage.value
        yield "the update"


def stages_of(deployment: Deployment) -> tuple[RotationStage, ...]:
    """As a run finds them that was begun after a kill: the config has the value of the stage that was begun last."""
    config = list(dict.fromkeys(key for value in deployment.running.values() for key in value.split(",")))
    return fernet_stages([key for key in config if key != "new"], "new")


def run(deployment: Deployment, stages: Sequence[RotationStage], kill_after: int) -> int:
    """Run until the end, or for so many steps; the number of steps that were done."""
    done = 0
    while (found := next_stage(stages, deployment)) is not None:
        for _ in deployment.do(found[1]):
            deployment.write_from_every_pod()
            done += 1
            if done == kill_after:
                return done
    return done


def test_fernet_rotation_has_no_gap_and_ends_alike_wherever_it_is_killed() -> None:
    whole = Deployment("old", values=["old", "old"])
    steps = run(whole, fernet_stages(["old"], "new"), kill_after=0)
    assert steps > 15
    for moment in range(1, steps + 1):
        found = Deployment("old", values=["old", "old"])
        run(found, fernet_stages(["old"], "new"), kill_after=moment)
        run(found, stages_of(found), kill_after=0)
        assert (found.deployed, set(found.running.values()), set(found.values)) == ("new", {"new"}, {"new"}), moment


def test_stages_of_fernet_keep_every_key_until_the_last() -> None:
    stages = fernet_stages(["a", "b"], "new")
    assert [stage.value for stage in stages] == ["a,b,new", "new,a,b", "", "new"]
    assert [stage.doing for stage in stages] == [
        RotationAction.UPDATE,
        RotationAction.UPDATE,
        RotationAction.RENEW,
        RotationAction.UPDATE,
    ]


@pytest.mark.parametrize("left", ["old", None])
def test_pod_that_is_ending_still_counts_for_the_fernet_key(left: str | None) -> None:
    """Its processes may yet read what a pod of the next stage encrypts. Its Secret may be gone already."""
    found = Deployment("old,new", ending={"api-server": left})
    number, stage = next_stage(fernet_stages(["old"], "new"), found) or (0, None)
    assert number == 1
    assert stage is not None
    assert stage.lacks(found) == "pods that run with another value: old-api-server"
    found.ending.clear()
    assert (next_stage(fernet_stages(["old"], "new"), found) or (0, None))[0] == 2


def test_update_that_did_not_come_to_its_end_is_not_done() -> None:
    """Its pods may all be there: what the stack's state says is not."""
    found = Deployment("old", running=dict.fromkeys(PODS, "old,new"))
    assert (next_stage(fernet_stages(["old"], "new"), found) or (0, None))[0] == 1
    found.deployed = None
    assert (next_stage(fernet_stages(["old"], "new"), found) or (0, None))[0] == 1


def test_old_key_is_not_dropped_while_a_value_needs_it_or_none_reads_one() -> None:
    stages = fernet_stages(["old"], "new")
    for found, lacking in (
        (Deployment("new,old", values=["new", "old"]), "1 values need the old key"),
        (Deployment("new,old", values=["new"], foreign=("variable x",)), "values that no key reads: variable x"),
    ):
        number, stage = next_stage(stages, found) or (0, stages[0])
        assert (number, stage.lacks(found)) == (3, lacking)


def test_replaced_key_does_not_wait_for_pods_that_are_ending() -> None:
    [stage] = replacement_stages(["old"], "new")
    found = Deployment("new", ending={"worker": "old"})
    assert stage.lacks(found) == ""
    found.running["scheduler"] = "old"
    assert "scheduler" in stage.lacks(found)


@dataclass
class Redis:
    """Redis and its clients. What it was told while it runs, it forgets when it restarts."""

    own: str = "old"
    told: set[str] = field(default_factory=set)
    clients: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("scheduler", "worker"), "old"))
    beside: str = ""
    config: str = "old"
    deployed: str | None = "old"
    encrypted = Encrypted(read={})
    signed_until = ""
    alone = True
    apart = True

    @property
    def accepted(self) -> bool:
        return "new" in {self.own, *self.told}

    @property
    def pods(self) -> tuple[PodKey, ...]:
        return tuple(
            PodKey(name=name, component=name, value=value)
            for name, value in {**self.clients, "redis": self.own}.items()
        )

    def do(self, stage: RotationStage) -> Iterator[str]:
        self.beside = self.beside if stage.beside is None else stage.beside
        self.config = stage.value or self.config
        yield "the config"
        if stage.doing is RotationAction.ADMIT:
            self.told.add("new")
            yield "told"
            return
        for name in self.clients:
            self.clients[name] = self.config
            yield name
        if self.own != (self.beside or self.config):
            self.own, self.told = self.beside or self.config, set()
        yield "Redis"
        self.deployed = self.own
        yield "the update"


def test_no_client_of_redis_is_refused_wherever_the_rotation_is_killed_or_redis_restarts() -> None:
    for restart in (0, 3, 4, 5):
        for kill in range(1, 14):
            found, done = Redis(), 0
            for _ in range(20):
                old = [] if found.config == "new" else ["old"]
                following = next_stage(redis_stages(old, "new"), found)
                if following is None:
                    break
                for _ in found.do(following[1]):
                    done += 1
                    if done == restart:
                        found.told = set()
                    elif done != restart + 1:
                        refused = {value for value in found.clients.values() if value not in {found.own, *found.told}}
                        assert not refused or restart, (kill, done)
                    if done == kill:
                        break
            assert (found.own, set(found.clients.values()), found.beside) == ("new", {"new"}, ""), (restart, kill)
            assert found.deployed == "new", (restart, kill)


def test_password_is_rotated_when_airflow_accepts_it() -> None:
    [stage] = login_stages(["old"], "new")
    assert "not deployed" in stage.lacks(Deployment("old"))
    assert "does not accept" in stage.lacks(Deployment("new", accepted=False))
    assert stage.lacks(Deployment("new")) == ""


def test_no_text_of_a_stage_shows_a_key() -> None:
    for key in KEYS.values():
        old, new = (secrets.token_hex(20) if key.given else key.make() for _ in range(2))
        assert old != new
        stages = key.stages([old], new)
        found = Deployment(old, ending={"worker": old}, accepted=False)
        shown = repr(stages) + "".join(stage.text + stage.lacks(found) for stage in stages) + repr(found.pods)
        assert old not in shown
        assert new not in shown


def test_no_stage_of_any_key_is_proved_by_pods_that_do_not_run() -> None:
    """On a stack that was scaled to nothing each rotation would otherwise end at once, and have changed nothing."""
    for name, key in KEYS.items():
        nothing = Deployment("old", values=["old"], running={"x": "old"})
        nothing.running.clear()
        stages = key.stages(["old"], "new")
        assert next_stage(stages, nothing) is not None, name
        for stage in stages:
            if stage.doing is RotationAction.UPDATE and stage.value:
                assert stage.lacks(nothing), (name, stage.text)
