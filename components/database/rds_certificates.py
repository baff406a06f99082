"""CA certificates of RDS by region, and the validation of a CA bundle from a config.

This module reads certificates/rds-global-bundle.pem, whose README says where it comes from. The file holds only root
certificates, as AWS recommends: RDS replaces server and intermediate certificates by itself. A connection is verified
only against the CAs of the database's region. Run as a command, the module makes the file from AWS's published bundle.
"""

from __future__ import annotations

import difflib
import functools
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from components.aws.region import REGION

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

FAMILIES: Final = ("RSA2048", "RSA4096", "ECC384")
"""Key types of a region's CAs: one for each `ca_cert_identifier`, such as rds-ca-rsa2048-g1."""

_BUNDLE: Final = Path(__file__).parents[2] / "certificates" / "rds-global-bundle.pem"

# docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html; for China the same page at docs.amazonaws.cn.
_TRUST_STORES: Final = {
    "cn-": "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn",
    "us-gov-": "https://truststore.pki.us-gov-west-1.rds.amazonaws.com",
    "": "https://truststore.pki.rds.amazonaws.com",
}

# This excludes "Amazon RDS Preview us-east-2 Root CA ..." and "Beta", the CAs of AWS's trial environments.
_COMMON_NAME: Final = re.compile(rf"Amazon RDS ({REGION}) Root CA ({'|'.join(FAMILIES)}) G[0-9]+")
_LABELLED: Final = re.compile(r"^# (.+)\n(-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n)", re.MULTILINE)

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_BLOCK: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SHOWN_LENGTH: Final = 60
_SOON: Final = timedelta(days=30)
_TYPING_ERROR: Final = 0.9
"""Least similarity of a mistyped region to a suggestion; with less, il-central-1 would suggest me-central-1."""

_GIVE_PEM: Final = "give the file that begins with -----BEGIN CERTIFICATE-----"
_GIVE_AUTHORITY: Final = "give the certificate of the authority that signed it"


def rds_certificates(region: str) -> str:
    """Return the PEM of the region's root CAs, in the order of FAMILIES.

    Raises ValueError for a region that the file lacks; the message says how to add it.
    """
    known = _known()
    if region not in known:
        close = difflib.get_close_matches(region, known, n=3, cutoff=_TYPING_ERROR)
        near = f" (close to it: {', '.join(close)})" if close else ""
        raise ValueError(f"expected a region whose RDS certificates are known, found {region!r}{near}. {_fix(region)}")
    return known[region]


def bundle(text: str, now: datetime) -> str:
    """Return RDS's root CAs in the text that are valid at `now`, each below its name, in a fixed order.

    This is the form of the committed file. Expired certificates, intermediates and CAs of no region are left out.

    Raises ValueError if there is no root CA, if a region lacks one of FAMILIES (the text is cut off), or if one name
    has two certificates.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    found: dict[tuple[str, int, str], str] = {}
    for block in _BLOCK.findall(text):
        certificate = _parse(block)
        if certificate is None:
            raise ValueError("expected certificates, found one that is cut off or damaged")
        name = _name(certificate)
        matched = _COMMON_NAME.fullmatch(name)
        if matched is None or certificate.subject != certificate.issuer or certificate.not_valid_after_utc <= now:
            continue
        key = (matched[1], FAMILIES.index(matched[2]), name)
        pem = certificate.public_bytes(Encoding.PEM).decode()
        if found.setdefault(key, pem) != pem:
            raise ValueError(f"expected one certificate of a name, found two different ones of {name}")
    if not found:
        raise ValueError("expected root certificates of RDS, found none")
    for region in sorted({key[0] for key in found}):
        missing = [family for index, family in enumerate(FAMILIES) if (region, index) not in {key[:2] for key in found}]
        if missing:
            raise ValueError(f"expected {', '.join(FAMILIES)} of {region}, found no {', '.join(missing)}")
    return "".join(f"# {key[2]}\n{found[key]}" for key in sorted(found))


def certificate_problems(pem: str, *, now: datetime) -> list[str]:
    """Return what is wrong with a bundle of CA certificates from a config; an empty list if nothing is.

    A message shows a certificate's number and name, and nothing else of the text, which may be a private key pasted by
    mistake. `now` must have a time zone.
    """
    if "PRIVATE KEY-----" in pem:
        return [
            "expected CA certificates alone, found a private key among them; it has been in a config: replace the key"
        ]
    blocks = _BLOCK.findall(pem)
    if not blocks and _BEGIN not in pem:
        return [f"expected CA certificates in PEM, found {'other text' if pem.strip() else 'nothing'}; {_GIVE_PEM}"]
    problems = []
    if len(blocks) != pem.count(_BEGIN):
        problems.append("expected whole CA certificates, found one that is cut off; give the whole file")
    for number, block in enumerate(blocks, start=1):
        certificate = _parse(block)
        if certificate is None:
            problems.append(f"certificate {number}: expected a CA certificate, found one that is cut off or damaged")
            continue
        problems += [f"certificate {number} ({_shown(certificate)}): {text}" for text in _faults(certificate, now)]
    return problems


def soon_ended(pem: str, *, now: datetime) -> datetime | None:
    """Return when the last CA certificate of a valid bundle ends, if that is soon; else None."""
    ends = [certificate.not_valid_after_utc for block in _BLOCK.findall(pem) if (certificate := _parse(block))]
    return max(ends) if ends and max(ends) - now < _SOON else None


def _faults(certificate: Certificate, now: datetime) -> list[str]:
    faults = []
    if not _is_authority(certificate):
        faults.append(f"expected a CA certificate (basicConstraints CA:TRUE), found another one; {_GIVE_AUTHORITY}")
    if certificate.not_valid_after_utc <= now:
        faults.append(f"expected a valid one, found it expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if certificate.not_valid_before_utc > now:
        faults.append(f"expected a valid one, found it valid only from {certificate.not_valid_before_utc:%Y-%m-%d}")
    return faults


def _is_authority(certificate: Certificate) -> bool:
    from cryptography.x509 import BasicConstraints, ExtensionNotFound

    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False


def _parse(block: str) -> Certificate | None:
    # Imported here, because only stacks with a bundle of their own need it.
    from cryptography.x509 import load_pem_x509_certificate

    try:
        certificate = load_pem_x509_certificate(block.encode())
        _ = certificate.subject, certificate.extensions  # parsed on first access
    except Exception:  # it raises more types than it documents
        return None
    return certificate


def _name(certificate: Certificate) -> str:
    """Return the subject's common name, or ""."""
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _shown(certificate: Certificate) -> str:
    name = _name(certificate) or certificate.subject.rfc4514_string()
    printable = "".join(character if character.isprintable() else "?" for character in name)
    return printable if len(printable) <= _SHOWN_LENGTH else f"{printable[:_SHOWN_LENGTH]}…"


@functools.cache
def _known() -> dict[str, str]:
    """Return the PEM by region. Names come from the file's comment lines, so that no certificate has to be parsed."""
    found: dict[str, str] = {}
    for name, pem in _LABELLED.findall(_BUNDLE.read_text()):
        matched = _COMMON_NAME.fullmatch(name)
        if matched is not None:
            found[matched[1]] = found.get(matched[1], "") + pem
    return found


def _fix(region: str) -> str:
    if not re.fullmatch(REGION, region):
        return "Give a region's name, such as eu-central-1"
    store = next(url for prefix, url in _TRUST_STORES.items() if region.startswith(prefix))
    return (
        f"Fix: curl -fsS {store}/{region}/{region}-bundle.pem | pulumi config set --stack STACK "
        "airflow:databaseCaCertificate, or add it to the file as certificates/README.md says"
    )


if __name__ == "__main__":
    try:
        sys.stdout.write(bundle(sys.stdin.read(), datetime.now(UTC)))
    except ValueError as error:
        sys.exit(f"certificates: {error}")
