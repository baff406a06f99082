"""The loader of YAML makes plain values alone, and is the fast one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.kube.safe_yaml import SafeLoader, load_all_yaml, load_yaml


def test_text_makes_no_object_and_calls_nothing(tmp_path: Path) -> None:
    """A kubeconfig, a release's manifest and a stack's file may come from somebody else."""
    made = tmp_path / "made"
    for tag in ("python/object/apply:os.mkdir", "python/object/new:os.mkdir"):
        for load in (load_yaml, load_all_yaml):
            with pytest.raises(yaml.YAMLError):
                load(f"a: !!{tag} ['{made}']")
    assert not made.exists()


def test_documents_are_plain_values_and_the_empty_ones_are_left_out() -> None:
    assert load_yaml("a: [1, x, null]") == {"a": [1, "x", None]}
    assert load_yaml("") is None
    assert load_all_yaml("a: 1\n---\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="this build of PyYAML has no libyaml")
def test_the_loader_is_the_one_in_c() -> None:
    assert SafeLoader is yaml.CSafeLoader
