"""Says what git's usual errors mean for the config of a stack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from components.kube.refusals import GIT_CERTIFICATE, GIT_HOST_KEY, GIT_KEY, GIT_LOGIN, GIT_NO_REF, GIT_NO_REPOSITORY
from components.preflight.finding import Finding, Verdict, failed
from components.preflight.reasons import Reason, explained

CHECK: Final = "DAG repository"
FOLDER_CHECK: Final = "DAG folder"

_SET: Final = "pulumi config set --stack {stack}"
_REASONS: Final = (
    Reason(
        r"clone of '[^']*' into submodule path|failed to clone '[^']*'|into submodule path '[^']*' failed",
        "airflow:dagsSubmodules: expected that the login of {url} can fetch its submodules too, found: {line}",
        "let the key or the token read them (a deploy key of GitHub reads one repository: take one of a machine user, "
        f"or a token), and give the host keys of their hosts too; or: {_SET} airflow:dagsSubmodules off",
    ),
    Reason(
        GIT_NO_REF,
        "airflow:dagsRef: expected a branch, a tag or a commit of {url}, found none named {ref}",
        f"{_SET} airflow:dagsRef BRANCH (git ls-remote {{url}} lists them; an empty repository has none)",
    ),
    Reason(
        GIT_HOST_KEY,
        "airflow:gitKnownHosts: expected a host key of {host}, found that it shows another one",
        "compare ssh-keyscan -p {port} {host} with the keys that the host publishes, then: "
        f"{_SET} airflow:gitKnownHosts < KNOWN_HOSTS_FILE",
    ),
    Reason(
        GIT_KEY,
        "airflow:gitSshPrivateKey: expected a deploy key that {host} accepts, found that it refuses this one",
        "add the key's public half to the repository's deploy keys (ssh-keygen -y -f KEY_FILE prints it), or: "
        f"{_SET} --secret airflow:gitSshPrivateKey < KEY_FILE",
    ),
    Reason(
        r"could not resolve (host|proxy)|name or service not known|temporary failure in name resolution"
        r"|nodename nor servname",
        "airflow:dagsRepository: expected a host that the cluster's DNS knows, found no address of {host}",
        f"correct the host: {_SET} airflow:dagsRepository URL; or the DNS of the cluster",
        outage=True,
    ),
    Reason(
        GIT_CERTIFICATE,
        "airflow:dagsRepository: expected a certificate of {host} that git trusts, found: {line}",
        "if a private authority signed it, give its certificate to whatever fetches, by airflow:helmValues: see "
        "docs/deliver-dags.md#a-git-host-behind-a-private-ca-or-a-proxy",
    ),
    Reason(
        rf"{GIT_LOGIN}|http basic",
        "{login_key}: expected {login} that {host} accepts for {url}, found that it refuses {refused}",
        "{login_fix}",
    ),
    Reason(
        r"github app installation endpoint returned status (401|403|404)",
        "airflow:dagsGithubAppSecret: expected a GitHub App that is installed for {url}, found: {line}",
        "compare githubAppID, githubAppInstallationID and the key in the Secret with the page of the App at the host",
    ),
    Reason(
        r"can't read private key file|must be a pem|asn1:|not a valid rsa|invalid key|invalid int env",
        "airflow:dagsGithubAppSecret: expected numbers in githubAppID and githubAppInstallationID, and an RSA key "
        "in PEM in githubAppPrivateKey, found: {line}",
        "correct the Secret",
    ),
    Reason(
        rf"{GIT_NO_REPOSITORY}|could not be found",
        "airflow:dagsRepository: expected a repository that this stack may read, found that {host} has none at {url}, "
        "or does not show it to this login",
        f"{_SET} airflow:dagsRepository URL; or let the deploy key or the token read it",
    ),
    Reason(
        r"timed out|connection refused|couldn't connect|failed to connect|unreachable|no route to host"
        r"|connection reset|connection closed|kex_exchange|banner exchange|remote end hung up|early eof"
        r"|returned error: (429|5\d\d)|operation too slow|unexpected disconnect",
        "airflow:dagsRepository: expected {host} to answer pods at port {port}, found: {line}",
        f"look at host and port ({_SET} airflow:dagsRepository URL), at firewalls between the cluster and {{host}}, "
        "and at airflow:egressExceptCidrs",
        outage=True,
    ),
)
_UNKNOWN: Final = Reason(
    "", "airflow:dagsRepository: expected that pods fetch {ref} of {url}, found: {line}", "correct that"
)
_NO_PROVIDER: Final = Reason(
    r"no module named '?(airflow\.providers\.git|git)\b|bad git executable|no such file or directory: 'git'",
    "airflow:imageTag: expected apache-airflow-providers-git and git in the image, which dagsDelivery git-bundle needs,"
    " found: {line}",
    f"add them to the image, or: {_SET} airflow:dagsDelivery git-sync",
)


def lfs_finding(about: Mapping[str, str]) -> Finding:
    """Return that the folder of DAGs holds pointers of Git LFS in place of files. A warning: no DAG may read one."""
    where = about["folder"] or "the repository"
    found = Finding(
        check=FOLDER_CHECK,
        verdict=Verdict.WARNING,
        what=f"airflow:dagsRepository: expected files as they are in {where} of {about['url']}, found pointers of Git "
        "LFS, and pods get no more than these: neither git-sync nor git-bundle fetches what they stand for",
        fix="take the files out of LFS or read them from object storage; or let CI check them out and put the DAGs "
        f"into the image: pulumi config set --stack {about['stack']} airflow:dagsDelivery image",
    )
    return of_bundle(found, about)


def git_finding(said: str, about: Mapping[str, str]) -> Finding:
    """Return why a fetch failed.

    Args:
        said: What git and git-sync wrote, without secrets.
        about: The names in the texts: stack, url, host, port, ref; and login_key and login_name, where a Secret of
            another has the login. A name that ends with `secret` would be taken for one in clear.
    """
    found = explained(CHECK, said, (_NO_PROVIDER, *_REASONS, _UNKNOWN), {**_login(about), **about})
    return of_bundle(found, about)


def folder_finding(about: Mapping[str, str], beside: list[str]) -> Finding:
    """Return that the folder of DAGs is missing. `beside`: the folders that are there in its place."""
    has = f"; there are: {', '.join(beside)}" if beside else ""
    found = failed(
        FOLDER_CHECK,
        f"airflow:dagsSubPath: expected a folder of {about['url']} at {about['ref']}, found no folder "
        f"{about['folder']}{has}",
        f"pulumi config set --stack {about['stack']} airflow:dagsSubPath FOLDER",
    )
    return of_bundle(found, about)


_ANOTHER_KEY: Final = "put another key into the Secret"
_OF_BUNDLE: Final = {
    "dagsRepository": "repository",
    "dagsRef": "ref",
    "dagsSubPath": "subPath",
    "dagsSubmodules": "submodules",
    "gitKnownHosts": "knownHosts",
    "gitSshPrivateKey": "keySecret",
}
"""Entries of a bundle, by the config key that a single repository has for each."""


def of_bundle(finding: Finding, about: Mapping[str, str]) -> Finding:
    """Return a finding with the config keys of the bundle that `about` names, if it does."""
    if "bundle" not in about:
        return finding
    keys = {f"airflow:{key}": f"airflow:dagBundles[{about['index']}].{entry}" for key, entry in _OF_BUNDLE.items()}
    old = "|".join(keys)

    def said(text: str) -> str:
        text = text.replace("airflow:dagsSubmodules off", "airflow:dagsSubmodules false")
        text = text.removesuffix(f", or: {_SET.format(stack=about['stack'])} airflow:dagsDelivery git-sync")
        text = re.sub(r"pulumi config set \S+ \S+ --secret airflow:gitSshPrivateKey < KEY_FILE", _ANOTHER_KEY, text)
        # A command names a path in a list otherwise than a key.
        text = re.sub(
            rf"(config set --stack \S+) ({old})\b", lambda found: f"{found[1]} --path '{keys[found[2]]}'", text
        )
        return re.sub(rf"(?<!')(?:{old})\b", lambda found: keys[found[0]], text)

    return replace(
        finding, check=f"{finding.check} of {about['bundle']}", what=said(finding.what), fix=said(finding.fix)
    )


def _login(about: Mapping[str, str]) -> dict[str, str]:
    """Return the words for the login of an HTTPS repository."""
    secret, set_ = about.get("login_name"), _SET.format(stack=about["stack"])
    of_bundle = {"login_key": f"airflow:dagBundles[{about['index']}].tokenSecret"} if "bundle" in about else {}
    if secret is None and of_bundle:
        return {
            **of_bundle,
            "login": "a login",
            "refused": "to go on without one",
            "login_fix": f"{set_} --path '{of_bundle['login_key']}' NAME, a Secret with username and password",
        }
    if secret is not None:
        return {
            **of_bundle,
            "login": "a login",
            "refused": f"that of Secret {secret}",
            "login_fix": f"put a login that may read the repository into Secret {secret}",
        }
    return {
        "login_key": "airflow:dagsToken",
        "login": "a user name and a token",
        "refused": "them",
        "login_fix": f"{set_} airflow:dagsUsername NAME, and: {set_} --secret airflow:dagsToken",
    }
