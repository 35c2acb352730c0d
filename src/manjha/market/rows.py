"""The rows of the market's tables. Rates and fractions are in 1e-9, prices and amounts in 1e-4 rupee.

`first` and `last` are trade dates, both included (expiry dates where a class says so); clocks are nanoseconds since
midnight IST. The tables themselves lie in `market/tables`.
"""

from enum import StrEnum

import msgspec

from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash, Px, Qty


class Confidence(StrEnum):
    """How sure a row is. USER marks a row that came from the user's own file."""

    CERTAIN = "certain"
    LIKELY = "likely"
    UNVERIFIED = "unverified"
    USER = "user"


class Basis(msgspec.Struct, frozen=True, gc=False):
    """What a row rests on."""

    source: str
    confidence: Confidence
    note: str = ""


class BrokerageRow(msgspec.Struct, frozen=True, gc=False):
    """Fee of one executed order. `kind` is a `BrokerageKind`; `cap` is the fee itself where it is flat."""

    segment: str
    first: TradingDay
    last: TradingDay
    kind: int
    rate: int
    cap: Cash
    basis: Basis


class SidedRow(msgspec.Struct, frozen=True, gc=False):
    """A rate for each side: transaction tax, stamp duty."""

    segment: str
    first: TradingDay
    last: TradingDay
    buy: int
    sell: int
    basis: Basis


class ExerciseRow(msgspec.Struct, frozen=True, gc=False):
    """Tax on an exercised option. `on_intrinsic`: on intrinsic value, else on the settlement price."""

    segment: str
    first: TradingDay
    last: TradingDay
    rate: int
    on_intrinsic: bool
    basis: Basis


class ExchangeRow(msgspec.Struct, frozen=True, gc=False):
    """Exchange charge and investor protection levy. Empty `underlyings` means all that no other row names."""

    exchange: str
    segment: str
    underlyings: tuple[str, ...]
    first: TradingDay
    last: TradingDay
    rate: int
    ipft: int
    basis: Basis


class BseGroupRow(msgspec.Struct, frozen=True, gc=False):
    """Exchange charge of an exclusive BSE group, in place of the cash row."""

    group: str
    first: TradingDay
    last: TradingDay
    rate: int
    basis: Basis


class SebiRow(msgspec.Struct, frozen=True, gc=False):
    """SEBI's turnover fee; agricultural commodities have a rate of their own."""

    first: TradingDay
    last: TradingDay
    rate: int
    agri_rate: int
    basis: Basis


class GstRow(msgspec.Struct, frozen=True, gc=False):
    """GST, or service tax before it; `on_sebi` says whether the SEBI fee is in its base."""

    first: TradingDay
    last: TradingDay
    rate: int
    on_sebi: bool
    basis: Basis


class DpRow(msgspec.Struct, frozen=True, gc=False):
    """Depository charge before GST, per ISIN and day of a delivery sale."""

    first: TradingDay
    last: TradingDay
    amount: Cash
    basis: Basis


class FeeRow(msgspec.Struct, frozen=True, gc=False):
    """Another fee: a fixed amount, or a rate of a value; `taxed` adds GST."""

    name: str
    first: TradingDay
    last: TradingDay
    amount: Cash
    rate: int
    taxed: bool
    basis: Basis


class UntaxedEtfRow(msgspec.Struct, frozen=True, gc=False):
    """A fund whose units pay no STT because it is not equity-oriented."""

    symbol: str
    kind: str
    basis: Basis


class HolidayRow(msgspec.Struct, frozen=True, gc=False):
    """A weekday on which shares and their derivatives do not trade."""

    day: TradingDay
    name: str
    basis: Basis


class McxDayRow(msgspec.Struct, frozen=True, gc=False):
    """What MCX does on a holiday of shares: "closed", "evening" (from 17:00) or "full"."""

    day: TradingDay
    hours: str
    basis: Basis


class SpecialSessionRow(msgspec.Struct, frozen=True, gc=False):
    """A day with hours of its own on the named exchanges. `windows` are (start, end) clocks of continuous trading."""

    day: TradingDay
    exchanges: tuple[str, ...]
    kind: str
    windows: tuple[tuple[int, int], ...]
    what: str
    basis: Basis


class SettlementHolidayRow(msgspec.Struct, frozen=True, gc=False):
    """A day that trades but does not settle; currency derivatives are closed on it."""

    day: TradingDay
    name: str
    basis: Basis


class SettlementRow(msgspec.Struct, frozen=True, gc=False):
    """Settlement days from trade to settlement in the cash segment."""

    first: TradingDay
    last: TradingDay
    days: int
    basis: Basis


class PhaseRow(msgspec.Struct, frozen=True, gc=False):
    """One phase of a usual day, [start, end) as clocks."""

    kind: str
    start: int
    end: int
    what: str


class SessionRow(msgspec.Struct, frozen=True, gc=False):
    """The usual day of a segment.

    `winter_close` (0: none) is the close while the United States are off daylight saving; `expiring_close` (0: none) is
    when contracts that expire that day stop: all of them, or only those on an index. `auction_band` in 1e-9.
    """

    segment: str
    first: TradingDay
    last: TradingDay
    phases: tuple[PhaseRow, ...]
    closing_price: str
    auction_band: int
    winter_close: int
    expiring_close: int
    expiring_index_only: bool
    basis: Basis


class SquareOffRow(msgspec.Struct, frozen=True, gc=False):
    """When the broker squares off intraday positions: at a clock, or (clock 0) so long before the close."""

    segment: str
    first: TradingDay
    last: TradingDay
    clock: int
    before_close: int
    basis: Basis


class AmoRow(msgspec.Struct, frozen=True, gc=False):
    """When after-market orders are taken (overnight, start to end) and sent to the exchange."""

    segment: str
    first: TradingDay
    last: TradingDay
    start: int
    end: int
    release: int
    basis: Basis


class BlockDealRow(msgspec.Struct, frozen=True, gc=False):
    """A window of block deals."""

    first: TradingDay
    last: TradingDay
    start: int
    end: int
    basis: Basis


class CommodityRow(msgspec.Struct, frozen=True, gc=False):
    """What a commodity is: its session class, and its tick (0: take it from the instrument dump)."""

    underlying: str
    kind: str
    tick: Px
    basis: Basis


class ExpiryRow(msgspec.Struct, frozen=True, gc=False):
    """Expiry weekday (Monday 0) of contracts that expire within [first, last]."""

    underlying: str
    exchange: str
    cycle: str
    first: TradingDay
    last: TradingDay
    weekday: int
    basis: Basis


class LotRow(msgspec.Struct, frozen=True, gc=False):
    """Lot of contracts that expire within [first, last]; `cycle` is weekly, monthly or all."""

    underlying: str
    exchange: str
    cycle: str
    first: TradingDay
    last: TradingDay
    lot: Qty
    basis: Basis


class FreezeRow(msgspec.Struct, frozen=True, gc=False):
    """Largest quantity of one order."""

    underlying: str
    exchange: str
    first: TradingDay
    last: TradingDay
    qty: Qty
    basis: Basis


class FreezeLevel(msgspec.Struct, frozen=True, gc=False):
    """Freeze quantity of an index by its level, above (excluded) to up_to (included; 0: no end)."""

    above: Px
    up_to: Px
    qty: Qty
    basis: Basis


class TickRow(msgspec.Struct, frozen=True, gc=False):
    """Tick of a segment for reference prices above (excluded) to up_to (included; 0: no end)."""

    exchange: str
    segment: str
    first: TradingDay
    last: TradingDay
    above: Px
    up_to: Px
    tick: Px
    basis: Basis


class PriceProtectionRow(msgspec.Struct, frozen=True, gc=False):
    """Limit price protection around a reference price: a fraction of it, or (fraction 0) an amount."""

    kind: str
    first: TradingDay
    last: TradingDay
    above: Px
    up_to: Px
    fraction: int
    amount: Px
    basis: Basis


class MarketProtectionRow(msgspec.Struct, frozen=True, gc=False):
    """The broker's automatic market protection by last price, at_least (included) to below (excluded; 0: no end)."""

    kind: str
    first: TradingDay
    last: TradingDay
    at_least: Px
    below: Px
    fraction: int
    basis: Basis


class BreakerRow(msgspec.Struct, frozen=True, gc=False):
    """Index circuit breaker: at this fall, between these clocks, so many minutes of halt (-1: rest of the day)."""

    fall: int
    after: int
    before: int
    halt_minutes: int
    basis: Basis


class BandStep(msgspec.Struct, frozen=True, gc=False):
    """One widening of a dynamic price band: by how much, after how many minutes of cooling off."""

    step: int
    move: int
    cooling_minutes: int
    basis: Basis


class FractionRow(msgspec.Struct, frozen=True, gc=False):
    """A margin as a fraction of value."""

    first: TradingDay
    last: TradingDay
    fraction: int
    basis: Basis


class DerivativeMarginRow(msgspec.Struct, frozen=True, gc=False):
    """Margin parameters of derivatives on an asset, as fractions."""

    asset: str
    first: TradingDay
    last: TradingDay
    scan_range: int
    exposure: int
    expiry_exposure: int
    volatility_range: int
    short_option_min: int
    basis: Basis
