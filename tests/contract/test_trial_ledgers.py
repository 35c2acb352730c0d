"""What every trial ledger does, whatever database is under it."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.config import Config

import manjha.adapters.sql
from manjha.adapters.sql.database import Database
from manjha.adapters.sql.trial_ledger import SqlTrialLedger
from manjha.domain.bars import DAY
from manjha.domain.moments import DAY_NS
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
    assert ledger.count(SUBJECT.scope) == 3
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
    assert ledger.count(SUBJECT.scope) == 1


@pytest.mark.parametrize("change", [{"source_hash": "0"}, {"settings_hash": "0"}, {"seed": 1}])
def test_other_code_settings_or_seed_are_another_variant(ledger: TrialLedger, change: dict[str, object]) -> None:
    ledger.record("first", [trial(1), trial(1, subject=msgspec.structs.replace(SUBJECT, **change))])
    assert ledger.count(SUBJECT.scope) == 2


FINER = {"data_set": "NSE:ALPHA 5m", "interval": 300, "data_hash": "a" * 64}
LATER = {"first_ns": SUBJECT.last_ns, "last_ns": SUBJECT.last_ns + DAY_NS, "data_hash": "b" * 64}


@pytest.mark.parametrize("change", [FINER, FINER | {"first_ns": SUBJECT.last_ns - 1, "last_ns": SUBJECT.last_ns + 9}])
def test_the_same_search_at_another_interval_counts_on(ledger: TrialLedger, change: dict[str, object]) -> None:
    moved = msgspec.structs.replace(SUBJECT, **change)
    ledger.record("first", [trial(1, done(1)), trial(2, done(2))])
    ledger.record("second", [trial(1, done(3), moved), trial(3, done(4), moved), trial(4, FAILED, moved)])
    assert ledger.count(SUBJECT.scope) == ledger.count(moved.scope) == 4
    assert sorted(ledger.sharpes(moved.scope, moved.data_hash), key=str) == [1, 2, 3, 4]
    assert len(ledger.trials(*OURS)) == 2
    counted = ledger.counted(SUBJECT.scope)
    assert [one.subject.interval for one in counted] == [DAY, DAY, 300, 300]
    assert not any(one.outcome.returns for one in counted)


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": "other"},
        {"instruments": "NSE:BETA", "data_set": "NSE:BETA 1d"},
        {"instruments": "NSE:ALPHA, NSE:BETA", "data_set": "NSE:ALPHA, NSE:BETA 1d"},
        LATER,
        LATER | FINER,
    ],
)
def test_another_strategy_period_or_instruments_count_apart(ledger: TrialLedger, change: dict[str, object]) -> None:
    ledger.record("first", [trial(1), trial(1, subject=msgspec.structs.replace(SUBJECT, **change))])
    assert ledger.count(SUBJECT.scope) == 1


BRED = msgspec.structs.replace(SUBJECT, strategy="evolved")
CHOSEN = msgspec.structs.replace(SUBJECT, strategy="evolved-0123abcd", chosen_from="evolved", data_hash="c" * 64)


def test_what_a_strategy_was_chosen_from_counts_with_it(ledger: TrialLedger) -> None:
    ledger.record("bred", [trial(1, done(1), BRED), trial(2, done(2), BRED), trial(3, FAILED, BRED)])
    ledger.record("swept", [trial(1, done(5), CHOSEN), trial(4, done(4), CHOSEN)])
    assert ledger.count(CHOSEN.scope) == 4
    assert sorted(ledger.sharpes(CHOSEN.scope, CHOSEN.data_hash), key=str) == [1, 2, 4, 5]
    assert [one.subject.strategy for one in ledger.counted(CHOSEN.scope)] == [*["evolved"] * 2, *[CHOSEN.strategy] * 2]
    # What was bred is not looked at again by what is made of one of them, and another of them is a matter of its own.
    assert ledger.count(BRED.scope) == 2
    assert ledger.count(msgspec.structs.replace(CHOSEN, strategy="evolved-4567cdef").scope) == 2


def test_a_trial_that_is_read_says_what_its_strategy_was_chosen_from(ledger: TrialLedger) -> None:
    ledger.record("bred", [trial(1, done(1), BRED)])
    ledger.record("swept", [trial(1, done(5), CHOSEN)])
    [read] = ledger.trials(CHOSEN.strategy, CHOSEN.data_set)
    assert read == trial(1, done(5), CHOSEN)
    assert ledger.count(read.subject.scope) == 2


@pytest.mark.parametrize("change", [{"instruments": "NSE:BETA", "data_set": "NSE:BETA 1d"}, LATER, LATER | FINER])
def test_on_other_instruments_or_days_it_was_not_chosen(ledger: TrialLedger, change: dict[str, object]) -> None:
    ledger.record("bred", [trial(1, subject=msgspec.structs.replace(BRED, **change))])
    ledger.record("swept", [trial(1, subject=CHOSEN)])
    assert ledger.count(CHOSEN.scope) == 1


def test_rows_of_before_instruments_were_known_count_by_their_data_set(ledger: TrialLedger) -> None:
    before = msgspec.structs.replace(SUBJECT, instruments=SUBJECT.data_set)
    ledger.record("first", [trial(1, subject=before), trial(2)])
    assert ledger.count(SUBJECT.scope) == 2


def test_a_failure_does_not_count_and_gives_way(ledger: TrialLedger) -> None:
    ledger.record("first", [trial(1, FAILED), trial(2, PRUNED)])
    assert ledger.count(SUBJECT.scope) == 1
    ledger.record("first", [trial(1), trial(2)])
    assert ledger.count(SUBJECT.scope) == 2
    assert list(ledger.trials(*OURS)) == [trial(1), trial(2)]


def test_a_result_does_not_give_way_to_less(ledger: TrialLedger) -> None:
    ledger.record("first", [trial(1, done(returns=b"kept"))])
    ledger.record("second", [trial(1, FAILED)])
    ledger.record("second", [trial(1)])
    assert list(ledger.trials(*OURS)) == [trial(1, done(returns=b"kept"))]


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_database_of_before_origins_were_known_counts_on(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'manjha.db'}"
    if kind == "postgresql":
        url = own_schema(request.getfixturevalue("postgres_url"))
    clock = JumpingClock(1_720_000_000_000_000_000)
    database = Database(url)
    SqlTrialLedger(database, clock).record("bred", [trial(1, done(1, returns=b"kept"), BRED), trial(1, subject=CHOSEN)])
    downgrade(database, "0002")
    database.close()
    again = Database(url)
    ledger = SqlTrialLedger(again, clock)
    # The rows are there, and nothing is known of what was chosen from what; from now on it is.
    assert list(ledger.trials(BRED.strategy, BRED.data_set)) == [trial(1, done(1, returns=b"kept"), BRED)]
    [read] = ledger.trials(CHOSEN.strategy, CHOSEN.data_set)
    assert (read.subject.chosen_from, ledger.count(read.subject.scope)) == ("", 1)
    ledger.record("swept", [trial(2, subject=CHOSEN)])
    assert ledger.count(CHOSEN.scope) == 3
    again.close()


def downgrade(database: Database, to: str) -> None:
    """Take a database back to an earlier migration."""
    config = Config()
    config.set_main_option("script_location", str(Path(manjha.adapters.sql.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with database.transaction() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, to)


def test_nothing_is_nothing(ledger: TrialLedger) -> None:
    assert ledger.record("first", []) == 0
    assert ledger.count(SUBJECT.scope) == 0


def test_thousands_at_once(ledger: TrialLedger) -> None:
    assert ledger.record("first", [trial(number) for number in range(1_500)]) == 1_500
    assert ledger.record("first", [trial(number) for number in range(1_600)]) == 100
    assert ledger.count(SUBJECT.scope) == 1_600


def test_each_variant_has_one_sharpe_ratio(ledger: TrialLedger) -> None:
    further = msgspec.structs.replace(SUBJECT, data_hash="f" * 64)
    ledger.record("first", [trial(1, done(1)), trial(2, done(2)), trial(3, FAILED), trial(4, PRUNED)])
    ledger.record("second", [trial(1, done(5), further), trial(6, done(6), further)])
    assert sorted(ledger.sharpes(SUBJECT.scope, SUBJECT.data_hash), key=str) == [1, 2, 6, None]
    assert sorted(ledger.sharpes(SUBJECT.scope, further.data_hash), key=str) == [2, 5, 6, None]
    assert len(ledger.sharpes(SUBJECT.scope, "")) == ledger.count(SUBJECT.scope)
    assert list(ledger.sharpes(msgspec.structs.replace(SUBJECT, strategy="zigzag").scope, "")) == []
