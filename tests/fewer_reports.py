"""Pytest hooks: a process of xdist tells the first one how each test ended, and not that it began and cleaned up well.

Each report is taken apart, sent and put together again, which takes longer than a small test.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

_NOTHING: Final = "tells nothing"


@pytest.hookimpl(tryfirst=True)
def pytest_report_to_serializable(config: pytest.Config, report: object) -> dict[str, Any] | None:
    """Take no report apart that nobody reads: times of each part and JUnit's file are made of all of them."""
    if not hasattr(config, "workerinput") or not isinstance(report, pytest.TestReport):
        return None
    read = config.option.durations is not None or config.option.xmlpath
    return None if read or report.when == "call" or not report.passed else {_NOTHING: True}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Send no such report. The class has no module from which it could be imported here."""
    for plugin in session.config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            plugin.sendevent = _sending(plugin.sendevent)


def _sending(send: Any) -> Any:
    def sendevent(name: str, **told: Any) -> None:
        if name != "testreport" or _NOTHING not in told["data"]:
            send(name, **told)

    return sendevent
