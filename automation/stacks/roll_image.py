"""Moving the Airflow image to another tag: one line of the stack's config, and an update."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from automation.engine import operations
from automation.engine.events import OnEvent
from automation.engine.operations import EngineResult
from automation.errors import SettingsInvalid, StackLocked
from automation.folder import short_name, write_file
from automation.results import Update
from automation.stacks import updates
from automation.stacks.cluster_tag import cluster_to_store
from automation.stacks.config import check_files, with_value
from automation.stacks.session import Session
from settings import PROJECT

_TAG: Final = f"{PROJECT}:imageTag"


def roll_image(session: Session, tag: str, on_event: OnEvent) -> Update:
    """See `Environment.roll_image`."""
    if session.config().image_digest:
        raise SettingsInvalid(
            session.name,
            (
                f"{PROJECT}:imageDigest: must not be set, because it wins over the tag. "
                f"Fix: pulumi config rm --stack {session.name} {PROJECT}:imageDigest",
            ),
        )
    _check_tag(session, tag)
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

        put_back = _write_tag(session, tag)
        try:
            session.open(opened.teller)  # gives the engine the new config
            return updates.run(session, "roll_image", opened, engine_run, identity)
        finally:
            if not engine_began:
                put_back()


def _file(session: Session) -> Path:
    return session.place.project_dir / f"Pulumi.{short_name(session.name)}.yaml"


def _check_tag(session: Session, tag: str) -> None:
    """Raise SettingsInvalid if the config would not be valid with the tag. Changes nothing."""
    if session.place.settings is not None:
        session.place.settings.changed(imageTag=tag)
        return
    session.check_config()
    path = _file(session)
    text = with_value(path.read_text(encoding="utf-8"), _TAG, tag)
    with tempfile.TemporaryDirectory(prefix="airflow-") as folder:
        shutil.copy(session.place.project_dir / "Pulumi.yaml", folder)
        write_file(Path(folder) / path.name, text, mode=0o600)
        check_files(Path(folder), short_name(session.name))


def _write_tag(session: Session, tag: str) -> Callable[[], None]:
    """Write the tag into the config. Return a function that puts the old config back."""
    place = session.place
    if place.settings is not None:
        session.place = replace(place, settings=place.settings.changed(imageTag=tag))

        def restore() -> None:
            session.place = place

        return restore
    path = _file(session)
    mode, before = stat.S_IMODE(path.stat().st_mode), path.read_text(encoding="utf-8")
    after = with_value(before, _TAG, tag)
    write_file(path, after, mode)

    def put_back() -> None:
        if path.read_text(encoding="utf-8") == after:  # else a person has edited it since
            write_file(path, before, mode)

    return put_back
