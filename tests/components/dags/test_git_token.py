"""The token of a private HTTPS repository, in the Secret that the chart reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from components.dags.git_token import GitToken, GitTokenArgs
from components.kube.secret import Secret

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


def test_secret_has_the_four_keys_of_which_none_may_be_missing(record: Record) -> None:
    args = GitTokenArgs(namespace="ns", username="robot", token=Secret("sentinel"))
    recorder = record(lambda: GitToken("token", args))
    assert recorder.secret_data("token") == {
        "GIT_SYNC_USERNAME": "robot",
        "GITSYNC_USERNAME": "robot",
        "GIT_SYNC_PASSWORD": "sentinel",
        "GITSYNC_PASSWORD": "sentinel",
    }
    assert all("sentinel" not in resource.plain_text for resource in recorder.every())
    assert recorder.outputs[recorder.one("airflow:index:GitToken").urn]["secret"].startswith("token-")
