"""Stand-ins for what a plan cannot know: encrypted config, secrets that a fork does not have, answers of AWS.

Nothing is random: the same files give the same plan, and another encrypted value gives another stand-in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import settings
from automation.helm_template import KUBERNETES
from automation.plan.model import Placeholder, Why
from components.aws.eks_cluster import EksCluster, Subnet
from components.dags.ssh_private_key import normalise_private_key
from components.keys.escrow_reader import EscrowedKeys
from components.kube.safe_yaml import load_yaml
from components.kube.secret import Secret
from settings import PROJECT, SECRET_KEYS, SettingsError
from settings.files import holds_secure, is_secure

_MISSING_KEY: Final = re.compile(rf"{PROJECT}:(\w+): ")


@dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """Config as the engine would give it."""

    values: Mapping[str, str] = field(repr=False)
    """Texts by full key."""
    secret_keys: frozenset[str]
    """Full keys of the secret values."""
    placeholders: tuple[Placeholder, ...]
    """The values that are made up."""

    def text(self, key: str) -> str:
        """Return the value of a short key, or ""."""
        return self.values.get(f"{PROJECT}:{key}", "")

    @property
    def helm_values(self) -> Any:
        """A team's own values of the chart."""
        try:
            return json.loads(self.text("helmValues") or "{}")
        except ValueError:
            return {}  # the program refuses them

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret values."""
        return tuple(self.values[key] for key in sorted(self.secret_keys) if self.values.get(key))


def plan_config(project: Path, stack: str, secrets: Mapping[str, str]) -> PlanConfig:
    """Return the config of a stack's files. secrets: known values, by short key. Raises SettingsError."""
    values, secret_keys = settings.read_files(project, stack)
    encrypted = _encrypted(project / f"Pulumi.{stack}.yaml")
    placeholders = []
    for full, content in encrypted.items():
        short = full.removeprefix(f"{PROJECT}:")
        secret_keys.add(full)
        if short not in secrets:
            values[full] = _filled(full, content)
            placeholders.append(Placeholder(key=short, why=Why.ENCRYPTED))
    for short, value in secrets.items():
        values[f"{PROJECT}:{short}"] = value
        secret_keys.add(f"{PROJECT}:{short}")
    for short in _missing(values, secret_keys, stack):
        values[f"{PROJECT}:{short}"] = placeholder(short, "")
        secret_keys.add(f"{PROJECT}:{short}")
        placeholders.append(Placeholder(key=short, why=Why.MISSING))
    return PlanConfig(
        values=values,
        secret_keys=frozenset(secret_keys),
        placeholders=tuple(sorted(placeholders, key=lambda item: item.key)),
    )


def placeholder(key: str, seed: str) -> str:
    """Return a value that passes for a secret config value. Another seed gives another one."""
    digest = hashlib.sha256(f"{key}\0{seed}".encode()).digest()
    name, _, entry = key.partition(".")
    make: Callable[[bytes], str] = (_ENTRY_MAKERS if entry else _MAKERS).get(name, _token)
    return make(digest)


def stand_in_for_aws() -> None:
    """Let `aws_lookup` answer without AWS, for the rest of this process."""
    from settings import aws_lookup

    vars(aws_lookup).update(
        find_cluster=_cluster,
        find_subnets=_subnets,
        check_existing_instance=lambda wanted, region: None,
        read_escrowed_keys=_escrowed,
    )


def aws_stand_ins(config: PlanConfig) -> tuple[str, ...]:
    """Return the stand-ins for AWS, one clause each; none where the stack has nothing in AWS."""
    if not config.text("eksCluster"):
        return ()
    clauses = ["facts of the EKS cluster: VPC, subnets and their networks, security group, endpoint, OIDC issuer"]
    if config.text("database") == "managed":
        clauses.append("the RDS instance, assumed to be as the program wants it")
    if config.text("keySource") == "escrow":
        clauses.append("the keys in the escrow")
    return tuple(clauses)


# Config


def _encrypted(path: Path) -> dict[str, Any]:
    """Return the values in a stack's file that are, or hold, a map `secure`, by full key."""
    config = (load_yaml(path.read_text(encoding="utf-8")) or {}).get("config") or {}
    return {key if ":" in key else f"{PROJECT}:{key}": item for key, item in config.items() if holds_secure(item)}


def _filled(full: str, content: Any) -> str:
    """Return the text of a config value, with a stand-in for each encrypted part."""

    def fill(value: Any, key: str) -> Any:
        if is_secure(value):
            return placeholder(key, str(value["secure"]))
        if isinstance(value, Mapping):
            return {name: fill(item, f"{key}.{name}") for name, item in value.items()}
        if isinstance(value, list):
            return [fill(item, f"{key}[{index}]") for index, item in enumerate(value)]
        return value

    filled = fill(content, full.removeprefix(f"{PROJECT}:"))
    return filled if isinstance(filled, str) else json.dumps(filled)


def _missing(values: Mapping[str, str], secret_keys: set[str], stack: str) -> list[str]:
    """Return the secret keys that the settings miss. Only the settings know which are needed when."""
    try:
        settings.parse(values, secret_keys, stack)
    except SettingsError as error:
        named = {match[1] for match in map(_MISSING_KEY.match, error.problems) if match}
        return sorted(key for key in named & SECRET_KEYS if not values.get(f"{PROJECT}:{key}"))
    return []


# Secrets


def _token(digest: bytes) -> str:
    return digest.hex()


def _fernet_key(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode()


def _long(digest: bytes) -> str:
    return hashlib.sha512(digest).hexdigest()


def _map(digest: bytes) -> str:
    return json.dumps({f"stand_in_{digest.hex()[:8]}": _connection(digest)})


def _connection(digest: bytes) -> str:
    return f"generic://stand-in:{digest.hex()}@stand-in.example.com"


def _docker_config(digest: bytes) -> str:
    auth = base64.b64encode(f"stand-in:{digest.hex()}".encode()).decode()
    return json.dumps({"auths": {"registry.example.com": {"auth": auth}}})


def _ssh_private_key(digest: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.from_private_bytes(digest)
    return normalise_private_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _login(digest: bytes) -> str:
    return f"airflow_{digest.hex()[:6]}:{digest.hex()[:40]}"  # as a rotation makes it: a container takes no other


def _broker_url(digest: bytes) -> str:
    return f"rediss://:{digest.hex()}@broker.example.com:6379/0"


_MAKERS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "fernetKey": _fernet_key,
    "jwtSecret": _long,
    "databaseLogin": _login,
    "brokerUrl": _broker_url,
    "gitSshPrivateKey": _ssh_private_key,
    "registryCredentials": _docker_config,
    "connections": _map,
    "variables": _map,
}
"""Makers of values that have a format, by config key."""
_ENTRY_MAKERS: Final[Mapping[str, Callable[[bytes], str]]] = {"connections": _connection}
"""The same for the entries of a map, by the map's config key."""

# AWS


def _cluster(name: str, region: str, account_id: str) -> EksCluster:
    made_up = hashlib.sha256(name.encode()).hexdigest().upper()[:32]
    subnets = (_subnet(index, region, private=private) for index in range(3) for private in (True, False))
    return EksCluster(
        name=name,
        region=region,
        account_id=account_id,
        arn=f"arn:aws:eks:{region}:{account_id}:cluster/{name}",
        endpoint=f"https://{made_up}.gr7.{region}.eks.amazonaws.com",
        certificate_authority=base64.b64encode(b"stand-in").decode(),
        vpc_id="vpc-00000000000000000",
        security_group_id="sg-00000000000000000",
        subnets=tuple(subnets),
        oidc_issuer=f"https://oidc.eks.{region}.amazonaws.com/id/{made_up}",
        version=KUBERNETES,
    )


def _subnet(index: int, region: str, *, private: bool) -> Subnet:
    return Subnet(
        id=f"subnet-{'a' if private else 'b'}{index:016x}",
        cidr=f"10.255.{index + (0 if private else 128)}.0/24",
        availability_zone=f"{region}{'abc'[index % 3]}",
        private=private,
    )


def _subnets(ids: Sequence[str], cluster: EksCluster) -> tuple[Subnet, ...]:
    return tuple(
        Subnet(
            id=identity,
            cidr=f"10.254.{index % 256}.0/24",
            availability_zone=f"{cluster.region}{'abc'[index % 3]}",
            private=True,
        )
        for index, identity in enumerate(ids)
    )


def _escrowed(name: str, region: str) -> EscrowedKeys:
    config_keys = {"fernet_key": "fernetKey", "jwt_secret": "jwtSecret"}
    made = {
        found.name: Secret(placeholder(config_keys.get(found.name, found.name), f"escrow {name} {found.name}"))
        for found in fields(EscrowedKeys)
    }
    return EscrowedKeys(**made)
