"""What is recorded of releases is whole: known without an engine, which the previews of those states need."""

from __future__ import annotations

import json
import re

from tests.upgrade.releases import STACKS, STATES


def test_each_release_is_a_commit_with_a_state_of_each_stack() -> None:
    releases = list(STATES.iterdir())
    assert releases
    for release in releases:
        assert re.fullmatch(r"[0-9a-f]{7,40}", release.name), release.name
        assert {path.name for path in release.iterdir()} == {f"{name}.json" for name in STACKS}, release.name
        for path in release.iterdir():
            recorded = json.loads(path.read_text())
            assert set(recorded) == {"file", "network", "deployment"}, path
            assert recorded["deployment"]["resources"], path
