"""Reads and writes the value of a key where a stack keeps it: in its config, or in the escrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automation.engine.opened_stack import OpenedStack
from automation.errors import ClusterRequestFailed, from_text
from automation.rotation.keys import Key
from automation.rotation.stages import RotationStage
from automation.stacks.session import Session
from automation.stacks.stack_values import change_config, config_values
from components.kube.secret import Secret
from settings.rotation import Mark

_MARK = "rotation"
_BESIDE = "rotationSecret"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The values that are kept about a key."""

    value: str | None = field(repr=False)
    """The value that the config or the escrow gives; None where the program generates it."""
    mark: Mark | None
    """The rotation that is under way, of this or of another key."""
    beside: str = field(default="", repr=False)
    """What is kept beside the value during a rotation."""
    escrow: tuple[str, str] | None = None
    """Name and region of the escrow from which the stack reads its keys."""
    secret: str = ""
    """Name of the Secret of the team's own that holds it; "" where the stack makes the Secret."""
    broker: bool = False
    """Whether Celery's broker is a Redis outside the stack, which has passwords of its own."""


def read(session: Session, opened: OpenedStack, key: Key) -> Kept:
    """Return what is kept. Raises UpdateFailed, ClusterRequestFailed."""
    values = config_values(session, opened)
    mark = Mark.of(str(values[_MARK])) if values.get(_MARK) else None
    beside = _revealed(values, _BESIDE)
    broker = bool(values.get("brokerUrl"))
    if key.role and values.get("keySource") == "escrow":
        escrow = (str(values.get("keyEscrow")), str(values.get("awsRegion")))
        return Kept(value=_escrowed(key, *escrow), mark=mark, beside=beside, escrow=escrow, broker=broker)
    secret = str((values.get("keySecrets") or {}).get(key.config_key, ""))
    value = _revealed(values, key.config_key) if key.secret else str(values.get(key.config_key, ""))
    return Kept(value=value or None, mark=mark, beside=beside, secret=secret, broker=broker)


def write(session: Session, opened: OpenedStack, key: Key, kept: Kept, mark: Mark, stage: RotationStage) -> None:
    """Write what a stage needs into the config: the mark, what is kept beside, and then the value.

    Raises UpdateFailed. `write_escrowed` comes after it, when the mark is kept: by the mark, the next run knows the
    value in the escrow.
    """
    changed: dict[str, Any] = {_MARK: str(mark)} if mark != kept.mark else {}
    if stage.beside is not None and stage.beside != kept.beside:
        changed[_BESIDE] = Secret(stage.beside) if stage.beside else None
    if stage.makes is not None:
        more, make = stage.makes
        if not config_values(session, opened).get(more):
            changed[more] = Secret(make())
            session.masker = session.masker.knowing([changed[more].reveal()])
    if _is_another(kept, stage) and kept.escrow is None:
        changed[key.config_key] = Secret(stage.value) if key.secret else stage.value
    if changed:
        change_config(session, opened, changed)


def write_escrowed(key: Key, kept: Kept, stage: RotationStage) -> None:
    """Write the value that a stage needs into the escrow, if the stack has one. Raises ClusterRequestFailed."""
    if kept.escrow is None or not _is_another(kept, stage):
        return
    # Imported here: a stack of a laptop has nothing to ask AWS.
    from components.aws.client import AwsError
    from components.keys.escrow_writer import write_escrowed_key

    try:
        write_escrowed_key(*kept.escrow, key.role, stage.value)
    except AwsError as error:
        raise from_text(ClusterRequestFailed, str(error)) from None


def end(session: Session, opened: OpenedStack, key: Key, stages: Sequence[RotationStage]) -> None:
    """Take the mark out of the config: the rotation is done.

    If somebody has taken the value out meanwhile, it comes back: the next update would deploy the one before it.
    """
    kept, changed = read(session, opened, key), dict[str, Any]()
    if kept.value is None and kept.escrow is None:
        value = next(stage.value for stage in reversed(stages) if stage.value)
        changed[key.config_key] = Secret(value) if key.secret else value
    change_config(session, opened, {**changed, _MARK: None})


def _is_another(kept: Kept, stage: RotationStage) -> bool:
    return bool(stage.value) and stage.value != kept.value


def _revealed(values: Mapping[str, Any], key: str) -> str:
    found = values.get(key)
    return found.reveal() if isinstance(found, Secret) else ""


def _escrowed(key: Key, name: str, region: str) -> str:
    from components.aws.client import AwsError
    from components.keys.escrow_reader import read_escrowed_keys

    try:
        found: Secret = getattr(read_escrowed_keys(name, region), key.role)
    except AwsError as error:
        raise from_text(ClusterRequestFailed, str(error)) from None
    return found.reveal()
