"""The line of a log that a person would quote."""

from __future__ import annotations

import json

from components.kube.log_lines import last_words, tries
from tests.cases import each


def git_sync(stderr: str, count: int = 1) -> str:
    error = f'Run(git fetch https://x.invalid main): exit status 128: {{ stdout: "", stderr: {json.dumps(stderr)} }}'
    return json.dumps({"logger": "", "msg": "error syncing repo, will retry", "error": error, "failCount": count})


QUOTED = {
    "nothing": ("\n \n", ""),
    "plain text": ("one\ntwo\n", "two"),
    "JSON with a message": ('{"msg": "starting up"}', "starting up"),
    "JSON of structlog": ('{"event": "Loading", "level": "info"}', "Loading"),
    "a list in JSON": ("[1]", "[1]"),
    "a branch that is not there": (git_sync("fatal: couldn't find remote ref main\n"), "couldn't find remote ref main"),
    "a key that is refused": (
        git_sync(
            "git@github.com: Permission denied (publickey).\r\nfatal: Could not read from remote repository.\n\n"
            "Please make sure you have the correct access rights\nand the repository exists.\n"
        ),
        "git@github.com: Permission denied (publickey).",
    ),
    "a host key that is wrong": (
        git_sync("Host key verification failed.\r\nfatal: Could not read from remote repository.\n"),
        "Host key verification failed.",
    ),
    "a repository that is not there": (
        git_sync("ERROR: Repository not found.\nfatal: Could not read from remote repository.\n"),
        "Repository not found.",
    ),
    "an error without output of git": (
        json.dumps({"msg": "m", "error": "context deadline exceeded"}),
        "context deadline exceeded",
    ),
    "a statement that the database refuses": (
        "Traceback (most recent call last):\n  File ...\n"
        "sqlalchemy.exc.NotSupportedError: (psycopg2.errors.FeatureNotSupported) cannot alter type of a column used by "
        'a view or rule\nDETAIL:  rule _RETURN on view v depends on column "interval"\n\n'
        "[SQL: ALTER TABLE deadline_alert ALTER COLUMN interval TYPE JSON]\n"
        "(Background on this error at: https://sqlalche.me/e/20/tw8g)\n",
        "(psycopg2.errors.FeatureNotSupported) cannot alter type of a column used by a view or rule DETAIL: rule "
        '_RETURN on view v depends on column "interval" [SQL: ALTER TABLE deadline_alert ALTER COLUMN interval TYPE '
        "JSON]",
    ),
    "an error, and a line after it": (
        git_sync("fatal: couldn't find remote ref main\n") + '\n{"msg": "next sync"}',
        "couldn't find remote ref main",
    ),
}


@each("case", QUOTED)
def test_quoted(case: str) -> None:
    text, expected = QUOTED[case]
    assert last_words(text) == expected


def test_failed_fetches_are_counted_by_git_sync() -> None:
    assert tries("\n".join([git_sync("a", 3), git_sync("a", 4), "text"])) == 4
    assert tries('text\n{"msg": "x"}\n{"failCount": "many"}') == 0
