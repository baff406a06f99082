"""The committed authorities of RDS, one by one, and which CA bundle of a user is refused with which words."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import textwrap
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from components.database.rds_certificates import FAMILIES, bundle, certificate_problems, rds_certificates
from tests.cases import each

ROOT: Final = Path(__file__).parents[3]
FILE: Final = ROOT / "certificates" / "rds-global-bundle.pem"
TEXT: Final = FILE.read_text()
LABELLED: Final = re.findall(r"^# (.+)\n(-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n)", TEXT, re.M)
REGIONS: Final = sorted({name.split(" ")[2] for name, _ in LABELLED})
every_certificate = each(("name", "pem"), LABELLED, ids=[name for name, _ in LABELLED])
every_region = each("region", REGIONS)

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
KEY: Final = ec.generate_private_key(ec.SECP256R1())
"""One key for all: what is tested does not look at it."""


def certificate(
    name: str = "Test Root CA",
    *,
    issuer: str | None = None,
    ca: bool | None = True,
    begin: datetime = datetime(2020, 1, 1, tzinfo=UTC),
    end: datetime = datetime(2040, 1, 1, tzinfo=UTC),
) -> str:
    """PEM of a certificate; `ca` None: without basicConstraints."""
    subject, signer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else []) for text in (name, issuer or name)
    )
    builder = x509.CertificateBuilder(signer, subject, KEY.public_key(), x509.random_serial_number(), begin, end)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def region_of(name: str, end: datetime = datetime(2040, 1, 1, tzinfo=UTC)) -> str:
    return "".join(certificate(f"Amazon RDS {name} Root CA {family} G1", end=end) for family in FAMILIES)


def names(text: str) -> list[str]:
    return [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]


def private_key() -> str:
    return KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


# The file


def test_file_is_labelled_certificates_and_nothing_else() -> None:
    assert "".join(f"# {name}\n{pem}" for name, pem in LABELLED) == TEXT
    assert len(LABELLED) == TEXT.count("BEGIN")


@every_certificate
def test_certificate_is_the_root_authority_that_its_label_names(name: str, pem: str) -> None:
    parsed = x509.load_pem_x509_certificate(pem.encode())
    assert parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name
    assert parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert parsed.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert parsed.subject == parsed.issuer
    parsed.verify_directly_issued_by(parsed)


@every_certificate
def test_certificate_is_valid_and_says_when_it_soon_is_not(name: str, pem: str) -> None:
    """The one test that looks at the clock: the first of them ends in 2061."""
    parsed, now = x509.load_pem_x509_certificate(pem.encode()), datetime.now(UTC)
    assert now < parsed.not_valid_after_utc, f"{name} has expired: update the file as certificates/README.md says"
    if parsed.not_valid_after_utc < now + timedelta(days=365):
        warnings.warn(
            f"{name} expires on {parsed.not_valid_after_utc:%Y-%m-%d}: see certificates/README.md", stacklevel=1
        )


def test_no_certificate_is_there_twice() -> None:
    parsed = [x509.load_pem_x509_certificate(pem.encode()) for _, pem in LABELLED]
    keys = {each.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for each in parsed}
    assert len({each.fingerprint(hashes.SHA256()) for each in parsed}) == len(LABELLED)
    assert len(keys) == len(LABELLED), "two names have one key"
    assert len({name for name, _ in LABELLED}) == len(LABELLED)


def test_file_is_in_its_normal_form() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert bundle(TEXT, now) == TEXT
    assert bundle("".join(pem for _, pem in reversed(LABELLED)) + TEXT, now) == TEXT


# A region's part


@every_region
def test_region_has_its_three_authorities_and_no_other(region: str) -> None:
    pem = rds_certificates(region)
    found = [
        str(parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        for parsed in x509.load_pem_x509_certificates(pem.encode())
    ]
    assert found == [f"Amazon RDS {region} Root CA {family} G1" for family in FAMILIES]
    assert pem.startswith("-----BEGIN CERTIFICATE-----\n")
    assert pem.endswith("-----END CERTIFICATE-----\n")


@every_region
def test_region_s_part_is_small_and_passes_the_check_for_a_given_bundle(region: str) -> None:
    assert len(rds_certificates(region)) < 6000
    assert certificate_problems(rds_certificates(region), now=NOW) == []


def test_regions_of_the_file_are_many_and_the_common_ones_among_them() -> None:
    assert len(REGIONS) >= 27
    assert {"eu-central-1", "eu-west-1", "us-east-1", "us-east-2", "us-west-2", "ap-southeast-2"} <= set(REGIONS)


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-nowhere-9", "https://truststore.pki.rds.amazonaws.com/eu-nowhere-9/eu-nowhere-9-bundle.pem"),
        ("us-gov-nowhere-9", "https://truststore.pki.us-gov-west-1.rds.amazonaws.com/us-gov-nowhere-9/"),
        ("cn-nowhere-9", "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/cn-nowhere-9/"),
    ],
)
def test_region_without_certificates_is_refused_with_the_command_that_mends_it(region: str, url: str) -> None:
    with pytest.raises(ValueError, match=rf"\Aexpected a region .* found '{region}'\. Fix: ") as error:
        rds_certificates(region)
    assert url in str(error.value)
    assert "| pulumi config set --stack STACK airflow:databaseCaCertificate" in str(error.value)


def test_mistyped_region_is_refused_with_the_right_one_and_never_with_a_neighbour() -> None:
    with pytest.raises(ValueError, match=r"found 'eu-centrl-1' \(close to it: eu-central-1\)"):
        rds_certificates("eu-centrl-1")
    with pytest.raises(ValueError, match=r"found 'xx-central-1'\. Fix"):
        rds_certificates("xx-central-1")


@each("text", ["", "Frankfurt", "eu-central-1\n", "eu-central-1; rm -rf /", "EU-CENTRAL-1"])
def test_what_cannot_be_a_region_is_in_no_command(text: str) -> None:
    with pytest.raises(ValueError, match="Give a region's name, such as eu-central-1") as error:
        rds_certificates(text)
    assert "curl" not in str(error.value)


def test_no_parser_of_certificates_is_loaded_for_a_region() -> None:
    code = "import sys; from components.database.rds_certificates import rds_certificates as f; f('eu-west-1'); "
    code += "print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Making the file


def test_new_file_leaves_out_what_is_no_valid_root_of_a_region() -> None:
    text = "".join(
        [
            "Bag Attributes\n",
            certificate("Amazon RDS Root 2019 CA", end=datetime(2024, 8, 22, tzinfo=UTC)),
            region_of("aa-west-1"),
            certificate(
                "Amazon RDS aa-west-1 Subordinate CA RSA2048 G1", issuer="Amazon RDS aa-west-1 Root CA RSA2048 G1"
            ),
            certificate("Amazon RDS zz-west-1 Root CA RSA2048 G1", issuer="Somebody else"),
            region_of("Preview us-east-2"),
            region_of("bb-old-1", end=NOW),
            certificate("Some Other Root CA"),
        ]
    )
    made = bundle(text, NOW)
    assert names(made) == [f"Amazon RDS aa-west-1 Root CA {family} G1" for family in FAMILIES]
    assert bundle(made, NOW) == made


@given(
    st.permutations(
        re.findall(r"-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n", region_of("b-x-1") + region_of("aa-b-1"))
    )
)
def test_new_file_does_not_depend_on_the_order(blocks: list[str]) -> None:
    made = bundle("".join(blocks), NOW)
    assert names(made) == [f"Amazon RDS aa-b-1 Root CA {family} G1" for family in FAMILIES]


def test_next_generation_of_authorities_is_kept_beside_the_first() -> None:
    made = bundle(certificate("Amazon RDS aa-west-1 Root CA RSA4096 G2") + region_of("aa-west-1"), NOW)
    kinds = ["RSA2048 G1", "RSA4096 G1", "RSA4096 G2", "ECC384 G1"]
    assert names(made) == [f"Amazon RDS aa-west-1 Root CA {kind}" for kind in kinds]


def test_incomplete_download_is_refused() -> None:
    whole = region_of("aa-west-1")
    two = whole[: whole.rindex("-----BEGIN")]
    with pytest.raises(ValueError, match="expected RSA2048, RSA4096, ECC384 of aa-west-1, found no ECC384"):
        bundle(two, NOW)
    with pytest.raises(ValueError, match="cut off or damaged"):
        bundle(whole.replace("\nMII", "\nAII", 1), NOW)
    for nothing in ("", "<html>", certificate()):
        with pytest.raises(ValueError, match="expected root certificates of RDS, found none"):
            bundle(nothing, NOW)


def test_two_authorities_of_one_name_are_refused() -> None:
    text = region_of("aa-west-1") + certificate("Amazon RDS aa-west-1 Root CA ECC384 G1")
    with pytest.raises(ValueError, match="found two different ones of Amazon RDS aa-west-1 Root CA ECC384 G1"):
        bundle(text, NOW)


def test_command_of_the_readme_writes_the_file_again() -> None:
    assert "python -m components.database.rds_certificates" in (FILE.parent / "README.md").read_text()
    command = [sys.executable, "-m", "components.database.rds_certificates"]
    done = subprocess.run(command, cwd=ROOT, input=TEXT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT, "")
    refused = subprocess.run(command, cwd=ROOT, input="<html>", capture_output=True, text=True)
    assert refused.returncode == 1
    assert (refused.stdout, refused.stderr) == ("", "certificates: expected root certificates of RDS, found none\n")


def test_readme_names_the_regions_that_are_not_there() -> None:
    readme = (FILE.parent / "README.md").read_text()
    for region in ("il-central-1", "ca-west-1", "mx-central-1", "ap-east-2"):
        assert (f"`{region}`" in readme) is (region not in REGIONS)
    assert f"{len(LABELLED)} are here" in readme


# A bundle that a user gives


def problems(pem: str) -> list[str]:
    return certificate_problems(pem, now=NOW)


@each(
    "pem",
    [
        certificate(),
        certificate("One") + certificate("Two"),
        certificate(issuer="Some Root CA"),  # an intermediate may be trusted, too
        f"# a remark\n{certificate()}\n\nsubject=CN = another\n{certificate('Two')}",
        certificate().replace("\n", "\r\n"),
        certificate().rstrip(),
        certificate(""),
    ],
    ids=["one", "two", "intermediate", "remarks", "CRLF", "no newline", "no name"],
)
def test_bundle_of_authorities_is_accepted(pem: str) -> None:
    assert problems(pem) == []


def test_server_s_certificate_is_refused() -> None:
    for ca in (False, None):
        assert problems(certificate("db.example.com", ca=ca)) == [
            "certificate 1 (db.example.com): expected a CA certificate (basicConstraints CA:TRUE), found another "
            "one; give the "
            "certificate of the authority that signed it"
        ]


def test_certificates_outside_their_time_are_refused_by_number_name_and_date() -> None:
    old = certificate("Old", end=datetime(2024, 8, 22, tzinfo=UTC))
    new = certificate("New", begin=datetime(2031, 5, 1, tzinfo=UTC))
    assert problems(certificate() + old + new) == [
        "certificate 2 (Old): expected a valid one, found it expired on 2024-08-22",
        "certificate 3 (New): expected a valid one, found it valid only from 2031-05-01",
    ]


def test_certificate_is_valid_until_its_last_moment() -> None:
    pem = certificate(end=NOW)
    assert certificate_problems(pem, now=NOW - timedelta(seconds=1)) == []
    assert len(certificate_problems(pem, now=NOW)) == 1


def test_every_fault_is_told_at_once() -> None:
    pem = certificate("db.example.com", ca=False, end=datetime(2024, 1, 1, tzinfo=UTC)) + certificate("two", ca=False)
    assert [text.split(":")[0] for text in problems(pem)] == [
        "certificate 1 (db.example.com)",
        "certificate 1 (db.example.com)",
        "certificate 2 (two)",
    ]


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_is_refused(text: str) -> None:
    assert problems(text) == [
        "expected CA certificates in PEM, found nothing; give the file that begins with -----BEGIN CERTIFICATE-----"
    ]


@pytest.mark.parametrize(
    "text", ["rds-bundle.pem", "MIIEDTCCAvWg", "-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----"]
)
def test_other_text_is_refused_and_not_shown(text: str) -> None:
    (message,) = problems(text)
    assert message.startswith("expected CA certificates in PEM, found other text; give the file")
    assert text not in message


@each(
    "pem",
    [
        certificate()[:-30],
        certificate() + certificate()[:200],
        certificate()[:200] + "\n" + certificate(),
        certificate().replace("\nMII", "\nAII", 1),
        certificate().replace("MII", "M!I", 1),
    ],
    ids=["end", "second's end", "first's end", "length", "alphabet"],
)
def test_cut_off_or_damaged_certificate_is_refused(pem: str) -> None:
    found = problems(pem)
    assert found
    assert any("cut off" in message for message in found)


def test_private_key_is_refused_alone_and_beside_certificates_and_not_shown() -> None:
    secret = "".join(private_key().splitlines()[1:-1])
    for pem in (private_key(), certificate() + private_key(), private_key().replace("PRIVATE", "RSA PRIVATE")):
        (message,) = problems(pem)
        assert message.startswith("expected CA certificates alone, found a private key")
        assert not [secret[at : at + 8] for at in range(len(secret) - 7) if secret[at : at + 8] in message]


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_around_a_certificate_breaks_the_check_or_is_repeated(before: str, after: str) -> None:
    sentinel = "sentinel-0123456789"
    found = problems(f"{before}{sentinel}\n{certificate(ca=False)}{sentinel}{after}")
    assert found
    assert all(sentinel not in message and "BEGIN" not in message.split("; give")[0] for message in found)


def test_name_in_a_message_is_short_and_printable() -> None:
    (message,) = problems(certificate("evil\n\x1b[31m" + "x" * 50, ca=False))
    assert message.isprintable()
    (message,) = problems(certificate("x" * 64, ca=False))
    assert f"({'x' * 60}…)" in message


@given(st.data())
def test_damage_anywhere_in_a_certificate_breaks_no_more_than_the_certificate(data: st.DataObject) -> None:
    content = bytearray(x509.load_pem_x509_certificate(LABELLED[0][1].encode()).public_bytes(Encoding.DER))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    lines = textwrap.wrap(base64.b64encode(content).decode(), 64)
    damaged = "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
    found = problems(certificate("Two", ca=False) + damaged)
    assert found[0].startswith("certificate 1 (Two): expected a CA certificate")
    assert all(message.startswith("certificate 2") for message in found[1:])
