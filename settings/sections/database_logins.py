"""Who logs in to the metadata database in place of databaseUser."""

from __future__ import annotations

from components.database.connection import DatabaseLogin, DatabaseLogins
from components.database.roles_script import made_by_rotation, owner_of
from components.kube.secret import Secret
from settings.errors import remove_command
from settings.reading import Config
from settings.sections.database import DATABASE, LOGIN, MASTER_PASSWORD, USER, DatabaseKind
from settings.sections.keys import kept_beside

_ROTATED = "database-password"
_NOT_KNOWN = "unknown"


def read_logins(config: Config) -> DatabaseLogins:
    """Return the logins. Only the program itself makes roles, in a managed database, before anything uses them.

    Nothing makes a role in a container but the rotation, which retires no others.
    """
    if config[MASTER_PASSWORD] is not None and config[LOGIN] is None:
        config.must_not_be_set(MASTER_PASSWORD, f"without {LOGIN.full}: Airflow would log in as the master user")
    managed, used = config[DATABASE] is DatabaseKind.MANAGED, _login(config[LOGIN])
    taken = (config[USER], owner_of(config[USER]))
    if managed and used is not None and used.user in taken:
        config.problem(LOGIN, f"expected another role than the master user and the owner, found {used.user}")
    if config[DATABASE] is DatabaseKind.CONTAINER and used is not None and not _is_of_a_rotation(used):
        config.problem(
            LOGIN,
            f"expected what a rotation wrote, found the role {used.user}, which nothing makes in a database container",
            f"{remove_command(LOGIN)}; for another password, python -m automation rotate database-password",
        )
    return DatabaseLogins(
        used=used,
        coming=_login(kept_beside(config, _ROTATED)) if managed else None,
        master_password=config[MASTER_PASSWORD] if managed else None,
    )


def _is_of_a_rotation(login: DatabaseLogin) -> bool:
    return login.user == _NOT_KNOWN or made_by_rotation(login.user)


def _login(text: Secret | None) -> DatabaseLogin | None:
    """Return a login. Where the value is not known, or stands in for another one, its role is not known either."""
    if text is None:
        return None
    role, separator, password = text.reveal().partition(":")
    return DatabaseLogin(user=role if separator else _NOT_KNOWN, password=Secret(password))
