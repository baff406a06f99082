"""The source of a stack that is not deployed: its plan, with stable names in place of generated ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import outputs
import versions
from automation.helmsman.source import SECRET_TYPE, ExportedStack, NotExportable, is_beside_release, source_of
from automation.plan.model import Plan
from components.secrets.encodings import texts

_ENDING: Final = "-[0-9a-f]{8}"
"""What the recorder and Pulumi put behind a generated name."""


def from_plan(plan: Plan) -> ExportedStack:
    """Return the source of a stack that is not deployed. Generated names lose their random end.

    Args:
        plan: A plan with digests in its masks (`plan_checkout` with a key).

    Raises:
        NotExportable: There is no plan, or the values hold a secret.
    """
    if plan.failure is not None or plan.release is None:
        reason = plan.failure.text if plan.failure is not None else "the program has no release of the chart"
        raise NotExportable(
            f"stack {plan.stack} cannot be planned: {reason}", f"python -m automation plan {plan.stack}"
        )
    kubernetes = [item for item in plan.resources if is_beside_release(item.type) and not item.component]
    nameless = (item.name for item in kubernetes if not (item.inputs.get("metadata") or {}).get("name"))
    generated = _names(nameless, ends=r"(?![\w.-])")
    beside = [replace(item, inputs=_renamed(item.inputs, generated)) for item in kubernetes]
    release = _renamed(plan.release.inputs, generated)
    of_aws = _names((item.name for item in plan.resources if item.type.startswith("aws:")), ends=r"(?![\w-])")
    contents = [release.get("values") or {}, *(item.inputs for item in beside if item.type != SECRET_TYPE)]
    made_up = {f"the name {match[0]}" for text in texts(contents) for match in of_aws.finditer(text)}
    return source_of(
        stack=plan.stack,
        deployed=False,
        release=release,
        chart_version=versions.AIRFLOW_CHART,
        kube_context=plan.outputs.get(outputs.KUBE_CONTEXT),
        beside=beside,
        made_up=(*plan.stand_ins, *sorted(made_up)),
    )


def _names(logical: Iterable[str], *, ends: str) -> re.Pattern[str]:
    """Return a pattern of the names that are generated from these logical names. ends: what must follow one."""
    longest_first = sorted(set(logical), key=len, reverse=True)
    alternatives = "|".join(map(re.escape, longest_first)) or "(?!)"
    return re.compile(rf"(?<![\w.-])({alternatives}){_ENDING}{ends}")


def _renamed(value: Any, generated: re.Pattern[str]) -> Any:
    """Return a value with each generated name as its logical one."""
    if isinstance(value, Mapping):
        return {key: _renamed(item, generated) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(item, generated) for item in value]
    return generated.sub(r"\1", value) if isinstance(value, str) else value
