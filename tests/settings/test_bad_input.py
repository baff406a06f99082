"""Config that is well-formed and cannot work, or undoes what protects the stack: refused before anything is made."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any, Final

import pytest

import settings
from components.database.connection import ExternalDatabase, SslMode
from components.database.rds_certificates import rds_certificates
from tests import samples
from tests.cases import each
from tests.samples import dev, external, sentinels
from tests.settings.test_problems import DEV, EXTERNAL, PROD, STACKS, is_clear

NGINX: Final = {
    "ingressHost": "airflow.test.example",
    "ingressClass": "nginx",
    "ingressTlsSecret": "tls",
    "uiNamespaces": ["ingress-nginx"],
}
OTHER_CERTIFICATE: Final = "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
ALB: Final = "alb.ingress.kubernetes.io"


def annotated(annotations: Mapping[str, str], **other: Any) -> dict[str, Any]:
    return {**other, "ingressAnnotations": annotations}


def fernet(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


# name: (stack, plain changes, secret changes, key that is named, what the message says)
BAD: Final[dict[str, tuple[str, dict[str, Any], dict[str, str], str, str]]] = {
    # Registry credentials
    "Docker Desktop": (
        EXTERNAL,
        {},
        {"registryCredentials": '{"auths":{"https://index.docker.io/v1/":{},"ghcr.io":{}},"credsStore":"desktop"}'},
        "registryCredentials",
        "found credsStore",
    ),
    "registry without a login": (
        DEV,
        {},
        {"registryCredentials": '{"auths":{"ghcr.io":{}}}'},
        "registryCredentials",
        "for ghcr.io none",
    ),
    "login in plain": (
        DEV,
        {},
        {"registryCredentials": '{"auths":{"ghcr.io":{"auth":"user:hunter2"}}}'},
        "registryCredentials",
        "not the base64",
    ),
    "deep credentials": (
        DEV,
        {},
        {"registryCredentials": '{"auths":' + "[" * 100_000},
        "registryCredentials",
        "with a map",
    ),
    "large credentials": (DEV, {}, {"registryCredentials": "x" * 2_000_000}, "registryCredentials", "1048576 bytes"),
    # Repositories
    "port after the colon": (
        PROD,
        {"dagsRepository": "git@gitlab.example.com:2222/group/dags.git"},
        {},
        "dagsRepository",
        "write ssh://git@gitlab.example.com:2222/group/dags.git",
    ),
    "page of a repository": (
        DEV,
        {"dagsRepository": "https://github.com/org/repo/tree/main/dags"},
        {},
        "dagsRepository",
        "dagsRef main, dagsSubPath dags",
    ),
    "abbreviated commit": (DEV, {"dagsRef": "4f2a9c1"}, {}, "dagsRef", "all 40 digits"),
    "branch of a clone": (DEV, {"dagsRef": "origin/main"}, {}, "dagsRef", "write main"),
    "variable in a branch": (DEV, {"dagsRef": "x-$(POD_IP)"}, {}, "dagsRef", "Kubernetes would expand"),
    "variable in an address": (DEV, {"adminEmail": "$(HOST)@x"}, {}, "adminEmail", "Kubernetes would expand"),
    "large known_hosts": (
        PROD,
        {"gitKnownHosts": "# x\n" * 300_000},
        {},
        "gitKnownHosts",
        "at most 983040 bytes",
    ),
    # Images
    "moving tag in capitals": (DEV, {"imageTag": "Latest"}, {}, "imageTag", "always names the same image"),
    "tag that is a branch": (EXTERNAL, {"imageTag": "main"}, {}, "imageTag", "always names the same image"),
    "tag of Airflow 2": (DEV, {"imageTag": "2.10.5"}, {}, "imageTag", "begins with another version"),
    "tag of another Airflow 3": (
        DEV,
        {"imageTag": "3.1.0-python3.12"},
        {},
        "imageTag",
        "airflow:airflowVersion, 3.2.2",
    ),
    "slim tag of another": (DEV, {"imageTag": "slim-3.1.0"}, {}, "imageTag", "begins with another version"),
    "tag of another minor version": (DEV, {"imageTag": "3.1"}, {}, "imageTag", "begins with another version"),
    "tag of a company with another": (
        EXTERNAL,
        {"imageRepository": "registry.test/data/airflow", "imageTag": "v3.0.6-17"},
        {},
        "imageTag",
        "begins with another version",
    ),
    "Airflow that is not released": (DEV, {"airflowVersion": "3.99.0"}, {}, "airflowVersion", "3.0.x, 3.1.x, 3.2.x"),
    "Airflow of the next minor version": (DEV, {"airflowVersion": "3.4.0"}, {}, "airflowVersion", "a released Airflow"),
    # AWS
    "certificate of another region": (
        PROD,
        {"ingressCertificateArn": OTHER_CERTIFICATE},
        {},
        "ingressCertificateArn",
        "expected a certificate in eu-central-1, where the cluster is, found one in us-east-1",
    ),
    "tag of AWS": (PROD, {"awsTags": {"aws:team": "x"}}, {}, "awsTags", "prefix aws:"),
    "tag of AWS in capitals": (PROD, {"awsTags": {"AWS:team": "x"}}, {}, "awsTags", "in any case"),
    "tag of RDS": (PROD, {"awsTags": {"rds:team": "x"}}, {}, "awsTags", "prefix rds:"),
    "too many tags": (PROD, {"awsTags": {f"tag-{n}": "x" for n in range(51)}}, {}, "awsTags", "at most 50 tags"),
    "long name of a tag": (PROD, {"awsTags": {"k" * 129: "x"}}, {}, "awsTags", "1 to 128 characters, found 129"),
    "long tag": (PROD, {"awsTags": {"k": "x" * 257}}, {}, "awsTags", "at most 256 characters, found 257"),
    "tag with a bracket": (PROD, {"awsTags": {"team": "data (eu)"}}, {}, "awsTags", "another character"),
    "tag with a line end": (PROD, {"awsTags": {"team": "a\nb"}}, {}, "awsTags", "another character"),
    "tag without a name": (PROD, {"awsTags": {"": "x"}}, {}, "awsTags", "1 to 128"),
    "escrow with a suffix": (PROD, {"keyEscrow": "airflow/prod-AbCdEf"}, {}, "keyEscrow", "write airflow/prod,"),
    "escrow with a suffix of digits": (PROD, {"keyEscrow": "keys-123456"}, {}, "keyEscrow", "adds that to an ARN"),
    "namespace of a network": (DEV, {"namespace": "kube-flannel"}, {}, "namespace", "of its own"),
    "namespace of KEDA": (DEV, {"namespace": "keda"}, {}, "namespace", "an add-on's"),
    "namespace of monitoring": (PROD, {"namespace": "monitoring"}, {}, "namespace", "such as airflow"),
    # Networks
    "everybody in two halves": (PROD, {"uiCidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, {}, "uiCidrs", "all of IPv4"),
    "everybody in IPv6": (PROD, {"uiCidrs": ["10.0.0.0/8", "::/1", "8000::/1"]}, {}, "uiCidrs", "all of IPv6"),
    "database everywhere": (
        EXTERNAL,
        {"databaseCidrs": ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/1"]},
        {},
        "databaseCidrs",
        "all of IPv4",
    ),
    "host that is the pod": (EXTERNAL, {"databaseHost": "localhost"}, {}, "databaseHost", "the pod itself"),
    "host that is no host": (EXTERNAL, {"databaseHost": "0.0.0.0"}, {}, "databaseHost", "no host"),  # noqa: S104
    "host that is metadata": (EXTERNAL, {"databaseHost": "169.254.169.254"}, {}, "databaseHost", "metadata"),
    "host outside its networks": (
        EXTERNAL,
        {"databaseHost": "10.9.0.1"},
        {},
        "databaseCidrs",
        "expected a network with the host's address in it",
    ),
    "host of the other family": (EXTERNAL, {"databaseHost": "fd00::7"}, {}, "databaseCidrs", "a network of IPv6"),
    # Annotations
    "annotation with a space": (PROD, annotated({"my name": "x"}), {}, "ingressAnnotations", "example.com/name"),
    "annotation with two slashes": (PROD, annotated({"a/b/c": "x"}), {}, "ingressAnnotations", "example.com/name"),
    "annotation that is too long": (PROD, annotated({"a" * 64: "x"}), {}, "ingressAnnotations", "at most 63"),
    "annotation with a capital before /": (PROD, annotated({"A.b/c": "x"}), {}, "ingressAnnotations", "a DNS name"),
    "nginx without a redirect": (
        EXTERNAL,
        annotated({"nginx.ingress.kubernetes.io/ssl-redirect": "false"}, **NGINX),
        {},
        "ingressAnnotations",
        "over plain HTTP",
    ),
    "nginx without a forced redirect": (
        EXTERNAL,
        annotated({"nginx.ingress.kubernetes.io/force-ssl-redirect": "False"}, **NGINX),
        {},
        "ingressAnnotations",
        "over plain HTTP",
    ),
    "another nginx without a redirect": (
        EXTERNAL,
        annotated({"nginx.org/redirect-to-https": "false"}, **NGINX),
        {},
        "ingressAnnotations",
        "over plain HTTP",
    ),
    "nginx that passes TLS on": (
        EXTERNAL,
        annotated({"nginx.ingress.kubernetes.io/ssl-passthrough": "true"}, **NGINX),
        {},
        "ingressAnnotations",
        "has no certificate",
    ),
    "Traefik on both entry points": (
        EXTERNAL,
        annotated(
            {"traefik.ingress.kubernetes.io/router.entrypoints": "web, websecure"},
            **{**NGINX, "ingressClass": "traefik"},
        ),
        {},
        "ingressAnnotations",
        "websecure alone",
    ),
    "ALB with HTTP alone": (
        PROD,
        annotated({f"{ALB}/listen-ports": '[{"HTTP": 80}]'}),
        {},
        "ingressAnnotations",
        "a listener of HTTPS",
    ),
    "ALB that redirects nowhere": (
        PROD,
        annotated({f"{ALB}/listen-ports": '[{"HTTP": 80}, {"HTTPS": 8443}]'}),
        {},
        "ingressAnnotations",
        "to which HTTP is redirected",
    ),
    "ALB with ports in words": (
        PROD,
        annotated({f"{ALB}/listen-ports": "https"}),
        {},
        "ingressAnnotations",
        "expected listeners",
    ),
    "ALB without a redirect": (
        PROD,
        annotated({f"{ALB}/ssl-redirect": ""}),
        {},
        "ingressAnnotations",
        "the port of HTTPS",
    ),
    "ALB with another certificate": (
        PROD,
        annotated({f"{ALB}/certificate-arn": OTHER_CERTIFICATE}),
        {},
        "ingressAnnotations",
        "airflow:ingressCertificateArn sets it",
    ),
    "ALB for everybody": (
        PROD,
        annotated({f"{ALB}/scheme": "internet-facing"}),
        {},
        "ingressAnnotations",
        "airflow:ingressScheme sets it",
    ),
    "ALB with TLS 1.0": (
        PROD,
        annotated({f"{ALB}/ssl-policy": "ELBSecurityPolicy-2016-08"}),
        {},
        "ingressAnnotations",
        "TLS 1.2 or later",
    ),
    "ALB that publishes the workers' API": (
        PROD,
        annotated({f"{ALB}/actions.airflow-api-server": "{}"}),
        {},
        "ingressAnnotations",
        "which is not published",
    ),
    "ALB to HTTPS": (PROD, annotated({f"{ALB}/backend-protocol": "HTTPS"}), {}, "ingressAnnotations", "expected HTTP,"),
    # Weak secrets
    "Redis password of one character": (EXTERNAL, {}, {"redisPassword": "a" * 64}, "redisPassword", "one repeated"),
    "Redis password of two": (EXTERNAL, {}, {"redisPassword": "abababab"}, "redisPassword", "two characters"),
    "Redis password that is a word": (PROD, {}, {"redisPassword": "Password123"}, "redisPassword", "a common word"),
    "admin password of one character": (EXTERNAL, {}, {"adminPassword": "x"}, "adminPassword", "one repeated"),
    "admin password of blanks": (EXTERNAL, {}, {"adminPassword": "   "}, "adminPassword", "blanks"),
    "admin password that is a word": (EXTERNAL, {}, {"adminPassword": "airflow"}, "adminPassword", "a common word"),
    "admin password that is a row": (EXTERNAL, {}, {"adminPassword": "12345678"}, "adminPassword", "a row of"),
    "admin password like an option": (DEV, {}, {"adminPassword": "-hunter2"}, "adminPassword", "begin with -"),
    "API key of words": (EXTERNAL, {}, {"apiSecretKey": "changeme" * 5}, "apiSecretKey", "a common word"),
    "JWT secret of one character": (EXTERNAL, {}, {"jwtSecret": "k" * 64}, "jwtSecret", "one repeated character"),
    "JWT secret that is the API's": (
        EXTERNAL,
        {},
        {"jwtSecret": sentinels()["jwtSecret"], "apiSecretKey": sentinels()["jwtSecret"]},
        "jwtSecret",
        "found that of airflow:apiSecretKey",
    ),
    "Fernet key of zeros": (EXTERNAL, {}, {"fernetKey": fernet(bytes(32))}, "fernetKey", "one repeated byte"),
    "Fernet key of a letter": (EXTERNAL, {}, {"fernetKey": fernet(b"a" * 32)}, "fernetKey", "one repeated byte"),
    "second Fernet key of zeros": (
        EXTERNAL,
        {},
        {"fernetKey": f"{sentinels()['fernetKey']},{fernet(bytes(32))}"},
        "fernetKey",
        "one repeated byte",
    ),
    "Fernet key of words": (EXTERNAL, {}, {"fernetKey": fernet(b"airflow" * 4 + b"1234")}, "fernetKey", "common word"),
    # TLS to a database
    "authority of verify-ca": (
        EXTERNAL,
        {"databaseSslMode": "verify-ca"},
        {},
        "databaseCaCertificate",
        "with airflow:databaseSslMode verify-ca",
    ),
    # Task logs
    "volume of one node in a cluster": (
        EXTERNAL,
        {"taskLogsAccessMode": "ReadWriteOnce"},
        {},
        "taskLogsAccessMode",
        "the pods run on several",
    ),
    "class beside a claim": (
        EXTERNAL,
        {"taskLogsStorageClass": "efs-sc", "taskLogsClaim": "logs"},
        {},
        "taskLogsStorageClass",
        "together with airflow:taskLogsClaim",
    ),
    "class of a bucket": (PROD, {"taskLogsStorageClass": "efs-sc"}, {}, "taskLogsStorageClass", "airflow:taskLogs s3"),
    "claim of workers": (
        DEV,
        {"taskLogs": "worker", "taskLogsClaim": "logs", "releaseTimeoutSeconds": 900},
        {},
        "taskLogsClaim",
        "airflow:taskLogs worker",
    ),
    # Logins in the wrong place
    "URI as a host": (
        EXTERNAL,
        {"databaseHost": "postgresql://airflow:hunter2@db.test:5432/airflow"},
        {},
        "databaseHost",
        "a URI or a login, which is not shown",
    ),
    "password in a user": (EXTERNAL, {"databaseUser": "airflow:hunter2"}, {}, "databaseUser", "a key of its own"),
    "password in a database": (EXTERNAL, {"databaseName": "u:hunter2@h/db"}, {}, "databaseName", "something else"),
    "login in a registry": (DEV, {"imageRegistry": "robot:hunter2@r.test"}, {}, "imageRegistry", "is not shown"),
    "login in a URL of a registry": (DEV, {"imageRegistry": "https://u:hunter2@r.test"}, {}, "imageRegistry", "shown"),
    "login in an image": (DEV, {"imageRepository": "u:hunter2@r.test/a"}, {}, "imageRepository", "not shown"),
    "login in a chart": (DEV, {"chartPath": "https://u:hunter2@r.test/c.tgz"}, {}, "chartPath", "found a URL"),
    "login in a path of a chart": (DEV, {"chartPath": "u:hunter2@r.test/c.tgz"}, {}, "chartPath", "a login"),
    "annotation that ends a quotation": (PROD, annotated({"a'; rm x": "x"}), {}, "ingressAnnotations", "a DNS name"),
    "login in a tag": (DEV, {"imageTag": "u:hunter2"}, {}, "imageTag", "not shown"),
    "login in a version": (DEV, {"airflowVersion": "u:hunter2"}, {}, "airflowVersion", "not shown"),
    "login in a name of a user": (DEV, {"adminUsername": "admin:hunter2"}, {}, "adminUsername", "not shown"),
    "login in networks": (EXTERNAL, {"databaseCidrs": ["u:hunter2@10.0.0.0/8"]}, {}, "databaseCidrs", "not shown"),
    "login in a Secret's name": (DEV, {"imagePullSecrets": ["u:hunter2"]}, {}, "imagePullSecrets", "not shown"),
    "login in a choice": (EXTERNAL, {"databaseSslMode": "u:hunter2"}, {}, "databaseSslMode", "not shown"),
    "login in Helm values": (DEV, {"helmValues": '{"password": "hunter2"'}, {}, "helmValues", "not shown"),
    "login in a number": (EXTERNAL, {"databasePort": "5432@hunter2"}, {}, "databasePort", "not shown"),
    "login in a repository": (DEV, {"dagsRepository": "https://u:hunter2@h.test/a"}, {}, "dagsRepository", "dagsToken"),
}


def test_every_bad_config_is_one_problem_that_names_the_key_what_is_expected_and_the_fix() -> None:
    wrong = {}
    for case, (stack, changes, secrets, key, says) in BAD.items():
        config = STACKS[stack]().with_(changes, secrets)
        problems = config.problems()
        if len(problems) != 1 or not is_clear(problems[0], key, says, config.stack) or "hunter2" in problems[0]:
            wrong[case] = problems
    assert not wrong


# What resembles it and works

GOOD: Final[dict[str, tuple[str, dict[str, Any], dict[str, str]]]] = {
    "image of a company": (EXTERNAL, {"imageRepository": "r.test/team/airflow", "imageTag": "1.4.0"}, {}),
    "image with the version and more": (EXTERNAL, {"imageTag": "3.2.2-20261129.4"}, {}),
    "slim image": (DEV, {"imageTag": "slim-3.2.2-python3.12"}, {}),
    "own version with a letter": (EXTERNAL, {"imageTag": "r2.10.5"}, {}),
    "other Airflow and its tag": (EXTERNAL, {"imageTag": "3.1.6", "airflowVersion": "3.1.6"}, {}),
    "other Airflow and a commit": (EXTERNAL, {"imageTag": "4f2a9c1", "airflowVersion": "3.3.2"}, {}),
    "fifty tags": (PROD, {"awsTags": {f"tag-{n}": "Zürich: a/b=c+d@e_f" for n in range(50)}}, {}),
    "longest tag": (PROD, {"awsTags": {"k" * 128: "v" * 256, "laws:x": ""}}, {}),
    "escrow with a hyphen": (PROD, {"keyEscrow": "airflow/prod-keys"}, {}),
    "half of the internet": (PROD, {"uiCidrs": ["0.0.0.0/1"]}, {}),
    "no outside at all": (PROD, {"egressExceptCidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, {}),
    "address in its network": (EXTERNAL, {"databaseHost": "10.0.33.7"}, {}),
    "address of IPv6 in its network": (EXTERNAL, {"databaseHost": "fd00::7", "databaseCidrs": ["fd00::/64"]}, {}),
    "annotations of external-dns": (
        PROD,
        annotated({"external-dns.alpha.kubernetes.io/hostname": "a.test", f"{ALB}/group.name": "shared"}),
        {},
    ),
    "strict ALB": (
        PROD,
        annotated(
            {
                f"{ALB}/ssl-policy": "ELBSecurityPolicy-TLS13-1-3-2021-06",
                f"{ALB}/listen-ports": '[{"HTTPS": 443}]',
                f"{ALB}/backend-protocol": "HTTP",
            }
        ),
        {},
    ),
    "ALB on another port": (
        PROD,
        annotated({f"{ALB}/listen-ports": '[{"HTTP": 80}, {"HTTPS": 8443}]', f"{ALB}/ssl-redirect": "8443"}),
        {},
    ),
    "strict nginx": (EXTERNAL, annotated({"nginx.ingress.kubernetes.io/force-ssl-redirect": "true"}, **NGINX), {}),
    "no TLS on a laptop": (
        DEV,
        annotated({"nginx.ingress.kubernetes.io/ssl-redirect": "false"}, **NGINX),
        {},
    ),
    "weak keys on a laptop": (
        DEV,
        {},
        {"redisPassword": "a" * 8, "fernetKey": fernet(bytes(32)), "jwtSecret": "k" * 64},
    ),
    "phrase with a word": (EXTERNAL, {}, {"adminPassword": "airflow of the harbour 7"}),
    "class of the log volume": (EXTERNAL, {"taskLogsStorageClass": "efs-sc"}, {}),
    "claim of one node": (EXTERNAL, {"taskLogsClaim": "team-logs", "taskLogsAccessMode": "ReadWriteOnce"}, {}),
    "volume of one node on a laptop": (DEV, {"taskLogsAccessMode": "ReadWriteOnce", "size": "none"}, {}),
}


@each(("stack", "changes", "secrets"), GOOD.values(), ids=GOOD.keys())
def test_config_that_only_resembles_it_is_accepted(
    stack: str, changes: dict[str, Any], secrets: dict[str, str]
) -> None:
    assert STACKS[stack]().with_(changes, secrets).problems() == ()


@pytest.mark.parametrize("pooled", [True, False])
def test_verify_ca_is_accepted_with_its_authority(pooled: bool) -> None:
    pem = rds_certificates("eu-central-1")
    changes = {"databaseSslMode": "verify-ca", "databaseCaCertificate": pem, "pgbouncerEnabled": pooled}
    database = external().with_(changes).parse().platform.database
    assert isinstance(database, ExternalDatabase)
    assert (database.database.ssl_mode, database.database.ca_certificates) == (SslMode.VERIFY_CA, pem)


def test_places_of_the_log_volume_reach_the_platform() -> None:
    logs = external().with_({"taskLogsStorageClass": "efs-sc"}).parse().platform.task_logs
    assert (logs.storage_class, logs.claim) == ("efs-sc", None)
    logs = external().with_({"taskLogsClaim": "team-logs"}).parse().platform.task_logs
    assert (logs.storage_class, logs.claim) == (None, "team-logs")


def test_many_unknown_keys_are_one_short_error_in_a_moment() -> None:
    config = dev().with_({f"imageTagOfSomethingElse{number}": "x" for number in range(20_000)})
    began = time.process_time()
    problems = config.problems()
    assert time.process_time() - began < 2
    assert len(problems) == 21
    assert "as are 19980 others" in problems[-1]
    with pytest.raises(settings.SettingsError) as error:
        config.parse()
    assert len(str(error.value)) < 10_000


def test_name_of_a_key_is_cut() -> None:
    [problem] = dev().with_({"k" * 100_000: "x"}).problems()
    assert len(problem) < 400


def test_text_of_an_error_is_bounded() -> None:
    config = external().with_({"uiCidrs": [f"host-{number}" for number in range(1000)]})
    with pytest.raises(settings.SettingsError, match="and 800 more") as error:
        config.parse()
    assert len(error.value.problems) == 1000
    assert len(str(error.value)) < 50_000


def test_secret_that_is_not_known_here_is_not_taken_for_a_weak_one() -> None:
    """`check` reads committed files, where a secret is encrypted."""
    names = ("fernetKey", "apiSecretKey", "jwtSecret", "redisPassword", "adminPassword")
    found = samples.external().with_(secrets=dict.fromkeys(names, ""))
    assert found.problems() == ()
