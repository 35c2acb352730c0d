"""Backtest results made by hand: small ones from a list of fills, a large one from a seeded random market."""

from collections.abc import Sequence

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns, Interval
from manjha.domain.charges import LINES
from manjha.domain.commands import RefusalReason, Refused, SubmitOrder
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind
from manjha.domain.moments import HOUR_NS, MINUTE_NS, TradingDay, TsNs, at, date_from_day, parse_day
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.orders import (
    AccountId,
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
)
from manjha.ports.market_data import SeriesInfo
from manjha.research.result import BacktestResult, Curve, Int64s, OrderRecord, PositionAdjusted

ORIGIN = Origin(AccountId("A"), StrategyId("S"), RunId("R"))
NONE = np.empty(0, np.int64)
FIRST_DAY = parse_day("2025-01-06")
OPEN_CLOCK = 9 * HOUR_NS + 15 * MINUTE_NS


def share(symbol: str, *, kind: Kind = Kind.EQUITY) -> Instrument:
    exchange = Exchange.NFO if kind in (Kind.FUTURE, Kind.OPTION) else Exchange.NSE
    return Instrument(
        id=InstrumentId(f"{exchange}:{symbol}"),
        symbol=symbol,
        exchange=exchange,
        kind=kind,
        asset=Asset.EQUITY,
        tick=Px(500),
    )


def fill(
    number: int,
    side: int,
    qty: int,
    rupees: float,
    ts_ns: int,
    *,
    instrument: str = "NSE:A",
    product: Product = Product.MIS,
    order: str = "",
    worse: int = 0,
) -> Fill:
    """One fill; `rupees` has at most four decimals, `worse` is its slippage in 1e-4 rupee a unit."""
    px = round(rupees * RUPEE)
    return Fill(
        *(FillId(f"f{number}"), OrderId(order or f"o{number}"), ORIGIN, InstrumentId(instrument), Side(side)),
        qty=Qty(qty),
        px=Px(px),
        reference=Px(px - side * worse),
        product=product,
        ts_ns=TsNs(ts_ns),
    )


def order_of(filled: Fill, *, purpose: Purpose = Purpose.SIGNAL, tag: str = "") -> OrderRecord:
    """The market order that a fill completed."""
    order = Order(
        *(filled.order_id, filled.origin, filled.instrument, filled.side, filled.qty, OrderType.MARKET),
        product=filled.product,
        decided_ns=filled.ts_ns,
        purpose=purpose,
        tag=tag,
    )
    return OrderRecord(order, Phase.FILLED, filled.qty, filled.px, filled.ts_ns, filled.ts_ns)


def curve_of(
    ts_ns: Sequence[int], equity: Sequence[int], *, benchmark: Sequence[int] = (), gross: Sequence[int] = ()
) -> Curve:
    column = [np.array(values, np.int64) for values in (ts_ns, equity, equity, gross, [], benchmark)]
    return Curve(*column)


def result_of(
    fills: Sequence[Fill] = (),
    *,
    initial: int = 100_000 * RUPEE,
    charges: Sequence[Sequence[int]] | None = None,
    marks: dict[str, float] | None = None,
    curve: Curve | None = None,
    orders: Sequence[OrderRecord] | None = None,
    day_charges: Sequence[DayChargesSettled] = (),
    adjustments: Sequence[PositionAdjusted] = (),
    refusals: Sequence[Refused] = (),
    instruments: Sequence[Instrument] = (),
    bars: Sequence[BarColumns] = (),
    warnings: Sequence[str] = (),
) -> BacktestResult:
    """A result around fills; the curve ends where the ledger of the fills does."""
    lines = np.array(charges if charges is not None else [[0] * len(LINES)] * len(fills), np.int64)
    last = {InstrumentId(key): Px(round(px * RUPEE)) for key, px in (marks or {}).items()}
    if curve is None:
        final = initial + worth(fills, last, adjustments) - int(lines.sum())
        final -= sum(row.adjustment.total for row in day_charges)
        curve = curve_of([max((item.ts_ns for item in fills), default=0) + 1], [final])
    return BacktestResult(
        run=RunId("R"),
        strategy="hand-made",
        parameters=(("fast", "20"),),
        instruments=tuple(instruments),
        intervals=(Interval(300),),
        start_ns=TsNs(int(curve.ts_ns[0]) if len(curve) else 0),
        end_ns=TsNs(int(curve.ts_ns[-1]) if len(curve) else 0),
        seed=7,
        code_version="0.1.0",
        rules_hash="0" * 64,
        data=(),
        assumptions=(("market orders", "open of the next bar"),),
        initial=Cash(initial),
        orders=tuple(orders if orders is not None else [order_of(item) for item in fills]),
        fills=tuple(fills),
        fill_charges=lines.reshape(len(fills), len(LINES)),
        curve=curve,
        marks=tuple(last.items()),
        day_charges=tuple(day_charges),
        adjustments=tuple(adjustments),
        refusals=tuple(refusals),
        bars=tuple(bars),
        warnings=tuple(warnings),
    )


def worth(fills: Sequence[Fill], marks: dict[InstrumentId, Px], adjustments: Sequence[PositionAdjusted] = ()) -> int:
    """What fills and actions changed: cash paid and received, plus what is held at the marks. No matching."""
    cash = sum(-int(item.side) * item.px * item.qty for item in fills) + sum(row.cash for row in adjustments)
    held: dict[InstrumentId, int] = {}
    for item in fills:
        held[item.instrument] = held.get(item.instrument, 0) + int(item.side) * item.qty
    for row in adjustments:
        held[row.instrument] = held.get(row.instrument, 0) + row.qty_after - row.qty_before
    return cash + sum(qty * marks[instrument] for instrument, qty in held.items() if qty)


def bars_of(
    instrument: str, ts_open: Sequence[int], rows: Sequence[tuple[float, float, float, float]], *, seconds: int = 300
) -> BarColumns:
    """Bars from (open, high, low, close) in rupees."""
    opens = np.array(ts_open, np.int64)
    prices = np.rint(np.array(rows, np.float64).reshape(-1, 4) * RUPEE).astype(np.int64)
    columns = [opens, opens + seconds * 1_000_000_000, *prices.T, np.full(len(opens), 1_000), np.zeros(len(opens))]
    views = [np.ascontiguousarray(column, np.int64).data.cast("B").cast("q") for column in columns]
    return BarColumns(InstrumentId(instrument), Interval(seconds), *views)


def market_result(
    seed: int = 7, *, days: int = 250, bars_a_day: int = 75, symbol: str = "ALPHA", minutes: int = 5
) -> BacktestResult:
    """A year of an intraday strategy on a random walk: some hundreds of trades, exact to the ledger."""
    chance = np.random.default_rng(seed)
    opens = _session_opens(days, bars_a_day, minutes)
    item = share(symbol)
    bars = _walk(item.id, opens, chance, minutes)
    fills, orders, held = _trade(bars, bars_a_day, chance)
    charges = np.array([_charges(row) for row in fills], np.int64)
    curve = _ledger(bars, fills, charges, held)
    closes = np.asarray(bars.close)
    data = SeriesInfo(
        *(item.id, bars.interval, len(bars), TsNs(int(opens[0])), TsNs(int(opens[-1])), ("synthetic",), "raw"),
        sha256="c" * 64,
    )
    base = result_of(fills, charges=charges.tolist(), curve=curve, orders=orders, marks={item.id: 0}, bars=[bars])
    return msgspec.structs.replace(
        base,
        strategy="ema_cross",
        parameters=(("fast", "9"), ("slow", "21"), ("stop_percent", "0.6")),
        instruments=(item,),
        marks=((item.id, Px(int(closes[-1]))),),
        data=(data,),
        intervals=(bars.interval,),
        assumptions=(
            ("market orders", "fill at the open of the next bar"),
            ("stop and target in one bar", "the stop is taken first (worst case)"),
            ("slippage", "2 basis points of the price, against the order"),
            ("charges", "NSE equity intraday, the rates of each day"),
            ("prices", "raw; corporate actions are events"),
        ),
        refusals=_refusals(item.id, opens),
        peak_margin=Cash(80_000 * RUPEE),
        warnings=("2 bars have no volume: the first 2025-03-04 11:20",),
    )


def _session_opens(days: int, bars_a_day: int, minutes: int) -> Int64s:
    working = [day for day in range(FIRST_DAY, FIRST_DAY + 2 * days) if date_from_day(day).weekday() < 5][:days]
    return np.array(
        [at(day, OPEN_CLOCK + bar * minutes * MINUTE_NS) for day in working for bar in range(bars_a_day)], np.int64
    )


def _walk(instrument: InstrumentId, opens: Int64s, chance: np.random.Generator, minutes: int) -> BarColumns:
    steps = chance.normal(0.00002, 0.0015, len(opens))
    close = 1_500 * np.exp(np.cumsum(steps))
    first = np.concatenate(([1_500.0], close[:-1]))
    wick = np.abs(chance.normal(0, 0.0006, (2, len(opens))))
    high, low = np.maximum(first, close) * (1 + wick[0]), np.minimum(first, close) * (1 - wick[1])
    ticks = [np.rint(values * 20) * 500 for values in (first, high, low, close)]
    volume = chance.integers(1_000, 90_000, len(opens))
    columns = [opens, opens + minutes * MINUTE_NS, *ticks, volume, np.zeros(len(opens))]
    views = [np.ascontiguousarray(column, np.int64).data.cast("B").cast("q") for column in columns]
    return BarColumns(instrument, Interval(minutes * 60), *views)


def _trade(
    bars: BarColumns, bars_a_day: int, chance: np.random.Generator
) -> tuple[list[Fill], list[OrderRecord], Int64s]:
    """One or two trades a day at bar opens, squared off the same day; the position after each bar."""
    fills: list[Fill] = []
    orders: list[OrderRecord] = []
    held = np.zeros(len(bars), np.int64)
    opens = np.asarray(bars.open)
    for start in range(0, len(bars), bars_a_day):
        cuts = np.sort(chance.choice(np.arange(1, bars_a_day), size=2 * int(chance.integers(1, 3)), replace=False))
        for entry, leave in cuts.reshape(-1, 2).tolist():
            side = 1 if chance.random() < 0.55 else -1
            purpose = (Purpose.STOP, Purpose.TARGET, Purpose.SIGNAL, Purpose.SQUARE_OFF)[int(chance.integers(0, 4))]
            for bar, way, why in ((start + entry, side, Purpose.SIGNAL), (start + leave, -side, purpose)):
                px = int(opens[bar]) + way * 500
                row = fill(
                    len(fills), way, 50, px / RUPEE, int(bars.ts_open_ns[bar]), instrument=bars.instrument, worse=500
                )
                fills.append(row)
                orders.append(order_of(row, purpose=why, tag="morning" if entry < 20 else "later"))
            held[start + entry : start + leave] = side * 50
    return fills, orders, held


def _charges(row: Fill) -> list[int]:
    turnover = row.px * row.qty
    brokerage = min(20 * RUPEE, turnover * 3 // 10_000)
    exchange, stt = turnover * 297 // 10_000_000, turnover * 25 // 100_000 if row.side is Side.SELL else 0
    sebi, stamp = turnover // 1_000_000, turnover * 3 // 100_000 if row.side is Side.BUY else 0
    return [brokerage, stt, exchange, 0, sebi, stamp, (brokerage + exchange + sebi) * 18 // 100, 0, 0]


def _ledger(bars: BarColumns, fills: list[Fill], charges: Int64s, held: Int64s) -> Curve:
    opens, closes = np.asarray(bars.ts_open_ns), np.asarray(bars.close)
    initial = 100_000 * RUPEE
    flows = np.array([-int(row.side) * row.px * row.qty for row in fills], np.int64) - charges.sum(axis=1)
    per_bar = np.zeros(len(bars), np.int64)
    np.add.at(per_bar, np.searchsorted(opens, [row.ts_ns for row in fills]), flows)
    cash = initial + np.cumsum(per_bar)
    value = held * closes
    benchmark = initial + (closes - int(bars.open[0])) * (initial // int(bars.open[0]))
    return Curve(np.asarray(bars.ts_close_ns).copy(), cash + value, cash, np.abs(value), value, benchmark)


def _refusals(instrument: InstrumentId, opens: Int64s) -> tuple[Refused, ...]:
    order = Order(
        *(OrderId("x1"), ORIGIN, instrument, Side.BUY, Qty(100_000), OrderType.MARKET, Product.MIS),
        decided_ns=TsNs(int(opens[40])),
    )
    detail = "needed ₹3,00,00,000.00, free ₹1,00,000.00"
    return (Refused(SubmitOrder(order), RefusalReason.MARGIN, detail, TsNs(int(opens[40]))),)


def trading_days(count: int) -> list[TradingDay]:
    """The first working days of the fake market, as day numbers."""
    days = [day for day in range(FIRST_DAY, FIRST_DAY + 2 * count + 7) if date_from_day(day).weekday() < 5]
    return [TradingDay(day) for day in days[:count]]


def close_of(day: int) -> int:
    """15:30 IST of a day."""
    return at(day, 15 * HOUR_NS + 30 * MINUTE_NS)
