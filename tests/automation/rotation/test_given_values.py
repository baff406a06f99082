"""Values that others make, a login for registries and the authority of a database: stages, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from automation.rotation.cluster_facts import ClusterFacts
from automation.rotation.kept_values import Kept
from automation.rotation.keys import KEYS, PULL_SECRET
from automation.rotation.refusals import given_refusals, refusals
from automation.rotation.rotate import _target
from automation.rotation.stages import PodKey, RotationAction
from automation.stages.stage import next_stage
from components.database.access import ca_volumes
from components.kube.own_secrets import names_of
from components.kube.secret import Secret
from settings.rotation import Mark, fingerprint
from tests import samples


def authority(name: str, *, days: int = 365) -> str:
    """The certificate of an authority, as PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


OLD_CA, NEW_CA = authority("old"), authority("new")
LOGIN = json.dumps({"auths": {"registry.test": {"auth": samples.REGISTRY_AUTH}}})
CA, REGISTRY = KEYS["ca"], KEYS["registry"]
NOTHING = Kept(value=None, mark=None)


@dataclass
class Found:
    """The facts."""

    values: Sequence[str | None]
    deployed: str | None = "x"
    refusal: str = ""
    ending: tuple[str | None, ...] = ()
    asked: list[str] = field(default_factory=list)

    @property
    def pods(self) -> tuple[PodKey, ...]:
        found = [PodKey(name=f"p-{number}", component="c", value=value) for number, value in enumerate(self.values)]
        return (*found, *(PodKey(name="going", component="c", value=value, ending=True) for value in self.ending))


def after(key: Any, old: tuple[str, ...], new: str, facts: Found) -> int | None:
    """Number of the next stage, None if all is done."""
    found = next_stage(key.stages(old, new), facts)
    return None if found is None else found[0]


def test_both_authorities_are_trusted_until_the_certificate_is_of_the_new_one() -> None:
    both, refused = OLD_CA + NEW_CA, "it is not"
    for values, refusal, expected in (
        ([OLD_CA, OLD_CA], refused, 1),
        ([both, OLD_CA], refused, 1),
        ([both, both], refused, 2),
        ([both, both], "", 3),
        ([NEW_CA, both], "", 3),
        ([NEW_CA, NEW_CA], "", None),
    ):
        assert after(CA, (OLD_CA,), NEW_CA, Found(values, refusal=refusal, ending=(OLD_CA,))) == expected, expected
    first, asks, last = CA.stages((OLD_CA,), NEW_CA)
    assert (first.value, asks.value, last.value) == (both, "", NEW_CA)
    assert asks.doing is RotationAction.ASK
    assert refused in asks.lacks(cast(Any, Found([both], refusal=refused)))


def test_login_is_new_in_every_pod_that_may_still_pull() -> None:
    for values, deployed, expected in (
        (["old", "old"], "old", 1),
        (["new", "old"], "new", 1),
        (["new", None], "new", None),  # a task's pod, which has pulled; its Secret is gone
    ):
        assert after(REGISTRY, ("old",), "new", Found(values, deployed=deployed, ending=("old",))) == expected


def test_given_value_becomes_the_new_one_in_the_form_in_which_pods_have_it() -> None:
    spaced = json.dumps(json.loads(LOGIN), indent=4)
    target = _target(REGISTRY, NOTHING, "{}", Secret(spaced))
    assert target.new == REGISTRY.uses[0].read({".dockerconfigjson": LOGIN})
    target = _target(CA, Kept(value=f"# text\n{OLD_CA}", mark=None), OLD_CA, Secret(f"# new\n{NEW_CA}"))
    assert (target.new, target.old) == (NEW_CA, (OLD_CA,))
    assert CA.uses[0].read({"ca.crt": f"# text\n{OLD_CA}\n{NEW_CA}"}) == OLD_CA + NEW_CA


def test_rotation_under_way_needs_no_file_and_takes_no_other_value() -> None:
    mark = Mark(key="ca", stage=2, stages=3, fingerprint=fingerprint(NEW_CA))
    kept = Kept(value=OLD_CA + NEW_CA, mark=mark)
    target = _target(CA, kept, OLD_CA + NEW_CA, None)
    assert (target.new, target.old, target.resumed) == (NEW_CA, (OLD_CA,), True)
    assert given_refusals("prod", CA, None, begun=target.new, present=OLD_CA + NEW_CA) == []
    assert given_refusals("prod", CA, Secret(NEW_CA), begun=target.new, present=OLD_CA + NEW_CA) == []
    [refusal] = given_refusals("prod", CA, Secret(authority("third")), begun=target.new, present=OLD_CA + NEW_CA)
    assert "the value that the rotation began with" in refusal


def test_value_that_cannot_be_the_new_one_is_refused_with_what_helps() -> None:
    for key, given, because in [
        ("fernet", "x", "because the verb makes one"),
        ("registry", None, "expected a file with the new value"),
        ("registry", "sentinel-no-json", 'with a map "auths"'),
        ("ca", None, "expected a file with the new value"),
        ("ca", "sentinel-no-pem", "BEGIN CERTIFICATE"),
        ("ca", OLD_CA + NEW_CA, "expected one certificate, the new authority's, found 2"),
    ]:
        secret = None if given is None else Secret(given)
        [refusal] = given_refusals("prod", KEYS[key], secret, begun=None, present=None)
        assert refusal.startswith("--from: ")
        assert because in refusal
        assert f". Fix: python -m automation rotate {key} prod" in refusal
        assert "sentinel" not in refusal


def test_value_that_is_in_use_already_is_no_new_one() -> None:
    for key, given, present in (
        ("ca", f"# a copy\n{OLD_CA}", OLD_CA),
        ("registry", LOGIN, json.dumps(json.loads(LOGIN))),
    ):
        [refusal] = given_refusals("prod", KEYS[key], Secret(given), begun=None, present=present)
        assert "expected another value than the present one, found the same" in refusal


def test_password_of_a_broker_outside_is_changed_by_its_url() -> None:
    """Also while another rotation of it was begun before."""
    key = KEYS["redis-password"]
    for resumed in (False, True):
        kept = Kept(value="a password", mark=None, broker=True)
        [refusal] = refusals("prod", key, kept, cast(ClusterFacts, Found(["x"])), resumed=resumed)
        assert refusal.startswith("redis-password: expected a stack that runs its own Redis, found airflow:brokerUrl")
        assert "pulumi config set --stack prod --secret airflow:brokerUrl" in refusal
        assert "a password" not in refusal
    assert (
        refusals(
            "prod",
            KEYS["jwt"],
            Kept(value=None, mark=None, broker=True),
            cast(ClusterFacts, Found(["x"])),
            resumed=False,
        )
        == []
    )


def test_login_that_the_registry_refuses_is_never_rolled_out() -> None:
    value = REGISTRY.normal(LOGIN)
    facts = Found([value], deployed=value, refusal="registry.test/a:1: ErrImagePull 401 Unauthorized")
    [refusal] = refusals("prod", REGISTRY, Kept(value=LOGIN, mark=None), cast(ClusterFacts, facts), resumed=False)
    assert "found: registry.test/a:1: ErrImagePull 401 Unauthorized. Fix: try it with docker login" in refusal
    facts.refusal = ""
    assert refusals("prod", REGISTRY, Kept(value=LOGIN, mark=None), cast(ClusterFacts, facts), resumed=False) == []


def test_authority_that_the_config_does_not_give_cannot_be_rotated() -> None:
    facts = Found([OLD_CA], deployed=OLD_CA)
    [refusal] = refusals("prod", CA, NOTHING, cast(ClusterFacts, facts), resumed=False)
    assert "expected airflow:databaseCaCertificate" in refusal


def test_names_by_which_the_facts_are_found_are_those_of_the_program() -> None:
    assert PULL_SECRET.rstrip("-") in names_of()
    assert ca_volumes("x")[0]["name"] == CA.uses[0].config_map
