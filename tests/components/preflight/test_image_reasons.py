"""What registries and containerd say of a pull, and the config key that it is about."""

from __future__ import annotations

from components.preflight.image_reasons import image_finding, image_key, is_permanent
from tests.cases import each

IMAGE = "apache/airflow:9"
CHAIN = (
    'ErrImagePull: failed to pull and unpack image "docker.io/apache/airflow:9": failed to resolve reference '
    '"docker.io/apache/airflow:9": '
)


@each(
    "text, key, permanent",
    [
        ("docker.io/apache/airflow:9: not found", "airflow:imageTag", True),
        ("unexpected status from HEAD request: 404 Not Found", "airflow:imageTag", True),
        ("pull access denied, repository does not exist or may require authorization: server message: "
         "insufficient_scope: authorization failed", "airflow:registryCredentials", True),
        ("failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
         "airflow:registryCredentials", True),
        ("no match for platform in manifest: not found", "airflow:imageTag", True),
        ("unexpected status code: 403 Forbidden", "airflow:registryCredentials", True),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit", "airflow:imageTag", False),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "airflow:imageTag", False),
        ('failed to do request: Head "https://registry-1.docker.io/v2": dial tcp: lookup: no such host',
         "airflow:imageTag", False),
    ],
)  # fmt: skip
def test_usual_failures_name_their_key(text: str, key: str, permanent: bool) -> None:
    where, correct = image_key("airflow", IMAGE)
    found = image_finding(IMAGE, CHAIN + text, key=where, correct=correct.format(stack="dev"), stack="dev")
    assert found.what.startswith(f"{key}: expected ")
    assert IMAGE in found.what
    assert "failed to resolve reference" not in found.what, "the reason is at the end"
    assert is_permanent(CHAIN + text) is permanent
    assert not {"{", "}"} & set(str(found))


def test_the_key_follows_the_image() -> None:
    assert image_key("airflow", IMAGE)[0] == "airflow:imageTag"
    assert image_key("postgres", "postgres:17")[0] == "airflow:imageRegistry"
    assert "images.redis.tag of airflow:helmValues" in image_key("redis", "redis:7")[1]


def test_image_that_is_named_by_its_digest_is_corrected_there() -> None:
    """A digest wins over the tag, so another tag would change nothing."""
    assert image_key("airflow", "apache/airflow@sha256:ab")[0] == "airflow:imageDigest"
    assert "airflow:imageDigest sha256:HEX" in image_key("airflow", "apache/airflow@sha256:ab")[1]


def test_repository_that_is_not_there_or_closed_is_corrected_by_its_name() -> None:
    denied = "pull access denied, repository does not exist or may require authorization"
    for role, name in (("airflow", "airflow:imageRepository NAME"), ("redis", "airflow:imageRegistry REGISTRY")):
        key, correct = image_key(role, IMAGE)
        assert name in image_finding(IMAGE, denied, key=key, correct=correct, stack="dev").fix
