"""What Helm's records tell of a release."""

from __future__ import annotations

from automation.adoption.installed import InstalledRelease, SecretKey
from tests.automation.adoption.releases import FERNET_KEY, from_secret, installed, objects, record, workload
from tests.cases import each


def test_newest_revision_counts() -> None:
    found = InstalledRelease.of([record(version=9), record(version=11, chart_version="1.21.0"), record(version=10)])
    assert found is not None
    assert (found.revision, found.chart_version, found.status) == (11, "1.21.0", "deployed")


def test_no_record_is_no_release() -> None:
    assert InstalledRelease.of([]) is None


def test_values_are_the_charts_with_the_users_on_top() -> None:
    found = installed(defaults={"a": {"b": 1, "c": 2}, "airflowVersion": "3.2.2"}, config={"a": {"b": 3}})
    assert found.values["a"] == {"b": 3, "c": 2}
    assert found.given == {"a": {"b": 3}}


def test_version_of_airflow_is_the_values_own_before_the_charts() -> None:
    assert installed(config={"airflowVersion": "3.1.0"}).airflow_version == "3.1.0"
    assert installed().airflow_version == "3.2.2"


def test_repr_shows_neither_values_nor_objects() -> None:
    secret = workload("scheduler", env=[{"name": "AIRFLOW__CORE__FERNET_KEY", "value": FERNET_KEY}])
    shown = repr(installed([secret], config={"fernetKey": FERNET_KEY}))
    assert FERNET_KEY not in shown


def test_of_two_variables_with_one_name_the_last_counts_as_in_kubernetes() -> None:
    env = [from_secret("X", "first", "k"), {"name": "X", "value": "plain"}, from_secret("X", "last", "k")]
    release = installed([workload("scheduler", env=env)])
    assert release.variable("X") == SecretKey(name="last", key="k")
    assert release.variable("Y") is None
    assert installed([workload("scheduler", env=env[:2])]).variable("X") == "plain"


@each(
    ("image", "expected"),
    [
        ("apache/airflow:3.2.2", ("apache/airflow", "3.2.2", "")),
        ("registry.test:5000/a/b:1", ("registry.test:5000/a/b", "1", "")),
        ("registry.test:5000/a/b", ("registry.test:5000/a/b", "", "")),
        (f"a/b@sha256:{'0' * 64}", ("a/b", "", f"sha256:{'0' * 64}")),
        (f"a/b:1@sha256:{'0' * 64}", ("a/b", "1", f"sha256:{'0' * 64}")),
    ],
)
def test_image_is_read_in_its_parts(image: str, expected: tuple[str, str, str]) -> None:
    assert installed([workload("scheduler", image=image)]).image() == expected


def test_secret_behind_a_volume() -> None:
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "git-sync-ssh-key", "secret": {"secretName": "team-git"}}]
    release = installed([*objects()[:2], workload("dag-processor", volumes=volumes)])
    assert release.mounted_secret("dag-processor", "git-sync-ssh-key") == "team-git"
    assert release.mounted_secret("dag-processor", "a") is None
    assert release.mounted_secret("nothing", "a") is None
