"""A map of secrets is encrypted entry by entry, because the engine refuses a text where it expects an object."""

from __future__ import annotations

import json

from automation.stacks.secret_texts import same_secret, secret_texts
from components.kube.secret import Secret


def test_a_text_is_one_value_and_a_map_one_for_each_entry() -> None:
    assert secret_texts("fernetKey", Secret("x")) == {"airflow:fernetKey": "x"}
    given = {"my-db": "postgres://x", "http": {"conn_type": "http"}}
    assert secret_texts("connections", Secret(json.dumps(given))) == {
        'airflow:connections["my-db"]': "postgres://x",
        'airflow:connections["http"]': '{"conn_type": "http"}',
    }


def test_what_is_held_already_is_not_encrypted_again() -> None:
    given = Secret('{"a": {"conn_type": "http"}, "b": "x://y"}')
    assert same_secret("connections", '{"b":"x://y","a":"{\\"conn_type\\": \\"http\\"}"}', given)
    assert not same_secret("connections", '{"b":"x://y"}', given)
    assert not same_secret("connections", None, given)
    assert same_secret("fernetKey", "x", Secret("x"))
    assert not same_secret("fernetKey", "y", Secret("x"))
