"""Where DAGs come from, and what a private repository needs."""

from __future__ import annotations

from components.dags.delivery import Dags, DagsDelivery, GitCredentials, Submodules
from components.dags.git_login import GitLogin, GitLoginKind
from components.dags.git_repository import (
    NO_REPOSITORY,
    GitRepository,
    parse_git_repository,
    validate_git_ref,
    validate_sub_path,
)
from components.dags.known_hosts import pinned_known_hosts
from components.dags.ssh_private_key import normalise_private_key
from components.texts import fields
from settings.foreign_secrets import foreign_secret
from settings.keys import Section
from settings.reading import Config
from settings.sections.dag_bundles import DAG_BUNDLES, read_bundles

SECTION = Section("DAGs")


def _submodules(text: str) -> Submodules:
    if text not in list(Submodules):
        fields.refuse(f"expected one of {', '.join(Submodules)}, found {fields.shown(text)}")
    return Submodules(text)


DAGS_REPOSITORY = SECTION.parsed(
    "dagsRepository",
    parse_git_repository,
    default="https://github.com/apache/airflow.git",
    description="Git repository of DAGs, as https://HOST/PATH, ssh://git@HOST[:PORT]/PATH or git@HOST:PATH.",
)
DAGS_REF = SECTION.text("dagsRef", validate_git_ref, default="main", description="Branch, tag or commit to deliver.")
DAGS_SUB_PATH = SECTION.optional(
    "dagsSubPath", validate_sub_path, description="Folder of the DAGs in the repository. Empty is its root."
)
DAGS_DELIVERY = SECTION.choice(
    "dagsDelivery",
    DagsDelivery,
    default=DagsDelivery.GIT_SYNC,
    description="git-sync (one working tree in every pod), git-bundle (GitDagBundle; a run stays on its commit), or "
    "image (the DAGs are in the Airflow image, and nothing fetches any).",
)
DAGS_SYNC_PERIOD_SECONDS = SECTION.integer(
    "dagsSyncPeriodSeconds",
    1,
    86_400,
    default=30,
    description="Seconds between two fetches, {least} to {most}.",
)
DAGS_DEPTH = SECTION.integer(
    "dagsDepth",
    0,
    1_000_000,
    default=1,
    description="Commits of history that git-sync fetches; 0 fetches all.",
)
DAGS_SUBMODULES = SECTION.optional(
    "dagsSubmodules",
    _submodules,
    description="Submodules of the repository that are fetched: recursive (all), shallow (not those in them; git-sync "
    "only) or off. Empty is recursive with git-sync, and off with git-bundle.",
)
DAGS_USERNAME = SECTION.optional(
    "dagsUsername",
    fields.one_line,
    description="User name for a private HTTPS repository, as the Git host wants it beside a token.",
)
DAGS_TOKEN = SECTION.secret("dagsToken", fields.secret_line, description="Token for a private HTTPS repository.")
DAGS_TOKEN_SECRET = SECTION.optional(
    "dagsTokenSecret",
    foreign_secret,
    description="Name of a Secret that something else puts into the namespace, with the keys username and password, "
    "for a private HTTPS repository. In place of dagsUsername and dagsToken.",
)
DAGS_GITHUB_APP_SECRET = SECTION.optional(
    "dagsGithubAppSecret",
    foreign_secret,
    description="Name of a Secret that something else puts into the namespace, with the keys githubAppID, "
    "githubAppInstallationID and githubAppPrivateKey, for an HTTPS repository at GitHub. Needs git-sync.",
)
GIT_SSH_PRIVATE_KEY = SECTION.secret(
    "gitSshPrivateKey",
    normalise_private_key,
    file="KEY_FILE",
    description="Private half of the deploy key of an SSH repository, without passphrase.",
)
GIT_KNOWN_HOSTS = SECTION.optional(
    "gitKnownHosts",
    str,  # checked together with the repository
    file="KNOWN_HOSTS_FILE",
    description="Host keys of an SSH repository, in known_hosts format. Empty takes the published ones of github.com, "
    "gitlab.com and bitbucket.org.",
)


def read_dags(config: Config) -> tuple[Dags, GitCredentials]:
    """Return where DAGs come from, and the credentials for it."""
    repository, bundles = config[DAGS_REPOSITORY], read_bundles(config)
    in_image, several = config[DAGS_DELIVERY] is DagsDelivery.IMAGE, config.given(DAG_BUNDLES)
    dags = Dags(
        repository=NO_REPOSITORY if repository is None or in_image or several else repository,
        ref=config[DAGS_REF],
        sub_path=config[DAGS_SUB_PATH] or "",
        delivery=config[DAGS_DELIVERY],
        sync_period_seconds=config[DAGS_SYNC_PERIOD_SECONDS],
        depth=config[DAGS_DEPTH],
        submodules=config[DAGS_SUBMODULES],
        bundles=bundles,
    )
    credentials = GitCredentials(
        ssh_private_key=config[GIT_SSH_PRIVATE_KEY],
        known_hosts=config[GIT_KNOWN_HOSTS],
        username=config[DAGS_USERNAME],
        token=config[DAGS_TOKEN],
        login=_login(config),
    )
    if config[DAGS_SUBMODULES] is Submodules.SHALLOW and config[DAGS_DELIVERY] is DagsDelivery.GIT_BUNDLE:
        config.problem(
            DAGS_SUBMODULES,
            f"expected recursive or off with {DAGS_DELIVERY.full} git-bundle, which has no other, found shallow",
            f"pulumi config set {DAGS_SUBMODULES.full} recursive",
        )
    if several:
        if not config.bad(DAG_BUNDLES):
            _check_beside_bundles(config)
    elif in_image:
        _check_nothing_is_fetched(config)
    elif repository is not None and repository.scheme == "ssh":
        _check_ssh_access(config, repository)
    elif repository is not None:
        _check_https_access(config)
    return dags, credentials


def _login(config: Config) -> GitLogin | None:
    for key, kind in ((DAGS_TOKEN_SECRET, GitLoginKind.TOKEN), (DAGS_GITHUB_APP_SECRET, GitLoginKind.GITHUB_APP)):
        secret = config[key]
        if secret is not None:
            return GitLogin(secret=secret, kind=kind)
    return None


def _check_beside_bundles(config: Config) -> None:
    if config[DAGS_DELIVERY] is not DagsDelivery.GIT_BUNDLE:
        config.problem(
            DAGS_DELIVERY,
            f"expected git-bundle with {DAG_BUNDLES.full}, found {config[DAGS_DELIVERY]}: git-sync and the image "
            "have DAGs from one place only",
            f"pulumi config set {DAGS_DELIVERY.full} git-bundle",
        )
    for key in SECTION.keys:
        if key not in (DAGS_DELIVERY, DAGS_SYNC_PERIOD_SECONDS) and config.given(key):
            config.must_not_be_set(key, f"beside {DAG_BUNDLES.full}, where each repository has its own")


def _check_nothing_is_fetched(config: Config) -> None:
    """Note each key that says what to fetch: the DAGs are in the image."""
    for key in SECTION.keys:
        if key is not DAGS_DELIVERY and config.given(key):
            config.must_not_be_set(key, f"with {DAGS_DELIVERY.full} image, which fetches nothing")


def _check_ssh_access(config: Config, repository: GitRepository) -> None:
    if config[GIT_SSH_PRIVATE_KEY] is None:
        config.problem(
            GIT_SSH_PRIVATE_KEY,
            f"expected a private key, because {DAGS_REPOSITORY.full} is an SSH repository, found none",
        )
    try:
        pinned_known_hosts(config[GIT_KNOWN_HOSTS], repository)
    except ValueError as error:
        config.problem(GIT_KNOWN_HOSTS, str(error))
    login = (DAGS_USERNAME, DAGS_TOKEN, DAGS_TOKEN_SECRET, DAGS_GITHUB_APP_SECRET)
    config.refuse_set(login, "with an SSH repository")


def _check_https_access(config: Config) -> None:
    unused = GIT_SSH_PRIVATE_KEY if config[GIT_SSH_PRIVATE_KEY] is not None else GIT_KNOWN_HOSTS
    if config[unused] is not None:
        config.must_not_be_set(
            unused, "with an HTTPS repository", instead=f"give {DAGS_REPOSITORY.full} as ssh://git@HOST/PATH"
        )
    username, token = config[DAGS_USERNAME], config[DAGS_TOKEN]
    secrets = [key for key in (DAGS_TOKEN_SECRET, DAGS_GITHUB_APP_SECRET) if config[key] is not None]
    if secrets:
        others = (DAGS_USERNAME, DAGS_TOKEN, *secrets[1:])
        config.refuse_set(others, f"beside {secrets[0].full}, which has the login")
        if secrets[0] is DAGS_GITHUB_APP_SECRET and config[DAGS_DELIVERY] is DagsDelivery.GIT_BUNDLE:
            config.must_not_be_set(
                DAGS_GITHUB_APP_SECRET,
                f"with {DAGS_DELIVERY.full} git-bundle, which would give the App's key to every DAG",
                instead=f"give {DAGS_TOKEN_SECRET.full}, or pulumi config set {DAGS_DELIVERY.full} git-sync",
            )
        return
    if (username is None) != (token is None):
        missing, given = (DAGS_USERNAME, DAGS_TOKEN) if username is None else (DAGS_TOKEN, DAGS_USERNAME)
        config.problem(missing, f"expected a value beside {given.full}, found none")
