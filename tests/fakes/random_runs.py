"""Random markets, strategies of columns and terms of a run, drawn from one seeded generator each."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import BarColumns
from manjha.domain.instrument import Asset, Instrument
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TradingDay, TsNs, parse_day
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO, CapitalFraction, FixedQty, RiskPerTrade, TargetUnit, VolatilityTarget
from manjha.research.backtest import BacktestSpec
from manjha.risk.limits import RiskLimits
from manjha.simulator.fills import FillRules, LimitFill, MarketFill, Path
from manjha.simulator.slippage import BasisPoints, FixedTicks, NoSlippage, VolumeShare
from manjha.strategy.context import Context
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Entries, Floats, History, Strategy
from tests.fakes.hand_made import Row, days, minutes, share_named, spec_of
from tests.fakes.market_rules import future, index, share

Generator = np.random.Generator
NAMES = ("ALPHA", "BETA", "GAMMA")
FIRST_DAYS = ("2020-08-17", "2021-03-01", "2024-01-01")
"""Before and in the months in which a fifth of proceeds was held back, and after; margins in two phases."""
EXPIRIES = (
    ("2022-10-24", ("2022-10-27", "2022-11-24", "2022-12-29")),
    ("2024-01-24", ("2024-01-25", "2024-01-31", "2024-02-29")),
    ("2024-11-18", ("2024-11-21", "2024-11-28", "2024-12-26")),
)
"""First days and expiries soon after: before and since limit price protection."""
AUCTION_DAY = "2026-08-03"
"""The first day on which shares with derivatives close by auction."""
QUARTER = 900
COLUMNS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")


class Stated(Strategy):
    """States the targets that it was given, or asks a function once."""

    name: ClassVar[str] = "stated"
    instruments_max: ClassVar[int] = 0

    def __init__(self, wanted: Floats | Callable[[History], Floats], unit: TargetUnit, product: Product) -> None:
        super().__init__()
        self.wanted = wanted
        vars(self).update(unit=unit, product=product)

    def targets(self, history: History) -> Floats:
        return self.wanted(history) if callable(self.wanted) else self.wanted[: len(history.ts_ns)]


class StatedEntries(Strategy):
    """States the entries that a function gives; asked once, so that both engines hear the same."""

    name: ClassVar[str] = "stated-entries"
    instruments_max: ClassVar[int] = 0

    def __init__(self, make: Callable[[History], Entries], product: Product) -> None:
        super().__init__()
        self.make = make
        self.made: Entries | None = None
        vars(self).update(product=product)

    def entries(self, history: History) -> Entries:
        if self.made is None:
            self.made = self.make(history)
        return _first_rows(self.made, len(history.ts_ns))


def _first_rows(made: Entries, count: int) -> Entries:
    """Return what is stated on the first bars: a timeline that grows asks again and again."""
    given: dict[str, Any] = {name: getattr(made, name) for name in Entries.__struct_fields__}
    kept: dict[str, Any] = {
        name: value if value is None else np.asarray(value)[:count] for name, value in given.items()
    }
    return Entries(**kept)


def random_run(seed: int) -> BacktestSpec:
    """Return a run in which everything that the kernel covers is drawn by chance."""
    rng = np.random.default_rng(seed)
    product = pick(rng, [Product.CNC, Product.MIS])
    bars = random_bars(rng)
    moments = len(np.unique(np.concatenate([np.asarray(columns.ts_close_ns) for columns in bars])))
    share = pick(rng, [0.05, 0.2, 0.6])
    if rng.random() < 0.45:
        strategy: Strategy = random_targets(rng, (moments, len(bars)), share, product)
    else:
        strategy = StatedEntries(_entries(rng, share, product), product)
    return more_terms(rng, spec_of(strategy, *bars, **random_terms(rng)))


def random_contracts(seed: int) -> BacktestSpec:
    """Return a run over futures of two expiries and more, beside their index or share or without it."""
    rng = np.random.default_rng(seed)
    product, count = pick(rng, [*[Product.NRML] * 5, *[Product.MIS] * 2, Product.CNC]), pick(rng, [60, 150, 260])
    start, expiries = pick(rng, EXPIRIES)
    daily = rng.random() < 0.2
    first = TradingDay(parse_day(start) - (30 if daily else 0))
    instruments, bars = [], []
    for instrument in _contracts(rng, expiries):
        rows = random_rows(rng, count, pick(rng, [40.0, 40.0, 900.0, 9_990.0, 22_000.0]))
        volume = pick(rng, [10**6, 500, rng.choice([0, 100, 1000], count).tolist()])
        made = (
            days(instrument, rows, first=first, volume=volume)
            if daily
            else minutes(instrument, rows, day=first, length=QUARTER, volume=volume)
        )
        made = _thinned(rng, made) if rng.random() < 0.3 else made
        bars.append(_until(made, instrument.expiry) if instrument.expiry is not None else made)
        instruments.append(instrument)
    moments = len(np.unique(np.concatenate([np.asarray(columns.ts_close_ns) for columns in bars])))
    often, lots = pick(rng, [0.05, 0.2, 0.6]), np.array([one.lot for one in instruments])
    strategy: Strategy
    if rng.random() < 0.5:
        strategy = random_targets(rng, (moments, len(bars)), often, product)
    else:
        strategy = StatedEntries(_entries(rng, often, product, lots), product)
    terms = random_terms(rng) | {
        "initial": Cash(pick(rng, [200_000, 3_000_000, 50_000_000]) * RUPEE),
        "sizing": pick(
            rng,
            [
                *(FixedQty(Qty(300)), CapitalFraction(NANO), CapitalFraction(4 * NANO), RiskPerTrade(NANO)),
                random_volatility(rng),
            ],
        ),
        "limits": RiskLimits() if rng.random() < 0.7 else RiskLimits(day_loss_max=Cash(20_000 * RUPEE), slices_max=3),
    }
    spec = spec_of(strategy, *bars, **terms)
    return more_terms(rng, msgspec.structs.replace(spec, instruments=tuple(instruments)))


def _contracts(rng: Generator, expiries: tuple[str, ...]) -> list[Instrument]:
    """Return futures on an index and on a share, with what they are on or without it."""
    found = [index()] if rng.random() < 0.5 else []
    found += [future(expiry=day, lot=pick(rng, [50, 75])) for day in expiries[: pick(rng, [1, 2, 3])]]
    if rng.random() < 0.5:
        found += [share()] if rng.random() < 0.6 else []
        found += [future("SBIN", day, asset=Asset.EQUITY, lot=150) for day in expiries[: pick(rng, [1, 2])]]
    return found


def more_terms(rng: Generator, spec: BacktestSpec) -> BacktestSpec:
    """Return a run with some of what is not in every run: freeze quantities, trading held back to a moment."""
    instruments = [
        msgspec.structs.replace(one, freeze=Qty(one.lot * pick(rng, [1, 3, 7]) + pick(rng, [0, one.lot // 2])))
        if rng.random() < 0.25
        else one
        for one in spec.instruments
    ]
    if spec.bars[0].ts_open_ns[0] > parse_day(AUCTION_DAY) * DAY_NS - IST_OFFSET_NS and rng.random() < 0.8:
        instruments = [msgspec.structs.replace(one, has_derivatives=True) for one in instruments]
    spec = msgspec.structs.replace(spec, instruments=tuple(instruments))
    if rng.random() < 0.25:
        bands = {one.id: pick(rng, [20_000_000, 50_000_000, 100_000_000]) for one in instruments if rng.random() < 0.8}
        spec = msgspec.structs.replace(spec, bands=bands, bars=tuple(_locked(rng, one) for one in spec.bars))
    if rng.random() < 0.3:
        spec = msgspec.structs.replace(spec, actions=tuple(_actions(rng, spec)))
    if rng.random() < 0.2:
        opens = spec.bars[0].ts_open_ns
        from_ns = TsNs(int(opens[len(opens) // 2]) + pick(rng, [0, 1, -1]))
        spec = msgspec.structs.replace(spec, trade_from_ns=from_ns)
    if rng.random() < 0.25:
        choose(spec.strategy, int(rng.integers(2**32)))
    return spec


def choose(strategy: Strategy, seed: int) -> None:
    """Let a strategy choose its universe anew each day: by chance, and by where an indicator of its own stands then."""

    def init(self: Any, ctx: Context) -> None:
        self.average = ctx.indicator(sma, "close", length=3)

    def universe(self: Any, day: TradingDay, listed: Sequence[Instrument]) -> list[Instrument]:
        stands = self.average[-1]
        known = 0 if np.isnan(stands) else round(stands * 20)
        return [one for one in listed if np.random.default_rng([seed, day, known, sum(one.id.encode())]).random() < 0.6]

    found = type(strategy)
    strategy.__class__ = type(found.__name__, (found,), {"__doc__": found.__doc__, "init": init, "universe": universe})


def random_bars(rng: Generator) -> list[BarColumns]:
    """Return one to three instruments of a few days, sometimes with bars missing."""
    many, count = pick(rng, [1, 1, 1, 2, 3]), pick(rng, [40, 120, 260])
    daily = rng.random() < 0.3
    first = parse_day(pick(rng, FIRST_DAYS if daily and count > 40 else (*FIRST_DAYS, AUCTION_DAY)))
    fno = first == parse_day(AUCTION_DAY)
    bars = []
    for name in NAMES[:many]:
        volume = pick(rng, [10**6, 50, rng.choice([0, 10, 100, 1000], count).tolist()])
        rows = random_rows(rng, count, pick(rng, [20.0, 100.0, 900.0]))
        make = (
            days(_share(name, fno=fno), rows, first=first, volume=volume)
            if daily
            else minutes(_share(name, fno=fno), rows, day=first, length=QUARTER, volume=volume, auction=fno)
        )
        bars.append(make)
    return [_thinned(rng, columns) for columns in bars] if many > 1 and rng.random() < 0.5 else bars


def _share(name: str, *, fno: bool) -> Instrument:
    return msgspec.structs.replace(share_named(name), has_derivatives=fno)


def random_rows(rng: Generator, count: int, px: float) -> list[Row]:
    """Return bars of a walk with gaps, mostly on a grid of 0.05, sometimes off it."""
    rows, close, fine = [], px, pick(rng, [0, 0, 0.01])
    for _ in range(count):
        opened = max(close + pick(rng, [0, 0, 0.05, -0.05, 0.5, -0.5, 2, -2]), 1.0)
        close = max(opened + round(rng.normal() * 20) / 20, 1.0)
        high = max(opened, close) + abs(round(rng.normal() * 10) / 20)
        low = max(min(opened, close) - abs(round(rng.normal() * 10) / 20), 0.5)
        off = fine * int(rng.integers(5))
        rows.append((round(opened + off, 2), round(high + off, 2), round(low + off, 2), round(close + off, 2)))
    return rows


def random_terms(rng: Generator) -> dict[str, Any]:
    """Return sizing, capital, fill rules, slippage, latency, limits and the like."""
    sizings = [FixedQty(Qty(10)), FixedQty(Qty(333)), CapitalFraction(NANO * 95 // 100), CapitalFraction(3 * NANO)]
    limits = [
        *[RiskLimits()] * 3,
        RiskLimits(open_orders_max=1),
        RiskLimits(order_value_max=Cash(5_000 * RUPEE)),
        RiskLimits(day_loss_max=Cash(100 * RUPEE), position_value_max=Cash(50_000 * RUPEE)),
    ]
    fills = FillRules(
        market=pick(rng, list(MarketFill)),
        limit=pick(rng, list(LimitFill)),
        path=pick(rng, list(Path)),
        participation_ppm=pick(rng, [0, 100_000, 10**6]),
        orders_end_with_day=bool(rng.random() < 0.6),
    )
    return {
        "sizing": pick(rng, [*sizings, RiskPerTrade(NANO // 100), random_volatility(rng)]),
        "initial": Cash(pick(rng, [20_000, 1_000_000]) * RUPEE),
        "fills": fills,
        "slippage": pick(rng, [NoSlippage(), FixedTicks(2), BasisPoints(5), VolumeShare(100)]),
        "latency_ns": pick(rng, [0, 0, 10**9, 10**12]),
        "contract_notes": bool(rng.random() < 0.7),
        "sessions_from_data": bool(rng.random() < 0.3),
        "limits": pick(rng, limits),
    }


def random_volatility(rng: Generator) -> VolatilityTarget:
    """Return sizing by volatility: of a few days or many, cautious or daring, with odd digits at times."""
    annual = pick(rng, [NANO // 10, NANO * 2 // 5, 5 * NANO, int(rng.integers(1, 3 * NANO))])
    return VolatilityTarget(annual, pick(rng, [1, 2, 5, 20]), pick(rng, [252, 365]))


def pick(rng: Generator, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]


def random_targets(rng: Generator, shape: tuple[int, int], share: float, product: Product) -> Strategy:
    unit = pick(rng, list(TargetUnit))
    wanted = {
        TargetUnit.SIGNAL: rng.choice([-1, 0, 0, 1, 0.5], shape),
        TargetUnit.WEIGHT: rng.choice([-0.4, 0, 0, 0.3, 0.9, 1.5], shape),
        TargetUnit.LOTS: rng.integers(-20, 60, shape) // pick(rng, [1, 9]) * 1.0,
        TargetUnit.QTY: rng.integers(-300, 800, shape).astype(float),
    }[unit]
    return Stated(np.where(rng.random(shape) < share, wanted, np.nan), unit, product)


def random_entries(rng: Generator, share: float, product: Product) -> Strategy:
    return StatedEntries(_entries(rng, share, product), product)


def _entries(
    rng: Generator, share: float, product: Product, lots: NDArray[np.int64] | int = 1
) -> Callable[[History], Entries]:
    kind = pick(rng, ["market", "limit", "stop", "stop limit"])
    with_stop, with_target, with_trail, with_exit, with_qty = (rng.random(5) < [0.7, 0.6, 0.4, 0.4, 0.3]).tolist()

    def make(history: History) -> Entries:
        close = history.column("close")
        shape, seen, close = close.shape, ~np.isnan(close), np.nan_to_num(close, nan=50.0)
        sides = [1, 1, 1, -1] if product is Product.CNC else [1, 1, -1]
        side = np.where((rng.random(shape) < share) & seen, rng.choice(sides, shape), 0)
        off = rng.choice([0.5, 1, 3], shape)

        def beyond(sign: int, away: Floats) -> Floats:
            return np.maximum(close + sign * side * away, 0.5)

        trigger = beyond(1, off) if kind in ("stop", "stop limit") else None
        limit = {"limit": beyond(-1, off), "stop limit": beyond(1, off + rng.choice([0, 0.3, 1], shape))}.get(kind)
        later = history.ts_ns[:, None] + pick(rng, [1, 2, 5, 30]) * QUARTER * 10**9
        return Entries(
            side=side,
            qty=rng.integers(0, 200, shape) // lots * lots if with_qty else None,
            limit=limit,
            trigger=trigger,
            stop=beyond(-1, rng.choice([2, 4, 8], shape)) if with_stop else None,
            target=beyond(1, rng.choice([2, 4, 8], shape)) if with_target else None,
            trail=np.full(shape, pick(rng, [1.0, 3.0])) if with_trail else None,
            exit_ns=np.broadcast_to(later - pick(rng, [0, 1, 300 * 10**9]), shape) if with_exit else None,
            leave=rng.random(shape) < share / 3,
            withdraw=rng.random(shape) < share / 2,
        )

    return make


def _actions(rng: Generator, spec: BacktestSpec) -> Iterator[CorporateAction]:
    """Yield one to four corporate actions, sometimes two of a day."""
    opens = np.concatenate([np.asarray(columns.ts_open_ns) for columns in spec.bars])
    held = np.unique((opens + IST_OFFSET_NS) // DAY_NS).tolist()
    for _ in range(pick(rng, [1, 2, 4])):
        one, day, kind = pick(rng, spec.instruments), pick(rng, held[1:] or held), pick(rng, list(ActionKind))
        if one.is_derivative:
            continue
        new, old = {
            ActionKind.SPLIT: pick(rng, [(2, 1), (5, 1), (1, 4)]),
            ActionKind.BONUS: pick(rng, [(3, 2), (2, 1), (8, 7)]),
            ActionKind.RIGHTS: pick(rng, [(7, 5), (3, 2)]),
        }.get(kind, (1, 1))
        cash = Px(0 if kind in (ActionKind.SPLIT, ActionKind.BONUS) else pick(rng, [500, 3_000]))
        yield CorporateAction(one.id, TradingDay(day), kind, new, old, cash)


def _locked(rng: Generator, columns: BarColumns) -> BarColumns:
    """Return bars some of which have one price only, as those that sit on a circuit limit."""
    flat = rng.random(len(columns)) < 0.3
    close = np.asarray(columns.close)
    held = {
        name: np.ascontiguousarray(np.where(flat, close, np.asarray(getattr(columns, name)))).data
        for name in ("open", "high", "low")
    }
    return msgspec.structs.replace(columns, **held)


def _until(columns: BarColumns, last: TradingDay) -> BarColumns:
    """Return the bars up to the end of a day."""
    count = int(np.searchsorted(np.asarray(columns.ts_open_ns), (last + 1) * DAY_NS - IST_OFFSET_NS))
    return _kept(columns, np.arange(count))


def _thinned(rng: Generator, columns: BarColumns) -> BarColumns:
    count = len(columns)
    keep = np.sort(rng.choice(count, size=count * 4 // 5, replace=False))
    return _kept(columns, keep)


def _kept(columns: BarColumns, keep: NDArray[np.int64]) -> BarColumns:
    held = {name: np.ascontiguousarray(np.asarray(getattr(columns, name))[keep]).data for name in COLUMNS}
    return BarColumns(columns.instrument, columns.interval, **held)
