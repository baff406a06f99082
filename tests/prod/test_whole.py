"""All of `prod`, in the order of the tests: AWS emulated, Kubernetes, PostgreSQL and Airflow real.

Each test leaves the stack healthy for the next.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.plain_stack import CONTEXT, core_api, dag_repository
from tests.prod.conftest import require_engine
from tests.prod.whole import Whole, whole

pytestmark = [pytest.mark.engine, pytest.mark.cluster, pytest.mark.aws]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    require_engine(("kubernetes", "random", "aws"))
    if not dag_repository().secrets:
        pytest.skip("needs an SSH repository of DAGs: AIRFLOW_TEST_GIT_REPOSITORY is not set")
    try:
        api = core_api()
        api.list_namespace(_request_timeout=5)
    except Exception as error:
        pytest.skip(f"no cluster: context {CONTEXT} does not answer ({type(error).__name__})")
    with whole(api, tmp_path_factory.mktemp("whole")) as stack:
        yield stack


def test_up_from_nothing(stack: Whole) -> None:
    made = stack.checkout.up()
    assert {step.split()[0] for step in made.steps} == {"create"}
    assert stack.databases.problems == []


def test_a_second_up_changes_nothing_and_a_refresh_finds_nothing(stack: Whole) -> None:
    assert stack.checkout.up().steps == ()
    assert [step for step in stack.checkout.refresh().steps if "aws:" in step] == []


def test_the_master_user_is_no_superuser_and_every_connection_is_encrypted(stack: Whole) -> None:
    assert stack.databases.sql("airflow-prod", "SELECT rolsuper FROM pg_roles WHERE rolname = 'airflow'").strip() == "f"
    plain = (
        "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL AND NOT ssl"
    )
    assert stack.databases.sql("airflow-prod", plain).strip() == "0"


def test_every_call_of_the_deploying_role_was_allowed(stack: Whole) -> None:
    assert [(call.operation, call.refused) for call in stack.account.calls() if call.refused] == []
