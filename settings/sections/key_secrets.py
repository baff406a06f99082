"""Checks that no other key names the Secrets with Airflow's keys."""

from __future__ import annotations

from settings.reading import Config
from settings.sections.dag_bundles import DAG_BUNDLES
from settings.sections.dags import DAGS_GITHUB_APP_SECRET, DAGS_TOKEN_SECRET
from settings.sections.database import CLIENT_CERTIFICATE_SECRET
from settings.sections.images import IMAGE_PULL_SECRETS
from settings.sections.keys import KEY_SECRETS
from settings.sections.task_logs import TASK_LOGS_CONNECTION_SECRET

_OTHERS = (CLIENT_CERTIFICATE_SECRET, DAGS_GITHUB_APP_SECRET, DAGS_TOKEN_SECRET, TASK_LOGS_CONNECTION_SECRET)


def check_key_secrets(config: Config) -> None:
    """Note a Secret that another key names too: the cluster refuses task pods that refer to one with keys."""
    others = {secret: key.full for key in _OTHERS if (secret := config[key]) is not None}
    others |= dict.fromkeys(config[IMAGE_PULL_SECRETS], IMAGE_PULL_SECRETS.full)
    others |= {bundle.secret: DAG_BUNDLES.full for bundle in config[DAG_BUNDLES] if bundle.secret is not None}
    for name in dict.fromkeys(config[KEY_SECRETS].values()):
        if name in others:
            config.problem(
                KEY_SECRETS,
                f"expected Secrets that no other key names, found {name}, which {others[name]} names too: only "
                "the program may give the keys to pods",
                f"edit {KEY_SECRETS.full} in Pulumi.STACK.yaml",
            )
