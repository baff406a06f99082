"""The stages of the JWT secret: wherever a rotation is killed, no API server refuses a token that is still valid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from automation.rotation.keys import KEYS
from automation.rotation.stage_lists import jwt_stages
from automation.rotation.stages import Encrypted, PodKey, RotationAction, RotationStage
from automation.stages.stage import next_stage
from components.keys.jwt_keys import accepted, jwt_secrets, key_set

OLD: Final = "o" * 64
NEW: Final = "n" * 64
SIGNERS: Final = ("api-server", "scheduler")


@dataclass
class Deployment:
    """An API server and a scheduler, and the secrets of tokens that are still valid."""

    config: str = OLD
    beside: str = ""
    signs: dict[str, str] = field(default_factory=lambda: dict.fromkeys(SIGNERS, OLD))
    key_set: str | None = field(default_factory=lambda: key_set((OLD,)))
    """None in a deployment of a version that had no set: it accepts what it signs with."""
    ending: tuple[str, str | None] | None = None
    """What an API server signs with and accepts that is being deleted."""
    tokens: set[str] = field(default_factory=lambda: {OLD})
    until: bool = False
    deployed: str = OLD
    encrypted = Encrypted(read={})
    accepted = False
    alone = False
    apart = False
    refusal = ""

    @property
    def signed_until(self) -> str:
        return "" if self.until else "later"

    @property
    def pods(self) -> tuple[PodKey, ...]:
        servers = [("api-server", False, self.signs["api-server"], self.key_set)]
        servers += [("api-server-old", True, *self.ending)] if self.ending else []
        found = [PodKey(name="scheduler", component="scheduler", value=self.signs["scheduler"])]
        for name, ending, signs, keys in servers:
            found.append(PodKey(name=name, component="api-server", value=signs, ending=ending))
            if keys is not None:
                value = ",".join(accepted(keys))
                found.append(PodKey(name=name, component="api-server", value=value, ending=ending, accepts=True))
        return tuple(found)

    def check(self) -> None:
        self.tokens |= set(self.signs.values())
        for signs, keys in ((self.signs["api-server"], self.key_set), *([self.ending] if self.ending else [])):
            # A server without a set ignores the id, and one with a set accepts old tokens without an id.
            assert self.tokens <= set(accepted(keys) if keys else (signs,)), "a valid token is refused"

    def do(self, stage: RotationStage) -> Iterator[str]:
        """Do a stage in steps, after each of which it may be killed."""
        self.beside = self.beside if stage.beside is None else stage.beside
        yield "beside"
        self.config = stage.value or self.config
        yield "the value"
        if stage.doing is RotationAction.WAIT:
            self.until, self.tokens = True, set(self.signs.values())
            yield "waited"
            return
        secrets = jwt_secrets(self.config)
        now = key_set(secrets, self.beside)
        if (now, secrets[0]) != (self.key_set, self.signs["api-server"]):
            self.ending = (self.signs["api-server"], self.key_set)
            self.key_set, self.signs["api-server"] = now, secrets[0]
            yield "a new API server beside the old one"
            self.ending = None
        self.signs["scheduler"] = secrets[0]
        yield "the scheduler"
        self.deployed = secrets[0]
        yield "the update"


def run(found: Deployment, *, kill: int) -> int:
    done = 0
    found.ending = None  # what an earlier run left has come to its end
    for _ in range(10):
        values = jwt_secrets(found.config)
        known = (*values, found.beside)
        old = [value for value in values if value != NEW]
        following = next_stage(jwt_stages(old, NEW), found)
        if following is None:
            return done
        assert done == 0 or NEW in known
        for _step in found.do(following[1]):
            found.check()
            done += 1
            if done == kill:
                return done
    raise AssertionError("the rotation has no end")


def test_rotation_has_no_gap_and_ends_alike_wherever_it_is_killed() -> None:
    steps = run(Deployment(), kill=0)
    assert steps > 12
    for moment in range(1, steps + 1):
        found = Deployment()
        run(found, kill=moment)
        run(found, kill=0)
        assert (found.config, found.beside, set(found.signs.values())) == (NEW, "", {NEW}), moment
        assert (accepted(found.key_set or ""), found.deployed) == ((NEW,), NEW), moment


def test_stack_without_a_set_gets_one_before_anything_signs_with_the_new_secret() -> None:
    found = Deployment(key_set=None)
    number, stage = next_stage(jwt_stages([OLD], NEW), found) or (0, None)
    assert stage is not None
    assert (number, stage.lacks(found)) == (1, "API servers that accept other secrets: api-server")
    run(found, kill=0)
    assert accepted(found.key_set or "") == (NEW,)


def test_server_that_is_ending_still_counts() -> None:
    found = Deployment(key_set=key_set((OLD,), NEW), ending=(OLD, key_set((OLD,))))
    for number, ending in ((1, (OLD, key_set((OLD,)))), (2, None)):
        found.ending = ending
        assert (next_stage(jwt_stages([OLD], NEW), found) or (0, None))[0] == number


def test_old_secret_is_kept_until_its_tokens_have_ended() -> None:
    found = Deployment(signs=dict.fromkeys(SIGNERS, NEW), key_set=key_set((NEW, OLD)), deployed=NEW)
    for until, expected in ((False, 3), (True, 4)):
        found.until = until
        assert (next_stage(jwt_stages([OLD], NEW), found) or (0, None))[0] == expected


def test_new_secret_has_another_id_than_those_in_use() -> None:
    """Else the set could not hold both."""
    fits = KEYS["jwt"].fits
    assert fits((OLD, NEW))
    assert not fits((OLD, *(KEYS["jwt"].make() for _ in range(20))))
