"""Writes what is generated from the declarations of the config keys: Pulumi.yaml's `config`, docs/configuration.md.

`python -m settings.generate` writes both. With `--check` it writes nothing, and exits 1 where one is not current.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from settings.declared import SECTIONS
from settings.keys import ConfigKey, Section

ROOT: Final = Path(__file__).resolve().parent.parent
_COMMAND: Final = "python -m settings.generate"
_CONFIG: Final = "config:\n"

_INTRODUCTION: Final = f"""\
# Configuration

<!-- Written by `{_COMMAND}` from settings/sections/ and outputs.py. Do not edit. -->

A stack's values are in `Pulumi.STACK.yaml` as `airflow:KEY`. A key that is not there has its default. When the
program runs, it checks all of them at once and names every problem in one error, before it registers anything. A key
that is not in these tables is an error too. So is one that has no effect beside the others, such as
`airflow:workerMaxReplicas` without `airflow:workerScaling: keda`.

## Set a value

To set a plain value, edit `Pulumi.STACK.yaml` or use `pulumi config set`. A text that could be read as a number, a date
or a boolean (`"3.10"`, `"off"`) needs its quotes; an empty text is `""`. Write numbers in plain digits and booleans as
`true` and `false`: readers of YAML differ about `0o10`, `1e3`, `0888` and `on`, so the program refuses them. A secret
value must be encrypted, so it needs the command.

For a stack whose state is in this checkout (the default), tell the command where that is:

```sh
eval "$(.venv/bin/python -m automation env)"
export PATH="$PATH:$PWD/.dev/pulumi/bin" # the engine that `make dev` installed, if it found none
pulumi config set --stack dev airflow:dagsRef main
pulumi config set --stack dev --secret airflow:gitSshPrivateKey < deploy_key
```

Only this checkout's passphrase can decrypt such a value, so do not commit it. `make down` keeps the passphrase.

For a shared stack, set `PULUMI_BACKEND_URL` to its backend, for the command and for `make` alike. You choose once what
encrypts its secrets, with `pulumi stack init STACK --secrets-provider=URL`; the stack's file then says so.
"""


def project_text(current: str, sections: Iterable[Section]) -> str:
    """Return Pulumi.yaml with the schema of the config keys. current: its text, whose other parts stay."""
    before, _, _ = current.partition(f"\n{_CONFIG}")
    lines = [before, "\n", _CONFIG, f"  # Written by `{_COMMAND}` from settings/sections/. Do not edit.\n"]
    for section in sections:
        lines.append(f"  # {section.title}{section.note and f': {section.note}'}\n")
        for key in section.keys:
            lines.append(f"  {key.name}:\n    type: {key.type}\n")
            if key.type == "array":
                lines.append(f"    items:\n      type: {key.items}\n")
            lines.append(f"    default:{_yaml_default(key.default)}\n")
            lines.append(f"    description: {_yaml_text(key.full_description)}\n")
    return "".join(lines)


def page_text(sections: Iterable[Section], outputs: str) -> str:
    """Return docs/configuration.md. outputs: text of outputs.py."""
    parts = [_INTRODUCTION, "## Config keys\n"]
    for section in sections:
        parts.append(f"### {section.title}\n")
        if section.note:
            parts.append(f"{section.note[0].upper()}{section.note[1:]}.\n")
        parts.append(_table(("Key", "Type", "Default", "Description"), map(_key_row, section.keys)))
    parts.append("## Stack outputs\n")
    parts.append(
        "`pulumi stack output NAME --stack STACK` prints one. None is a secret. An update that the preflight or the\n"
        "migration ends leaves them as they were, although the display of `pulumi up` then lists each with a minus.\n"
    )
    rows = ((f"`{name}`", text) for name, text in described_outputs(outputs))
    parts.append(_table(("Output", "Description"), rows))
    return "\n".join(parts)


def described_outputs(outputs: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the description of each output in outputs.py.

    The description is the string below the constant. Raises ValueError where there is none.
    """
    body = ast.parse(outputs).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        match statement:
            case ast.AnnAssign(value=ast.Constant(value=str(name))):
                match following:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield name, " ".join(text.split())
                    case _:
                        raise ValueError(f"outputs.py: expected a description below output {name}, found none")


def _yaml_default(value: Any) -> str:
    if isinstance(value, list) and value:
        return "".join(f"\n      - {_yaml_text(item)}" for item in value)
    return f" {_yaml_text(value) if isinstance(value, str) else json.dumps(value)}"


def _yaml_text(text: str) -> str:
    """Return a text as YAML has it, in quotes where it would be read as something else without."""
    # PyYAML and the engine's reader differ about single words such as 02:00.
    plain = text[:1].isalnum() and (" " in text or ":" not in text) and _is_text(text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _is_text(text: str) -> bool:
    try:
        return bool(yaml.safe_load(f"- {text}") == [text])
    except yaml.YAMLError:
        return False


def _key_row(key: ConfigKey[Any]) -> tuple[str, ...]:
    kind = f"array of {'maps' if key.items == 'object' else 'strings'}" if key.type == "array" else key.type
    shown = key.default if isinstance(key.default, str) else json.dumps(key.default)
    return (
        f"`{key.full}`",
        f"{kind}, **secret**" if key.secret else kind,
        f"`{shown}`" if shown else "",
        key.full_description if key.plain_unless else key.description,
    )


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [list(header), *(list(row) for row in rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in cells)


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write or check the files below `root`; return the exit code."""
    if arguments not in ([], ["--check"]):
        print(f"usage: {_COMMAND} [--check]", file=sys.stderr)
        return 2
    project = root / "Pulumi.yaml"
    texts = {
        project: project_text(project.read_text(), SECTIONS),
        root / "docs" / "configuration.md": page_text(SECTIONS, (root / "outputs.py").read_text()),
    }
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        if arguments:
            print(f"{path.relative_to(root)} is not current. Fix: {_COMMAND}", file=sys.stderr)
        else:
            path.write_text(texts[path])
    return 1 if stale and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
