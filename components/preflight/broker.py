"""Asks a broker outside the stack whether Celery can use it, as a worker will, and says what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pulumi

from components.database.access import CONNECTION_KEY
from components.database.broker import BROKER_VARIABLE, Broker
from components.kube.env import from_secret
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.preflight.component_pods import component_pod, plain_variables
from components.preflight.finding import Finding, failed, passed
from components.preflight.reasons import Reason, explained

CHECK: Final = "broker"
VALUES_OF: Final = "workers.celery"
"""Path of the workers in the chart's values."""

SCRIPT: Final = """\
import json, os, redis
found = {}
try:
    client = redis.Redis.from_url(os.environ["AIRFLOW__CELERY__BROKER_URL"], socket_connect_timeout=8, socket_timeout=8)
    client.ping()
    try:
        facts = client.info()
    except redis.ResponseError:  # the user may lack the right
        facts = {}
    found = {key: facts.get(key) for key in ("redis_version", "cluster_enabled", "role")}
except Exception as error:
    found = {"error": f"{type(error).__name__}: {error}"[:2000]}
with open("/dev/termination-log", "w") as answer:
    json.dump(found, answer)
"""
"""Python script that logs in to the broker and selects its database. It runs in Airflow's image, with the library and
the authorities that Celery has there, and changes nothing. No error of the library holds the password."""

_SET: Final = "pulumi config set --stack {stack} --secret airflow:brokerUrl"
_REASONS: Final = (
    Reason(
        r"wrongpass|invalid username-password|invalid password|called without any password|no password is set",
        "airflow:brokerUrl: expected a login that {host} accepts, found: {line}",
        f"{_SET}, with the user and the password of the broker",
    ),
    Reason(
        r"noauth|authentication required",
        "airflow:brokerUrl: expected a login, which {host} demands, found none",
        f"{_SET}, with a password: redis://:PASSWORD@HOST",
    ),
    Reason(
        r"noperm|no permissions",
        "airflow:brokerUrl: expected a user with every right on its database, found: {line}",
        "give the broker's user all commands, keys and channels: ACL SETUSER USER +@all ~* &*",
    ),
    Reason(
        r"db index|select is not allowed",
        "airflow:brokerUrl: expected a database that {host} has, found: {line}",
        f"{_SET}, with /0 at its end",
    ),
    Reason(
        r"wrong version number|record layer failure|unknown protocol",
        "airflow:brokerUrl: expected TLS at {host} for rediss://, found a server without it: {line}",
        f"turn TLS on at the server, or: {_SET}, with redis://",
    ),
    Reason(
        r"certificate|hostname mismatch|ssl",
        "airflow:brokerUrl: expected a certificate of {host} that Airflow's image trusts, found: {line}",
        "give the server one of a public authority, or give workers and scheduler yours: see "
        "docs/bring-your-own-values.md#a-redis-of-your-own",
    ),
    Reason(
        r"max number of clients",
        "airflow:brokerUrl: expected a free connection at {host}, found: {line}",
        "end connections that nobody uses, or raise maxclients",
        outage=True,
    ),
    Reason(
        r"name or service not known|name resolution|no address associated",
        "airflow:brokerUrl: expected a host that the cluster's DNS knows, found no address of {host}",
        f"{_SET}, with another host",
        outage=True,
    ),
    Reason(
        r"connection closed by server|connection reset",
        "airflow:brokerUrl: expected {host} to answer pods at port {port}, found that it ends the connection: {line}",
        f"if it demands TLS: {_SET}, with rediss://",
        outage=True,
    ),
    Reason(
        r"refused|timeout|timed out|unreachable|no route|loading",
        "airflow:brokerUrl: expected {host} to answer pods at port {port}, found: {line}",
        "look at the server, at firewalls between it and the cluster, at airflow:brokerCidrs, to which the network "
        "policies open the way, and whether the server has TLS as the URL says",
        outage=True,
    ),
    Reason("", "airflow:brokerUrl: expected that workers can use {host}, found: {line}", "correct that"),
)


def broker_about(broker: Broker) -> dict[str, Any]:
    """Return what the texts name. It holds no secret."""
    return {"host": broker.host, "port": str(broker.port), "tls": broker.tls}


def broker_pod(
    secret: pulumi.Input[str], values: Mapping[str, Any], images: Images, pod: JobPod, release_name: str
) -> dict[str, Any]:
    """Return metadata and spec of a pod that the policies take for a worker.

    Args:
        secret: Name of the Secret with the URL.
        values: The values of the release, with the chart's own below them.
        images: The Airflow image.
        pod: What a team says of all pods, with the workers' own files.
        release_name: Value of the chart's label `release`.
    """
    environment = [from_secret(BROKER_VARIABLE, secret, CONNECTION_KEY), *plain_variables(values, VALUES_OF)]
    command = ["python", "-c", SCRIPT]
    return component_pod("worker", command, environment, images=images, pod=pod, release_name=release_name)


def broker_finding(answer: str, about: Mapping[str, Any]) -> Finding:
    """Return what the script's answer means.

    Args:
        answer: What `SCRIPT` wrote, without secrets.
        about: See `broker_about`, and the stack.
    """
    found, host = json.loads(answer), about["host"]
    if "error" in found:
        return explained(CHECK, str(found["error"]), _REASONS, about)
    command = _SET.format(stack=about["stack"])
    if found["cluster_enabled"]:
        return failed(
            CHECK,
            f"airflow:brokerUrl: expected one primary, found that {host} is a Redis Cluster, which Celery cannot use",
            f"turn cluster mode off, or name another server: {command}",
        )
    if found["role"] in ("slave", "replica"):
        return failed(
            CHECK,
            f"airflow:brokerUrl: expected a server that can be written to, found that {host} is a replica",
            f"{command}, with the primary's host",
        )
    tls = "with TLS" if about["tls"] else "without TLS"
    return passed(CHECK, f"Redis {found['redis_version'] or 'of an unknown version'} at {host} answers workers {tls}")
