"""Validate known_hosts: the SSH host keys that a pod may trust (format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

The validation is stricter than ssh, which skips a line that it does not understand. Here such a line is an error,
because an ignored host key is noticed only when pods fail, or never. Errors may show fingerprints, which are public,
but nothing else of a line, which may be a private key pasted by mistake.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Final

from components.dags.git_repository import GitRepository
from components.dags.ssh_public_key import (
    DSA,
    KEY_TYPES,
    RSA_SIGNATURES,
    KeyFormatError,
    check_strength,
    decode_key,
    fingerprint,
)

_SSH_PORT: Final = 22
_HTTPS_PORT: Final = 443
_SHA1_BYTES: Final = 20

_REVOKED: Final = "@revoked"
_CERT_AUTHORITY: Final = "@cert-authority"

_PUBLISHED_HOST_KEYS: Final = Path(__file__).with_name("published_host_keys")

_PUBLISHED_AT: Final = {
    "github.com": (
        "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints"
    ),
    "gitlab.com": "https://docs.gitlab.com/user/gitlab_com/",
    "bitbucket.org": "https://bitbucket.org/site/ssh",
}
_PORT_443_NAMES: Final = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
_SERVICES: Final = {**{host: host for host in _PUBLISHED_AT}, **_PORT_443_NAMES}

_WITHDRAWN: Final = {
    # https://github.blog/2023-03-23-we-updated-our-rsa-ssh-host-key/
    "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8": "GitHub's RSA key until March 2023, since leaked",
    # https://bitbucket.org/blog/ssh-host-key-changes
    "SHA256:zzXQOXSRBEiUtuE8AikJYKwbHaxvSc0ojez9YXaGp1A": "Bitbucket's RSA key until June 2023, since leaked",
}

_MOST_BYTES: Final = 1024 * 1024 - 64 * 1024
"""A Secret holds 1 MiB (kubernetes.io/docs/concepts/configuration/secret), and the private key is in it too."""


def pinned_known_hosts(given: str | None, repository: GitRepository) -> str:
    """The lines to pin for `repository`: those given, checked, or the published ones. Raises ValueError."""
    lines = given or published_known_hosts(repository.host)
    if not lines:
        raise ValueError(
            f"expected known_hosts lines for {repository.host}, got none: its keys are not built in. "
            f"`ssh-keyscan -p {repository.port} {repository.host}` prints them; compare the fingerprints with those "
            "that the host publishes"
        )
    return check_known_hosts(lines, repository.host, repository.port)


def published_known_hosts(host: str) -> str | None:
    """Return the published lines of github.com, gitlab.com, bitbucket.org or of their hosts on port 443; else None."""
    service = _SERVICES.get(host.lower())
    if service is None:
        return None
    name = _lookup_name(host, _HTTPS_PORT if host.lower() in _PORT_443_NAMES else _SSH_PORT)
    return "".join(f"{name} {key}\n" for key in _published_keys(service))


def check_known_hosts(text: str, host: str, port: int) -> str:
    """Return the lines without comments and blank lines, if they are safe and name a key of the host.

    For github.com, gitlab.com and bitbucket.org only published keys are accepted, even if the repository is elsewhere,
    because it may have submodules there.

    Args:
        text: known_hosts lines: plain, hashed or `[host]:port` names, patterns, `@revoked` and `@cert-authority`.
        host: Host of the repository; an IPv6 address without brackets.
        port: TCP port of the repository.

    Raises:
        ValueError: For a line that is not understood, not safe or not published, or without a key of the host.
    """
    how = f"get lines with: ssh-keyscan -p {port} {host}, and compare their fingerprints with those the host publishes"
    if host.lower() in _SERVICES:
        how += f" at {_PUBLISHED_AT[_SERVICES[host.lower()]]}"
    size = len(text.encode())
    if size > _MOST_BYTES:
        raise ValueError(
            f"expected known_hosts lines of the repository's host, at most {_MOST_BYTES} bytes, got {size}: keep its "
            f"own lines; ssh-keygen -F {_lookup_name(host, port)} -f KNOWN_HOSTS_FILE prints them"
        )
    if re.search(r"BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File", text):
        raise ValueError(f"expected known_hosts lines, got a private key; {how}")
    lines = list(_parse(text, how))
    for line in lines:
        if line.marker != _REVOKED and line.fingerprint in _WITHDRAWN:
            raise ValueError(
                f"expected current host keys, got {line.fingerprint} on line {line.number}:"
                f" {_WITHDRAWN[line.fingerprint]}; delete the line"
            )
    for service_host, service in _SERVICES.items():
        # ssh falls back to the name without a port if it finds none with it.
        for service_port in (_SSH_PORT, _HTTPS_PORT, port):
            _check_published(lines, _lookup_name(service_host, service_port), service)
    _check_usable(lines, _lookup_name(host, port), how)
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class _Line:
    number: int
    marker: str
    hosts: str
    key_type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.blob)

    def matches(self, name: str) -> bool:
        """Return whether ssh would use this line for the host `name` (match_pattern_list() of OpenSSH's match.c)."""
        if self.hosts.startswith("|"):
            salt, digest = _split_hash(self.hosts)
            return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
        matching = [each for each in self.hosts.split(",") if _matches_pattern(name, each.removeprefix("!"))]
        return bool(matching) and not any(each.startswith("!") for each in matching)

    def __str__(self) -> str:
        fields = (self.marker, self.hosts, self.key_type, b64encode(self.blob).decode())
        return " ".join(field for field in fields if field)


def _parse(text: str, how: str) -> Iterator[_Line]:
    # Not splitlines(), which splits at more characters than ssh does.
    contents = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, content in enumerate(contents, start=1):
        line = content.strip(" \t")
        if line and not line.startswith("#"):
            try:
                yield _parse_line(number, line)
            except (_LineError, KeyFormatError) as problem:
                raise ValueError(
                    f"expected HOST KEY-TYPE KEY on line {number} of known_hosts, got {problem}; {how}"
                ) from None


class _LineError(Exception):
    """Its text says what was found instead of a known_hosts line."""


def _parse_line(number: int, content: str) -> _Line:
    fields = re.split(r"[ \t]+", content)
    marker = fields.pop(0) if content.startswith("@") else ""
    if marker not in ("", _REVOKED, _CERT_AUTHORITY):
        raise _LineError(f"a marker other than {_REVOKED} and {_CERT_AUTHORITY}")
    if any(re.fullmatch(r"(SHA256|MD5):\S+", field) for field in fields):
        raise _LineError("a fingerprint, from which no key can be made")
    if fields and fields[0] in (*KEY_TYPES, DSA, *RSA_SIGNATURES):
        raise _LineError("a key without its host: write the host before it")
    if len(fields) < 3:
        raise _LineError("fewer than three fields")
    hosts, key_type, key = fields[:3]
    if key_type in RSA_SIGNATURES:
        key_type = "ssh-rsa"  # what every ssh reads
    _check_hosts(hosts)
    if "-cert-v0" in key_type:
        raise _LineError(f"a certificate: give the key of its authority, with {_CERT_AUTHORITY} before the host")
    blob = decode_key(key_type, key)
    if marker != _REVOKED:
        check_strength(key_type, blob)
    # A hash stays as it is, because its Base64 is case-sensitive.
    return _Line(number, marker, hosts if hosts.startswith("|") else hosts.lower(), key_type, blob)


def _check_hosts(hosts: str) -> None:
    if hosts.startswith("|"):
        try:
            well_formed = all(len(part) == _SHA1_BYTES for part in _split_hash(hosts))
        except ValueError:
            well_formed = False
        if not well_formed:
            raise _LineError("a hashed host that is not |1|SALT|HASH")
    elif not hosts.isprintable() or "" in [each.removeprefix("!") for each in hosts.split(",")]:
        raise _LineError("an empty or unprintable name among its hosts")


def _split_hash(hosts: str) -> tuple[bytes, bytes]:
    """Return salt and hash of `|1|SALT|HASH`, where 1 is HMAC-SHA1, the only scheme. Raises ValueError."""
    _, scheme, salt, digest = hosts.split("|")
    if scheme != "1":
        raise ValueError("expected hash scheme 1, got another one")
    return b64decode(salt, validate=True), b64decode(digest, validate=True)


def _check_published(lines: list[_Line], name: str, service: str) -> None:
    published = {fingerprint(b64decode(key.split(" ")[1])) for key in _published_keys(service)}
    revoked = _revoked(lines, name)
    for line in lines:
        if line.marker == _REVOKED or not line.matches(name) or line.blob in revoked:
            continue
        source = f"the published keys of {service} stand at {_PUBLISHED_AT[service]}"
        if line.marker == _CERT_AUTHORITY:
            raise ValueError(
                f"expected host keys for {name}, got a {_CERT_AUTHORITY} on line {line.number}, but {service} has none;"
                f" {source}; delete the line, or name your own host in it instead of a pattern"
            )
        if line.fingerprint not in published:
            raise ValueError(
                f"expected a published host key of {service} for {name}, got {line.fingerprint} ({line.key_type}) on"
                f" line {line.number}; {source}; delete the line, or name your own host in it instead of a pattern"
            )


def _check_usable(lines: list[_Line], name: str, how: str) -> None:
    matching = [line for line in lines if line.matches(name)]
    revoked = _revoked(lines, name)
    if any(line.marker != _REVOKED and line.blob not in revoked for line in matching):
        return
    if matching:
        found = f"only keys that {_REVOKED} lines withdraw"
    elif lines:
        found = "lines for other hosts only"
    else:
        found = "no lines"
    raise ValueError(f"expected a known_hosts line for {name}, got {found}; {how}")


def _revoked(lines: list[_Line], name: str) -> set[bytes]:
    return {line.blob for line in lines if line.marker == _REVOKED and line.matches(name)}


def _matches_pattern(name: str, pattern: str) -> bool:
    # Only * and ? are special to ssh; brackets are literal, as in [host]:port.
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _lookup_name(host: str, port: int) -> str:
    """Return the name by which ssh looks a host up, like put_host_port() of OpenSSH's misc.c."""
    return host.lower() if port == _SSH_PORT else f"[{host.lower()}]:{port}"


@cache
def _published_keys(service: str) -> tuple[str, ...]:
    """Return `KEY-TYPE KEY` of each published key."""
    lines = _PUBLISHED_HOST_KEYS.read_text(encoding="ascii").splitlines()
    return tuple(line.removeprefix(f"{service} ") for line in lines if line.startswith(f"{service} "))
