"""Contract notes, shared out: the day's corrections go to the fills that caused them, exactly."""

from collections import defaultdict

import msgspec

from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.moments import day_of
from manjha.domain.money import Cash
from manjha.domain.orders import Fill, Product, Side
from manjha.research.result import BacktestResult


def charges_with_notes(result: BacktestResult) -> tuple[list[list[int]], ChargeLines]:
    """Return charges per fill in the order of `LINES`, contract notes included, and the lines that fit no fill.

    A day's correction of a line is shared over that day's fills of the strategy in proportion to what each was booked
    on the line; where none was, to its turnover (for `dp`, the turnover of delivery sales). The parts add up exactly.
    """
    charges: list[list[int]] = result.fill_charges.tolist()
    by_day: dict[tuple[int, str], list[int]] = defaultdict(list)
    for at, fill in enumerate(result.fills):
        by_day[day_of(fill.ts_ns), fill.origin.strategy].append(at)
    unassigned = [0] * len(LINES)
    for row in result.day_charges:
        rows = by_day.get((row.day, row.strategy), [])
        fills = [result.fills[at] for at in rows]
        for line, amount in enumerate(msgspec.structs.astuple(row.adjustment)):
            if not amount:
                continue
            if not rows:
                unassigned[line] += amount
                continue
            booked = [charges[at][line] for at in rows]
            for at, part in zip(rows, share(amount, _weights(LINES[line], booked, fills)), strict=True):
                charges[at][line] += part
    return charges, ChargeLines(*map(Cash, unassigned))


def share(amount: int, weights: list[int]) -> list[int]:
    """Split an amount in proportion to non-negative weights (not all zero) so that the parts add up to it."""
    total = sum(weights)
    parts, seen, given = [], 0, 0
    for weight in weights:
        seen += weight
        part = amount * seen // total - given
        given += part
        parts.append(part)
    return parts


def _weights(line: str, booked: list[int], fills: list[Fill]) -> list[int]:
    if any(booked) and min(booked) >= 0:
        return booked
    turnover = [fill.px * fill.qty for fill in fills]
    if line == "dp":
        delivered = [
            value if fill.side is Side.SELL and fill.product in (Product.CNC, Product.MTF) else 0
            for value, fill in zip(turnover, fills, strict=True)
        ]
        turnover = delivered if any(delivered) else turnover
    return turnover if any(turnover) else [1] * len(fills)
