"""Changes plain values of a stack's config at once. A process that ends meanwhile leaves all old or all new ones."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from automation.folder import short_name, stack_file, write_file
from automation.stacks.config import check_files
from automation.stacks.config_text import with_values
from automation.stacks.session import Session


def check_values(session: Session, values: Mapping[str, str]) -> None:
    """Raise SettingsInvalid if the config would not be valid with these values, by short key. Changes nothing."""
    if session.place.settings is not None:
        session.place.settings.changed(**values)
        return
    session.check_config()
    path = stack_file(session.place.project_dir, session.name)
    with tempfile.TemporaryDirectory(prefix="airflow-") as folder:
        shutil.copy(session.place.project_dir / "Pulumi.yaml", folder)
        write_file(Path(folder) / path.name, with_values(path.read_text(encoding="utf-8"), values), mode=0o600)
        check_files(Path(folder), short_name(session.name))


def write_values(session: Session, values: Mapping[str, str]) -> Callable[[], None]:
    """Write values into the config, by short key. Return a function that puts the old config back.

    In a committed file a line is changed for each, or added.
    """
    place = session.place
    if place.settings is not None:
        session.place = replace(place, settings=place.settings.changed(**values))

        def restore() -> None:
            session.place = place

        return restore
    path = stack_file(session.place.project_dir, session.name)
    mode, before = stat.S_IMODE(path.stat().st_mode), path.read_text(encoding="utf-8")
    after = with_values(before, values)
    write_file(path, after, mode)

    def put_back() -> None:
        if path.read_text(encoding="utf-8") == after:  # else a person has edited it since
            write_file(path, before, mode)

    return put_back
