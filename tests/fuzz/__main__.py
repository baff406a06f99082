"""Fuzz what reads text of others, with inputs chosen by the code that they reach: `make fuzz`.

`python -m tests.fuzz [--seconds N] [TARGET ...]`. Each target is a property test of the suite. libFuzzer (atheris)
drives it in place of Hypothesis' random choice. An input that fails is kept in `.hypothesis`: the test itself fails
with it from then on. Every target gets the same time. The exit code is 1 if any failed.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Final

TARGETS: Final = {
    "stack-file": "settings.test_files:test_any_text_in_a_stack_s_file_is_read_or_refused_in_lines_with_a_fix",
    "yaml-text": "automation.test_yaml_text:test_it_reads_back",
    "known-hosts": "components.dags.test_known_hosts:test_any_text_is_accepted_or_refused_with_one_line",
    "private-key": "components.dags.test_ssh_private_key:test_any_text_is_a_key_or_is_refused_in_one_line",
    "repository": "components.dags.test_git_repository:test_any_text_is_accepted_or_refused_with_one_line",
    "database-uri": "components.database.test_uri:test_what_is_clear_is_what_sqlalchemy_finds_in_any_text",
    "escrow": "components.keys.test_escrow_reader:test_whatever_stands_there_is_keys_or_one_clear_error",
    "mask-secret": "components.secrets.test_masker:test_no_secret_survives",
    "mask-twice": "components.secrets.test_masker:test_masking_twice_is_masking_once",
    "shapes": "components.secrets.test_shapes:test_any_text_is_judged",
    "events": "automation.engine.test_events:test_secret_never_survives",
}
"""The module below `tests` and the test, by a short name."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"expected targets among {', '.join(TARGETS)}, found {', '.join(sorted(unknown))}")
    if given.child:
        _fuzz(given.targets[0], given.seconds)
    return max([_in_a_process(target, given.seconds) for target in given.targets or TARGETS])


def _in_a_process(target: str, seconds: int) -> int:
    """Fuzz one target, because libFuzzer ends its process. Print a line, and all that was told if an input failed."""
    words = [sys.executable, "-m", "tests.fuzz", "--child", "--seconds", str(seconds), target]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    told = done.stdout + done.stderr
    inputs, edges = (
        max(map(int, re.findall(pattern, told, re.MULTILINE)), default=0)
        for pattern in (r"^(?:Done |#)(\d+)\b", r"cov: (\d+)")
    )
    failed = done.returncode != 0
    print(f"{target}: {inputs} inputs, {edges} edges, {'FAILED' if failed else 'ok'}", flush=True)
    if failed:
        print(told[max(told.find("Uncaught Python exception"), 0) :][:6000], flush=True)
    return int(failed)


def _fuzz(target: str, seconds: int) -> None:
    """Never returns."""
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore] # a requirement of `make fuzz` alone

    module, _, test = TARGETS[target].partition(":")
    with atheris.instrument_imports(include=["components", "settings", "automation"]):
        found = getattr(importlib.import_module(f"tests.{module}"), test)
    with tempfile.TemporaryDirectory() as folder:
        options = [f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", "-max_len=2048"]
        atheris.Setup([sys.argv[0], *options], found.hypothesis.fuzz_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
