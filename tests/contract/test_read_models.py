"""What every store of read models does, whatever database is under it."""

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.broker import BrokerStatus, PositionSeen, Sight, TradeSeen
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
from manjha.domain.read_models import (
    Changed,
    DeskView,
    NoteView,
    OrderView,
    PositionView,
    Reached,
    RunActivity,
    SentView,
    TradeView,
)
from manjha.domain.records import Run
from manjha.engine.journaling import entry_of
from manjha.ports.unit_of_work import UnitOfWork
from manjha.services.read_models import follow, rebuild
from tests.fakes.databases import forgetful_postgres, url
from tests.fakes.journaled_runs import ACCOUNT, RUN, append, journaled
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.random_runs import random_contracts, random_run
from tests.fakes.records import MemoryWork
from tests.fakes.traded import assert_as_traded
from tests.property.test_core_laws import random_spec
from tests.simulation.day import Day
from tests.simulation.journals import disturbed, traded

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
SIGHT = Sight(True, BIG, 2, BrokerStatus.UNRECOGNISED, (BIG, 1, BIG), WORDS, BIG)
SENT = SentView("K00100000001000000ZZ", SIGHT, BIG, 3, is_sought=True, is_short=True)
NUMBER = "1300000098765432109"
ORDER = OrderView(FULL, Qty(1), Px(BIG), Px(3), 4, BIG, Phase.UNCONFIRMED, 5, BIG, WORDS, TsNs(6), 7, NUMBER, SENT)
FILL = Fill(FillId("f1"), FULL.id, ORIGIN, FULL.instrument, Side.SELL, Qty(1), Px(BIG), Px(2), Product.NRML, TsNs(BIG))
TRADES = (TradeView(5, FILL), TradeView(5, FILL, ChargeLines(*(Cash(BIG - line) for line in range(9))), number=1))
LOOSE = TradeSeen(FillId("f2"), NUMBER, FULL.instrument, Side.SELL, Qty(BIG), Px(BIG), Product.NRML, TsNs(BIG), Px(1))
DESK = DeskView(
    RUN, 1, 3, TradingDay(20_000), 2, was_compared=True, loose=(LOOSE,),
    suspects=(PositionSeen(FULL.instrument, Product.NRML, Qty(-BIG)),), thawed=(FULL.instrument,),
)  # fmt: skip
NOTE = NoteView(7, DayChargesSettled(TradingDay(20_000), ORIGIN.strategy, ChargeLines(gst=Cash(-5)), TsNs(BIG)))
POSITION = PositionView(ACCOUNT, ORIGIN.strategy, FULL.instrument, Product.NRML, -BIG - 1, BIG, -BIG, TsNs(1), 5)
ACTIVITY = RunActivity(
    ACCOUNT, RUN, 1, 7, TsNs(AT := 1_720_000_000_000_000_000), TsNs(AT + 1), ORIGIN.strategy, 1, 2, 3, TsNs(AT + 2)
)
ALL = Changed((ORDER,), TRADES, (NOTE,), (POSITION,), (ACTIVITY,))
START, END = (
    Reached(ACCOUNT),
    Reached(ACCOUNT, 7, b"\x00\xff" * 16, TradingDay(20_000), {FULL.instrument: Px(BIG)}, DESK),
)


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
    sent = msgspec.structs.replace(SENT, sight=SIGHT._replace(reason="\0"), is_short=False)
    order = msgspec.structs.replace(ORDER, order=plain, phase=Phase.FILLED, reason="zero \0 byte", sent=sent)
    position = msgspec.structs.replace(POSITION, qty=0, cost=0)
    activity = msgspec.structs.replace(ACTIVITY, last_seq=8, trades=9)
    after = Reached(ACCOUNT, 8, b"8" * 32)
    with work.begin() as records:
        records.read_models.write(START, END, ALL)
        assert [one.order.id for one in records.read_models.open_orders(ACCOUNT)] == [FULL.id]
        records.read_models.write(END, after, Changed((order,), (), (), (position,), (activity,)))
        assert list(records.read_models.open_orders(ACCOUNT)) == []
    sent = msgspec.structs.replace(sent, sight=SIGHT._replace(reason="�"))
    left = msgspec.structs.replace(order, reason="zero � byte", sent=sent)
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


def test_a_page_ends_with_a_whole_row_of_the_journal(work: UnitOfWork) -> None:
    orders = [
        msgspec.structs.replace(ORDER, order=msgspec.structs.replace(FULL, id=OrderId(f"o{at}")), placed_seq=at // 3)
        for at in range(3, 9)
    ]
    fill = msgspec.structs.replace(FILL, order_id=OrderId("o3"))
    trades = [TradeView(200 + at // 4, fill, number=at % 4) for at in range(8)]
    with work.begin() as records:
        models = records.read_models
        models.write(START, END, Changed(tuple(orders), tuple(trades)))
        assert [order.order.id for order in models.orders(ACCOUNT, limit=2)] == ["o3", "o4", "o5"]
        assert [order.order.id for order in models.orders(ACCOUNT, limit=3)] == ["o3", "o4", "o5"]
        assert [order.order.id for order in models.orders(ACCOUNT, after=1, limit=1)] == ["o6", "o7", "o8"]
        assert [(one.seq, one.number) for one in models.trades(ACCOUNT, limit=1)] == [(200, at) for at in range(4)]
        assert len(models.trades(ACCOUNT, limit=5, run=RUN)) == 8
        assert len(models.trades(ACCOUNT, after=200, limit=2)) == 4


def test_orders_at_the_broker_are_found_by_what_it_shows(work: UnitOfWork) -> None:
    def view(name: str, phase: Phase, sent: SentView | None, number: str = "") -> OrderView:
        order = msgspec.structs.replace(FULL, id=OrderId(name))
        return msgspec.structs.replace(ORDER, order=order, phase=phase, sent=sent, broker_id=number)

    quiet = msgspec.structs.replace(SENT, is_sought=False, is_short=False)
    views = (
        view("open", Phase.WORKING, None),
        view("sought", Phase.WRITTEN_OFF, msgspec.structs.replace(quiet, is_sought=True)),
        view("short", Phase.CANCELLED, msgspec.structs.replace(quiet, is_short=True)),
        view("tagged", Phase.FILLED, msgspec.structs.replace(quiet, tag="K1")),
        view("numbered", Phase.FILLED, quiet, "N1"),
        view("both", Phase.FILLED, msgspec.structs.replace(quiet, tag="K2"), "N2"),
        view("other", Phase.FILLED, quiet, "N3"),
        view("outside", Phase.FILLED, None),
    )
    with work.begin() as records:
        models = records.read_models
        models.write(START, END, Changed(views))
        found = models.orders_at_broker(ACCOUNT, {"K1", "K2"}, {"N1", "N2", *(f"n{at}" for at in range(1_200))})
        assert {one.order.id for one in found} == {"open", "sought", "short", "tagged", "numbered", "both"}
        assert len(found) == 6
        assert models.orders_at_broker(OTHER, {"K1"}, {"N1"}) == []


def test_trades_are_known_by_name_from_a_row_on(work: UnitOfWork) -> None:
    fills = [msgspec.structs.replace(FILL, id=FillId(f"t{at}")) for at in range(700)]
    trades = tuple(TradeView(100 + at // 100, fill, number=at % 100) for at, fill in enumerate(fills))
    with work.begin() as records:
        models = records.read_models
        models.write(START, END, Changed((ORDER,), trades))
        wanted = [FillId("none"), *(fill.id for fill in fills)]
        assert set(models.trades_named(ACCOUNT, wanted, after=99)) == set(wanted[1:])
        assert set(models.trades_named(ACCOUNT, wanted, after=105)) == {fill.id for fill in fills[600:]}
        assert set(models.trades_named(ACCOUNT, wanted[:1], after=0)) == set()


def test_rows_of_an_older_fold_are_not_gone_on_with(work: UnitOfWork) -> None:
    run = journaled(random_spec(5))
    rebuild(run.journal(), work, run.reference)
    with work.begin() as records:
        reached = records.read_models.reached(ACCOUNT)
        records.read_models.write(reached, msgspec.structs.replace(reached, form=1), Changed())
    with pytest.raises(UsageError, match="made by an older Manjha"):
        follow(run.journal(), work, run.reference)
    rebuild(run.journal(), work, run.reference)
    assert rows_of(work)[0] == reached


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


def test_a_day_at_a_broker_is_in_the_database_as_in_memory(work: UnitOfWork) -> None:
    lived, plain = disturbed(traded(Day(4)), 4), MemoryWork()
    rebuild(lived.whole(), plain, lived.reference)
    journal = lived.journal()
    for first, last in pairwise([*range(0, len(lived.rows), 333), len(lived.rows)]):
        lived.write(journal, first, last)
        follow(journal, work, lived.reference, batch=50)
    with work.begin() as records:
        assert_as_traded(lived, records.read_models)
    assert rows_of(work)[1:5] == rows_of(plain)[1:5]


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
