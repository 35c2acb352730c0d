"""What an account's trades add up to: charges line by line, and the profit of a day by strategy. Exact integers."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, day_of
from manjha.domain.money import Cash
from manjha.domain.orders import EXTERNAL, AccountId, Product, StrategyId
from manjha.domain.read_models import NoteView, PositionView, TradeView
from manjha.portfolio.positions import traded
from manjha.ports.read_models import ReadModels

AT_ONCE = 1_000
"""Trades of one read."""
Key: TypeAlias = tuple[StrategyId, InstrumentId, Product]


class Bill(msgspec.Struct, frozen=True):
    """Charges of a strategy: as booked with its trades, and what contract notes added to them.

    `unknown` counts trades whose charges nobody knows, which are in no line.
    """

    strategy: StrategyId
    booked: ChargeLines
    notes: ChargeLines
    trades: int
    unknown: int


class Profit(msgspec.Struct, frozen=True):
    """The profit of a strategy in 1e-4 rupee, before charges but for `charges`.

    `realised` is of all that was closed since the account began, `realised_day` of what trades of the day closed,
    `charges` and `charges_day` are costs. `unrealised` is of what is open at the newest prices; None where one of them
    is not known.
    """

    strategy: StrategyId
    realised: Cash
    unrealised: Cash | None
    charges: Cash
    realised_day: Cash
    charges_day: Cash


def every_trade(models: ReadModels, account: AccountId) -> Iterator[TradeView]:
    """Yield the trades of an account, oldest first."""
    after = 0
    while page := models.trades(account, after=after, limit=AT_ONCE):
        yield from page
        after = page[-1].seq


def every_note(models: ReadModels, account: AccountId) -> Iterator[NoteView]:
    """Yield what contract notes added, oldest first."""
    after = 0
    while page := models.notes(account, after=after, limit=AT_ONCE):
        yield from page
        after = page[-1].seq


def bills(
    trades: Iterable[TradeView], notes: Iterable[NoteView], days: tuple[TradingDay | None, TradingDay | None]
) -> list[Bill]:
    """Return the charges of a span of days by strategy; None is open. Both ends are included."""
    booked: dict[StrategyId, list[int]] = {}
    noted: dict[StrategyId, list[int]] = {}
    counts: dict[StrategyId, list[int]] = {}
    for trade in trades:
        strategy = trade.fill.origin.strategy
        if strategy != EXTERNAL and _within(day_of(trade.fill.ts_ns), days):
            count = counts.setdefault(strategy, [0, 0])
            count[0] += 1
            count[1] += trade.charges is None
            _add(booked, strategy, trade.charges)
    for note in notes:
        if _within(note.settled.day, days):
            _add(noted, note.settled.strategy, note.settled.adjustment)
    return [
        Bill(name, _lines(booked.get(name)), _lines(noted.get(name)), *counts.get(name, [0, 0]))
        for name in sorted({*booked, *noted})
    ]


def realised_by_trades(trades: Iterable[TradeView], day: TradingDay) -> dict[StrategyId, Cash]:
    """Return the profit that the trades of a day realised, by strategy: what each closed, at its average cost."""
    held: dict[Key, tuple[int, int]] = {}
    gains: dict[StrategyId, Cash] = {}
    for trade in trades:
        fill = trade.fill
        strategy = fill.origin.strategy
        if day_of(fill.ts_ns) > day:
            # Not the end: a broker tells of an earlier trade late.
            continue
        key = (strategy, fill.instrument, fill.product)
        qty, cost, gain = traded(*held.get(key, (0, 0)), fill.qty * fill.side, fill.px)
        held[key] = (qty, cost)
        if day_of(fill.ts_ns) == day and strategy != EXTERNAL:
            gains[strategy] = Cash(gains.get(strategy, 0) + gain)
    return gains


def profits(
    positions: Iterable[PositionView],
    prices: dict[InstrumentId, int],
    spent: tuple[list[Bill], list[Bill]],
    gains: dict[StrategyId, Cash],
) -> list[Profit]:
    """Return the profit of each strategy; `spent` are its charges since the beginning and of the day."""
    whole, of_day = ({bill.strategy: bill.booked.total + bill.notes.total for bill in part} for part in spent)
    realised: dict[StrategyId, int] = {}
    open_: dict[StrategyId, int | None] = {}
    for one in positions:
        if one.strategy == EXTERNAL:
            continue
        realised[one.strategy] = realised.get(one.strategy, 0) + one.realised
        before, px = open_.get(one.strategy, 0), prices.get(one.instrument)
        if one.qty == 0:
            open_[one.strategy] = before
        else:
            open_[one.strategy] = None if before is None or px is None else before + one.qty * px - one.cost
    return [
        Profit(
            name, Cash(realised.get(name, 0)), _cash(open_.get(name, 0)), Cash(whole.get(name, 0)),
            gains.get(name, Cash(0)), Cash(of_day.get(name, 0)),
        )
        for name in sorted({*realised, *whole})
    ]  # fmt: skip


def _cash(amount: int | None) -> Cash | None:
    return None if amount is None else Cash(amount)


def _within(day: int, days: tuple[TradingDay | None, TradingDay | None]) -> bool:
    first, last = days
    return (first is None or day >= first) and (last is None or day <= last)


def _add(sums: dict[StrategyId, list[int]], strategy: StrategyId, lines: ChargeLines | None) -> None:
    held = sums.setdefault(strategy, [0] * len(LINES))
    if lines is not None:
        for at, amount in enumerate(msgspec.structs.astuple(lines)):
            held[at] += amount


def _lines(sums: list[int] | None) -> ChargeLines:
    return ChargeLines(**dict(zip(LINES, map(Cash, sums or ()), strict=False)))
