"""Writes docs/configuration.md from Pulumi.yaml (config keys) and outputs.py (stack outputs).

`python docs/generate_configuration.py` writes it; with `--check` it exits 1 where the file is not current.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "docs" / "configuration.md"
_COMMAND: Final = "python docs/generate_configuration.py"

_INTRODUCTION: Final = f"""\
# Configuration

<!-- Written by `{_COMMAND}` from Pulumi.yaml and outputs.py. Do not edit. -->

A stack's values stand in `Pulumi.STACK.yaml` as `airflow:KEY`; a key that is not there has its default. When the
program runs, it checks all of them at once and names every problem in one error, before it registers anything. A key
that is not in these tables is an error too.

## Set a value

A plain value: edit `Pulumi.STACK.yaml`, or use `pulumi config set`. A text that could be read as a number, a date or a
truth (`"3.10"`, `"off"`) needs its quotes; an empty one is `""`. A secret value must be encrypted, so it needs the
command.

For a stack whose state is in this checkout (the default), tell the command where that is:

```sh
eval "$(.venv/bin/python -m automation env)"
export PATH="$PATH:$PWD/.dev/pulumi/bin" # the engine that `make dev` installed, if it found none
pulumi config set --stack dev airflow:dagsRef main
pulumi config set --stack dev --secret airflow:gitSshPrivateKey < deploy_key
```

A value that is encrypted so can be read with this checkout's passphrase only: do not commit it. `make down` keeps the
passphrase.

For a shared stack, set `PULUMI_BACKEND_URL` to its backend, for the command and for `make` alike. What encrypts its
secrets is chosen once, with `pulumi stack init STACK --secrets-provider=URL`, and then stands in its file.
"""


def render(project: str, outputs: str) -> str:
    """The page. project: text of Pulumi.yaml. outputs: text of outputs.py."""
    schema: dict[str, dict[str, Any]] = yaml.safe_load(project)["config"]
    parts = [_INTRODUCTION, "## Config keys\n"]
    for heading, keys in groups(project):
        title, _, note = heading.partition(": ")
        parts.append(f"### {title}\n")
        if note:
            parts.append(f"{note[0].upper()}{note[1:]}.\n")
        parts.append(_table(("Key", "Type", "Default", "Description"), (_key_row(key, schema[key]) for key in keys)))
    parts.append("## Stack outputs\n")
    parts.append("`pulumi stack output NAME --stack STACK` prints one. None is a secret.\n")
    parts.append(_table(("Output", "Description"), ((f"`{name}`", text) for name, text in described(outputs))))
    return "\n".join(parts)


def groups(project: str) -> list[tuple[str, list[str]]]:
    """Headings (`  # Heading` lines below `config:`) in Pulumi.yaml, each with its keys."""
    found: list[tuple[str, list[str]]] = []
    for line in project.partition("\nconfig:\n")[2].splitlines():
        if heading := re.fullmatch(r"  # (.+)", line):
            found.append((heading[1], []))
        elif key := re.fullmatch(r"  (\w+):", line):
            found[-1][1].append(key[1])
    return found


def described(outputs: str) -> Iterator[tuple[str, str]]:
    """Name and description of each output: the string below its constant. Raises ValueError where one has none."""
    body = ast.parse(outputs).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        match statement:
            case ast.AnnAssign(value=ast.Constant(value=str(name))):
                match following:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield name, text
                    case _:
                        raise ValueError(f"outputs.py: expected a description below output {name}, found none")


def is_secret(entry: dict[str, Any]) -> bool:
    """Whether a key of Pulumi.yaml is described as a secret."""
    return str(entry["description"]).startswith("Secret")


def _key_row(key: str, entry: dict[str, Any]) -> tuple[str, ...]:
    kind = f"{entry['type']} of {entry['items']['type']}s" if "items" in entry else entry["type"]
    default = entry["default"]
    shown = default if isinstance(default, str) else json.dumps(default)
    return (
        f"`airflow:{key}`",
        f"{kind}, **secret**" if is_secret(entry) else kind,
        f"`{shown}`" if shown else "",
        entry["description"].removeprefix("Secret. "),
    )


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [list(header), *(list(row) for row in rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in cells)


def main(arguments: list[str]) -> int:
    """Writes or checks the page; the exit code."""
    page = render((ROOT / "Pulumi.yaml").read_text(), (ROOT / "outputs.py").read_text())
    if arguments == ["--check"]:
        if TARGET.is_file() and TARGET.read_text() == page:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is not current. Fix: {_COMMAND}", file=sys.stderr)
        return 1
    if arguments:
        print(f"usage: {_COMMAND} [--check]", file=sys.stderr)
        return 2
    TARGET.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
