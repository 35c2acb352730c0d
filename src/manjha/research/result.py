"""What a backtest gives: every fact of the run and every assumption, in one frozen value.

Money is exact to the end: prices and cash in 1e-4 rupee, quantities in units, moments in UTC nanoseconds. Statistics
are made from this value by `research.metrics`, pages by `research.report`.
"""

import hashlib
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from manjha.domain.bars import BarColumns, Interval, format_interval
from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.commands import CancelOrder, ModifyOrder, Refused, SubmitOrder
from manjha.domain.errors import UsageError
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TsNs, format_day, format_ts
from manjha.domain.money import Cash, Px, Qty, format_cash, format_px
from manjha.domain.orders import Fill, LegGroup, Order, Phase, Product, RunId, StrategyId
from manjha.ports.market_data import SeriesInfo

Int64s = npt.NDArray[np.int64]
"""A column of integers: money in 1e-4 rupee, time in UTC nanoseconds."""


class OrderRecord(msgspec.Struct, frozen=True, gc=False):
    """What became of one order. `average_px` is the mean fill price, half up; zero where nothing filled.

    `placed_ns` is when it went to the exchange, `done_ns` when it ended (zero while it still works).
    """

    order: Order
    phase: Phase
    filled: Qty
    average_px: Px
    placed_ns: TsNs
    done_ns: TsNs = TsNs(0)
    reason: str = ""


class PositionAdjusted(msgspec.Struct, frozen=True):
    """A corporate action changed a position without a trade.

    `qty_before` and `qty_after` are signed holdings in units; `cash` is what the holder received in all (a dividend,
    cash for a fraction of a share), negative where a short seller paid.
    """

    instrument: InstrumentId
    product: Product
    strategy: StrategyId
    ts_ns: TsNs
    qty_before: Qty
    qty_after: Qty
    cash: Cash = Cash(0)
    reason: str = ""


class Curve(msgspec.Struct, frozen=True, eq=False):
    """The account over time: int64 columns of equal length, one row per bar timestamp, oldest first.

    `ts_ns` is strictly increasing. `equity` is cash plus positions at the last close. `gross` is the sum of the
    positions' absolute values, `net` the signed sum; `benchmark` what the capital would be if it had bought and held.
    `gross`, `net` and `benchmark` may be empty where the run did not record them.
    """

    ts_ns: Int64s
    equity: Int64s
    cash: Int64s
    gross: Int64s
    net: Int64s
    benchmark: Int64s

    def __len__(self) -> int:
        return len(self.ts_ns)


class BacktestResult(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Everything a run gives.

    Orders, fills, adjustments and refusals are in the order in which they happened. `fill_charges` has shape
    (fills, 9), int64, in the order of `domain.charges.LINES`, and holds what was booked with each fill; what the day's
    contract note changed is in `day_charges`. `marks` are the last closes, at which open positions are valued.
    `parameters` and `assumptions` are (name, value) pairs, written for people. `state_digest` is the SHA-256 of
    the engine's last state. `chosen_from` is `Strategy.chosen_from`.
    """

    run: RunId
    strategy: str
    parameters: tuple[tuple[str, str], ...]
    instruments: tuple[Instrument, ...]
    intervals: tuple[Interval, ...]
    start_ns: TsNs
    end_ns: TsNs
    seed: int
    code_version: str
    rules_hash: str
    data: tuple[SeriesInfo, ...]
    assumptions: tuple[tuple[str, str], ...]
    initial: Cash
    orders: tuple[OrderRecord, ...]
    fills: tuple[Fill, ...]
    fill_charges: Int64s
    curve: Curve
    marks: tuple[tuple[InstrumentId, Px], ...]
    day_charges: tuple[DayChargesSettled, ...] = ()
    adjustments: tuple[PositionAdjusted, ...] = ()
    refusals: tuple[Refused, ...] = ()
    peak_margin: Cash = Cash(0)
    warnings: tuple[str, ...] = ()
    bars: tuple[BarColumns, ...] = ()
    state_digest: str = ""
    chosen_from: str = ""

    def __post_init__(self) -> None:
        if self.fill_charges.shape != (len(self.fills), len(LINES)):
            raise UsageError(
                f"expected charges of shape ({len(self.fills)}, {len(LINES)}), was {self.fill_charges.shape}"
            )

    @property
    def final(self) -> Cash:
        """Equity at the last bar; the initial capital where there is none."""
        return Cash(int(self.curve.equity[-1])) if len(self.curve) else self.initial

    @property
    def charges(self) -> ChargeLines:
        """Charges of the whole run by line, contract notes included."""
        sums = [int(total) for total in self.fill_charges.sum(axis=0)]
        for settled in self.day_charges:
            sums = [a + b for a, b in zip(sums, msgspec.structs.astuple(settled.adjustment), strict=True)]
        return ChargeLines(*map(Cash, sums))

    @property
    def slippage(self) -> Cash:
        """What prices worse than the reference cost; negative where they were better."""
        return Cash(sum(int(fill.side) * (fill.px - fill.reference) * fill.qty for fill in self.fills))

    def name_of(self, instrument: InstrumentId) -> str:
        """Return what people read for an instrument; its id where the run does not list it."""
        return next((item.display for item in self.instruments if item.id == instrument), instrument)


def order_list_hash(result: BacktestResult) -> str:
    """Return the SHA-256 (hex) of the orders and fills in canonical form: the fingerprint of a golden run.

    Ids, tags and wording are left out, so it changes when trading changes and not when names do.
    """
    types = {record.order.id: record.order.type for record in result.orders}
    digest = hashlib.sha256()
    for record in result.orders:
        order = record.order
        fields = (
            *("order", order.instrument, int(order.side), order.qty, order.type, order.product, order.limit),
            *(order.trigger, order.decided_ns, order.validity, record.phase, record.filled),
        )
        digest.update("|".join(map(str, fields)).encode() + b"\n")
    for fill in result.fills:
        kind = types.get(fill.order_id, "")
        row = ("fill", fill.instrument, int(fill.side), fill.qty, fill.px, fill.ts_ns, fill.product, kind)
        digest.update("|".join(map(str, row)).encode() + b"\n")
    return digest.hexdigest()


def summary(result: BacktestResult, *, rows: bool = True) -> dict[str, Any]:
    """Return the run as plain values for JSON: money as decimal strings of rupees, times as ISO 8601 in IST.

    With `rows`, orders, fills, refusals and adjustments are listed; the equity curve never is (see
    `metrics.daily_equity`), because it can have a million rows.
    """
    head: dict[str, Any] = {
        "run": result.run,
        "simulated": True,
        "strategy": result.strategy,
        "parameters": dict(result.parameters),
        "instruments": [item.display for item in result.instruments],
        "intervals": [format_interval(interval) for interval in result.intervals],
        "start": format_ts(result.start_ns),
        "end": format_ts(result.end_ns),
        "seed": result.seed,
        "code_version": result.code_version,
        "rules_hash": result.rules_hash,
        "order_list_hash": order_list_hash(result),
        "state_digest": result.state_digest,
        "data": [_data(result, series) for series in result.data],
        "assumptions": dict(result.assumptions),
        "warnings": list(result.warnings),
        "initial": format_cash(result.initial),
        "final": format_cash(result.final),
        "peak_margin": format_cash(result.peak_margin),
        "slippage": format_cash(result.slippage),
        "charges": charges_to_dict(result.charges),
        "counts": {"bars": len(result.curve), "orders": len(result.orders), "fills": len(result.fills)},
    }
    return head | _rows(result) if rows else head


def charges_to_dict(charges: ChargeLines) -> dict[str, str]:
    """Return the lines and their total as decimal strings of rupees."""
    return {line: format_cash(getattr(charges, line)) for line in LINES} | {"total": format_cash(charges.total)}


def _rows(result: BacktestResult) -> dict[str, Any]:
    fills = zip(result.fills, result.fill_charges.tolist(), strict=True)
    return {
        "orders": [_order(result, record) for record in result.orders],
        "fills": [_fill(result, fill, ChargeLines(*charges)) for fill, charges in fills],
        "day_charges": [
            {"day": format_day(row.day), "strategy": row.strategy, **charges_to_dict(row.adjustment)}
            for row in result.day_charges
        ],
        "adjustments": [_adjustment(result, row) for row in result.adjustments],
        "refusals": [_refusal(result, row) for row in result.refusals],
    }


def _data(result: BacktestResult, series: SeriesInfo) -> dict[str, Any]:
    return {
        "instrument": result.name_of(series.instrument),
        "interval": format_interval(series.interval),
        "rows": series.rows,
        "first": format_ts(series.first_ns),
        "last": format_ts(series.last_ns),
        "sources": list(series.sources),
        "adjustment": series.adjustment,
        "sha256": series.sha256,
    }


def _order(result: BacktestResult, record: OrderRecord) -> dict[str, Any]:
    order = record.order
    return {
        "id": order.id,
        "instrument": result.name_of(order.instrument),
        "side": order.side.name,
        "qty": order.qty,
        "type": order.type,
        "product": order.product,
        "limit": format_px(order.limit) if order.limit else None,
        "trigger": format_px(order.trigger) if order.trigger else None,
        "purpose": order.purpose,
        "tag": order.tag,
        "phase": record.phase,
        "filled": record.filled,
        "average_price": format_px(record.average_px) if record.filled else None,
        "decided": format_ts(order.decided_ns),
        "placed": format_ts(record.placed_ns),
        "done": format_ts(record.done_ns) if record.done_ns else None,
        "reason": record.reason,
    }


def _fill(result: BacktestResult, fill: Fill, charges: ChargeLines) -> dict[str, Any]:
    return {
        "id": fill.id,
        "order": fill.order_id,
        "instrument": result.name_of(fill.instrument),
        "side": fill.side.name,
        "qty": fill.qty,
        "price": format_px(fill.px),
        "reference": format_px(fill.reference),
        "product": fill.product,
        "time": format_ts(fill.ts_ns),
        "charges": charges_to_dict(charges),
    }


def _adjustment(result: BacktestResult, row: PositionAdjusted) -> dict[str, Any]:
    return {
        "instrument": result.name_of(row.instrument),
        "product": row.product,
        "time": format_ts(row.ts_ns),
        "qty_before": row.qty_before,
        "qty_after": row.qty_after,
        "cash": format_cash(row.cash),
        "reason": row.reason,
    }


def _refusal(result: BacktestResult, row: Refused) -> dict[str, Any]:
    return {
        "time": format_ts(row.ts_ns),
        "subject": describe_subject(result, row.subject),
        "reason": row.reason,
        "detail": row.detail,
    }


def describe_subject(result: BacktestResult, subject: SubmitOrder | ModifyOrder | CancelOrder | LegGroup) -> str:
    """Say in a few words what was asked for: "BUY 75 NSE:NIFTY LIMIT"."""
    if isinstance(subject, SubmitOrder):
        order = subject.order
        return f"{order.side.name} {order.qty} {result.name_of(order.instrument)} {order.type}"
    if isinstance(subject, LegGroup):
        return f"{len(subject.legs)} legs"
    verb = "modify" if isinstance(subject, ModifyOrder) else "cancel"
    return f"{verb} {subject.order_id}"
