"""All rules. Each module holds those of one topic; none imports Pulumi."""

from __future__ import annotations

from typing import Final

from policy.rule import Rule
from policy.rules import airflow, availability, images, isolation, secrets, stateful, tls

ALL_RULES: Final[tuple[Rule, ...]] = (
    *stateful.RULES,
    *images.RULES,
    *secrets.RULES,
    *tls.RULES,
    *availability.RULES,
    *airflow.RULES,
    *isolation.RULES,
)
