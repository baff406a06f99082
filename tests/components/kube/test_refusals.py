"""What is refused for good, and what may pass by itself."""

from __future__ import annotations

from components.kube.refusals import git_refused, image_refused
from tests.cases import each


@each(
    ("text", "refused"),
    [
        ("fatal: couldn't find remote ref mian", True),
        ("fatal: Remote branch mian not found in upstream origin", True),
        ("fatal: ambiguous argument 'mian^{commit}': unknown revision or path not in the working tree.", True),
        ("git@github.com: Permission denied (publickey).", True),
        ('Load key "/etc/git-secret/ssh": error in libcrypto', True),
        ("Host key verification failed.", True),
        ("ERROR: Repository not found.", True),
        ("fatal: repository 'https://git.test/x.git/' not found", True),
        ("fatal: Authentication failed for 'https://git.test/x.git/'", True),
        ("The requested URL returned error: 403", True),
        ("SSL certificate problem: self-signed certificate in certificate chain", True),
        ("fatal: unable to access 'https://git.test/': Could not resolve host: git.test", False),
        ("ssh: connect to host git.test port 22: Connection refused", False),
        ("The requested URL returned error: 503", False),
        ("Cloning into '/git/x'...", False),
    ],
)
def test_git_host_refuses(text: str, refused: bool) -> None:
    assert git_refused(text) is refused
    assert git_refused(text.upper()) is refused


@each(
    ("text", "refused"),
    [
        ("docker.io/library/x:y: not found", True),
        ("manifest unknown: manifest tagged by y is not found", True),
        ("pull access denied, repository does not exist or may require authorization", True),
        ("failed to authorize: unexpected status: 403 Forbidden", True),
        ("InvalidImageName: couldn't parse image", True),
        ('Container image "x" is not present with pull policy of Never', True),
        ("dial tcp: lookup registry.test: i/o timeout", False),
        ("429 Too Many Requests: toomanyrequests", False),
        ("unexpected status: 503 Service Unavailable", False),
    ],
)
def test_registry_refuses(text: str, refused: bool) -> None:
    assert image_refused(text) is refused
