"""The Secrets of a team that a platform's checks look for."""

from __future__ import annotations

from components.database.client_certificate import CERTIFICATE, KEY
from components.keys.existing_keys import DATA_KEYS, ExistingKeys
from components.platform_args import AirflowPlatformArgs
from components.preflight.existing_secrets import ExistingSecret
from components.task_logs.remote import CONNECTION_KEY


def log_connection(args: AirflowPlatformArgs) -> list[ExistingSecret]:
    """Return the Secret with the connection of a place for task logs, if there is one."""
    secret = args.task_logs.place.connection_secret if args.task_logs.place else None
    setting = "airflow:taskLogsConnectionSecret"
    return [] if secret is None else [ExistingSecret(name=secret, keys=(CONNECTION_KEY,), setting=setting)]


def existing_keys(keys: ExistingKeys | None) -> list[ExistingSecret]:
    """Return the Secrets with Airflow's keys, if they are the team's own."""
    if keys is None:
        return []
    forms = {"fernetKey": "fernet_key", "apiSecretKey": "api_secret_key", "jwtSecret": "jwt_secret"}
    return [
        ExistingSecret(
            name=getattr(keys, form),
            keys=(DATA_KEYS[setting],),
            setting=f"airflow:keySecrets.{setting}",
            forms=(form,),
        )
        for setting, form in forms.items()
    ]


def client_certificate(secret: str | None) -> list[ExistingSecret]:
    """Return the Secret with the client certificate for the database, if there is one."""
    setting = "airflow:databaseClientCertificateSecret"
    return [] if secret is None else [ExistingSecret(name=secret, keys=(CERTIFICATE, KEY), setting=setting)]
