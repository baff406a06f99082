"""The script that reads an issuer's metadata, against a server in this process."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from components.login.oidc import WELL_KNOWN
from components.preflight.in_image import issuer
from components.preflight.issuer import issuer_about, issuer_finding
from tests.cluster.tls_database import Authority

Answered = Callable[[str], Mapping[str, Any]]
METADATA: Final = {
    "authorization_endpoint": "https://x/auth",
    "token_endpoint": "https://x/token",
    "jwks_uri": "https://x/keys",
    "scopes_supported": ["openid"],
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new("a private authority")


@pytest.fixture(scope="module")
def base(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("issuer")
    for name, text in authority.issue("127.0.0.1").items():
        (folder / name).write_text(text)
    address = ""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            moved = self.path == f"/moved{WELL_KNOWN}"
            realm = self.path == f"/realm{WELL_KNOWN}"
            page = self.path == f"/page{WELL_KNOWN}"
            body = b"<html>" if page else json.dumps({**METADATA, "issuer": f"{address}/realm"}).encode()
            self.send_response(302 if moved else 200 if realm or page else 404)
            if moved:
                self.send_header("Location", f"/realm{WELL_KNOWN}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"https://127.0.0.1:{server.server_port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield address
    server.shutdown()
    server.server_close()


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: Authority) -> Answered:
    bundle = tmp_path / "ca.crt"
    bundle.write_text(authority.pem)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setattr(issuer, "ANSWER", str(tmp_path / "answer"))

    def run(url: str) -> Mapping[str, Any]:
        issuer.main(issuer_about(url)["url"])
        found: Mapping[str, Any] = json.loads((tmp_path / "answer").read_text())
        return found

    return run


def told(answer: Mapping[str, Any], url: str) -> str:
    return issuer_finding(json.dumps(answer), {**issuer_about(url), "stack": "prod"}).what


def test_metadata_is_read_with_the_team_s_authority(base: str, answered: Answered) -> None:
    url = f"{base}/realm"
    found = answered(url)
    wanted = {name: text for name, text in METADATA.items() if isinstance(text, str)}
    assert found == {"status": 200, "document": {**wanted, "issuer": url}}
    assert told(found, url) == f"{url} has the metadata that the login needs"
    assert answered(f"{base}/moved") == found, "the login follows it too"


def test_other_answers_are_told(base: str, answered: Answered) -> None:
    assert "HTTP 404" in told(answered(f"{base}/none"), f"{base}/none")
    assert "no JSON object" in told(answered(f"{base}/page"), f"{base}/page")


def test_authority_that_is_not_trusted_and_one_that_is_not_there(
    base: str, answered: Answered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"{base}/realm"
    other = tmp_path / "other.crt"
    other.write_text(Authority.new("another").pem)
    for bundle in (other, tmp_path / "none.crt"):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        assert "a certificate of 127.0.0.1 that the API server trusts" in told(answered(url), url)


def test_place_where_nothing_listens_and_a_proxy_s_password(
    base: str, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "127.0.0.1 to answer the API server at port 1," in told(
        answered("https://127.0.0.1:1"), "https://127.0.0.1:1"
    )
    plain = base.replace("127.0.0.1", "issuer.invalid")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:sentinel-password@127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    found = answered(plain)
    assert "sentinel-password" not in str(found)
    assert "the API server's proxy reaches issuer.invalid" in told(found, plain)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:sentinel-password@[")
    assert "sentinel-password" not in str(answered(plain))
