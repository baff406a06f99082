"""Which names Kubernetes takes."""

from __future__ import annotations

from components.kube.names import LABEL_VALUE, VARIABLE_NAME, qualified


def test_names_of_variables() -> None:
    for name in ("PATH", "_a", "my.app-name", "-x", "A1"):
        assert VARIABLE_NAME.fullmatch(name), name
    for name in ("", "1A", "A B", "A ", "A=B", "Ä"):
        assert not VARIABLE_NAME.fullmatch(name), name


def test_values_of_labels() -> None:
    for value in ("", "a", "A_b.c-9", "x" * 63):
        assert LABEL_VALUE.fullmatch(value), value
    for value in ("-a", "a-", ".", "a/b", "a b", "x" * 64, "ü"):
        assert not LABEL_VALUE.fullmatch(value), value


def test_names_of_labels() -> None:
    for name in ("a", "A_b.c-9", "x" * 63, "example.com/pool", f"{'a.' * 126}a/b"):
        assert qualified(name), name
    for name in ("", "-a", "a/", "/a", "a/b/c", "a..b/c", "Example.com/a", "x" * 64, f"{'a.' * 127}a/b", "a b"):
        assert not qualified(name), name
