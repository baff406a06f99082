"""A secret must be encrypted, and nothing shows it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

import pytest

import settings
from components.database.connection import ExternalDatabase
from components.kube.secret import Secret
from tests import samples
from tests.cases import each
from tests.samples import all_secrets, dev, external, prod, schema, sentinels


def chain(error: BaseException) -> str:
    """All that a traceback with local variables left out would show, of causes and contexts too."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


def assert_silent(text: str, given: Mapping[str, str]) -> None:
    for key, value in given.items():
        for trace in samples.traces(key, value):
            assert trace not in text, f"{key} is shown"


def break_(value: str) -> str:
    """A value that no check of a secret accepts, with the whole secret in it."""
    return f"{value}\x07\n"


def test_no_error_shows_a_secret() -> None:
    """Whether the value is good, broken, short or in plain text."""
    for key in sorted(settings.SECRET_KEYS):
        good = sentinels()[key]
        trace = samples.traces(key, good)[0]
        for value, plain in ((good, False), (break_(good), False), (trace[:6], False), (good, True)):
            for stack in (dev(), prod()):
                given = {"plain": {key: value}, "secret": {}} if plain else {"plain": {}, "secret": {key: value}}
                config = stack.with_({**given["plain"], "unheardOf": "x"}, given["secret"])
                with pytest.raises(settings.SettingsError) as error:
                    config.parse()
                shown = chain(error.value)
                assert value not in shown, key
                assert trace not in shown, key


def test_no_error_shows_a_value_that_is_encrypted_without_need() -> None:
    """A person who encrypts a value takes it for a secret, whatever its key."""
    for key in sorted(schema().keys() - settings.SECRET_KEYS):
        config = dev().with_(secrets={key: "sentinel encrypted\x07value"})
        with pytest.raises(settings.SettingsError) as error:
            config.parse()
        assert "sentinel" not in chain(error.value), key
        assert any(problem.startswith(f"airflow:{key}: expected plain text") for problem in error.value.problems)


def test_login_in_the_name_of_a_context_is_refused_and_not_shown() -> None:
    """Errors about the cluster name the context, and so do the commands in them."""
    with pytest.raises(settings.SettingsError, match="found a text that may hold a login") as error:
        dev().with_({"kubeContext": "https://admin:sentinel-4711@api.test:6443"}).parse()
    assert "sentinel" not in str(error.value) + repr(error.value)
    for name in ("arn:aws:eks:eu-central-1:123456789012:cluster/x", "airflow/api-test:6443/kube:admin", "me@kind"):
        assert dev().with_({"kubeContext": name}).parse().platform.kube_context == name


LOGINS = (
    "robot:sentinel-4711@host.test",
    "https://robot:sentinel-4711@host.test/x",
    "https://sentinel-4711-A1@host.test/x",
)


@each("login", LOGINS)
def test_login_in_a_key_for_something_else_is_refused_and_not_shown(login: str) -> None:
    """Plans, errors and commands show these keys."""
    for key in ("kubeContext", "kubeconfig", "adminEmail", "dagsSubPath", "dagsUsername", "oidcGroupsClaim"):
        problems = dev().with_({key: login}).problems()
        assert any(problem.startswith(f"airflow:{key}: ") for problem in problems), key
        assert "sentinel" not in "".join(problems), key


@each("login", LOGINS)
def test_login_as_the_name_of_an_entry_is_not_shown(login: str) -> None:
    for key in ("helmValues", "monitoringLabels", "imageMirrors", "keySecrets", "ingressAnnotations"):
        problems = dev().with_({key: {login: "x"}}).problems()
        assert problems, key
        assert "sentinel" not in "".join(problems), key


def test_good_settings_hold_the_secrets_and_do_not_show_them() -> None:
    secrets = all_secrets(but=["dagsToken"])
    loaded = external().with_(samples.OIDC, secrets).parse()
    assert_silent(repr(loaded) + str(loaded) + f"{loaded}", secrets)
    keys, database = loaded.platform.keys, loaded.platform.database
    assert isinstance(database, ExternalDatabase)
    assert keys.fernet_key == Secret(secrets["fernetKey"])
    assert keys.api_secret_key == Secret(secrets["apiSecretKey"])
    assert keys.jwt_secret == Secret(secrets["jwtSecret"])
    assert keys.redis_password == Secret(secrets["redisPassword"])
    assert keys.admin_password == Secret(secrets["adminPassword"])
    assert database.database.password == Secret(secrets["databasePassword"])
    assert loaded.platform.git.ssh_private_key == Secret(secrets["gitSshPrivateKey"])
    assert loaded.platform.registry_credentials == Secret(secrets["registryCredentials"])


def test_known_password_is_for_a_stack_that_may_be_thrown_away() -> None:
    assert dev().with_({"adminPassword": "admin"}).problems() == ()
    refused = prod().with_({"adminPassword": "admin"}).problems()
    assert [problem.split(":")[1] for problem in refused] == ["adminPassword"]
    [guessable] = prod().with_(secrets={"adminPassword": "admin"}).problems()
    assert "hard to guess" in guessable
    assert prod().with_(secrets={"adminPassword": "a password of ours"}).problems() == ()


def test_common_word_is_no_password_of_a_protected_database() -> None:
    """It would be masked wherever the word stands, and so be told."""
    for word in ("airflow", "postgres", "secret", "     x     ".strip() * 9):
        [problem] = samples.external().with_(secrets={"databasePassword": word}).problems()
        assert problem.startswith("airflow:databasePassword: expected a password that is hard to guess")
        assert samples.external().with_({"protect": "false"}, {"databasePassword": word}).problems() == ()
    assert samples.external().with_(secrets={"databasePassword": ""}).problems() != ()


def test_only_the_admin_password_may_be_plain() -> None:
    for key in settings.SECRET_KEYS - {"adminPassword"}:
        problems = dev().with_({key: sentinels()[key]}).problems()
        assert any(problem.startswith(f"airflow:{key}: expected an encrypted value") for problem in problems), key
