"""What each kind of text may be. A check returns the text itself, or says what it expected."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from hypothesis import example, given
from hypothesis import strategies as st

from components.texts import fields, image_fields
from tests import samples
from tests.cases import each

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"

ACCEPTED: list[tuple[Callable[[str], str], list[str]]] = [
    (fields.one_line, ["a", "kind-airflow", "arn:aws:eks:eu-central-1:1:cluster/x", "mit Leerzeichen", "ü"]),
    (fields.path, ["/etc/kubeconfig", "~/.kube/config", "a b"]),
    (fields.namespace, ["airflow", "a", "a-1", "0", "a" * 63, "kube", "team-kube-system", "keda-airflow"]),
    (fields.dns_label, ["kube-system", "default", "ingress-nginx"]),
    (fields.dns_subdomain, ["registry", "registry.example.com", "a" * 63 + "." + "b" * 63]),
    (fields.version, ["3.2.2", "3.0.0", "3.10.11", "3.3.0rc1", "3.3.0b2"]),
    (fields.username, ["admin", "a.b", "a@example.com", "A1", "a" * 64]),
    (fields.email, ["admin@example.com", "a+b@x"]),
    (
        image_fields.image_repository,
        ["apache/airflow", "airflow", "registry.test:5000/a/b__c/d-e", "localhost/x", "1.dkr.ecr.eu.amazonaws.com/a.b"],
    ),
    (image_fields.image_tag, ["stable-4f2a", "main.17", "nightly-20261129", "edgeworth", "v1"]),
    (image_fields.image_tag, ["3.2.2", "3.2.2-python3.12", "4f2a", "_x", "latest-1", "a" * 128]),
    (image_fields.image_digest, ["sha256:" + "0" * 64]),
    (
        image_fields.image_registry,
        ["registry.test", "registry.test:5000", "registry.test/mirror/all", "localhost:5000"],
    ),
    (fields.network, ["10.0.0.0/8", "fd00::/8"]),
    (fields.cidr, ["10.0.0.0/8", "128.0.0.0/1", "10.1.2.3/32", "fd00::/8", "::1/128"]),
    (fields.network, ["10.0.0.0/8", "10.1.2.3/32", "fd00::/8"]),
    (fields.database_name, ["airflow", "_x", "a1_b", "a" * 63, "Air-flow", "team@server", "1a"]),
    (fields.secret_line, ["p", " p ", "'\"$%\\", "Schlüssel", "\u2028"]),
    (fields.dns_name, ["airflow.example.com", "a.b", "0.a-1.c"]),
    (fields.eks_cluster, ["prod", "Prod_1-a", "0", "a" * 100]),
    (fields.aws_region, ["eu-central-1", "us-gov-west-1", "ap-southeast-7", "eusc-de-east-1"]),
    (fields.aws_account_id, ["123456789012", "000000000001"]),
    (fields.subnet_id, ["subnet-01234567", "subnet-0123456789abcdef0"]),
    (
        fields.policy_arn,
        [
            "arn:aws:iam::123456789012:policy/airflow-tasks/read",
            "arn:aws:iam::aws:policy/service-role/A+=,.@_-b",
            "arn:aws-cn:iam::123456789012:policy/a",
        ],
    ),
    (fields.cron, ["30 1 * * *", "*/15 0-6 1,15 * MON-FRI", "@daily"]),
    (fields.boundary_arn, ["arn:aws:iam::123456789012:policy/airflow-deploying-role-boundary"]),
    (fields.certificate_arn, [CERTIFICATE, CERTIFICATE.replace("arn:aws:", "arn:aws-us-gov:")]),
]

REFUSED: list[tuple[Callable[[str], str], list[str]]] = [
    (fields.one_line, ["", " ", " a", "a ", "a\nb", "a\tb", "a\n", "\x7f", "a\x00"]),
    (fields.path, ["", "a\nb", "a\x00b", "a\n"]),
    (fields.namespace, ["", "-a", "a-", "A", "a.b", "a_b", "a" * 64, "a\n", "default", "kube-system", "kube-public"]),
    (
        fields.namespace,
        ["kube-flannel", "kube-x", "kube-"],
    ),
    (fields.cron, ["", "daily", "@reboot", "* * * *", "* * * * * *", "30 1 * * *\n", "30  1 * * *", "$(x) 1 * * *"]),
    (fields.dns_label, ["", "-a", "A", "a" * 64, "a\n"]),
    (fields.dns_subdomain, ["", ".", "a.", "A", "a..b", "a\n", ".".join(["a" * 63] * 4)]),
    (fields.version, ["", "3", "3.2", "2.11.0", "v3.2.2", "3.2.2-python3.12", "3.2.2\n", "4.0.0", "33.2.2"]),
    (fields.username, ["", "-a", "a b", "a" * 65, "a\n", "ä", "a'b", "--help"]),
    (fields.email, ["$(POD_IP)@example.com", "a@$(HOST)", "a$$b@example.com"]),
    (fields.email, ["", "a", "@x", "a@", "a@b@c", "a b@c", "a@b\n"]),
    (image_fields.image_repository, ["", "A/b", "a:1", "a@sha256:0", "a//b", "/a", "a/", "a b", "https://x/y", "a\n"]),
    (image_fields.image_tag, ["Latest", "LATEST", "stable", "main", "Master", "edge", "nightly", "dev", "slim-latest"]),
    (image_fields.image_tag, ["latest-python3.12", "main-slim", "prod"]),
    (image_fields.image_tag, ["", "latest", "-a", ".a", "a" * 129, "a:b", "a/b", "a\n"]),
    (
        image_fields.image_digest,
        ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "sha512:" + "0" * 64, "0" * 64],
    ),
    (image_fields.image_registry, ["", "https://r", "r/", "r//a", "/r", "r/A", "-r", "r:port", "r\n"]),
    (fields.network, ["10.0.0.1", "10.0.0.1/8", "0.0.0.0/0", "db.test"]),
    (fields.cidr, ["", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/33", "db.test", "10.0.0.0/-1", "10.0.0.0/8 "]),
    (fields.network, ["", "10.1.2.3", "fd00::1", "10.0.0.1/8", "0.0.0.0/0", "db.test", "a/b"]),
    (fields.database_name, ["", "-a", "a b", "a" * 64, "a\n", 'a"b', "a'b", "a/b"]),
    (fields.secret_line, ["a\nb", "a\r", "\x00", "\x1f", "\x7f"]),
    (
        fields.dns_name,
        ["", "a", "A.b", "a.b.", ".a.b", "a..b", "https://a.b", "a.b/c", "a.b\n", ".".join(["a" * 63] * 4)],
    ),
    (fields.eks_cluster, ["", "-a", "a b", "a.b", "a" * 101, "a\n"]),
    (fields.aws_region, ["", "eu-central", "eu-central-1a", "EU-CENTRAL-1", "eu central 1", "eu-central-1\n"]),
    (fields.aws_account_id, ["", "12345678901", "1234567890123", "12345678901a", "123456789012\n"]),
    (fields.subnet_id, ["", "subnet-", "subnet-0123456", "sg-01234567", "10.0.0.0/24", "subnet-01234567\n"]),
    (fields.boundary_arn, ["", "boundary", "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:policy/a\n"]),
    (
        fields.policy_arn,
        [
            "",
            "read",
            "arn:aws:iam::123456789012:role/read",
            "arn:aws:iam::123:policy/read",
            "arn:aws:iam::123456789012:policy/a/",
            "arn:aws:iam::123456789012:policy/a\n",
            "arn:aws:iam::aws:policy/AdministratorAccess",
        ],
    ),
    (
        fields.certificate_arn,
        ["", "mine", f"{CERTIFICATE}0", CERTIFICATE.replace(":acm:", ":iam:"), f"{CERTIFICATE}\n"],
    ),
]


@each(("check", "text"), [(check, text) for check, texts in ACCEPTED for text in texts])
def test_good_text_is_returned_as_it_is(check: Callable[[str], str], text: str) -> None:
    assert check(text) == text


@each(("check", "text"), [(check, text) for check, texts in REFUSED for text in texts])
def test_bad_text_is_refused_with_what_was_expected_and_found(check: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected .*, found ") as error:
        check(text)
    assert "\n" not in str(error.value)


def test_every_check_of_a_text_is_among_these() -> None:
    tested = {check.__name__ for check, _ in ACCEPTED}
    assert tested == {check.__name__ for check, _ in REFUSED}
    found = {
        name
        for name, value in {**vars(fields), **vars(image_fields)}.items()
        if callable(value) and getattr(value, "__annotations__", {}) == {"text": "str", "return": "str"}
    }
    assert found - {"fernet_key"} == tested


def test_network_is_returned_in_its_one_form() -> None:
    assert fields.cidr("FD00:0::/8") == "fd00::/8"
    assert fields.cidr("10.1.2.3") == "10.1.2.3/32"


@given(st.binary(min_size=32, max_size=32).map(base64.urlsafe_b64encode).map(bytes.decode))
def test_every_fernet_key_is_accepted(key: str) -> None:
    assert fields.fernet_key(key) == key
    assert fields.fernet_key(f"{key},{key}") == f"{key},{key}"


@given(st.text(alphabet=string.ascii_letters + string.digits + "+/-_=, \n", max_size=100))
@example("A" * 43 + "=")
@example("A" * 44)
@example("+/" + "Ab" * 20 + "A=")
def test_what_is_accepted_as_fernet_keys_are_fernet_keys(text: str) -> None:
    try:
        fields.fernet_key(text)
    except ValueError:
        return
    for key in text.split(","):
        Fernet(key)  # raises for what is none


@given(st.text(max_size=100))
def test_refused_fernet_key_is_not_shown(text: str) -> None:
    secret = f"sentinel{text}"
    with pytest.raises(ValueError, match="expected a Fernet key") as error:
        fields.fernet_key(secret)
    assert "sentinel" not in str(error.value)


@given(st.text(), st.integers(1, 100))
def test_long_secret_counts_bytes_and_never_shows_them(text: str, least: int) -> None:
    secret = f"sentinel{text}"
    good = len(secret.encode()) >= least and "$" not in secret and not re.search(r"[\x00-\x1f\x7f]", secret)
    if good:
        assert fields.long_secret(least)(secret) == secret
    else:
        with pytest.raises(ValueError, match=r"^expected .*, found ") as error:
            fields.long_secret(least)(secret)
        assert "sentinel" not in str(error.value)


def test_long_secret_has_its_length_in_bytes_not_characters() -> None:
    assert fields.long_secret(8)("üüüü") == "üüüü"
    with pytest.raises(ValueError, match="at least 9 bytes, found 8"):
        fields.long_secret(9)("üüüü")


@given(st.text())
def test_shown_text_is_short_and_on_one_line(text: str) -> None:
    found = fields.shown(text)
    assert len(found) <= 61
    assert "\n" not in found


@each(
    "networks",
    [
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/1"],
        ["::/1", "8000::/1"],
        ["2000::/3"],
        ["2000::/4", "3000::/4", "10.0.0.0/8"],
        ["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"],
        ["10.0.0.0/8", "128.0.0.0/1", "0.0.0.0/1"],
    ],
)
def test_networks_that_add_up_to_everybody_are_refused(networks: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^expected some networks, found networks that together are all of IPv[46]"):
        fields.not_everybody(networks)


@each("networks", [[], ["0.0.0.0/1"], ["10.0.0.0/8", "fd00::/8"], ["0.0.0.0/1", "128.0.0.0/2"], ["2000::/4", "::/3"]])
def test_networks_that_leave_a_part_of_the_internet_out_are_accepted(networks: list[str]) -> None:
    fields.not_everybody(networks)


@each(
    "text",
    [
        "postgresql://airflow:hunter2@db/airflow",
        "airflow:hunter2",
        "https://robot:hunter2@registry.test/mirror",
        "robot@hunter2",
        '{"password": "hunter2"',
        "//airflow:hunter2/x",
        "token=hunter2",
        ["postgresql://hunter2"],
        {"a": "user:hunter2"},
    ],
)
def test_value_that_may_hold_a_login_is_not_shown(text: object) -> None:
    assert fields.shown(text) == "a text that may hold a login, which is not shown"


@each(
    "text",
    ["apache/airflow", "db:5432", "registry.test:5000/a", "fd00::1/8", "arn:aws:sns:us-east-1:1:x", "sha256:ab", 7],
)
def test_value_that_holds_no_login_is_shown(text: object) -> None:
    assert fields.shown(text).strip('"') == str(text)


@each(
    "read, text, told",
    [
        (image_fields.image_tag, f"3.2.2@{samples.DIGEST}", "found a digest: give it as airflow:imageDigest"),
        (image_fields.image_tag, samples.DIGEST, "found a digest: give it as airflow:imageDigest"),
        (image_fields.image_repository, "docker.io/apache/airflow:3.2.2", "give that as airflow:imageTag"),
        (image_fields.image_repository, f"localhost:5000/airflow@{samples.DIGEST}", "give that as airflow:imageTag"),
        (fields.eks_cluster, "arn:aws:eks:eu-central-1:123456789012:cluster/data", "give what follows cluster/"),
        (image_fields.image_repository, "https://docker.io/apache/airflow", "leave out what is before the host"),
        (image_fields.image_repository, "docker.io/user:password@x", "a text that may hold a login"),
    ],
)
def test_name_in_another_form_is_told_what_to_give(read: Callable[[str], str], text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        read(text)
