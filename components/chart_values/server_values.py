"""Chart values of the server components: API server, scheduler, DAG processor and triggerer, and of StatsD. Pure."""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.ingress import ingress_variables
from components.chart_values.release_inputs import KeySecrets, Login, ReleaseInputs
from components.chart_values.service_accounts import region_variables
from components.connections.secrets_backend import backend_variables
from components.database.access import ca_mounts, ca_variables, ca_volumes, database_variables
from components.database.client_certificate import client_mounts, client_variables, client_volumes
from components.keys.jwt_keys import JWKS_FOLDER, JWKS_KEY, JWKS_VOLUME, JWT_KEY_ID_KEY
from components.kube.env import fernet_key, from_secret, variable
from components.login.oidc import CLIENT_SECRET_VARIABLE
from components.login.oidc_client import CLIENT_SECRET
from components.task_logs.remote import remote_log_variables

_START_UP_FAILURES: Final = 30
"""Failed probes, ten seconds apart, until a start counts as failed. With the chart's 6, a component on a busy laptop
restarts for ever."""
_API_SERVER_START_UP: Final = {"periodSeconds": 2, "failureThreshold": 5 * _START_UP_FAILURES}
"""The same time in all, but the API server is asked every two seconds. A request costs nothing, and with the chart's
ten seconds a ready server waits for the next one. Other components keep ten: their probes start Airflow in the pod."""


def server_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return what API server, scheduler, DAG processor, triggerer and StatsD get. No worker gets the database."""
    scale, kubernetes = inputs.scale, inputs.executor.kubernetes
    start_up = {"startupProbe": {"failureThreshold": _START_UP_FAILURES}}
    access, log_variables = inputs.dag_access, remote_log_variables(inputs.remote_logs)
    database_env = [
        fernet_key(inputs.keys.fernet_key),
        *database_variables(inputs.connections.metadata),
        *ca_variables(inputs.direct_ca),
        *client_variables(inputs.direct_client),
        *inputs.connection_variables,
    ]
    database = {"env": database_env, "waitForMigrations": {"enabled": False}, **_database_files(inputs)}
    no_token = {"serviceAccount": {"automountServiceAccountToken": False}}
    # Only these two use the Kubernetes API: to start task pods, and to read the log of a running one.
    token = {"serviceAccount": {"automountServiceAccountToken": kubernetes}}
    loads_dags = {
        "env": [*database_env, *access.env],
        "extraVolumes": [*access.volumes, *_database_volumes(inputs)],
        "extraVolumeMounts": [*access.volume_mounts, *_database_mounts(inputs)],
    }
    secrets = backend_variables(inputs.secrets_prefix)
    jwt_key_id = _jwt_key_id(inputs.keys)
    jwks = _jwks(inputs.keys)
    triggerer = loads_dags if access.in_triggerer else database
    bundles = {"dagBundleConfigList": list(access.bundle_config)} if access.bundle_config else {}
    return {
        "apiServer": {
            "replicas": scale.api_server,
            "allowPodLogReading": kubernetes,
            **database,
            "env": [
                *database_env,
                *log_variables,
                *ingress_variables(inputs.ingress),
                *_login_variables(inputs.login),
                *jwt_key_id,
                *jwks["env"],
                *secrets,
                *region_variables(inputs.pod_roles, "api-server", log_variables),
            ],
            "extraVolumes": [*jwks["extraVolumes"], *_database_volumes(inputs)],
            "extraVolumeMounts": [*jwks["extraVolumeMounts"], *_database_mounts(inputs)],
            **({"apiServerConfig": inputs.login.server_config} if inputs.login else {}),
            **token,
            "startupProbe": _API_SERVER_START_UP,
        },
        "scheduler": {
            "replicas": scale.scheduler,
            "safeToEvict": False,
            **database,
            "env": [*database_env, *jwt_key_id],
            **token,
            **start_up,
        },
        "dagProcessor": {
            "replicas": scale.dag_processor,
            "safeToEvict": False,
            **database,
            **loads_dags,
            "env": [*loads_dags["env"], *secrets, *region_variables(inputs.pod_roles, "dag-processor", ())],
            **no_token,
            **bundles,
        },
        "triggerer": {
            "replicas": scale.triggerer,
            "safeToEvict": False,
            # A StatefulSet would wait for ever for a pod with a broken image, and the chart has no key to change that.
            "persistence": {"enabled": False},
            **database,
            **triggerer,
            "env": [
                *triggerer["env"],
                *log_variables,
                *secrets,
                *region_variables(inputs.pod_roles, "triggerer", log_variables),
            ],
            **no_token,
        },
        "statsd": no_token,
    }


def _database_volumes(inputs: ReleaseInputs) -> list[dict[str, Any]]:
    """Return the volumes of a pod of Airflow that connects to the database itself."""
    return [*ca_volumes(inputs.direct_ca), *client_volumes(inputs.direct_client)]


def _database_mounts(inputs: ReleaseInputs) -> list[dict[str, Any]]:
    return [*ca_mounts(inputs.direct_ca), *client_mounts(inputs.direct_client)]


def _database_files(inputs: ReleaseInputs) -> dict[str, list[Any]]:
    volumes = _database_volumes(inputs)
    return {"extraVolumes": volumes, "extraVolumeMounts": _database_mounts(inputs)} if volumes else {}


def _jwt_key_id(keys: KeySecrets) -> list[dict[str, Any]]:
    if keys.jwt_key_id is None:
        return []
    return [from_secret("AIRFLOW__API_AUTH__JWT_KID", keys.jwt_key_id, JWT_KEY_ID_KEY)]


def _jwks(keys: KeySecrets) -> dict[str, list[dict[str, Any]]]:
    """Return by what the API server knows the secrets that it accepts."""
    if keys.jwks is None:
        return {"env": [], "extraVolumes": [], "extraVolumeMounts": []}
    return {
        "env": [variable("AIRFLOW__API_AUTH__TRUSTED_JWKS_URL", f"{JWKS_FOLDER}/{JWKS_KEY}")],
        "extraVolumes": [{"name": JWKS_VOLUME, "secret": {"secretName": keys.jwks}}],
        "extraVolumeMounts": [{"name": JWKS_VOLUME, "mountPath": JWKS_FOLDER, "readOnly": True}],
    }


def _login_variables(login: Login | None) -> list[dict[str, Any]]:
    return [] if login is None else [from_secret(CLIENT_SECRET_VARIABLE, login.client_secret, CLIENT_SECRET)]
