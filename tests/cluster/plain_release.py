"""A release as a team has it that uses plain Helm: the official chart, Secrets made by hand, a database elsewhere."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import yaml

import versions
from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from components.release.chart_archive import chart_archive
from tests.cluster.harness import CONTEXT, ROOT
from tests.cluster.tls_database import USER, TlsDatabase

ADMIN: Final = "admin"
ADMIN_PASSWORD: Final = "sentinel-admin-password"
CONNECTION: Final = "kept_for_the_tests"
CONNECTION_PASSWORD: Final = "sentinel-password-of-a-connection"
_SECONDS: Final = 900


@dataclass
class PlainRelease:
    """The release `airflow` in a namespace of its own. The keys are a team's own."""

    api: Any
    namespace: str
    database: TlsDatabase
    fernet_key: str = field(
        default_factory=lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(), repr=False
    )
    api_secret_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    jwt_secret: str = field(default_factory=lambda: secrets.token_hex(48), repr=False)
    redis_password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def install(self) -> None:
        """Makes namespace and Secrets by hand, installs the release, and waits until it is ready."""
        self.api.create_namespace({"metadata": {"name": self.namespace}})
        for name, data in self._secrets().items():
            self.api.create_namespaced_secret(self.namespace, {"metadata": {"name": name}, "stringData": data})
        self.helm("install", wait=True)

    def helm(self, verb: str, *, wait: bool = False) -> None:
        """`helm install` or `helm upgrade` of the release with its values."""
        chart = chart_archive("", ROOT)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(self._values(), file)
            file.flush()
            path = chart if Path(chart).is_absolute() else str(ROOT / chart)
            self._helm(verb, "airflow", path, "--values", file.name, *(["--wait", "--timeout", "15m"] if wait else []))

    def history(self) -> list[dict[str, Any]]:
        """Helm's: revision, status, chart, …"""
        found: list[dict[str, Any]] = json.loads(self._helm("history", "airflow", "--output", "json"))
        return found

    def keys(self) -> dict[str, str]:
        """What pods of the release run with, by variable."""
        wanted = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET")
        output = self.run("api-server", "env").splitlines()
        return dict(line.split("=", 1) for line in output if line.startswith(wanted))

    def run(self, component: str, *command: str) -> str:
        """The output of a command in a part of Airflow."""
        kube = KubeClient(CONTEXT, self.namespace)
        pod = next(pod for pod in kube.pods({"component": component, "release": "airflow"}) if pod.ready)
        done = kube.run(pod.name, component, command, seconds=180)
        assert done.exit_code == 0, done.stderr[-2000:]
        return done.stdout

    def airflow(self, password: str = ADMIN_PASSWORD) -> AirflowApi:
        """Its REST API, as its admin."""
        kube = KubeClient(CONTEXT, self.namespace)

        def connect() -> Any:
            pod = next(pod for pod in kube.pods({"component": "api-server", "release": "airflow"}) if pod.ready)
            return kube.connect(pod.name, 8080, seconds=60)

        return AirflowApi(connect, ADMIN, lambda: password)

    def delete(self) -> None:
        """The namespace and all that is in it, where it is there."""
        if self.namespace in {item.metadata.name for item in self.api.list_namespace().items}:
            self.api.delete_namespace(self.namespace)

    def _secrets(self) -> Mapping[str, dict[str, str]]:
        login = f"{USER}:{quote(self.database.password, safe='')}"
        return {
            "team-fernet": {"fernet-key": self.fernet_key},
            "team-api": {"api-secret-key": self.api_secret_key},
            "team-jwt": {"jwt-secret": self.jwt_secret},
            "team-redis": {"password": self.redis_password},
            "team-broker": {"connection": f"redis://:{self.redis_password}@airflow-redis:6379/0"},
            "team-database": {"connection": f"postgresql://{login}@{self.database.host}:5432/{USER}?sslmode=require"},
            "team-git": {"gitSshKey": Path(os.environ["AIRFLOW_TEST_GIT_SSH_KEY"]).read_text()},
        }

    def _values(self) -> dict[str, Any]:
        return {
            "executor": "CeleryExecutor",
            "images": {"airflow": {"repository": "apache/airflow", "tag": versions.AIRFLOW}},
            "fernetKeySecretName": "team-fernet",
            "apiSecretKeySecretName": "team-api",
            "jwtSecretName": "team-jwt",
            "redis": {"passwordSecretName": "team-redis"},
            "data": {"metadataSecretName": "team-database", "brokerUrlSecretName": "team-broker"},
            "postgresql": {"enabled": False},
            # With Helm's hooks `--wait` would wait for pods that wait for the migration.
            "migrateDatabaseJob": {"useHelmHooks": False},
            "createUserJob": {
                "useHelmHooks": False,
                "defaultUser": {"username": ADMIN, "password": ADMIN_PASSWORD, "email": "admin@example.com"},
            },
            "dags": {
                "gitSync": {
                    "enabled": True,
                    "repo": os.environ["AIRFLOW_TEST_GIT_REPOSITORY"],
                    "branch": "main",
                    "ref": "main",
                    "subPath": os.environ.get("AIRFLOW_TEST_GIT_SUB_PATH", "dags"),
                    "sshKeySecret": "team-git",
                    "knownHosts": Path(os.environ["AIRFLOW_TEST_GIT_KNOWN_HOSTS"]).read_text(),
                }
            },
            "workers": {"replicas": 1},
        }

    def _helm(self, *words: str) -> str:
        place = ["--kube-context", CONTEXT, "--namespace", self.namespace]
        done = subprocess.run(
            ["helm", *words, *place], capture_output=True, text=True, timeout=_SECONDS + 60, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout
