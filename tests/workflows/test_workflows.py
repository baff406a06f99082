"""What every workflow keeps to: no right without a need, no code from elsewhere, no credential for strangers."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from components.kube.safe_yaml import load_yaml
from tests.cases import each
from tests.samples import ROOT
from tests.workflows.conftest import SCRIPTS, load

FILES: Final = sorted((ROOT / ".github" / "workflows").glob("*"))
SAME_REPOSITORY: Final = "github.event.pull_request.head.repo.full_name == github.repository"
ENGINE: Final = r"engine_preview\.py|automation (up|preview|spawn)"
"""What lets the engine preview or update a stack."""
each_file = each("path", FILES, ids=lambda path: path.stem)

Job = dict[str, Any]
Step = dict[str, Any]


def workflow(name: str) -> dict[str, Any]:
    content: dict[str, Any] = load_yaml((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())
    return content


def triggers(name: str) -> dict[str, Any]:
    """YAML 1.1 reads the key `on` as true."""
    found: dict[str, Any] = workflow(name)[True]  # type: ignore[index]
    return found


def jobs(name: str) -> dict[str, Job]:
    found: dict[str, Job] = workflow(name)["jobs"]
    return found


def every_job() -> Iterator[tuple[str, Job]]:
    for path in FILES:
        for name, job in jobs(path.stem).items():
            yield f"{path.stem}.{name}", job


def steps(job: Job, *, using: str) -> list[Step]:
    """Steps that use an action."""
    return [step for step in job["steps"] if str(step.get("uses", "")).startswith(f"{using}@")]


def commands(job: Job) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def every_command() -> list[tuple[str, str]]:
    return [(name, command) for name, job in every_job() for command in commands(job)]


each_job = each(("name", "job"), list(every_job()), ids=[name for name, _ in every_job()])
each_command = each(("name", "command"), every_command())


def test_the_workflows_are_these() -> None:
    assert {path.name for path in FILES} == {
        f"{name}.yml"
        for name in ("ci", "deploy", "drift", "expire", "fork-comment", "image", "preview", "pull-request-stack")
    }


# Rights


@each_file
def test_no_right_is_given_to_all_jobs(path: Path) -> None:
    assert workflow(path.stem)["permissions"] == {}


@each_job
def test_every_job_names_its_rights_and_an_end(name: str, job: Job) -> None:
    assert "contents" in job["permissions"]
    assert 0 < job["timeout-minutes"] <= 120
    assert job["runs-on"] == "ubuntu-24.04"


def test_these_jobs_may_write_and_no_others() -> None:
    """Each with the one thing that it needs."""
    writing = {
        name: {right for right, level in job["permissions"].items() if level == "write"} for name, job in every_job()
    }
    assert {name: rights for name, rights in writing.items() if rights} == {
        "deploy.deploy": {"id-token"},
        "deploy.preview": {"id-token"},
        "drift.drift": {"id-token"},
        "expire.expire": {"id-token"},
        "fork-comment.comment": {"pull-requests"},
        "image.build": {"attestations", "id-token"},
        "image.move": {"contents", "pull-requests"},
        "preview.comment": {"pull-requests"},
        "preview.comment-preview": {"pull-requests"},
        "preview.preview": {"id-token"},
        "pull-request-stack.stack": {"id-token"},
    }


@each_job
def test_only_a_job_that_asks_aws_may_ask_for_a_token_of_it(name: str, job: Job) -> None:
    asks = bool(steps(job, using="aws-actions/configure-aws-credentials"))
    assert asks == (job["permissions"].get("id-token") == "write")


@each_job
def test_credentials_of_git_stay_out_of_the_checkout(name: str, job: Job) -> None:
    for step in steps(job, using="actions/checkout"):
        assert step["with"]["persist-credentials"] is False


@each_file
def test_secrets_are_named_where_they_are_used(path: Path) -> None:
    """`secrets: inherit`, or all of them as JSON, would hand on more than a step needs."""
    text = path.read_text()
    assert "inherit" not in text
    assert set(re.findall(r"secrets\.(\w+)|toJSON\((?:secrets|github)", text)) <= {
        "PULL_REQUEST_TOKEN",
        "PLATFORM_DEPLOY_KEY",
    }


# Pull requests


def test_no_workflow_runs_a_fork_s_code_with_rights() -> None:
    for path in FILES:
        found = triggers(path.stem)
        assert "pull_request_target" not in found
        assert "issue_comment" not in found
    assert [path.stem for path in FILES if "workflow_run" in triggers(path.stem)] == ["fork-comment"]


@pytest.mark.parametrize(
    "name", [path.stem for path in FILES if {"pull_request", "workflow_call"} & triggers(path.stem).keys()]
)
def test_a_fork_s_pull_request_reaches_no_job_with_a_right_to_write(name: str) -> None:
    for job in jobs(name).values():
        if "write" in job["permissions"].values():
            condition = str(job["if"])
            assert SAME_REPOSITORY in condition
            assert "||" not in condition


def test_plan_of_every_pull_request_has_no_credential() -> None:
    job = jobs("preview")["plan"]
    assert job["permissions"] == {"contents": "read"}
    assert "if" not in job
    assert not re.search(r"secrets\.|vars\.|github\.token", yaml.safe_dump(job))


@pytest.mark.parametrize("name", ["comment", "comment-preview"])
def test_job_that_writes_the_comment_has_no_code_of_the_pull_request(name: str) -> None:
    job = jobs("preview")[name]
    (checkout,) = steps(job, using="actions/checkout")
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert checkout["with"]["sparse-checkout"] == ".github/scripts"
    assert commands(job) == ["python3 .github/scripts/comment.py report"]
    (download,) = steps(job, using="actions/download-artifact")
    assert download["with"]["path"] == "report"


def test_plan_is_posted_before_anyone_has_to_approve_the_preview() -> None:
    """A reviewer reads it to decide."""
    assert jobs("preview")["comment"]["needs"] == "plan"
    assert jobs("preview")["comment-preview"]["needs"] == ["comment", "preview"]


def test_job_that_runs_the_pull_request_s_code_may_not_write_to_github() -> None:
    job = jobs("preview")["preview"]
    assert set(job["permissions"]) == {"contents", "id-token"}
    assert (
        "AWS_PREVIEW_ROLE_ARN" in steps(job, using="aws-actions/configure-aws-credentials")[0]["with"]["role-to-assume"]
    )


def test_fork_s_comment_is_posted_by_the_default_branch_s_code() -> None:
    job = jobs("fork-comment")["comment"]
    assert triggers("fork-comment")["workflow_run"]["workflows"] == [workflow("preview")["name"]]
    (checkout,) = steps(job, using="actions/checkout")
    assert "ref" not in checkout["with"]
    assert "repository" not in checkout["with"]
    assert steps(job, using="actions/download-artifact") == [], "the script reads it, with a limit, and unpacks nothing"
    assert commands(job) == ["python3 .github/scripts/fork_comment.py"]


def test_artifact_is_the_one_that_the_scripts_look_for() -> None:
    script = load("fork_comment")
    (upload,) = steps(jobs("preview")["plan"], using="actions/upload-artifact")
    assert upload["with"]["name"] == script.ARTIFACT
    assert script.MEMBER in upload["with"]["path"].split()


# Code


@each_file
def test_actions_are_pinned_by_commit_with_their_version(path: Path) -> None:
    for line in path.read_text().splitlines():
        if "uses:" in line:
            assert re.search(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_an_action_is_of_one_version_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in FILES:
        for action, pin in re.findall(r"uses: ([\w./-]+)@(.+)", path.read_text()):
            pins.setdefault(action, set()).add(pin)
    assert {action for action, found in pins.items() if len(found) > 1} == set()
    assert set(pins) == {
        "actions/attest-build-provenance",
        "actions/attest-sbom",
        "actions/checkout",
        "actions/download-artifact",
        "actions/setup-python",
        "actions/upload-artifact",
        "aws-actions/configure-aws-credentials",
    }


@each_job
def test_job_that_could_ask_for_a_role_uses_no_action_of_third_parties(name: str, job: Job) -> None:
    """Each step of such a job can. An action that downloads a program would run it unverified."""
    actions = [str(step["uses"]) for step in job["steps"] if "uses" in step]
    assert "id-token" not in job["permissions"] or all(re.match(r"(aws-)?actions/", action) for action in actions)


@each_command
def test_a_step_is_one_command_and_no_text_of_others_is_in_it(name: str, command: str) -> None:
    assert "${{" not in command, "give it through env"
    assert "\n" not in command.strip()
    assert not re.search(r"[;&|`<>]|\$\(", command)


@each_command
def test_every_command_is_in_the_repository(name: str, command: str) -> None:
    known = (
        r"make (?P<target>[\w./]+)( IMAGE=\S+)?",
        r"bash (?P<file>\.ci/run)",
        r"(python3|\.venv/bin/python) (?P<script>\.github/scripts/\w+\.py)( .*)?",
        r"\.venv/bin/python -m (image\.lock --check|automation .*)",
        r"syft scan .*",  # of install_tools.py
    )
    match = next((found for pattern in known if (found := re.fullmatch(pattern, command.strip()))), None)
    assert match, command
    groups = match.groupdict()
    for key in ("file", "script"):
        assert (ROOT / groups.get(key, "") if groups.get(key) else ROOT).exists()
    if groups.get("target"):
        targets = re.findall(r"^([\w./ ]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert groups["target"] in {word for target in targets for word in target.split()}


@each("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_every_script_is_used_and_tested(script: Path) -> None:
    texts = [path.read_text() for path in (*FILES, *SCRIPTS.glob("*.py")) if path != script]
    assert [text for text in texts if f"{script.name}" in text or f"from {script.stem} import" in text]
    tests = [path.read_text() for path in (ROOT / "tests" / "workflows").glob("*.py")]
    assert [text for text in tests if f'load("{script.stem}")' in text]


def options_of(verb: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """What the command line's own help says."""
    from automation.__main__ import main as command_line

    with pytest.raises(SystemExit) as exit_:
        command_line([verb, "--help"])
    assert exit_.value.code == 0
    return set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


@each(("name", "command"), [(name, command) for name, command in every_command() if "-m automation" in command])
def test_verbs_and_options_of_the_command_line_exist(
    name: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, words = command.partition("-m automation ")
    assert set(re.findall(r"--[a-z-]+", words)) <= options_of(words.split()[0], capsys)


def test_options_that_the_preview_s_script_uses_exist(capsys: pytest.CaptureFixture[str]) -> None:
    used = set(re.findall(r'"(--[a-z-]+)"', (SCRIPTS / "engine_preview.py").read_text())) - {"--plan"}
    assert used == {"--detailed-exitcode", "--report", "--save-plan"}
    assert used <= options_of("preview", capsys)


# One at a time


@each_file
def test_no_two_runs_of_one_thing_are_at_work_at_once(path: Path) -> None:
    assert workflow(path.stem)["concurrency"]["group"].startswith(path.stem)


@each_job
def test_jobs_over_stacks_have_a_group_for_each_stack(name: str, job: Job) -> None:
    if "stack" in job.get("strategy", {}).get("matrix", {}):
        assert "${{ matrix.stack }}" in job["concurrency"]["group"]
        assert job["strategy"]["fail-fast"] is False
        assert "fromJSON(needs." in job["strategy"]["matrix"]["stack"]


@each("name", ["deploy", "image", "drift", "expire", "pull-request-stack"])
def test_what_has_begun_to_change_something_is_not_cancelled(name: str) -> None:
    assert workflow(name)["concurrency"]["cancel-in-progress"] is False


# Each workflow


def test_ci_runs_the_tests_with_the_cluster_and_the_engine() -> None:
    assert "bash .ci/run" in commands(jobs("ci")["test"])
    cluster = commands(jobs("ci")["cluster"])
    made = [command for command in cluster if command.startswith("make")]
    assert made == ["make dev", "make policy", "make test"], "without what the pack runs in, its tests skip"
    assert cluster[0].endswith("install_tools.py kind helm")


def test_ci_tests_the_oldest_python_that_the_program_promises() -> None:
    promised = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert promised
    assert promised[1] in jobs("ci")["test"]["strategy"]["matrix"]["python"]


@each(("name", "job"), [(name, job) for name, job in every_job() if re.search(ENGINE, str(job))])
def test_the_policy_pack_judges_every_preview_and_update(name: str, job: Job) -> None:
    """`update` runs it where its environment is, which is made before there are credentials."""
    order = [str(step.get("run") or step["uses"]) for step in job["steps"]]
    made = order.index("make policy")
    (credentials,) = [number for number, text in enumerate(order) if "configure-aws-credentials" in text]
    runs = [number for number, text in enumerate(order) if re.search(ENGINE, text)]
    assert runs
    assert made < credentials < min(runs)


def test_jobs_with_a_preview_or_an_update_are_these() -> None:
    found = {name for name, job in every_job() if "make policy" in commands(job)}
    others = {"ci.cluster", "drift.drift", "preview.preview", "pull-request-stack.stack"}
    assert found == {"deploy.deploy", "deploy.preview", *others}


def test_environment_of_the_policy_pack_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """What a failed installation leaves would be taken for it, by make and by previews."""
    for name in ("requirements.txt", "policy/requirements.txt", ".venv/run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    python = tmp_path / "python"
    fails = 'printf "#!/bin/sh\\nexit 1\\n" > "$3/bin/python"'
    python.write_text(f'#!/bin/sh\nmkdir -p "$3/bin"\n{fails}\nchmod +x "$3/bin/python"\n')
    python.chmod(0o755)
    command = ["make", "-f", str(ROOT / "Makefile"), "policy", f"PYTHON={python}"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0
    assert not (tmp_path / ".venv" / "policy").exists()


def test_prod_is_deployed_after_an_approval_and_by_the_plan_that_was_shown() -> None:
    found = jobs("deploy")
    assert triggers("deploy") == {
        "push": {"branches": ["main"], "paths-ignore": triggers("deploy")["push"]["paths-ignore"]}
    }
    assert workflow("deploy")["env"]["STACK"] == "prod"
    assert found["deploy"]["environment"] == "prod"
    assert found["deploy"]["needs"] == "preview"
    assert found["preview"]["outputs"] == {"changes": "${{ steps.plan.outputs.changes }}"}
    assert "environment" not in found["preview"]
    (upload,) = steps(found["preview"], using="actions/upload-artifact")
    (download,) = steps(found["deploy"], using="actions/download-artifact")
    assert upload["with"]["name"] == download["with"]["name"]
    assert upload["with"]["path"].rstrip("/") == download["with"]["path"] == "preview"
    assert '.venv/bin/python -m automation up "$STACK" --plan "$GITHUB_WORKSPACE/preview/$STACK.plan"' in commands(
        found["deploy"]
    )
    assert any(command.endswith('engine_preview.py "$STACK" preview --plan') for command in commands(found["preview"]))
    roles = [
        steps(found[job], using="aws-actions/configure-aws-credentials")[0]["with"]["role-to-assume"]
        for job in ("preview", "deploy")
    ]
    assert roles == ["${{ vars.AWS_PREVIEW_ROLE_ARN }}", "${{ vars.AWS_DEPLOY_ROLE_ARN }}"]


def test_no_change_of_what_a_stack_is_made_of_goes_by_without_a_deployment() -> None:
    ignored = triggers("deploy")["push"]["paths-ignore"]
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    program = [
        file
        for file in files
        if not file.endswith(".md")
        and (
            file.startswith(("components/", "settings/", "chart/", "automation/", "certificates/"))
            or ("/" not in file and file.endswith((".py", ".yaml", "requirements.txt")))
        )
    ]
    assert len(program) > 50
    assert [file for file in program if any(fnmatch.fnmatch(file, pattern) for pattern in ignored)] == []


def test_drift_is_looked_for_every_night_and_expects_none() -> None:
    assert [entry["cron"].split()[2:] for entry in triggers("drift")["schedule"]] == [["*", "*", "*"]]
    (step,) = [step for step in jobs("drift")["drift"]["steps"] if "automation" in str(step.get("run"))]
    assert step["run"] == '.venv/bin/python -m automation preview "$STACK" --refresh --expect-no-changes'


def test_stack_of_a_pull_request_is_made_and_removed_by_the_code_of_main_alone() -> None:
    job = jobs("pull-request-stack")["stack"]
    (checkout,) = steps(job, using="actions/checkout")
    place = {"repository": "${{ job.workflow_repository || 'unknown' }}", "ref": "${{ job.workflow_sha }}"}
    # The role trusts main's file alone. Inputs and variables are the caller's; a pull request's author can change them.
    assert place.items() <= checkout["with"].items()
    assert job["env"]["STACK"] == "${{ inputs.like }}-pr-${{ github.event.pull_request.number }}"
    verbs = {
        re.sub(r" .*", "", step["run"].partition("-m automation ")[2]): step["if"]
        for step in job["steps"]
        if "-m automation" in str(step.get("run"))
    }
    made = "github.event.action != 'closed'"
    assert verbs == dict.fromkeys(("spawn", "verify", "outputs"), made) | {"expire": "github.event.action == 'closed'"}


def test_what_expires_is_in_no_backend_of_production() -> None:
    for name, job in every_job():
        if "AWS_TEMPORARY_ROLE_ARN" in str(job):
            assert "vars.TEMPORARY_BACKEND_URL" in str(job), name
            assert "vars.PULUMI_BACKEND_URL" not in str(job), name


def test_image_is_built_when_what_it_is_made_of_changes() -> None:
    paths = triggers("image")["push"]["paths"]
    assert all((ROOT / path).is_file() for path in paths)
    dockerfile = (ROOT / "image" / "Dockerfile").read_text()
    copied = {
        f"image/{name}" for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE) for name in line.split()
    }
    assert copied | {"image/Dockerfile", "image/.dockerignore"} == set(paths)


def test_image_is_checked_before_it_is_pushed_and_built_without_credentials() -> None:
    order = [str(step.get("run") or step["uses"]) for step in jobs("image")["build"]["steps"]]

    def place(text: str) -> int:
        return next(number for number, found in enumerate(order) if text in found)

    assert place("make image") < place("check_image.py") < place("configure-aws-credentials") < place("push_image.py")
    assert place("check_image.py") < place("install_tools.py syft") < place("syft scan")
    assert place("syft scan") < place("configure-aws-credentials")
    assert place("push_image.py") < min(place("attest-build-provenance"), place("attest-sbom"))


def test_image_is_signed_without_a_key_by_the_digest_that_was_pushed() -> None:
    for action in ("actions/attest-build-provenance", "actions/attest-sbom"):
        (step,) = steps(jobs("image")["build"], using=action)
        assert step["with"]["subject-digest"] == "${{ steps.push.outputs.digest }}"
        assert step["with"]["subject-name"] == "${{ vars.IMAGE_REPOSITORY }}"
        assert step["with"]["push-to-registry"] is True


def test_bases_of_the_image_are_pinned_by_digest() -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "image" / "Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 2
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", base) for base in bases)
    assert jobs("image")["build"]["env"]["IMAGE"].endswith(":${{ github.sha }}")


def test_only_the_tag_of_prod_is_moved_and_with_the_commit() -> None:
    words = [command.split(maxsplit=2)[1:] for command in commands(jobs("image")["move"]) if "scripts" in command]
    assert words == [
        [".github/scripts/move_image_tag.py", '"$STACK" "$GITHUB_SHA" --digest "$DIGEST"'],
        [".github/scripts/image_pull_request.py", '"$STACK" "$GITHUB_SHA"'],
    ]
    assert workflow("image")["env"]["STACK"] == "prod"


# What others say of them


def tool(name: str, *, where: str) -> str:
    """A linter on PATH or beside this Python; skips where it is not there."""
    command = shutil.which(name) or str(Path(sys.executable).with_name(name))
    if not Path(command).exists():
        pytest.skip(f"{name} is not on PATH ({where})")
    return command


def test_actionlint_finds_nothing() -> None:
    command = tool("actionlint", where="python3 .github/scripts/install_tools.py actionlint")
    # Not what else is on this machine: shellcheck would find other things on another one.
    done = subprocess.run(
        [command, "-shellcheck=", "-pyflakes=", *map(str, FILES)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing_even_where_it_is_pedantic() -> None:
    command = tool("zizmor", where="pip install zizmor")
    done = subprocess.run(
        [command, "--offline", "--no-progress", "--persona=auditor", str(ROOT / ".github")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
