"""The set of JWT secrets: what the API server accepts, under which ids."""

from __future__ import annotations

import base64
import json

from hypothesis import assume, given
from hypothesis import strategies as st

from components.keys.jwt_keys import IDS, accepted, jwt_secrets, key_id, key_set, share_an_id

LONG = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters=","), min_size=64, max_size=80)


def by_id(text: str) -> dict[str, str]:
    keys = json.loads(text)["keys"]
    assert all((key["kty"], key["alg"]) == ("oct", "HS512") for key in keys)
    return {key["kid"]: base64.urlsafe_b64decode(key["k"] + "==").decode() for key in keys}


@given(st.lists(LONG, min_size=1, max_size=3, unique=True), st.one_of(st.just(""), LONG))
def test_every_secret_is_accepted_under_its_id_and_the_oldest_without_one(secrets: list[str], coming: str) -> None:
    used = [secret for secret in (*secrets, coming) if secret]
    assume(not share_an_id(used))
    found = by_id(key_set(tuple(secrets), coming))
    assert found.pop("not-used") == secrets[-1]
    assert {key_id(secret): secret for secret in used}.items() <= found.items()
    assert found.keys() == set(IDS), "a token of an old secret has a wrong signature, and no unknown id"
    assert set(found.values()) <= set(used)
    assert set(accepted(key_set(tuple(secrets), coming))) == {*secrets, coming} - {""}


@given(st.lists(LONG, min_size=1, max_size=3))
def test_commas_separate_secrets_that_are_long_enough(secrets: list[str]) -> None:
    assert jwt_secrets(",".join(secrets)) == tuple(secrets)


def test_secret_of_ones_own_with_a_comma_stays_one() -> None:
    for text in ("a" * 64 + ",b", "a,b" * 30, "," + "a" * 70, ""):
        assert jwt_secrets(text) == (text,), text


def test_id_shows_nothing_of_a_secret_and_is_always_the_same() -> None:
    assert key_id("a" * 64) == key_id("a" * 64) == "key-f"
    assert {key_id(f"{number}" * 64) for number in range(200)} == set(IDS)
    assert share_an_id(["a" * 64, "b" * 64, *(f"{number}" * 64 for number in range(20))])
    assert not share_an_id(["a" * 64, "a" * 64])
