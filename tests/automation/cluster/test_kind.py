"""Which cluster a local stack gets, and which one is deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import versions
from automation.cluster import kind, tools
from automation.cluster.client import kubeconfig_file
from automation.cluster.kind import Cluster, ensure_cluster
from automation.errors import ClusterUnreachable, ToolMissing

CONTEXT = "kind-airflow"
Script = Callable[[str, str], None]


@pytest.fixture
def identities(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What answers, by context; a cluster that Kind makes answers from then on."""
    found: dict[str, str] = {}

    def cluster_identity(context: str, *, kubeconfig_path: str | None = None) -> str:
        if (made := Path(os.environ["FAKE"]) / "made").exists():
            found[f"kind-{made.read_text().strip()}"] = "uid-of-new"
        if context not in found:
            raise ClusterUnreachable(f"context {context} does not answer", "look")
        return found[context]

    monkeypatch.setattr(kind, "cluster_identity", cluster_identity)
    return found


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Makes a program on PATH; each call of one is a line in the file `calls`. No other program is found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("FAKE", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("KIND_EXPERIMENTAL_PROVIDER", raising=False)

    def make(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> "$FAKE/calls"\n{script}\n')
        path.chmod(0o755)

    return make


KIND = """
case "$1 $2" in
  "get clusters") if [ -e "$FAKE/clusters" ]; then echo "$(<"$FAKE/clusters")"; fi;;
  "create cluster") echo "$4" > "$FAKE/made";;
esac
"""


def calls(tmp_path: Path) -> list[str]:
    path = tmp_path / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_broken_kubeconfig_is_told_whatever_makes_the_context(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    (tmp_path / "kubeconfig").write_text("{")
    for context in (CONTEXT, "k3d-airflow", "minikube", "prod"):
        with pytest.raises(ClusterUnreachable, match=r"expected a file of YAML .* Fix: restore it"):
            ensure_cluster(tmp_path, context)


def test_cluster_that_answers_is_used_as_it_is_without_any_tool(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    identities[CONTEXT] = "uid-1"
    assert ensure_cluster(tmp_path, CONTEXT) == Cluster(CONTEXT, created=False, identity="uid-1")
    assert calls(tmp_path) == []
    assert kind.created_cluster(tmp_path) is None


def test_cluster_that_is_not_of_this_machine_is_used_only_by_its_name_and_said(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    identities.update({"shared": "uid-1", "k3d-x": "uid-2"})
    lines: list[str] = []
    for context, server, said in (
        ("shared", "https://api.example.com:6443", ["context shared leads to a cluster at api.example.com"]),
        ("k3d-x", "https://0.0.0.0:40001", []),
    ):
        write_kubeconfig(tmp_path / "kubeconfig", context, server)
        ensure_cluster(tmp_path, context, on_line=lines.append)
        assert [line.partition(", not on")[0] for line in lines] == said
        lines.clear()


def test_missing_kind_cluster_is_made_with_the_pinned_image_and_remembered(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    programs("docker", "")
    lines: list[str] = []
    made = ensure_cluster(tmp_path, CONTEXT, on_line=lines.append)
    assert made == Cluster(CONTEXT, created=True, identity="uid-of-new")
    assert calls(tmp_path) == [
        "docker info",
        "kind get clusters",
        f"kind create cluster --name airflow --image {versions.KIND_NODE_IMAGE} --wait 180s",
    ]
    assert json.loads((tmp_path / ".dev" / "cluster").read_text()) == {"context": CONTEXT, "uid": "uid-of-new"}
    assert versions.KIND_NODE_IMAGE in lines[0]
    assert ensure_cluster(tmp_path, CONTEXT).created is False


def test_step_of_kind_that_takes_long_is_said_again(
    tmp_path: Path, identities: dict[str, str], programs: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node image is 400 MB, and Kind says nothing while it is pulled."""
    told = tmp_path / "told"
    pulls = f'echo " • Ensuring node image (x) ..." >&2; until [ -e {told} ]; do :; done\n'
    programs("kind", f'[ "$1" = create ] && {{ {pulls} }}\n{KIND}')
    programs("docker", "")
    monkeypatch.setattr(kind, "_REMIND_SECONDS", 0.02)
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        if "still" in line:
            told.touch()

    ensure_cluster(tmp_path, CONTEXT, on_line=on_line)
    assert lines[1:3] == ["Kind: Ensuring node image (x) ...", "Kind: still Ensuring node image (x) ... (0 s)"]


def test_kubeconfig_of_the_config_is_where_kind_writes(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    programs("docker", "")
    ensure_cluster(tmp_path, CONTEXT, kubeconfig_path=str(tmp_path / "own"))
    assert calls(tmp_path)[-1].endswith(f"--kubeconfig {tmp_path / 'own'}")


def test_context_that_is_not_kinds_is_never_made(tmp_path: Path, identities: dict[str, str], programs: Script) -> None:
    programs("kind", KIND)
    programs("docker", "")
    with pytest.raises(ClusterUnreachable):
        ensure_cluster(tmp_path, "prod-cluster")
    assert calls(tmp_path) == []


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ({}, ["kind is not on PATH", "docker is not on PATH"]),
        ({"kind": KIND}, ["docker is not on PATH"]),
        ({"docker": ""}, ["kind is not on PATH"]),
        (
            {"kind": KIND, "docker": "echo 'Cannot connect to the Docker daemon' >&2; exit 1"},
            ["docker is installed but its engine does not answer (Cannot connect to the Docker daemon)"],
        ),
    ],
    ids=["both", "docker", "kind", "daemon"],
)
def test_each_missing_tool_is_named_with_why_and_how(
    tmp_path: Path, identities: dict[str, str], programs: Script, there: dict[str, str], missing: list[str]
) -> None:
    for name, script in there.items():
        programs(name, script)
    with pytest.raises(ToolMissing) as raised:
        ensure_cluster(tmp_path, CONTEXT)
    lines = [line for line in str(raised.value).splitlines() if not line.startswith(" ")]
    assert len(lines) == len(missing)
    for line, what in zip(lines, missing, strict=True):
        assert line.startswith(what)
        assert ". Fix: " in line
    assert not any(call.startswith("kind create") for call in calls(tmp_path))


def test_user_who_may_not_use_docker_is_told_how_to_get_the_right(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    programs("docker", "echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1")
    with pytest.raises(ToolMissing, match=r"Fix: let your user use it .*usermod -aG docker"):
        ensure_cluster(tmp_path, CONTEXT)


def test_without_kind_the_error_ends_with_the_ways_on(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("docker", "")
    programs("k3d", "")
    write_kubeconfig(tmp_path / "kubeconfig", "orbstack", "https://127.0.0.1:26443")
    with pytest.raises(ToolMissing) as raised:
        ensure_cluster(tmp_path, CONTEXT)
    assert str(raised.value).splitlines()[1:] == [
        "  or go on without it:",
        "    k3d is installed: k3d cluster create airflow && make dev CONTEXT=k3d-airflow",
        "    OrbStack has the context orbstack: make dev CONTEXT=orbstack",
        "    another cluster: make dev CONTEXT=NAME, with a name that kubectl config get-contexts shows",
    ]
    assert calls(tmp_path) == ["docker info"]


def test_cluster_that_does_not_answer_is_no_way_on_but_is_told(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    write_kubeconfig(tmp_path / "kubeconfig", CONTEXT, "https://127.0.0.1:26443")
    with pytest.raises(ToolMissing) as raised:
        ensure_cluster(tmp_path, CONTEXT)
    assert str(raised.value).splitlines()[2:] == [
        "  or go on without it:",
        f"    context {CONTEXT} does not answer: start it, then make dev",
        "    another cluster: make dev CONTEXT=NAME, with a name that kubectl config get-contexts shows",
    ]


def test_local_cluster_that_does_not_answer_is_told_with_what_starts_or_makes_it(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    with pytest.raises(ClusterUnreachable, match="Fix: k3d cluster create mine && make dev CONTEXT=k3d-mine"):
        ensure_cluster(tmp_path, "k3d-mine")
    write_kubeconfig(tmp_path / "kubeconfig", "k3d-mine", "https://127.0.0.1:1")
    with pytest.raises(ClusterUnreachable, match="Fix: k3d cluster start mine && make dev CONTEXT=k3d-mine"):
        ensure_cluster(tmp_path, "k3d-mine")


def test_steps_of_kind_are_told_as_they_begin_and_other_work_begins_before_them(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("docker", "")
    say = "echo ' • Ensuring node image (kindest/node:v1) 🖼  ...' >&2; echo ' ✓ Ensuring node image' >&2"
    programs("kind", f'[ "$1" = get ] && exit\n{say}\necho "$4" > "$FAKE/made"')
    lines: list[str] = []
    ensure_cluster(
        tmp_path,
        CONTEXT,
        on_line=lines.append,
        before_making=lambda: lines.append("begun"),
        on_node=lambda: lines.append("node"),
    )
    assert lines[0] == "begun"
    assert lines[-1] == "node", "a Kind that names its steps otherwise"
    assert [line for line in lines if line.startswith("Kind: ")] == [
        "Kind: Ensuring node image (kindest/node:v1) 🖼  ..."
    ]


def test_node_is_told_once_before_the_cluster_is_ready(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("docker", "")
    say = "echo ' • Starting control-plane' >&2; echo ' ✓ Starting control-plane' >&2; echo ' • Installing CNI' >&2"
    programs("kind", f'[ "$1" = get ] && exit\n{say}\necho "$4" > "$FAKE/made"')
    lines: list[str] = []
    ensure_cluster(tmp_path, CONTEXT, on_line=lines.append, on_node=lambda: lines.append("node"))
    assert lines[1:] == ["Kind: Starting control-plane", "node", "Kind: Installing CNI"]


def test_line_for_a_missing_tool_says_what_why_and_how() -> None:
    with pytest.raises(ToolMissing) as raised:
        tools.require("kind", kind="1.2.3")
    assert "it makes the local cluster" in str(raised.value)
    assert "https://kind.sigs.k8s.io/" in str(raised.value)
    assert "kind@v1.2.3" in str(raised.value)


def test_another_container_engine_of_kind_is_asked_instead_of_docker(
    tmp_path: Path, identities: dict[str, str], programs: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    programs("kind", KIND)
    programs("podman", "")
    assert ensure_cluster(tmp_path, CONTEXT).created
    assert calls(tmp_path)[0] == "podman info"


def test_cluster_that_is_there_but_stopped_is_not_made_again(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    programs("docker", "")
    (tmp_path / "clusters").write_text("airflow\n")
    with pytest.raises(ClusterUnreachable, match="docker start airflow-control-plane"):
        ensure_cluster(tmp_path, CONTEXT)
    assert not (tmp_path / "made").exists()


def test_context_of_a_cluster_elsewhere_is_not_taken_over(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    programs("docker", "")
    write_kubeconfig(tmp_path / "kubeconfig", CONTEXT, "https://far.example:6443")
    with pytest.raises(ClusterUnreachable, match=r"at far\.example"):
        ensure_cluster(tmp_path, CONTEXT)
    write_kubeconfig(tmp_path / "kubeconfig", CONTEXT, "https://127.0.0.1:40001")
    assert ensure_cluster(tmp_path, CONTEXT).created, "what an earlier Kind left behind is replaced"


def test_kubeconfig_that_cannot_be_read_is_told_before_kind_makes_anything(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    programs("docker", "")
    (tmp_path / "kubeconfig").write_text("users: [{token: sentinel")
    with pytest.raises(ClusterUnreachable, match="expected a file of YAML that is a map, found no YAML") as raised:
        ensure_cluster(tmp_path, CONTEXT)
    assert "sentinel" not in str(raised.value)
    assert calls(tmp_path) == []
    (tmp_path / "kubeconfig").write_text("")
    assert ensure_cluster(tmp_path, CONTEXT).created, "an empty one is what Kind fills"


def test_kind_that_fails_is_one_line_with_its_reason(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("docker", "")
    programs(
        "kind", '[ "$1" = get ] && exit; echo "ERROR: failed to create cluster: no room" >&2; echo more >&2; exit 1'
    )
    with pytest.raises(ClusterUnreachable, match=r"kind create cluster failed \(ERROR: failed .* no room\)"):
        ensure_cluster(tmp_path, CONTEXT)
    assert kind.created_cluster(tmp_path) is None


def made_here(tmp_path: Path, uid: str = "uid-1") -> None:
    (tmp_path / ".dev").mkdir()
    (tmp_path / ".dev" / "cluster").write_text(json.dumps({"context": CONTEXT, "uid": uid}))


def test_cluster_that_was_made_here_is_deleted(tmp_path: Path, identities: dict[str, str], programs: Script) -> None:
    programs("kind", KIND)
    made_here(tmp_path)
    identities[CONTEXT] = "uid-1"
    assert kind.delete_cluster(tmp_path)
    assert calls(tmp_path) == ["kind delete cluster --name airflow"]
    assert kind.created_cluster(tmp_path) is None


def test_cluster_that_was_not_made_here_is_left_alone(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    identities[CONTEXT] = "uid-1"
    assert not kind.delete_cluster(tmp_path)
    assert calls(tmp_path) == []


def test_another_cluster_of_the_same_name_is_left_alone(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    """Somebody deleted ours and made another: it is not this checkout's to delete."""
    programs("kind", KIND)
    made_here(tmp_path, "uid-1")
    identities[CONTEXT] = "uid-2"
    assert not kind.delete_cluster(tmp_path)
    assert calls(tmp_path) == []
    assert kind.created_cluster(tmp_path) is None, "the mark tells of a cluster that is no more"


def test_cluster_that_cannot_be_told_apart_is_left_alone(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    (tmp_path / "clusters").write_text("airflow\n")
    made_here(tmp_path)
    with pytest.raises(ClusterUnreachable, match="kind delete cluster --name airflow"):
        kind.delete_cluster(tmp_path)
    assert calls(tmp_path) == ["kind get clusters"]
    assert kind.created_cluster(tmp_path) == CONTEXT


def test_cluster_that_is_already_gone_leaves_no_mark(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    programs("kind", KIND)
    made_here(tmp_path)
    assert kind.is_gone(tmp_path, CONTEXT)
    assert not kind.delete_cluster(tmp_path)
    assert kind.created_cluster(tmp_path) is None


def test_only_a_cluster_that_was_made_here_can_be_known_to_be_gone(
    tmp_path: Path, identities: dict[str, str], programs: Script
) -> None:
    """Another one may only be out of reach for now."""
    programs("kind", KIND)
    assert not kind.is_gone(tmp_path, CONTEXT)
    made_here(tmp_path)
    assert not kind.is_gone(tmp_path, "kind-other")
    identities[CONTEXT] = "uid-1"
    assert not kind.is_gone(tmp_path, CONTEXT)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"context": "x"}'])
def test_mark_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ".dev").mkdir()
    (tmp_path / ".dev" / "cluster").write_text(text)
    assert kind.created_cluster(tmp_path) is None


def write_kubeconfig(path: Path, context: str, server: str) -> None:
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )


def test_kubeconfig_is_the_given_one_else_the_variable_else_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert kubeconfig_file("~/x", {"KUBECONFIG": "/y"}) == "/home/somebody/x"
    assert kubeconfig_file(None, {"KUBECONFIG": "/y:~/z"}) == "/y:/home/somebody/z"
    assert kubeconfig_file(None, {}) == "/home/somebody/.kube/config"
    assert kubeconfig_file(None, {"KUBECONFIG": ""}) == "/home/somebody/.kube/config"
