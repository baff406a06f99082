"""Which process of xdist runs which tests: those that share something in one, and what takes longest first."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

_LONGEST: Final = (
    "programs",
    "tests/aws",
    "tests/components/monitoring/test_alerts.py",
    "tests/test_no_output_shows_a_secret.py",
    "tests/automation/plan/test_whole_plans.py",
    "tests/test_reported_cases.py",
)
"""What takes seconds, longest first. Begun late, it would run while all other processes have ended."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, which then makes once what they share; and all that use the cluster.

    The tests of an engine share nothing and take long, so each goes where there is room. xdist's own groups have no
    effect with pytest 9.2: xdist 3.8 writes an attribute that pytest no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneAfterTheOther(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
            """Forget a group that is done. xdist counts for each event what is left in all groups that it gave out."""
            super().mark_test_complete(node, item_index, duration)
            group = _group(self.registered_collections[node][item_index])
            if all(self.assigned_work[node].get(group, {}).values()):
                self.assigned_work[node].pop(group, None)

    config.option.loadscopereorder = False
    return OneAfterTheOther(config, log) if config.getvalue("dist") in ("load", "loadgroup") else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let xdist begin with what takes longest, and go on with the groups that have the most tests."""
    if not hasattr(config, "workerinput"):
        return
    sizes = Counter(_group(item.nodeid) for item in items)

    def place(item: pytest.Item) -> tuple[int, int]:
        group = _group(item.nodeid)
        return _LONGEST.index(group) if group in _LONGEST else len(_LONGEST), -sizes[group]

    items.sort(key=place)


def _group(nodeid: str) -> str:
    return _shared_by(nodeid.partition("::")[0]) or nodeid


@functools.cache
def _shared_by(file: str) -> str:
    """Return what the tests of a file share.

    The cluster, Checkov's findings, runs of the shipped stacks, what the file makes, or nothing ("").
    """
    text = (Path(__file__).parents[1] / file).read_text()
    if file.startswith("tests/aws/"):
        return "tests/aws"
    if "registered: Callable" in text or "recorded: Recorded" in text:
        return "programs"
    return "cluster" if "mark.cluster" in text else "" if "mark.engine" in text and "mark.aws" not in text else file
