"""Margin that a new position needs, per product and instrument; exact integers from the rules and the pricing model."""

from collections.abc import Callable

from manjha.domain.instrument import Asset, Instrument, Kind
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO
from manjha.market.margin_rules import cash_requirement
from manjha.market.rules import MarketRules

INDEX_SCAN, INDEX_EXPOSURE = 85_000_000, 30_000_000
"""Default price scan range and exposure of index contracts, in 1e-9 (INDIAN_MARKETS section 4.2)."""
STOCK_SCAN, STOCK_EXPOSURE = 170_000_000, 35_000_000
"""The same for single-stock contracts; the scan range is unverified."""
SHORT_OPTION_FLOOR = 30_000_000
"""Least margin of a short option in 1e-9 of its notional, on top of the scan's answer (old SPAN parameters)."""


def futures_rate(instrument: Instrument) -> int:
    """Return scan range plus exposure of a future in 1e-9 of its notional."""
    if instrument.asset is Asset.INDEX:
        return INDEX_SCAN + INDEX_EXPOSURE
    return STOCK_SCAN + STOCK_EXPOSURE


def option_short_requirement(instrument: Instrument, qty: int, spot: int) -> int:
    """Return the margin of a naked short option: scan range less how far it is out of the money, plus exposure.

    A deterministic estimate for the gate of a backtest; spreads get their hedge benefit only in `pricing.margin`.
    """
    index = instrument.asset is Asset.INDEX
    scan, exposure = (INDEX_SCAN, INDEX_EXPOSURE) if index else (STOCK_SCAN, STOCK_EXPOSURE)
    strike = instrument.strike or spot
    out_of_money = max(0, strike - spot) if instrument.right == "CE" else max(0, spot - strike)
    scanned = max(spot * scan // NANO - out_of_money, spot * SHORT_OPTION_FLOOR // NANO)
    return qty * (scanned + spot * exposure // NANO)


def requirement(
    rules: MarketRules, day: TradingDay, spot_of: Callable[[Instrument], int]
) -> Callable[[Instrument, Product, int, int], int]:
    """Return the gate's question for one day: margin for opening a signed quantity at a price, in 1e-4 rupee.

    `spot_of` gives the underlying's last price for a short option; 0 where it is not known (then the strike counts).
    """

    def required(instrument: Instrument, product: Product, signed: int, px: int) -> int:
        if instrument.kind is Kind.OPTION:
            if signed > 0:
                return signed * px
            spot = spot_of(instrument) or instrument.strike or px
            return option_short_requirement(instrument, -signed, spot)
        value = abs(signed) * px
        if instrument.kind is Kind.FUTURE:
            return value * futures_rate(instrument) // NANO
        return cash_requirement(rules, product, day, Cash(value))

    return required
