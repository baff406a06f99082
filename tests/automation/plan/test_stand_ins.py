"""What is stood in for passes for the real thing, is the same every time, and follows what it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import settings
from automation.plan import stand_ins
from automation.plan.model import Placeholder, Why
from components.dags.ssh_private_key import public_key
from components.kube.safe_yaml import load_yaml
from settings import SECRET_KEYS
from tests import samples
from tests.cases import each


@each("key", sorted(SECRET_KEYS))
def test_placeholder_passes_for_its_key(key: str) -> None:
    config = {
        "dagsToken": samples.dev(),
        "gitSshPrivateKey": samples.prod(),
        "databasePassword": samples.external(),
        "databaseMasterPassword": samples.prod().with_({}, {"databaseLogin": "role:a-secret-of-nobody"}),
    }
    needed: dict[str, dict[str, Any]] = {
        "dagsToken": {"dagsUsername": "robot"},
        "oidcClientSecret": samples.OIDC,
        "brokerUrl": {"brokerCidrs": ["10.0.48.0/20"]},
    }
    changes = needed.get(key, {})
    found = config.get(key, samples.dev()).with_(changes, {key: stand_ins.placeholder(key, "seed")})
    assert found.problems() == ()


@each("key", sorted(SECRET_KEYS))
def test_placeholder_is_made_of_its_key_and_seed_alone(key: str) -> None:
    assert stand_ins.placeholder(key, "seed") == stand_ins.placeholder(key, "seed")
    assert stand_ins.placeholder(key, "seed") != stand_ins.placeholder(key, "another seed")


def test_two_ssh_keys_are_two_keys() -> None:
    """Not only two texts: libraries put random bytes into one and the same."""
    first, second = (stand_ins.placeholder("gitSshPrivateKey", seed) for seed in ("a", "b"))
    assert public_key(first) != public_key(second)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return samples.ship(tmp_path)


def _set(project: Path, stack: str, **config: object) -> None:
    path = project / f"Pulumi.{stack}.yaml"
    content = load_yaml(path.read_text())
    content["config"] |= {f"airflow:{key}": value for key, value in config.items()}
    path.write_text(yaml.safe_dump(content))


def test_encrypted_values_are_stood_in_for_and_follow_their_text(project: Path) -> None:
    values = []
    for text in ("v1:one", "v1:one", "v1:two"):
        _set(project, "prod", jwtSecret={"secure": text})
        found = stand_ins.plan_config(project, "prod", {})
        assert Placeholder(key="jwtSecret", why=Why.ENCRYPTED) in found.placeholders
        assert "airflow:jwtSecret" in found.secret_keys
        values.append(found.text("jwtSecret"))
    assert values[0] == values[1] != values[2]
    assert "v1:" not in values[0]


def test_what_a_stack_needs_and_lacks_is_stood_in_for(project: Path) -> None:
    """A fork has no secret, and prod's deploy key is not committed."""
    found = stand_ins.plan_config(project, "prod", {})
    assert found.placeholders == (Placeholder(key="gitSshPrivateKey", why=Why.MISSING),)
    assert settings.parse(found.values, found.secret_keys, "prod").platform.git.ssh_private_key is not None
    assert stand_ins.plan_config(project, "dev", {}).placeholders == ()


def test_an_encrypted_part_of_a_value_is_stood_in_for(project: Path) -> None:
    _set(project, "dev", awsTags={"owner": "me", "token": {"secure": "v1:x"}}, eksCluster={"secure": "v1:y"})
    found = stand_ins.plan_config(project, "dev", {})
    tags = load_yaml(found.text("awsTags"))
    assert tags["owner"] == "me"
    assert isinstance(tags["token"], str)
    assert {"airflow:awsTags", "airflow:eksCluster"} <= found.secret_keys


def test_known_secrets_are_used_as_they_are(project: Path) -> None:
    _set(project, "prod", jwtSecret={"secure": "v1:one"})
    secrets = {key: samples.sentinels()[key] for key in ("jwtSecret", "gitSshPrivateKey")}
    found = stand_ins.plan_config(project, "prod", secrets)
    assert found.placeholders == ()
    assert {found.text(key) for key in secrets} == set(secrets.values()) == set(found.secrets)


def test_wrong_config_is_not_mended(project: Path) -> None:
    _set(project, "prod", jwtSecret="in clear", executor="LocalExecutor")
    found = stand_ins.plan_config(project, "prod", {})
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(found.values, found.secret_keys, "prod")
    assert len(error.value.problems) == 2


def test_stand_ins_are_named_for_what_a_stack_asks_of_aws(project: Path) -> None:
    named = {stack: stand_ins.aws_stand_ins(stand_ins.plan_config(project, stack, {})) for stack in ("dev", "prod")}
    assert named["dev"] == ()
    assert [text.partition(" ")[0] for text in named["prod"]] == ["facts", "the"]
    _set(project, "prod", keySource="escrow")
    assert stand_ins.aws_stand_ins(stand_ins.plan_config(project, "prod", {}))[-1] == "the keys in the escrow"
