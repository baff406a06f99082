"""The pods that try a login and an authority, and the real question to a server with certificates of its own."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from automation.errors import ClusterRequestFailed
from automation.plan.recorder import Recorder
from automation.preflight import temporary
from automation.rotation import trials
from automation.rotation.trials import ASK_DATABASE, asking_pod, authority_refusal, pulling_pod, registry_refusal
from components.preflight.pod_run import ContainerEnd, PodEnd
from tests.automation.rotation.trial_pods import ends

TEMPLATE: dict[str, Any] = {
    "metadata": {
        "labels": {"component": "database-migration", "batch.kubernetes.io/job-name": "j", "controller-uid": "u"}
    },
    "spec": {
        "imagePullSecrets": [{"name": "old"}],
        "securityContext": {"runAsUser": 50000},
        "tolerations": [{"key": "a"}],
        "volumes": [{"name": "v"}],
        "containers": [
            {
                "name": "airflow",
                "image": "registry.test/airflow:1",
                "args": ["bash"],
                "env": [{"name": "A", "value": "b"}],
                "securityContext": {"allowPrivilegeEscalation": False},
            }
        ],
    },
}


class Cluster:
    """A cluster with that template, which remembers what is made and deleted."""

    def __init__(self, *, empty: bool = False) -> None:
        self.empty, self.made, self.deleted = empty, list[Any](), list[str]()

    def items(self, version: str, kind: str, namespace: str, **options: Any) -> list[dict[str, Any]]:
        old = {"metadata": {"creationTimestamp": "2026-01-01"}, "spec": {"template": {"spec": {"containers": []}}}}
        new = {"metadata": {"creationTimestamp": "2026-02-01"}, "spec": {"template": TEMPLATE}}
        return [] if self.empty else [new, old]

    def create(self, manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
        self.made.append(manifest)
        return {"metadata": {"name": "airflow-rotation-1"}}

    def delete(self, version: str, kind: str, namespace: str, name: str, **options: Any) -> None:
        self.deleted.append(f"{kind} {name}")


def test_login_is_tried_by_a_pull_that_asks_the_registry_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    says = "401 for sentinel-login"
    refused = ContainerEnd(name="image", image="registry.test/airflow:1", reason="ErrImagePull", message=says)
    for end, expected in ((PodEnd(), ""), (PodEnd(containers={"image": refused}), "ErrImagePull 401 for [secret]")):
        cluster, pods = Cluster(), ends(monkeypatch, trials, end)
        assert registry_refusal(cluster, "ns", "sentinel-login", lambda _: None).endswith(expected)  # type: ignore[arg-type]
        [pod] = pods
        assert pod["spec"]["containers"][0]["imagePullPolicy"] == "Always"
        assert cluster.made[0]["type"] == "kubernetes.io/dockerconfigjson"
        assert cluster.deleted == ["Secret airflow-rotation-1"]
        assert "sentinel-login" not in str(pod)


def test_secret_of_the_trial_goes_even_if_the_trial_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    ends(monkeypatch, trials, RuntimeError())
    with pytest.raises(RuntimeError):
        registry_refusal(cluster, "ns", "login", lambda _: None)  # type: ignore[arg-type]
    assert cluster.deleted == ["Secret airflow-rotation-1"]


def test_secret_that_a_killed_trial_left_goes_with_the_next_preflight(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    ends(monkeypatch, trials, PodEnd())
    registry_refusal(cluster, "ns", "login", lambda _: None)  # type: ignore[arg-type]
    left = {**cluster.made[0]["metadata"], "name": "left", "creationTimestamp": "2026-01-01T00:00:00Z"}
    later = datetime(2026, 1, 1, 0, 11, tzinfo=UTC).timestamp()

    class Later(Cluster):
        now = later

        def items(self, version: str, kind: str, namespace: str, **options: Any) -> list[dict[str, Any]]:
            wanted = options["labels"].items()
            return [{"metadata": left}] if kind == "Secret" and wanted <= left["labels"].items() else []

    after = Later()
    with temporary.present(after, "ns", Recorder(), []):  # type: ignore[arg-type]
        pass
    assert after.deleted == ["Secret left"]


def test_pod_that_pulls_is_admitted_like_the_stacks_own_and_has_nothing_of_theirs() -> None:
    spec = pulling_pod(TEMPLATE, "trial")["spec"]
    assert spec["imagePullSecrets"] == [{"name": "trial"}]
    assert spec["securityContext"] == {"runAsUser": 50000}
    assert spec["containers"][0]["securityContext"] == {"allowPrivilegeEscalation": False}
    assert "env" not in spec["containers"][0]
    assert "volumes" not in spec
    assert spec["automountServiceAccountToken"] is False


def test_pod_that_asks_the_database_is_the_migrations_and_changes_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = str(TEMPLATE)
    pod = asking_pod(TEMPLATE, "PEM")
    container = pod["spec"]["containers"][0]
    assert pod["metadata"]["labels"] == {"component": "database-migration"}
    assert container["env"] == [{"name": "A", "value": "b"}, {"name": "NEW_AUTHORITY", "value": "PEM"}]
    assert container["args"][-1] == ASK_DATABASE
    assert str(TEMPLATE) == before
    ends(monkeypatch, trials, PodEnd())
    assert authority_refusal(Cluster(), "ns", "PEM", lambda _: None) == ""  # type: ignore[arg-type]
    with pytest.raises(ClusterRequestFailed, match="no migration Job"):
        authority_refusal(Cluster(empty=True), "ns", "PEM", lambda _: None)  # type: ignore[arg-type]


# The question itself


def authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, signed(name, key, name, key, ca=True)


def signed(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=ca,
                crl_sign=ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(by, hashes.SHA256())
    )


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@contextmanager
def server(folder: Path, answer: bytes, by: tuple[ec.EllipticCurvePrivateKey, x509.Certificate]) -> Iterator[int]:
    """A server that answers a request for TLS like PostgreSQL, with a certificate of an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = by[1].subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + pem(signed("db.test", key, str(issuer), by[0], ca=False)).encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                assert connection.recv(8) == b"\x00\x00\x00\x08\x04\xd2\x16/"
                connection.sendall(answer)
                if answer == b"S":
                    try:
                        context.wrap_socket(connection, server_side=True).close()
                    except (ssl.SSLError, OSError):
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


def test_only_the_authority_that_signed_the_certificate_is_accepted(tmp_path: Path) -> None:
    old, new = authority("old"), authority("new")
    for answer, given, code, text in (
        (b"S", new, 0, ""),
        (b"S", old, 1, "its certificate is not signed by the new authority"),
        (b"N", new, 1, "it offers no TLS"),
    ):
        with server(tmp_path, answer, new) as port:
            environment = {
                **os.environ,
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql://u:p@127.0.0.1:{port}/airflow?sslmode=verify-ca",
                "NEW_AUTHORITY": pem(given[1]),
                "PYTHONPATH": str(tmp_path),
            }
            # Airflow's image has SQLAlchemy; of it, the question needs this much.
            (tmp_path / "sqlalchemy").mkdir(exist_ok=True)
            (tmp_path / "sqlalchemy" / "__init__.py").touch()
            (tmp_path / "sqlalchemy" / "engine.py").write_text(
                "from urllib.parse import urlsplit\n\n"
                "def make_url(text):\n    found = urlsplit(text)\n"
                "    return type('Url', (), {'host': found.hostname, 'port': found.port})\n"
            )
            done = subprocess.run(
                [sys.executable, "-c", ASK_DATABASE], env=environment, capture_output=True, text=True, check=False
            )
        assert done.returncode == code, done.stderr
        assert text in done.stderr
