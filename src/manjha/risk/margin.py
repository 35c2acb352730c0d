"""Margin of one account: what an order needs, and what is held for positions.

Shares by the dated fractions of `market.margin_rules`; futures and options by the scan of `pricing.margin`, all
contracts on one underlying together, so that a hedge counts. Live orders ask the broker; this is the model.
"""

from collections.abc import Mapping, Sequence

from manjha.domain.instrument import Asset, Instrument, InstrumentId, Kind
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import Product
from manjha.market.margin_rules import cash_requirement, derivative_margin, futures_requirement, scaled_up
from manjha.market.rows import DerivativeMarginRow
from manjha.market.rules import MarketRules
from manjha.portfolio.book import Portfolio
from manjha.portfolio.positions import Position
from manjha.pricing.margin import DerivativeLeg, MarginBreakdown, MarginParams, derivatives_requirement, years_between

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

    def for_order(
        self, instrument: Instrument, product: Product, opening: int, px: int, closing: int = 0
    ) -> int | None:
        """Return what opening a signed quantity at a price needs; None when the underlying's price is not known.

        For an option bought that is its premium; for contracts, what the margin of all contracts on the underlying
        would grow by, once the order has closed `closing` (signed like `opening`) before.
        """
        if product is _CNC:
            return abs(opening) * px
        if not instrument.is_derivative:
            return cash_requirement(self.rules, product, self.day, abs(opening) * px)
        after = self._group(instrument, (instrument, opening + closing, px))
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

    def freed(self, position: Position, closing: int) -> int:
        """Return what closing a quantity of a contract frees; 0 where others on its underlying are held too."""
        underlying = self.instruments[position.key.instrument].underlying
        sharing = [
            other
            for other in self.portfolio.open_positions()
            if self.instruments[other.key.instrument].underlying == underlying
        ]
        return self.held.get(underlying, 0) * closing // abs(position.qty) if len(sharing) == 1 else 0

    def parts(
        self, instrument: Instrument, more: Sequence[tuple[Instrument, int, int]], *, with_held: bool = True
    ) -> MarginBreakdown | None:
        """Return the margin of all contracts on an underlying with some more in its parts, as brokers' calculators do.

        Span and exposure sum up to what `hold` would hold; None when the underlying's price is not known. `more` are
        contracts with signed quantity and price; `with_held` false leaves out what the account has.
        """
        entries = [*(self._entries(instrument) if with_held else ()), *more]
        premium = Cash(sum(qty * px for one, qty, px in more if one.kind is Kind.OPTION))
        if not entries:
            return MarginBreakdown(Cash(0), Cash(0), Cash(0))
        if _is_one_future(entries):
            row = self._row(instrument)
            notional = abs(sum(qty * px for _, qty, px in entries))
            return MarginBreakdown(scaled_up(notional, row.scan_range), scaled_up(notional, row.exposure), premium)
        if all(held.kind is Kind.OPTION and qty > 0 for held, qty, _ in entries):
            return MarginBreakdown(Cash(0), Cash(0), premium)
        found = self._scanned(instrument, entries)
        return None if found is None else MarginBreakdown(found.span, found.exposure, premium)

    def _entries(self, instrument: Instrument) -> list[tuple[Instrument, int, int]]:
        return [
            (held, position.qty, self.marks.get(held.id, 0) or position.average)
            for position in self.portfolio.open_positions()
            if (held := self.instruments[position.key.instrument]).underlying == instrument.underlying
            and held.is_derivative
        ]

    def _row(self, instrument: Instrument) -> DerivativeMarginRow:
        return derivative_margin(self.rules, "index" if instrument.asset is Asset.INDEX else "equity", self.day)

    def _group(self, instrument: Instrument, more: tuple[Instrument, int, int] | None) -> int | None:
        """Return the margin of all contracts on an instrument's underlying, with one more position if given."""
        entries = self._entries(instrument)
        if more is not None:
            entries.append(more)
        if not entries:
            return 0
        if instrument.kind is Kind.FUTURE and _is_one_future(entries):
            row = self._row(instrument)
            return futures_requirement(abs(sum(qty * px for _, qty, px in entries)), row.scan_range, row.exposure)
        if all(held.kind is Kind.OPTION and qty > 0 for held, qty, _ in entries):
            return 0
        found = self._scanned(instrument, entries)
        return None if found is None else found.span + found.exposure

    def _scanned(self, instrument: Instrument, entries: list[tuple[Instrument, int, int]]) -> MarginBreakdown | None:
        row, spot = self._row(instrument), self._spot(instrument, entries)
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
        return derivatives_requirement([self._leg(*entry) for entry in entries], params)

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


def _is_one_future(entries: Sequence[tuple[Instrument, int, int]]) -> bool:
    return len({one.id for one, _, _ in entries}) == 1 and entries[0][0].kind is Kind.FUTURE


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
