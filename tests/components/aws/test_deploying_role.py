"""An action that is missing is found in the policies of the documentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.aws import deploying_role
from components.aws.deploying_role import statements_for

ROLE = "arn:aws:iam::123456789012:role/airflow-task-logs-0123abc"


def test_every_action_of_every_policy_is_found_in_it() -> None:
    for path in sorted((Path(deploying_role.__file__).parents[2] / "docs").glob("deploying-role*.json")):
        if path.name == "deploying-role-boundary.json":
            continue  # it gives nothing
        for statement in json.loads(path.read_text())["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                assert f"docs/{path.name}" in statements_for(action)
                assert statement["Sid"] in statements_for(action)


def test_of_several_statements_those_for_the_resource_are_named() -> None:
    assert statements_for("iam:PassRole", ROLE) == "statement PodRoles of docs/deploying-role.json"
    both = statements_for("iam:PassRole")
    assert "PodRoles of docs/deploying-role.json" in both
    assert "MonitoringRole of docs/deploying-role-database.json" in both


def test_a_resource_that_no_statement_is_for_does_not_hide_them() -> None:
    assert statements_for("iam:PassRole", "arn:aws:iam::123456789012:role/other") == statements_for("iam:PassRole")


def test_what_no_policy_gives_is_in_no_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert statements_for("iam:DeleteUser") == ""
    monkeypatch.setattr(deploying_role, "_FOLDER", tmp_path)
    deploying_role._statements.cache_clear()
    try:
        assert statements_for("iam:PassRole") == "", "a checkout without docs/"
    finally:
        deploying_role._statements.cache_clear()
