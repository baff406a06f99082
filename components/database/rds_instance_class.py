"""Memory of the RDS instance classes for PostgreSQL 17, and the connections that RDS allows on them.

Sizes follow rules, so each family is one line. Whether a region offers a class is known only to RDS, when it creates
the instance.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Final

_BURSTABLE_GIB: Final = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}
_TO_8XLARGE: Final = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")
_TO_16XLARGE: Final = (*_TO_8XLARGE, "12xlarge", "16xlarge")
_TO_24XLARGE: Final = (*_TO_16XLARGE, "24xlarge")
_TO_32XLARGE: Final = (*_TO_24XLARGE, "32xlarge")
_TO_48XLARGE: Final = (*_TO_24XLARGE, "48xlarge")

# docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html: GiB for each vCPU, and sizes.
_FAMILIES: Final = {
    **dict.fromkeys(("m5", "m5d"), (4, _TO_24XLARGE)),
    **dict.fromkeys(("m6g", "m6gd", "m7g"), (4, _TO_16XLARGE)),
    **dict.fromkeys(("m6i", "m6id", "m6idn", "m6in"), (4, _TO_32XLARGE)),
    **dict.fromkeys(("m7i", "m8a", "m8g", "m8gd", "m9g"), (4, _TO_48XLARGE)),
    **dict.fromkeys(("r5", "r5b", "r5d"), (8, _TO_24XLARGE)),
    **dict.fromkeys(("r6g", "r6gd", "r7g"), (8, _TO_16XLARGE)),
    **dict.fromkeys(("r6i", "r6id", "r6idn", "r6in"), (8, _TO_32XLARGE)),
    **dict.fromkeys(("r7i", "r8a", "r8g", "r8gd"), (8, _TO_48XLARGE)),
    "x2g": (16, _TO_16XLARGE),
    "x2idn": (16, ("16xlarge", "24xlarge", "32xlarge")),
    "x2iedn": (32, ("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge", "24xlarge", "32xlarge")),
}

_BYTES_PER_CONNECTION: Final = 9_531_392
_MOST_CONNECTIONS: Final = 5000
_MIB: Final = 2**20
_WITHHELD_PERCENT: Final = 10
_WITHHELD_MIB: Final = 300
_SHOWN_LENGTH: Final = 60


def _vcpus(size: str) -> int:
    """Return the vCPUs of a size from `large` on: 2, 4, then four times the number before `xlarge`."""
    return 2 if size == "large" else 4 * int(size.removesuffix("xlarge") or 1)


MEMORY_GIB: Final[Mapping[str, int]] = {
    **{f"db.{family}.{size}": gib for family in ("t3", "t4g") for size, gib in _BURSTABLE_GIB.items()},
    **{
        f"db.{family}.{size}": _vcpus(size) * gib_per_vcpu
        for family, (gib_per_vcpu, sizes) in _FAMILIES.items()
        for size in sizes
    },
}
"""Memory of each class in GiB, as AWS publishes it."""


def instance_memory_gib(instance_class: str) -> int:
    """Return the published memory of the class in GiB. PostgreSQL gets less.

    Raises ValueError for a class that is not in MEMORY_GIB, with similar names.
    """
    if instance_class not in MEMORY_GIB:
        raise ValueError(
            "expected an instance class of RDS for PostgreSQL that components/database/rds_instance_class.py knows, "
            f"such as db.m7g.large, found {instance_class[:_SHOWN_LENGTH]!r}{_near(instance_class)}"
        )
    return MEMORY_GIB[instance_class]


def max_connections(instance_class: str) -> int:
    """Return a lower bound of the connections that RDS allows on the class.

    RDS's default is `LEAST({DBInstanceClassMemory/9531392}, 5000)`. DBInstanceClassMemory excludes the memory of the
    system and of RDS's own processes (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html); AWS
    does not publish how much that is. Values seen on instances:

    - 181 with 2 GiB (db.t4g.small: github.com/kirill-markin/flashcards-open-source-app/pull/1657)
    - 832 with 8 and 5000 with 64 GiB (db.m7g.large, db.r7g.2xlarge: github.com/mitodl/ol-infrastructure/pull/5427)
    - 198, 413, 856 and 1660 with 2, 4, 8 and 15.25 GiB on older classes
      (gist.github.com/guizmaii/1cacffef793c2ba9645083c3e18b3d8c)

    So RDS withholds up to 20 percent of 2 GiB, and up to 9 percent of more. This function assumes 10 percent and
    300 MiB, which stays below all of these: 169, 372, 778 and 1589 with 2, 4, 8 and 16 GiB.

    Raises ValueError like instance_memory_gib().
    """
    nominal_mib = instance_memory_gib(instance_class) * 1024
    usable_mib = nominal_mib * (100 - _WITHHELD_PERCENT) // 100 - _WITHHELD_MIB
    return min(usable_mib * _MIB // _BYTES_PER_CONNECTION, _MOST_CONNECTIONS)


def _near(found: str) -> str:
    """Return names similar to the one found, of its own family if that exists."""
    named = re.fullmatch(r"(?:db\.)?([a-z0-9]+)\.?.*", found[:_SHOWN_LENGTH].lower())
    family = [name for name in MEMORY_GIB if named and name.startswith(f"db.{named[1]}.")]
    close = difflib.get_close_matches(f"db.{found.lower().removeprefix('db.')}", family or MEMORY_GIB, n=4)
    return f"; close to it: {', '.join(close or family)}" if close or family else ""
