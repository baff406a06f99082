"""What holds a secret or a login shows neither where it is printed: in a debugger, a log, a traceback with values."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import automation
import components
import settings
from automation.plan.run import Request
from automation.plan.stand_ins import PlanConfig
from automation.stacks.config import EnvironmentSettings
from automation.stacks.place import Place
from components.release.helm_record import Revision
from tests import samples
from tests.automation.fakes import SETTINGS

S: Final = "sentinel-5f1c9a3be7"
KUBECONFIG: Final = f"apiVersion: v1\nusers: [{{name: a, user: {{token: {S}}}}}]\n"
MAY_HOLD: Final = frozenset({"environ", "env", "helm_values", "kubeconfig", "password", "secrets"})
"""Names of fields that hold the variables of a process, a team's own values, a kubeconfig or a secret."""
HOLDS_NONE: Final = {
    # Names of Secrets, paths of kubeconfigs, variables that refer to a Secret.
    *("StackConfig.kubeconfig", "TaskPodAdmissionArgs.secrets"),
}


def dataclasses_of_the_program() -> Iterator[type[Any]]:
    for package in (automation, components, settings):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "in_image" in found.name or found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for item in vars(module).values():
                if isinstance(item, type) and dataclasses.is_dataclass(item) and item.__module__ == found.name:
                    yield item


def test_fields_that_may_hold_a_secret_are_shown_by_nothing() -> None:
    shown = {
        f"{item.__name__}.{field.name}: {field.type}"
        for item in dataclasses_of_the_program()
        if "__repr__" not in vars(item) or getattr(item.__repr__, "__wrapped__", None)
        for field in dataclasses.fields(item)
        if field.name in MAY_HOLD and field.repr and "Secret" not in str(field.type)
    }
    assert sorted(name for name in shown if name.partition(":")[0] not in HOLDS_NONE) == []


def everything(tmp_path: Path) -> list[Any]:
    return [
        Place(
            project_dir=tmp_path,
            folder=automation.folder.LocalFolder(tmp_path),
            backend=f"postgres://me:{S}@host/states",
            environ={"AWS_SECRET_ACCESS_KEY": S},
        ),
        Request(stack="dev", secrets={"fernetKey": S}),
        PlanConfig(values={"airflow:fernetKey": S}, secret_keys=frozenset({"airflow:fernetKey"}), placeholders=()),
        Revision(secret="a", number=1, status="deployed", values={"token": S}, content={"config": {"token": S}}),
        EnvironmentSettings.of("dev", {**SETTINGS, "helmValues": {"env": [{"name": "OWN", "value": S}]}}),
        dataclasses.replace(samples.dev().parse().platform, kubeconfig=KUBECONFIG, helm_values={"token": S}),
    ]


def test_no_representation_shows_a_secret(tmp_path: Path) -> None:
    for item in everything(tmp_path):
        for text in (repr(item), str(item), f"{item}", f"{[item]}"):
            assert S not in text, type(item).__name__


@pytest.mark.parametrize("kind", [Place, Request])
def test_what_is_no_secret_is_shown(kind: type[Any], tmp_path: Path) -> None:
    [item] = [found for found in everything(tmp_path) if isinstance(found, kind)]
    assert any(text in repr(item) for text in (str(tmp_path), "dev"))
