"""Which host keys pods may trust: the known_hosts format as ssh reads it, and published keys only of large hosts."""

from __future__ import annotations

import hmac
import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.dags.known_hosts import check_known_hosts, published_known_hosts
from components.dags.ssh_public_key import fingerprint, read_string
from tests.cases import each

SSH_KEYGEN = shutil.which("ssh-keygen")
needs_ssh_keygen = pytest.mark.skipif(SSH_KEYGEN is None, reason="ssh-keygen is not on PATH")

# As the pages name them that components/dags/published_host_keys gives as its sources.
PUBLISHED = {
    "github.com": {
        "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
        "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
        "SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
    },
    "gitlab.com": {
        "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
        "SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
        "SHA256:ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ",
    },
    "bitbucket.org": {
        "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
        "SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
        "SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
    },
}
PORT_443 = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}

# Until March 2023 and June 2023, from public known_hosts files of that time.
OLD_GITHUB = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEAq2A7hRGmdnm9tUDbO9IDSwBK6TbQa+PXYPCPy6rbTrTtw7PHkccKrpp0yVhp5HdEIcKr6pLlVDBf"
    "OLX9QUsyCOV0wzfjIJNlGEYsdlLJizHhbn2mUjvSAHQqZETYP81eFzLQNnPHt4EVVUh7VfDESU84KezmD5QlWpXLmvU31/yMf+Se8xhHTvKSCZIF"
    "ImWwoG6mbUoWf9nzpIoaSjB+weqqUUmpaaasXVal72J+UX2B+2RPW3RcT0eOzQgqlJL3RKrTJvdsjE3JEAvGq3lGHSZXy28G3skua2SmVi/w4yCE"
    "6gbODqnTWlg7+wC604ydGXA8VJiS5ap43JXiUFFAaQ=="
)
OLD_BITBUCKET = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEAubiN81eDcafrgMeLzaFPsw2kNvEcqTKl/VqLat/MaB33pZy0y3rJZtnqwR2qOOvbwKZYKiEO1O6V"
    "qNEBxKvJJelCq0dTXWT5pbO2gDXC6h6QDXCaHo6pOHGPUy+YBaGQRGuSusMEASYiWunYN0vCAI8QaXnWMXNMdFP3jHAJH0eDsoiGnLPBlBp4TNm6"
    "rYI74nMzgz3B9IikW4WVK+dc8KZJZWYjAuORU3jc1c/NPskD2ASinf8v3xnfXeukU0sJ5N6m5E8VLjObPEO+mN2t/FZTMZLiFqPWc/ALSqnMnnhw"
    "rNi2rbfg/rd/IpL8Le3pSBne8+seeFVBoGqzHM9yXw=="
)


def key(key_type: str, *fields: bytes) -> str:
    """`TYPE KEY` of the fields that follow the type in SSH's binary encoding."""
    blob = b"".join(len(each).to_bytes(4, "big") + each for each in (key_type.encode(), *fields))
    return f"{key_type} {b64encode(blob).decode()}"


def rsa_key(bits: int) -> str:
    modulus = (1 << (bits - 1)) + 1
    return key("ssh-rsa", b"\1\0\1", modulus.to_bytes(bits // 8 + 1, "big"))


def curve_key(bits: int, point_bytes: int) -> str:
    return key(f"ecdsa-sha2-nistp{bits}", f"nistp{bits}".encode(), b"\4" + b"\5" * (point_bytes - 1))


ED = key("ssh-ed25519", b"a" * 32)
ED_2 = key("ssh-ed25519", b"b" * 32)
RSA = rsa_key(2048)
DSA = key("ssh-dss", *[b"\1" * 20] * 4)
P256, P384, P521 = curve_key(256, 65), curve_key(384, 97), curve_key(521, 133)
SK_ED = key("sk-ssh-ed25519@openssh.com", b"a" * 32, b"ssh:")
SK_P256 = key("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\4" + b"\5" * 64, b"ssh:")
ED_FINGERPRINT = "SHA256:kw50NmhPNsCjjqGwVobPQVHrp2gYcQ05srUhXHkIYPE"


def hashed(name: str, salt: bytes = b"s" * 20) -> str:
    return "|".join(["", "1", b64encode(salt).decode(), b64encode(hmac.digest(salt, name.encode(), "sha1")).decode()])


def lines(*each: str) -> str:
    return "".join(f"{line}\n" for line in each)


# text, host, port
ACCEPTED: dict[str, tuple[str, str, int]] = {
    "plain": (lines(f"git.test {ED}"), "git.test", 22),
    "host in capitals": (lines(f"Git.Test {ED}"), "git.test", 22),
    "repository in capitals": (lines(f"git.test {ED}"), "Git.TEST", 22),
    "port": (lines(f"[git.test]:2222 {ED}"), "git.test", 2222),
    "port in capitals": (lines(f"[Git.Test]:2222 {ED}"), "git.test", 2222),
    "list": (lines(f"10.0.0.7,git.test,[git.test]:2222 {ED}"), "git.test", 2222),
    "asterisk": (lines(f"*.git.test {ED}"), "a.b.git.test", 22),
    "question mark": (lines(f"g?t.test {ED}"), "git.test", 22),
    "asterisk with port": (lines(f"[*.test]:2222 {ED}"), "git.test", 2222),
    "negation of another": (lines(f"!other.test,*.test {ED}"), "git.test", 22),
    "IPv4": (lines(f"10.0.0.7 {ED}"), "10.0.0.7", 22),
    "IPv6": (lines(f"2001:DB8::1 {ED}"), "2001:db8::1", 22),
    "IPv6 with port": (lines(f"[2001:db8::1]:2222 {ED}"), "2001:db8::1", 2222),
    "hashed": (lines(f"{hashed('git.test')} {ED}"), "git.test", 22),
    "hashed with port": (lines(f"{hashed('[git.test]:2222')} {ED}"), "git.test", 2222),
    "hashed, repository in capitals": (lines(f"{hashed('git.test')} {ED}"), "GIT.test", 22),
    "comment of a line": (lines(f"git.test {ED} root@git # since 2024"), "git.test", 22),
    "tabs and spaces": (lines("", "  # git.test", f" \tgit.test\t  {ED.replace(' ', '  ')} \t", "\t"), "git.test", 22),
    "CRLF": (lines(f"git.test {ED}", f"git.test {RSA}").replace("\n", "\r\n"), "git.test", 22),
    "CR": (lines(f"git.test {ED}", f"git.test {RSA}").replace("\n", "\r"), "git.test", 22),
    "byte order mark": ("\ufeff" + lines(f"git.test {ED}"), "git.test", 22),
    "comment on private keys": (lines("# its PRIVATE KEY is on the host", f"git.test {ED}"), "git.test", 22),
    "no newline at the end": (f"git.test {ED}", "git.test", 22),
    "RSA": (lines(f"git.test {RSA}"), "git.test", 22),
    "RSA of 4096 bits": (lines(f"git.test {rsa_key(4096)}"), "git.test", 22),
    "P-256": (lines(f"git.test {P256}"), "git.test", 22),
    "P-384": (lines(f"git.test {P384}"), "git.test", 22),
    "P-521": (lines(f"git.test {P521}"), "git.test", 22),
    "hardware Ed25519": (lines(f"git.test {SK_ED}"), "git.test", 22),
    "hardware P-256": (lines(f"git.test {SK_P256}"), "git.test", 22),
    "authority": (lines(f"@cert-authority *.test {ED}"), "git.test", 22),
    "another key revoked": (lines(f"@revoked git.test {ED_2}", f"git.test {ED}"), "git.test", 22),
    "same key revoked elsewhere": (lines(f"@revoked other.test {ED}", f"git.test {ED}"), "git.test", 22),
    "one of two keys revoked": (lines(f"git.test {ED}", f"git.test {RSA}", f"@revoked * {ED}"), "git.test", 22),
    "old types may be revoked": (
        lines(f"@revoked * {DSA}", f"@revoked * {rsa_key(1024)}", f"git.test {ED}"),
        "git.test",
        22,
    ),
    "other hosts too": (lines(f"other.test {RSA}", f"git.test {ED}"), "git.test", 22),
    "like a large host": (lines(f"github.com.test,notgithub.com {ED}"), "github.com.test", 22),
    "enterprise": (lines(f"*.github.example.com {ED}"), "git.github.example.com", 22),
    "negation of a large host": (lines(f"!*github.com,*hub.com {ED}"), "myhub.com", 22),
    "GitHub": (published_known_hosts("github.com") or "", "github.com", 22),
    "GitHub and own": ((published_known_hosts("github.com") or "") + lines(f"git.test {ED}"), "git.test", 22),
    "GitHub in one list": (
        (published_known_hosts("github.com") or "").replace("github.com", "github.com,140.82.121.4"),
        "github.com",
        22,
    ),
    "leaked key of GitHub revoked": (
        (published_known_hosts("github.com") or "") + lines(f"@revoked * {OLD_GITHUB}"),
        "github.com",
        22,
    ),
    "foreign key of GitHub revoked": (
        (published_known_hosts("github.com") or "") + lines(f"github.com {ED}", f"@revoked github.com {ED}"),
        "github.com",
        22,
    ),
}


@each(("text", "host", "port"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted_lines_are_normalised_and_stay_accepted(text: str, host: str, port: int) -> None:
    normal = check_known_hosts(text, host, port)
    assert check_known_hosts(normal, host, port) == normal
    assert normal.endswith("\n")
    assert not re.search(r"\r|\t|#|\n\n|^ | $|  ", normal, re.MULTILINE)


@each("kind", ["rsa-sha2-256", "rsa-sha2-512"])
@each("host", ["git.test", "[git.test]:2222,10.0.0.7", "@cert-authority git.test,[git.test]:2222"])
def test_name_of_an_rsa_signature_stands_for_an_rsa_key(kind: str, host: str) -> None:
    blob = RSA.split(" ")[1]
    port = 22 if host == "git.test" else 2222
    assert check_known_hosts(f"{host} {kind} {blob} comment\n", "git.test", port) == f"{host} ssh-rsa {blob}\n"


def test_name_of_an_rsa_signature_before_another_key_is_refused() -> None:
    with pytest.raises(ValueError, match="a key of another type than ssh-rsa"):
        check_known_hosts(f"git.test rsa-sha2-512 {ED.split(' ')[1]}", "git.test", 22)


@pytest.mark.parametrize("text", ["# x\n" * 300_000, f"git.test {ED}\n" * 15_000, "x" * 1_000_000])
def test_file_that_no_secret_can_hold_is_refused_with_how_to_shorten_it(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"at most 983040 bytes, got \d+: .*ssh-keygen -F \[git.test\]:2222 -f"
    ) as error:
        check_known_hosts(text, "git.test", 2222)
    assert len(str(error.value)) < 400


def test_comments_and_blank_lines_are_dropped_and_the_order_kept() -> None:
    text = f"# mine\n\n@cert-authority *.Test {RSA} ca@test\n[Git.Test]:2222 {ED} root@git\n"
    assert check_known_hosts(text, "git.test", 2222) == f"@cert-authority *.test {RSA}\n[git.test]:2222 {ED}\n"


def cut(text: str, at_the_end: int) -> str:
    return text[:-at_the_end]


# text, host, port, what the error says
REFUSED: dict[str, tuple[str, str, int, list[str]]] = {
    "empty": ("", "git.test", 22, ["a known_hosts line for git.test, got no lines"]),
    "only comments": ("# git.test\n\n", "git.test", 22, ["got no lines"]),
    "another host": (lines(f"other.test {ED}"), "git.test", 22, ["got lines for other hosts only"]),
    "port missing": (lines(f"git.test {ED}"), "git.test", 2222, ["line for [git.test]:2222, got lines for other"]),
    "another port": (lines(f"[git.test]:2200 {ED}"), "git.test", 2222, ["line for [git.test]:2222, got lines for"]),
    "port 22 written": (lines(f"[git.test]:22 {ED}"), "git.test", 22, ["line for git.test, got lines for other"]),
    "brackets are no pattern": (lines(f"[git].test {ED}"), "g.test", 22, ["lines for other hosts only"]),
    "part of the name": (lines(f"git.tes,it.test {ED}"), "git.test", 22, ["lines for other hosts only"]),
    "negated": (lines(f"*.test,!git.test {ED}"), "git.test", 22, ["lines for other hosts only"]),
    "only negated": (lines(f"!git.test {ED}"), "git.test", 22, ["lines for other hosts only"]),
    "hashed other": (lines(f"{hashed('other.test')} {ED}"), "git.test", 22, ["lines for other hosts only"]),
    "hashed without port": (lines(f"{hashed('git.test')} {ED}"), "git.test", 2222, ["lines for other hosts only"]),
    "only revoked": (lines(f"@revoked git.test {ED}"), "git.test", 22, ["only keys that @revoked lines withdraw"]),
    "key revoked": (lines(f"git.test {ED}", f"@revoked *.test {ED}"), "git.test", 22, ["@revoked lines withdraw"]),
    "authority revoked": (
        lines(f"@cert-authority *.test {ED}", f"@revoked * {ED}"),
        "git.test",
        22,
        ["@revoked lines withdraw"],
    ),
    "unknown marker": (lines(f"@trusted git.test {ED}"), "git.test", 22, ["on line 1", "a marker other than"]),
    "two markers": (lines(f"@revoked @revoked git.test {ED}"), "git.test", 22, ["on line 1", "unknown key type"]),
    "marker alone": (lines("@revoked"), "git.test", 22, ["on line 1", "fewer than three fields"]),
    "host alone": (lines("git.test"), "git.test", 22, ["on line 1", "fewer than three fields"]),
    "no key": (lines("git.test ssh-ed25519"), "git.test", 22, ["on line 1", "fewer than three fields"]),
    "no host": (lines(ED), "git.test", 22, ["on line 1", "a key without its host"]),
    "no host, with comment": (lines(f"{ED} root@git"), "git.test", 22, ["on line 1", "a key without its host"]),
    "no type": (lines(f"git.test {ED.split()[1]} comment"), "git.test", 22, ["on line 1", "an unknown key type"]),
    "fingerprint": (lines(f"git.test {ED_FINGERPRINT}"), "git.test", 22, ["a fingerprint, from which no key"]),
    "fingerprint after the type": (lines(f"git.test ssh-ed25519 {ED_FINGERPRINT}"), "git.test", 22, ["a fingerprint"]),
    "line number": (lines("# 1", f"git.test {ED}", "", "git.test"), "git.test", 22, ["on line 4"]),
    "empty name": (lines(f"git.test,,a {ED}"), "git.test", 22, ["an empty or unprintable name"]),
    "escape sequence": (lines(f"git.test,\x1b[31m {ED}"), "git.test", 22, ["an empty or unprintable name"]),
    "hash cut off": (lines(f"{cut(hashed('git.test'), 4)} {ED}"), "git.test", 22, ["not |1|SALT|HASH"]),
    "hash of another scheme": (lines(f"|2{hashed('git.test')[2:]} {ED}"), "git.test", 22, ["not |1|SALT|HASH"]),
    "hash without salt": (lines(f"|1|{hashed('git.test').split('|')[3]} {ED}"), "git.test", 22, ["not |1|SALT|HASH"]),
    "hash in a list": (lines(f"{hashed('git.test')},a.test {ED}"), "git.test", 22, ["not |1|SALT|HASH"]),
    "no Base64": (lines("git.test ssh-ed25519 AAAA*"), "git.test", 22, ["a key that is cut off or damaged"]),
    "a foreign character": (
        lines(f"git.test {ED[:40]}*{ED[40:]}"),
        "git.test",
        22,
        ["a key that is cut off or damaged"],
    ),
    "Base64 cut off": (lines(f"git.test {cut(ED, 1)}"), "git.test", 22, ["a key that is cut off or damaged"]),
    "key cut off": (lines(f"git.test {cut(ED, 8)}"), "git.test", 22, ["a key that is cut off or damaged"]),
    "RSA key cut off": (lines(f"git.test {cut(RSA, 40)}"), "git.test", 22, ["a key that is cut off or damaged"]),
    "key too long": (lines(f"git.test {key('ssh-ed25519', b'a' * 32, b'')}"), "git.test", 22, ["cut off or damaged"]),
    "Ed25519 of 31 bytes": (lines(f"git.test {key('ssh-ed25519', b'a' * 31)}"), "git.test", 22, ["cut off or damaged"]),
    "RSA without modulus": (lines(f"git.test {key('ssh-rsa', b'3', b'')}"), "git.test", 22, ["cut off or damaged"]),
    "point of another curve": (
        lines(f"git.test {key('ecdsa-sha2-nistp256', b'nistp384', b'4' * 97)}"),
        "git.test",
        22,
        ["cut off or damaged"],
    ),
    "point too short": (
        lines(f"git.test {key('ecdsa-sha2-nistp256', b'nistp256', b'4' * 64)}"),
        "git.test",
        22,
        ["cut off or damaged"],
    ),
    "line break in the key": (lines(f"git.test {RSA[:100]}", RSA[100:]), "git.test", 22, ["on line 1", "damaged"]),
    "type differs": (lines(f"git.test ssh-rsa {ED.split()[1]}"), "git.test", 22, ["another type than ssh-rsa"]),
    "protocol 1": (lines("git.test 1024 35 1234567890"), "git.test", 22, ["a key of SSH protocol 1"]),
    "unknown type": (lines(f"git.test {key('ssh-future', b'a')}"), "git.test", 22, ["an unknown key type"]),
    "certificate": (
        lines(f"git.test {key('ssh-ed25519-cert-v01@openssh.com', b'a')}"),
        "git.test",
        22,
        ["a certificate: give the key of its authority"],
    ),
    "DSA": (lines(f"git.test {ED}", f"git.test {DSA}"), "git.test", 22, ["on line 2", "a DSA key"]),
    "RSA of 1024 bits": (lines(f"git.test {rsa_key(1024)}"), "git.test", 22, ["an RSA key of 1024 bits"]),
    "RSA of 2047 bits": (lines(f"git.test {rsa_key(2047)}"), "git.test", 22, ["an RSA key of 2047 bits"]),
    "weak authority": (lines(f"@cert-authority * {rsa_key(1024)}"), "git.test", 22, ["an RSA key of 1024 bits"]),
    "weak key of another host": (lines(f"git.test {ED}", f"a {DSA}"), "git.test", 22, ["on line 2", "a DSA key"]),
    "GitHub's old key": (
        lines(f"github.com {OLD_GITHUB}"),
        "github.com",
        22,
        ["SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8", "line 1", "GitHub's RSA key until March 2023"],
    ),
    "Bitbucket's old key": (
        lines(f"bitbucket.org {OLD_BITBUCKET}"),
        "bitbucket.org",
        22,
        ["SHA256:zzXQOXSRBEiUtuE8AikJYKwbHaxvSc0ojez9YXaGp1A", "line 1", "Bitbucket's RSA key until June 2023"],
    ),
    "old key for another host": (
        lines(f"git.test {OLD_GITHUB}"),
        "git.test",
        22,
        ["GitHub's RSA key until March 2023"],
    ),
    "old key, hashed": (
        lines(f"{hashed('github.com')} {OLD_GITHUB}"),
        "github.com",
        22,
        ["GitHub's RSA key until March 2023"],
    ),
}


@each(("text", "host", "port", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refusal_says_what_was_found_in_one_line(text: str, host: str, port: int, says: list[str]) -> None:
    with pytest.raises(ValueError, match=r"\Aexpected ") as caught:
        check_known_hosts(text, host, port)
    message = str(caught.value)
    assert [part for part in says if part not in message] == []
    assert "\n" not in message


def test_refusal_tells_how_to_get_a_line_and_to_compare_it() -> None:
    for text in ("", "git.test\n"):
        with pytest.raises(ValueError, match=r"ssh-keyscan -p 2222 git\.test, and compare their fingerprints"):
            check_known_hosts(text, "git.test", 2222)
    with pytest.raises(ValueError, match=r"ssh-keyscan -p 22 gitlab\.com.*at https://docs\.gitlab\.com/"):
        check_known_hosts("", "gitlab.com", 22)


@each(
    "secret",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n",
        "git.test ssh-ed25519 b3BlbnNzaC1rZXktdjEAAAAABG5vbmU*\n",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU b3BlbnNzaC1rZXktdjEAAAAABG5vbmU b3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n",
    ],
)
def test_refusal_repeats_nothing_of_what_may_be_a_private_key(secret: str) -> None:
    with pytest.raises(ValueError, match="expected ") as caught:
        check_known_hosts(secret, "git.test", 22)
    error: BaseException | None = caught.value
    while error is not None:
        assert "b3Blbn" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_published_lines_hold_exactly_the_published_keys() -> None:
    for host in [*PUBLISHED, *PORT_443]:
        text = published_known_hosts(host)
        assert text is not None
        port = 443 if host in PORT_443 else 22
        name = f"[{host}]:443" if host in PORT_443 else host
        assert check_known_hosts(text, host, port) == text
        assert published_known_hosts(host.upper()) == text
        assert {line.split(" ")[0] for line in text.splitlines()} == {name}
        blobs = [line.split(" ")[2] for line in text.splitlines()]
        assert {fingerprint_of_base64(blob) for blob in blobs} == PUBLISHED[PORT_443.get(host, host)]


def fingerprint_of_base64(blob: str) -> str:
    return fingerprint(b64decode(blob))


def test_other_hosts_have_no_published_lines() -> None:
    for host in ("git.test", "github.com.evil.test", "www.github.com", "gist.github.com", ""):
        assert published_known_hosts(host) is None


FOREIGN_NAMES = [
    "github.com",
    "GitHub.com",
    "git.test,github.com",
    "*",
    "*hub.com",
    "git???.com",
    "!git.test,*",
    hashed("github.com"),
    "[github.com]:443",
    hashed("[github.com]:443"),
    "ssh.github.com",
    "[ssh.github.com]:443",
    "[*]:443",
    hashed("[ssh.github.com]:443"),
    "gitlab.com",
    "[altssh.gitlab.com]:443",
    "bitbucket.org",
    "[altssh.bitbucket.org]:443",
]


@each("name", FOREIGN_NAMES)
def test_foreign_key_for_a_large_host_is_refused_whatever_the_repository(name: str) -> None:
    text = lines(f"git.test {RSA}", f"{name} {ED}")
    with pytest.raises(ValueError, match="expected a published host key of ") as caught:
        check_known_hosts(text, "git.test", 22)
    message = str(caught.value)
    assert f"got {fingerprint_of_base64(ED.split()[1])} (ssh-ed25519) on line 2" in message
    assert "https://" in message
    assert "\n" not in message


@each("name", FOREIGN_NAMES)
def test_authority_for_a_large_host_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"got a @cert-authority on line 2, but (git\w+\.com|bitbucket\.org) has none"):
        check_known_hosts(lines(f"git.test {RSA}", f"@cert-authority {name} {ED}"), "git.test", 22)


def test_foreign_key_is_refused_beside_published_ones() -> None:
    text = (published_known_hosts("github.com") or "") + lines(f"github.com {ED}")
    with pytest.raises(ValueError, match=r"published host key of github\.com for github\.com, got SHA256:.* on line 4"):
        check_known_hosts(text, "github.com", 22)


def test_key_of_one_large_host_does_not_pass_for_another() -> None:
    text = (published_known_hosts("gitlab.com") or "").replace("gitlab.com", "github.com")
    with pytest.raises(ValueError, match=r"published host key of github\.com for github\.com"):
        check_known_hosts(text, "github.com", 22)


def test_foreign_key_is_refused_on_the_port_of_the_repository() -> None:
    """ssh reads `[github.com]:2222` only for that port, so it matters only then."""
    text = lines(f"{hashed('[github.com]:2222')} {ED}")
    with pytest.raises(ValueError, match=r"published host key of github\.com for \[github\.com\]:2222"):
        check_known_hosts(text, "github.com", 2222)


def test_fingerprint_is_that_of_openssh() -> None:
    assert fingerprint_of_base64(OLD_GITHUB.split()[1]) == "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8"


def test_ssh_string_is_split_from_its_rest() -> None:
    short = [b"\xff\xff\xff\xff"]
    for text in (b"", b"ab", b"abcd", b"abcdefg", b"abcdefgh"):
        whole = len(text).to_bytes(4, "big") + text
        assert read_string(whole + b"rest") == (text, b"rest")
        short += [whole[:end] for end in range(len(whole))]
    for data in short:
        with pytest.raises(ValueError, match="expected a whole SSH string"):
            read_string(data)


NAMES = [
    "git.test",
    "[git.test]:2222",
    "other.test",
    "g?t.test",
    "*.test",
    "git.*",
    "[*.test]:2222",
    "[git.*",
    "*git.t*]*",
    "GIT.test",
]
HOSTS = st.lists(st.tuples(st.sampled_from(["", "", "!"]), st.sampled_from(NAMES)).map("".join), min_size=1, max_size=4)
FILES = st.lists(
    st.tuples(st.sampled_from(["", "", "", "@revoked ", "@cert-authority "]), HOSTS, st.sampled_from([ED, ED_2, RSA])),
    max_size=5,
).map(lambda parts: lines(*(f"{marker}{','.join(hosts)} {each}" for marker, hosts, each in parts)))


def verdict(text: str, host: str, port: int) -> bool:
    try:
        check_known_hosts(text, host, port)
    except ValueError:
        return False
    return True


@given(FILES, st.sampled_from([22, 2222]))
def test_accepted_output_is_accepted_again_and_idempotent(text: str, port: int) -> None:
    try:
        normal = check_known_hosts(text, "git.test", port)
    except ValueError:
        return
    assert check_known_hosts(normal, "git.test", port) == normal
    assert len(normal.splitlines()) == len(text.splitlines())


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["git.test", *ED.split(), "|1|", "@revoked", " ", "\n"])).map("".join)
)
def test_any_text_is_accepted_or_refused_with_one_line(text: str) -> None:
    message = ""
    try:
        normal = check_known_hosts(text, "git.test", 22)
    except ValueError as error:
        message = str(error)
    if message:
        assert message.startswith("expected ")
        assert "\n" not in message
    else:
        assert "git.test" in normal


@needs_ssh_keygen
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HOSTS, min_size=1, max_size=3), st.sampled_from([22, 2222]))
def test_hosts_match_as_ssh_keygen_matches_them(tmp_path: Path, hosts: list[list[str]], port: int) -> None:
    text = lines(*(f"{','.join(each)} {ED}" for each in hosts))
    file = tmp_path / "known_hosts"
    file.write_text(text)
    name = "git.test" if port == 22 else f"[git.test]:{port}"
    found = subprocess.run(["ssh-keygen", "-F", name, "-f", file], capture_output=True, check=False).returncode == 0
    assert verdict(text, "git.test", port) == found


HASHABLE = {
    **{name: (text, host, port) for name, (text, host, port) in ACCEPTED.items() if name != "CR"},
    **{
        name: REFUSED[name][:3]
        for name in ("another host", "port missing", "another port", "negated", "only revoked", "GitHub's old key")
    },
    "foreign key of GitHub": (lines(f"git.test {ED}", f"github.com {ED}"), "git.test", 22),
    "foreign key of GitHub on port 443": (lines(f"git.test {ED}", f"[ssh.github.com]:443 {ED}"), "git.test", 22),
}


@needs_ssh_keygen
@each(("text", "host", "port"), HASHABLE.values(), ids=HASHABLE.keys())
def test_file_hashed_by_ssh_keygen_gets_the_same_verdict(text: str, host: str, port: int, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(text.removeprefix("\ufeff"))
    subprocess.run(["ssh-keygen", "-H", "-f", file], capture_output=True, check=True)
    assert verdict(file.read_text(), host, port) == verdict(text, host, port)


@needs_ssh_keygen
def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    text = "".join(published_known_hosts(host) or "" for host in PUBLISHED)
    text += lines(*(f"git.test {each}" for each in (ED, RSA, OLD_BITBUCKET)))
    (tmp_path / "known_hosts").write_text(text)
    run = subprocess.run(["ssh-keygen", "-lf", tmp_path / "known_hosts"], capture_output=True, text=True, check=True)
    shown = [line.split()[1] for line in run.stdout.splitlines()]
    assert shown == [fingerprint_of_base64(line.split()[2]) for line in text.splitlines()]
