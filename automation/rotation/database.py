"""The login roles of a container database, made and removed in its own pod, by a role that it accepts."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Final

from automation.cluster.client import KubeClient
from automation.errors import ClusterRequestFailed
from components.database.pgbouncer import STATS_USER
from components.database.roles_script import MADE_BY_ROTATION
from components.database.uri import read_database_uri

POSTGRES: Final = "postgres"
"""The component of the database's own pod, and its container."""
_SECONDS: Final = 60.0
_ROLES: Final = f"rolname = 'airflow' OR rolname ~ '^{MADE_BY_ROTATION}\\$'"
"""The owner, and the roles that a rotation made."""
_LOGIN: Final = re.compile(f"({MADE_BY_ROTATION}):([0-9a-f]{{40}})")
# Roles and passwords come by lines, and go on as the environment or the input of psql: no process has them among its
# arguments. By the pod's address, where every image asks for a password; many trust whoever comes from 127.0.0.1.
_LOG_IN: Final = """\
for name in role password login login_password; do IFS= read -r "$name" || exit 1; done
PGPASSWORD="$login_password" psql -qAtw -v ON_ERROR_STOP=1 -h "$(hostname -i | cut -d' ' -f1)" -U "$login" -d airflow"""
_ADMIT: Final = f"""\
{_LOG_IN} > /dev/null <<SQL && echo done
SELECT 'CREATE ROLE $role' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') \\gexec
ALTER ROLE $role LOGIN PASSWORD '$password';
GRANT airflow TO $role;
ALTER ROLE $role SET role = 'airflow';
SQL
"""  # noqa: S608 - what the shell fills in is checked by _LOGIN
_ASK: Final = f"""\
{_LOG_IN} -c "SELECT 'accepted'"
"""
_OTHERS: Final = f"""\
{_LOG_IN} <<SQL
SELECT 'others ' || count(*) FROM pg_authid
WHERE rolpassword IS NOT NULL AND rolname <> '$role' AND ({_ROLES});
SQL
"""  # noqa: S608 - what the shell fills in is checked by _LOGIN
_RETIRE: Final = f"""\
{_LOG_IN} > /dev/null <<SQL && echo done
SELECT format(command, rolname) FROM pg_roles, (VALUES
  (1, 'REASSIGN OWNED BY %I TO airflow'), (2, 'DROP OWNED BY %I'), (3, 'DROP ROLE %I')) AS commands (number, command)
WHERE rolname <> '$role' AND rolname <> 'airflow' AND ({_ROLES}) ORDER BY rolname, number \\gexec
ALTER ROLE airflow PASSWORD NULL;
SQL
"""  # noqa: S608 - what the shell fills in is checked by _LOGIN


def new_login() -> str:
    """Return a new role with a new password, as ROLE:PASSWORD."""
    return f"airflow_{secrets.token_hex(3)}:{new_password()}"


def new_password() -> str:
    """Return a new password, which every database accepts."""
    return secrets.token_hex(20)


def login_in(data: Mapping[str, str]) -> str | None:
    """Return by which role and password PgBouncer logs in, as ROLE:PASSWORD, from the files of its Secret."""
    found = re.search(r" user='([^']+)' password='([^']+)'$", data.get("pgbouncer.ini", ""), re.MULTILINE)
    if found is not None:
        return f"{found[1]}:{found[2]}"
    users = re.findall(r'^"([^"]+)" "([^"]+)"$', data.get("users.txt", ""), re.MULTILINE)
    return next((f"{user}:{password}" for user, password in users if user != STATS_USER), None)


def login_in_uri(data: Mapping[str, str]) -> str | None:
    """Return by which role and password a pod logs in to the database itself, as ROLE:PASSWORD, from its Secret."""
    found = read_database_uri(data.get("connection", ""))
    return f"{found.user}:{found.password}" if found is not None and found.password else None


def admit(kube: KubeClient, login: str, by: str) -> None:
    """Make a role, or give it another password. `by`: one that the database accepts. Raises ClusterRequestFailed."""
    _change(kube, _ADMIT, login, by, "the database did not take another role")


def accepts(kube: KubeClient, login: str) -> bool:
    """Return whether a role can log in. Raises ClusterRequestFailed."""
    return _told(kube, _ASK, login, login)[0] == "accepted"


def is_alone(kube: KubeClient, login: str) -> bool:
    """Return whether no other role of the stack has a password. Raises ClusterRequestFailed."""
    return _told(kube, _OTHERS, login, login)[0] == "others 0"


def retire(kube: KubeClient, login: str) -> None:
    """Take the password from every other role of the stack. Raises ClusterRequestFailed; it can then be run again."""
    _change(kube, _RETIRE, login, login, "the database still accepts an earlier role")


def _change(kube: KubeClient, script: str, login: str, by: str, failure: str) -> None:
    told, reason = _told(kube, script, login, by)
    if told != "done":
        raise ClusterRequestFailed(f"{failure}: {reason}", "python -m automation status STACK")


def _told(kube: KubeClient, script: str, login: str, by: str) -> tuple[str, str]:
    """Return the last line of the script's answer, and the first of its errors."""
    found = _LOGIN.fullmatch(login)
    if found is None:
        return "", "no rotation made this role"  # it would stand in SQL as it is
    pod = kube.ready_pod({"component": POSTGRES}, "no database is ready")
    role, _, password = by.partition(":")
    lines = "\n".join((*found.groups(), role, password))
    done = kube.run(pod.name, POSTGRES, ("sh", "-c", script), seconds=_SECONDS, line=lines)
    reason = done.stderr.strip().partition("\n")[0].replace(found[2], "***")
    return done.stdout.strip().rpartition("\n")[2], reason or f"exit code {done.exit_code}"
