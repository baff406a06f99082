"""What the checks of the preflight know: every secret of the config, whichever pod has it."""

from __future__ import annotations

from components.platform_checks import _secrets
from components.secrets.masker import Masker
from tests import samples

OWN = "Zx9QwLm3pVt"


def test_every_secret_of_the_config_is_hidden_in_what_a_pod_says() -> None:
    team = {"helmValues": {"env": [{"name": "OWN_PWD", "value": OWN}]}}
    # A deploy key and a token exclude each other; without a rotation nothing reads its secret.
    given = samples.all_secrets(but=["dagsToken", "rotationSecret"])
    platform = samples.external().with_({**samples.OIDC, **team}, given).parse().platform
    masker = Masker(secrets=_secrets(platform))
    assert len(given) >= 10
    for key, value in (*given.items(), ("helmValues", OWN)):
        for trace in (OWN,) if value == OWN else samples.traces(key, value):
            shown = masker.text(f"it said {trace} and ended")
            assert trace not in shown, key
            assert shown.endswith(" and ended"), key
