"""The tokens of services, which are known by how they begin."""

from __future__ import annotations

from typing import Final

# gitguardian and detect-secrets know tokens by the same beginnings.
TOKENS: Final = (
    ("an access key of AWS", ("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (
        "a token of GitHub",
        ("gho_", "ghp_", "ghs_", "ghr_", "ghu_", "github_pat_"),
        r"\b(?:gh[opsru]_[A-Za-z0-9]{36,}|github_pat_\w{36,})",
    ),
    ("a token of GitLab", ("gl",), r"\bgl(?!obal-|ue-|ass-)[a-z]{1,5}-[\w-]{20,}"),
    ("a token of Slack", ("xox",), r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    (
        "a key of Google",
        ("aiza", "ya29.", "gocspx-"),
        r"\bAIza[A-Za-z0-9_-]{35}\b|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}",
    ),
    (
        "a key of a model's API",
        ("sk-", "hf_"),
        r"\bsk-(?:ant|or|proj|svcacct|admin)-[\w-]{20,}|\bsk-[A-Za-z0-9]{32,}\b|\bhf_[A-Za-z0-9]{30,}\b",
    ),
    ("a key of Stripe", ("k_live_", "k_test_"), r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("a key of SendGrid", ("sg.",), r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    ("a token of a package registry", ("pypi-", "npm_"), r"\bpypi-[A-Za-z0-9_-]{32,}|\bnpm_[A-Za-z0-9]{36}\b"),
    ("a token of Databricks", ("dapi",), r"\bdapi[0-9a-f]{32}\b"),
    ("a token of Vault", ("hvb.", "hvr.", "hvs."), r"\bhv[brs]\.[\w-]{20,}"),
    ("a token of Atlassian", ("atatt3",), r"\bATATT3[\w=-]{20,}"),
    ("a token of Grafana", ("glsa_", "glc_"), r"\bglsa_[A-Za-z0-9]{20,}_|\bglc_[A-Za-z0-9+/=]{32,}"),
    ("a key of New Relic", ("nrak-",), r"\bNRAK-[A-Z0-9]{20,}"),
    ("a token of DigitalOcean", ("doo_v1_", "dop_v1_", "dor_v1_"), r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    ("a key of Linear", ("lin_api_",), r"\blin_api_[A-Za-z0-9]{30,}"),
    ("a token of a Telegram bot", (":aa",), r"\b[0-9]{8,10}:AA[\w-]{32,}"),
    ("a key of age", ("age-secret-key-1",), r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    ("a JSON Web Token", ("eyj",), r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),
    ("a Fernet key", ("=",), r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}=(?![A-Za-z0-9+/=_-])"),
)
"""For each token: its name for messages, a part of it in small letters, and a pattern of the whole."""
