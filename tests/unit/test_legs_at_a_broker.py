"""A group of legs at a broker, step by step: a restart in its middle, an order in doubt, a cancel that is refused."""

from typing import Any

import pytest

from manjha.domain.broker import (
    BrokerStatus,
    OrderSeen,
    Outcome,
    OutcomeUnknown,
    PositionSeen,
    Sent,
    Source,
    TradeSeen,
    Turned,
    Unsent,
)
from manjha.domain.commands import Approved, CallPerson, CancelOrder, Output, SetTimer, SubmitOrder
from manjha.domain.events import (
    AccountTaken,
    BrokerRead,
    ChangeAnswered,
    Event,
    MarketAdvanced,
    SessionOpened,
    SubmitAnswered,
    TimerFired,
)
from manjha.domain.moments import SECOND_NS, TsNs, day_of
from manjha.domain.money import Px, Qty
from manjha.domain.orders import FillId, GroupPhase, Order, OrderType, Phase, Product, Purpose, RunId, Side
from manjha.engine.desk import QUARANTINE_NS
from manjha.engine.digest import digest
from manjha.engine.flatten import flatten
from manjha.engine.legs import follow
from manjha.engine.step import step
from manjha.orders.legs import Saga
from manjha.portfolio.positions import PositionKey
from manjha.research.backtest import prepare
from tests.fakes.legs import HEDGE, LOT, SOLD, spec_for, spread


class Account:
    """One account at a broker that does what the test says. Keeps its events, so that a replay can be compared."""

    def __init__(self, **terms: Any) -> None:
        self.spec = spec_for({1: spread(**terms)}, {SOLD: [100.0] * 9, HEDGE: [20.0] * 9})
        self.state = prepare(self.spec)
        self.events: list[Event] = []
        self.out: list[Output] = []
        self.positions: dict[str, int] = {}
        opened = int(self.spec.bars[0].ts_open_ns[0])
        self.now = opened - 60 * SECOND_NS
        self.epoch = 0
        self.begin()
        self.read()
        self.now = opened
        self.take(SessionOpened(day_of(self.ts), self.ts))

    @property
    def ts(self) -> TsNs:
        return TsNs(self.now)

    @property
    def saga(self) -> Saga:
        return next(iter(self.state.groups.values()))

    def phase(self) -> GroupPhase:
        return self.saga.phase

    def take(self, event: Event) -> list[Output]:
        self.events.append(event)
        self.out = step(self.state, event)
        return self.out

    def begin(self) -> None:
        self.epoch += 1
        self.take(AccountTaken(RunId(f"r{self.epoch}"), self.epoch, "", "", self.ts))

    def bar(self, position: int) -> list[Output]:
        self.now = int(self.spec.bars[0].ts_close_ns[position])
        return self.take(MarketAdvanced(position, position + 1))

    def ask(self) -> list[Output]:
        """Let the strategy ask for its group."""
        self.bar(0)
        return self.bar(1)

    def read(self, *shown: tuple[OrderSeen, int]) -> list[Output]:
        """Read the whole day, twice, as a difference counts only then; of each order so much has traded now."""
        trades = []
        for seen, qty in shown:
            if qty:
                fill_id = FillId(f"{seen.broker_id}-{len(self.events)}")
                trade = (fill_id, seen.broker_id, seen.instrument, seen.side, Qty(qty), Px(1_000_000), Product.NRML)
                trades.append(TradeSeen(*trade, self.ts))
                self.positions[seen.instrument] = self.positions.get(seen.instrument, 0) + int(seen.side) * qty
        held = tuple(PositionSeen(name, Product.NRML, Qty(qty)) for name, qty in self.positions.items() if qty)  # type: ignore[arg-type]
        self.now += SECOND_NS // 10
        orders = tuple(seen for seen, _ in shown)
        return self.take(BrokerRead(orders, tuple(trades), self.ts, whole=True, positions=held))

    def answer(self, order: Order, outcome: Outcome | None = None) -> list[Output]:
        self.now += SECOND_NS // 10
        return self.take(SubmitAnswered(order.id, outcome or Sent(f"B{order.id}"), self.ts))

    def wait(self, seconds: int, key: str) -> list[Output]:
        self.now += seconds * SECOND_NS
        return self.take(TimerFired(key, self.ts))

    def shown(self, order: Order, status: BrokerStatus, filled: int = 0) -> OrderSeen:
        """Return an order as the broker shows it."""
        at = self.state.book.records[order.id].at_broker
        assert at is not None
        return OrderSeen(
            f"B{order.id}", at.tag, order.instrument, order.side, order.qty, order.type, order.product, status,
            Qty(filled), self.ts, Source.BOOK, order.limit, order.trigger,
        )  # fmt: skip

    def fills(self, order: Order) -> list[Output]:
        """Show an order as filled in full."""
        return self.read((self.shown(order, BrokerStatus.COMPLETE, order.qty), order.qty))

    def same_after_replay(self) -> bool:
        """Tell whether the events alone give the same state."""
        again = prepare(self.spec)
        for event in self.events:
            step(again, event)
        return digest(again) == digest(self.state)


def orders(out: list[Output]) -> list[Order]:
    return [o.command.order for o in out if isinstance(o, Approved) and isinstance(o.command, SubmitOrder)]


def cancels(out: list[Output]) -> list[str]:
    return [o.command.order_id for o in out if isinstance(o, Approved) and isinstance(o.command, CancelOrder)]


def calls(out: list[Output]) -> list[str]:
    return [o.what for o in out if isinstance(o, CallPerson)]


def late(account: Account) -> str:
    return f"legs:late:{account.saga.id}"


def held(**terms: Any) -> tuple[Account, Order, Order]:
    """Return an account that holds the group, with both entries."""
    account = Account(**terms)
    (hedge,) = orders(account.ask())
    account.answer(hedge)
    (sold,) = orders(account.fills(hedge))
    account.answer(sold)
    account.fills(sold)
    assert account.phase() is GroupPhase.HELD
    return account, hedge, sold


def test_what_is_sold_is_sent_when_the_hedge_has_traded_and_not_when_it_was_taken() -> None:
    account = Account()
    (hedge,) = orders(account.ask())
    assert (hedge.instrument, hedge.side) == (HEDGE.id, Side.BUY)
    assert not orders(account.answer(hedge))
    part = account.read((account.shown(hedge, BrokerStatus.OPEN, 50), 50))
    assert not orders(part)
    (sold,) = orders(account.read((account.shown(hedge, BrokerStatus.COMPLETE, 75), 25)))
    assert (sold.instrument, sold.side, sold.qty) == (SOLD.id, Side.SELL, LOT)
    assert account.same_after_replay()


@pytest.mark.parametrize("outcome", [Turned("insufficient funds"), Unsent("connection refused")])
def test_a_sold_leg_that_never_gets_there_unwinds_the_hedge_and_calls_a_person(outcome: Outcome) -> None:
    account = Account()
    (hedge,) = orders(account.ask())
    account.answer(hedge)
    (sold,) = orders(account.fills(hedge))
    out = account.answer(sold, outcome)
    (close,) = orders(out)
    assert (close.instrument, close.side, close.qty, close.type) == (HEDGE.id, Side.SELL, LOT, OrderType.MARKET)
    assert "a leg has failed while entering" in calls(out)[0]
    account.answer(close)
    account.fills(close)
    assert account.phase() is GroupPhase.UNWOUND
    assert account.same_after_replay()


def test_an_order_in_doubt_is_waited_for_beyond_the_deadline() -> None:
    account = Account()
    (hedge,) = orders(account.ask())
    account.answer(hedge, OutcomeUnknown("read timed out"))
    out = account.wait(60, late(account))
    assert account.phase() is GroupPhase.HEDGING
    assert [o.key for o in out if isinstance(o, SetTimer)] == [late(account)]
    assert len(orders(account.fills(hedge))) == 1
    assert account.phase() is GroupPhase.ENTERING


def test_an_order_that_is_written_off_fails_and_its_late_fill_is_closed() -> None:
    account = Account()
    (hedge,) = orders(account.ask())
    account.answer(hedge, OutcomeUnknown("read timed out"))
    account.now += QUARANTINE_NS
    account.read()
    out = account.read()
    assert account.state.book.records[hedge.id].phase is Phase.WRITTEN_OFF
    assert account.phase() is GroupPhase.UNWOUND
    assert any("written off" in what for what in calls(out))
    out = account.fills(hedge)
    assert account.phase() is GroupPhase.UNWINDING
    (close,) = orders(out)
    assert (close.side, close.qty) == (Side.SELL, LOT)
    account.answer(close)
    account.fills(close)
    assert account.phase() is GroupPhase.UNWOUND
    assert not account.state.held(HEDGE.id, Product.NRML)
    assert account.same_after_replay()


def test_a_restart_in_the_middle_waits_for_the_books_and_goes_on() -> None:
    account = Account()
    (hedge,) = orders(account.ask())
    account.begin()
    assert account.state.book.records[hedge.id].phase is Phase.UNCONFIRMED
    account.wait(50, late(account))
    assert account.phase() is GroupPhase.HEDGING
    (sold,) = orders(account.fills(hedge))
    assert sold.instrument == SOLD.id
    assert account.phase() is GroupPhase.ENTERING
    assert account.same_after_replay()


def test_after_a_restart_a_hedge_without_its_sold_leg_waits_and_is_unwound_at_its_deadline() -> None:
    account = Account()
    (hedge,) = orders(account.ask())
    account.begin()
    # The trade is known, but the positions were not read: the books are not compared.
    seen, filled = account.shown(hedge, BrokerStatus.COMPLETE, LOT), (FillId("f"), f"B{hedge.id}", HEDGE.id)
    trade = TradeSeen(*filled, Side.BUY, Qty(LOT), Px(200_000), Product.NRML, account.ts)
    assert not orders(account.take(BrokerRead((seen,), (trade,), account.ts)))
    assert account.phase() is GroupPhase.ENTERING
    out = account.wait(60, late(account))
    assert account.phase() is GroupPhase.UNWINDING
    (close,) = orders(out)
    assert (close.instrument, close.side, close.qty) == (HEDGE.id, Side.SELL, LOT)
    assert account.same_after_replay()


def test_an_end_cancels_the_stop_first_and_closes_only_when_it_is_gone() -> None:
    account, _, _ = held(sold={"stop": 120}, combined={"stop": 10})
    stop = next(r.order for r in account.state.book.open_orders(SOLD.id))
    account.answer(stop)
    account.read((account.shown(stop, BrokerStatus.TRIGGER_PENDING), 0))
    # Both legs were booked at 100, and the hedge stands at 20: the combined stop is reached.
    out = account.bar(2)
    assert cancels(out) == [stop.id]
    assert not orders(out)
    refused = ChangeAnswered(stop.id, is_cancel=True, outcome=Turned("order is being processed"), ts_ns=account.ts)
    account.take(refused)
    again = account.wait(5, f"legs:retry:{account.saga.id}")
    assert cancels(again) == [stop.id]
    (back,) = orders(account.read((account.shown(stop, BrokerStatus.CANCELLED), 0)))
    assert (back.instrument, back.side, back.qty, back.purpose) == (SOLD.id, Side.BUY, LOT, "stop")
    account.answer(back)
    (hedge_close,) = orders(account.fills(back))
    assert (hedge_close.instrument, hedge_close.side) == (HEDGE.id, Side.SELL)
    account.answer(hedge_close)
    account.fills(hedge_close)
    assert account.phase() is GroupPhase.CLOSED
    assert account.same_after_replay()


def test_a_stop_that_trades_while_it_is_cancelled_closes_the_leg_once() -> None:
    account, _, _ = held(sold={"stop": 120}, combined={"stop": 10})
    stop = next(r.order for r in account.state.book.open_orders(SOLD.id))
    account.answer(stop)
    account.bar(2)
    out = account.fills(stop)
    assert [(each.instrument, each.side) for each in orders(out)] == [(HEDGE.id, Side.SELL)]


def test_a_close_that_is_refused_is_tried_again_and_then_a_person_is_called() -> None:
    account, _, _ = held(combined={"stop": 10})
    (back,) = orders(account.bar(2))
    said: list[str] = []
    for seconds in (1, 2, 4):
        out = account.answer(back, Turned("try again"))
        assert not orders(out)
        said += calls(out)
        (back,) = orders(account.wait(seconds, f"legs:retry:{account.saga.id}"))
    assert said == [f"3 orders that close {LOT} of {SOLD.display} have failed"]
    account.answer(back)
    assert [each.instrument for each in orders(account.fills(back))] == [HEDGE.id]


def test_a_timer_of_a_group_that_is_over_does_nothing() -> None:
    account = Account()
    (hedge,) = orders(account.ask())
    account.answer(hedge, Turned("no"))
    assert account.phase() is GroupPhase.UNWOUND
    assert account.wait(60, late(account)) == []


# ---- what others do


def by_broker(account: Account, instrument: str, side: Side) -> list[Output]:
    """Let the broker's own risk management trade a lot."""
    number = f"RMS{len(account.events)}"
    seen = OrderSeen(
        number, "", SOLD.id if instrument == SOLD.id else HEDGE.id, side, Qty(LOT), OrderType.MARKET, Product.NRML,
        BrokerStatus.COMPLETE, Qty(LOT), account.ts, Source.BOOK, by_broker=True,
    )  # fmt: skip
    return account.read((seen, LOT))


def test_a_hedge_that_the_broker_closes_takes_what_it_hedged_with_it() -> None:
    account, _, _ = held()
    (back,) = orders(by_broker(account, HEDGE.id, Side.SELL))
    assert (back.instrument, back.side, back.qty) == (SOLD.id, Side.BUY, LOT)
    assert account.phase() is GroupPhase.CLOSING
    account.answer(back)
    account.fills(back)
    assert account.phase() is GroupPhase.CLOSED
    assert account.same_after_replay()


def test_a_sold_leg_that_the_broker_and_its_stop_both_close_is_put_right() -> None:
    account, _, _ = held(sold={"stop": 120})
    stop = next(r.order for r in account.state.book.open_orders(SOLD.id))
    account.answer(stop)
    by_broker(account, SOLD.id, Side.BUY)
    assert account.phase() is GroupPhase.HELD
    assert account.saga.legs[0].held == 0
    out = account.fills(stop)
    assert account.phase() is GroupPhase.CLOSING
    assert "was to close, and has opened 75" in calls(out)[0]
    (right,) = orders(out)
    assert (right.instrument, right.side, right.qty) == (SOLD.id, Side.SELL, LOT)
    account.answer(right)
    (rest,) = orders(account.fills(right))
    account.answer(rest)
    account.fills(rest)
    assert account.phase() is GroupPhase.CLOSED
    assert not account.state.held(SOLD.id, Product.NRML)
    assert account.same_after_replay()


def test_who_closes_one_instrument_of_a_group_ends_all_of_it() -> None:
    account, _, _ = held()
    out: list[Output] = []
    flatten(
        account.state,
        PositionKey(account.state.origin.strategy, HEDGE.id, Product.NRML),
        Purpose.SQUARE_OFF,
        account.ts,
        out,
    )
    assert not out
    follow(account.state, account.ts, out)
    (back,) = orders(out)
    assert (back.instrument, back.side, back.purpose) == (SOLD.id, Side.BUY, Purpose.SQUARE_OFF)
