"""Secrets that nothing marks are found in values, so that they are known in every form."""

from __future__ import annotations

import base64

from components.secrets.masker import Masker
from components.secrets.recognised import recognised
from tests.foreign_places import places


def test_what_is_recognised_in_its_place_is_hidden_elsewhere_in_another_form() -> None:
    for secret, value, _ in places():
        masker = Masker(secrets=recognised(value))
        for text in (secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex()):
            assert text not in masker.text(f"it said {text} and ended"), value


def test_words_and_references_are_not_learned() -> None:
    values = {
        "password": "airflow",
        "kubernetes_secret": "the-secret-of-our-team-2",
        "client_secret": "{{ .Values.own }}",
        "token": "/var/run/secrets/token",
        "env": [{"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "own", "key": "token"}}}],
        "image": "registry.test/airflow:3.2.2",
        "automountServiceAccountToken": False,
    }
    assert recognised(values) == frozenset()
