"""Write the table of verbs in docs/command-line.md from their declarations: `python -m docs.generate_verbs`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from automation.cli.declare import COMMON, STACK, Argument, Verb
from automation.cli.verbs import VERBS

PAGE: Final = Path(__file__).with_name("command-line.md")
BEGIN: Final = "<!-- verbs: python -m docs.generate_verbs -->\n"
END: Final = "<!-- end of verbs -->\n"


def table() -> str:
    """Return the table: a row for each verb, with the arguments that are its own."""
    rows = ["| Verb | Does | Arguments of its own |", "| --- | --- | --- |"]
    return "\n".join([*rows, *map(_row, VERBS)]) + "\n"


def with_table(page: str) -> str:
    """Return the page with the table of now between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name}: expected {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}{table()}{END}{after}"


def _row(verb: Verb) -> str:
    names = ", ".join(f"`{name}`" for name in (verb.name, *verb.aliases))
    own = [_usage(item) for item in verb.arguments if item not in COMMON and item.flags != STACK.flags]
    return f"| {names} | {verb.help} | {', '.join(own)} |".replace(" |  |", " | |")


def _usage(argument: Argument) -> str:
    name = argument.flags[0]
    if not name.startswith("-"):
        return f"`{name.upper()}`"
    if argument.options.get("action") == "store_true":
        return f"`{name}`"
    return f"`{name} {argument.options.get('metavar') or name.strip('-').upper()}`"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
