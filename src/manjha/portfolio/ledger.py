"""The cash ledger: money in the account, margin held, charges booked, by line and exactly.

Bought delivery shares and option premiums move cash in full. Intraday shares and futures move only their profit, at
the fill that realises it, and hold margin. So equity is always
cash + Σ value of paid positions + Σ unrealised of margined ones.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, zip_longest

from msgspec.structs import astuple

from manjha.domain.charges import ChargeLines
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import StrategyId

_ROWS_KEPT = 1_000
"""How many bookings of past days are kept before they are added up: a sum a day costs more than the rows."""


class Ledger:
    """Cash of one account. Amounts in 1e-4 rupee.

    `margin` is held for positions, `reserved` for open orders, `unsettled` are proceeds not usable before
    `settles[day]`. `day_lines` are today's charges by strategy, one row a booking; `past_lines` are those of the
    days before, kept as rows until there are many, and then as one.
    """

    __slots__ = (
        "cash", "day_lines", "initial", "margin", "margin_peak", "past_lines", "reserved", "settles", "unsettled",
    )  # fmt: skip

    def __init__(self, initial: Cash) -> None:
        self.initial = initial
        self.cash = int(initial)
        self.margin = 0
        self.margin_peak = 0
        self.reserved = 0
        self.unsettled = 0
        self.settles: dict[TradingDay, int] = {}
        self.past_lines: list[tuple[int, ...]] = []
        self.day_lines: defaultdict[StrategyId, list[tuple[int, ...]]] = defaultdict(list)

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
        self.day_lines[strategy].append(lines)
        self.cash -= sum(lines)

    def hold_back(self, amount: int, until: TradingDay) -> None:
        """Keep proceeds from being used until a day's session opens."""
        self.unsettled += amount
        self.settles[until] = self.settles.get(until, 0) + amount

    def open_day(self, day: TradingDay) -> None:
        """Release what settles by this day."""
        for due in [d for d in self.settles if d <= day] if self.settles else ():
            self.unsettled -= self.settles.pop(due)

    def close_day(self) -> None:
        """Add the day's bookings to those of the days before."""
        if self.day_lines:
            for rows in self.day_lines.values():
                self.past_lines += rows
            self.day_lines.clear()
            if len(self.past_lines) > _ROWS_KEPT:
                self.past_lines = [astuple(_sums(self.past_lines))]

    def charges(self) -> ChargeLines:
        """Return all charges booked since the run began."""
        return _sums(chain(self.past_lines, *self.day_lines.values()))

    def charged_today(self, strategy: StrategyId) -> ChargeLines:
        """Return today's booked charges of a strategy."""
        return _sums(self.day_lines.get(strategy, ()))


def _sums(rows: Iterable[tuple[int, ...]]) -> ChargeLines:
    # Column by column; a row that is a prefix has nothing in the columns it lacks.
    return ChargeLines(*map(sum, zip_longest(*rows, fillvalue=0)))  # type: ignore[arg-type]
