"""What stands in for the engine, where it is more than the tests of components use."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pulumi_random as random
import pytest

from automation.plan.recorder import Recorder, RecordingError
from components.secrets.masker import Masker
from tests.one_program import room_for_one_program


@pytest.fixture
def run(runtime: None) -> Callable[..., Recorder]:
    def run(program: Callable[[], object], **more: str) -> Recorder:
        recorder = Recorder(**more)  # type: ignore[arg-type]
        recorder.run(program)
        return recorder

    return run


def _config_map() -> None:
    k8s.core.v1.ConfigMap("it", data={"a": "b"})


def test_made_up_names_are_the_same_for_one_seed(run: Callable[..., Recorder]) -> None:
    def name(**more: str) -> str:
        found: list[str] = []

        def program() -> None:
            k8s.core.v1.Secret("it", string_data={"a": "b"}).metadata.apply(
                lambda data: found.append(str(data["name"]))
            )

        run(program, **more)
        return found[0]

    assert name() == name()
    assert name(seed="a") == name(seed="a")
    assert len({name(), name(seed="a"), name(seed="b")}) == 3


def test_what_is_generated_is_kept_because_it_is_secret(run: Callable[..., Recorder]) -> None:
    def program() -> None:
        random.RandomPassword("password", length=30)
        pulumi.Stash("key", input=pulumi.Output.secret("k" * 44))
        _config_map()

    recorder = run(program)
    assert sorted(map(len, recorder.generated)) == [30, 44]


def test_made_up_password_hides_no_word_of_its_name_elsewhere(run: Callable[..., Recorder]) -> None:
    """A masker hides each piece of 12 characters of it: a CronJob airflow-verification became airflow-[secret]."""
    recorder = run(lambda: random.RandomPassword("airflow-verification-password", length=64))
    (made_up,) = recorder.generated
    assert len(made_up) == 64
    text = "CronJob airflow-verification, Verification"
    assert Masker(secrets=[made_up]).text(text) == text


def test_an_object_without_metadata_gets_a_name(run: Callable[..., Recorder]) -> None:
    assert run(_config_map).one("kubernetes:core/v1:ConfigMap", "it").inputs["data"] == {"a": "b"}


def test_metadata_that_is_secret_as_a_whole_gets_a_name(run: Callable[..., Recorder]) -> None:
    def program() -> None:
        k8s.core.v1.ConfigMap("it", metadata=pulumi.Output.secret({"labels": {"a": "b"}}))

    assert "SecretValue" in repr(run(program).one("kubernetes:core/v1:ConfigMap", "it").inputs["metadata"])


def test_aws_names_things_where_they_are(run: Callable[..., Recorder]) -> None:
    found: list[str] = []

    def program() -> None:
        aws.kms.Key("key").arn.apply(found.append)

    run(program, region="us-west-2", account="999999999999")
    assert found[0].startswith("arn:aws:kms:us-west-2:999999999999:")


def _twice() -> None:
    _config_map()
    _config_map()


def test_two_resources_of_one_name_are_refused(run: Callable[..., Recorder]) -> None:
    with pytest.raises(RecordingError, match="found two"):
        run(_twice)


def test_failed_program_is_not_told_again_when_what_it_left_is_collected(caplog: pytest.LogCaptureFixture) -> None:
    """That could be in the middle of any other test. One that parses Python then fails: a traceback parses it too."""
    with room_for_one_program(), pytest.raises(RecordingError):
        Recorder().run(_twice)
    gc.collect(1)  # a whole search takes a second, and what the program left is young
    assert caplog.records == []
