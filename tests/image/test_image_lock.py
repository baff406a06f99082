"""The image's lock keeps Airflow's constraints, and what makes it believes no other file and no other index."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import versions
from image import lock, lock_problems
from tests.cases import each
from tests.samples import ROOT

PROJECT: Final = (ROOT / "image" / lock_problems.PROJECT).read_text()
LOCKED: Final = (ROOT / "image" / lock_problems.LOCK).read_text()


def wrong(
    project: str = PROJECT, locked: str = LOCKED, source: lock_problems.Constraints = lock_problems.SOURCE
) -> list[str]:
    return list(lock_problems.problems(project, locked, source))


def changed(text: str, pattern: str, replacement: str) -> str:
    """The text with one place changed, which must be there."""
    result, count = re.subn(pattern, replacement, text, count=1)
    assert count == 1, pattern
    return result


# The committed files


def test_committed_lock_keeps_every_constraint() -> None:
    assert wrong() == []


def test_constraints_are_of_the_airflow_and_the_python_of_versions() -> None:
    source = lock_problems.SOURCE
    assert (source.airflow, source.python) == (versions.AIRFLOW, versions.AIRFLOW_IMAGE_PYTHON)
    assert source.url.endswith(f"/apache/airflow/constraints-{versions.AIRFLOW}/constraints-{source.python}.txt")
    assert re.fullmatch("[0-9a-f]{64}", source.sha256)


def test_airflow_alone_is_without_a_constraint_unless_a_team_adds_something() -> None:
    """The published file holds everything else that Airflow and its providers need."""
    airflow = {"apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk"}
    facts = tomllib.loads(PROJECT)["tool"]["airflow-constraints"]
    assert airflow <= set(facts["unconstrained"])


def test_lock_holds_what_the_stacks_use() -> None:
    found = lock_problems.packages(LOCKED)
    providers = {"amazon", "celery", "cncf-kubernetes", "fab", "git", "postgres", "redis", "standard"}
    assert {f"apache-airflow-providers-{name}" for name in providers} <= set(found)
    assert {"asyncpg", "psycopg2-binary", "statsd"} <= set(found)


def test_lock_names_no_host_but_pypi() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", LOCKED))
    assert hosts == lock_problems.HOSTS
    assert "http://" not in LOCKED


def test_uv_itself_finds_the_lock_current() -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    python = shutil.which(f"python{versions.AIRFLOW_IMAGE_PYTHON}")
    version = subprocess.run([python, "-c", "pass"], capture_output=True, check=False).returncode if python else 1
    if not Path(uv).exists() or version:
        pytest.skip(f"no uv, or no Python {versions.AIRFLOW_IMAGE_PYTHON}, on PATH")
    command = [
        uv,
        "lock",
        "--check",
        "--offline",
        "--no-config",
        "--default-index",
        lock_problems.INDEX,
        "--python",
        str(python),
    ]
    done = subprocess.run(command, cwd=ROOT / "image", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Whatever is wrong with them is found


@each(
    ("pattern", "replacement", "says"),
    [
        (r'name = "celery"\nversion = "[^"]+"', 'name = "celery"\nversion = "5.7.0"', "expected celery .* found 5.7.0"),
        (r'name = "apache-airflow"\nversion = "[^"]+"', 'name = "apache-airflow"\nversion = "3.2.1"', "found 3.2.1"),
        (r'requires-python = "[^"]+"', 'requires-python = "==3.13.*"', "expected requires-python ==3.12"),
        (r'registry = "https://pypi.org/simple"', 'registry = "https://mirror.test/simple"', "expected .* from https"),
        (r'"https://files.pythonhosted.org/', '"https://mirror.test/', "found another address"),
        (r'"https://files.pythonhosted.org/', '"http://files.pythonhosted.org/', "found another address"),
        (r'hash = "sha256:', 'hash = "md5:', "has no SHA-256"),
        (r"(?s)wheels = \[.*?\n\]", "wheels = []", "has no wheel"),
        (r'\{ name = "alembic", specifier = "[^"]+" \},', "", "expected the constraints of"),
        (r'(requires-dist = .* extras = \[)"amazon", ', r"\1", "expected the dependencies of"),
    ],
)
def test_a_lock_that_is_not_right_is_found(pattern: str, replacement: str, says: str) -> None:
    assert [text for text in wrong(locked=changed(LOCKED, pattern, replacement)) if re.search(says, text)]


def test_a_package_that_came_past_make_lock_is_found() -> None:
    """`uv add` looks at the constraints of what was there before, and at no other."""
    entry = '\n[[package]]\nname = "newcomer"\nversion = "1.0"\nsource = { registry = "https://pypi.org/simple" }\n'
    assert "uv.lock: newcomer came without a look at Airflow's constraints" in wrong(locked=LOCKED + entry)


@pytest.mark.parametrize(("name", "value"), [("airflow", "3.2.3"), ("python", "3.13"), ("sha256", "0" * 64)])
def test_constraints_of_another_version_are_found(name: str, value: str) -> None:
    """Somebody who raises a pin in versions.py must make the lock anew."""
    facts = {
        "airflow": versions.AIRFLOW,
        "python": lock_problems.SOURCE.python,
        "sha256": lock_problems.SOURCE.sha256,
        name: value,
    }
    assert [text for text in wrong(source=lock_problems.Constraints(**facts)) if f"expected {name} {value}" in text]


def test_two_versions_of_a_package_are_refused() -> None:
    with pytest.raises(lock_problems.LockError, match="found two"):
        lock_problems.packages(
            LOCKED + LOCKED[LOCKED.index("\n[[package]]") : LOCKED.index('\n[[package]]\nname = "aio')]
        )


# The published file


def test_a_file_with_another_digest_is_refused() -> None:
    with pytest.raises(lock_problems.LockError) as error:
        lock.verified(b"celery==5.6.3\n", lock_problems.SOURCE)
    assert lock_problems.SOURCE.sha256 in str(error.value)
    assert hashlib.sha256(b"celery==5.6.3\n").hexdigest() in str(error.value)
    assert "docs/image.md" in str(error.value)


def test_constraints_are_read_whatever_their_spelling() -> None:
    text = "#\n# made by\n\nFlask-AppBuilder==5.2.1\nzope.event==6.2 # why\npydantic_core==2.46.4\n"
    assert lock_problems.parse(text) == {"flask-appbuilder": "5.2.1", "zope-event": "6.2", "pydantic-core": "2.46.4"}


def test_a_line_that_is_no_pin_is_refused() -> None:
    for line in ["celery>=5", "celery", "-r other.txt", "celery==5; python_version > '3'", "<html>"]:
        with pytest.raises(lock_problems.LockError, match="expected NAME==VERSION"):
            lock_problems.parse(line)


names = st.lists(st.text("abz09", min_size=1, max_size=4), min_size=1, max_size=3).map("-".join)
releases = st.lists(st.integers(0, 2026), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
pins = st.dictionaries(names, releases, max_size=20)


@given(pins, st.lists(names, unique=True, max_size=5))
def test_what_is_generated_reads_back_and_leaves_what_people_wrote(
    constraints: dict[str, str], free: list[str]
) -> None:
    written = "[project]\nname = 'x'\n[tool.uv]\npackage = false\n"
    text = written + lock.generated(constraints, lock_problems.SOURCE, free)
    assert lock.written_part(text) == written
    content = tomllib.loads(text)
    assert lock_problems.parse("\n".join(content["tool"]["uv"]["constraint-dependencies"])) == constraints
    assert content["tool"]["airflow-constraints"]["unconstrained"] == free


# make lock

FAKE_UV: Final = '''#!{python} -IS
"""A resolver that takes each dependency's constraint, or 9.9.9."""
import json, os, sys, tomllib
from pathlib import Path
if sys.argv[1:] == ["--version"]:
    print("uv {version} (fake)"); sys.exit()
folder = Path(sys.argv[sys.argv.index("--project") + 1])
log = Path(__file__).with_name("log")
log.write_text(json.dumps({{"args": sys.argv[1:], "env": dict(os.environ), "had": (folder / "uv.lock").exists()}}))
project = tomllib.loads((folder / "pyproject.toml").read_text())
rules = project["tool"]["uv"]["constraint-dependencies"]
pins = dict(rule.split("==") for rule in rules)
out = [f'requires-python = "{{project["project"]["requires-python"]}}"', "[manifest]", "constraints = ["]
out += [f'  {{{{ name = "{{name}}", specifier = "=={{version}}" }}}},' for name, version in pins.items()] + ["]"]
out += ["[[package]]", 'name = "root"', 'source = {{ virtual = "." }}', "[package.metadata]", "requires-dist = ["]
wanted = [item.partition("==")[::2] for item in project["project"]["dependencies"]]
out += [f'{{{{ name = "{{n}}", specifier = "{{"==" + v if v else ""}}" }}}},' for n, v in wanted] + ["]"]
for n, v in wanted:
    if n == "impossible":
        sys.exit("no version of impossible")
    file = '{{ url = "https://files.pythonhosted.org/x.whl", hash = "sha256:0" }}'
    out += ["[[package]]", f'name = "{{n}}"', f'version = "{{pins.get(n, v or "9.9.9")}}"']
    out += ['source = {{ registry = "https://pypi.org/simple" }}', f"wheels = [{{file}}]"]
(folder / "uv.lock").write_text("\\n".join(out) + "\\n")
'''
PUBLISHED: Final = b"# for tests\nCelery==5.6.3\nredis==6.4.0\n"
SOURCE: Final = lock_problems.Constraints(airflow="3.2.2", python="3.12", sha256=hashlib.sha256(PUBLISHED).hexdigest())


@dataclass
class Image:
    """An image folder of a test, with a uv of its own."""

    root: Path
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.root / "image"
        self.folder.mkdir()
        (self.root / "published.txt").write_bytes(PUBLISHED)
        self.depend("celery", "newcomer")

    def depend(self, *names: str) -> None:
        dependencies = json.dumps(["apache-airflow==3.2.2", *names])
        head = f'[project]\nrequires-python = "==3.12.*"\ndependencies = {dependencies}\n[tool.uv]\n'
        (self.folder / lock_problems.PROJECT).write_text(head + lock.MARK)

    def lock(self, *words: str, given: str = "published.txt", source: lock_problems.Constraints = SOURCE) -> int:
        return lock.main(["--constraints", str(self.root / given), *words], self.folder, source)

    def read(self) -> tuple[str, str]:
        return (self.folder / lock_problems.PROJECT).read_text(), (self.folder / lock_problems.LOCK).read_text()

    def asked(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.root / "bin" / "log").read_text())
        return content


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
    command = tmp_path / "bin" / "uv"
    command.parent.mkdir()
    command.write_text(FAKE_UV.format(python=sys.executable, version=versions.UV))
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    return Image(tmp_path)


def test_make_lock_writes_the_constraints_that_the_lock_needs(image: Image) -> None:
    assert image.lock() == 0
    project, locked = image.read()
    assert lock_problems.packages(locked) == {"apache-airflow": "3.2.2", "celery": "5.6.3", "newcomer": "9.9.9"}
    content = tomllib.loads(project)
    assert content["tool"]["uv"]["constraint-dependencies"] == ["celery==5.6.3"]
    assert content["tool"]["airflow-constraints"]["unconstrained"] == ["apache-airflow", "newcomer"]
    assert wrong(project, locked, SOURCE) == []


def test_a_second_make_lock_changes_nothing_and_the_check_passes(image: Image) -> None:
    image.lock()
    before = image.read()
    assert image.lock() == 0
    assert image.lock("--check") == 0
    assert image.read() == before
    assert image.asked()["had"], "a version that nothing holds stays what it was"


def test_the_check_fails_where_make_lock_was_forgotten_and_changes_nothing(
    image: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    image.lock()
    image.depend("redis")
    before = image.read()
    assert image.lock("--check") == 1
    assert "Fix: make lock" in capsys.readouterr().err
    assert image.read() == before


def test_a_wrong_file_leaves_the_lock_as_it_was(image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    image.lock()
    before = image.read()
    (image.root / "published.txt").write_bytes(PUBLISHED + b"evil==1\n")
    assert image.lock() == 1
    assert "expected SHA-256" in capsys.readouterr().err
    assert image.read() == before


def test_what_uv_says_of_a_conflict_is_passed_on(image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    image.depend("impossible")
    assert image.lock() == 1
    assert "no version of impossible" in capsys.readouterr().err


def test_no_index_or_setting_of_this_machine_reaches_uv(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_CONSTRAINT", "UV_CONFIG_FILE"):
        monkeypatch.setenv(name, "https://mirror.test/simple")
    image.lock()
    asked = image.asked()
    assert [name for name in asked["env"] if name.startswith("UV_") and name != "UV_PYTHON"] == []
    assert asked["args"][asked["args"].index("--default-index") + 1] == "https://pypi.org/simple"
    assert "--no-config" in asked["args"]


def test_a_pyproject_without_the_mark_is_not_overwritten(image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    (image.folder / lock_problems.PROJECT).write_text("[project]\n")
    assert image.lock() == 1
    assert "Generated by `make lock`" in capsys.readouterr().err
    assert (image.folder / lock_problems.PROJECT).read_text() == "[project]\n"


def test_another_uv_on_path_is_not_used(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = (image.root / "bin" / "uv").read_text()
    (image.root / "bin" / "uv").write_text(fake.replace(f"uv {versions.UV}", "uv 0.1.0"))
    own = image.root / ".dev" / f"uv-{versions.UV}" / "bin" / "uv"
    own.parent.mkdir(parents=True)
    own.write_text(fake)
    own.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(image.root / "no" / "python"))
    assert lock.find_uv(image.root) == str(own)


def test_uv_is_installed_by_its_hash(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="")

    monkeypatch.setattr(subprocess, "run", run)
    own = image.root / ".dev" / f"uv-{versions.UV}"
    assert lock.find_uv(image.root) == str(own / "bin" / "uv")
    options = ["--require-hashes", "--only-binary", ":all:", "-r", str(lock.FOLDER / "requirements-uv.txt")]
    assert commands[-1] == [str(own / "bin" / "pip"), "install", "-q", *options]


# The download


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def answer(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send


def test_the_file_is_downloaded_as_it_is() -> None:
    with served(answer(200, PUBLISHED)) as url:
        assert lock.verified(lock.fetch(url), SOURCE) == PUBLISHED.decode()


def test_a_file_that_is_not_there_says_what_to_do() -> None:
    with served(answer(404, b"")) as url, pytest.raises(lock_problems.LockError, match="--constraints FILE"):
        lock.fetch(url)


def test_a_file_that_is_no_constraints_file_by_its_size_is_refused() -> None:
    with (
        served(answer(200, b"#" * ((1 << 20) + 1))) as url,
        pytest.raises(lock_problems.LockError, match="expected at most"),
    ):
        lock.fetch(url)
