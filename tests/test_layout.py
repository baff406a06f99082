"""The shape of the repository: what lies where, and what no file may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import versions
from tests.samples import ROOT

HELPERS: Final = {
    "samples.py",
    "skipped.py",
    "automation/adoption/releases.py",
    "automation/checkouts.py",
    "automation/fakes.py",
    "aws/botocore_calls.py",
    "aws/recorded.py",
    "aws/samples.py",
    "aws/terraform.py",
    "aws/weakened.py",
    "chart/pod_security_standard.py",
    "chart/rendering.py",
    "cluster/git_push.py",
    "cluster/harness.py",
    "cluster/kill_up.py",
    "cluster/plain_release.py",
    "cluster/service.py",
    "cluster/tls_database.py",
    "policy/programs.py",
}
"""Files under tests/ that hold no tests and are named so that pytest does not look for any."""

FOLDERS: Final = ("components", "automation", "policy", "settings")
SOURCES: Final = sorted(
    [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))],
    key=str,
)
CONFIG_READERS: Final = {"loading.py", "reader.py", "files.py"}
every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an expression of names and attributes, else ""."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def test_every_file_under_tests_is_collected_or_a_known_helper() -> None:
    """pytest says nothing of tests in a file whose name it does not know."""
    tests = ROOT / "tests"
    for path in tests.rglob("*.py"):
        name = str(path.relative_to(tests))
        assert path.name.startswith("test_") or path.name == "conftest.py" or name in HELPERS, name


def test_no_helper_holds_a_test() -> None:
    for helper in HELPERS:
        path = ROOT / "tests" / helper
        if path.exists():
            names = [node.name for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
            assert not [name for name in names if name.startswith(("test_", "Test"))], helper


@pytest.mark.parametrize(
    "path", sorted((ROOT / "components").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_component_module_has_its_test(path: Path) -> None:
    tested_elsewhere = {
        "kube/env.py": "release/test_values.py",
        "aws/placement.py": "../settings/test_aws_lookup.py",
        "dags/delivery.py": "release/test_values.py",
        "release/executor.py": "release/test_values.py",
        "secrets/encodings.py": "secrets/test_masker.py",
        "secrets/plan_violation.py": "../automation/engine/test_events.py",
        "keys/generated_password.py": "keys/test_airflow_keys.py",
        "kube/immutable_secret.py": "keys/test_airflow_keys.py",
        "release/kubernetes_records.py": "release/test_helm_record.py",
        "release/merge.py": "release/test_user_values.py",
        "kube/metadata.py": "database/test_container.py",
        "kube/pod_security.py": "release/test_values.py",
    }
    name = path.relative_to(ROOT / "components")
    beside = str(name.with_name(f"test_{name.name}"))
    test = ROOT / "tests" / "components" / tested_elsewhere.get(str(name), beside)
    assert test.is_file(), f"expected {test.name} for {path.name}"


@every_source
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@every_source
def test_every_component_says_what_it_does_to_what_is_there(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef) and "pulumi.ComponentResource" in map(dotted, node.bases):
            text = ast.get_docstring(node) or ""
            for word in ("Raises", "Replaces", "Survives a destroy"):
                assert word in text, f"{node.name} does not say: {word}"


@every_source
def test_only_the_settings_read_the_config(path: Path) -> None:
    if path.name in CONFIG_READERS or path.is_relative_to(ROOT / "automation"):
        return
    for node in ast.walk(tree(path)):
        assert dotted(node) not in ("pulumi.Config", "pulumi.runtime.config", "pulumi.runtime.get_config_env")
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pulumi"):
            assert not {"Config", "config"} & {name.name for name in node.names}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "components").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_component_asks_for_the_stack_or_the_environment(path: Path) -> None:
    """What differs between stacks is a value that it is given."""
    asked = {"pulumi.get_stack", "pulumi.get_project", "os.environ", "os.getenv"}
    found = {dotted(node) for node in ast.walk(tree(path))} & asked
    assert found <= ({"os.environ"} if path.name == "chart_archive.py" else set())


def test_program_is_wiring_alone() -> None:
    """No branch, no function: what could be wrong there no test of a part would see."""
    path = ROOT / "__main__.py"
    assert len(path.read_text().splitlines()) <= 40
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.If | ast.IfExp | ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.Try)


IMPORTED: Final = """\
import sys
import settings.loading, components.airflow_platform
# An update that changes the release loads the client; the schema is for a stack with helmValues.
late = ("boto3", "botocore", "cryptography", "pulumi_aws", "kubernetes", "jsonschema")
print(*sorted({name.split(".")[0] for name in sys.modules} & set(late)))
"""


def test_program_of_a_laptop_loads_nothing_that_it_does_not_use() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# Pins


def constants(path: Path) -> Iterator[str]:
    """Texts in the code, but for docstrings and the texts below a constant that describe it."""
    module = tree(path)
    described = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node.value


@every_source
def test_pin_stands_in_one_place(path: Path) -> None:
    if path.name == "versions.py":
        return
    for name in (
        "PULUMI_CLI",
        "AIRFLOW_CHART",
        "AIRFLOW_CHART_SHA256",
        "POSTGRES_IMAGE_TAG",
        "KIND",
        "KIND_NODE_IMAGE",
    ):
        pin = getattr(versions, name)
        assert not [text for text in constants(path) if pin in text], f"{name} is repeated"
