"""The servers behind the instances of the emulated RDS: PostgreSQL in the cluster, each under its instance's name.

Each demands TLS with a certificate for the instance's host name. The master user owns the database and may make roles
and databases; it is no superuser, as on RDS. A snapshot holds the databases and roles of its instance, and an instance
that is made from it has them.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.cluster.harness import CONTEXT
from tests.cluster.tls_database import Authority, TlsDatabase
from tests.prod.account import Account

SUPERUSER: Final = "rdsadmin"
_SECONDS: Final = 1.0


@dataclass
class Databases:
    """Follows what the emulator is asked for. `namespace`: of the servers."""

    api: Any
    account: Account
    namespace: str
    authority: Authority
    _servers: dict[str, TlsDatabase] = field(default_factory=dict, init=False)
    _passwords: dict[str, str] = field(default_factory=dict, init=False)
    _saved: dict[str, str] = field(default_factory=dict, init=False)
    """What each snapshot holds, as SQL."""
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    problems: list[str] = field(default_factory=list, init=False)

    @property
    def suffix(self) -> str:
        return f"{self.namespace}.svc.cluster.local"

    def follow(self) -> None:
        """Make, change and delete servers until `stop`."""
        while not self._stopped.wait(_SECONDS):
            try:
                self._step(self.account.masters())
            except Exception as error:
                self.problems.append(f"{type(error).__name__}: {error}")
                time.sleep(_SECONDS)

    def stop(self) -> None:
        self._stopped.set()

    def sql(self, identifier: str, text: str, database: str = SUPERUSER) -> str:
        """Return what the server answers to its superuser."""
        return self._servers[identifier].sql(text, database)

    def _step(self, masters: Mapping[str, Mapping[str, str]]) -> None:
        self._save()
        for identifier, master in masters.items():
            password = master["MasterUserPassword"]
            if identifier not in self._servers:
                self._create(identifier, master)
            elif self._passwords[identifier] != password:
                self.sql(identifier, f"ALTER ROLE {master['MasterUsername']} PASSWORD '{password}'")
            self._passwords[identifier] = password
        for identifier in self._servers.keys() - masters.keys():
            self._servers.pop(identifier).stop()
        self.account.lead_databases_to(self.suffix, ready=sorted(self._servers), saved=sorted(self._saved))

    def _save(self) -> None:
        """Dump what new snapshots are of, before a later change reaches it: they are not available until then."""
        for snapshot in self.account.client("rds").describe_db_snapshots()["DBSnapshots"]:
            name, source = snapshot["DBSnapshotIdentifier"], snapshot["DBInstanceIdentifier"]
            if name not in self._saved and source in self._servers:
                self._saved[name] = self._dump(source)

    def _dump(self, identifier: str) -> str:
        return self._run(identifier, "pg_dumpall", "-h", "/tmp", "-U", SUPERUSER)

    def _run(self, identifier: str, *command: str, given: str = "") -> str:
        words = ["kubectl", "--context", CONTEXT, "--namespace", self.namespace, "exec", "-i", identifier, "--"]
        done = subprocess.run([*words, *command], input=given, capture_output=True, text=True, check=True)
        return done.stdout

    def _create(self, identifier: str, master: Mapping[str, str]) -> None:
        server = TlsDatabase(self.api, self.namespace, self.authority, name=identifier, owner=SUPERUSER)
        server.create_in_namespace()
        user, password = master["MasterUsername"], master["MasterUserPassword"]
        kind, _, source = master.get("Source", "").partition(":")
        if kind:
            # It goes on after an error: the superuser is there already.
            content = self._saved[source] if kind == "snapshot" else self._dump(source)
            self._run(identifier, "psql", "-h", "/tmp", "-U", SUPERUSER, "-d", "postgres", given=content)
            server.sql(f"ALTER ROLE {user} PASSWORD '{password}'")
        else:
            server.sql(f"CREATE ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'")
            server.sql(f"CREATE DATABASE {master['DBName']} OWNER {user}")
        self._servers[identifier] = server


@contextmanager
def databases(api: Any, account: Account, namespace: str, authority: Authority) -> Iterator[Databases]:
    """Serve the instances of an account until the end of the block."""
    found = Databases(api, account, namespace, authority)
    account.lead_databases_to(found.suffix, ready=[], saved=[])
    api.create_namespace({"metadata": {"name": namespace}})
    thread = threading.Thread(target=found.follow)
    thread.start()
    try:
        yield found
    finally:
        found.stop()
        thread.join()
        api.delete_namespace(namespace)
