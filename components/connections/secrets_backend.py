"""AWS Secrets Manager as a place from which Airflow reads connections and variables. Pure.

A task asks the API server for them. The DAG processor and the triggerer run code of DAGs beside it and ask for
themselves. No worker asks, so no worker has the right.
"""

from __future__ import annotations

import json
from typing import Any, Final

from components.aws.kms_policy import any_key
from components.aws.region import partition
from components.kube.env import variable

ACCOUNTS: Final = ("api-server", "dag-processor", "triggerer")
"""Service accounts of the pods that ask, by the part of their names after the release's."""
POLICY_NAME: Final = "secrets"
"""Name in IAM of a role's policy for them."""
BACKEND_VARIABLES: Final = ("AIRFLOW__SECRETS__BACKEND", "AIRFLOW__SECRETS__BACKEND_KWARGS")
_CLASS: Final = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"


def backend_variables(prefix: str | None) -> list[dict[str, Any]]:
    """Return the variables of a container that asks; none without a prefix."""
    if prefix is None:
        return []
    keywords = {
        "connections_prefix": f"{prefix}/connections",
        "variables_prefix": f"{prefix}/variables",
        "config_prefix": None,  # no option of airflow.cfg is looked up
    }
    name, keywords_name = BACKEND_VARIABLES
    return [variable(name, _CLASS), variable(keywords_name, json.dumps(keywords))]


def secrets_policy(prefix: str, region: str, account_id: str) -> dict[str, Any]:
    """Return the policy of a role: read the secrets below the prefix, whichever key of KMS encrypts them."""
    secrets = f"arn:{partition(region)}:secretsmanager:{region}:{account_id}:secret:{prefix}/*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadSecrets",
                "Effect": "Allow",
                "Action": "secretsmanager:GetSecretValue",
                "Resource": secrets,
            },
            {
                # The key of AWS itself needs no right; one of the account does.
                "Sid": "DecryptSecrets",
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                **any_key(account_id, region, "secretsmanager", "SecretARN", secrets),
            },
        ],
    }
