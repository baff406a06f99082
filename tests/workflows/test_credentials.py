"""Which job has which credentials, whose code it runs beside them, and who approves that."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.cases import each
from tests.workflows.test_workflows import Job, Step, each_job, every_job, jobs, triggers

ALLOWED: Final = """
job                     | credentials                    | code          | approved in
ci.test                 | none                           | pull request  | -
ci.aws                  | none                           | pull request  | -
ci.cluster              | none                           | pull request  | -
ci.image                | none                           | pull request  | -
deploy.preview          | role AWS_PREVIEW_ROLE_ARN      | main          | -
deploy.deploy           | role AWS_DEPLOY_ROLE_ARN       | main          | prod
drift.stacks            | none                           | main          | -
drift.drift             | role AWS_PREVIEW_ROLE_ARN      | main          | -
expire.expire           | role AWS_TEMPORARY_ROLE_ARN    | main          | -
fork-comment.comment    | GitHub token                   | main, scripts | -
image.build             | role AWS_IMAGE_ROLE_ARN        | main          | -
image.move              | GitHub token                   | main          | image
preview.plan            | none                           | pull request  | -
preview.preview         | role AWS_PREVIEW_ROLE_ARN      | pull request  | preview
preview.comment         | GitHub token                   | main, scripts | -
preview.comment-preview | GitHub token                   | main, scripts | -
pull-request-stack.stack | role AWS_TEMPORARY_ROLE_ARN   | platform main | -
"""
"""Every job. A change of this table is a change of who can read or change production: review it as one.

credentials: a role of AWS, or a token that may write to this repository. code: whose the job checks out; "main,
scripts" is `.github/scripts` of the base branch alone, and "platform main" is the commit of this repository from which
another one calls the workflow: the role trusts main. approved in: the environment; the reviewers of `preview` and
`prod` approve each run, and `image` only keeps a secret for main.
"""
PULL_REQUEST: Final = "pull request"
PLATFORM: Final = ("${{ job.workflow_repository || 'unknown' }}", "${{ job.workflow_sha }}")
INSTALLS: Final = re.compile(r"make |\.ci/run|install_\w+\.py")
"""Commands that download and run something of others."""
CREDENTIAL: Final = re.compile(r"aws-actions/configure-aws-credentials|secrets\.(?!PLATFORM_DEPLOY_KEY)|github\.token")
"""The deploy key reads this repository, and does not stay in the checkout."""


def _credentials(job: Job) -> str:
    roles = [f"role {name}" for name in re.findall(r"role-to-assume': '\$\{\{ vars\.(\w+) \}\}", str(job))]
    token = ["GitHub token"] if re.search(r"secrets\.(?!PLATFORM_DEPLOY_KEY)|github\.token", str(job)) else []
    return ", ".join(roles + token) or "none"


def _code(name: str, job: Job) -> str:
    found = triggers(name.partition(".")[0])
    (checkout,) = [step for step in job["steps"] if str(step.get("uses")).startswith("actions/checkout@")]
    ref = checkout["with"].get("ref")
    if "workflow_call" in found:
        assert (checkout["with"]["repository"], ref) == PLATFORM
        return "platform main"
    assert "ssh-key" not in checkout["with"]
    assert ref in (None, "${{ github.event.pull_request.base.sha }}")
    if ref is None and "pull_request" in found:
        return PULL_REQUEST
    assert "repository" not in checkout["with"]
    return "main, scripts" if checkout["with"].get("sparse-checkout") == ".github/scripts" else "main"


def _rows() -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in ALLOWED.strip().splitlines()[1:]]
    return {name: rest for name, *rest in lines}


def _number(job: Job, pattern: re.Pattern[str]) -> list[int]:
    return [number for number, step in enumerate(job["steps"]) if pattern.search(str(step))]


def _found() -> dict[str, list[str]]:
    """Return what the workflows say, in the form of the table."""
    return {name: [_credentials(job), _code(name, job), str(job.get("environment", "-"))] for name, job in every_job()}


def test_every_job_has_the_credentials_the_code_and_the_approval_of_the_table() -> None:
    assert _found() == _rows()


def test_no_code_of_a_pull_request_meets_a_credential_without_an_approval() -> None:
    for name, (credentials, code, environment) in _found().items():
        assert code != PULL_REQUEST or credentials == "none" or environment == "preview", name


def test_an_environment_without_reviewers_has_no_role() -> None:
    """`image` has none; it may keep a token, but never a role."""
    for name, (credentials, _, environment) in _found().items():
        assert environment != "image" or "role" not in credentials, name


@each(
    "clause",
    [
        "github.event.pull_request.head.repo.full_name == github.repository",
        "github.event.pull_request.user.type != 'Bot'",
        "github.event.sender.type != 'Bot'",
        "!startsWith(github.head_ref, 'renovate/')",
    ],
)
def test_preview_is_never_made_for_a_bot_or_a_fork(clause: str) -> None:
    condition = str(jobs("preview")["preview"]["if"])
    assert "||" not in condition
    assert clause in [part.strip() for part in condition.split("&&")]


@each_job
def test_everything_is_installed_before_there_are_credentials(name: str, job: Job) -> None:
    credentials = _number(job, CREDENTIAL)
    installs = _number(job, INSTALLS)
    assert not credentials or not installs or max(installs) < min(credentials), job["steps"]


@each_job
def test_job_with_a_credential_takes_no_plugin_that_is_not_verified(name: str, job: Job) -> None:
    assert _credentials(job) == "none" or not _number(job, re.compile("--unverified"))


@each_job
def test_helm_that_renders_beside_a_credential_is_the_pinned_one(name: str, job: Job) -> None:
    renders = _number(job, re.compile(r"engine_preview\.py|automation report"))
    assert not renders or any(number < min(renders) for number in _number(job, re.compile(r"install_tools\.py helm")))


@each_job
def test_step_that_gets_a_role_comes_after_the_last_action_that_sets_up_tools(name: str, job: Job) -> None:
    setups = _number(job, re.compile(r"actions/(setup-python|checkout|download-artifact)@"))
    roles = _number(job, re.compile(r"aws-actions/"))
    assert not roles or max(setups) < min(roles)


@each_job
def test_job_that_runs_the_engine_with_a_role_has_its_engine_before(name: str, job: Job) -> None:
    runs = _number(job, re.compile(r"engine_preview\.py|automation (up|preview|spawn|verify)"))
    roles = _number(job, re.compile(r"aws-actions/"))
    if not runs or not roles:
        return
    (install,) = _number(job, re.compile(r'install_engine\.py "\$(STACK|LIKE)"'))
    assert install < roles[0] < min(runs)


def test_roles_are_assumed_on_main_or_after_an_approval() -> None:
    """GitHub's token names the environment, or else the branch. docs/pull-requests.md lets the roles trust these."""
    for name, (credentials, _, environment) in _found().items():
        if not credentials.startswith("role") or environment != "-":
            continue
        workflow, _, job = name.partition(".")
        found: dict[str, Any] = triggers(workflow)
        if "push" in found:
            assert found.keys() == {"push"}
            assert found["push"]["branches"] == ["main"]
        elif found.keys() == {"workflow_call"}:
            assert _code(name, jobs(workflow)[job]) == "platform main"  # the token names this file on main
        elif found.keys() != {"schedule"}:  # a schedule is of the default branch
            assert found.keys() == {"schedule", "workflow_dispatch"}
            (needed,) = [jobs(workflow)[job]["needs"]]
            assert "github.ref == 'refs/heads/main'" in jobs(workflow)[needed]["if"]


@each_job
def test_a_secret_is_in_the_environment_of_one_step_and_not_of_the_job(name: str, job: Job) -> None:
    assert not CREDENTIAL.search(str(job.get("env", "")))
    holders: list[Step] = [step for step in job["steps"] if CREDENTIAL.search(str(step.get("env", "")))]
    assert len(holders) <= 1
