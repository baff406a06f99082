"""Each reported case gives today what its file says: it takes effect, or is refused with a way that works.

Only the objects of the chart need the `helm` command; what is refused, and what the program registers, is seen without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

from components.kube.safe_yaml import load_yaml
from tests import samples
from tests.chart import rendering
from tests.policy.programs import certificate

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Registered = Callable[[samples.StackConfig], Recorder]

FOLDER: Final = samples.ROOT / "tests" / "reported"
CASES: Final = {path.stem: load_yaml(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("B*.yaml"))}
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
REGISTERED: Final = (
    *(
        "CustomResource",
        "Job",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "PodIdentityAssociation",
    ),
    *("RoleBinding", "RolePolicyAttachment", "ScaledObject", "Secret"),
)
"""Kinds that the program registers itself; the others are the chart's."""


def config(case: Mapping[str, Any], changes: Mapping[str, Any]) -> samples.StackConfig:
    base = samples.prod() if case["base"] == "prod" else samples.external()
    defaults = samples.schema()
    given = {key: defaults[key]["default"] if value is None else filled(value) for key, value in changes.items()}
    return base.with_(given, case.get("secrets"))


def filled(value: Any) -> Any:
    """A value with what the files leave out, because it would be long."""
    if value == "CA_CERTIFICATE":
        return certificate()
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsABgH5C9okWi0dh2l9GKJl"
    return re.sub(r"KNOWN_HOSTS (\S+)", rf"\1 {key}", value) if isinstance(value, str) else value


def matches(found: Any, expected: Any) -> bool:
    """Whether what is found has all that is expected, at any depth."""
    if isinstance(expected, Mapping) and {"has", "lacks"} & expected.keys():
        has, lacks = (
            [texts] if isinstance(texts, str) else texts
            for texts in (expected.get("has", []), expected.get("lacks", []))
        )
        return found is not None and all(text in found for text in has) and all(text not in found for text in lacks)
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(matches(found.get(key), value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(found, list) and all(any(matches(item, value) for item in found) for value in expected)
    return bool(expected is None or found == expected)


def check_objects(recorder: Recorder, expected: Mapping[str, Any]) -> None:
    for name, part in expected.items():
        kind, _, rest = name.partition("/")
        if kind in REGISTERED:
            found = [item.revealed for item in recorder.every() if item.type.endswith(f":{kind}") and item.name == rest]
        elif rendering.HELM is None or rendering.CHART is None:
            continue
        else:
            rendered = rendering.objects(recorder.one(RELEASE).revealed["values"])
            found = [item for item in rendering.of_kind(rendered, kind) if item["metadata"]["name"] == rest]
        assert found, name
        assert matches(found[0], part), (name, part)


def test_all_reported_cases_are_there() -> None:
    assert len(CASES) == 31
    assert all(case["gives"].keys() <= {"refused", "way", "objects", "chart_fails"} for case in CASES.values())


@pytest.mark.parametrize("name", CASES)
def test_case_gives_what_its_file_says(name: str, registered: Registered) -> None:
    case = CASES[name]
    gives, given = case["gives"], config(case, case["changes"])
    problems = given.problems()
    for text in gives.get("refused", ()):
        assert any(text in problem for problem in problems), problems
    if "refused" not in gives:
        assert problems == ()
    if "objects" in gives:
        check_objects(registered(given), gives["objects"])
    if "way" in gives:
        way = config(case, gives["way"]["changes"])
        assert way.problems() == ()
        check_objects(registered(way), gives["way"]["objects"])
    if "chart_fails" in gives and rendering.HELM is not None and rendering.CHART is not None:
        with pytest.raises(AssertionError, match=re.escape(gives["chart_fails"])):
            rendering.manifest(registered(given).one(RELEASE).revealed["values"])
