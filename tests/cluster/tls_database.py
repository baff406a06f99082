"""A PostgreSQL outside of the stack that demands TLS, with a certificate of a private authority: as RDS is to prod."""

from __future__ import annotations

import datetime
import ipaddress
import re
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
from automation.cluster.client import KubeClient
from tests.cluster.harness import CONTEXT

USER: Final = "airflow"
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

    def issue(self, *hosts: str) -> dict[str, str]:
        """A server's certificate and key for host names or IPv4 addresses, as a TLS Secret holds them."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database")])
        names = x509.SubjectAlternativeName(
            [
                x509.IPAddress(ipaddress.ip_address(host)) if re.fullmatch(r"[0-9.]+", host) else x509.DNSName(host)
                for host in hosts
            ]
        )
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
    """The server. password: of `owner`, a superuser with a database of the same name."""

    api: Any
    namespace: str
    authority: Authority
    name: str = "database"
    """Name of its objects, and the first part of its host name."""
    owner: str = USER
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def host(self) -> str:
        return f"{self.name}.{self.namespace}.svc.cluster.local"

    @property
    def cidr(self) -> str:
        """Where it is, for a network policy: not its address alone, because it has another when it starts again."""
        return str(ipaddress.ip_network(f"{self._pod().status.pod_ip}/24", strict=False))

    def create(self) -> None:
        """Starts it in a namespace of its own and waits until it answers. An earlier test's namespace may still go."""
        deadline = time.monotonic() + _READY_SECONDS
        while self.namespace in {item.metadata.name for item in self.api.list_namespace().items}:
            assert time.monotonic() < deadline, f"namespace {self.namespace} is not gone"
            time.sleep(1)
        self.api.create_namespace({"metadata": {"name": self.namespace}})
        self.create_in_namespace()

    def create_in_namespace(self) -> None:
        """Starts it in a namespace that is there, and waits until it answers."""
        core = self.api
        secret = {**self.authority.issue(self.host), "password": self.password}
        core.create_namespaced_secret(self.namespace, {"metadata": {"name": f"{self.name}-tls"}, "stringData": secret})
        hba = {"metadata": {"name": f"{self.name}-hba"}, "data": {"pg_hba.conf": _HBA}}
        core.create_namespaced_config_map(self.namespace, hba)
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        core.create_namespaced_persistent_volume_claim(
            self.namespace, {"metadata": {"name": f"{self.name}-data"}, "spec": claim}
        )
        service = {"metadata": {"name": self.name}, "spec": {"selector": {"app": self.name}, "ports": [{"port": 5432}]}}
        core.create_namespaced_service(self.namespace, service)
        self.start()

    def start(self) -> None:
        """Starts the server on the volume that is there. Its address changes: the Service follows."""
        self.api.create_namespaced_pod(self.namespace, self._manifest())
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready():
            assert time.monotonic() < deadline, "the database does not become ready"
            time.sleep(1)

    def reissue(self, authority: Authority) -> None:
        """Give the running server a certificate of another authority, as its operator would: no connection breaks."""
        kube, issued = KubeClient(CONTEXT, self.namespace), authority.issue(self.host)
        self.api.patch_namespaced_secret(f"{self.name}-tls", self.namespace, {"stringData": issued})
        deadline = time.monotonic() + _READY_SECONDS
        while kube.run(self.name, "postgres", ("cat", "/tls/tls.crt"), seconds=30).stdout != issued["tls.crt"]:
            assert time.monotonic() < deadline, "the new certificate does not reach the pod"
            time.sleep(2)
        reload = ("psql", "-h", "/tmp", "-U", self.owner, "-c", "SELECT pg_reload_conf()")
        done = kube.run(self.name, "postgres", reload, seconds=30)
        assert done.exit_code == 0, done.stderr
        self.authority = authority

    def sql(self, text: str, database: str = "") -> str:
        """Return what the server answers to its owner. database: the owner's own if it is not given."""
        where = ("-U", self.owner, "-d", database or self.owner)
        command = ("psql", "-h", "/tmp", *where, "-v", "ON_ERROR_STOP=1", "-tAc", text)
        done = KubeClient(CONTEXT, self.namespace).run(self.name, "postgres", command, seconds=30)
        assert done.exit_code == 0, done.stderr
        return done.stdout.strip()

    def stop(self) -> None:
        """Stops the server at once, as a failing machine does."""
        self.api.delete_namespaced_pod(self.name, self.namespace, grace_period_seconds=0)

    def delete(self) -> None:
        self.api.delete_namespace(self.namespace)

    def _ready(self) -> bool:
        conditions = self._pod().status.conditions or ()
        return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)

    def _pod(self) -> Any:
        return self.api.read_namespaced_pod(self.name, self.namespace)

    def _manifest(self) -> dict[str, Any]:
        # By TCP: the server that only makes the database at the first start listens on the socket alone.
        probe = {"exec": {"command": ["pg_isready", "--host", "127.0.0.1"]}, "periodSeconds": 2}
        settings = {
            "ssl": "on",
            "ssl_cert_file": "/tls/tls.crt",
            "ssl_key_file": "/tls/tls.key",
            "hba_file": "/hba/pg_hba.conf",
            "unix_socket_directories": "/tmp",
        }
        return {
            "metadata": {"name": self.name, "labels": {"app": self.name}},
            "spec": {
                "terminationGracePeriodSeconds": 5,
                "securityContext": {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999},
                "containers": [
                    {
                        "name": "postgres",
                        "image": f"postgres:{versions.POSTGRES_IMAGE_TAG}",
                        "args": [word for name, value in settings.items() for word in ("-c", f"{name}={value}")],
                        "env": [
                            {"name": "POSTGRES_USER", "value": self.owner},
                            {"name": "POSTGRES_DB", "value": self.owner},
                            {"name": "PGDATA", "value": "/data/pgdata"},
                            {
                                "name": "POSTGRES_PASSWORD",
                                "valueFrom": {"secretKeyRef": {"name": f"{self.name}-tls", "key": "password"}},
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
                    {"name": "data", "persistentVolumeClaim": {"claimName": f"{self.name}-data"}},
                    # PostgreSQL refuses a key that others may read; one of root that its group reads is good.
                    {"name": "tls", "secret": {"secretName": f"{self.name}-tls", "defaultMode": 0o440}},
                    {"name": "hba", "configMap": {"name": f"{self.name}-hba"}},
                ],
            },
        }
