"""Which part of the repository may import which, what no file of a part may do, and how long it may be."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import versions
from tests.samples import ROOT

COMPONENTS: Final[dict[str, str]] = {
    # a folder of components/: which of the folders above it, it may import
    "kube": "",
    "secrets": "",
    "aws": "",
    "texts": "kube aws secrets",
    "keys": "kube aws texts",
    "connections": "kube aws",
    "dags": "kube",
    "login": "kube",
    "task_logs": "kube aws",
    "database": "kube aws texts keys connections",
    "chart_values/executor": "",
    "network": "kube database chart_values/executor",
    "chart_values": "kube aws secrets texts keys connections dags login task_logs database chart_values/executor",
    "user_values": "kube aws secrets texts database chart_values",
    "release": "kube secrets keys database chart_values user_values",
    "preflight": "kube aws secrets keys dags login task_logs database chart_values",
    "monitoring": "kube database network chart_values",
    "verification": "kube keys database network chart_values",
}
LOW: Final = (
    # modules of automation/ that all its folders may import; each may import those above it
    "errors",
    "results",
    "late",
    "yaml_text",
    "helm_template",
    "remedies",
    "wait",
    "folder",
    "project_files",
    "decided",
)
AUTOMATION: Final[dict[str, str]] = {
    # a folder of automation/, or one of its high modules: which of those above it, it may import
    "cluster": "",
    "engine": "",
    "plan": "",
    "verification": "cluster",
    "change_report": "plan",
    "helmsman": "plan",
    "stacks": "cluster engine plan verification helmsman",
    "preflight": "engine plan stacks",
    "stages": "cluster engine stacks",
    "recovery": "cluster engine stacks",
    "lifetime": "cluster engine stacks recovery",
    "adoption": "cluster engine plan change_report stacks recovery",
    "rotation": "cluster engine verification stacks stages recovery",
    "backup": "cluster engine verification stacks stages recovery",
    "snapshots": "cluster engine stacks stages recovery backup",
    "backups": "engine stacks backup snapshots",
    "upgrade": "cluster engine verification stacks stages recovery backup backups",
    "environment": "engine plan verification stacks preflight recovery lifetime adoption rotation backup backups "
    "upgrade",
    "environments": "cluster engine stacks lifetime adoption environment",
    "cli": "cluster engine plan verification change_report helmsman stacks stages recovery lifetime adoption rotation "
    "backup upgrade environment environments",
}


def below(folder: str, names: Iterable[str]) -> str:
    return " ".join(f"{folder}/{name}" for name in names)


VERSIONS: Final = "versions compatibility outputs"
UNDER_AUTOMATION: Final = f"{VERSIONS} components settings policy"
MAY_IMPORT: Final[dict[str, str]] = {
    # a file or folder: what it may import besides itself. Low layers come first; each may only name lines above it.
    "versions": "",
    "compatibility": "versions",
    "outputs": "",
    **{
        f"components/{folder}": f"versions compatibility {below('components', may.split())}"
        for folder, may in COMPONENTS.items()
    },
    "components": f"{VERSIONS} {below('components', COMPONENTS)}",
    "settings": "versions compatibility components",
    "providers": "components",
    "policy": "versions components settings",
    **{
        f"automation/{module}": f"{UNDER_AUTOMATION} {below('automation', LOW[:index])}"
        for index, module in enumerate(LOW)
    },
    **{
        f"automation/{folder}": f"{UNDER_AUTOMATION} {below('automation', (*LOW, *may.split()))}"
        for folder, may in AUTOMATION.items()
    },
    "automation": f"{UNDER_AUTOMATION} {below('automation', (*LOW, *AUTOMATION))}",
    "benchmarks": f"{VERSIONS} components settings policy automation",
    "__main__": "components settings providers",
}
"""Naming a folder also allows what is in it."""

PROVIDER_SDKS: Final = ("pulumi_aws", "pulumi_kubernetes", "pulumi_random")
LATE: Final = ("boto3", "botocore", "cryptography", "jsonschema", "kubernetes", "pulumi_aws")
"""Loaded only where a stack uses them: the AWS SDK on AWS, the client by an update, the schema with helmValues."""

SOURCES: Final = sorted(
    {
        *ROOT.glob("*.py"),
        *(path for part in MAY_IMPORT if "/" not in part for path in (ROOT / part).rglob("*.py")),
    }
)
COMPONENT_FILES: Final = sorted((ROOT / "components").rglob("*.py"))
MOST_LINES: Final = 300
CONFIG_READERS: Final = ("settings", "automation", "benchmarks")


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


@functools.cache
def module_of(full: str) -> str:
    """`components/kube/env` of `components.kube.env.variable`; "" if it is not of this repository."""
    module = full.replace(".", "/")
    while module and not ((ROOT / f"{module}.py").is_file() or (ROOT / module).is_dir()):
        module = module.rpartition("/")[0]
    return module


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an expression of names and attributes, else ""."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def name(path: Path) -> str:
    """`components/kube/env`, `settings`: a module's name with slashes."""
    return str(path.relative_to(ROOT).with_suffix("")).removesuffix("/__init__")


@functools.cache
def imported(path: Path) -> tuple[str, ...]:
    """Modules of this repository that a file imports, anywhere in it, with slashes."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in _statements(tree(path)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: expected absolute imports"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from filter(None, map(module_of, names))


def _statements(within: ast.AST) -> Iterator[ast.AST]:
    """Every statement, at any depth. Looking into expressions too would take most of the time."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for node in getattr(within, field, None) or ():
            yield node
            yield from _statements(node)


@functools.cache
def part(module: str) -> str:
    """The line of the table that a module belongs to: the longest that fits."""
    return max((line for line in MAY_IMPORT if f"{module}/".startswith(f"{line}/")), key=len)


IMPORTS: Final = (
    "import settings.loading; settings.parse, settings.check, settings.SECRET_KEYS",
    "import components.airflow_platform",
    "import pulumi_kubernetes, providers",
)


@functools.cache
def loaded() -> tuple[frozenset[str], ...]:
    """The modules that one new interpreter has loaded after each of the imports, which it makes one after the other."""
    code = "import sys\n" + "".join(f"{line}\nprint(*sys.modules)\n" for line in IMPORTS)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(frozenset(line.split()) for line in done.stdout.splitlines())


def packages(modules: frozenset[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_table_goes_from_low_to_high_layers() -> None:
    above = set[str]()
    for line, allowed in MAY_IMPORT.items():
        assert set(allowed.split()) <= above, line
        above.add(line)


def test_every_folder_has_a_layer_of_its_own() -> None:
    """What has none counts to the highest layer above it, which may import almost everything."""
    folders = {name(path).split("/")[1] for path in COMPONENT_FILES if path.parent != ROOT / "components"}
    assert folders <= {folder.partition("/")[0] for folder in COMPONENTS}
    files = (ROOT / "automation").rglob("*.py")
    assert {name(path).split("/")[1] for path in files if not name(path).endswith(("automation", "__main__"))} <= {
        *LOW,
        *AUTOMATION,
    }


def test_no_file_imports_from_a_higher_layer() -> None:
    wrong = [
        f"{name(path)} imports {module}"
        for path in SOURCES
        for module in imported(path)
        for own in [part(name(path))]
        if module.split("/")[0] != "tests"
        if part(module) != own and not any(f"{module}/".startswith(f"{may}/") for may in MAY_IMPORT[own].split())
    ]
    assert wrong == []


def test_nothing_outside_of_the_tests_imports_from_them() -> None:
    wrong = [
        f"{name(path)} imports {module}"
        for path in SOURCES
        for module in imported(path)
        if module.split("/")[0] == "tests"
    ]
    assert wrong == []


def test_modules_of_a_part_do_not_import_each_other_in_a_circle() -> None:
    known = {name(path): path for path in SOURCES}
    done, running = set[str](), list[str]()

    def visit(module: str) -> None:
        assert module not in running, f"a circle: {' -> '.join([*running[running.index(module) :], module])}"
        if module in done or module not in known:
            return
        running.append(module)
        for other in imported(known[module]):
            if other != module:
                visit(other)
        running.pop()
        done.add(module)

    for module in known:
        visit(module)


def test_reading_a_config_loads_no_provider_sdk() -> None:
    config, _, _ = loaded()
    assert not packages(config) & set(PROVIDER_SDKS)


def test_program_of_a_laptop_loads_nothing_that_it_does_not_use() -> None:
    _, laptop, _ = loaded()
    assert not packages(laptop) & set(LATE)


def test_program_of_a_stack_loads_no_models_of_the_core_group() -> None:
    """They would be loaded by anything that uses the SDK's class of a single object."""
    _, _, stack = loaded()
    assert "pulumi_kubernetes" in stack
    assert not [name for name in stack if name.startswith("pulumi_kubernetes.core.v1._")]


def test_program_is_wiring_alone() -> None:
    """A branch or a function in it would be covered by no test of a part."""
    path = ROOT / "__main__.py"
    assert len(path.read_text().splitlines()) <= 40
    for node in nodes(path):
        assert not isinstance(node, ast.If | ast.IfExp | ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.Try)


def test_only_the_settings_read_the_config() -> None:
    for path in SOURCES:
        if name(path).startswith(CONFIG_READERS):
            continue
        for node in nodes(path):
            forbidden = ("pulumi.Config", "pulumi.runtime.config", "pulumi.runtime.get_config_env")
            assert dotted(node) not in forbidden, path
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pulumi"):
                assert not {"Config", "config"} & {alias.name for alias in node.names}, path


def test_no_component_reads_the_environment_or_the_name_of_the_stack() -> None:
    """What differs between stacks is an argument."""
    for path in COMPONENT_FILES:
        asked = {"pulumi.get_stack", "pulumi.get_project", "os.environ", "os.getenv"}
        found = {dotted(node) for node in nodes(path)} & asked
        # A script that runs in a container has no other arguments.
        may = path.name == "chart_archive.py" or path.parent.name == "in_image"
        assert found <= ({"os.environ"} if may else set()), path


def test_every_module_says_what_it_is_for() -> None:
    for path in SOURCES:
        assert ast.get_docstring(tree(path)), path


def test_no_file_is_longer_than_a_reader_keeps_in_mind() -> None:
    scripts = (path for folder in ("docs", "image", ".github/scripts") for path in (ROOT / folder).glob("*.py"))
    lines = {path: len(path.read_bytes().splitlines()) for path in (*SOURCES, *scripts)}
    longer = {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > MOST_LINES}
    assert not longer, f"expected at most {MOST_LINES} lines in a file (ADR 35). Fix: divide it by subject"


def test_every_component_says_what_it_does_to_what_exists() -> None:
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef) and "pulumi.ComponentResource" in map(dotted, node.bases):
                for word in ("Raises", "Replaces", "Survives a destroy"):
                    assert word in (ast.get_docstring(node) or ""), f"{node.name} does not say: {word}"


def test_every_component_module_has_its_test() -> None:
    """In a file of its name, or by an import in another test of the components."""
    tests = ROOT / "tests" / "components"
    used = {module for path in tests.rglob("test_*.py") for module in imported(path)}
    used |= {module for path in COMPONENT_FILES if name(path) in used for module in imported(path)}
    for path in COMPONENT_FILES:
        beside = tests / path.relative_to(ROOT / "components").with_name(f"test_{path.name}")
        assert beside.is_file() or name(path) in used, f"expected a test of {name(path)}"


def test_every_test_is_in_a_file_that_pytest_collects() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if not path.name.startswith("test_") and path.name != "conftest.py":
            names = [node.name for node in nodes(path) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
            assert not [found for found in names if found.startswith(("test_", "Test"))], path


def constants(path: Path) -> Iterator[str]:
    """Texts in the code, except docstrings and the texts below a constant that describe it."""
    described = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
    for node in nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
            yield node.value


def test_every_pin_is_in_one_place() -> None:
    pins = {
        pin: getattr(versions, pin)
        for pin in (
            *("PULUMI_CLI", "AIRFLOW_CHART", "AIRFLOW_CHART_SHA256", "POSTGRES_IMAGE_TAG"),
            *("KIND", "KIND_NODE_IMAGE"),
        )
    }
    for path in SOURCES:
        written = path.read_text()
        if path.name == "versions.py" or "benchmarks" in path.parts or not any(pin in written for pin in pins.values()):
            continue
        for text in constants(path):
            assert not [pin for pin, value in pins.items() if value in text], f"{path} repeats a pin: {text}"
