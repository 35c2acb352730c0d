"""Shares that are held for delivery, and how a day's trades become part of them (fact sheet 2.6.1, 2.6.2 and 8.5).

What was bought today is a position; on the next trading day it is T1, on the one after it is settled. What is sold
stays in `quantity` for the day and counts as used; sources do not agree on it.
"""

from typing import Any

import msgspec

from manjha.domain.moments import TradingDay, at
from manjha.domain.money import proportion
from manjha.exchange.market.listing import Listed
from manjha.exchange.wire import average_of, rupees, stamp


class Holding(msgspec.Struct):
    """Shares of one instrument; `value` is what `settled` and `t1` cost together, in 1e-4 rupee.

    `mtf` and `mtf_value` are those bought with the broker's money. `authorised` may leave the demat account today.
    """

    settled: int = 0
    t1: int = 0
    value: int = 0
    mtf: int = 0
    mtf_value: int = 0
    authorised: int = 0

    @property
    def held(self) -> int:
        """Shares of one's own."""
        return self.settled + self.t1

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not self.held and not self.mtf

    def settle(self) -> None:
        """Begin a day: what was T1 is in the account, and what was authorised is not any more."""
        self.settled += self.t1
        self.t1 = self.authorised = 0

    def take(self, qty: int, value: int) -> None:
        """Take what a day's delivery trades come to: bought (positive), or sold out of the holding, settled first."""
        if qty >= 0:
            self.t1 += qty
            self.value += value
            return
        sold = min(-qty, self.held)
        if sold:
            self.value -= proportion(self.value, sold, self.held)
        from_settled = min(sold, self.settled)
        self.settled -= from_settled
        self.t1 -= sold - from_settled

    def take_mtf(self, qty: int, value: int) -> None:
        """Take what a day's trades with the broker's money come to."""
        if qty >= 0:
            self.mtf += qty
            self.mtf_value += value
            return
        sold = min(-qty, self.mtf)
        if sold:
            self.mtf_value -= proportion(self.mtf_value, sold, self.mtf)
        self.mtf -= sold


class Today(msgspec.Struct, frozen=True, gc=False):
    """What the day makes of a holding: prices in 1e-4 rupee, and shares sold out of it. `margin` is of the MTF part."""

    day: TradingDay
    close: int
    last: int
    used: int = 0
    mtf_used: int = 0
    margin: int = 0


def isin_of(listed: Listed) -> str:
    """Return the ISIN of a share; where none is known, one of 12 characters that no share can have."""
    return listed.instrument.isin or f"SIM{listed.token % 10**9:09d}"


def shown(holding: Holding, listed: Listed, today: Today) -> dict[str, Any]:
    """Return a holding as `/portfolio/holdings` shows it."""
    average, mtf_average = average_of(holding.value, holding.held), average_of(holding.mtf_value, holding.mtf)
    change = today.last - today.close
    return {
        "tradingsymbol": listed.symbol,
        "exchange": listed.exchange,
        "instrument_token": listed.token,
        "isin": isin_of(listed),
        "product": "CNC",
        "price": 0,
        "quantity": holding.settled,
        "used_quantity": today.used,
        "t1_quantity": holding.t1,
        "realised_quantity": holding.settled,
        "authorised_quantity": holding.authorised,
        "authorised_date": stamp(at(today.day, 0)),
        "authorisation": {},
        "opening_quantity": holding.held,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": average,
        "last_price": rupees(today.last),
        "close_price": rupees(today.close),
        "pnl": rupees(profit(holding, today.last)),
        "day_change": rupees(change),
        "day_change_percentage": change * 100 / today.close if today.close else 0,
        "mtf": {
            "quantity": holding.mtf,
            "used_quantity": today.mtf_used,
            "average_price": mtf_average,
            "value": rupees(holding.mtf_value),
            "initial_margin": rupees(today.margin),
        },
    }


def compact(holding: Holding, listed: Listed) -> dict[str, Any]:
    """Return a holding as `/portfolio/holdings/compact` shows it."""
    return {
        "exchange": listed.exchange,
        "tradingsymbol": listed.symbol,
        "instrument_token": listed.token,
        "t1_quantity": holding.t1,
        "quantity": holding.settled,
    }


def profit(holding: Holding, last: int) -> int:
    """Return the profit of all shares of one's own at a price, in 1e-4 rupee."""
    return holding.held * last - holding.value


def summary(rows: list[tuple[Holding, Today]]) -> dict[str, Any]:
    """Return the sums over holdings as `/portfolio/holdings/summary` shows them."""
    invested = sum(holding.value for holding, _ in rows)
    current = sum(holding.held * today.last for holding, today in rows)
    before = sum(holding.held * today.close for holding, today in rows)
    return {
        "total_pnl": rupees(current - invested),
        "total_pnl_percent": (current - invested) * 100 / invested if invested else 0,
        "today_pnl": rupees(current - before),
        "today_pnl_percent": (current - before) * 100 / before if before else 0,
        "invested_amount": rupees(invested),
        "current_value": rupees(current),
    }
