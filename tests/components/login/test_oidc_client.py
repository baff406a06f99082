"""The secret of the OpenID Connect client, in a Secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from components.kube.secret import Secret
from components.login.oidc_client import OidcClient, OidcClientArgs

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


def test_the_secret_stands_in_the_secret_and_nowhere_else(record: Record) -> None:
    args = OidcClientArgs(namespace="ns", client_secret=Secret("sentinel"))
    recorder = record(lambda: OidcClient("login", args))
    assert recorder.secret_data("login") == {"client-secret": "sentinel"}
    assert all("sentinel" not in resource.plain_text for resource in recorder.every())
