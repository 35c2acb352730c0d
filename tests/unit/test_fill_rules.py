"""The rule book, rule by rule: candles and a script in, fills out. Names are those of the table in the document."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.errors import DataError
from manjha.domain.instrument import Kind
from manjha.domain.moments import day_of, format_ts, parse_day
from manjha.domain.money import RUPEE, Px
from manjha.domain.orders import Phase, Product, Purpose, Validity
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules, LimitFill, MarketFill
from manjha.simulator.fills import Path as Inside
from manjha.simulator.slippage import BasisPoints, FixedTicks, VolumeShare
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "fill-rules.md"
ALPHA = share_named()
KEPT = FillRules(orders_end_with_day=False)
Script = Mapping[int, Callable[[Context], None]]


class Scripted(Strategy):
    """Do what the script says at the close of a bar."""

    script: ClassVar[Script] = {}

    def on_bar(self, ctx: Context) -> None:
        """Play the script."""
        if ctx.position_index in self.script:
            self.script[ctx.position_index](ctx)


class ScriptedIntraday(Scripted):
    """The same, intraday."""

    product: ClassVar[Product] = Product.MIS


def play(rows: list[Row], script: Script, *, intraday: bool = False, **changes: Any) -> BacktestResult:
    base = ScriptedIntraday if intraday else Scripted
    strategy = type("Played", (base,), {"__doc__": "Played.", "script": script})()
    volume = changes.pop("volume", 10**6)
    bars = minutes(ALPHA, rows, volume=volume) if intraday else days(ALPHA, rows, volume=volume)
    return run_backtest(spec_of(strategy, bars, contract_notes=False, **changes))


def trades(result: BacktestResult) -> list[tuple[str, int, float]]:
    return [(fill.side.name, fill.qty, fill.px / 10_000) for fill in result.fills]


def buy(qty: int = 10, **terms: Any) -> Callable[[Context], None]:
    return lambda ctx: ctx.buy(qty, **terms)


def sell(qty: int = 10, **terms: Any) -> Callable[[Context], None]:
    return lambda ctx: ctx.sell(qty, **terms)


def test_market_at_next_open() -> None:
    assert trades(play([flat(100), (103, 104, 101, 102)], {0: buy()})) == [("BUY", 10, 103.0)]


def test_market_at_deciding_close() -> None:
    fills = FillRules(market=MarketFill.DECIDING_CLOSE)
    assert trades(play([flat(100), (103, 104, 101, 102)], {0: buy()}, fills=fills)) == [("BUY", 10, 100.0)]


def test_market_inside_a_bar() -> None:
    rows = [flat(100), (101, 103, 99, 102), flat(102)]
    result = play(rows * 5, {0: buy()}, intraday=True, latency_ns=1_000_000)
    assert trades(result)[0] == ("BUY", 10, 102.0)


def test_gap_through_stop() -> None:
    rows = [flat(100), flat(100), (90, 91, 89, 90)]
    assert trades(play(rows, {0: buy(stop=95)})) == [("BUY", 10, 100.0), ("SELL", 10, 90.0)]


def test_limit_better_at_open() -> None:
    assert trades(play([flat(100), (97, 99, 96, 98)], {0: buy(limit=99)})) == [("BUY", 10, 97.0)]


@pytest.mark.parametrize(("low", "filled"), [(98.95, True), (99.0, True), (99.05, False)])
def test_limit_touched(low: float, filled: bool) -> None:
    result = play([flat(100), (100, 101, low, 100)], {0: buy(limit=99)})
    assert trades(result) == ([("BUY", 10, 99.0)] if filled else [])


@pytest.mark.parametrize(("low", "filled"), [(98.95, True), (99.0, False)])
def test_limit_penetrated(low: float, filled: bool) -> None:
    fills = FillRules(limit=LimitFill.PENETRATION)
    result = play([flat(100), (100, 101, low, 100)], {0: buy(limit=99)}, fills=fills)
    assert trades(result) == ([("BUY", 10, 99.0)] if filled else [])


def test_stop_in_range() -> None:
    rows = [flat(100), flat(100), (100, 101, 94, 95)]
    assert trades(play(rows, {0: buy(stop=96)})) == [("BUY", 10, 100.0), ("SELL", 10, 96.0)]


def test_stop_limit() -> None:
    rows = [flat(100), (100, 104, 100, 103), (103, 103, 101, 102)]
    assert trades(play(rows, {0: buy(trigger=102, limit=102)})) == [("BUY", 10, 102.0)]
    gapped = [flat(100), (104, 105, 103.5, 104), (104, 104, 101, 102)]
    assert trades(play(gapped, {0: buy(trigger=102, limit=102.5)}, fills=KEPT)) == [("BUY", 10, 102.5)]


BOTH = [flat(100), flat(100), (100, 106, 94, 100)]


def test_stop_before_target() -> None:
    assert trades(play(BOTH, {0: buy(stop=95, target=105)}))[-1] == ("SELL", 10, 95.0)


def test_target_before_stop() -> None:
    result = play(BOTH, {0: buy(stop=95, target=105)}, fills=FillRules(path=Inside.BEST))
    assert trades(result)[-1] == ("SELL", 10, 105.0)


def test_no_target_in_entry_bar() -> None:
    rows = [flat(100), (100, 106, 98, 100), flat(100)]
    script = {0: buy(limit=99, target=105, stop=90)}
    assert trades(play(rows, script)) == [("BUY", 10, 99.0)]
    assert len(trades(play(rows, script, fills=FillRules(path=Inside.BEST)))) == 2
    assert trades(play(rows, {0: buy(target=105)}))[-1] == ("SELL", 10, 105.0)


def test_stop_in_entry_bar() -> None:
    rows = [flat(100), (100, 101, 94, 100)]
    assert trades(play(rows, {0: buy(limit=99, stop=95)})) == [("BUY", 10, 99.0), ("SELL", 10, 95.0)]


def test_stop_after_an_entry_inside_the_bar() -> None:
    rows = [flat(100), (100, 106, 99, 105.5), flat(105)]
    assert trades(play(rows, {0: buy(trigger=105, stop=104)})) == [("BUY", 10, 105.0), ("SELL", 10, 104.0)]
    assert trades(play([flat(100), (94, 95, 93, 94)], {0: buy(limit=99, stop=95)})) == [
        ("BUY", 10, 94.0),
        ("SELL", 10, 94.0),
    ]


def test_nothing_after_an_entry_at_the_close() -> None:
    rows = [flat(100), (100, 101, 94, 100), flat(100), (100, 101, 94, 95), *[flat(95)] * 3]
    result = play(rows, {0: buy(stop=95)}, intraday=True, latency_ns=1_000_000)
    assert trades(result)[:2] == [("BUY", 10, 100.0), ("SELL", 10, 95.0)]
    assert result.fills[1].ts_ns - result.fills[0].ts_ns == 2 * 300 * 10**9


def test_one_cancels_other() -> None:
    rows = [flat(100), flat(100), (100, 106, 99, 105), (105, 105, 90, 91)]
    result = play(rows, {0: buy(stop=95, target=105)})
    assert trades(result)[1:] == [("SELL", 10, 105.0)]
    assert [r.phase for r in result.orders[-2:]] == [Phase.CANCELLED, Phase.FILLED]


def test_participation() -> None:
    fills = FillRules(participation_ppm=100_000, orders_end_with_day=False)
    result = play([flat(100)] * 4, {0: buy(25)}, fills=fills, volume=100)
    assert trades(result) == [("BUY", 10, 100.0), ("BUY", 10, 100.0), ("BUY", 5, 100.0)]


def test_liquidity_consumed_once() -> None:
    def both(ctx: Context) -> None:
        ctx.buy(8)
        ctx.buy(8)

    fills = FillRules(participation_ppm=100_000)
    assert trades(play([flat(100)] * 2, {0: both}, fills=fills, volume=100)) == [("BUY", 8, 100.0), ("BUY", 2, 100.0)]


def test_no_volume_no_fill() -> None:
    result = play([flat(100), flat(100), flat(101)], {0: buy()}, volume=[9, 0, 50], fills=KEPT)
    assert trades(result) == [("BUY", 10, 101.0)]
    assert any(warning.startswith("1 orders met bars without volume") for warning in result.warnings)
    off = FillRules(participation_ppm=0)
    assert trades(play([flat(100)] * 2, {0: buy()}, volume=0, fills=off)) == [("BUY", 10, 100.0)]


def test_no_volume_at_all() -> None:
    with pytest.raises(DataError, match="NSE:ALPHA is without volume") as caught:
        play([flat(100)] * 2, {0: buy()}, volume=0)
    assert "--participation any" in caught.value.hint
    both = type("Both", (Scripted,), {"__doc__": "Both.", "instruments_max": 2})()
    beside = spec_of(both, days(share_named("BETA"), [flat(100)] * 2), days(ALPHA, [flat(100)] * 2, volume=0))
    assert run_backtest(beside).warnings == ("nothing can fill in NSE:ALPHA: no bar there has volume",)
    index = msgspec.structs.replace(ALPHA, kind=Kind.INDEX)
    spec = spec_of(Scripted(), days(ALPHA, [flat(100)] * 2, volume=0))
    assert not run_backtest(msgspec.structs.replace(spec, instruments=(index,))).warnings


def test_immediate_or_cancel() -> None:
    rows = [flat(100), (100, 101, 99.5, 100), (100, 100, 90, 95)]
    result = play(rows, {0: buy(limit=99, validity=Validity.IOC)})
    assert trades(result) == []
    assert result.orders[0].reason == "not traded at once (IOC)"


BAND = {ALPHA.id: 100_000_000}


def test_outside_the_band() -> None:
    result = play([flat(100), flat(100)] + [flat(100)] * 2, {1: buy(limit=80)}, bands=BAND)
    assert result.orders[0].phase is Phase.REJECTED
    assert "circuit limits 90.00 to 110.00" in result.orders[0].reason


def test_locked_circuit() -> None:
    rows = [flat(100), (110, 110, 110, 110), (110, 112, 108, 110)]
    assert trades(play(rows, {0: buy()}, bands=BAND)) == []
    assert trades(play([flat(100), *rows], {0: buy(), 1: sell()}, bands=BAND))[-1] == ("SELL", 10, 110.0)


CAS = msgspec.structs.replace(ALPHA, has_derivatives=True)
AUGUST = parse_day("2026-08-03")


def close_by_auction(
    last: Row | None, script: Script, *, rows: Sequence[Row] = (flat(100),) * 24, volume: int = 10**6, **changes: Any
) -> BacktestResult:
    """Play quarter hours of a share that closes by auction: 24 to 15:15, the auction's bar, a quiet next morning."""
    day = [*rows, *([last] if last else [])]
    bars = minutes(CAS, [*day, flat(99), flat(99)], day=AUGUST, length=900, volume=volume, auction=last is not None)
    strategy = type("Played", (Scripted,), {"__doc__": "Played.", "script": script})()
    spec = spec_of(strategy, bars, contract_notes=False, **changes)
    return run_backtest(msgspec.structs.replace(spec, instruments=(CAS,)))


def clock(result: BacktestResult, at: int) -> str:
    return format_ts(result.fills[at].ts_ns)[5:16]


PRINT = (97, 97, 97, 97)


def test_closing_auction() -> None:
    script = {20: buy(limit=98), 21: buy(4, limit=96), 22: buy(3, limit=97)}
    result = close_by_auction(PRINT, script)
    assert trades(result) == [("BUY", 10, 97.0), ("BUY", 3, 97.0)]
    assert clock(result, 0) == clock(result, 1) == "08-03T15:35"
    assert result.orders[1].reason == "the day ended"
    thin = FillRules(participation_ppm=100_000)
    parts = trades(close_by_auction(PRINT, {21: buy(40)}, volume=100, fills=thin))
    assert parts == [("BUY", 10, 100.0), ("BUY", 10, 100.0), ("BUY", 10, 97.0)]
    assert trades(close_by_auction(PRINT, {20: buy(), 21: sell(limit=101)}))[1:] == []


def test_no_trading_around_the_auction() -> None:
    crash = (97, 99, 90, 97)
    script = {5: buy(10, stop=95), 20: buy(5, limit=91)}
    assert trades(close_by_auction(crash, script)) == [("BUY", 10, 100.0)]
    assert trades(close_by_auction(crash, {5: buy(10, target=98.5)}))[1:] == []


def test_no_auction_bar_no_auction_trade() -> None:
    result = close_by_auction(None, {20: buy(limit=98)})
    assert trades(result) == []
    assert result.orders[0].reason == "the day ended"


def test_order_after_continuous_trading_waits() -> None:
    result = close_by_auction(PRINT, {23: buy(10), 24: buy(5)})
    assert trades(result) == [("BUY", 10, 99.0), ("BUY", 5, 99.0)]
    assert clock(result, 0) == "08-04T09:15"


def test_auction_on_daily_bars() -> None:
    def daily(script: Script, base: type[Scripted]) -> BacktestResult:
        strategy = type("Played", (base,), {"__doc__": "Played.", "script": script})()
        bars = days(CAS, [flat(100), (100, 101, 94, 97), flat(97)], first=AUGUST)
        spec = spec_of(strategy, bars, contract_notes=False)
        return run_backtest(msgspec.structs.replace(spec, instruments=(CAS,)))

    result = daily({0: buy(limit=96)}, Scripted)
    assert trades(result) == [("BUY", 10, 96.0)]
    assert clock(result, 0) == "08-04T15:35"
    assert trades(daily({0: buy(stop=95)}, Scripted)) == [("BUY", 10, 100.0), ("SELL", 10, 95.0)]
    assert trades(daily({0: buy()}, ScriptedIntraday)) == [("BUY", 10, 100.0), ("SELL", 10, 97.0)]


def test_day_order_ends() -> None:
    result = play([flat(100), flat(100), (100, 100, 90, 95)], {0: buy(limit=95)})
    assert trades(result) == []
    assert (result.orders[0].phase, result.orders[0].reason) == (Phase.CANCELLED, "the day ended")


def test_order_after_the_close_waits() -> None:
    rows = [flat(100)] * 74 + [flat(100), flat(105)] + [flat(105)] * 3
    strategy = type("Carried", (Scripted,), {"__doc__": "Carried.", "script": {74: buy()}})()
    result = run_backtest(spec_of(strategy, minutes(ALPHA, rows)))
    assert trades(result) == [("BUY", 10, 105.0)]


OVER_ACTIONS = [
    (ActionKind.SPLIT, 2, 0, 20, 49), (ActionKind.DIVIDEND, 1, 5, 10, 98), (ActionKind.DEMERGER, 1, 50, 10, 49)
]  # fmt: skip


@pytest.mark.parametrize(("kind", "new", "cash", "qty", "limit"), OVER_ACTIONS)
def test_order_over_a_corporate_action(kind: ActionKind, new: int, cash: int, qty: int, limit: float) -> None:
    px = 100.0 if kind is ActionKind.DIVIDEND else 50.0
    rows = [flat(100), flat(100), flat(px), (px, px, px * 0.97, px), flat(px)]
    actions = (CorporateAction(ALPHA.id, day_of(days(ALPHA, rows).ts_open_ns[2]), kind, new, 1, Px(cash * RUPEE)),)
    assert trades(play(rows, {1: buy()}, actions=actions)) == [("BUY", qty, px)]
    assert trades(play(rows, {0: buy(), 1: sell()}, actions=actions)) == [("BUY", 10, 100.0), ("SELL", qty, px)]
    rested = play(rows, {1: buy(limit=98, stop=90)}, actions=actions, fills=KEPT)
    assert trades(rested) == [("BUY", qty, limit)]
    assert rested.orders[-1].order.trigger == (90 if kind is ActionKind.DIVIDEND else 45) * RUPEE


def test_protection_put_back() -> None:
    rows = [flat(100), flat(100), flat(100), flat(100), (100, 100, 94, 95)]
    result = play(rows, {0: buy(stop=96)})
    assert trades(result)[-1] == ("SELL", 10, 96.0)
    assert [r.order.purpose for r in result.orders].count(Purpose.STOP) == 4


@pytest.mark.parametrize(
    ("model", "px"), [(FixedTicks(2), 100.10), (BasisPoints(10), 100.10), (VolumeShare(100), 100.05)]
)
def test_slippage_on_market_and_stop(model: Any, px: float) -> None:
    result = play([flat(100), flat(100), (100, 100, 94, 95)], {0: buy(stop=96)}, slippage=model)
    assert trades(result)[0] == ("BUY", 10, px)
    assert trades(result)[1][2] < 96.0
    assert trades(play([flat(100), (100, 100, 98, 99)], {0: buy(limit=99)}, slippage=model)) == [("BUY", 10, 99.0)]


def test_latency() -> None:
    rows = [flat(100), (90, 101, 89, 100), flat(100)]
    assert trades(play(rows, {0: buy(limit=95)}, latency_ns=0, fills=KEPT)) == [("BUY", 10, 90.0)]
    late = play(rows * 4, {0: buy(limit=95)}, intraday=True, latency_ns=1_000_000)
    assert trades(late)[0] == ("BUY", 10, 90.0)
    assert late.fills[0].ts_ns > play(rows * 4, {0: buy(limit=95)}, intraday=True).fills[0].ts_ns


def test_square_off() -> None:
    result = play([flat(100)] * 75, {0: buy()}, intraday=True)
    assert [record.order.purpose for record in result.orders] == [Purpose.SIGNAL, Purpose.SQUARE_OFF]
    refused = play([flat(100)] * 75, {73: buy()}, intraday=True)
    assert [refusal.reason.name for refusal in refused.refusals] == ["AFTER_SQUARE_OFF"]


LOCKED_LOW = (90, 90, 90, 90)


def test_square_off_tried_again() -> None:
    day_one = [flat(100)] * 74 + [flat(100)]
    day_two = [flat(100)] * 60 + [LOCKED_LOW] * 15
    result = play([*day_one, *day_two, *[flat(88)] * 5], {80: buy(stop=80)}, intraday=True, bands=BAND)
    assert trades(result) == [("BUY", 10, 100.0), ("SELL", 10, 88.0)]
    purposes = [record.order.purpose for record in result.orders]
    assert purposes == [Purpose.SIGNAL, Purpose.STOP, Purpose.SQUARE_OFF, Purpose.SQUARE_OFF]
    assert any("could not be squared off" in warning for warning in result.warnings)


def close_of(row: int) -> int:
    return days(ALPHA, [flat(100)] * (row + 1)).ts_close_ns[row]


def test_time_exit_of_its_own_entry() -> None:
    script = {0: buy(10, stop=95, exit_ns=close_of(2)), 1: buy(4, stop=96)}
    result = play([flat(100)] * 4 + [(100, 100, 94, 95)], script)
    assert trades(result) == [("BUY", 10, 100.0), ("BUY", 4, 100.0), ("SELL", 10, 100.0), ("SELL", 4, 96.0)]


def test_time_exit_tried_again() -> None:
    rows = [flat(100), flat(100), flat(100), LOCKED_LOW, (81, 81, 81, 81), (85, 86, 84, 85), flat(85)]
    result = play(rows, {0: buy(10, stop=50, exit_ns=close_of(2))}, bands=BAND)
    assert trades(result) == [("BUY", 10, 100.0), ("SELL", 10, 85.0)]
    exits = [record for record in result.orders if record.order.purpose is Purpose.TIME_EXIT]
    assert [record.reason for record in exits] == ["the day ended", "the day ended", ""]
    assert result.orders[-1].order.purpose is Purpose.TIME_EXIT


def test_partial_sale_shrinks_protection() -> None:
    rows = [flat(100), flat(100), flat(100), (100, 100, 94, 95), flat(95)]
    result = play(rows, {0: buy(10, stop=96), 1: sell(4)})
    assert trades(result) == [("BUY", 10, 100.0), ("SELL", 4, 100.0), ("SELL", 6, 96.0)]


def test_trailing_stop() -> None:
    rows = [flat(100), flat(100), flat(106), flat(104), (104, 104, 99, 100), flat(100)]
    result = play(rows, {0: buy(trail=5)})
    assert trades(result) == [("BUY", 10, 100.0), ("SELL", 10, 101.0)]


def test_every_rule_has_a_test_of_its_name() -> None:
    rules = re.findall(r"^\| ([a-z][^|]+?) \|", DOCUMENT.read_text("utf-8").split("## Over ticks")[0], re.MULTILINE)
    named = {f"test_{rule.replace(' ', '_').replace('-', '_')}" for rule in rules if rule != "rule"}
    written = {name for name in globals() if name.startswith("test_")} - {"test_every_rule_has_a_test_of_its_name"}
    assert named == written
