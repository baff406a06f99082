"""`check_image.py IMAGE`: check that an image holds exactly uv.lock, runs as Airflow's user and has no build files.

The probe runs in containers without a network that are thrown away: `airflow version` writes files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
SEEDS: Final = frozenset({"pip", "setuptools", "uv", "wheel"})
"""Packages of the official image's environment that are in no lock and that uv leaves there."""

PROBE: Final = """
import importlib.metadata, json, os, pathlib, re, sys
home = pathlib.Path.home()
caches = [folder / tool for folder in (home / ".cache", pathlib.Path("/tmp/.cache")) for tool in ("pip", "uv")]
print(json.dumps({
    "python": sys.version.split()[0],
    "prefix": sys.prefix,
    "user": [os.getuid(), os.getgid()],
    "packages": {
        re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(): found.version
        for found in importlib.metadata.distributions()
    },
    "left": [str(path) for path in caches if path.is_dir() and any(path.rglob("*"))]
    + [str(path) for path in pathlib.Path(os.environ.get("AIRFLOW_HOME", "/opt/airflow")).glob("airflow.cfg")],
}))
"""


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image")
    args = parser.parse_args(arguments)
    try:
        facts = json.loads(_run(args.image, "python", "-c", PROBE))
        facts["airflow"] = _run(args.image, "airflow", "version").strip().splitlines()[-1]
    except (subprocess.CalledProcessError, ValueError, IndexError) as error:
        print(f"error: {args.image} could not be asked: {error}", file=sys.stderr)
        return 1
    project, lock = (tomllib.loads((root / "image" / name).read_text()) for name in ("pyproject.toml", "uv.lock"))
    wrong = list(problems(facts, project, lock))
    for problem in wrong:
        print(f"error: {args.image}: {problem}", file=sys.stderr)
    if not wrong:
        print(f"{args.image}: Airflow {facts['airflow']}, Python {facts['python']}, {len(facts['packages'])} packages")
    return 1 if wrong else 0


def problems(facts: Mapping[str, Any], project: Mapping[str, Any], lock: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the image differs from its files. facts: what the probe saw, with Airflow's version as `airflow`."""
    expected = project["tool"]["airflow-constraints"]
    if facts["airflow"] != expected["airflow"]:
        yield f"expected Airflow {expected['airflow']}, found {facts['airflow']}"
    if ".".join(facts["python"].split(".")[:2]) != expected["python"]:
        yield f"expected Python {expected['python']}, found {facts['python']}"
    if facts["prefix"] != "/home/airflow/.local":
        yield f"expected the environment /home/airflow/.local, found {facts['prefix']}"
    if facts["user"] != [50000, 0]:
        yield f"expected user 50000 and group 0, found {facts['user']}"
    for path in facts["left"]:
        yield f"expected nothing of the build, found {path}"
    locked = {item["name"]: item["version"] for item in lock["package"] if "virtual" not in item["source"]}
    installed = {name: version for name, version in facts["packages"].items() if name in locked or name not in SEEDS}
    for name in sorted(locked.keys() | installed.keys()):
        if locked.get(name) != installed.get(name):
            yield f"{name}: expected {locked.get(name, 'not to be there')}, found {installed.get(name, 'nothing')}"


def _run(image: str, *command: str) -> str:
    entrypoint, *rest = command
    words = ["docker", "run", "--rm", "--network", "none", "--entrypoint", entrypoint, image, *rest]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
