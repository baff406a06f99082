"""The policy pack: `pulumi preview --policy-pack policy`. Nothing else is here because PolicyPack() never returns."""

import sys
from pathlib import Path

from pulumi_policy import PolicyPack

# The engine puts this folder on the path, and the rules are a package of the folder above.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from policy.pack import policies

PolicyPack(name="airflow", policies=policies())
