"""The broker of Celery where it is a Redis outside the stack."""

from __future__ import annotations

from components.database.broker import Broker, BrokerUrl, broker_url
from components.database.host import outside_networks
from components.kube.secret import Secret
from components.network.database_place import database_cidrs
from components.network.extra_egress import broker_egress, extra_egress_rules
from components.network.isolation_args import Isolation
from components.texts import fields
from settings.keys import Section
from settings.reading import Config
from settings.sections import database as db
from settings.sections.executor import EXECUTOR
from settings.sections.isolation import EGRESS_EXCEPT_CIDRS, NETWORK_ISOLATION
from settings.sections.keys import REDIS_PASSWORD, ROTATION, refuse_guessable

SECTION = Section("Broker")
_NOT_READ = BrokerUrl(host="", port=0, tls=True, password="", whole="")
"""Stands for a URL that is encrypted where nobody can read it."""
NOTHING_OPENED = (
    "expected networks in which the broker's port may be opened, found the metadata database's port or instance "
    "metadata alone, which stay closed to workers"
)


def _url(text: str) -> str:
    broker_url(text)
    return text


BROKER_URL = SECTION.secret(
    "brokerUrl",
    _url,
    description="Redis of your own for Celery's queue and results, such as ElastiCache, in place of the stack's: "
    "as a URL with user, password and database: rediss:// (TLS, verified) or redis://. Needs CeleryExecutor.",
)
BROKER_CIDRS = SECTION.texts(
    "brokerCidrs",
    fields.network,
    check_all=fields.not_everybody,
    description="Networks of the Redis that brokerUrl names. Network isolation opens its port there to the scheduler "
    "and the workers.",
)


def read_broker(config: Config) -> Broker | None:
    """Return the broker outside the stack, or None where Celery has the stack's own Redis, or does not run."""
    given, cidrs = config[BROKER_URL], config[BROKER_CIDRS]
    if given is None:
        if not config.bad(BROKER_URL):
            config.refuse_set((BROKER_CIDRS,), f"without {BROKER_URL.full}")
        return None
    if not config.bad(EXECUTOR) and not config[EXECUTOR].celery:
        config.must_not_be_set(
            BROKER_URL,
            f"with {EXECUTOR.full} {config[EXECUTOR]}, which has no broker",
            instead=f"pulumi config set {EXECUTOR.full} CeleryExecutor",
        )
        return None
    mark = config[ROTATION]
    if mark is not None and mark.key == "redis-password":
        config.must_not_be_set(BROKER_URL, f"before the rotation of {mark.key} is done")
    config.refuse_set((REDIS_PASSWORD,), f"with {BROKER_URL.full}, in which the broker's password is")
    url = broker_url(given.reveal()) if given.reveal() else _NOT_READ
    refuse_guessable(config, BROKER_URL, url.password, "the broker")
    if not config.bad(NETWORK_ISOLATION, BROKER_CIDRS) and config[NETWORK_ISOLATION] is not Isolation.OFF:
        _check_networks(config, url)
    return Broker(host=url.host, port=url.port, tls=url.tls, url=Secret(url.whole), cidrs=cidrs)


def _check_networks(config: Config, url: BrokerUrl) -> None:
    cidrs = config[BROKER_CIDRS]
    more = f"pulumi config set --path '{BROKER_CIDRS.full}[{len(cidrs)}]'"
    if not cidrs:
        text = "expected the broker's networks, to which the way must be opened, found none"
        config.problem(BROKER_CIDRS, text, f"{more} 10.0.0.0/24")
        return
    outside = outside_networks(url.host, cidrs) if url.host else None
    if outside is not None:
        text = f"{outside}: network isolation would close the broker to the scheduler"
        config.problem(BROKER_CIDRS, text, f"{more} NETWORK")
        return
    if not url.port or config.bad(db.DATABASE, db.HOST, db.CIDRS, db.PORT, EGRESS_EXCEPT_CIDRS):
        return
    external = config[db.DATABASE] is db.DatabaseKind.EXTERNAL
    database = database_cidrs(config[db.HOST] or "", config[db.CIDRS], config[db.PORT]) if external else None
    if not extra_egress_rules(broker_egress(cidrs, url.port), config[EGRESS_EXCEPT_CIDRS], database):
        config.problem(BROKER_CIDRS, NOTHING_OPENED, f"{more} NETWORK")
