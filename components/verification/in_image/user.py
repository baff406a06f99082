"""Makes the user of the scheduled verification, or resets its password. A script of its own.

It runs in Airflow's image, as `python -c TEXT DAG_ID`, with the database, the user name and the password in its
environment. It uses what Airflow's own commands use (airflow.providers.fab.auth_manager.cli_commands). Those commands
can give no right on a DAG that was not parsed yet.
"""

from __future__ import annotations

import os
import sys

ROLE = "Scheduled verification"


def permissions(dag_id: str) -> set[tuple[str, str]]:
    """Return what the user may do: run one DAG, and read its runs, tasks and logs.

    The second and later reads are about all DAGs, but each request needs the right on its DAG as well
    (`is_authorized_dag` in fab_auth_manager.py).
    """
    dag, run = f"DAG:{dag_id}", f"DAG Run:{dag_id}"
    return {
        ("can_read", dag),
        ("can_edit", dag),
        ("can_create", run),
        ("can_read", run),
        ("can_read", "DAG Runs"),
        ("can_read", "Task Instances"),
        ("can_read", "Task Logs"),
    }


def main(dag_id: str) -> None:
    """Bring role and user into the wanted state. A second run changes nothing but the password's hash."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    name, password = os.environ["VERIFICATION_USERNAME"], os.environ["VERIFICATION_PASSWORD"]
    wanted = permissions(dag_id)
    with get_application_builder() as builder:
        security = builder.sm
        role = security.add_role(ROLE)
        for permission in list(role.permissions):
            if (permission.action.name, permission.resource.name) not in wanted:
                security.remove_permission_from_role(role, permission)
        for action, resource in sorted(wanted):
            security.add_permission_to_role(role, security.create_permission(action, resource))
        user = security.find_user(username=name)
        if user is None:
            if not security.add_user(name, "Scheduled", "Verification", f"{name}@airflow.invalid", role, password):
                sys.exit(f"the user {name} could not be made")
        else:
            user.roles = [role]
            if not security.update_user(user) or not security.reset_password(user.id, password):
                sys.exit(f"the user {name} could not be changed")
    print(f"the user {name} may run {dag_id}, and nothing else")


if __name__ == "__main__":
    main(*sys.argv[1:])
