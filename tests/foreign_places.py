"""Places in which a team may put a secret that this program does not expect: variables, texts, arguments."""

from __future__ import annotations

import json
from typing import Any, Final

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


def places() -> list[tuple[str, Any, str]]:
    """A secret of its own for each place, the value with it as a team sets it, and that value as others quote it."""
    found: list[tuple[str, Any, str]] = []

    def secret() -> str:
        return f"Zx9Qw{len(found):03d}Lm3pVt"

    for name in VARIABLES:
        variable = {"name": name, "value": secret()}
        found.append((secret(), variable, json.dumps(variable)))
    for template in TEXTS:
        found.append((secret(), _filled(template, secret()), _filled(template, secret())))
    for option, _ in ARGUMENTS:
        found.append((secret(), [option, secret()], f"{option} {secret()}"))
    return found


def planted() -> tuple[dict[str, Any], list[str]]:
    """Return values of the chart with a secret of its own in each place, and the secrets."""
    secrets: list[str] = []

    def secret() -> str:
        secrets.append(f"Zx9Qw{len(secrets):03d}Lm3pVt")
        return secrets[-1]

    def text(template: str) -> str:
        return _filled(template, secret())

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


def _filled(template: str, secret: str) -> str:
    return template.format(*[secret] * template.replace("{{", "").count("{"))
