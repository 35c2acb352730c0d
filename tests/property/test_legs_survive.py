"""Groups of legs at an exchange that rejects, fills in part, cancels and fills late at will: never bare, ever over."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.commands import Approved, CallPerson, CancelOrder, Output, SubmitOrder
from manjha.domain.events import Event, OrderCancelled, OrderFilled, OrderRejected
from manjha.domain.moments import MINUTE_NS, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, FillId, GroupPhase, Leg, LegGroup, Order, Side
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.orders.legs import LEAVING, OVER, Saga
from manjha.research import backtest, drive
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules
from manjha.simulator.venue import Venue
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.legs import HEDGE, HEDGE_PUT, LOT, SOLD, SOLD_PUT, spec_for

BARS, STORM = 150, 110
"""Two days of five-minute bars; in the last ones the exchange behaves."""
LEGS = {SOLD: Side.SELL, HEDGE: Side.BUY, SOLD_PUT: Side.SELL, HEDGE_PUT: Side.BUY}
SIGNS = {one.id: int(side) for one, side in LEGS.items()}


class Hostile(Venue):
    """Does to orders what it likes until the storm is over."""

    chance = random.Random(0)
    ills = 0.0

    def strikes(self) -> bool:
        """Tell whether something goes wrong now."""
        return self.timeline.cursor.at < STORM and self.chance.random() < self.ills

    def submit(self, approved: Approved[SubmitOrder], now_ns: TsNs) -> Sequence[Event]:
        """Reject an order now and then."""
        order = approved.command.order
        if self.strikes():
            return (OrderRejected(order.id, now_ns, "at will"),)
        return super().submit(approved, now_ns)

    def cancel(self, approved: Approved[CancelOrder], now_ns: TsNs) -> Sequence[Event]:
        """Fill an order that is cancelled, before or after it is gone, in full or in part."""
        found = self._find(approved.command.order_id)
        if found is None or not self.strikes():
            return super().cancel(approved, now_ns)
        book, resting = found
        self._leave(book, resting)
        part = self.chance.randint(1, resting.left // LOT) * LOT
        filled = self._late(resting.order, part, now_ns)
        if part == resting.left:
            return (filled,)
        gone = OrderCancelled(resting.order.id, now_ns, "at will")
        return (filled, gone) if self.chance.random() < 0.5 else (gone, filled)

    def at_open(self, position: int) -> Iterator[Event]:
        """Cancel some of what rests before anything trades."""
        opened = TsNs(self.timeline.open_ns[position])
        for book in list(self.active.values()):
            for resting in list(book.orders.values()):
                if resting.order.id in book.orders and self.strikes():
                    self._leave(book, resting)
                    yield OrderCancelled(resting.order.id, opened, "at will")
        yield from super().at_open(position)

    def _late(self, order: Order, qty: int, now_ns: TsNs) -> OrderFilled:
        self.fill_seq += 1
        px = Px(self.books[order.instrument].series.close_e4[self.timeline.cursor.at])
        fill_id = FillId(f"late{self.fill_seq}")
        return OrderFilled(
            Fill(fill_id, order.id, order.origin, order.instrument, order.side, Qty(qty), px, px, order.product, now_ns)
        )


class Groups(Strategy):
    """Ask for another group whenever there is none, until the storm is over; then end what is there."""

    instruments_max = 0
    seed = 0

    def on_bar(self, ctx: Context) -> None:
        """Ask for something now and then."""
        rng = random.Random(self.seed * 1_000 + ctx.position_index)
        if ctx.position_index >= STORM:
            ctx.close_legs()
        elif not ctx.groups() and rng.random() < 0.7:
            ctx.legs(self._group(ctx, rng))
        elif rng.random() < 0.05:
            ctx.close_legs()

    def _group(self, ctx: Context, rng: random.Random) -> LegGroup:
        contracts = rng.choice(([SOLD, HEDGE, SOLD_PUT, HEDGE_PUT], [SOLD, HEDGE], [SOLD, SOLD_PUT], [HEDGE]))
        legs = tuple(self._leg(ctx, contract.symbol, LEGS[contract], rng) for contract in contracts)
        combined = ctx.combined(stop=rng.uniform(300, 3_000)) if rng.random() < 0.5 else None
        patience = rng.choice((1, 6, 30)) * MINUTE_NS
        units, again = rng.randint(1, 3), rng.randint(0, 2)
        return LegGroup(legs, units, combined=combined, reentries=again, patience_ns=patience)

    def _leg(self, ctx: Context, name: str, side: Side, rng: random.Random) -> Leg:
        close, exits = ctx[name].close[-1], {}
        if rng.random() < 0.6:
            exits["stop"] = close * (1 - int(side) * rng.uniform(0.01, 0.05))
        if rng.random() < 0.6:
            exits["target"] = close * (1 + int(side) * rng.uniform(0.01, 0.05))
        if rng.random() < 0.2:
            exits["trail"] = close * 0.03
        if rng.random() < 0.2:
            exits["limit"] = close
        return ctx[name].leg(side, rng.randint(1, 2), **exits)


class Watch:
    """Counts from fills alone, and looks after every step."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.phases: Counter[GroupPhase] = Counter()
        self.calls = 0

    def step(self, state: EngineState, event: Event) -> list[Output]:
        """Step, then look."""
        outputs = step(state, event)
        if isinstance(event, OrderFilled):
            self.held[event.fill.instrument] += int(event.fill.side) * event.fill.qty
        self.calls += sum(isinstance(output, CallPerson) for output in outputs)
        for saga in state.sagas.values():
            self._look(state, saga, outputs)
        self._positions(state)
        return outputs

    def _positions(self, state: EngineState) -> None:
        counted = Counter[str]()
        for saga in state.groups.values():
            assert saga.phase not in OVER or not any(leg.held for leg in saga.legs)
            for leg in saga.legs:
                counted[leg.leg.instrument] += int(leg.leg.side) * leg.held
        for name in {*self.held, *counted}:
            position = sum(each.qty for each in state.portfolio.open_positions() if each.key.instrument == name)
            assert self.held[name] == counted[name] == position

    def _look(self, state: EngineState, saga: Saga, outputs: list[Output]) -> None:
        """What is sold is hedged in full, or is being closed before its hedge."""
        self.phases[saga.phase] += 1
        sold = any(self.held[leg.leg.instrument] < 0 for leg in saga.legs if not leg.is_bought)
        hedged = all(self.held[leg.leg.instrument] == leg.target for leg in saga.legs if leg.is_bought)
        assert not sold or hedged or saga.phase in LEAVING
        if saga.phase is GroupPhase.HELD:
            assert all(leg.entered == leg.target for leg in saga.legs)
        for output in outputs:
            if isinstance(output, Approved) and isinstance(output.command, SubmitOrder):
                order = output.command.order
                opens = order.side == SIGNS[order.instrument] and order.purpose.value == "signal"
                if opens and order.side is Side.SELL:
                    assert hedged
                if (
                    saga.phase in LEAVING
                    and order.group == saga.id
                    and order.side is Side.SELL
                    and SIGNS[order.instrument] > 0
                ):
                    assert not sold


@contextmanager
def storm(seed: int, ills: float, watch: Watch) -> Iterator[None]:
    venue = type("Seeded", (Hostile,), {"__doc__": "Seeded.", "chance": random.Random(seed), "ills": ills})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "step", watch.step)
        patch.setattr(backtest, "Venue", venue)
        yield


def market(seed: int) -> BacktestSpec:
    rng = np.random.default_rng(seed)
    closes = {
        one: np.round(np.maximum(5.0, start + np.cumsum(rng.normal(0.0, start * 0.01, BARS))) * 20) / 20
        for one, start in zip(LEGS, (100.0, 30.0, 90.0, 25.0), strict=True)
    }
    base = type("Seeded", (Groups,), {"__doc__": "Seeded.", "seed": seed})
    thin = {one: [int(qty) for qty in rng.integers(0, 12, BARS) * LOT] for one in LEGS} if seed % 2 else {}
    rules = FillRules(participation_ppm=500_000 if seed % 2 else 0)
    prices = {one: list(map(float, row)) for one, row in closes.items()}
    return spec_for({}, prices, base=base, thin={one: [*row[:STORM], *[10**6] * 40] for one, row in thin.items()},
                    fills=rules)  # fmt: skip


def live(seed: int, ills: float) -> tuple[BacktestResult, Watch, EngineState]:
    watch, states = Watch(), list[EngineState]()
    with storm(seed, ills, watch):
        result = run_backtest(market(seed), watch=states.append)
    return result, watch, states[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from((0.0, 0.05, 0.2, 0.5)))
def test_nothing_sold_is_bare_and_every_group_comes_to_an_end(seed: int, ills: float) -> None:
    _, watch, state = live(seed, ills)
    assert not state.sagas
    assert {saga.phase for saga in state.groups.values()} <= OVER
    assert not any(watch.held.values())
    assert not list(state.portfolio.open_positions())
    assert not state.book.open_count


def test_the_storms_meet_every_phase() -> None:
    watched = [live(seed, ills) for seed in range(6) for ills in (0.02, 0.2)]
    met = {phase for _, watch, _ in watched for phase in watch.phases}
    over = {saga.phase for _, _, state in watched for saga in state.groups.values()}
    assert met >= set(GroupPhase) - OVER
    assert over == OVER
    for _, watch, state in watched:
        unwound = [saga for saga in state.groups.values() if saga.phase is GroupPhase.UNWOUND]
        failed = [saga for saga in unwound if saga.reason != "asked for"]
        assert watch.calls >= sum(any(leg.entries for leg in saga.legs) for saga in failed)


def test_the_same_storm_gives_the_same_state() -> None:
    first, again = (live(11, 0.2)[0].state_digest for _ in range(2))
    assert first == again
    assert partial(live, 12)(0.2)[0].state_digest != first
