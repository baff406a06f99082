"""A PostgreSQL outside of the stack that demands TLS, with a certificate of a private authority: as RDS is to prod."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import versions

USER: Final = "airflow"
_LABELS: Final = {"app": "tls-database"}
_READY_SECONDS: Final = 180
_HBA: Final = """\
local all all trust
hostssl all all all scram-sha-256
hostnossl all all all reject
"""


@dataclass(frozen=True)
class Authority:
    """A CA that nobody else trusts."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @staticmethod
    def new(name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, key).add_extension(x509.BasicConstraints(True, 0), critical=True)
        return Authority(key, builder.sign(key, hashes.SHA256()))

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def issue(self, host: str) -> dict[str, str]:
        """A server's certificate and key for one host, as a TLS Secret holds them."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database")])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = (
            _builder(subject, self.certificate.subject, key)
            .add_extension(names, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {"tls.crt": certificate.public_bytes(Encoding.PEM).decode(), "tls.key": private}


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
    )


@dataclass
class TlsDatabase:
    """The server, in a namespace of its own. password: of `USER`, who owns the database of the same name."""

    api: Any
    namespace: str
    authority: Authority
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def host(self) -> str:
        return f"database.{self.namespace}.svc.cluster.local"

    @property
    def cidr(self) -> str:
        """Where it is, for a network policy: not its address alone, because it has another when it starts again."""
        return str(ipaddress.ip_network(f"{self._pod().status.pod_ip}/24", strict=False))

    def create(self) -> None:
        """Starts it and waits until it answers."""
        core = self.api
        core.create_namespace({"metadata": {"name": self.namespace}})
        secret = {**self.authority.issue(self.host), "password": self.password}
        core.create_namespaced_secret(self.namespace, {"metadata": {"name": "tls"}, "stringData": secret})
        core.create_namespaced_config_map(self.namespace, {"metadata": {"name": "hba"}, "data": {"pg_hba.conf": _HBA}})
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        core.create_namespaced_persistent_volume_claim(self.namespace, {"metadata": {"name": "data"}, "spec": claim})
        service = {"metadata": {"name": "database"}, "spec": {"selector": _LABELS, "ports": [{"port": 5432}]}}
        core.create_namespaced_service(self.namespace, service)
        self.start()

    def start(self) -> None:
        """Starts the server on the volume that is there. Its address changes: the Service follows."""
        self.api.create_namespaced_pod(self.namespace, self._manifest())
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready():
            assert time.monotonic() < deadline, "the database does not become ready"
            time.sleep(1)

    def stop(self) -> None:
        """Stops the server at once, as a failing machine does."""
        self.api.delete_namespaced_pod("database", self.namespace, grace_period_seconds=0)

    def delete(self) -> None:
        self.api.delete_namespace(self.namespace)

    def _ready(self) -> bool:
        conditions = self._pod().status.conditions or ()
        return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)

    def _pod(self) -> Any:
        return self.api.read_namespaced_pod("database", self.namespace)

    def _manifest(self) -> dict[str, Any]:
        probe = {"exec": {"command": ["pg_isready", "--username", USER, "--host", "/tmp"]}, "periodSeconds": 2}
        settings = {
            "ssl": "on",
            "ssl_cert_file": "/tls/tls.crt",
            "ssl_key_file": "/tls/tls.key",
            "hba_file": "/hba/pg_hba.conf",
            "unix_socket_directories": "/tmp",
        }
        return {
            "metadata": {"name": "database", "labels": _LABELS},
            "spec": {
                "terminationGracePeriodSeconds": 5,
                "securityContext": {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999},
                "containers": [
                    {
                        "name": "postgres",
                        "image": f"postgres:{versions.POSTGRES_IMAGE_TAG}",
                        "args": [word for name, value in settings.items() for word in ("-c", f"{name}={value}")],
                        "env": [
                            {"name": "POSTGRES_USER", "value": USER},
                            {"name": "POSTGRES_DB", "value": USER},
                            {"name": "PGDATA", "value": "/data/pgdata"},
                            {
                                "name": "POSTGRES_PASSWORD",
                                "valueFrom": {"secretKeyRef": {"name": "tls", "key": "password"}},
                            },
                        ],
                        "readinessProbe": probe,
                        "volumeMounts": [
                            {"name": "data", "mountPath": "/data"},
                            {"name": "tls", "mountPath": "/tls"},
                            {"name": "hba", "mountPath": "/hba"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                    # PostgreSQL refuses a key that others may read; one of root that its group reads is good.
                    {"name": "tls", "secret": {"secretName": "tls", "defaultMode": 0o440}},
                    {"name": "hba", "configMap": {"name": "hba"}},
                ],
            },
        }
