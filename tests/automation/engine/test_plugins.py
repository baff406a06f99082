"""Plugins: those of the program in the versions of its packages, with the pinned content; not one that nothing uses."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

import settings
from automation.engine.installation import InstallationError
from automation.engine.plugins import (
    AWS,
    LOCK,
    PARALLEL,
    PLUGINS,
    environment,
    install_plugins,
    missing,
    pinned,
    plugins_of,
    version,
)
from components.release.download import OnPart
from tests import samples
from tests.cases import each

FILE: Final = f"pulumi-resource-random-v{metadata.version('pulumi-random')}-linux-amd64.tar.gz"
CONTENT: Final = b"the released archive"


@dataclass
class Engine:
    """Notes what it is told to install, and from which content."""

    commands: list[list[str]] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)

    def run(self, words: list[str]) -> None:
        self.commands.append(words)
        if "--file" in words:
            self.contents.append(Path(words[words.index("--file") + 1]).read_bytes())


@dataclass
class Network:
    """Gives one content under every address, or nothing."""

    content: bytes = CONTENT
    reachable: str = ""
    asked: list[str] = field(default_factory=list)

    def download(self, source: str, on_part: OnPart) -> bytes:
        self.asked.append(source)
        if self.reachable not in source:
            raise OSError("Not Found")
        return self.content


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout whose lock pins one plugin."""
    (tmp_path / LOCK).write_text(f"# comment\n{hashlib.sha256(CONTENT).hexdigest()}  {FILE}\n")
    return tmp_path


def _command(name: str) -> list[str]:
    return ["plugin", "install", "resource", name, f"v{metadata.version(f'pulumi-{name}')}"]


def test_plugin_that_is_not_pinned_is_installed_with_a_line_that_names_the_command(tmp_path: Path) -> None:
    engine, said = Engine(), list[str]()
    install_plugins(engine.run, PLUGINS, said.append, root=tmp_path, download=Network().download)
    assert engine.commands == [_command(name) for name in PLUGINS]
    assert all(f"unverified, because {LOCK} does not pin it (make pin would)" in line for line in said)
    assert len(said) == len(PLUGINS)


def test_pinned_plugin_replaces_what_is_there_with_the_content_that_was_verified(root: Path) -> None:
    engine, network, said = Engine(), Network(), list[str]()
    install_plugins(engine.run, ["random"], said.append, root=root, environ={}, download=network.download)
    ((*command, flag, path, reinstall),) = engine.commands
    assert (command, flag, reinstall) == (_command("random"), "--file", "--reinstall")
    assert Path(path).name == FILE
    assert engine.contents == [CONTENT]
    version = metadata.version("pulumi-random")
    assert network.asked == [f"https://github.com/pulumi/pulumi-random/releases/download/v{version}/{FILE}"]
    assert said == [f"installing the engine's plugin random {version}"]


def test_pinned_plugin_with_other_content_is_refused_and_the_engine_never_sees_it(root: Path) -> None:
    engine, network = Engine(), Network(CONTENT[:-1] + b"?")
    with pytest.raises(InstallationError, match=rf"{FILE}: expected SHA-256 \w+, got \w+"):
        install_plugins(engine.run, ["random"], lambda line: None, root=root, environ={}, download=network.download)
    assert engine.commands == []
    assert len(network.asked) == 1, "no other address is tried until one fits"


def test_second_address_is_that_of_the_engine(root: Path) -> None:
    engine, network = Engine(), Network(reachable="get.pulumi.com")
    install_plugins(engine.run, ["random"], lambda line: None, root=root, environ={}, download=network.download)
    assert network.asked[1:] == [f"https://get.pulumi.com/releases/plugins/{FILE}"]
    assert engine.contents == [CONTENT]


@each(
    "mirrors, address",
    [
        ("^github://=https://m.example/p/", "https://m.example/p"),
        ("^x=https://no.example,^github://api.github.com/(?P<org>[^/]+)/=https://m.example/${org}", ".../pulumi"),
        (
            "github://(.*)=https://m.example/$1/${VERSION}",
            f".../api.github.com/pulumi/pulumi-random/{version('random')}",
        ),
    ],
)
def test_mirror_of_the_engine_s_user_is_asked_instead_and_verified_too(root: Path, mirrors: str, address: str) -> None:
    network = Network(b"of the mirror")
    environ = {"PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": mirrors}
    with pytest.raises(InstallationError, match="expected SHA-256"):
        install_plugins(
            Engine().run, ["random"], lambda line: None, root=root, environ=environ, download=network.download
        )
    assert network.asked == [f"{address.replace('...', 'https://m.example')}/{FILE}"]


def test_mirror_with_a_wrong_pattern_is_named(root: Path) -> None:
    environ = {"PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": "(=https://m.example"}
    with pytest.raises(InstallationError, match="PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES: expected regular expressions"):
        install_plugins(
            Engine().run, ["random"], lambda line: None, root=root, environ=environ, download=Network().download
        )


def test_where_only_pinned_plugins_may_run_one_that_is_not_stops_all(root: Path) -> None:
    engine, network = Engine(), Network()
    with pytest.raises(
        InstallationError, match=rf"{LOCK}: expected a line for .*kubernetes\S+, found none. Fix: make pin"
    ):
        install_plugins(
            engine.run,
            ["random", "kubernetes"],
            lambda line: None,
            unverified=False,
            root=root,
            download=network.download,
        )
    assert engine.commands == []
    assert network.asked == []
    install_plugins(
        engine.run, ["random"], lambda line: None, unverified=False, root=root, environ={}, download=network.download
    )
    assert engine.contents == [CONTENT]


@each("line", ["x", "", f"{'0' * 63}  {FILE}", f"{'0' * 64} {FILE}", f"{'A' * 64}  {FILE}", f"{'0' * 64}  a b"])
def test_line_of_the_lock_that_pins_nothing_is_refused(root: Path, line: str) -> None:
    with (root / LOCK).open("a") as lock:
        lock.write(f"{line}\n")
    with pytest.raises(InstallationError, match=f"{LOCK}, line 3: expected a SHA-256"):
        pinned(root)


def test_aws_is_fetched_for_a_stack_that_is_there_and_for_no_other() -> None:
    assert AWS not in plugins_of(settings.read_files(samples.ROOT, "dev")[0])
    assert AWS in plugins_of(settings.read_files(samples.ROOT, "prod")[0])


def test_a_look_at_the_engines_folder_says_what_is_missing(tmp_path: Path) -> None:
    environ = {"PULUMI_HOME": str(tmp_path)}
    assert missing(PLUGINS, environ) == PLUGINS
    for name in PLUGINS:
        (tmp_path / "plugins" / f"resource-{name}-v{metadata.version(f'pulumi-{name}')}").mkdir(parents=True)
    assert missing(PLUGINS, environ) == ()
    half = tmp_path / "plugins" / f"resource-random-v{metadata.version('pulumi-random')}.partial"
    half.touch()
    assert missing(PLUGINS, environ) == ("random",), "its installation was interrupted"
    assert missing((AWS,), environ) == (AWS,)


def test_engine_waits_for_many_things_at_once_unless_its_user_says_how_many() -> None:
    assert int(environment({})[PARALLEL]) >= 32
    assert environment({PARALLEL: "3"})[PARALLEL] == "3"
    assert environment({PARALLEL: ""})[PARALLEL] == environment({})[PARALLEL]


def test_mirror_with_a_login_is_refused_and_not_shown(root: Path) -> None:
    """Python's downloads take no login from an address, and would repeat it in an error of their own."""
    environ = {"PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": ".*=https://u:sentinel@m.example"}
    network = Network()
    with pytest.raises(InstallationError, match="expected mirrors without a login") as refused:
        install_plugins(
            Engine().run, ["random"], lambda line: None, root=root, environ=environ, download=network.download
        )
    assert "sentinel" not in str(refused.value)
