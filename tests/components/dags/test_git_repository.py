"""Which repository addresses, refs and folders are accepted, and that a refusal never repeats a credential."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from components.dags.git_repository import GitRepository, parse_git_repository, validate_git_ref, validate_sub_path
from tests.cases import each

GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="git is not on PATH")

ACCEPTED = [
    ("ssh://git@git.test:2222/home/git/dags.git", "", "ssh", "git.test", 2222, "git"),
    ("ssh://git@github.com/org/repo.git", "", "ssh", "github.com", 22, "git"),
    ("ssh://git@github.com:22/org/repo.git", "ssh://git@github.com/org/repo.git", "ssh", "github.com", 22, "git"),
    ("SSH://git@GitHub.COM/Org/Repo.git/", "ssh://git@github.com/Org/Repo.git", "ssh", "github.com", 22, "git"),
    ("ssh://git@ssh.github.com:443/org/repo.git", "", "ssh", "ssh.github.com", 443, "git"),
    ("ssh://deploy.bot-1@10.0.0.7/~/dags", "", "ssh", "10.0.0.7", 22, "deploy.bot-1"),
    (
        "ssh://git@[2001:DB8::1]:2222/dags.git",
        "ssh://git@[2001:db8::1]:2222/dags.git",
        "ssh",
        "2001:db8::1",
        2222,
        "git",
    ),
    ("ssh://git@[::1]/dags.git", "", "ssh", "::1", 22, "git"),
    ("git@github.com:org/repo.git", "", "ssh", "github.com", 22, "git"),
    ("git@GitHub.com:org/repo/", "git@github.com:org/repo", "ssh", "github.com", 22, "git"),
    ("git@github.com:1234/repo.git", "", "ssh", "github.com", 22, "git"),
    ("git@ssh.dev.azure.com:v3/org/project/repo", "", "ssh", "ssh.dev.azure.com", 22, "git"),
    ("git@host:/srv/dags.git", "", "ssh", "host", 22, "git"),
    ("git@[::1]:dags.git", "", "ssh", "::1", 22, "git"),
    ("https://github.com/apache/airflow.git", "", "https", "github.com", 443, None),
    ("HTTPS://GitHub.com:443/a/b/", "https://github.com/a/b", "https", "github.com", 443, None),
    ("https://git.example.com:8443/a%20b/c.git", "", "https", "git.example.com", 8443, None),
    ("https://[::1]:3000/a.git", "", "https", "::1", 3000, None),
    ("https://my_host/~user/a+b.git", "", "https", "my_host", 443, None),
]


@each(("given_url", "url", "scheme", "host", "port", "user"), ACCEPTED)
def test_repository_is_taken_apart_and_normalised(
    given_url: str, url: str, scheme: str, host: str, port: int, user: str | None
) -> None:
    repository = parse_git_repository(given_url)
    assert repository == GitRepository(
        url=url or given_url,
        scheme="ssh" if scheme == "ssh" else "https",
        host=host,
        port=port,
        user=user,
    )
    assert parse_git_repository(repository.url) == repository


REFUSED = {
    "empty": ("", "got nothing"),
    "space": ("https://github.com/a b.git", "white space"),
    "space around": (" https://github.com/a.git", "white space"),
    "newline at the end": ("https://github.com/a.git\n", "white space or a control character"),
    "NUL": ("https://github.com/a\0.git", "control character"),
    "escape sequence": ("https://github.com/\x1b[31m", "control character"),
    "no-break space": ("https://github.com/a\u00a0b", "white space"),
    "http": ("http://github.com/a.git", "got http://, which proves neither"),
    "http with a password": ("http://user:hunter2@github.com/a.git", "got http://, which proves neither"),
    "git": ("git://github.com/a.git", "got git://, which proves neither"),
    "file": ("file:///srv/dags.git", "got file://, a folder that pods do not see"),
    "another scheme": ("ftp://github.com/a.git", "another scheme"),
    "remote helper": ("ext::sh -c true", "white space"),
    "remote helper without space": ("ext::sh", "without a user name"),
    "https user": ("https://hunter2@github.com/a.git", "dagsUsername and dagsToken"),
    "https user and password": ("https://user:hunter2@github.com/a.git", "dagsUsername and dagsToken"),
    "https password with a slash": ("https://user:hunter2/x@github.com/a.git", "dagsUsername and dagsToken"),
    "https password with a hash": ("https://user:hunter2#x@github.com/a.git", "dagsUsername and dagsToken"),
    "https token in the query": ("https://github.com/a.git?token=hunter2", "a query or a fragment"),
    "https fragment": ("https://github.com/a.git#main", "a query or a fragment"),
    "ssh password": ("ssh://git:hunter2@github.com/a.git", "a password in an ssh address"),
    "ssh password with an at": ("ssh://git:p@hunter2@github.com/a.git", "a password in an ssh address"),
    "ssh password with a slash": ("ssh://git:hunter2/x@github.com/a.git", "git@ before the host"),
    "scp-like password": ("git:hunter2@github.com:a.git", "a password in an ssh address"),
    "ssh without a user": ("ssh://github.com/a.git", "write git@ before the host"),
    "ssh with an empty user": ("ssh://@github.com/a.git", "write git@ before the host"),
    "scp-like without a user": ("github.com:a.git", "write git@ before the host"),
    "ssh user like an option": ("ssh://-oProxyCommand=x@github.com/a.git", "a user name with other characters"),
    "ssh user with quotes": ("ssh://gi't@github.com/a.git", "a user name with other characters"),
    "ssh host like an option": ("ssh://git@-oProxyCommand=touch/a.git", "neither a DNS name nor an address"),
    "ssh host like an option, encoded": ("ssh://git@%2doProxyCommand/a.git", "neither a DNS name nor an address"),
    "scp-like host like an option": ("git@-oProxyCommand=touch:a.git", "neither a DNS name nor an address"),
    "scp-like without a user, like an option": ("-oProxyCommand=touch:a.git", "write git@ before the host"),
    "https host like an option": ("https://-x/a.git", "neither a DNS name nor an address"),
    "no host": ("https:///a.git", "no host"),
    "no ssh host": ("ssh://git@/a.git", "no host"),
    "host with a dot at the end": ("ssh://git@github.com./a.git", "neither a DNS name nor an address"),
    "host with an empty label": ("ssh://git@github..com/a.git", "neither a DNS name nor an address"),
    "host of other letters": ("ssh://git@gith\u00fcb.com/a.git", "neither a DNS name nor an address"),
    "host too long": ("ssh://git@" + "a." * 130 + "com/a.git", "neither a DNS name nor an address"),
    "IPv6 without brackets": ("ssh://git@2001:db8::1/a.git", "an IPv6 address stands in brackets"),
    "IPv6 with a zone": ("ssh://git@[fe80::1%eth0]/a.git", "something else than an IPv6 address"),
    "name in brackets": ("git@[github.com:2222]:a.git", "something else than an IPv6 address"),
    "text after brackets": ("ssh://git@[::1]x/a.git", "an IPv6 address stands in brackets"),
    "bracket not closed": ("ssh://git@[::1/a.git", "an IPv6 address stands in brackets"),
    "port 0": ("ssh://git@github.com:0/a.git", "a port that is not a number from 1 to 65535"),
    "port too large": ("https://github.com:65536/a.git", "a port that is not a number from 1 to 65535"),
    "port empty": ("https://github.com:/a.git", "a port that is not a number from 1 to 65535"),
    "port negative": ("ssh://git@github.com:-1/a.git", "a port that is not a number from 1 to 65535"),
    "port of other digits": ("ssh://git@github.com:²²/a.git", "a port that is not a number from 1 to 65535"),
    "ssh URL mixed with scp": ("ssh://git@github.com:org/a.git", "a port that is not a number from 1 to 65535"),
    "https password as port": ("https://user:hunter2/a.git", "a port that is not a number from 1 to 65535"),
    "https no path": ("https://github.com", "no path after the host"),
    "https only a slash": ("https://github.com/", "no path after the host"),
    "ssh no path": ("ssh://git@github.com", "no path after the host"),
    "ssh only slashes": ("ssh://git@github.com//", "no path after the host"),
    "scp-like no path": ("git@github.com:", "no path after the host"),
    "scp-like path like an option": ("git@github.com:--upload-pack=x", "a path that starts with -"),
    "path with a backslash": ("https://github.com/a\\b", "a path with other characters"),
    "path with a variable": ("ssh://git@github.com/$(HOME)", "a path with other characters"),
    "local folder": ("/srv/dags.git", "neither a URL nor USER@HOST:PATH"),
    "relative folder": ("../dags", "neither a URL nor USER@HOST:PATH"),
    "folder with a colon": ("./a:b", "neither a URL nor USER@HOST:PATH"),
    "a name": ("hunter2", "neither a URL nor USER@HOST:PATH"),
    "scp-like port": ("git@git.test:2222/group/dags.git", "write ssh://git@git.test:2222/group/dags.git"),
    "scp-like port of another user": ("hunter2@git.test:22/dags.git", "write ssh://USER@git.test:22/dags.git"),
    "scp-like port of an address": ("git@[::1]:7999/dags.git", "write ssh://git@[::1]:7999/dags.git"),
    "scp-like port of GitHub": ("git@github.com:443/org/dags.git", "write ssh://git@github.com:443/org/dags.git"),
    "scp-like port, doubtful path": ("git@git.test:22/a:hunter2@b", "write ssh://git@git.test:22/PATH"),
    "scp-like folder that is a number": ("git@git.test:1234/dags.git", "ssh://git@git.test/1234/dags.git"),
    "page of GitHub": (
        "https://github.com/org/repo/tree/main/dags/team",
        "set dagsRepository https://github.com/org/repo.git, dagsRef main, dagsSubPath dags/team",
    ),
    "page of a branch": (
        "https://github.com/org/repo/tree/v1.2/",
        "set dagsRepository https://github.com/org/repo.git, dagsRef v1.2",
    ),
    "page of a file": (
        "https://git.test:8443/org/repo/blob/main/dags/etl.py",
        "set dagsRepository https://git.test:8443/org/repo.git, dagsRef main, dagsSubPath dags",
    ),
    "page of GitLab": (
        "https://gitlab.com/group/sub/project/-/tree/main/dags",
        "set dagsRepository https://gitlab.com/group/sub/project.git, dagsRef main, dagsSubPath dags",
    ),
    "file of GitLab": (
        "https://gitlab.test/a/b/-/blob/main/etl.py",
        "set dagsRepository https://gitlab.test/a/b.git, dagsRef main",
    ),
    "other page of GitLab": (
        "https://gitlab.test/a/b/-/merge_requests/7",
        "dagsRepository https://gitlab.test/a/b.git",
    ),
    "page of Gitea": (
        "https://gitea.test/a/b/src/branch/main/dags",
        "set dagsRepository https://gitea.test/a/b.git, dagsRef main, dagsSubPath dags",
    ),
    "commit of Forgejo": ("https://codeberg.org/a/b/src/commit/4f2a", "https://codeberg.org/a/b.git, dagsRef 4f2a"),
    "page of Bitbucket": (
        "https://bitbucket.org/team/repo/src/main/dags",
        "set dagsRepository https://bitbucket.org/team/repo.git, dagsRef main, dagsSubPath dags",
    ),
    "page of Bitbucket's server": (
        "https://bitbucket.test/projects/DATA/repos/dags/browse/etl",
        "set dagsRepository https://bitbucket.test/scm/data/dags.git, dagsSubPath etl",
    ),
    "page with a pull request": (
        "https://github.com/org/repo/pull/7",
        "dagsRepository https://github.com/org/repo.git",
    ),
    "page with odd signs": ("https://github.com/org/repo/tree/main/a:hunter2", "dagsSubPath for the folder"),
}


@each(("url", "found"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_repository_is_named_by_kind_and_never_repeated(url: str, found: str) -> None:
    with pytest.raises(ValueError, match=r"\Aexpected a Git repository as ssh://") as caught:
        parse_git_repository(url)
    message = str(caught.value)
    assert found in message
    assert "\n" not in message
    assert "hunter2" not in message
    assert "ProxyCommand" not in message


HOST = st.from_regex(r"[a-z0-9]{1,9}(\.[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?){0,3}", fullmatch=True) | st.ip_addresses(
    v=6
).map(lambda address: f"[{address}]")
PATH = st.from_regex(r"[A-Za-z0-9_.~][A-Za-z0-9_.~/-]{0,20}[A-Za-z0-9]", fullmatch=True)


@st.composite
def addresses(draw: st.DrawFn) -> tuple[str, str, int]:
    """An accepted address with its host and port."""
    host, path = draw(HOST), draw(PATH)
    user = draw(st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True))
    form = draw(st.sampled_from(["scp", "ssh", "https"]))
    if form == "scp":
        return f"{user}@{host}:{path}", host.strip("[]"), 22
    port = draw(st.none() | st.integers(1, 65535))
    authority = host if port is None else f"{host}:{port}"
    login = f"{user}@" if form == "ssh" else ""
    return f"{form}://{login}{authority}/{path}", host.strip("[]"), port or (22 if form == "ssh" else 443)


@each(
    "url",
    [
        "https://gitlab.com/group/tree/dags.git",
        "https://git.test/org/src.git",
        "https://git.test/tree/main/dags.git",
        "https://git.test/group/team/actions",
        "git@git.test:team/2222/dags.git",
        "git@git.test:70000/dags.git",
        "git@git.test:2222.git",
        "ssh://git@git.test/2222/dags.git",
    ],
)
def test_address_that_only_resembles_a_page_or_a_port_is_accepted(url: str) -> None:
    assert parse_git_repository(url).url == url


@given(addresses())
def test_normalising_keeps_host_and_port_and_is_idempotent(address: tuple[str, str, int]) -> None:
    url, host, port = address
    assume("://" in url or not re.search(r":[0-9]{1,5}/", url))  # a port after the colon is refused
    repository = parse_git_repository(url)
    assert (repository.host, repository.port) == (host, port)
    assert parse_git_repository(repository.url) == repository


@given(st.text(max_size=40) | st.text(alphabet="git@:/[]-.0 ?#%", max_size=25).map(lambda rest: "ssh://" + rest))
def test_any_text_is_accepted_or_refused_with_one_line(url: str) -> None:
    message = ""
    try:
        repository = parse_git_repository(url)
    except ValueError as error:
        message = str(error)
    if message:
        assert message.startswith("expected ")
        assert "\n" not in message
    else:
        assert repository.host
        assert not repository.host.startswith("-")
        assert 1 <= repository.port <= 65535


@needs_git
@each("url", [row[0] for row in ACCEPTED if row[2] == "ssh"])
def test_git_itself_reads_the_normalised_address_in_the_same_way(url: str) -> None:
    repository = parse_git_repository(url)
    run = subprocess.run(
        ["git", "fetch-pack", "--diag-url", repository.url], capture_output=True, text=True, check=True
    )
    read = dict(line.removeprefix("Diag: ").split("=", 1) for line in run.stdout.splitlines())
    host = read.get("userandhost", read.get("hostandport", "")).partition("@")[2]
    assert read["protocol"] == "ssh"
    assert host.strip("[]") == repository.host
    assert read["port"] == ("NONE" if repository.port == 22 else str(repository.port))


@each(
    "ref",
    [
        "main",
        "release/3.2",
        "v1.2.0",
        "HEAD",
        "refs/tags/v1",
        "0" * 40,
        "feature/a-b_c",
        "dépôt",
        "a@b",
        "x.lock.y",
        "20261129",
        "202611291530",
        "cafe",
        "0" * 41,
        "v1234567",
        "original/main",
        "heads-up",
        "a$b",
    ],
)
def test_ref_is_returned_unchanged(ref: str) -> None:
    assert validate_git_ref(ref) == ref


REFUSED_REFS = {
    "empty": ("", "got nothing"),
    "space": ("my branch", "white space"),
    "newline": ("main\n", "white space or a control character"),
    "delete": ("a\x7f", "control character"),
    "two dots": ("a..b", "one of"),
    "tilde": ("main~1", "one of"),
    "caret": ("main^", "one of"),
    "colon": ("main:main", "one of"),
    "question mark": ("a?", "one of"),
    "asterisk": ("refs/heads/*", "one of"),
    "bracket": ("a[b", "one of"),
    "backslash": ("a\\b", "one of"),
    "reflog": ("main@{1}", "one of"),
    "option": ("--upload-pack=x", "- or + at the start"),
    "force": ("+main", "- or + at the start"),
    "at": ("@", "a lone @"),
    "slash first": ("/main", "a / at either end"),
    "slash last": ("main/", "a / at either end"),
    "double slash": ("a//b", "a double /"),
    "dot last": ("main.", "a dot at the end"),
    "dot first": (".main", "starts with a dot"),
    "dot first in a part": ("a/.b", "starts with a dot"),
    "lock": ("main.lock", "ends with .lock"),
    "lock in a part": ("a.lock/b", "ends with .lock"),
    "abbreviated commit": ("4f2a9c1", "git rev-parse"),
    "abbreviated commit in capitals": ("4F2A9C1D", "abbreviated commit"),
    "abbreviated commit of digits": ("1234567", "abbreviated commit"),
    "commit with a digit too few": ("a" * 39, "all 40 digits"),
    "branch of a clone": ("origin/main", "write main"),
    "branch of another remote": ("upstream/release/3.2", "write release/3.2"),
    "branch in full": ("refs/heads/main", "write main"),
    "remote branch in full": ("refs/remotes/origin/main", "write main"),
    "branch in half": ("heads/main", "write main"),
    "remote branch in half": ("remotes/origin/dags", "write dags"),
    "variable": ("main-$(POD_IP)", "Kubernetes would expand"),
    "doubled dollar": ("a$$b", "Kubernetes would expand"),
}


@each(("ref", "found"), REFUSED_REFS.values(), ids=REFUSED_REFS.keys())
def test_refused_ref_is_named_by_kind(ref: str, found: str) -> None:
    with pytest.raises(ValueError, match=r"\Aexpected a branch, a tag or a commit hash") as caught:
        validate_git_ref(ref)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_git
@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="abA./-+@{}~^:?*[\\ \tlock", max_size=8))
@example("a.lock")
@example("@")
@example("-a")
@example("a..b")
def test_refs_are_accepted_as_git_accepts_them(ref: str) -> None:
    git = subprocess.run(["git", "check-ref-format", "--allow-onelevel", ref], check=False).returncode == 0
    try:
        validate_git_ref(ref)
        accepted = True
    except ValueError:
        accepted = False
    # These two are legal names, but an option or a refspec where they are used.
    assert accepted == (git and not ref.startswith(("-", "+")))


@each(
    ("path", "expected"),
    [
        ("", ""),
        (".", ""),
        ("./", ""),
        ("dags", "dags"),
        ("airflow-core/src/airflow/example_dags/", "airflow-core/src/airflow/example_dags"),
        ("a//b", "a/b"),
        ("./a/./b", "a/b"),
        ("a..b/...", "a..b/..."),
        ("with space/in it", "with space/in it"),
    ],
)
def test_sub_path_is_normalised(path: str, expected: str) -> None:
    assert validate_sub_path(path) == expected
    assert validate_sub_path(expected) == expected


REFUSED_SUB_PATHS = {
    "absolute": ("/dags", "an absolute path"),
    "parent": ("..", "a .. in it"),
    "parent inside": ("a/../../b", "a .. in it"),
    "backslash": ("a\\b", "one of"),
    "variable": ("$HOME/dags", "one of"),
    "interpolation": ("a%(b)s", "one of"),
    "newline": ("dags\n", "a control character"),
    "NUL": ("da\0gs", "a control character"),
    "space at the end": ("dags ", "white space at the end of a name"),
    "name of spaces": ("./ /", "white space at the end of a name"),
}


@each(("path", "found"), REFUSED_SUB_PATHS.values(), ids=REFUSED_SUB_PATHS.keys())
def test_refused_sub_path_is_named_by_kind(path: str, found: str) -> None:
    with pytest.raises(ValueError, match=r"\Aexpected a folder in the repository") as caught:
        validate_sub_path(path)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="a./ \\$~", max_size=12))
def test_accepted_sub_path_stays_in_the_repository(path: str) -> None:
    try:
        normal = validate_sub_path(path)
    except ValueError:
        return
    assert not normal.startswith("/")
    assert ".." not in normal.split("/")
    assert validate_sub_path(normal) == normal
