"""Makes a stack like another one, for a limited time. Run again, it updates the stack, and its time begins anew.

The time to live is set before anything is made, so the stack expires even if the update is killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from automation.cluster.client import cluster_errors
from automation.engine import operations
from automation.engine.events import OnEvent
from automation.engine.opened_stack import OpenedStack
from automation.errors import Protected, SettingsInvalid, StackUnknown
from automation.folder import short_name, stack_file, write_file
from automation.lifetime.derived import HEADER, OWN_KEYS, derived_text, own_values, problems, unfinished
from automation.lifetime.result import Spawned, SpawnPlan
from automation.project_files import read_config
from automation.recovery.recover import resumed_update
from automation.stacks.expiry import expiry_in, read_expiry, set_expiry
from automation.stacks.listing import as_deployed
from automation.stacks.session import Session
from automation.stacks.stack_values import change_config, file_values
from components.secrets.masker import SHOWN
from settings import PROJECT, SettingsError, read_files

VERB: Final = "spawn"
_READY_SECONDS: Final = 300.0


def spawn(session: Session, like: str, given: Mapping[str, str], hours: float, on_event: OnEvent) -> Spawned:
    """See `Environment.spawn`."""
    name = short_name(session.name)
    with _written(session, like, given) as written:
        session.check_config()
        with session.open_for_update(VERB, on_event) as opened:
            _require_its_own(session, opened)
            expires = set_expiry(opened, hours)
            _keep_its_keys(session, opened)
        written.stays = True
    session.events(VERB, on_event).note(f"stack {name} is kept until {expires}")
    update = resumed_update(session, VERB, _READY_SECONDS, on_event)
    return Spawned(stack=name, namespace=session.config().namespace, expires=expires, update=update)


def spawn_plan(session: Session, like: str, given: Mapping[str, str], hours: float) -> SpawnPlan:
    """See `Environment.spawn_plan`."""
    with _written(session, like, given):
        session.check_config()
        namespace = session.config().namespace
        try:
            with session.open_for_reading(VERB) as opened:
                exists = True
                _require_its_own(session, opened)
        except StackUnknown:
            exists = False
            _require_no_namespace(session)
    return SpawnPlan(stack=short_name(session.name), namespace=namespace, expires=expiry_in(hours), exists=exists)


@dataclass
class _Written:
    stays: bool = False


@contextmanager
def _written(session: Session, like: str, given: Mapping[str, str]) -> Iterator[_Written]:
    """Write the stack's file, and put back what was there, unless it stays. Raises Protected, StackUnknown."""
    name, folder = short_name(session.name), session.place.project_dir
    if session.place.settings is not None:
        raise StackUnknown(f"the config of stack {name} is not in a file", "keep_for gives it a time to live")
    path, text = stack_file(folder, name), _derived(folder, name, short_name(like), given)
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    if before is not None and not before.startswith(HEADER):
        raise Protected(f"spawn did not make {path.name}", "choose another name for the stack")
    begun = unfinished(name, read_config(folder, name)) if before is not None else ()
    if begun:
        raise SettingsInvalid(name, begun)
    write_file(path, text, mode=0o600)
    written = _Written()
    try:
        yield written
    finally:
        if not written.stays and before is None:
            path.unlink(missing_ok=True)
        elif not written.stays:
            write_file(path, before or "", mode=0o600)


def _derived(folder: Path, name: str, like: str, given: Mapping[str, str]) -> str:
    """Return the file's text. Raises SettingsInvalid, StackUnknown, FileInvalid."""
    path = stack_file(folder, like)
    if not path.is_file():
        raise StackUnknown(f"stack {like} has no file {path.name}", "name another one with --like")
    try:
        config, encrypted = read_files(folder, like)
    except SettingsError as error:
        raise SettingsInvalid(like, error.problems) from None
    values = own_values(name, given, config.get(f"{PROJECT}:ingressHost", ""))
    found = problems(like, {**config, **dict.fromkeys(encrypted, SHOWN)}, values)
    if found:
        raise SettingsInvalid(name, found)
    return derived_text(path.read_text(encoding="utf-8"), values, encrypted)


def _keep_its_keys(session: Session, opened: OpenedStack) -> None:
    """Write the keys that the stack has into its file, in place of the other stack's. Raises UpdateFailed.

    The last update tells them, because another checkout may have rotated them.
    """
    with as_deployed(session.place, session.name, session.find_engine) as place:
        if place is None:
            return
        has = file_values(opened, place.project_dir, stack_file(place.project_dir, session.name))
    given = file_values(opened, session.place.project_dir)
    changed = {key: has.get(key) for key in sorted(OWN_KEYS) if has.get(key) != given.get(key)}
    if changed:
        change_config(session, opened, changed)


def _require_its_own(session: Session, opened: OpenedStack) -> None:
    """Raise Protected if the stack, or what is in its namespace, is not of `spawn`: it would expire too."""
    if read_expiry(opened):
        return
    if operations.has_resources(opened):
        raise Protected(
            f"stack {session.name} is deployed and has no time to live", "choose another name for the stack"
        )
    _require_no_namespace(session)


def _require_no_namespace(session: Session) -> None:
    with cluster_errors():
        api, namespace = session.cluster()
        found = api.get("v1", "Namespace", "", namespace, metadata_only=True)
    if found is not None:
        raise Protected(
            f"airflow:namespace: expected none of the name {namespace} in the cluster, found one",
            "choose another name for the stack, or --set namespace=NAME",
        )
