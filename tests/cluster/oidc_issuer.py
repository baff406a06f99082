"""A small OpenID Connect issuer for the tests, in a pod of its own, with a certificate of a private authority.

Nobody types a password here: the code of a login is the person, as the test writes it (`code_of`). So only the parts
that the API server itself calls exist: metadata, keys, and the exchange of the code for an ID token.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.cluster.tls_database import Authority

CLIENT_ID: Final = "airflow-of-the-tests"
CLIENT_SECRET: Final = "sentinel-client-secret"
_PORT: Final = 6443  # one of the two ports of the outside that the API server may use
_LABELS: Final = {"app": "issuer"}
_READY_SECONDS: Final = 120
_SERVER: Final = """\
import base64, http.server, json, os, ssl, time, urllib.parse

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER = os.environ["ISSUER"]
PUBLIC = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "1", "use": "sig", "alg": "RS256"}
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": ISSUER + "/authorize",
    "token_endpoint": ISSUER + "/token",
    "userinfo_endpoint": ISSUER + "/userinfo",
    "jwks_uri": ISSUER + "/keys",
    "id_token_signing_alg_values_supported": ["RS256"],
}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/.well-known/openid-configuration":
            self.answer(METADATA)
        elif self.path == "/keys":
            self.answer({"keys": [PUBLIC]})
        elif self.path == "/userinfo":
            self.answer(json.loads(base64.urlsafe_b64decode(self.headers["Authorization"].split()[1])))
        else:
            self.answer({"error": "not found"}, 404)

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        login = base64.b64encode(f"{os.environ['CLIENT_ID']}:{os.environ['CLIENT_SECRET']}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            return self.answer({"error": "invalid_client"}, 401)
        person = json.loads(base64.urlsafe_b64decode(form["code"][0]))
        now = int(time.time())
        in_userinfo = person.pop("in_userinfo", {})
        claims = {"iss": ISSUER, "aud": os.environ["CLIENT_ID"], "iat": now, "exp": now + 300, **person}
        access = base64.urlsafe_b64encode(json.dumps({"sub": person["sub"], **in_userinfo}).encode()).decode()
        token = jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "1"})
        self.answer({"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": token})


server = http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def code_of(claims: Mapping[str, Any]) -> str:
    """The code with which a person of these claims comes back; `in_userinfo` are claims that userinfo alone has."""
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()


@dataclass
class OidcIssuer:
    """The issuer, in a namespace of its own. image: an Airflow image, which has PyJWT."""

    api: Any
    namespace: str
    image: str
    authority: Authority

    @property
    def host(self) -> str:
        return f"issuer.{self.namespace}.svc.cluster.local"

    @property
    def url(self) -> str:
        return f"https://{self.host}:{_PORT}"

    def create(self) -> None:
        """Starts it and waits until it is ready."""
        core, name = self.api, "issuer"
        core.create_namespace({"metadata": {"name": self.namespace}})
        data = {**self.authority.issue(self.host), "server.py": _SERVER}
        core.create_namespaced_secret(self.namespace, {"metadata": {"name": name}, "stringData": data})
        service = {"metadata": {"name": name}, "spec": {"selector": _LABELS, "ports": [{"port": _PORT}]}}
        core.create_namespaced_service(self.namespace, service)
        variables = {"ISSUER": self.url, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "PORT": str(_PORT)}
        container = {
            "name": name,
            "image": self.image,
            "command": ["python", "/tls/server.py"],
            "env": [{"name": key, "value": value} for key, value in variables.items()],
            "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
            "volumeMounts": [{"name": "files", "mountPath": "/tls"}],
        }
        spec = {"containers": [container], "volumes": [{"name": "files", "secret": {"secretName": name}}]}
        core.create_namespaced_pod(self.namespace, {"metadata": {"name": name, "labels": _LABELS}, "spec": spec})
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready():
            assert time.monotonic() < deadline, "the issuer does not become ready"
            time.sleep(1)

    def delete(self) -> None:
        self.api.delete_namespace(self.namespace)

    def _ready(self) -> bool:
        conditions = self.api.read_namespaced_pod("issuer", self.namespace).status.conditions or ()
        return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)
