"""Validate addresses of Git repositories, refs, and folders in repositories, before git-sync or Airflow uses them.

Errors never repeat the given text: an address may contain a password or a token in an unexpected place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final, Literal

from components.dags.browser_address import clone_address
from components.kube.ports import LAST_PORT

_Scheme = Literal["ssh", "https"]
_DEFAULT_PORT: Final[dict[_Scheme, int]] = {"ssh": 22, "https": 443}
_MAX_HOST_LENGTH: Final = 253  # RFC 1035

_HOST_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*", re.ASCII)
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", re.ASCII)
_PATH: Final = re.compile(r"[\w.~%+:@,=/-]+")
# user@host:path, where the host may be an address in brackets
_SCP: Final = re.compile(r"(?:(?P<user>[^@/]*)@)?(?P<host>\[[^\]/]*\]|[^\[\]@:/]*):(?P<path>.*)")

_PORT_IN_PATH: Final = re.compile(r"(?P<port>[0-9]{1,5})(?P<path>/.+)")
_NUMERIC_OWNERS: Final = ("github.com", "bitbucket.org")
"""Hosts without other SSH ports, where OWNER/REPOSITORY is the whole path and an owner may be a number."""
_PLAIN_PATH: Final = re.compile(r"[\w.~/-]+")
"""A path that can hold no login, so that a message may show it."""

_ABBREVIATED: Final = re.compile(r"[0-9a-fA-F]{7,39}")
_DATE: Final = re.compile(r"(19|20)([0-9]{6}|[0-9]{8}|[0-9]{10}|[0-9]{12})")
"""A tag such as 20261129 or 202611291530, which is no abbreviated commit."""
_LOCAL_PREFIX: Final = re.compile(r"(refs/)?(remotes/)?(origin|upstream)/|refs/remotes/|(refs/)?heads/")
"""The prefixes of a branch in a clone, which the repository does not have."""

_WHY_NOT: Final = {
    "http": "http://, which proves neither the server nor the content: use https://",
    "git": "git://, which proves neither the server nor the content: use ssh:// or https://",
    "file": "file://, a folder that pods do not see",
}


@dataclass(frozen=True)
class GitRepository:
    """A repository that git-sync v4 and Airflow's GitDagBundle can fetch. It contains no credentials."""

    url: str
    """Normalised address: scheme and host in lower case, no default port, no slash at the end."""
    scheme: _Scheme
    """How it is fetched; the scp-like form counts as ssh."""
    host: str
    """DNS name or address in lower case; an IPv6 address without brackets."""
    port: int
    """TCP port; by default 22 or 443."""
    user: str | None
    """Login name for ssh, None for https."""


NO_REPOSITORY: Final = GitRepository(url="", scheme="https", host="", port=_DEFAULT_PORT["https"], user=None)
"""In place of a repository where there is none."""


def parse_git_repository(url: str) -> GitRepository:
    """Parse ssh://USER@HOST[:PORT]/PATH, USER@HOST:PATH or https://HOST[:PORT]/PATH.

    The scp-like form is kept, because its path is relative to the user's home; the path of an ssh:// URL is absolute.
    Raises ValueError for anything else.
    """
    if not url:
        raise _refusal("nothing")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise _refusal("white space or a control character in it")
    if "://" not in url:
        return _parse_scp_like(url)
    match url.partition("://")[0].lower():
        case "ssh" | "https" as scheme:
            return _parse_url(url, scheme)
        case other:
            raise _refusal(_WHY_NOT.get(other, "another scheme"))


def validate_git_ref(ref: str) -> str:
    """Validate a branch, a tag or a whole commit hash, and return it unchanged. Raises ValueError.

    The rules: git-check-ref-format(1), and git-fetch(1) for the `+`. In a container's variables Kubernetes expands
    `$(NAME)` and `$$` (kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables).
    """
    problem = None
    if not ref:
        problem = "nothing"
    elif any(character.isspace() or not character.isprintable() for character in ref):
        problem = "white space or a control character in it"
    elif re.search(r"[~^:?*\[\\]|\.\.|@\{", ref):
        problem = r"one of ~ ^ : ? * [ \ .. @{ in it"
    elif ref == "@" or ref[0] in "-+":
        problem = "a lone @, or - or + at the start"
    elif ref.startswith("/") or ref.endswith(("/", ".")) or "//" in ref:
        problem = "a / at either end, a double /, or a dot at the end"
    elif any(part.startswith(".") or part.endswith(".lock") for part in ref.split("/")):
        problem = "a part that starts with a dot or ends with .lock"
    elif "$(" in ref or "$$" in ref:
        problem = "$( or $$ in it, which Kubernetes would expand"
    elif prefix := _LOCAL_PREFIX.match(ref):
        problem = f"the name that a clone has for a branch ({prefix[0]}…): write {ref[prefix.end() :] or 'main'}"
    elif _ABBREVIATED.fullmatch(ref) and not _DATE.fullmatch(ref):
        problem = "an abbreviated commit, which cannot be fetched: write all 40 digits (git rev-parse prints them)"
    if problem:
        raise ValueError(f"expected a branch, a tag or a commit hash, such as main or v1.2.0, got {problem}")
    return ref


def validate_sub_path(path: str) -> str:
    """Validate a folder in the repository, and return it without a slash at the end. Raises ValueError.

    The empty string is the repository's root. `$` and `%` are refused because Airflow expands them in
    `[core] dags_folder`, which ends with this path.
    """
    problem = None
    parts = path.split("/")
    if any(not character.isprintable() for character in path) or any(part != part.strip() for part in parts):
        problem = "a control character, or white space at the end of a name"
    elif re.search(r"://|:[^/]*@", path):
        problem = "a URI, or a login"
    elif path.startswith("/"):
        problem = "an absolute path"
    elif re.search(r"[\\$%]", path):
        problem = r"one of \ $ % in it"
    elif ".." in parts:
        problem = "a .. in it, which may leave the repository"
    if problem:
        raise ValueError(f'expected a folder in the repository such as airflow/dags, or "" for its root, got {problem}')
    return "/".join(part for part in parts if part not in ("", "."))


def _parse_scp_like(text: str) -> GitRepository:
    match = _SCP.fullmatch(text)
    if match is None:
        raise _refusal("neither a URL nor USER@HOST:PATH")
    user = _ssh_user(match["user"])
    host = _host(match["host"])
    path = match["path"].rstrip("/")
    _check_path(path)
    if path.startswith(("-", ":")):
        raise _refusal("a path that starts with - or :")
    _check_port_in_path(user, host, path)
    return GitRepository(
        url=f"{user}@{_in_url(host)}:{path}", scheme="ssh", host=host, port=_DEFAULT_PORT["ssh"], user=user
    )


def _parse_url(url: str, scheme: _Scheme) -> GitRepository:
    if scheme == "https" and "@" in url:
        # Anywhere: a password with a / in it moves its @ into the path.
        raise _refusal(
            "an https URL with an @: put the user name and the token into dagsUsername and dagsToken instead, or"
            " those of a bundle into the Secret that its tokenSecret names (an @ of the path itself is written %40)"
        )
    # Not urlsplit().hostname, .port and .username: they accept "[::1]x", other digits, and an empty port.
    authority, slash, path = url.partition("://")[2].partition("/")
    userinfo, at, address = authority.rpartition("@")
    user = _ssh_user(userinfo if at else None) if scheme == "ssh" else None
    host, port = _host_and_port(address, scheme)
    path = (slash + path).rstrip("/")
    _check_path(path)
    if scheme == "https" and (browser := clone_address(host, path)):
        shown = _PLAIN_PATH.fullmatch(path)
        raise _refusal(f"the address of a page in a browser: {browser.advice(address) if shown else browser.kind}")
    login = f"{user}@" if user else ""
    given_port = "" if port == _DEFAULT_PORT[scheme] else f":{port}"
    return GitRepository(
        url=f"{scheme}://{login}{_in_url(host)}{given_port}{path}", scheme=scheme, host=host, port=port, user=user
    )


def _check_port_in_path(user: str, host: str, path: str) -> None:
    """Refuse a port after the colon: ssh takes it for the first folder of the path, and asks port 22."""
    match = _PORT_IN_PATH.fullmatch(path)
    if match is None or not 1 <= int(match["port"]) <= LAST_PORT:
        return
    if host in _NUMERIC_OWNERS and path.count("/") == 1:
        return
    login = user if user == "git" else "USER"
    rest = match["path"] if _PLAIN_PATH.fullmatch(match["path"]) else "/PATH"
    address = f"ssh://{login}@{_in_url(host)}"
    raise _refusal(
        f"a port after the colon, where ssh reads a folder: write {address}:{match['port']}{rest}"
        f" (or, if {match['port']} is a folder, {address}/{match['port']}{rest})"
    )


def _ssh_user(user: str | None) -> str:
    if not user:
        # Without a user name, ssh would log in as the pod's user, which no Git host knows.
        raise _refusal("an ssh address without a user name: write git@ before the host")
    if ":" in user:
        raise _refusal("a password in an ssh address: remove it, the deploy key logs in")
    if not _USER.fullmatch(user):
        raise _refusal("a user name with other characters than letters, digits and _ . + -")
    return user


def _host_and_port(address: str, scheme: _Scheme) -> tuple[str, int]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([^:]*))?", address)
    if match is None:
        raise _refusal("a host with several colons: an IPv6 address stands in brackets")
    host, port = match.groups()
    if port is None:
        return _host(host), _DEFAULT_PORT[scheme]
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= LAST_PORT:
        raise _refusal(f"a port that is not a number from 1 to {LAST_PORT}")
    return _host(host), int(port)


def _host(text: str) -> str:
    """Return the host in lower case. Strict, because ssh reads a host that starts with `-` as an option."""
    if text.startswith("["):
        return _ipv6(text[1:-1])
    host = text.lower()
    if not host:
        raise _refusal("no host")
    if len(host) > _MAX_HOST_LENGTH or not _HOST.fullmatch(host):
        raise _refusal("a host that is neither a DNS name nor an address")
    return host


def _ipv6(text: str) -> str:
    """Return the address as written, in lower case, because ssh looks it up so in known_hosts."""
    try:
        IPv6Address(text)
        valid = "%" not in text  # a zone (`%eth0`) names an interface of one machine
    except AddressValueError:
        valid = False
    if not valid:
        raise _refusal("brackets around something else than an IPv6 address (a port needs ssh://git@HOST:PORT/PATH)")
    return text.lower()


def _check_path(path: str) -> None:
    if not path:
        raise _refusal("no path after the host")
    if "?" in path or "#" in path:
        raise _refusal("a query or a fragment (? or #), which a repository's address does not have")
    if not _PATH.fullmatch(path):
        raise _refusal(
            "a path with other characters than letters, digits and . _ ~ % + : @ , = / - (write them as %XX)"
        )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _refusal(found: str) -> ValueError:
    return ValueError(
        "expected a Git repository as ssh://git@HOST[:PORT]/PATH, git@HOST:PATH or https://HOST[:PORT]/PATH,"
        f" got {found}"
    )
