"""The comment: what is first, what is folded, that it fits, and that nothing in it can write Markdown of its own."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from automation.change_report.escape import code, fenced, html_code, sentence, visible
from automation.change_report.markdown import LIMIT, MARKER, check_link, markdown
from automation.change_report.model import (
    Category,
    ChangeKind,
    ChangeReport,
    ObjectChange,
    PolicyChange,
    PropertyChange,
    Remark,
    ReportSource,
    ResourceChange,
    Roll,
    Severity,
    StackReport,
)
from automation.plan.model import Failure, FailureKind, PolicyResult
from tests.cases import each

EVIL = "x` | </details><script>alert(1)</script> [a](https://evil.test) @team #1 ![i](https://evil.test/i) \\"


def tokens(text: str) -> list[Token]:
    """As GitHub would read it, near enough: CommonMark with tables and links that are only written out."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [child for token in parser.parse(text) for child in (token, *(token.children or ()))]


def html_of(text: str) -> str:
    return "".join(token.content for token in tokens(text) if token.type.startswith("html"))


def step(name: str = "it", kind: ChangeKind = ChangeKind.UPDATE, **more: Any) -> ResourceChange:
    return ResourceChange(kind=kind, urn=f"urn::{name}", type="a:b:C", name=name, **more)


def alert(text: str = "{0} is so", *names: str, severity: Severity = Severity.WARNING) -> Remark:
    return Remark(severity=severity, category=Category.DELETE, text=text, names=names or ("it",))


def report(*stacks: StackReport) -> ChangeReport:
    return ChangeReport(base="main", head="branch", stacks=stacks)


def full(name: str = "prod", word: str = "word", size: int = 1, level: str = "") -> StackReport:
    """A report that has something of everything."""
    result = PolicyResult(rule="a-rule", level=level or "mandatory", subject=word, message=word)
    change = PropertyChange(path=word, before=word, after={"x": [word]}, replaces=True)
    return StackReport(
        stack=name,
        unchanged=3,
        steps=tuple(step(f"{word}{index}", changes=(change,)) for index in range(size)),
        objects=tuple(
            ObjectChange(kind=ChangeKind.UPDATE, label=f"{word} {index}", changes=(change,)) for index in range(size)
        ),
        rolls=(Roll(component=word, kind="Deployment", replicas=1, interrupts=True, grace_seconds=30),),
        warnings=tuple(alert("{0} is so", f"{word}{index}") for index in range(size)),
        policies=(PolicyChange(result=result, new=True), PolicyChange(result=result, new=False)),
        placeholders=(word,),
        stand_ins=(word,),
        messages=(word,),
    )


def test_warnings_come_before_anything_that_is_folded() -> None:
    text = markdown(report(full("dev"), full("prod")))
    assert text.startswith(f"{MARKER}\n")
    first_fold = text.index("<details>")
    assert text.rindex("⚠️ **delete**") < first_fold
    assert text.rindex("⛔ **policy**") < first_fold
    assert text.count("<details>") == text.count("</details>") == 2
    assert "1 updated, 3 unchanged" in text


def test_what_is_not_new_is_folded() -> None:
    head, _, folded = markdown(report(full())).partition("<details>")
    assert head.count("`a-rule`") == 1
    assert folded.count("`a-rule`") == 1


def test_nothing_to_tell_is_told_in_a_line() -> None:
    text = markdown(report(StackReport(stack="dev", unchanged=3, objects=()), StackReport(stack="prod", objects=())))
    assert "No change for `dev`, `prod`." in text
    assert "<details>" not in text


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        (None, FailureKind.SYNTAX, "cannot be planned with this change (syntax)"),
        (FailureKind.PROGRAM, None, "cannot be planned without this change (program)"),
        (FailureKind.NO_STACK, None, "is new"),
        (None, FailureKind.NO_STACK, "its file is removed"),
    ],
)
def test_a_plan_that_is_missing_is_told(base: FailureKind | None, head: FailureKind | None, expected: str) -> None:
    failures = [None if kind is None else Failure(kind=kind, text="```\nline 2") for kind in (base, head)]
    text = markdown(report(StackReport(stack="dev", base_failure=failures[0], head_failure=failures[1])))
    assert expected in text
    assert "![" not in text


def test_a_preview_is_not_taken_for_a_plan() -> None:
    text = markdown(report(StackReport(stack="dev", source=ReportSource.PREVIEW, steps=(step(),))))
    assert "`dev`, as it is deployed" in text
    assert "From the engine's preview" in text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            ReportSource.PLAN,
            ("1 may be replaced", "| may replace |", "**May be replaced:", "@@ p @@ may force a replacement"),
        ),
        (ReportSource.PREVIEW, ("1 replaced", "| replace |", "**Replaced:", "@@ p @@ forces the replacement")),
    ],
)
def test_only_the_engine_says_that_something_is_replaced(source: ReportSource, expected: tuple[str, ...]) -> None:
    change = PropertyChange(path="p", before="1", after="2", replaces=True)
    text = markdown(
        report(StackReport(stack="dev", source=source, steps=(step(kind=ChangeKind.REPLACE, changes=(change,)),)))
    )
    assert [part for part in expected if part not in text] == []


def test_objects_to_which_the_same_is_done_are_told_together() -> None:
    change = PropertyChange(path="metadata.labels.chart", before="1", after="2")
    objects = tuple(ObjectChange(kind=ChangeKind.UPDATE, label=f"Service {name}", changes=(change,)) for name in "abc")
    text = markdown(report(StackReport(stack="dev", objects=objects)))
    assert text.count("metadata.labels.chart") == 1
    assert "`Service a`, `Service b`, `Service c`" in text


def test_lines_of_a_text_are_compared_as_lines() -> None:
    before, after = ("\n".join(["[core]", *(f"x{n} = {n}" for n in range(9)), f"y = {last}"]) for last in (1, 2))
    text = markdown(
        report(StackReport(stack="dev", steps=(step(changes=(PropertyChange(path="p", before=before, after=after),)),)))
    )
    assert "-y = 1\n+y = 2" in text
    assert "x0 = 0" not in text, "what is far from a change is left out"


@each(
    ("before", "after", "expected"),
    {
        "a number that becomes a text": (1, "1", ("-1", '+"1"')),
        "a text that becomes a boolean": ("true", True, ('-"true"', "+true")),
        "a line end at the end": ("a\nb", "a\nb\n", (" a", " b", "+")),
        "the only line end": ("a\n", "a", (" a", "-")),
        "a long line": ("a" * 900 + "b", "a" * 900 + "c", (f"-…{'a' * 40}b", f"+…{'a' * 40}c")),
        "nothing that becomes something": (None, "a", ("+a",)),
    }.values(),
)
def test_what_differs_is_seen(before: Any, after: Any, expected: tuple[str, ...]) -> None:
    change = PropertyChange(path="p", before=before, after=after)
    text = markdown(report(StackReport(stack="dev", steps=(step(changes=(change,)),))))
    assert f"@@ p @@\n{chr(10).join(expected)}\n```" in text


def test_image_that_moves_in_many_resources_is_told_once() -> None:
    image = PropertyChange(path="spec.containers[main].image", before="a:1", after="a:2", replaces=True)
    other = PropertyChange(path="spec.x", before=1, after=2)
    steps = (
        step("job", ChangeKind.REPLACE, changes=(image,)),
        step("exporter", changes=(image, other)),
        step("alone", changes=(PropertyChange(path="spec.image", before="b:1", after="b:2"),)),
    )
    text = markdown(report(StackReport(stack="dev", steps=steps)))
    assert "- image `a:1` → `a:2` in `C job`, `C exporter`" in text
    assert "replaced: `C job`**" not in text, "the table has it"
    assert "**Updated: `C exporter`**\n\n```diff\n@@ spec.x @@\n-1\n+2\n```" in text
    assert "-b:1\n+b:2" in text


# It fits


@functools.cache
def whole_of(size: int) -> str:
    return markdown(report(full("dev", size=size), full("prod", size=size)), limit=None)


@each("size", [1, 30, 1000])
@each("limit", [1000, 5000, LIMIT])
def test_comment_is_within_its_limit_and_cut_between_sections(size: int, limit: int) -> None:
    text = markdown(report(full("dev", size=size), full("prod", size=size)), limit=limit, link="https://ci.test/1")
    assert len(text) <= limit
    whole = whole_of(size)
    if text != whole:
        assert re.search(r"Cut to .*: \d+ sections are only in \[the whole report\]\(https://ci\.test/1\)\.\n$", text)
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") % 2 == 0
    assert set(text.split("\n")) - {text.split("\n")[-2]} <= {*whole.split("\n"), ""}, "no line is cut"


@given(st.lists(st.tuples(st.text(max_size=3000), st.integers(0, 40)), max_size=4), st.integers(1000, 9000))
def test_comment_is_within_its_limit_whatever_is_in_it(stacks: list[tuple[str, int]], limit: int) -> None:
    found = report(*(full(f"s{index}", word, size) for index, (word, size) in enumerate(stacks)))
    assert len(markdown(found, limit=limit)) <= limit


def test_whole_report_is_not_cut() -> None:
    long = "\n".join(map(str, range(1000)))
    stack = StackReport(stack="dev", steps=(step(changes=(PropertyChange(path="p", after=long),)),))
    assert "+999" in markdown(report(stack), limit=None)
    comment = markdown(report(stack))
    assert "+999" not in comment
    assert "more lines are only in the whole report" in comment


@pytest.mark.parametrize(
    "link", ["http://ci.test", "https://ci.test/) [x](https://evil.test", "javascript:x", "https://a b"]
)
def test_link_is_an_https_address_and_no_more(link: str) -> None:
    with pytest.raises(ValueError, match="https"):
        check_link(link)


# It cannot be written by what it tells of


def test_no_name_writes_markdown() -> None:
    text = markdown(report(full(word=EVIL, level=EVIL), full("other", word=EVIL)))
    kinds = {token.type for token in tokens(text)}
    assert not kinds & {"link_open", "image"}
    assert "script" not in re.sub(r"<code>.*?</code>", "", html_of(text))
    assert "evil" not in html_of(text)
    assert html_of(text).count("<details>") == 2
    assert html_of(text).count("</details>") == 2


@given(st.text(max_size=60))
def test_code_shows_the_text_and_nothing_else(text: str) -> None:
    found = tokens(f"| a | b |\n| --- | --- |\n| {code(text)} | end |\n")
    cells = [token for token in found if token.type == "inline"]
    assert [cell.content for cell in cells[-1:]] == ["end"], "it ends no cell"
    shown = [
        token for token in found if token.type in ("code_inline", "text", "html_inline") and token.content != "end"
    ]
    plain = "".join(token.content for token in shown if token.type != "html_inline")
    if text.strip():
        assert re.sub(r"\s", "", plain).removeprefix("ab") == re.sub(r"\s", "", visible(text))
    html = [token.content for token in shown if token.type == "html_inline"]
    assert html in ([], ["<code>", "</code>"])


@given(st.lists(st.text(max_size=40), max_size=5))
def test_block_ends_where_it_ends(lines: list[str]) -> None:
    found = MarkdownIt("commonmark").parse(f"{fenced(lines, 'diff')}\n\nafter")
    assert [token.type for token in found] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert found[0].content.split("\n")[:-1] == [visible(line) for line in lines]


def test_text_that_cannot_be_seen_is_written_out() -> None:
    assert visible("a\u202eb\x00c\u200bd\ne") == "a\\u202eb\\u0000c\\u200bd\\ne"


def test_html_shows_the_text_and_nothing_else() -> None:
    assert html_code("<b>&") == "<code>&#60;b&#62;&#38;</code>"


def test_sentence_takes_names_as_they_are() -> None:
    assert sentence("{0} and {1}", ["{1}", "b"]) == "`{1}` and `b`"


def test_the_gravest_is_told_first_whoever_says_it() -> None:
    results = [PolicyResult(rule=level, level=level, subject="s", message="m") for level in ("advisory", "mandatory")]
    stack = StackReport(
        stack="dev",
        warnings=(alert("a danger", severity=Severity.DANGER), alert("a note", severity=Severity.NOTE)),
        policies=tuple(PolicyChange(result=result, new=True) for result in results),
    )
    told = [line for line in markdown(report(stack)).splitlines() if line.startswith("- ")]
    assert [
        next(word for word in ("a danger", "mandatory", "advisory", "a note") if word in line) for line in told
    ] == [
        *("a danger", "mandatory", "advisory", "a note"),
    ]


def test_many_results_of_an_advisory_rule_do_not_hide_the_others() -> None:
    def results(rule: str, level: str, count: int) -> list[PolicyChange]:
        made = [PolicyResult(rule=rule, level=level, subject=f"{rule} {n}", message="is so") for n in range(count)]
        return [PolicyChange(result=result, new=True) for result in made]

    stack = StackReport(
        stack="dev",
        steps=(step(),),
        # A rule has results of both levels, where a value is not known in one of them.
        policies=(
            *results("many", "advisory", 9),
            *results("many", "mandatory", 1),
            *results("few", "advisory", 3),
            *results("must", "mandatory", 9),
        ),
    )
    text = markdown(report(stack))
    above, below = text.split("<details>")
    assert [above.count(f"`{rule} ") for rule in ("many", "few", "must")] == [4, 3, 9]
    assert "- ⚠️ **policy**: `many` has 6 more results, below" in above
    assert [below.count(f"`{rule} ") for rule in ("many", "few", "must")] == [6, 0, 0]
    assert above.index("`must 8`") < above.index("`few 0`")


def test_what_is_decided_is_told_with_where_it_was_decided() -> None:
    result = PolicyResult(rule="stateful-kept", level="advisory", subject="Secret a", message="would be replaced")
    stack = StackReport(stack="prod", policies=(PolicyChange(result=result, new=True, decided=True),))
    assert (
        "- ⚠️ **policy**: `Secret a`: `would be replaced`, as `policy/decided.txt` decides "
        "(`stateful-kept`, `advisory`)\n"
    ) in markdown(report(stack))


# JSON


def test_json_holds_everything_and_survives_json() -> None:
    found = report(full())
    document = json.loads(json.dumps(found.to_json()))
    (stack,) = document["stacks"]
    assert stack["counts"] == {"delete": 0, "replace": 0, "update": 1, "create": 0}
    assert stack["warnings"][0]["sentence"] == "word0 is so"
    assert stack["steps"][0]["changes"][0]["replaces"] is True
    assert stack["objects"][0]["label"] == "word 0"
