"""What every store of read models does, whatever database is under it."""

from collections.abc import Iterator

import msgspec
import pytest

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.charges import ChargeLines
from manjha.domain.errors import JournalHalted, SettingsError, UsageError
from manjha.domain.events import DayChargesSettled, OrderFilled
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import (
    AccountId,
    Exits,
    Fill,
    FillId,
    Order,
    OrderId,
    OrderType,
    Origin,
    Phase,
    Product,
    Purpose,
    RunId,
    Side,
    StrategyId,
    Validity,
    Variety,
)
from manjha.domain.read_models import Changed, NoteView, OrderView, PositionView, Reached, RunActivity, TradeView
from manjha.domain.records import Run
from manjha.engine.journaling import entry_of
from manjha.ports.unit_of_work import UnitOfWork
from manjha.services.read_models import follow, rebuild
from tests.fakes.databases import forgetful_postgres, url
from tests.fakes.journaled_runs import ACCOUNT, RUN, append, journaled
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.random_runs import random_contracts, random_run
from tests.fakes.records import MemoryWork
from tests.property.test_core_laws import random_spec

__all__ = ["forgetful_postgres", "url"]

BIG = 9_223_372_036_854_775_807
EVER = 2**62
OTHER = AccountId("ZZ9")
WORDS = "मांझा – ₹ \N{KITE} 'quoted' \\"
ORIGIN = Origin(ACCOUNT, StrategyId(WORDS), RUN)
FULL = Order(
    id=OrderId("1300000012345678901"),
    origin=ORIGIN,
    instrument=InstrumentId("NFO:NIFTY:2026-12-31:CE:26000"),
    side=Side.SELL,
    qty=Qty(BIG),
    type=OrderType.SL,
    product=Product.NRML,
    decided_ns=TsNs(BIG),
    limit=Px(BIG),
    trigger=Px(1),
    exits=Exits(Px(1), Px(2), Px(3), TsNs(4)),
    purpose=Purpose.SQUARE_OFF,
    parent=OrderId("p"),
    group=OrderId("g"),
    validity=Validity.TTL,
    variety=Variety.AUCTION,
    disclosed=Qty(7),
    protection_bps=9,
    tag=WORDS * 9,
)
ORDER = OrderView(
    FULL, Qty(1), Px(BIG), Px(3), 4, BIG, Phase.UNCONFIRMED, 5, BIG, WORDS, TsNs(6), 7, "1300000098765432109"
)
FILL = Fill(FillId("f1"), FULL.id, ORIGIN, FULL.instrument, Side.SELL, Qty(1), Px(BIG), Px(2), Product.NRML, TsNs(BIG))
TRADES = (TradeView(5, FILL), TradeView(6, FILL, ChargeLines(*(Cash(BIG - line) for line in range(9)))))
NOTE = NoteView(7, DayChargesSettled(TradingDay(20_000), ORIGIN.strategy, ChargeLines(gst=Cash(-5)), TsNs(BIG)))
POSITION = PositionView(ACCOUNT, ORIGIN.strategy, FULL.instrument, Product.NRML, -BIG - 1, BIG, -BIG, TsNs(1), 5)
ACTIVITY = RunActivity(
    ACCOUNT, RUN, 1, 7, TsNs(AT := 1_720_000_000_000_000_000), TsNs(AT + 1), ORIGIN.strategy, 1, 2, 3
)
ALL = Changed((ORDER,), TRADES, (NOTE,), (POSITION,), (ACTIVITY,))
START, END = Reached(ACCOUNT), Reached(ACCOUNT, 7, b"\x00\xff" * 16, TradingDay(20_000), {FULL.instrument: Px(BIG)})


@pytest.fixture
def work(url: str) -> Iterator[UnitOfWork]:
    made = SqlUnitOfWork(Database(url))
    yield made
    made.close()


def rows_of(work: UnitOfWork | MemoryWork, account: AccountId = ACCOUNT) -> tuple[object, ...]:
    """All that is told of an account."""
    with work.begin() as records:
        models = records.read_models
        return (
            models.reached(account),
            list(models.orders(account, limit=EVER)),
            list(models.trades(account, limit=EVER)),
            list(models.notes(account, limit=EVER)),
            list(models.positions(account)),
            models.activity(account, RUN),
        )


NOTHING: tuple[object, ...] = (START, [], [], [], [], None)


def test_every_field_comes_back_as_it_was(work: UnitOfWork) -> None:
    with work.begin() as records:
        records.read_models.write(START, END, ALL)
    assert rows_of(work) == (END, [ORDER], list(TRADES), [NOTE], [POSITION], ACTIVITY)


def test_a_row_that_changed_takes_the_place_of_what_it_was(work: UnitOfWork) -> None:
    plain = msgspec.structs.replace(FULL, exits=None, parent=None, group=None)
    order = msgspec.structs.replace(ORDER, order=plain, phase=Phase.FILLED, reason="zero \0 byte")
    position = msgspec.structs.replace(POSITION, qty=0, cost=0)
    activity = msgspec.structs.replace(ACTIVITY, last_seq=8, trades=9)
    after = Reached(ACCOUNT, 8, b"8" * 32)
    with work.begin() as records:
        records.read_models.write(START, END, ALL)
        assert [one.order.id for one in records.read_models.open_orders(ACCOUNT)] == [FULL.id]
        records.read_models.write(END, after, Changed((order,), (), (), (position,), (activity,)))
        assert list(records.read_models.open_orders(ACCOUNT)) == []
    left = msgspec.structs.replace(order, reason="zero � byte")
    assert rows_of(work) == (after, [left], list(TRADES), [NOTE], [position], activity)


@pytest.mark.parametrize(
    "before", [START, Reached(ACCOUNT, 6, END.hash), Reached(ACCOUNT, 7, b"other"), Reached(OTHER, 7, END.hash)]
)
def test_who_is_behind_writes_nothing(work: UnitOfWork, before: Reached) -> None:
    with work.begin() as records:
        records.read_models.write(START, END, ALL)
    after = Reached(before.account, 9, b"9")
    with pytest.raises(UsageError, match="no longer at row"), work.begin() as records:
        records.read_models.write(before, after, Changed((), (TradeView(9, FILL),)))
    assert rows_of(work) == (END, [ORDER], list(TRADES), [NOTE], [POSITION], ACTIVITY)


def test_a_fill_without_its_order_is_refused(work: UnitOfWork) -> None:
    with pytest.raises(SettingsError, match=r"(?i)foreign key"), work.begin() as records:
        records.read_models.write(START, END, Changed((), TRADES))
    assert rows_of(work) == NOTHING


def test_pages_are_in_the_order_of_the_journal(work: UnitOfWork) -> None:
    orders = [
        msgspec.structs.replace(ORDER, order=msgspec.structs.replace(FULL, id=OrderId(f"o{at}")), placed_seq=at)
        for at in (1, 2, 10, 9, 100, 33, 34)
    ]
    fills = [msgspec.structs.replace(FILL, order_id=OrderId("o1")) for _ in range(7)]
    trades = [TradeView(200 + at, fill) for at, fill in enumerate(fills)]
    with work.begin() as records:
        models = records.read_models
        models.write(START, END, Changed(tuple(orders), tuple(trades)))
        placed: list[int] = []
        while page := models.orders(ACCOUNT, after=placed[-1] if placed else 0, limit=3):
            placed += [order.placed_seq for order in page]
        assert placed == [1, 2, 9, 10, 33, 34, 100]
        told: list[int] = []
        while some := models.trades(ACCOUNT, after=told[-1] if told else 0, limit=2, run=RUN):
            told += [trade.seq for trade in some]
        assert told == list(range(200, 207))
        assert list(models.trades(ACCOUNT, run=RunId("none"))) == []
        many = [OrderId(f"o{at}") for at in range(1_200)]
        assert [order.placed_seq for order in models.orders_named(ACCOUNT, many)] == placed


def test_forgetting_one_account_leaves_the_other_and_what_was_recorded(work: UnitOfWork) -> None:
    recorded = Run(id=RUN, account=ACCOUNT, mode="paper", started_ns=TsNs(5))
    other = msgspec.structs.replace(POSITION, account=OTHER)
    only = msgspec.structs.replace(ACTIVITY, run=RunId("run-2"))
    with work.begin() as records:
        records.read_models.write(START, END, ALL)
        records.read_models.write(Reached(OTHER), Reached(OTHER, 3, b"3"), Changed((), (), (), (other,)))
        records.read_models.write(END, Reached(ACCOUNT, 8, b"8"), Changed(runs=(only,)))
        assert [one.strategy for one in records.runs.runs(ACCOUNT)] == [ORIGIN.strategy] * 2
        records.runs.begin(recorded)
        [_, with_activity] = records.runs.runs(ACCOUNT)
        assert (with_activity.mode, with_activity.activity) == ("paper", ACTIVITY)
    with work.begin() as records:
        records.read_models.forget(ACCOUNT)
        assert list(records.runs.runs(ACCOUNT)) == [recorded]
    assert rows_of(work) == NOTHING
    assert rows_of(work, OTHER)[4] == [other]


@pytest.mark.parametrize(("make", "seed"), [(random_run, 11), (random_contracts, 8), (random_spec, 11)])
def test_a_rebuilt_database_has_what_memory_has(work: UnitOfWork, make: object, seed: int) -> None:
    run, plain = journaled(make(seed)), MemoryWork()  # type: ignore[operator]
    rebuild(run.journal(), plain, run.reference)
    assert len(rows_of(plain)[2]) > 3  # type: ignore[arg-type]
    for batch in (50, 10_000):
        rebuild(run.journal(), work, run.reference, batch=batch)
        assert rows_of(work) == rows_of(plain)
    assert follow(run.journal(), work, run.reference).before.seq == len(run.entries)
    assert rows_of(work) == rows_of(plain)


def test_rows_that_follow_are_followed_and_another_journal_is_refused(work: UnitOfWork) -> None:
    run, journal, plain = journaled(random_spec(5)), MemoryJournal(SharedMemory(ACCOUNT)), MemoryWork()
    rebuild(run.journal(), plain, run.reference)
    journal.begin(RUN)
    for at in range(0, len(run.entries), 97):
        journal.append(run.entries[at : at + 97])
        follow(journal, work, run.reference)
    assert rows_of(work) == rows_of(plain)
    another = MemoryJournal(SharedMemory(ACCOUNT))
    append(another, run.entries, RunId("run-2"))
    for strange in (another, MemoryJournal(SharedMemory(ACCOUNT))):
        with pytest.raises(UsageError, match="were made of another journal"):
            follow(strange, work, run.reference)


def test_a_row_that_contradicts_the_others_stops_before_its_batch(work: UnitOfWork) -> None:
    run = journaled(random_spec(5))
    journal = run.journal()
    stray = msgspec.structs.replace(FILL, order_id=OrderId("nobody's"))
    journal.append([entry_of(OrderFilled(stray), TsNs(1))])
    with pytest.raises(JournalHalted, match=rf"row {len(run.entries) + 1} speaks of order nobody's"):
        rebuild(journal, work, run.reference, batch=100)
    reached = rows_of(work)[0]
    assert isinstance(reached, Reached)
    assert reached.seq == len(run.entries) // 100 * 100
