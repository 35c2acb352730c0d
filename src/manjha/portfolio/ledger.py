"""The cash ledger: money in the account, margin held, charges booked, by line and exactly.

Bought delivery shares and option premiums move cash in full. Intraday shares and futures move only their profit, at
the fill that realises it, and hold margin. So equity is always
cash + Σ value of paid positions + Σ unrealised of margined ones.
"""

from collections.abc import Iterable

from manjha.domain.charges import LINES, ChargeLines
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import StrategyId


class Ledger:
    """Cash of one account. Amounts in 1e-4 rupee.

    `margin` is held for positions, `reserved` for open orders, `unsettled` are proceeds not usable before
    `settles[day]`. `lines` sums the charges by line up to yesterday; `day_lines` are today's by strategy, one row a
    booking.
    """

    __slots__ = (
        "cash", "day_lines", "initial", "lines", "margin", "margin_peak", "reserved", "settles", "unsettled",
    )  # fmt: skip

    def __init__(self, initial: Cash) -> None:
        self.initial = initial
        self.cash = int(initial)
        self.margin = 0
        self.margin_peak = 0
        self.reserved = 0
        self.unsettled = 0
        self.settles: dict[TradingDay, int] = {}
        self.lines = [0] * len(LINES)
        self.day_lines: dict[StrategyId, list[tuple[int, ...]]] = {}

    @property
    def available(self) -> int:
        """Money that a new order may use."""
        return self.cash - self.margin - self.reserved - self.unsettled

    def move(self, amount: int) -> None:
        """Pay in (positive) or out."""
        self.cash += amount

    def hold(self, change: int) -> None:
        """Change the margin held for positions."""
        self.margin += change
        self.margin_peak = max(self.margin_peak, self.margin)

    def charge(self, strategy: StrategyId, lines: tuple[int, ...]) -> None:
        """Book charges line by line, in the order of `domain.charges.LINES` (a prefix of them is enough)."""
        day = self.day_lines.get(strategy)
        if day is None:
            day = self.day_lines[strategy] = []
        day.append(lines)
        self.cash -= sum(lines)

    def hold_back(self, amount: int, until: TradingDay) -> None:
        """Keep proceeds from being used until a day's session opens."""
        self.unsettled += amount
        self.settles[until] = self.settles.get(until, 0) + amount

    def open_day(self, day: TradingDay) -> None:
        """Release what settles by this day."""
        for due in [d for d in self.settles if d <= day]:
            self.unsettled -= self.settles.pop(due)

    def close_day(self) -> None:
        """Add the day to the sums since the run began."""
        for rows in self.day_lines.values():
            _add(self.lines, rows)
        self.day_lines.clear()

    def charges(self) -> ChargeLines:
        """Return all charges booked since the run began."""
        sums = self.lines[:]
        for rows in self.day_lines.values():
            _add(sums, rows)
        return ChargeLines(*map(Cash, sums))

    def charged_today(self, strategy: StrategyId) -> ChargeLines:
        """Return today's booked charges of a strategy."""
        sums = [0] * len(LINES)
        _add(sums, self.day_lines.get(strategy, ()))
        return ChargeLines(*map(Cash, sums))


def _add(sums: list[int], rows: Iterable[tuple[int, ...]]) -> None:
    for row in rows:
        for index, amount in enumerate(row):
            sums[index] += amount
