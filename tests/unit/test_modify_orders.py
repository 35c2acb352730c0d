"""New terms of an open order are checked like a new one, and the margin follows them to the last unit."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.commands import ModifyOrder, RefusalReason
from manjha.domain.instrument import Asset, Exchange, Kind
from manjha.domain.moments import TsNs
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.orders import OrderId, Product
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.research.backtest import BacktestSpec, prepare
from manjha.research.drive import Drive, Driven
from manjha.risk.limits import RiskLimits
from manjha.simulator.fills import FillRules, VenueModels
from manjha.simulator.venue import Venue
from manjha.strategy.asked import ModifyRequest
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, share_named, spec_of

ALPHA = share_named()
Act = Callable[[Context, EngineState], None]
KEPT = FillRules(orders_end_with_day=False)


def rupees(amount: float) -> int:
    return round(amount * RUPEE)


def started(rows: list[Row], script: Mapping[int, Act] | Act, **changes: Any) -> tuple[EngineState, Drive]:
    """Return a run whose strategy may look at the engine's state, as no real one can."""
    held: list[EngineState] = []

    def on_bar(self: Strategy, ctx: Context) -> None:
        del self
        act = script.get(ctx.position_index) if isinstance(script, Mapping) else script
        if act is not None:
            act(ctx, held[0])

    body = {"__doc__": "Played.", "on_bar": on_bar, "product": changes.pop("product", Product.CNC)}
    strategy = type("Played", (Strategy,), body)()
    spec = spec_of(strategy, days(ALPHA, rows), contract_notes=False, **({"fills": KEPT} | changes))
    return driven(spec, held)


def driven(spec: BacktestSpec, held: list[EngineState]) -> tuple[EngineState, Drive]:
    state = prepare(spec)
    held.append(state)
    models = VenueModels(rules=spec.fills, bands=spec.bands)
    return state, Drive(state, Venue(state.timeline, spec.instruments, spec.bars[0].interval, models), Driven())


def play(rows: list[Row], script: Mapping[int, Act] | Act, **changes: Any) -> EngineState:
    state, drive = started(rows, script, **changes)
    drive.run()
    return state


def the_open(state: EngineState) -> OrderRecord:
    (record,) = state.book.open_orders()
    return record


def change(*, limit: float = 0.0, trigger: float = 0.0, qty: int = 0) -> Act:
    def act(ctx: Context, state: EngineState) -> None:
        terms = (Qty(qty), Px(rupees(limit)), Px(rupees(trigger)))
        ctx.requests.append(ModifyRequest(the_open(state).order.id, *terms))

    return act


def reserved(into: list[int]) -> Act:
    return lambda _, state: into.append(state.portfolio.ledger.reserved)


@pytest.mark.parametrize(
    ("terms", "after"),
    [
        ({"limit": 95.0}, 950.0),
        ({"limit": 80.0}, 800.0),
        ({"qty": 4}, 360.0),
        ({"limit": 95.0, "qty": 4}, 380.0),
    ],
)
def test_the_margin_follows_new_terms_and_is_free_after_the_fill(terms: Any, after: float) -> None:
    seen: list[int] = []
    script = {0: lambda ctx, _: ctx.buy(10, limit=90), 1: change(**terms), 2: reserved(seen)}
    state = play([flat(100)] * 4 + [(85, 86, 79, 85)], script)
    assert seen == [rupees(after)]
    assert state.portfolio.ledger.reserved == 0
    assert [fill.qty for fill in state.record_fills] == [terms.get("qty", 10)]


def test_a_dearer_limit_needs_the_funds() -> None:
    seen: list[int] = []
    script = {0: lambda ctx, _: ctx.buy(10, limit=50), 1: change(limit=95), 2: reserved(seen)}
    state = play([flat(100)] * 4, script, initial=Cash(rupees(900)))
    assert [refusal.reason for refusal in state.record_refusals] == [RefusalReason.MARGIN]
    assert seen == [rupees(500)]
    assert the_open(state).limit == rupees(50)


def test_funds_that_the_order_holds_already_count_for_its_new_terms() -> None:
    script = {0: lambda ctx, _: ctx.buy(10, limit=85), 1: change(limit=90)}
    state = play([flat(100)] * 4, script, initial=Cash(rupees(900)))
    assert state.record_refusals == []
    assert the_open(state).limit == rupees(90)


REFUSED: dict[RefusalReason, tuple[Act, Act, dict[str, Any]]] = {
    RefusalReason.STOP_SIDE: (lambda ctx, _: ctx.buy(10, limit=90, stop=85), change(limit=84), {}),
    RefusalReason.ORDER_VALUE: (
        lambda ctx, _: ctx.buy(10, limit=80), change(limit=90),
        {"limits": RiskLimits(order_value_max=Cash(rupees(850)))},
    ),
    RefusalReason.POSITION_VALUE: (
        lambda ctx, _: ctx.buy(10, limit=80), change(limit=90),
        {"limits": RiskLimits(position_value_max=Cash(rupees(850)))},
    ),
    RefusalReason.OFF_TICK: (lambda ctx, _: ctx.buy(10, limit=80), change(limit=80.01), {}),
    RefusalReason.QUANTITY: (lambda ctx, _: ctx.buy(10, limit=80), change(qty=11), {}),
    RefusalReason.ORDER_TYPE: (lambda ctx, _: ctx.buy(10, limit=80), change(trigger=90), {}),
    RefusalReason.EXCHANGE: (lambda ctx, _: ctx.buy(10, limit=95), change(limit=85), {"bands": {ALPHA.id: 10**8}}),
}  # fmt: skip


@pytest.mark.parametrize("reason", list(REFUSED))
def test_new_terms_are_refused_by_name_and_change_nothing(reason: RefusalReason) -> None:
    place, modify, changes = REFUSED[reason]
    before: list[int] = []
    after: list[int] = []
    script: dict[int, Act] = {1: place, 2: reserved(before), 3: modify, 4: reserved(after)}
    state = play([flat(100)] * 7, script, **changes)
    assert [refusal.reason for refusal in state.record_refusals] == [reason]
    assert after == before == [the_open(state).reserved]
    assert (the_open(state).qty, the_open(state).limit) == (10, the_open(state).order.limit)


def test_a_change_at_the_count_limit_of_open_orders_passes() -> None:
    script = {0: lambda ctx, _: ctx.buy(10, limit=80), 1: change(limit=85)}
    state = play([flat(100)] * 4, script, limits=RiskLimits(open_orders_max=1))
    assert the_open(state).limit == rupees(85)


def test_a_sale_of_what_is_held_needs_no_margin_at_any_price() -> None:
    script = {0: lambda ctx, _: ctx.buy(10), 2: lambda ctx, _: ctx.sell(10, limit=110), 3: change(limit=120)}
    state = play([flat(100)] * 6, script)
    assert state.record_refusals == []
    assert (the_open(state).limit, the_open(state).reserved) == (rupees(120), 0)


def test_a_triggered_stop_entry_stays_triggered_when_its_limit_changes() -> None:
    script = {0: lambda ctx, _: ctx.buy(10, trigger=102, limit=102), 2: change(limit=103)}
    rows = [flat(100), (104, 105, 103.5, 104), (104, 105, 103.5, 104), (104, 104, 101, 101), flat(101)]
    state = play(rows, script)
    assert [(fill.qty, fill.px) for fill in state.record_fills] == [(10, rupees(103))]


def test_new_terms_under_way_hold_the_larger_margin_whatever_the_exchange_answers() -> None:
    """Answers that come late, as live: after a part fill, refused, or to terms that were replaced meanwhile."""
    state, drive = started([flat(100)] * 3, {0: lambda ctx, _: ctx.buy(10, limit=90)})
    drive.run()
    gate, record, ledger = state.gate, the_open(state), state.portfolio.ledger

    def ask(qty: int, limit: int) -> None:
        gate.modify(record, ModifyOrder(record.order.id, Qty(qty), Px(rupees(limit)), Px(0)), TsNs(0))

    ask(10, 95)
    assert ledger.reserved == rupees(950)
    gate.terms_refused(record)
    assert ledger.reserved == rupees(900)
    ask(10, 95)
    ask(5, 80)
    assert ledger.reserved == rupees(950)
    state.book.modify(record, Qty(10), Px(rupees(95)), Px(0))
    gate.terms_taken(record)
    assert ledger.reserved == rupees(950)
    state.book.modify(record, Qty(5), Px(rupees(80)), Px(0))
    gate.terms_taken(record)
    assert ledger.reserved == record.reserved == rupees(400)


NAMES = ("buy", "sell", "market", "stop", "modify", "modify", "modify", "shrink", "shrink", "cancel")
OPS = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 999)), min_size=40, max_size=60)


@settings(max_examples=60, deadline=None)
@given(OPS, st.integers(0, 5), st.sampled_from([Product.CNC, Product.MIS, Product.NRML]))
def test_what_is_reserved_is_the_sum_over_open_orders(ops: list[tuple[str, int]], seed: int, product: Product) -> None:
    def act(ctx: Context, state: EngineState) -> None:
        check(state)
        at = ctx.position_index
        for op, draw in ops[at * 2 : at * 2 + 2]:
            requests(ctx, state, op, draw)

    moves = [((seed + 1) * 37 * row) % 11 - 5 for row in range(40)]
    rows: list[Row] = [(100 + move, 102 + move, 98 + move, 100 + move) for move in moves]
    body: dict[str, Any] = {
        "initial": Cash(rupees(4000)),
        "fills": FillRules(participation_ppm=100_000, orders_end_with_day=seed % 2 == 0),
    }
    state, drive = started(rows, act, product=product, **body)
    if product is Product.NRML:
        spec = spec_of(state.strategy, days(ALPHA, rows, volume=60), contract_notes=False, **body)
        contract = msgspec.structs.replace(
            ALPHA, kind=Kind.FUTURE, asset=Asset.EQUITY, exchange=Exchange.NFO, lot=Qty(2), underlying="ALPHA"
        )
        held: list[EngineState] = []
        state, drive = driven(msgspec.structs.replace(spec, instruments=(contract,)), held)
        state.strategy.on_bar = lambda ctx: act(ctx, held[0])  # type: ignore[method-assign]
    drive.run()
    check(state)
    # What was asked for at the very last close is still in the book.
    for record in state.book.records.values():
        assert record.reserved == 0 or record.phase.value in ("sent", "working")


def check(state: EngineState) -> None:
    opens = list(state.book.open_orders())
    assert state.portfolio.ledger.reserved == sum(record.reserved for record in opens)
    assert all(record.reserved >= 0 and record.asked is None for record in opens)


def requests(ctx: Context, state: EngineState, op: str, draw: int) -> None:
    qty, px = 2 + 2 * (draw % 5), 95 + draw % 11
    opens = list(state.book.open_orders())
    if op == "buy":
        ctx.buy(qty, limit=px - 4, stop=80)
    elif op == "sell":
        ctx.sell(qty, limit=px + 4)
    elif op == "market":
        (ctx.buy if draw % 2 else ctx.sell)(qty)
    elif op == "stop":
        ctx.buy(qty, trigger=px + 3)
    elif op == "cancel":
        ctx.cancel()
    elif opens:
        record = opens[draw % len(opens)]
        terms = (Qty(0), Px(rupees(px) if record.limit else 0), Px(rupees(px) if record.trigger else 0))
        if op == "shrink":
            smaller = Qty(max(2, record.qty - 2))
            terms = (smaller, terms[1], terms[2]) if draw % 2 else (smaller, Px(0), Px(0))
        ctx.requests.append(ModifyRequest(OrderId(record.order.id), *terms))
