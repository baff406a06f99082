"""Where DAGs come from, and what a private repository needs."""

from __future__ import annotations

from components import fields
from components.dags.delivery import Dags, DagsDelivery, GitCredentials
from components.dags.git_repository import GitRepository, parse_git_repository, validate_git_ref, validate_sub_path
from components.dags.known_hosts import pinned_known_hosts
from components.dags.ssh_private_key import normalise_private_key
from components.kube.secret import Secret
from settings.reader import PROJECT, Reader


def read_dags(read: Reader) -> tuple[Dags, GitCredentials]:
    """The keys dags…, gitSshPrivateKey and gitKnownHosts."""
    repository = read.text("dagsRepository", parse_git_repository)
    dags = Dags(
        repository=repository or GitRepository(url="", scheme="https", host="", port=443, user=None),
        ref=read.text("dagsRef", validate_git_ref) or "",
        sub_path=read.text("dagsSubPath", validate_sub_path, empty=True) or "",
        delivery=read.choice("dagsDelivery", DagsDelivery),
        sync_period_seconds=read.integer("dagsSyncPeriodSeconds", 1, 86400),
        depth=read.integer("dagsDepth", 0, 1_000_000),
    )
    key = read.secret("gitSshPrivateKey", normalise_private_key)
    known_hosts = read.text("gitKnownHosts", str, empty=True)
    username = read.text("dagsUsername", fields.one_line, empty=True)
    token = read.secret("dagsToken", fields.secret_line)
    if repository is not None and repository.scheme == "ssh":
        _ssh_access(read, repository, key, known_hosts, username, token)
    elif repository is not None:
        if key is not None or known_hosts is not None:
            used = "gitSshPrivateKey" if key is not None else "gitKnownHosts"
            read.problem(
                used,
                "expected none with an HTTPS repository, found one",
                f"pulumi config rm {PROJECT}:{used}, or give airflow:dagsRepository as ssh://git@HOST/PATH",
            )
        if (username is None) != (token is None):
            missing = "dagsUsername" if username is None else "dagsToken"
            read.problem(missing, "expected a value beside the other half of the credentials, found none")
    return dags, GitCredentials(ssh_private_key=key, known_hosts=known_hosts, username=username, token=token)


def _ssh_access(
    read: Reader,
    repository: GitRepository,
    key: Secret | None,
    known_hosts: str | None,
    username: str | None,
    token: Secret | None,
) -> None:
    if key is None:
        read.problem(
            "gitSshPrivateKey",
            "expected a private key, because airflow:dagsRepository is an SSH repository, found none",
            f"pulumi config set --secret {PROJECT}:gitSshPrivateKey < KEY_FILE",
        )
    try:
        pinned_known_hosts(known_hosts, repository)
    except ValueError as error:
        read.problem("gitKnownHosts", str(error), f"pulumi config set {PROJECT}:gitKnownHosts < KNOWN_HOSTS_FILE")
    for unused, value in (("dagsUsername", username), ("dagsToken", token)):
        if value is not None:
            read.problem(
                unused, "expected none with an SSH repository, found one", f"pulumi config rm {PROJECT}:{unused}"
            )
