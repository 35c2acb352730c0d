"""Margin of one account: what an order needs, and what is held for positions.

Shares by the dated fractions of `market.margin_rules`; futures and options by the scan of `pricing.margin`, all
contracts on one underlying together, so that a hedge counts. Live orders ask the broker; this is the model.
"""

from collections.abc import Mapping

from manjha.domain.instrument import Asset, Instrument, InstrumentId, Kind
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import Product
from manjha.market.margin_rules import cash_requirement, derivative_margin, futures_requirement
from manjha.market.rules import MarketRules
from manjha.portfolio.book import Portfolio
from manjha.portfolio.positions import Position
from manjha.pricing.margin import DerivativeLeg, MarginParams, derivatives_requirement, years_between

_CNC = Product.CNC


class MarginDesk:
    """Knows the positions of an account and the rules of the day.

    `held` is the margin of derivatives by underlying, in 1e-4 rupee; that of shares is on each position.
    """

    __slots__ = ("day", "held", "instruments", "marks", "portfolio", "rules")

    def __init__(
        self,
        rules: MarketRules,
        instruments: Mapping[InstrumentId, Instrument],
        portfolio: Portfolio,
        marks: Mapping[InstrumentId, int],
    ) -> None:
        self.rules = rules
        self.instruments = instruments
        self.portfolio = portfolio
        self.marks = marks
        self.day = TradingDay(0)
        self.held: dict[str, int] = {}

    def for_order(self, instrument: Instrument, product: Product, opening: int, px: int) -> int | None:
        """Return what opening a signed quantity at a price needs; None when the underlying's price is not known.

        For an option bought that is its premium; for contracts, what the margin of all contracts on the underlying
        would grow by.
        """
        if product is _CNC:
            return abs(opening) * px
        if not instrument.is_derivative:
            return cash_requirement(self.rules, product, self.day, abs(opening) * px)
        after = self._group(instrument, (instrument, opening, px))
        if after is None:
            return None
        premium = opening * px if instrument.kind is Kind.OPTION and opening > 0 else 0
        return max(0, after - self.held.get(instrument.underlying, 0)) + premium

    def hold(self, instrument: Instrument, position: Position) -> None:
        """Hold what a changed position needs now."""
        ledger = self.portfolio.ledger
        if not instrument.is_derivative:
            value = abs(position.cost)
            product = position.key.product
            margin = cash_requirement(self.rules, product, self.day, value) if value else 0
            ledger.hold(margin - position.margin)
            position.margin = margin
            return
        margin = self._group(instrument, None) or 0
        ledger.hold(margin - self.held.get(instrument.underlying, 0))
        self.held[instrument.underlying] = margin

    def _group(self, instrument: Instrument, more: tuple[Instrument, int, int] | None) -> int | None:
        """Return the margin of all contracts on an instrument's underlying, with one more position if given."""
        entries = [
            (held, position.qty, self.marks.get(held.id, 0) or position.average)
            for position in self.portfolio.open_positions()
            if (held := self.instruments[position.key.instrument]).underlying == instrument.underlying
            and held.is_derivative
        ]
        if more is not None:
            entries.append(more)
        row = derivative_margin(self.rules, "index" if instrument.asset is Asset.INDEX else "equity", self.day)
        if not entries:
            return 0
        if len({entry[0].id for entry in entries}) == 1 and instrument.kind is Kind.FUTURE:
            return futures_requirement(abs(sum(qty * px for _, qty, px in entries)), row.scan_range, row.exposure)
        if all(held.kind is Kind.OPTION and qty > 0 for held, qty, _ in entries):
            return 0
        spot = self._spot(instrument, entries)
        if not spot:
            return None
        params = MarginParams(
            spot=Px(spot),
            scan_range=row.scan_range,
            exposure=row.exposure,
            expiry_exposure=row.expiry_exposure,
            volatility_range=row.volatility_range,
            short_option_min=row.short_option_min,
        )
        found = derivatives_requirement([self._leg(*entry) for entry in entries], params)
        return found.span + found.exposure

    def _leg(self, contract: Instrument, qty: int, px: int) -> DerivativeLeg:
        expiry = contract.expiry if contract.expiry is not None else self.day
        return DerivativeLeg(
            Qty(qty),
            Px(px),
            years_between(self.day, expiry),
            contract.right,
            contract.strike or Px(0),
            contract.expiry == self.day,
        )

    def _spot(self, instrument: Instrument, entries: list[tuple[Instrument, int, int]]) -> int:
        """Return the underlying's last price: its own, else that of a future on it; 0 when neither is known."""
        for other in self.instruments.values():
            if not other.is_derivative and is_underlying(other, instrument.underlying):
                return self.marks.get(other.id, 0)
        for other in self.instruments.values():
            if other.kind is Kind.FUTURE and other.underlying == instrument.underlying:
                return self.marks.get(other.id, 0)
        return next((px for held, _, px in entries if held.kind is Kind.FUTURE), 0)


_INDEX_NAMES = {
    "NIFTY": "NIFTY 50",
    "BANKNIFTY": "NIFTY BANK",
    "FINNIFTY": "NIFTY FIN SERVICE",
    "MIDCPNIFTY": "NIFTY MID SELECT",
    "NIFTYNXT50": "NIFTY NEXT 50",
}


def is_underlying(instrument: Instrument, underlying: str) -> bool:
    """Tell whether an instrument is what contracts call their underlying: a share's symbol, or an index by alias."""
    symbol = instrument.symbol.upper()
    return symbol in (underlying, _INDEX_NAMES.get(underlying, underlying)) or symbol.replace(" ", "") == underlying


def unrealised_margined(portfolio: Portfolio, marks: Mapping[InstrumentId, int]) -> Cash:
    """Return the profit of positions that are margined, at these prices: losses reduce what is available."""
    total = 0
    for position in portfolio.positions.values():
        if position.qty and position.key not in portfolio.paid:
            px = marks.get(position.key.instrument, 0)
            total += position.qty * px - position.cost if px else 0
    return Cash(total)
