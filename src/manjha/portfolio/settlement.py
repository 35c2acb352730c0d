"""Settlement of delivery shares: bought today, T1 (bought, not yet in the account), and settled holdings.

Rules: INDIAN_MARKETS section 4.1 (proceeds) and 4.3 (states of a cash buy).
"""

from manjha.domain.moments import TradingDay, parse_day
from manjha.domain.money import Qty


class Holding:
    """Delivery shares of one position by settlement. `today` were bought today, `t1` wait by day, `settled` are in."""

    __slots__ = ("settled", "t1", "today")

    def __init__(self) -> None:
        self.today = 0
        self.t1: dict[TradingDay, int] = {}
        self.settled = 0

    @property
    def total(self) -> Qty:
        """All shares that may be sold."""
        return Qty(self.today + sum(self.t1.values()) + self.settled)

    def buy(self, qty: int) -> None:
        """Take shares bought today."""
        self.today += qty

    def sell(self, qty: int) -> tuple[int, int, int]:
        """Give shares away: today's first (that is intraday), then settled ones, then T1, oldest first.

        Returns
        -------
        How many came from today, from the settled holding, and from T1.
        """
        if qty <= self.today:
            self.today -= qty
            return qty, 0, 0
        from_today, from_settled, from_t1 = self.parts(qty)
        self.today = 0
        self.settled -= from_settled
        left = from_t1
        for day in sorted(self.t1):
            part = min(left, self.t1[day])
            self.t1[day] -= part
            left -= part
        self.t1 = {day: held for day, held in self.t1.items() if held}
        return from_today, from_settled, from_t1

    def parts(self, qty: int) -> tuple[int, int, int]:
        """Return how many of the next `qty` sold would come from today, from the settled holding, and from T1."""
        from_today = min(qty, self.today)
        from_settled = min(qty - from_today, self.settled)
        return from_today, from_settled, min(qty - from_today - from_settled, sum(self.t1.values()))

    def close_day(self, settles: TradingDay) -> None:
        """End the day: what was bought today becomes T1 until the day it settles."""
        if self.today:
            self.t1[settles] = self.t1.get(settles, 0) + self.today
            self.today = 0

    def open_day(self, day: TradingDay) -> None:
        """Begin a day: what settles by today is in the account."""
        for due in [d for d in self.t1 if d <= day] if self.t1 else ():
            self.settled += self.t1.pop(due)

    def rescale(self, new_shares: int, old_shares: int, total: int) -> None:
        """Apply a split or bonus; `total` is what is held afterwards, fractions paid out. Rests go to the settled."""
        self.today = self.today * new_shares // old_shares
        self.t1 = {day: held * new_shares // old_shares for day, held in self.t1.items()}
        self.settled = total - self.today - sum(self.t1.values())


EARLY_PAYIN_FROM = parse_day("2024-10-07")
"""Since then all proceeds of demat shares are usable at once (early pay-in); source: INDIAN_MARKETS section 4.1."""
UPFRONT_FROM = parse_day("2020-12-01")
"""Since then four fifths were usable at once; before, brokers gave all of it."""


def held_back(from_settled: int, from_t1: int, px: int, day: int) -> int:
    """Return the proceeds of a delivery sale that can be used on the next trading day only, in 1e-4 rupee.

    All of what came from T1 shares, and between 2020-12-01 and 2024-10-06 a fifth of what came from settled ones.
    """
    amount = from_t1 * px
    if UPFRONT_FROM <= day < EARLY_PAYIN_FROM:
        amount += from_settled * px // 5
    return amount
