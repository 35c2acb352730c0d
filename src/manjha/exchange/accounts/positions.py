"""Positions of a day and what they become overnight: the formulas of fact sheet 2.6.4, in whole numbers.

Quantities are units, amounts 1e-4 rupee; the multiplier of the wire is the units of one of its quantity, so that
price × quantity × multiplier there is price × units here.
"""

from typing import Any, NamedTuple

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.money import proportion
from manjha.domain.orders import Product
from manjha.exchange.market.listing import Listed
from manjha.exchange.wire import average_of, rupees


class Key(NamedTuple):
    """Which position: an instrument (which is an exchange and a symbol) held as a product."""

    instrument: InstrumentId
    product: Product


class Row(msgspec.Struct):
    """A position: what was carried into the day, and what was bought and sold in it.

    `overnight` is signed; `carried` is what it cost, or brought where it was sold, never negative. A row whose quantity
    comes to 0 stays for the day.
    """

    overnight: int = 0
    carried: int = 0
    buy_qty: int = 0
    buy_value: int = 0
    sell_qty: int = 0
    sell_value: int = 0

    @property
    def qty(self) -> int:
        """What is held now, signed."""
        return self.overnight + self.buy_qty - self.sell_qty

    @property
    def has_traded(self) -> bool:
        """Whether anything was bought or sold today."""
        return self.buy_qty > 0 or self.sell_qty > 0

    @property
    def bought(self) -> tuple[int, int]:
        """Units bought, the carried ones included, and what they cost."""
        is_long = self.overnight > 0
        return self.buy_qty + max(self.overnight, 0), self.buy_value + (self.carried if is_long else 0)

    @property
    def sold(self) -> tuple[int, int]:
        """Units sold, the carried ones included, and what they brought."""
        is_short = self.overnight < 0
        return self.sell_qty + max(-self.overnight, 0), self.sell_value + (self.carried if is_short else 0)

    @property
    def open_value(self) -> int:
        """What the open quantity cost, or brought, at the average of its side; never negative, rounded down."""
        if not self.qty:
            return 0
        count, value = self.bought if self.qty > 0 else self.sold
        return proportion(value, abs(self.qty), count)

    def trade(self, side: int, qty: int, px: int) -> None:
        """Take a trade."""
        if side > 0:
            self.buy_qty += qty
            self.buy_value += qty * px
        else:
            self.sell_qty += qty
            self.sell_value += qty * px

    def take_out(self, qty: int, *, overnight: bool) -> int:
        """Take an open quantity (signed) out, as a conversion does; return what it cost or brought.

        Of what was carried, or of the side of today that opened it; at most as much as is open there.
        """
        if overnight:
            value = proportion(self.carried, abs(qty), abs(self.overnight))
            self.overnight -= qty
            self.carried -= value
        elif qty > 0:
            value = proportion(self.buy_value, qty, self.buy_qty)
            self.buy_qty -= qty
            self.buy_value -= value
        else:
            value = proportion(self.sell_value, -qty, self.sell_qty)
            self.sell_qty += qty
            self.sell_value -= value
        return value

    def put_in(self, qty: int, value: int, *, overnight: bool) -> None:
        """Put a quantity in that was taken out elsewhere."""
        if overnight:
            self.overnight += qty
            self.carried += value
        elif qty > 0:
            self.buy_qty += qty
            self.buy_value += value
        else:
            self.sell_qty -= qty
            self.sell_value += value

    def overnight_row(self) -> "Row | None":
        """Return the row that the next day begins with; None where nothing is held."""
        return Row(overnight=self.qty, carried=self.open_value) if self.qty else None

    def of_today(self) -> "Row":
        """Return the row of today's trades alone."""
        return Row(
            buy_qty=self.buy_qty, buy_value=self.buy_value, sell_qty=self.sell_qty, sell_value=self.sell_value
        )  # fmt: skip


def joined(one: Row, other: Row) -> Row:
    """Return one row of what two carry; what is long in the one and short in the other closes, at its average."""
    qty = one.overnight + other.overnight
    if one.overnight * other.overnight >= 0:
        return Row(overnight=qty, carried=one.carried + other.carried)
    larger = max((one, other), key=lambda row: abs(row.overnight))
    return Row(overnight=qty, carried=proportion(larger.carried, abs(qty), abs(larger.overnight)))


class Worth(NamedTuple):
    """What a row is worth at a price; amounts in 1e-4 rupee."""

    value: int
    pnl: int
    buy_m2m: int
    sell_m2m: int
    m2m: int


def worth(row: Row, close: int, last: int) -> Worth:
    """Return the amounts of a row; `close` is the previous session's price."""
    value = row.sold[1] - row.bought[1]
    buy_m2m = max(row.overnight, 0) * close + row.buy_value
    sell_m2m = max(-row.overnight, 0) * close + row.sell_value
    return Worth(value, value + row.qty * last, buy_m2m, sell_m2m, sell_m2m - buy_m2m + row.qty * last)


def shown(row: Row, listed: Listed, product: Product, close: int, last: int) -> dict[str, Any]:
    """Return a row as `/portfolio/positions` shows it."""
    unit, amounts = listed.unit, worth(row, close, last)
    (bought, cost), (sold, brought) = row.bought, row.sold
    opened = average_of(cost, bought) if row.qty > 0 else average_of(brought, sold)
    return {
        "tradingsymbol": listed.symbol,
        "exchange": listed.exchange,
        "instrument_token": listed.token,
        "product": str(product),
        "quantity": row.qty // unit,
        "overnight_quantity": row.overnight // unit,
        "multiplier": unit,
        "average_price": opened if row.qty else 0,
        "close_price": rupees(close),
        "last_price": rupees(last),
        "value": rupees(amounts.value),
        "pnl": rupees(amounts.pnl),
        "m2m": rupees(amounts.m2m),
        "unrealised": rupees(amounts.pnl),
        "realised": 0,
        "buy_quantity": bought // unit,
        "buy_price": average_of(cost, bought),
        "buy_value": rupees(cost),
        "buy_m2m": rupees(amounts.buy_m2m),
        "sell_quantity": sold // unit,
        "sell_price": average_of(brought, sold),
        "sell_value": rupees(brought),
        "sell_m2m": rupees(amounts.sell_m2m),
        "day_buy_quantity": row.buy_qty // unit,
        "day_buy_price": average_of(row.buy_value, row.buy_qty),
        "day_buy_value": rupees(row.buy_value),
        "day_sell_quantity": row.sell_qty // unit,
        "day_sell_price": average_of(row.sell_value, row.sell_qty),
        "day_sell_value": rupees(row.sell_value),
    }
