"""Sentinels in every secret input and in 80 foreign places: no kind of output shows one, in whatever form it is quoted.

The kinds are in `kinds_of_output` and `kinds_with_values`, the forms in `quoted`, the places in `foreign_places`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import pytest

from components.secrets.encodings import forms
from components.secrets.masker import Masker
from components.secrets.recognised import recognised
from tests import samples
from tests.foreign_places import places, planted
from tests.kinds_of_output import KNOWN, SAID
from tests.kinds_with_values import VALUES
from tests.quoted import FORMS

_PIECE: Final = 12
"""Characters in a row of a secret that no output may have, in any form."""
_PARTS: Final = 8
"""Into how many the kinds of output are divided: each secret in a form is looked at in one part."""


class Remembering(Masker):
    """A masker that masks each text once: the kinds of output mask the same ones."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._seen: dict[str, str] = {}
        super().__init__(secrets=secrets)

    def text(self, text: str) -> str:
        if text not in self._seen:
            self._seen[text] = super().text(text)
        return self._seen[text]


def knowing(secrets: Iterable[str]) -> Remembering:
    known = tuple(secrets)
    masker = Remembering(known)
    KNOWN[masker] = known
    return masker


def pieces(text: str) -> Iterator[str]:
    return (text[at : at + _PIECE] for at in range(max(1, len(text) - _PIECE + 1)))


def parts(secret: str, form: str) -> set[str]:
    """The texts of which none may be in an output: pieces of the secret as it is and in a form."""
    around = set(pieces(FORMS[form]("y" * len(secret))))
    return {piece for text in (secret, FORMS[form](secret)) for piece in pieces(text)} - around


def test_no_kind_of_output_shows_a_secret_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    """Each secret is in each form, and each pair of secret and kind and of form and kind is looked at.

    The kinds of a part stand side by side: they share what they are made of.
    """
    kinds, looked, shown = list(SAID.items()), list[tuple[str, str, str]](), []
    size = -(-len(kinds) // _PARTS)
    for number, (key, secret) in enumerate(sorted(samples.sentinels().items())):
        masker, traces = knowing([secret]), samples.traces(key, secret)
        for at, (form, write) in enumerate(FORMS.items()):
            written = write(secret)
            hidden = {written, *traces}.union(*(parts(trace, form) for trace in traces))
            for kind, output in kinds[(number + at) % _PARTS * size :][:size]:
                looked.append((key, form, kind))
                text = output(f"it said {written} and ended", masker)
                shown += [f"{key} {form} in {kind}"] if any(item in text for item in hidden) else []
    assert shown == []
    assert len(samples.sentinels()) >= 16
    every = [set(column) for column in zip(*looked, strict=True)]
    assert [*map(len, every)] == [len(samples.sentinels()), len(FORMS), len(SAID)]
    for one, other in itertools.combinations(range(3), 2):
        assert len({(row[one], row[other]) for row in looked}) == len(every[one]) * len(every[other])
    with capsys.disabled():
        count = f"{len(samples.sentinels())} secrets in {len(FORMS)} forms in {len(SAID)} kinds of output"
        print(f"\n{count}: {len(looked)} looked at, {len(shown)} show one")


def test_no_kind_of_output_shows_a_secret_in_a_foreign_place(capsys: pytest.CaptureFixture[str]) -> None:
    """What the config shows of a secret is learned from it, and so hidden in every form too.

    Each place is in each form in one kind of output: all kinds take minutes, and all mask the same texts.
    """
    found, kinds = places(), list(SAID)
    masker = knowing(recognised([value for _, value, _ in found]))
    looked, shown = 0, []
    for number, (secret, _, text) in enumerate(found):
        hidden = {secret, *forms(secret, len(secret))}
        KNOWN[masker] = (secret,)
        for at, (form, write) in enumerate(FORMS.items()):
            looked += 1
            kind = kinds[(number + at) % len(kinds)]
            output = SAID[kind](f"it said {write(text)} and ended", masker)
            shown += [f"{text} {form} in {kind}"] if any(item in output for item in hidden) else []
    assert shown == []
    assert len(found) >= 80
    with capsys.disabled():
        count = f"{len(found)} foreign places in {len(FORMS)} forms in {len(SAID)} kinds of output"
        print(f"\n{count}: {looked} looked at, {len(shown)} show one")


def test_no_kind_of_output_shows_a_value_of_a_team(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither what its name or shape gives away, nor the same in a form that gives nothing away."""
    values, secrets = planted()
    written = {form: write(f"PASSWORD={secrets[0]}") for form, write in FORMS.items()}
    values = {**values, "scheduler": {**values["scheduler"], "podLabels": written}}
    masker = Masker(secrets=recognised(planted()[0]))
    looked, shown = 0, []
    for kind, output in VALUES.items():
        text = output(values, masker)
        for secret in secrets:
            for form in forms(secret, len(secret)):
                looked += 1
                shown += [f"{secret} as {form} in {kind}"] if form in text else []
    assert shown == []
    with capsys.disabled():
        print(f"\n{len(secrets)} values in all forms in {len(VALUES)} kinds of output: {looked} looked for, 0 found")
