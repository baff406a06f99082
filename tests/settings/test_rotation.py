"""The mark of a rotation in the config."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from components.kube.secret import Secret
from settings.declared import SECRET_KEYS
from settings.rotation import ROTATED, Mark, fingerprint
from tests.samples import dev

MARK = Mark(key="fernet", stage=2, stages=4, fingerprint=fingerprint("a new key"))


def test_mark_is_read_as_it_was_written_and_tells_how_to_go_on() -> None:
    assert Mark.of(str(MARK)) == MARK
    waiting = replace(MARK, until=datetime(2026, 11, 29, 19, 30, 5, tzinfo=UTC))
    assert Mark.of(str(waiting)) == waiting
    assert MARK.told("prod") == (
        "the rotation of fernet is in stage 2 of 4; python -m automation rotate fernet prod continues it"
    )


def test_what_rotate_did_not_write_is_refused() -> None:
    for text in [
        "fernet",
        "other 1/1 0123456789ab",
        "fernet 5/4 0123456789ab",
        "fernet 1/4 0123",
        "fernet 1/4 secret-text-",
        f"{MARK} 20261341T250000Z",
    ]:
        [problem] = dev().with_({"rotation": text}).problems()
        assert problem.startswith("airflow:rotation: expected what `python -m automation rotate` wrote, found")


def test_mark_is_part_of_a_valid_config_and_changes_nothing_else() -> None:
    assert dev().with_({"rotation": str(MARK)}).parse().rotation == MARK
    assert dev().with_({"rotation": str(MARK)}).parse().platform == dev().parse().platform


def test_value_beside_the_new_one_is_that_of_the_key_that_is_rotated() -> None:
    beside = {"rotationSecret": "the old password"}
    for key, field in (("redis-password", "redis_server_password"), ("jwt", "coming_jwt_secret"), ("fernet", "")):
        config = dev().with_({"rotation": str(replace(MARK, key=key))}, beside)
        given = config.parse().platform.keys
        for name in ("redis_server_password", "coming_jwt_secret"):
            found = getattr(given, name)
            assert (found.reveal() if isinstance(found, Secret) else found) == (
                "the old password" if name == field else None
            )
    assert dev().with_(secrets=beside).parse().platform.keys.redis_server_password is None


def test_what_can_be_rotated_are_secret_config_keys_but_for_an_authority_that_all_may_see() -> None:
    assert set(ROTATED.values()) - SECRET_KEYS == {"databaseCaCertificate"}
