"""The runbook of a first deployment, followed word by word.

Its blocks are found when this module is imported: so a page with other ones fails without an engine too. Its first step
makes the stack in `Checkout.init`.
"""

from __future__ import annotations

import re

from tests.prod.checkout import Checkout
from tests.prod.runbook import blocks

_, _TRY, _DEPLOY, _LOOK = blocks("runbooks/first-production-deployment.md", "Steps")
_PREVIEW, _PREFLIGHT = _TRY.text.splitlines()
_PREVIEW_AGAIN, _VERIFY = _LOOK.text.splitlines()
assert (_PREFLIGHT.split()[-2:], _VERIFY.split()[:2]) == (["preflight", "prod"], ["make", "verify"])


def deploy(checkout: Checkout) -> None:
    """Preview, deploy, and preview again, where nothing runs: so without the preflight and `verify`."""
    previewed = checkout.run(_PREVIEW).output
    assert re.search(r"^preview of prod: \d+ create$", previewed, re.MULTILINE), previewed[-2000:]
    done = checkout.run(_DEPLOY.text).output
    assert re.search(r"^up of prod: \d+ create$", done, re.MULTILINE), done[-2000:]
    assert "preview of prod: no changes" in checkout.run(_PREVIEW_AGAIN).output


def verify(checkout: Checkout) -> str:
    """Preview again, and verify, where Airflow runs. Return what is printed."""
    done = checkout.run(_LOOK.text).output
    assert "preview of prod: no changes" in done
    return done
