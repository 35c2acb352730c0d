"""What every trial ledger does, whatever database is under it."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.trial_ledger import SqlTrialLedger
from manjha.ports.trials import TrialLedger
from tests.fakes.market_data import JumpingClock
from tests.fakes.postgres import ABSENT, binaries, server
from tests.fakes.trials import FAILED, PRUNED, SUBJECT, MemoryTrialLedger, done, trial

OURS = (SUBJECT.strategy, SUBJECT.data_set)
SCHEMAS = count()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    if binaries() is None:
        pytest.skip(ABSENT)
    with server() as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TrialLedger]:
    if request.param == "memory":
        yield MemoryTrialLedger()
        return
    url = f"sqlite:///{tmp_path / 'home' / 'manjha.db'}"
    if request.param == "postgresql":
        url = own_schema(request.getfixturevalue("postgres_url"))
    database = Database(url)
    yield SqlTrialLedger(database, JumpingClock(1_720_000_000_000_000_000))
    database.close()


def own_schema(url: str) -> str:
    """Make a schema, so that each test has tables of its own."""
    import psycopg

    name = f"test_{next(SCHEMAS)}"
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{url}&options=-csearch_path%3D{name}"


def test_what_is_recorded_is_read(ledger: TrialLedger) -> None:
    trials = [trial(1, done(returns=b"\x00\x01")), trial(2, FAILED), trial(3, PRUNED)]
    assert ledger.record("first", trials) == 3
    assert list(ledger.trials(*OURS)) == trials


def test_the_same_evaluation_again_is_one(ledger: TrialLedger) -> None:
    ledger.record("first", [trial(1), trial(2)])
    assert ledger.record("second", [trial(2), trial(3), trial(3)]) == 1
    assert ledger.count(*OURS) == 3
    assert len(ledger.trials(*OURS)) == 3


def test_a_study_has_what_was_recorded_for_it(ledger: TrialLedger) -> None:
    ledger.record("first", [trial(1), trial(2)])
    ledger.record("second", [trial(2), trial(3)])
    assert [one.parameters for one in ledger.trials(*OURS, study="second")] == ['{"fast":2}', '{"fast":3}']
    assert list(ledger.trials(*OURS, study="third")) == []


def test_a_study_knows_what_it_is_of(ledger: TrialLedger) -> None:
    other = msgspec.structs.replace(SUBJECT, strategy="zigzag")
    ledger.record("first", [trial(1), trial(2), trial(1, subject=other)])
    ledger.record("second", [trial(1)])
    assert list(ledger.subjects("first")) == [OURS, ("zigzag", SUBJECT.data_set)]
    assert list(ledger.subjects("second")) == [OURS]
    assert list(ledger.subjects("third")) == []


def test_a_variant_on_another_span_is_the_same_variant(ledger: TrialLedger) -> None:
    later = msgspec.structs.replace(SUBJECT, data_hash="f" * 64)
    ledger.record("first", [trial(1), trial(1, subject=later)])
    assert len(ledger.trials(*OURS)) == 2
    assert ledger.count(*OURS) == 1


@pytest.mark.parametrize("change", [{"source_hash": "0"}, {"settings_hash": "0"}, {"seed": 1}])
def test_other_code_settings_or_seed_are_another_variant(ledger: TrialLedger, change: dict[str, object]) -> None:
    ledger.record("first", [trial(1), trial(1, subject=msgspec.structs.replace(SUBJECT, **change))])
    assert ledger.count(*OURS) == 2


@pytest.mark.parametrize("change", [{"strategy": "other"}, {"data_set": "NSE:BETA 1d"}])
def test_another_strategy_or_data_set_counts_apart(ledger: TrialLedger, change: dict[str, object]) -> None:
    ledger.record("first", [trial(1), trial(1, subject=msgspec.structs.replace(SUBJECT, **change))])
    assert ledger.count(*OURS) == 1


def test_a_failure_does_not_count_and_gives_way(ledger: TrialLedger) -> None:
    ledger.record("first", [trial(1, FAILED), trial(2, PRUNED)])
    assert ledger.count(*OURS) == 1
    ledger.record("first", [trial(1), trial(2)])
    assert ledger.count(*OURS) == 2
    assert list(ledger.trials(*OURS)) == [trial(1), trial(2)]


def test_a_result_does_not_give_way_to_less(ledger: TrialLedger) -> None:
    ledger.record("first", [trial(1, done(returns=b"kept"))])
    ledger.record("second", [trial(1, FAILED)])
    ledger.record("second", [trial(1)])
    assert list(ledger.trials(*OURS)) == [trial(1, done(returns=b"kept"))]


def test_nothing_is_nothing(ledger: TrialLedger) -> None:
    assert ledger.record("first", []) == 0
    assert ledger.count(*OURS) == 0


def test_thousands_at_once(ledger: TrialLedger) -> None:
    assert ledger.record("first", [trial(number) for number in range(1_500)]) == 1_500
    assert ledger.record("first", [trial(number) for number in range(1_600)]) == 100
    assert ledger.count(*OURS) == 1_600


def test_each_variant_has_one_sharpe_ratio(ledger: TrialLedger) -> None:
    further = msgspec.structs.replace(SUBJECT, data_hash="f" * 64)
    ledger.record("first", [trial(1, done(1)), trial(2, done(2)), trial(3, FAILED), trial(4, PRUNED)])
    ledger.record("second", [trial(1, done(5), further), trial(6, done(6), further)])
    assert sorted(ledger.sharpes(*OURS, SUBJECT.data_hash), key=str) == [1, 2, 6, None]
    assert sorted(ledger.sharpes(*OURS, further.data_hash), key=str) == [2, 5, 6, None]
    assert len(ledger.sharpes(*OURS, "")) == ledger.count(*OURS)
    assert list(ledger.sharpes("zigzag", SUBJECT.data_set, "")) == []
