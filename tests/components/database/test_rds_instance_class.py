"""Memory of RDS instance classes against what AWS publishes, and connections against what was read from instances."""

from __future__ import annotations

import functools
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.database.rds_instance_class import MEMORY_GIB, instance_memory_gib, max_connections
from tests.cases import each

CLASSES: Final = sorted(MEMORY_GIB)
FAMILIES: Final = sorted({name.split(".")[1] for name in CLASSES})
ON_EC2: Final = {"x2g": "x2gd"}
"""Families whose name differs from that of the EC2 instances they run on."""

READ_FROM_INSTANCES: Final = {
    # class of today with the same memory: lowest `SHOW max_connections` known, see max_connections()
    "db.t4g.small": 181,
    "db.t3.medium": 413,
    "db.m7g.large": 832,
    "db.r6g.large": 1660,  # of 15.25 GiB
    "db.r7g.2xlarge": 5000,
}


@functools.cache
def offered() -> set[str]:
    """Classes that RDS for PostgreSQL offers in some region, of any major version, as cfn-lint lists them."""
    linter = find_spec("cfnlint")  # importing it takes a second
    assert linter is not None
    assert linter.origin is not None
    folder = Path(linter.origin).parent / "data/schemas/extensions/aws_rds_dbinstance"
    regions = json.loads((folder / "dbinstanceclass_enum.json").read_text())
    return {
        name
        for region in regions.values()
        for rule in region["allOf"]
        if rule["if"]["properties"]["Engine"].get("const") == "postgres"
        for name in rule["then"]["properties"]["DBInstanceClass"]["enum"]
    }


@each("family", FAMILIES)
def test_sizes_of_a_family_are_those_that_rds_offers(family: str) -> None:
    known = {name for name in CLASSES if name.startswith(f"db.{family}.")}
    assert known == {name for name in offered() if name.startswith(f"db.{family}.")}


@each("name", CLASSES)
def test_memory_is_that_of_the_ec2_instance(name: str) -> None:
    from moto.ec2.models.instance_types import INSTANCE_TYPES  # loads slowly

    _, family, size = name.split(".")
    ec2 = INSTANCE_TYPES[f"{ON_EC2.get(family, family)}.{size}"]
    assert instance_memory_gib(name) * 1024 == ec2["MemoryInfo"]["SizeInMiB"]


def test_every_class_that_pulumi_names_in_a_known_family_is_known() -> None:
    """Its list is old: it lacks classes that exist, so only this direction says something."""
    from pulumi_aws.rds import InstanceType

    named = {str(each.value) for each in InstanceType}
    ours = {name for name in named if name.split(".")[1] in FAMILIES}
    assert ours
    assert ours <= set(CLASSES)


@each("name", READ_FROM_INSTANCES)
def test_never_more_connections_than_an_instance_had_nor_far_fewer(name: str) -> None:
    assert READ_FROM_INSTANCES[name] * 0.85 < max_connections(name) <= READ_FROM_INSTANCES[name]


@each("name", CLASSES)
def test_connections_stay_below_the_formula_over_the_whole_memory(name: str) -> None:
    whole = MEMORY_GIB[name] * 2**30 // 9531392
    assert 60 <= max_connections(name) <= 5000
    assert max_connections(name) < whole


def test_more_memory_never_gives_fewer_connections() -> None:
    by_memory = [max_connections(name) for name in sorted(CLASSES, key=lambda name: MEMORY_GIB[name])]
    assert by_memory == sorted(by_memory)


@each(
    ("found", "near"),
    [
        ("m7g.large", "db.m7g.large"),
        ("DB.M7G.LARGE", "db.m7g.large"),
        ("db.m7.large", "db.m7g.large"),
        ("db.m7g.24xlarge", "db.m7g.2xlarge"),  # exists of m7i alone
        ("db.t3.nano", "db.t3.micro"),
        ("db.t2.micro", "db.t3.micro"),  # not for PostgreSQL 17
    ],
)
def test_unknown_class_is_refused_with_one_that_is_near(found: str, near: str) -> None:
    for function in (instance_memory_gib, max_connections):
        with pytest.raises(ValueError, match=r"\Aexpected an instance class of RDS for PostgreSQL") as error:
            function(found)
        assert f"found '{found}'; close to it: " in str(error.value)
        assert near in str(error.value).split("close to it: ")[1].split(", ")


@given(st.text(max_size=400).filter(lambda text: text not in MEMORY_GIB))
def test_any_other_text_is_refused_in_a_short_message(text: str) -> None:
    with pytest.raises(ValueError, match=r"\Aexpected an instance class") as error:
        instance_memory_gib(text)
    assert len(str(error.value)) < 900
