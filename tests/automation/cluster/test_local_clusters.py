"""Which ways to a local cluster are proposed, and with which commands."""

from __future__ import annotations

from automation.cluster.local_clusters import (
    EXECUTABLES,
    LOCAL_CLUSTERS,
    how_to_reach,
    how_to_start,
    is_near,
    load_command,
    local_cluster,
    ways_on,
)

HERE = "https://127.0.0.1:6443"
FAR = "https://api.example.com:6443"


def test_ways_on_are_what_is_installed_or_in_the_kubeconfig_and_another_cluster_last() -> None:
    cases: tuple[tuple[set[str], dict[str, str], list[str]], ...] = (
        (set(), {}, []),
        ({"kind", "docker"}, {}, []),
        ({"k3d", "docker"}, {}, ["k3d is installed: k3d cluster create airflow && make dev CONTEXT=k3d-airflow"]),
        ({"k3d"}, {}, []),
        ({"k3d"}, {"k3d-mine": "https://0.0.0.0:40001"}, ["k3d has the context k3d-mine: make dev CONTEXT=k3d-mine"]),
        ({"minikube"}, {}, ["minikube is installed: minikube start --cni calico && make dev CONTEXT=minikube"]),
        (
            {"minikube"},
            {"minikube": "https://192.168.49.2:8443"},
            ["minikube has the context minikube: make dev CONTEXT=minikube"],
        ),
        (
            {"docker-credential-desktop", "docker"},
            {},
            [
                "Docker Desktop is installed: turn Kubernetes on in the settings of Docker Desktop, "
                "then: make dev CONTEXT=docker-desktop"
            ],
        ),
        (
            {"docker"},
            {"docker-desktop": "https://kubernetes.docker.internal:6443", "orbstack": HERE},
            [
                "Docker Desktop has the context docker-desktop: make dev CONTEXT=docker-desktop",
                "OrbStack has the context orbstack: make dev CONTEXT=orbstack",
            ],
        ),
        (
            {"rdctl"},
            {},
            [
                "Rancher Desktop is installed: turn Kubernetes on in the settings of Rancher Desktop, "
                "then: make dev CONTEXT=rancher-desktop"
            ],
        ),
        ({"kind", "podman"}, {}, ["Kind can use podman: export KIND_EXPERIMENTAL_PROVIDER=podman && make dev"]),
        (set(), {"kind-other": HERE}, ["Kind has the context kind-other: make dev CONTEXT=kind-other"]),
    )
    for executables, contexts, wanted in cases:
        *ways, last = ways_on(executables, contexts)
        assert ways == wanted, (executables, contexts)
        assert "make dev CONTEXT=NAME" in last


def test_cluster_elsewhere_is_never_proposed_whatever_its_name() -> None:
    names = ("prod", "arn:aws:eks:eu-central-1:1:cluster/prod", "minikube", "k3d-airflow", "orbstack", "kind-airflow")
    assert len(ways_on(set(EXECUTABLES) - {"k3d", "minikube", "orb"}, dict.fromkeys(names, FAR))) == len(
        ways_on(set(EXECUTABLES) - {"k3d", "minikube", "orb"}, {})
    )
    assert len(ways_on((), {"prod": HERE})) == 1, "a tunnel may lead to it"


def test_context_with_characters_of_the_shell_is_quoted() -> None:
    assert ways_on((), {"k3d-a b": HERE})[0].endswith("make dev CONTEXT='k3d-a b'")


def test_stopped_cluster_is_started_and_a_missing_one_made() -> None:
    cases: tuple[tuple[str, set[str], str], ...] = (
        ("k3d-x", {"k3d-x"}, "k3d cluster start x && make dev CONTEXT=k3d-x"),
        ("k3d-x", set(), "k3d cluster create x && make dev CONTEXT=k3d-x"),
        ("minikube", {"minikube"}, "minikube start && make dev CONTEXT=minikube"),
        ("docker-desktop", {"docker-desktop"}, "start Docker Desktop, then: make dev CONTEXT=docker-desktop"),
        ("prod", {"prod"}, ""),
        ("minikube-2", {"minikube-2"}, ""),
        ("typo", {"orbstack", "kind-a"}, "make dev CONTEXT=NAME with a name that is there: kind-a, orbstack"),
        ("typo", set(), ""),
        ("k3d-a b", set(), "k3d cluster create 'a b' && make dev CONTEXT='k3d-a b'"),
    )
    for context, contexts, wanted in cases:
        assert how_to_reach(context, contexts) == wanted, context


def test_silent_cluster_is_started_and_only_that_of_kind_is_made() -> None:
    for context, contexts, wanted in (
        ("kind-airflow", {"kind-airflow"}, "docker start airflow-control-plane, and run this again"),
        ("minikube", {"minikube"}, "minikube start, and run this again"),
        ("kind-airflow", set[str](), "make dev makes it; if it exists, name its kubeconfig: export KUBECONFIG=FILE"),
        ("minikube", set[str](), ""),
        ("prod", {"prod"}, ""),
    ):
        assert how_to_start(context, contexts) == wanted, context


def test_image_is_copied_by_the_clusters_own_tool_or_seen_without_it() -> None:
    cases = (
        ("kind-airflow", "kind load docker-image a:1 --name airflow"),
        ("k3d-x", "k3d image import a:1 --cluster x"),
        ("minikube", "minikube image load a:1"),
        ("docker-desktop", ""),
        ("orbstack", ""),
        ("rancher-desktop", ""),
    )
    for context, wanted in cases:
        assert load_command(context, "a:1") == tuple(wanted.split()), context
    assert load_command("prod", "a:1") is None
    assert load_command("", "a:1") is None


def test_addresses_of_this_machine_are_near() -> None:
    for server, near in (
        (HERE, True),
        ("https://localhost:1", True),
        ("https://[::1]:6443", True),
        ("https://192.168.49.2:8443", True),
        ("https://8.8.8.8", False),
        (FAR, False),
        ("", False),
        ("nonsense", False),
    ):
        assert is_near(server) is near, server


def test_each_context_is_of_one_kind_of_cluster() -> None:
    for item in LOCAL_CLUSTERS:
        context = f"{item.context}x" if item.context.endswith("-") else item.context
        assert [other.title for other in LOCAL_CLUSTERS if other.has(context)] == [item.title]
        assert local_cluster(context) is item
