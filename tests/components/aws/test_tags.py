"""Which tags AWS takes."""

from __future__ import annotations

from components.aws.tags import tag_problems
from tests.cases import each


@each(
    "tags",
    [
        {},
        {"team": "data", "cost-centre": "4711", "a:b/c=d+e@f_g.h": ""},
        {"k" * 128: "v" * 256},
        {"Größe": "für alle", "名前": "東京"},
        {"awsome": "x", "my-aws:tag": "aws:x"},
        {f"tag-{number}": "x" for number in range(50)},
    ],
)
def test_good_tags_have_no_problem(tags: dict[str, str]) -> None:
    assert tag_problems(tags) == {}


@each(
    ("tags", "key", "says"),
    [
        ({"aws:x": "y"}, "aws:x", "prefix aws:"),
        ({"AwS:x": "y"}, "AwS:x", "prefix aws:"),
        ({"RDS:x": "y"}, "RDS:x", "prefix rds:"),
        ({"": "y"}, "", "1 to 128 characters, found 0"),
        ({"k" * 129: "y"}, "k" * 129, "found 129"),
        ({"k": "v" * 257}, "k", "at most 256 characters, found 257"),
        ({"k": "a;b"}, "k", "another character"),
        ({"k<": "a"}, "k<", "another character"),
        ({"k": "tab\there"}, "k", "another character"),
        ({"k": "\N{GRINNING FACE}"}, "k", "another character"),
        ({f"tag-{number}": "x" for number in range(51)}, "", "at most 50 tags, found 51"),
    ],
)
def test_bad_tag_is_named(tags: dict[str, str], key: str, says: str) -> None:
    problems = tag_problems(tags)
    assert list(problems) == [key]
    assert says in problems[key]
