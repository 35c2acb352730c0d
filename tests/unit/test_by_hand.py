"""Orders that a person places by hand: through the gate, beside the strategy, and never taken for its own."""

from typing import Any

import msgspec
import pytest

from manjha.app.trading.told import accepted, done_once
from manjha.domain.broker import BrokerStatus
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, Output, RefusalReason, Refused, SubmitOrder
from manjha.domain.controls import Answer, CancelByHand, ManualOrder, ModifyByHand, Request
from manjha.domain.events import (
    ChangeAsked,
    InstrumentFrozen,
    KillSwitched,
    OrderAsked,
    SessionClosed,
    TimerFired,
    TradingSwitched,
)
from manjha.domain.kill import EVERYTHING, KillLevel
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import QTY_MAX, Px, Qty
from manjha.domain.orders import MANUAL, OrderId, OrderType, Product, Purpose, Side, StrategyId
from manjha.domain.sizing import TargetUnit
from manjha.engine.digest import digest
from manjha.engine.freezing import why_frozen
from manjha.engine.journaling import value_of
from manjha.engine.requests import SQUARE_OFF_TIMER
from manjha.services.replays import Replays, recorded_runs
from tests.fakes.account import PRICE, Account
from tests.fakes.control_desk import ALPHA, Desk, limits_of
from tests.fakes.hand_made import FIRST_DAY
from tests.fakes.journals import MemoryJournal
from tests.fakes.paper import Paper
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import random_tick_run
from tests.parity.test_paper import again, liquid, plain


def ask(account: Account | Desk, qty: int = 10, side: Side = Side.BUY, **changes: Any) -> list[Output]:
    """Let a person ask for an order at the market."""
    name = account.instrument if isinstance(account, Account) else ALPHA.id
    now_ns = account.now_ns if isinstance(account, Account) else account.now
    given: dict[str, Any] = {"kind": OrderType.MARKET, "product": Product.MIS, "ts_ns": TsNs(now_ns)} | changes
    event = OrderAsked("k", "me", name, side, Qty(qty), **given)
    return account.take(event) if isinstance(account, Account) else account.feed(event)


def placed(out: list[Output]) -> list[SubmitOrder]:
    return [one.command for one in out if isinstance(one, Approved) and isinstance(one.command, SubmitOrder)]


def refusals(out: list[Output]) -> list[RefusalReason]:
    return [one.reason for one in out if isinstance(one, Refused)]


def test_what_a_person_buys_is_not_the_strategys() -> None:
    account = Account()
    account.bar()
    account.accept(placed(ask(account, 10))[0]).trade(10)
    account.read()
    assert account.state.held_by((MANUAL, account.instrument, Product.MIS)) == 10
    assert account.position == 0
    assert account.state.ctx.market.position == 0
    account.bar(lambda ctx: ctx.market.target(5, TargetUnit.QTY))
    own = account.sent()[-1]
    assert (own.order.side, own.order.qty, own.order.origin.strategy) == (Side.BUY, 5, "told")


def test_the_strategy_sees_and_cancels_its_own_orders_only() -> None:
    account = Account()
    seen: list[tuple[int, int]] = []
    account.bar(lambda ctx: ctx.buy(3, limit=400.0))
    account.accept(account.sent()[-1])
    (mine,) = placed(ask(account, 7, kind=OrderType.LIMIT, limit=Px(4_000_000)))
    account.accept(mine)
    account.bar(lambda ctx: seen.append((ctx.working, len(ctx.market.orders()))), lambda ctx: ctx.cancel())
    assert seen == [(1, 1)]
    assert mine.order.id not in account.cancels()
    assert len(account.cancels()) == 1


def test_it_is_protected_by_the_exits_that_were_asked_for() -> None:
    account = Account()
    account.bar()
    stop, target = Px(PRICE - 100_000), Px(PRICE + 100_000)
    account.accept(placed(ask(account, 10, stop=stop, target=target))[0]).trade(10)
    exits = placed(account.read())
    assert {(one.order.purpose, one.order.trigger or one.order.limit) for one in exits} == {
        (Purpose.STOP, stop), (Purpose.TARGET, target),
    }  # fmt: skip
    assert {one.order.origin.strategy for one in exits} == {MANUAL}


def test_a_fill_of_the_strategy_does_not_take_what_protects_the_persons_position() -> None:
    account = Account()
    account.bar()
    account.accept(placed(ask(account, 10, stop=Px(PRICE - 100_000)))[0]).trade(10)
    (stop,) = placed(account.read())
    account.accept(stop, BrokerStatus.TRIGGER_PENDING)
    account.read()
    account.bar(lambda ctx: ctx.sell(4))
    account.accept(account.sent()[-1]).trade(4)
    account.read()
    assert account.position == -4
    assert stop.order.id not in account.cancels()
    assert account.record(stop).qty == 10


def test_the_square_off_closes_both_each_for_itself() -> None:
    account = Account()
    account.bar(lambda ctx: ctx.sell(4))
    account.accept(account.sent()[-1]).trade(4)
    account.accept(placed(ask(account, 10))[0]).trade(10)
    account.read()
    today = account.state.gate.today[account.instrument]
    account.now_ns = today.square_off_ns
    out = placed(account.take(TimerFired(SQUARE_OFF_TIMER, TsNs(account.now_ns))))
    assert {(one.order.origin.strategy, one.order.side, one.order.qty) for one in out} == {
        ("told", Side.BUY, 4), (MANUAL, Side.SELL, 10),
    }  # fmt: skip


@pytest.mark.parametrize("strategy", ["", MANUAL])
def test_the_kill_switch_flattens_it(strategy: str) -> None:
    account = Account()
    account.bar()
    account.accept(placed(ask(account, 10))[0]).trade(10)
    account.read()
    scope = msgspec.structs.replace(EVERYTHING, strategy=strategy)
    out = placed(account.take(KillSwitched(KillLevel.FLATTEN, scope, "a test", "me", TsNs(account.now_ns))))
    assert [(one.order.origin.strategy, one.order.side, one.order.qty) for one in out] == [(MANUAL, Side.SELL, 10)]


def test_the_kill_switch_refuses_it_and_a_stopped_strategy_does_not() -> None:
    desk = Desk()
    desk.feed(TradingSwitched(on=False, ts_ns=TsNs(desk.now), reason="news"))
    assert len(placed(ask(desk, 10))) == 1
    desk.feed(KillSwitched(KillLevel.NO_NEW, EVERYTHING, "a test", "me", TsNs(desk.now)))
    assert refusals(ask(desk, 11)) == [RefusalReason.KILLED]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": OrderType.LIMIT, "limit": Px(1_000_001)}, RefusalReason.OFF_TICK),
        ({"kind": OrderType.LIMIT}, RefusalReason.ORDER_TYPE),
        ({"limit": Px(1_000_000)}, RefusalReason.ORDER_TYPE),
        ({"product": Product.NRML}, RefusalReason.PRODUCT),
        ({"stop": Px(1_100_000)}, RefusalReason.STOP_SIDE),
        ({"side": Side.SELL, "product": Product.CNC}, RefusalReason.SHORT_DELIVERY),
        ({"instrument": "NSE:NOBODY"}, RefusalReason.UNKNOWN_INSTRUMENT),
    ],
)
def test_what_the_gate_refuses_is_refused_with_its_reason(changes: dict[str, Any], reason: RefusalReason) -> None:
    desk = Desk()
    given: dict[str, Any] = {
        "kind": OrderType.MARKET,
        "product": Product.MIS,
        "side": Side.BUY,
        "instrument": ALPHA.id,
    } | changes
    out = desk.feed(OrderAsked("k", "me", qty=Qty(10), ts_ns=TsNs(desk.now), **given))
    assert not placed(out)
    assert refusals(out) == [reason]


def test_limits_hold_for_it_too() -> None:
    desk = Desk(limits_of(order_qty_max=9))
    assert refusals(ask(desk, 10)) == [RefusalReason.ORDER_QTY]
    assert len(placed(ask(desk, 9))) == 1


def test_the_price_is_as_old_as_the_newest_tick_and_not_as_the_last_close() -> None:
    desk = Desk(limits_of(price_age_max_ns=5 * SECOND_NS))
    desk.now += 60 * SECOND_NS
    assert refusals(ask(desk, 10)) == [RefusalReason.STALE_PRICE]
    old: dict[str, Any] = {"seen_px": Px(1_001_000), "seen_ns": TsNs(desk.now - 6 * SECOND_NS)}
    assert refusals(ask(desk, 10, **old)) == [RefusalReason.STALE_PRICE]
    assert len(placed(ask(desk, 10, seen_px=Px(1_001_000), seen_ns=TsNs(desk.now - SECOND_NS)))) == 1


def test_it_is_cut_at_the_freeze_quantity() -> None:
    desk = Desk()
    desk.state.instruments[ALPHA.id] = msgspec.structs.replace(ALPHA, freeze=Qty(4))
    assert [one.order.qty for one in placed(ask(desk, 10))] == [4, 4, 2]


def test_what_is_held_for_delivery_stays_over_night_and_can_be_sold_by_hand() -> None:
    account = Account()
    account.bar()
    account.accept(placed(ask(account, 10, product=Product.CNC))[0]).trade(10)
    account.read()
    account.take(SessionClosed(FIRST_DAY, TsNs(account.now_ns)))
    assert account.state.held_by((MANUAL, account.instrument, Product.CNC)) == 10
    (sale,) = placed(ask(account, 10, Side.SELL, product=Product.CNC))
    assert sale.order.origin.strategy == MANUAL


# ---- a whole session


ORDER = ManualOrder("", Side.BUY, Qty(6), OrderType.MARKET, Product.MIS)


def session_by_hand(seed: int, run_id: str = "run") -> tuple[Paper, list[Answer]]:
    """Trade a random session in which a person asks for an order every so often; break it off once."""
    run = liquid(plain(random_tick_run(seed)))
    paper = Paper(run, run_id)
    session, ticks, said = paper.start(), paper.ticks(), list[Answer]()
    for number, tick in enumerate(ticks):
        if number == len(ticks) // 2:
            session = paper.start(session.pump.now_ns)
        session.on_tick(tick, tick.ts_ns)
        if number % 40 == 20:
            name = run.spec.instruments[number % len(run.spec.instruments)].display
            side = Side.BUY if number % 80 == 20 else Side.SELL
            asked = msgspec.structs.replace(ORDER, instrument=name, side=side)
            said.append(done_once(session, Request(f"k{number}", asked, "me"), asked, session.pump.now_ns))
    session.pump.finish()
    session.tape.recorder.ended(digest(session.trader.state), session.pump.now_ns)
    return paper, said


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_a_session_with_orders_by_hand_is_decided_the_same_by_its_journal(seed: int) -> None:
    paper, said = session_by_hand(seed)
    journal, segments = MemoryJournal(paper.shared), MemorySegments(paper.shared.head.account, paper.stored)
    found = Replays(journal, segments, lambda _name: again(paper.run), paper.run.spec.rules).replay(
        recorded_runs(journal)[-1]
    )
    assert (found.found.difference, found.found.has_ended) == (None, True)
    assert any(not one.refused for one in said)
    rows = {row.seq: value_of(row.entry) for row in paper.shared.rows}
    for answer in said:
        assert isinstance(rows[answer.seq], OrderAsked)
        after = rows.get(answer.seq + 1)
        assert bool(answer.refused) == isinstance(after, Refused)


def test_asked_again_under_the_same_key_it_is_done_once_also_by_a_later_process() -> None:
    run = liquid(plain(random_tick_run(3)))
    paper = Paper(run, "run")
    session, ticks = paper.start(), paper.ticks()
    for tick in ticks[:100]:
        session.on_tick(tick, tick.ts_ns)
    asked = msgspec.structs.replace(ORDER, instrument=run.spec.instruments[0].display)
    request = Request("mine", asked, "me")
    first = done_once(session, request, asked, session.pump.now_ns)
    later = paper.start(session.pump.now_ns)
    assert done_once(later, request, asked, later.pump.now_ns) == first
    other = msgspec.structs.replace(asked, qty=Qty(7))
    refused = done_once(later, Request("mine", other, "me"), other, later.pump.now_ns)
    assert "has something else under the key mine" in refused.refused
    assert sum(isinstance(value_of(row.entry), OrderAsked) for row in paper.shared.rows) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instrument": "NSE:NOBODY"}, "NSE:NOBODY is not in this run"),
        ({"qty": Qty(0)}, "quantity must be above zero"),
        ({"qty": Qty(QTY_MAX + 1)}, "the largest quantity is 1,000,000,000"),
        ({"qty": Qty(10**20)}, "the largest quantity is 1,000,000,000"),
        ({"limit": Px(10**20)}, "the largest price 100000000.00"),
        ({"stop": Px(99_9001)}, "the stop 99.9001 is not on the tick of "),
        ({"target": Px(199_9001)}, "the target 199.9001 is not on the tick of "),
    ],
)
def test_what_cannot_be_an_order_is_refused_and_leaves_no_row(changes: dict[str, Any], words: str) -> None:
    paper = Paper(plain(random_tick_run(3)), "run")
    session = paper.start()
    rows = len(paper.shared.rows)
    asked = msgspec.structs.replace(ORDER, **({"instrument": paper.run.spec.instruments[0].display} | changes))
    answer = done_once(session, Request("k", asked, "me"), asked, session.pump.now_ns)
    assert answer.seq == 0
    assert words in answer.refused
    assert len(paper.shared.rows) == rows


def test_only_what_is_frozen_can_be_accepted() -> None:
    paper = Paper(plain(random_tick_run(3)), "run")
    session = paper.start()
    one = paper.run.spec.instruments[0]
    rows = len(paper.shared.rows)
    for name in (one.display, "NSE:NOBODY"):
        assert accepted(session, name, "me", session.pump.now_ns) == f"{name} is not frozen; frozen are: none"
    assert len(paper.shared.rows) == rows
    session.pump.apply(InstrumentFrozen(one.id, on=True, ts_ns=session.pump.now_ns, reason="a look is needed"))
    assert one.display in accepted(session, "NSE:NOBODY", "me", session.pump.now_ns)
    assert accepted(session, one.display, "me", session.pump.now_ns) == ""
    assert why_frozen(session.trader.state, one.id) is None


def change(account: Account, order_id: str, **terms: Any) -> list[Output]:
    is_cancel = not terms
    return account.take(ChangeAsked("c", "me", OrderId(order_id), is_cancel, TsNs(account.now_ns), **terms))


def test_a_person_cancels_any_open_order_and_one_that_is_not_open_is_refused() -> None:
    account = Account()
    account.bar(lambda ctx: ctx.buy(3, limit=400.0))
    own = account.sent()[-1]
    account.accept(own)
    account.read()
    out = change(account, own.order.id)
    assert [one.command for one in out if isinstance(one, Approved)] == [CancelOrder(own.order.id)]
    assert refusals(change(account, "nobody")) == [RefusalReason.UNKNOWN_ORDER]


def test_a_person_gives_an_order_other_terms_and_the_gate_looks_at_them() -> None:
    account = Account()
    account.bar()
    (mine,) = placed(ask(account, 7, kind=OrderType.LIMIT, limit=Px(4_000_000)))
    account.accept(mine)
    account.read()
    (approved,) = change(account, mine.order.id, limit=Px(4_100_000))
    assert isinstance(approved, Approved)
    assert isinstance(approved.command, ModifyOrder)
    assert (approved.command.qty, approved.command.limit, approved.command.trigger) == (7, 4_100_000, 0)
    assert refusals(change(account, mine.order.id, limit=Px(4_100_001))) == [RefusalReason.OFF_TICK]
    assert refusals(change(account, mine.order.id, trigger=Px(4_100_000))) == [RefusalReason.ORDER_TYPE]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (ModifyByHand("1"), "no new term was given"),
        (ModifyByHand("1", limit=Px(-1)), "no term may be below zero"),
        (ModifyByHand("1", qty=Qty(QTY_MAX + 1)), "the largest quantity"),
    ],
)
def test_terms_that_cannot_be_are_refused_before_a_row_is_written(wish: ModifyByHand, words: str) -> None:
    session = Paper(plain(random_tick_run(2)), "run").start()
    before = session.journal.head().seq
    answer = done_once(session, Request("k", wish, "me"), wish, session.pump.now_ns)
    assert words in answer.refused
    assert session.journal.head().seq == before


def test_a_cancel_of_nobody_is_written_down_refused_and_answered_the_same_again() -> None:
    session = Paper(plain(random_tick_run(2)), "run").start()
    wish = CancelByHand("nobody")
    first = done_once(session, Request("k", wish, "me"), wish, session.pump.now_ns)
    assert first.refused == "no open order has this id: nobody"
    assert done_once(session, Request("k", wish, "me"), wish, session.pump.now_ns) == first
    other = CancelByHand("somebody")
    assert (
        "something else under the key"
        in done_once(session, Request("k", other, "me"), other, session.pump.now_ns).refused
    )
    assert sum(row.entry.kind == "ChangeAsked" for row in session.journal.rows()) == 1


def test_a_signal_from_outside_is_of_its_own_strategy_which_a_stop_of_trading_holds_up() -> None:
    account = Account()
    account.bar()
    account.accept(placed(ask(account, 10, strategy="tv"))[0]).trade(10)
    account.read()
    assert account.state.held_by((StrategyId("tv"), account.instrument, Product.MIS)) == 10
    assert (account.position, account.state.held_by((MANUAL, account.instrument, Product.MIS))) == (0, 0)
    account.take(TradingSwitched(on=False, ts_ns=TsNs(account.now_ns), reason="news"))
    assert refusals(ask(account, 5, strategy="tv")) == [RefusalReason.TRADING_OFF]
    account.now_ns = account.state.gate.today[account.instrument].square_off_ns
    out = placed(account.take(TimerFired(SQUARE_OFF_TIMER, TsNs(account.now_ns))))
    assert [(one.order.origin.strategy, one.order.side, one.order.qty) for one in out] == [("tv", Side.SELL, 10)]


@pytest.mark.parametrize("name", ["MANUAL", "EXTERNAL", ""])
def test_no_signal_is_of_the_runs_own_strategy(name: str) -> None:
    paper = Paper(plain(random_tick_run(2)), "run")
    session = paper.start()
    own = name or session.trader.state.origin.strategy
    (instrument, *_) = session.trader.state.instruments.values()
    wish = ManualOrder(instrument.display, Side.BUY, Qty(1), OrderType.MARKET, Product.MIS, strategy=own)
    answer = done_once(session, Request("k", wish, "me"), wish, session.pump.now_ns)
    assert own in answer.refused
    assert answer.seq == 0
