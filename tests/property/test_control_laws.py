"""The invariants of risk over random strategies: an observer who knows nothing of the controls finds none broken."""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.bars import BarColumns
from manjha.domain.commands import Approved, ModifyOrder, SubmitOrder
from manjha.domain.events import KillSwitched, MarketAdvanced, OrderFilled
from manjha.domain.kill import EVERYTHING, KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Qty
from manjha.domain.orders import Product, Purpose
from manjha.engine.digest import digest
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.research import drive
from manjha.research.backtest import prepare
from manjha.risk.control_checks import CHECKS
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import Governor, RateLimits
from manjha.simulator.fills import FillRules, VenueModels
from manjha.simulator.venue import Venue
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.control_desk import ALPHA, BETA, RUPEE, SECOND, limits_of
from tests.fakes.control_shadow import Shadow
from tests.fakes.hand_made import Row, minutes, spec_of

COLLAR = 150
"""A hundred and fifty hundredths of a per cent."""
TIGHT = limits_of(
    collar_share=COLLAR,
    order_value_max=Cash(4_000 * RUPEE),
    open_value_max=Cash(9_000 * RUPEE),
    instrument_value_max=Cash(5_000 * RUPEE),
    gross_value_max=Cash(7_500 * RUPEE),
    net_value_max=Cash(6_000 * RUPEE),
    order_qty_max=Qty(35),
    duplicate_ns=2 * SECOND,
    entries_max=4,
    entries_window_ns=1_200 * SECOND,
    reject_cooldown_ns=900 * SECOND,
    modifications_max=3,
)
SLOW = msgspec.structs.replace(
    TIGHT, rate=RateLimits(per_second=3, account_per_second=4, per_minute=7, account_per_minute=9, reserve=25)
)
Watch = Callable[[Shadow, Approved[Any], int], None]


class Restless(Strategy):
    """Do anything at any bar."""

    product = Product.MIS
    instruments_max = 0
    seed: ClassVar[int] = 0

    def init(self, ctx: Context) -> None:
        """Begin."""
        self.rng = random.Random(self.seed)

    def on_bar(self, ctx: Context) -> None:
        """Ask for up to five things."""
        for _ in range(self.rng.randrange(6)):
            self.anything(self.rng.choice([*ctx.markets.values()]))

    def anything(self, market: Any) -> None:
        """Ask for one thing."""
        rng, px = self.rng, market.close[-1]
        resting = market.orders()
        kind = rng.randrange(10)
        if kind < 6:
            act = rng.choice([market.buy, market.sell])
            limit = rng.choice([0.0, 0.0, px * (1 + rng.uniform(-0.03, 0.03))])
            exits = rng.choice([{}, {}, {"stop": px * 0.98, "target": px * 1.02}, {"stop": px * 1.02}])
            act(rng.choice([1, 5, 10, 20, 30, 40]), **({"limit": limit} if limit else {}), **exits)
        elif kind < 8 and resting:
            one = rng.choice(resting)
            if one.limit:
                market.modify(one, limit=px * (1 + rng.uniform(-0.03, 0.03)))
        elif kind < 9 and resting:
            market.cancel(rng.choice(resting))
        elif market.position:
            market.close_position()


def walk(seed: int, count: int = 60) -> list[Row]:
    rng, px, rows = random.Random(seed), 100.0, []
    for _ in range(count):
        close = round(px * (1 + rng.gauss(0, 0.006)), 2)
        rows.append((px, max(px, close) + 0.3, min(px, close) - 0.3, close))
        px = close
    return rows


@contextmanager
def recorded(record: Callable[[EngineState, Any, list[Any]], None]) -> Iterator[None]:
    def recording(state: EngineState, event: Any) -> list[Any]:
        out = step(state, event)
        record(state, event, out)
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "step", recording)
        yield


def spiked(rows: list[Row], seed: int) -> list[Row]:
    """Return the rows with some closes a third too high or too low."""
    rng = random.Random(seed)
    for at in rng.sample(range(1, len(rows)), 6):
        opened, high, low, close = rows[at]
        wrong = round(close * rng.choice([0.67, 1.33]), 2)
        rows[at] = (opened, max(high, wrong), min(low, wrong), wrong)
    return rows


def run(
    seed: int, limits: ControlLimits, watch: Watch, kills: int = 0, spikes: bool = False
) -> tuple[Shadow, EngineState]:
    """Run a day; the exchange's bands are narrower than the controls know, so that it rejects some."""
    rows = [walk(seed), walk(seed + 1)]
    if spikes:
        rows = [spiked(one, seed) for one in rows]
    bars = [minutes(ALPHA, rows[0]), minutes(BETA, rows[1])]
    strategy = type("Restless", (Restless,), {"__doc__": "Restless.", "seed": seed})()
    spec = spec_of(strategy, *bars, controls=limits, fills=FillRules(participation_ppm=0))
    state, shadow = prepare(spec), Shadow(bars)
    models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=0, bands={ALPHA.id: 20_000_000})
    venue = Venue(state.timeline, spec.instruments, bars[0].interval, models)
    venue.books[ALPHA.id].band_low, venue.books[ALPHA.id].band_high = 985_000, 1_015_000
    driver = drive.Drive(state, venue, drive.Driven())
    plan_kills(driver, random.Random(seed), kills, bars[0])

    def record(state: EngineState, event: Any, out: list[Any]) -> None:
        if isinstance(event, MarketAdvanced):
            now = state.timeline.close_ns[state.reached - 1]
        else:
            now = event.fill.ts_ns if isinstance(event, OrderFilled) else event.ts_ns
        shadow.happened(event)
        for output in out:
            if isinstance(output, Approved):
                shadow.left(output, now)
                watch(shadow, output, now)

    with recorded(record):
        driver.run()
    return shadow, state


def plan_kills(driver: drive.Drive, rng: random.Random, count: int, bars: BarColumns) -> None:
    first, last = bars.ts_open_ns[0], bars.ts_close_ns[-1]
    for _ in range(count):
        level = rng.choice(list(KillLevel))
        scope = rng.choice([EVERYTHING, Scope(instrument=ALPHA.id), Scope(instrument=BETA.id)])
        at = TsNs(rng.choice([rng.randrange(first, last), bars.ts_close_ns[rng.randrange(len(bars))] + 1]))
        event = KillSwitched(level, scope, "a test", "me", at)
        driver._plan(at, partial(lambda one, _: driver._apply(one), event))


def opened(shadow: Shadow, command: Approved[Any]) -> Any:
    found = command.command
    return found.order if isinstance(found, SubmitOrder) and shadow.open[found.order.id].is_entry else None


SEEDS = st.integers(0, 100_000)


def inv_07(seed: int) -> None:
    """The worst case of entries stays within every limit."""

    def watch(shadow: Shadow, command: Approved[Any], now: int) -> None:
        order = opened(shadow, command)
        if order is not None:
            each, gross, net, entries = shadow.worst(now)
            assert each[order.instrument] <= TIGHT.instrument_value_max
            assert gross <= TIGHT.gross_value_max
            assert net <= TIGHT.net_value_max
            assert entries <= TIGHT.open_value_max

    run(seed, TIGHT, watch)


def inv_09(seed: int) -> None:
    """Every price of an entry is in the collar and on the tick, every quantity within the limit."""

    def watch(shadow: Shadow, command: Approved[Any], now: int) -> None:
        found, order = command.command, opened(shadow, command)
        if isinstance(found, ModifyOrder):
            seen = shadow.open[found.order_id]
            instrument = seen.order.instrument
            if not seen.is_entry or shadow.held[instrument, seen.order.product] * seen.order.side < 0:
                return
        elif order is not None:
            found, instrument = order, order.instrument
            assert order.qty <= TIGHT.order_qty_max
        else:
            return
        mark = shadow.mark(instrument, now)
        for px in (found.limit, found.trigger):
            assert px % 500 == 0
            assert not px or abs(px - mark) * 10_000 <= COLLAR * mark

    run(seed, TIGHT, watch)


def inv_10(seed: int) -> None:
    """Nothing leaves that the kill level forbids."""

    def watch(shadow: Shadow, command: Approved[Any], now: int) -> None:
        del now
        found = command.command
        if not isinstance(found, SubmitOrder) or found.order.purpose is Purpose.SQUARE_OFF:
            return
        level = shadow.level(found.order)
        assert level < KillLevel.CANCEL_ALL
        assert level < KillLevel.NO_NEW or found.order.purpose is not Purpose.SIGNAL
        assert not level or not shadow.open[found.order.id].is_entry

    # What waits is looked at again when it is released: only without a rate is the gate alone.
    run(seed, limits_of(rate=SLOW.rate if seed % 2 else None), watch, kills=8)


def inv_11(seed: int) -> None:
    """No window holds more than its limit."""
    shadow, _ = run(seed, limits_of(rate=SLOW.rate), lambda *_: None)
    moments = np.array([ts for ts, _ in shadow.sent])
    for limit, length in ((3, SECOND), (7, 60 * SECOND)):
        starts = np.searchsorted(moments, moments - length, side="left")
        assert (np.arange(len(moments)) - starts + 1 <= limit).all()


def inv_12(seed: int) -> None:
    """Entries of a window are bounded, and end for the day after one too many was asked for."""
    shadow, state = run(seed, TIGHT, lambda *_: None)
    for instrument in (ALPHA.id, BETA.id):
        moments = [ts for ts, order in shadow.entries if order.instrument == instrument]
        for at, moment in enumerate(moments):
            assert sum(moment - TIGHT.entries_window_ns < one for one in moments[: at + 1]) <= TIGHT.entries_max
    tripped = [refused.ts_ns for refused in state.record_refusals if refused.reason.name == "REPEATED"]
    if tripped:
        assert all(ts <= tripped[0] for ts, _ in shadow.entries)


def inv_13(seed: int) -> None:
    """Nothing like what was rejected is sent within the cool-down."""
    shadow, _ = run(seed, msgspec.structs.replace(TIGHT, entries_max=0), lambda *_: None)
    for at, rejected in shadow.rejections:
        for ts, order in shadow.entries:
            if (order.instrument, order.side) == (rejected.instrument, rejected.side):
                assert not at < ts < at + TIGHT.reject_cooldown_ns


def inv_14(seed: int) -> None:
    """Own orders never cross."""

    def watch(shadow: Shadow, command: Approved[Any], now: int) -> None:
        order = opened(shadow, command)
        if order is not None:
            away = {str(name): shadow.mark(name, now) * COLLAR // 10_000 for name in (ALPHA.id, BETA.id)}
            pairs = shadow.crossing(away, now)
            assert not [pair for pair in pairs if order.id in pair]

    run(seed, TIGHT, watch)


def last_is_good(closes: list[int]) -> bool:
    """Tell whether the newest close is within a fifth of the last one that was."""
    good, is_good = closes[0], True
    for close in closes[1:]:
        is_good = abs(close - good) * 5 <= good
        good = close if is_good else good
    return is_good


def inv_27(seed: int) -> None:
    """No entry is decided on a price that is not good."""

    def watch(shadow: Shadow, command: Approved[Any], now: int) -> None:
        order = opened(shadow, command)
        if order is not None:
            stamps, closes = shadow.closes[order.instrument]
            assert last_is_good(closes[: bisect_right(stamps, now)])

    run(seed, limits_of(price_jump_max=2_000), watch, spikes=True)


LAWS = {law.__name__: law for law in (inv_07, inv_09, inv_10, inv_11, inv_12, inv_13, inv_14, inv_27)}
NOTICED_BY = {
    "open_value": inv_07, "instrument_value": inv_07, "gross_value": inv_07, "net_value": inv_07,
    "collar": inv_09, "order_qty": inv_09, "kill": inv_10, "repeated": inv_12, "paused": inv_12, "cool_down": inv_13,
    "self_trade": inv_14, "price_age": inv_27,
}  # fmt: skip
"""Which law an observer sees broken when a control is taken out."""
SEEDS_TO_NOTICE = 40


@pytest.mark.parametrize("law", list(LAWS))
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_no_law_is_broken(law: str, seed: int) -> None:
    LAWS[law](seed)


def is_broken(law: Callable[[int], None], seed: int) -> bool:
    try:
        law(seed)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("name", list(NOTICED_BY))
def test_an_observer_notices_that_a_control_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHECKS, name, lambda _: None)
    assert any(is_broken(NOTICED_BY[name], seed) for seed in range(SEEDS_TO_NOTICE))


def test_an_observer_notices_that_the_governor_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Governor, "free_ns", lambda *_: 0)
    assert any(is_broken(inv_11, seed) for seed in range(SEEDS_TO_NOTICE))


def test_the_random_runs_ask_for_something() -> None:
    runs = [run(seed, TIGHT, lambda *_: None)[0] for seed in range(10)]
    assert all(shadow.entries for shadow in runs)
    assert sum(len(shadow.rejections) for shadow in runs) >= 5


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_the_same_run_again_ends_in_the_same_state(seed: int) -> None:
    first = digest(run(seed, SLOW, lambda *_: None, kills=4)[1])
    assert digest(run(seed, SLOW, lambda *_: None, kills=4)[1]) == first
