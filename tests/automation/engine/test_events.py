"""Events of operations: what they carry, who hears them, and what never stands in them."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.engine.events import Event, EventKind, Teller
from components.secrets.masker import SHOWN, Masker
from components.secrets.plan_violation import without_values
from tests import samples
from tests.cases import each

PASSWORD = 'sentinel p@ss/word "quoted" \\ ü <&>'


def test_event_says_what_it_is_of_and_survives_json() -> None:
    events: list[Event] = []
    Teller(events.append, "dev", "up").tell(
        EventKind.DONE, "created Release airflow (3 s)", name="airflow", seconds=3.0
    )
    assert json.loads(json.dumps(events[0].to_json())) == {
        "kind": "done",
        "text": "created Release airflow (3 s)",
        "stack": "dev",
        "verb": "up",
        "operation": "",
        "type": "",
        "name": "airflow",
        "seconds": 3.0,
        "usual_seconds": None,
        "workload": None,
    }


def test_receiver_that_raises_disturbs_nothing_and_its_text_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def receive(event: Event) -> None:
        heard.append(event.text)
        raise ValueError(f"cannot take {event.text} sentinel")

    teller = Teller(receive, "dev", "up")
    with caplog.at_level(logging.WARNING):
        teller.note("one")
        teller.note("two")
    assert heard == ["one", "two"]
    assert "ValueError" in caplog.text
    assert "sentinel" not in caplog.text


@each(
    "form",
    [
        PASSWORD,
        json.dumps(PASSWORD),
        json.dumps(PASSWORD, ensure_ascii=False),
        r'"sentinel p@ss/word \"quoted\" \\ ü \u003c\u0026\u003e"',  # encoding/json of Go
        repr(PASSWORD),
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        base64.b64encode(PASSWORD.encode()).decode(),
    ],
)
def test_known_secret_is_masked_in_every_form_in_which_tools_quote_it(form: str) -> None:
    told = Masker(secrets=[PASSWORD]).text(f"error: {form} is wrong")
    assert told.startswith(f"error: {SHOWN}" if form == PASSWORD else "error: ")
    assert SHOWN in told
    assert "sentinel" not in told
    assert base64.b64encode(PASSWORD.encode()).decode()[:20] not in told


def test_every_line_of_a_long_secret_is_masked() -> None:
    key = samples.ssh_private_key()
    masker = Masker(secrets=[key])
    for line in key.splitlines():
        assert masker.text(f"bad line: {line}") == f"bad line: {SHOWN}"


VIOLATION = (
    "keys: resource urn:pulumi:dev::airflow::kubernetes:core/v1:Secret::keys violates plan: properties changed: "
    "+-stringData[{&{output<string>{}}}], =+data[{&{{map[fernet-key:{c2VudGluZWw, ~=x=}]}}}], "
    "+~image[{apache/airflow:1}!={sentinel}]"
)


def test_values_that_the_engine_quotes_of_a_violated_plan_are_left_out() -> None:
    """Seen: the Fernet key of a new stack, in plain text, in the error and in its event."""
    told = Masker().text(VIOLATION)
    assert told.endswith("::keys violates plan: properties changed: stringData, data, image")
    assert "c2VudGluZWw" not in told
    assert without_values(told) == told
    assert without_values("no room") == "no room"


def test_short_secret_does_not_mask_names() -> None:
    assert Masker(secrets=["admin"]).text("Job airflow-database-admin-user") == "Job airflow-database-admin-user"


def test_masker_shows_nothing_of_what_it_knows() -> None:
    assert "sentinel" not in repr(Masker(secrets=[PASSWORD]))


@given(st.text(min_size=6).filter(lambda text: len(text.strip()) >= 6), st.text(), st.text())
def test_secret_never_survives(secret: str, before: str, after: str) -> None:
    told = Masker(secrets=[secret]).text(f"{before}{secret}{after}")
    assert secret not in told or secret in SHOWN


def test_teller_masks_what_it_tells() -> None:
    events: list[Event] = []
    Teller(events.append, "dev", "up", Masker(secrets=[PASSWORD])).note(f"value {PASSWORD}")
    assert events[0].text == f"value {SHOWN}"
