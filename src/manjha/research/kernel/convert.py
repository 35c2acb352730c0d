"""The whole result of the event engine from a compiled run, and where two results of one run part."""

from typing import Any

import numpy as np

from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.commands import RefusalReason, Refused, SubmitOrder
from manjha.domain.events import DayChargesSettled
from manjha.domain.moments import TradingDay, TsNs, format_ts
from manjha.domain.money import Cash, Px, Qty, divide, format_cash
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
    Purpose,
    Side,
    StrategyId,
)
from manjha.research.backtest import BacktestSpec, described, run_id, warnings_of
from manjha.research.curve import Held, Walked, curve_of
from manjha.research.kernel.contracts import KINDS
from manjha.research.kernel.outcome import FILL_LINES, KernelOutcome
from manjha.research.kernel.records import OUTSIDE
from manjha.research.kernel.run import KernelMarket
from manjha.research.result import BacktestResult, OrderRecord, PositionAdjusted
from manjha.simulator.book import outside_text
from manjha.simulator.venue import DAY_END

TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.SL, OrderType.SL_M)
PURPOSES = (Purpose.SIGNAL, Purpose.STOP, Purpose.TARGET, Purpose.TIME_EXIT, Purpose.SQUARE_OFF)
PHASES = (Phase.WORKING, Phase.FILLED, Phase.CANCELLED, Phase.REJECTED)
ENDINGS = ("", "asked for", DAY_END)
REFUSALS = (
    RefusalReason.UNKNOWN_ORDER,
    RefusalReason.QUANTITY,
    RefusalReason.OFF_TICK,
    RefusalReason.AFTER_SQUARE_OFF,
    RefusalReason.SESSION_CLOSED,
    RefusalReason.OPEN_ORDERS,
    RefusalReason.STOP_SIDE,
    RefusalReason.NO_PRICE,
    RefusalReason.SHORT_DELIVERY,
    RefusalReason.ORDER_VALUE,
    RefusalReason.POSITION_VALUE,
    RefusalReason.DAY_LOSS,
    RefusalReason.MARGIN,
    RefusalReason.ABOVE_FREEZE,
    RefusalReason.PRODUCT,
    RefusalReason.NOT_TRADABLE,
    RefusalReason.PRICE_BAND,
    RefusalReason.EXPIRED,
    RefusalReason.UNIVERSE,
)
"""By the numbers of `records`."""


class _Names:
    """Who acts in the run, and what its orders are called."""

    def __init__(self, spec: BacktestSpec, outcome: KernelOutcome) -> None:
        self.spec = spec
        self.strategy = StrategyId(spec.strategy.name)
        self.run = run_id(spec)
        self.origin = Origin(AccountId("backtest"), self.strategy, self.run)
        self._seqs: list[int] = outcome.orders["seq"].tolist()
        self._tags = outcome.tags

    def order_id(self, row: int) -> OrderId:
        return OrderId(f"{self.run}-{self._seqs[row]}")

    def order(self, row: dict[str, Any], order_id: OrderId, qty: int, trigger: int) -> Order:
        """Return an order as it was asked for."""
        exits = None
        if row.get("has_exits"):
            exits = Exits(Px(row["stop"]), Px(row["target"]), Px(row["trail"]), TsNs(row["exit_ns"]))
        return Order(
            id=order_id,
            origin=self.origin,
            instrument=self.spec.instruments[row["instrument"]].id,
            side=Side(row["side"]),
            qty=Qty(qty),
            type=TYPES[row["type"]],
            product=self.spec.strategy.product,
            decided_ns=TsNs(row["decided_ns"]),
            limit=Px(row["limit"]),
            trigger=Px(trigger),
            exits=exits,
            purpose=PURPOSES[row["purpose"]],
            parent=self.order_id(row["parent"]) if row["parent"] >= 0 else None,
            group=self.order_id(row["group"]) if row["group"] >= 0 else None,
            tag=self._tags[row["tag"]],
        )


def result_of(spec: BacktestSpec, market: KernelMarket, outcome: KernelOutcome) -> BacktestResult:
    """Return a compiled run as the result that the event engine gives for it.

    Equal in every fact but three: there is no state and so no `state_digest`; refusals carry no figures; refused
    modifications, which change nothing, are not listed.
    """
    names = _Names(spec, outcome)
    first = [instrument.id for instrument in spec.instruments]
    walked = Walked(market.timeline, spec.bars[0].interval, first, int(spec.initial))
    steps = np.array([outcome.steps[name] for name in ("at", "cash", "instrument", "qty", "cost")], np.int64)
    traded = sorted(set(steps[2].tolist()) - {-1})
    numbers = np.searchsorted(traded, steps[2]) if traded else steps[2]
    steps[2] = np.where(steps[2] < 0, -1, numbers)
    curve = curve_of(walked, [Held(first[i], outcome.paid) for i in traded], steps, spec.actions)
    charges = np.zeros((len(outcome.fills), len(LINES)), np.int64)
    for column, name in enumerate(FILL_LINES):
        charges[:, column] = outcome.fills[name]
    account = outcome.account
    return BacktestResult(
        **described(spec, market.timeline),
        run=names.run,
        orders=tuple(_orders(names, outcome)),
        fills=tuple(_fills(names, outcome)),
        fill_charges=charges,
        curve=curve,
        marks=tuple((name, Px(int(mark))) for name, mark in zip(first, outcome.positions["mark"], strict=True)),
        day_charges=tuple(_notes(names, market, outcome)),
        adjustments=tuple(_changes(names, outcome)),
        refusals=tuple(_refusals(names, outcome)),
        peak_margin=outcome.peak_margin,
        warnings=tuple(warnings_of(spec, int(curve.cash.min()), int(account["dry"]), int(account["carried"]))),
    )


def _rows(table: Any) -> list[dict[str, Any]]:
    names = [name for name in table.dtype.names if table.dtype[name].shape == ()]
    return [dict(zip(names, row, strict=True)) for row in table[names].tolist()]


def _orders(names: _Names, outcome: KernelOutcome) -> list[OrderRecord]:
    made = []
    for number, row in enumerate(_rows(outcome.orders)):
        order = names.order(row, names.order_id(number), row["asked_qty"], row["asked_trigger"])
        filled = row["filled"]
        average = Px(divide(row["turnover"], filled)) if filled else Px(0)
        reason = ENDINGS[row["reason"]] if row["reason"] < OUTSIDE else _outside(row)
        made.append(
            OrderRecord(
                order, PHASES[row["phase"]], Qty(filled), average, order.decided_ns, TsNs(row["closed_ns"]), reason
            )
        )
    return made


def _outside(row: dict[str, Any]) -> str:
    """Say why the exchange has rejected an order, as `simulator.book` does."""
    low, high = row["band_low"], row["band_high"]
    px = next(px for px in (row["limit"], row["trigger"]) if px and not low <= px <= high)
    return outside_text(px, low, high)


def _fills(names: _Names, outcome: KernelOutcome) -> list[Fill]:
    instruments, product = names.spec.instruments, names.spec.strategy.product
    return [
        Fill(
            FillId(f"{names.run}-f{number}"),
            names.order_id(row["order"]),
            names.origin,
            instruments[row["instrument"]].id,
            Side(row["side"]),
            Qty(row["qty"]),
            Px(row["px"]),
            Px(row["reference"]),
            product,
            TsNs(row["ts_ns"]),
        )
        for number, row in enumerate(_rows(outcome.fills), 1)
    ]


def _notes(names: _Names, market: KernelMarket, outcome: KernelOutcome) -> list[DayChargesSettled]:
    ends = dict(zip(market.days["day"].tolist(), market.days["close_ns"].tolist(), strict=True))
    return [
        DayChargesSettled(
            TradingDay(row["day"]),
            names.strategy,
            ChargeLines(*(Cash(row[line]) for line in LINES)),
            TsNs(ends[row["day"]]),
        )
        for row in _rows(outcome.notes)
    ]


def _changes(names: _Names, outcome: KernelOutcome) -> list[PositionAdjusted]:
    instruments, product = names.spec.instruments, names.spec.strategy.product
    return [
        PositionAdjusted(
            instruments[row["instrument"]].id,
            product,
            names.strategy,
            TsNs(row["ts_ns"]),
            Qty(row["before"]),
            Qty(row["after"]),
            Cash(row["cash"]),
            str(KINDS[row["reason"]]),
        )
        for row in _rows(outcome.changes)
    ]


def _refusals(names: _Names, outcome: KernelOutcome) -> list[Refused]:
    made = []
    for row in _rows(outcome.refusals):
        terms = row | {"decided_ns": row["ts_ns"], "purpose": 0, "parent": -1, "group": -1}
        order = names.order(terms, OrderId(f"{names.run}-{row['seq']}"), row["qty"], row["trigger"])
        detail = f"{row['instead']} ordered instead" if row["instead"] else ""
        made.append(Refused(SubmitOrder(order), REFUSALS[row["reason"]], detail, TsNs(row["ts_ns"])))
    return made


# ---- where two results part


def divergence(one: BacktestResult, other: BacktestResult, names: tuple[str, str] = ("engine", "kernel")) -> str:
    """Say where two results of the same run part first: the bar, and both sides' numbers. Empty where they do not.

    Compares fills with their charges, contract notes, orders, refusals, the curve and peak margin, in this order.
    """
    for number, (left, right) in enumerate(zip(_facts(one), _facts(other), strict=False)):
        if left != right:
            return f"fill {number}: {names[0]} {left}, {names[1]} {right}"
    if len(one.fills) != len(other.fills):
        more, who = (one, names[0]) if len(one.fills) > len(other.fills) else (other, names[1])
        return f"only {who} goes on with {_facts(more)[min(len(one.fills), len(other.fills))]}"
    compared: tuple[tuple[str, Any, Any], ...] = (
        ("contract notes", one.day_charges, other.day_charges),
        ("orders", one.orders, other.orders),
        ("refusals", _refused(one), _refused(other)),
        ("position changes", one.adjustments, other.adjustments),
    )
    for what, mine, theirs in compared:
        parted = _first_difference(mine, theirs)
        if parted:
            return f"{what} part at {parted[0]}: {names[0]} {parted[1]}, {names[1]} {parted[2]}"
    for name in ("equity", "cash", "gross", "net", "benchmark"):
        differs = np.flatnonzero(getattr(one.curve, name) != getattr(other.curve, name))
        if len(differs):
            at = int(differs[0])
            amounts = [format_cash(int(getattr(result.curve, name)[at])) for result in (one, other)]
            moment = format_ts(int(one.curve.ts_ns[at]))
            return f"{name} at bar {at} ({moment}): {names[0]} {amounts[0]}, {names[1]} {amounts[1]}"
    if (one.peak_margin, one.warnings) != (other.peak_margin, other.warnings):
        return f"peak margin or warnings: {one.peak_margin} {one.warnings}, {other.peak_margin} {other.warnings}"
    return ""


def _facts(result: BacktestResult) -> list[tuple[Any, ...]]:
    return [
        (format_ts(f.ts_ns), f.instrument, f.side.name, f.qty, f.px, f.reference, f.order_id, tuple(charges))
        for f, charges in zip(result.fills, result.fill_charges.tolist(), strict=True)
    ]


def _refused(result: BacktestResult) -> list[tuple[Any, ...]]:
    return [
        (format_ts(r.ts_ns), r.reason, r.subject.order.id, r.subject.order.qty)
        for r in result.refusals
        if isinstance(r.subject, SubmitOrder)
    ]


def _first_difference(left: Any, right: Any) -> tuple[int, Any, Any] | None:
    for at in range(max(len(left), len(right))):
        a, b = (side[at] if at < len(side) else "nothing more" for side in (left, right))
        if a != b:
            return at, a, b
    return None
