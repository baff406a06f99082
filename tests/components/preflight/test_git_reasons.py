"""What git, ssh and Git hosts write, and the config key that each failure is about."""

from __future__ import annotations

from typing import Final

from components.preflight.finding import Verdict
from components.preflight.git_reasons import folder_finding, git_finding
from tests.cases import each

ABOUT: Final = {
    "stack": "prod",
    "url": "ssh://git@git.test/dags.git",
    "host": "git.test",
    "port": "22",
    "ref": "mian",
    "folder": "airflow/dagz",
}
GIT_SYNC: Final = (
    '{"logger":"","ts":"2026-11-29 16:22:22","caller":{"file":"main.go","line":1249},"level":0,'
    '"msg":"initializing repo directory","path":"/git"}\n'
    '{"logger":"","ts":"2026-11-29 16:22:23","caller":{"file":"main.go","line":924},'
    '"msg":"too many failures, aborting",'
    '"error":"Run(git fetch URL mian --verbose --no-progress --prune --no-auto-gc --depth 1): exit status 128: '
    '{ stdout: \\"\\", stderr: \\"%s\\" }","failCount":1}'
)
"""git-sync 4.4.2, as it was seen."""
AFTERMATH: Final = (
    "\\nfatal: Could not read from remote repository.\\n\\nPlease make sure you have the correct access rights\\n"
    "and the repository exists."
)


@each(
    "said, key, outage",
    [
        ("fatal: couldn't find remote ref mian", "dagsRef", False),
        ("error: Server does not allow request; upload-pack: not our ref 0123", "dagsRef", False),
        ("git@git.test: Permission denied (publickey).\\r" + AFTERMATH, "gitSshPrivateKey", False),
        ('Load key \\"/etc/git-secret/ssh\\": error in libcrypto' + AFTERMATH, "gitSshPrivateKey", False),
        ("Host key verification failed.\\r" + AFTERMATH, "gitKnownHosts", False),
        ("No ED25519 host key is known for git.test and you have requested strict checking.", "gitKnownHosts", False),
        ("ssh: Could not resolve hostname git.test: Name or service not known\\r" + AFTERMATH, "dagsRepository", True),
        ("fatal: unable to access 'URL/': Could not resolve host: git.test", "dagsRepository", True),
        ("Connection timed out during banner exchange\\r" + AFTERMATH, "dagsRepository", True),
        ("fatal: unable to access 'URL/': Failed to connect to git.test port 443 after 0 ms: Couldn't connect to "
         "server", "dagsRepository", True),
        ("ssh: connect to host git.test port 22: Connection refused\\r" + AFTERMATH, "dagsRepository", True),
        ("fatal: unable to access 'URL/': The requested URL returned error: 503", "dagsRepository", True),
        ("fatal: unable to access 'URL/': The requested URL returned error: 403", "dagsToken", False),
        ("fatal: could not read Username for 'https://git.test': terminal prompts disabled", "dagsToken", False),
        ("remote: HTTP Basic: Access denied\\nfatal: Authentication failed for 'URL/'", "dagsToken", False),
        ("ERROR: Repository not found." + AFTERMATH, "dagsRepository", False),
        ("remote: Repository not found.\\nfatal: repository 'URL/' not found", "dagsRepository", False),
        ("fatal: '/dags.git' does not appear to be a git repository" + AFTERMATH, "dagsRepository", False),
        ("remote: The project you were looking for could not be found.", "dagsRepository", False),
        ("fatal: unable to access 'URL/': SSL certificate problem: unable to get local issuer certificate",
         "dagsRepository", False),
        ("fatal: something that nobody has seen", "dagsRepository", False),
    ],
)  # fmt: skip
def test_usual_failures_name_their_key(said: str, key: str, outage: bool) -> None:
    for text in (GIT_SYNC % said, said.replace("\\n", "\n").replace("\\r", "\r")):
        found = git_finding(text, ABOUT)
        assert found.verdict is Verdict.FAILED
        assert found.what.startswith(f"airflow:{key}: expected ")
        assert found.outage is outage
        assert found.fix
        assert not {"{", "}", "\n"} & set(f"{found}")


def test_the_line_that_says_it_is_quoted_without_what_is_around_it() -> None:
    found = git_finding(GIT_SYNC % ("ssh: connect to host git.test port 22: Connection refused\\r" + AFTERMATH), ABOUT)
    assert "found: ssh: connect to host git.test port 22: Connection refused. Fix: " in str(found)
    unknown = git_finding(GIT_SYNC % "fatal: unheard of", ABOUT)
    assert unknown.what.endswith("found: fatal: unheard of")


def test_image_without_the_provider_of_git_is_recognised() -> None:
    found = git_finding("ModuleNotFoundError: No module named 'airflow.providers.git'", ABOUT)
    assert found.what.startswith("airflow:imageTag: ")


def test_login_of_another_s_secret_is_named_with_its_key() -> None:
    about = {**ABOUT, "login_key": "airflow:dagsTokenSecret", "login_name": "team-git"}
    found = git_finding(GIT_SYNC % "fatal: Authentication failed for 'https://git.test/'", about)
    assert found.what.startswith("airflow:dagsTokenSecret: expected a login that ")
    assert "found that it refuses that of Secret team-git" in found.what
    assert "Secret team-git" in found.fix
    for said in (
        'GitHub app installation endpoint returned status 401, body: "Bad credentials"',
        'FATAL: invalid int env GITSYNC_GITHUB_APP_APPLICATION_ID="x"',
        "invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key",
    ):
        assert git_finding(said, about).what.startswith("airflow:dagsGithubAppSecret: expected "), said


def test_submodule_that_the_login_may_not_read_is_not_taken_for_the_repository() -> None:
    said = (
        "git@github.com: Permission denied (publickey).\\nfatal: clone of 'git@github.com:example/lib.git' into "
        "submodule path '/git/.worktrees/0/lib' failed"
    )
    found = git_finding(GIT_SYNC % said, ABOUT)
    assert found.what.startswith("airflow:dagsSubmodules: expected that the login of ")
    assert "example/lib.git" in found.what
    assert "airflow:dagsSubmodules off" in found.fix


def test_bundle_is_named_with_its_own_keys() -> None:
    bundle = {**ABOUT, "bundle": "team-a", "index": "1"}
    for said, key, fix in (
        ("fatal: couldn't find remote ref main", "dagBundles[1].ref", "--path 'airflow:dagBundles[1].ref' BRANCH"),
        ("Host key verification failed.", "dagBundles[1].knownHosts", "--path 'airflow:dagBundles[1].knownHosts' <"),
        ("git@h: Permission denied (publickey).", "dagBundles[1].keySecret", "put another key into the Secret"),
        ("fatal: could not read Username", "dagBundles[1].tokenSecret", "--path 'airflow:dagBundles[1].tokenSecret'"),
        ("fatal: repository not found", "dagBundles[1].repository", "--path 'airflow:dagBundles[1].repository' URL"),
        ("No module named 'airflow.providers.git'", "imageTag", "add them to the image"),
    ):
        found = git_finding(said, bundle)
        assert found.what.startswith(f"airflow:{key}: "), found.what
        assert fix in found.fix, found.fix
        assert not [old for old in ("airflow:dagsR", "airflow:git", "git-sync") if old in found.fix], found.fix
        assert found.check == "DAG repository of team-a"
    folder = folder_finding(bundle, [])
    assert folder.what.startswith("airflow:dagBundles[1].subPath: ")
    refused = git_finding("fatal: Authentication failed", {**bundle, "login_name": "b-token"})
    assert refused.what.startswith("airflow:dagBundles[1].tokenSecret: expected a login that ")


def test_missing_folder_names_those_that_are_there() -> None:
    found = folder_finding(ABOUT, ["airflow/dags", "airflow/plugins"])
    assert "no folder airflow/dagz; there are: airflow/dags, airflow/plugins" in found.what
    assert found.fix == "pulumi config set --stack prod airflow:dagsSubPath FOLDER"
