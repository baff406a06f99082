"""A wait that is hopeless ends with its reason, and the next update goes on from what it left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from automation import Event
from automation.engine.events import EventKind
from automation.errors import NotHealthy
from tests.cluster import service
from tests.cluster.harness import Repository

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-hopeless"
REFUSED: Final = "couldn't find remote ref no-such-branch"


def test_branch_that_does_not_exist_ends_the_first_update_and_the_next_one_goes_on(
    engine: None, api: Any, repository: Repository, tmp_path: Path
) -> None:
    environments, events = service.environments(tmp_path), list[Event]()
    # The preflight would find it out before the release.
    settings = service.settings("one", NAMESPACE, repository, dagsRef="no-such-branch", preflight="off")
    wrong = environments.open("one", settings)
    with service.removed(wrong, api, NAMESPACE):
        with pytest.raises(NotHealthy, match=rf"waiting cannot make this ready: .*{REFUSED}"):
            wrong.up(on_event=events.append)
        seen = [event.workload for event in events if event.kind is EventKind.WORKLOAD]
        reasons = {state.name: state.unready.short for state in seen if state is not None and state.unready is not None}
        assert reasons["airflow-dag-processor"] == f"git-sync-init: {REFUSED}"
        status = wrong.status()
        assert not status.running
        assert status.locks == ()
        assert [text for text in status.problems if text.startswith("Deployment airflow-worker") and REFUSED in text]
        before = service.own_secrets(api, NAMESPACE)

        right = environments.open("one", service.settings("one", NAMESPACE, repository))
        right.up()
        assert right.status().problems == ()
        assert service.own_secrets(api, NAMESPACE) == before
        assert not right.preview().changes.any
        events.clear()
        right.destroy(remove=True, on_event=events.append)
        assert any("stopping airflow-worker" in event.text for event in events)
