"""Asks an existing database whether Airflow can work with it, and says what its usual refusals mean for the config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from components.preflight.finding import Finding, failed, passed
from components.preflight.reasons import Reason, explained

CHECK: Final = "database"
LEAST_VERSION: Final = 13
"""The oldest PostgreSQL that Airflow 3.2 supports (airflow.apache.org/docs/apache-airflow/3.2.2/installation/
prerequisites.html)."""

SCRIPT: Final = """\
import json, os, sys
from sqlalchemy import create_engine, text
ASK = '''SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
  current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby,
  current_setting('transaction_read_only') AS read_only, coalesce(current_schema(), '') AS schema,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
  (SELECT string_agg(DISTINCT tableowner, ', ') FROM pg_tables
   WHERE schemaname = current_schema() AND NOT pg_has_role(current_user, tableowner, 'MEMBER')) AS other_owner'''
LOGIN = "SET LOCAL ROLE NONE"  # a role that acts as another one may not see its own connection
TLS = "SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls"
found = {}
try:
    options = {"connect_args": {"connect_timeout": 8}}
    with create_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], **options).connect() as database:
        for question in (ASK, *sys.argv[1:], LOGIN, TLS):
            answer = database.execute(text(question))
            found |= answer.mappings().one() if answer.returns_rows else {}
except Exception as error:
    found = {"error": str(getattr(error, "orig", None) or type(error).__name__).strip()[:2000]}
with open("/dev/termination-log", "w") as answer:
    json.dump(found, answer)
"""
"""Python script that logs in to the database as the migration will, and says what it found. It changes nothing.

It runs in Airflow's image, so with the driver, the options and the certificates that Airflow's pods have. Its arguments
are further questions, each with one row for an answer, whose columns are found too. A driver's error names the host,
the user and the database, never the password.
"""

_SET: Final = "pulumi config set --stack {stack}"
_REASONS: Final = (
    Reason(
        r"client certificate|certificate authentication failed|private key|alert (unknown ca|bad certificate|"
        r"certificate required)",
        "airflow:databaseClientCertificateSecret: expected a certificate by which {host} knows {user}, found: {line}",
        f"{_SET} airflow:databaseClientCertificateSecret SECRET, with the keys tls.crt and tls.key",
    ),
    Reason(
        r"password authentication failed|authentication failed for user|role \"[^\"]*\" does not exist",
        "airflow:databasePassword: expected the password of {user} at {host}, found that the database refuses it",
        f"{_SET} --secret airflow:databasePassword, or airflow:databaseUser",
    ),
    Reason(
        r"database \"[^\"]*\" does not exist",
        "airflow:databaseName: expected a database of {host}, found none named {name}",
        f"create it (CREATE DATABASE), or: {_SET} airflow:databaseName NAME",
    ),
    Reason(
        r"no pg_hba\.conf entry.*(no encryption|ssl off)|ssl (is )?required|connection is insecure",
        "airflow:databaseSslMode: expected TLS, which {host} demands, found {ssl_mode}",
        f"{_SET} airflow:databaseSslMode require, or verify-full",
    ),
    Reason(
        r"no pg_hba\.conf entry",
        "airflow:databaseHost: expected that {host} admits {user} from the pods' network, found no entry in its "
        "pg_hba.conf: {line}",
        "let the server admit that user, database and network",
    ),
    Reason(
        r"server does not support ssl|ssl is not enabled",
        "airflow:databaseSslMode: expected a server with TLS for {ssl_mode}, found that {host} has none",
        f"turn TLS on at the server, or: {_SET} airflow:databaseSslMode prefer",
    ),
    Reason(
        r"certificate|ssl error",
        "airflow:databaseCaCertificate: expected a certificate of {host} that {ssl_mode} accepts, found: {line}",
        f"{_SET} airflow:databaseCaCertificate < CA_FILE, with the authority that signed it",
    ),
    Reason(
        r"too many (clients|connections)|connection slots|limit exceeded for (role|database)",
        "airflow:databaseHost: expected a free connection at {host}, found: {line}",
        "end connections that nobody uses, or raise max_connections",
        outage=True,
    ),
    Reason(
        r"could not translate host|name or service not known|name resolution",
        "airflow:databaseHost: expected a host that the cluster's DNS knows, found no address of {host}",
        f"{_SET} airflow:databaseHost HOST",
        outage=True,
    ),
    Reason(
        r"refused|timeout|timed out|unreachable|no route|reset by peer|closed the connection|starting up|shutting down",
        "airflow:databaseHost: expected {host} to answer pods at port {port}, found: {line}",
        "look at the server, at firewalls between it and the cluster, and at airflow:databaseCidrs, to which the "
        "network policies open the way",
        outage=True,
    ),
    Reason("", "airflow:databaseHost: expected that {user} can log in at {host}, found: {line}", "correct that"),
)


def database_finding(answer: str, about: Mapping[str, str]) -> Finding:
    """Return what the script's answer means.

    Args:
        answer: What `SCRIPT` wrote, without secrets.
        about: The names in the texts: stack, host, port, name, user, ssl_mode.
    """
    found = json.loads(answer)
    if "error" in found:
        return explained(CHECK, str(found["error"]), _REASONS, about)
    host, stack = about["host"], about["stack"]
    if int(found["number"]) < LEAST_VERSION * 10_000:
        what = f"PostgreSQL {LEAST_VERSION} or newer at {host}, found {found['version']}"
        return failed(CHECK, f"airflow:databaseHost: expected {what}", "upgrade the server, or name another one")
    if found["standby"] or found["read_only"] == "on":
        return failed(
            CHECK,
            f"airflow:databaseHost: expected a database that can be written to, found that {host} is read-only",
            f"pulumi config set --stack {stack} airflow:databaseHost WRITER_ENDPOINT",
        )
    if found["encoding"] != "UTF8":
        what = f"the encoding UTF8 of database {about['name']}, found {found['encoding']}"
        return failed(
            CHECK, f"airflow:databaseName: expected {what}", "make another database: CREATE DATABASE … ENCODING 'UTF8'"
        )
    if not found["may_create"]:
        schema = found["schema"] or "public"
        what = f"that {about['user']} may create tables in schema {schema}, found that it may not"
        return failed(CHECK, f"airflow:databaseUser: expected {what}", f"GRANT ALL ON SCHEMA {schema} TO the user")
    if found["other_owner"]:
        what = f"that {about['user']} owns Airflow's tables, found tables of {found['other_owner']}"
        return failed(
            CHECK, f"airflow:databaseUser: expected {what}", "REASSIGN OWNED, or log in as their owner: databaseUser"
        )
    tls = "with TLS" if found["tls"] else "without TLS"
    return passed(CHECK, f"PostgreSQL {found['version']} at {host} answers {tls}, and {about['user']} may migrate it")
