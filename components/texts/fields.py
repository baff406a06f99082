"""Checks of texts, one function for each kind. Each returns the text or raises ValueError.

The message says what was expected and what was found. It never shows a text that is a secret.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from components.aws.region import REGION
from components.kube.schedules import is_schedule
from components.secrets.logins import has_login, may_hold_login
from components.secrets.shapes import key_shape

_SHOWN_LENGTH = 60
_FERNET_KEY_BYTES = 32
_NOT_INTERNET: Final = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.168.0.0/16", "224.0.0.0/3"),
    *("::/3", "4000::/2", "8000::/1"),
)
_POLICY_ARN: Final = r"arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/([\x21-\x7e]+/)*[A-Za-z0-9+=,.@_-]{1,128}"
"""ARN of a managed IAM policy (docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
_WHOLE_ACCOUNT: Final = ("::aws:policy/AdministratorAccess", "::aws:policy/IAMFullAccess")
"""Policies of AWS with which a pod could give itself every right."""
_DNS_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


def refuse(text: str) -> NoReturn:
    """Raise ValueError. For use in an expression."""
    raise ValueError(text)


def shown(value: Any) -> str:
    """Return a value for a message: as JSON, shortened; of one that may hold a login, say only that.

    Never call it with a secret.
    """
    text = json.dumps(value)
    if may_hold_login(text):
        return "a text that may hold a login, which is not shown"
    if key_shape(text):
        return "a text that may hold a key, which is not shown"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"


def without_login(text: str, expected: str) -> str:
    """Return the text. Refuse a login in it, because plans, errors and commands show every key that is not secret."""
    return text if not has_login(text) else refuse(f"expected {expected}, found {shown(text)}")


def one_line(text: str) -> str:
    """Printable text without white space at its ends, and without a login."""
    without_login(text, "one line of text that is no secret")
    end = r"[^\s\x00-\x1f\x7f]"
    return matching(text, rf"{end}([^\x00-\x1f\x7f]*{end})?", "one line of text without white space at its ends")


def path(text: str) -> str:
    """A file's path."""
    without_login(text, "a path")
    return matching(text, r"[^\x00-\x1f\x7f]+", "a path on one line")


def namespace(text: str) -> str:
    """A Kubernetes namespace that the stack can own: an RFC 1123 label, and none of the cluster's own.

    Kubernetes reserves kube- (kubernetes.io/docs/concepts/overview/working-with-objects/namespaces).
    """
    matching(text, _DNS_LABEL, "a namespace: at most 63 of a-z, 0-9 and -, with no - at the ends")
    if text == "default" or text.startswith("kube-"):
        refuse(f"expected a namespace of its own, because the stack owns all that is in it, found {shown(text)}")
    return text


def dns_label(text: str) -> str:
    """RFC 1123 label: the name of a namespace."""
    return matching(text, _DNS_LABEL, "the name of a namespace: at most 63 of a-z, 0-9 and -, with no - at the ends")


def dns_subdomain(text: str) -> str:
    """RFC 1123 subdomain: the name of a Secret."""
    if len(text) > 253:
        refuse("expected the name of a Secret, at most 253 characters, found more")
    return matching(text, rf"{_DNS_LABEL}(\.{_DNS_LABEL})*", "the name of a Secret: a-z, 0-9, - and .")


def version(text: str) -> str:
    """An Airflow 3 version."""
    return matching(text, r"3\.[0-9]+\.[0-9]+([a-z]+[0-9]+)?", "an Airflow version such as 3.2.2")


def username(text: str) -> str:
    """A user name of Airflow's FAB auth manager."""
    return matching(text, r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", "a user name: at most 64 of A-Z, a-z, 0-9 and ._@+-")


def email(text: str) -> str:
    """An address with one @ and no colon. Kubernetes would expand a `$(NAME)` in it, and reads `$$` as `$`."""
    matching(text, r"[^@:\s]{1,64}@[^@:\s]{1,253}", "an e-mail address")
    if "$(" in text or "$$" in text:
        refuse("expected an e-mail address without $( and $$, which Kubernetes would expand, found one of them")
    return text


def cidr(text: str) -> str:
    """An IPv4 or IPv6 network, but not all addresses: a policy cannot except those."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        refuse(f"expected networks such as 10.0.0.0/16 with no host bits, found {shown(text)}")
    if network.prefixlen == 0:
        refuse(f"expected networks such as 10.0.0.0/16, found all addresses: {shown(text)}")
    return str(network)


def network(text: str) -> str:
    """A CIDR with its prefix length. An address alone would be a network of one address, which is rarely meant."""
    if "/" not in text:
        refuse(f"expected networks with a prefix length, such as 10.0.0.0/16, found {shown(text)}")
    return cidr(text)


def not_everybody(networks: Sequence[str]) -> None:
    """Refuse networks that together are all of the internet, IPv4's or IPv6's. Raises ValueError.

    A list that lacks only multicast, private and reserved networks still admits the whole internet
    (iana.org/assignments/iana-ipv4-special-registry, and 2000::/3 for IPv6).
    """
    if not networks:
        return
    all_of = [ipaddress.ip_network(text) for text in (*networks, *_NOT_INTERNET)]
    ipv4 = ipaddress.collapse_addresses(each for each in all_of if isinstance(each, ipaddress.IPv4Network))
    ipv6 = ipaddress.collapse_addresses(each for each in all_of if isinstance(each, ipaddress.IPv6Network))
    for version, lengths in ((4, [each.prefixlen for each in ipv4]), (6, [each.prefixlen for each in ipv6])):
        if 0 in lengths:
            refuse(f"expected some networks, found networks that together are all of IPv{version}")


def dns_name(text: str) -> str:
    """A host name of at least two labels, in lower case, as an Ingress takes it (RFC 1123)."""
    if len(text) > 253:
        refuse("expected a host name of at most 253 characters, found more")
    return matching(text, rf"{_DNS_LABEL}(\.{_DNS_LABEL})+", "a host name such as airflow.example.com, in lower case")


def eks_cluster(text: str) -> str:
    """The name of an EKS cluster (docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html)."""
    if re.fullmatch(r"arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/[0-9A-Za-z_-]+", text):
        refuse("expected the name of an EKS cluster, found its ARN: give what follows cluster/")
    return matching(text, r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}", "an EKS cluster: at most 100 of A-Z, a-z, 0-9, _ and -")


def aws_region(text: str) -> str:
    """An AWS region."""
    return matching(text, REGION, "an AWS region such as eu-central-1")


def aws_account_id(text: str) -> str:
    """An AWS account."""
    return matching(text, r"[0-9]{12}", "an AWS account: 12 digits")


def boundary_arn(text: str) -> str:
    """The ARN of an IAM policy that bounds roles."""
    return matching(text, _POLICY_ARN, "the ARN of an IAM policy such as arn:aws:iam::123456789012:policy/NAME")


def subnet_id(text: str) -> str:
    """A subnet of a VPC."""
    return matching(text, r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", "IDs of subnets such as subnet-0123456789abcdef0")


def certificate_arn(text: str) -> str:
    """The ARN of a certificate in AWS Certificate Manager."""
    return matching(
        text,
        r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}",
        "the ARN of an ACM certificate: arn:aws:acm:REGION:ACCOUNT:certificate/ID",
    )


def policy_arn(text: str) -> str:
    """The ARN of a managed IAM policy for tasks. Whoever writes a DAG has its rights."""
    matching(
        text,
        _POLICY_ARN,
        "ARNs of IAM policies such as arn:aws:iam::123456789012:policy/airflow-tasks/read-sales",
    )
    if text.endswith(_WHOLE_ACCOUNT):
        refuse(
            f"expected policies for what tasks need, found {shown(text)}: each author of a DAG would own the account"
        )
    return text


def database_name(text: str) -> str:
    """The name of a database or role that exists: at most 63 bytes (PostgreSQL: NAMEDATALEN)."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,62}", text):
        # Not shown: it may be USER:PASSWORD, or the database's URI.
        more = " (its password has a key of its own)" if ":" in text else ""
        refuse(f"expected a PostgreSQL name: at most 63 letters, digits and _ . @ $ -{more}, found something else")
    return text


def secret_line(text: str) -> str:
    """A secret on one line, because it goes into files that hold one on each line."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        refuse("expected a value on one line, found control characters or line ends in it")
    return text


def long_secret(least: int) -> Callable[[str], str]:
    """Return a check for a secret of at least `least` bytes that Airflow reads as it is."""

    def check(text: str) -> str:
        secret_line(text)
        if len(text.encode()) < least:
            refuse(f"expected at least {least} bytes, found {len(text.encode())}")
        if "$" in text or text.startswith("~"):
            # Airflow expands both in a value that comes from the environment.
            refuse("expected no $ in it and no ~ at its start, because Airflow would expand them, found one")
        return text

    return check


def fernet_key(text: str) -> str:
    """One Fernet key, or several with commas: 32 bytes each, as URL-safe base64 (cryptography.io/en/latest/fernet)."""
    for key in text.split(","):
        try:
            size = len(base64.b64decode(key.encode(), altchars=b"-_", validate=True))
        except (binascii.Error, ValueError):
            size = -1
        if size != _FERNET_KEY_BYTES:
            refuse(
                "expected a Fernet key (URL-safe base64 of 32 bytes; several with commas, the newest first), found "
                "something else"
            )
    return text


def matching(text: str, pattern: str, expected: str) -> str:
    """Return a text that matches a whole pattern. Raises ValueError with what was expected and found."""
    if not re.fullmatch(pattern, text):
        refuse(f"expected {expected}, found {shown(text)}")
    return text


def cron(text: str) -> str:
    """Return the schedule of a CronJob (kubernetes.io/docs/concepts/workloads/controllers/cron-jobs)."""
    if " ".join(text.split()) != text or not is_schedule(text):
        refuse(f"expected a schedule of five fields such as 30 1 * * *, or @daily, found {shown(text)}")
    return text
