"""Secrets that a team puts where this program expects none: no output shows one, in whatever form it is quoted.

The places are those of values of the chart, commands, variables, and texts in Python, ini, YAML, JSON and shell.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from automation.change_report.compare import compare_plans
from automation.change_report.markdown import markdown
from automation.change_report.model import ChangeReport
from automation.cli.report import report_json
from automation.engine.events import Event, EventKind, Teller
from automation.helmsman.secrets import secret_path
from automation.plan.text import plan_text
from automation.yaml_text import as_yaml
from components.secrets.encodings import forms
from components.secrets.masker import Masker
from tests import samples
from tests.automation.checkouts import edit
from tests.chart.rendering import needs_chart

if TYPE_CHECKING:
    from pathlib import Path

    from tests.automation.checkouts import Checkouts

VARIABLES: Final = (
    *("MY_PASSWORD", "DB_PASSWD", "SNOWFLAKE_PWD", "SMTP_PASS", "GPG_PASSPHRASE", "API_TOKEN", "GITHUB_TOKEN"),
    *("API_KEY", "API_KEY2", "API_KEYS", "OPENAI_API_KEY", "DATADOG_API_KEY", "SECRET_KEY", "DJANGO_SECRET_KEY"),
    *("AWS_SECRET_ACCESS_KEY", "PRIVATE_KEY", "SSH_KEY", "CLIENT_SECRET", "OAUTH_CLIENT_SECRET", "JWT_SECRET"),
    *("WEBHOOK_SECRET", "SENTRY_DSN", "MYSQL_DSN", "PASSWORD_2", "TOKEN1", "STORAGE_ACCOUNT_KEY", "SHARED_KEY"),
    *("SIGNING_KEY", "AUTH_KEY", "ACCESS_KEY", "BASIC_AUTH", "db.password", "x-api-key"),
)
"""Names of variables whose values are secrets."""
TEXTS: Final = (
    *("SECRET_KEY = '{}'", 'SECRET_KEY = "{}"', "PASSWORD='{}'", "export TOKEN={}", "db_password = {}", "api_key={}"),
    *(
        "fernet_key = {}",
        "password: {}",
        "  - token: {}",
        "client_secret: '{}'",
        '"password": "{}"',
        "'password': '{}'",
    ),
    *("--password={}", "--password {}", "--db-password {}", "--api-key={}", "cmd --token '{}' x", "curl -u admin:{} h"),
    *("curl --user 'bob:{}' h", "mysql -h db -p{} airflow", "Authorization: Bearer {}", "Authorization: Basic {}=="),
    *("-H 'X-Api-Key: {}'", "Private-Token: {}", "postgresql://u:{}@h/db", "redis://:{}@h/0", "amqp://a:{}/x@h"),
    *("https://h/x?token={}", "https://h/x?a=1&password={}&b=2", "https://h/x?sig={}", "AccountKey={};Endpoint=x"),
    *("https://hooks.slack.com/services/T0AB/B0CD/{}", "https://discord.com/api/webhooks/12/{}"),
    *("https://a.webhook.office.com/webhookb2/{}", "https://hooks.zapier.com/hooks/catch/1/{}"),
    *("https://{}{}@o1.ingest.sentry.io/1", "jdbc:postgresql://h/db?user=u&password={}", "Password={};Server=h"),
    *('{{"auths": {{"r.io": {{"auth": "{}"}}}}}}', "https://robot:{}@git.test/x.git", "CLIENT_SECRET: {}"),
    *("SQLALCHEMY_PASSWORD = r'{}'", "set PGPASSWORD={}", "aws_secret_access_key = {}", "smtp_password={}"),
)
"""Texts with a secret in them."""
ARGUMENTS: Final = (("--password", "{}"), ("--token", "{}"), ("--api-key", "{}"), ("--client-secret", "{}"))


def planted() -> tuple[dict[str, Any], list[str]]:
    """Return values of the chart with a secret of its own in each place, and the secrets."""
    secrets: list[str] = []

    def secret() -> str:
        secrets.append(f"Zx9Qw{len(secrets):03d}Lm3pVt")
        return secrets[-1]

    def text(template: str) -> str:
        found = secret()
        return template.format(*[found] * template.replace("{{", "").count("{"))

    values: dict[str, Any] = {
        "env": [{"name": name, "value": secret()} for name in VARIABLES],
        "scheduler": {"podAnnotations": {f"example.com/a{number}": text(item) for number, item in enumerate(TEXTS)}},
        "extraConfigMaps": {"own": {"data": "".join(f"x{number}: |\n  {text(t)}\n" for number, t in enumerate(TEXTS))}},
        "triggerer": {
            "extraInitContainers": [
                {
                    "name": "own",
                    "image": "busybox:1.37",
                    "args": [text(word) for pair in ARGUMENTS for word in pair],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ]
        },
    }
    return values, [found for found in secrets if found in json.dumps(values)]


def test_no_place_is_shown_by_a_masker_nor_exported() -> None:
    values, secrets = planted()
    assert len(secrets) >= 80
    shown = json.dumps(Masker().value(values))
    assert [found for found in secrets if found in shown] == []
    for name, value in values.items():
        assert secret_path({name: value}) is not None, "an export refuses it, with its place"
    for item in values["env"]:
        assert secret_path({"env": [item]}) == "env[0].value"


def test_masks_are_not_masked_again_and_tell_no_word() -> None:
    for word in ("secret", "airflow", "changed", "[secret]"):
        masker = Masker(secrets=[word])
        once = masker.text(f"x [secret] {word} [secret, changed]")
        assert once == masker.text(once)
        assert "[[" not in once


def outputs(text: str, masker: Masker) -> dict[str, str]:
    """Return what each kind of output makes of a text with a secret in it."""
    heard: list[Event] = []
    teller = Teller(heard.append, "dev", "up", masker)
    teller.tell(EventKind.ERROR, text)
    plain = masker.value({"a": [text], text: "b"})
    return {
        "text": masker.text(text),
        "value": repr(plain),
        "json": json.dumps(plain),
        "yaml": as_yaml(plain),
        "event": repr(heard),
        "event as json": json.dumps([event.to_json() for event in heard]),
        "masker": repr(masker),
    }


def test_known_secret_is_in_no_output_in_any_form(capsys: pytest.CaptureFixture[str]) -> None:
    """Of every secret input, in every form in which tools quote, over every kind of output that a masker guards."""
    looked, shown = 0, []
    for key, secret in sorted(samples.sentinels().items()):
        masker = Masker(secrets=[secret])
        for form in sorted(forms(secret, 8)):
            for where, output in outputs(f"it said {form} and ended", masker).items():
                looked += 1
                if form in output or secret in output:
                    shown.append(f"{key} in {where}")
    assert shown == []
    with capsys.disabled():
        print(f"\n{looked} outputs of {len(samples.sentinels())} secrets in all forms: {len(shown)} show one")


@needs_chart
def test_no_output_of_a_plan_or_a_report_shows_a_foreign_secret(
    checkouts: Checkouts, capsys: pytest.CaptureFixture[str]
) -> None:
    values, secrets = planted()

    def with_places(of: dict[str, Any]) -> Callable[[Path], None]:
        line = json.dumps(of)
        return lambda folder: edit(folder / "Pulumi.dev.yaml", "config:\n", f"config:\n  airflow:helmValues: {line}\n")

    before = checkouts.plan(checkouts.make("foreign-secrets", with_places(values)), "dev")
    other = json.loads(json.dumps(values).replace("Lm3pVt", "Kk8Rr5"))
    after = checkouts.plan(checkouts.make("other-foreign-secrets", with_places(other)), "dev")
    assert before.failure is None, before.failure
    assert before.objects
    report = ChangeReport(base="a", head="b", stacks=(compare_plans(before, after),))
    shown = {
        "plan": plan_text(before),
        "plan as JSON": json.dumps(before.to_json(), ensure_ascii=False),
        "plan, repr": repr(before),
        "report as JSON": report_json(report),
        "comment": markdown(report),
        "whole report": markdown(report, limit=None),
        "report, repr": repr(report),
        "objects as YAML": "\n".join(yaml.safe_dump(item) for item in before.objects),
    }
    leaked = [(where, found) for where, output in shown.items() for found in secrets if found in output]
    assert leaked == []
    with capsys.disabled():
        print(f"\n{len(secrets)} secrets in foreign places, {len(shown)} kinds of output: {len(leaked)} shown")
