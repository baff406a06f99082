"""Moving the Airflow image to another tag: one line of the stack's config, and an update."""

from __future__ import annotations

from typing import Final

from automation.engine import operations
from automation.engine.events import OnEvent
from automation.engine.operations import EngineResult
from automation.errors import SettingsInvalid, StackLocked
from automation.results import Update
from automation.stacks import updates
from automation.stacks.cluster_tag import cluster_to_store
from automation.stacks.config import StackConfig
from automation.stacks.plain_values import check_values, write_values
from automation.stacks.session import Session
from settings import PROJECT

_TAG: Final = "imageTag"


def roll_image(session: Session, tag: str, on_event: OnEvent) -> Update:
    """See `Environment.roll_image`."""
    refuse_digest(session.name, session.config())
    check_values(session, {_TAG: tag})
    with session.open_for_update("roll_image", on_event) as opened:
        identity, engine_began = cluster_to_store(session, opened), False

        def engine_run() -> EngineResult:
            nonlocal engine_began
            engine_began = True
            try:
                return operations.up(opened)
            except StackLocked:
                engine_began = False
                raise

        put_back = write_values(session, {_TAG: tag})
        try:
            session.open(opened.teller)  # gives the engine the new config
            return updates.run(session, "roll_image", opened, engine_run, identity)
        finally:
            if not engine_began:
                put_back()


def refuse_digest(stack: str, config: StackConfig) -> None:
    """Raise SettingsInvalid if the config pins the image by its digest: another tag would change nothing."""
    if config.image_digest:
        raise SettingsInvalid(
            stack,
            (
                f"{PROJECT}:imageDigest: must not be set, because it wins over the tag. "
                f"Fix: pulumi config rm --stack {stack} {PROJECT}:imageDigest",
            ),
        )
