"""What can be traded, as of a day, and how it is named."""

from enum import StrEnum
from typing import NewType

import msgspec

from manjha.domain.moments import TradingDay, format_day
from manjha.domain.money import Px, Qty, format_px

InstrumentId = NewType("InstrumentId", str)
"""Stable name of an instrument for all time. Cash: `NSE:INE002A01018`; where no ISIN is known `NSE:RELIANCE`
(joined later by an alias). Index: `NSE:#NIFTY 50`. Future: `NFO:NIFTY:2026-11-24:FUT`. Option:
`NFO:NIFTY:2026-11-24:CE:26000` with the strike as `format_strike` writes it."""


class Exchange(StrEnum):
    """Where it trades. NFO, BFO, CDS and BCD are the derivative sides of NSE and BSE."""

    NSE = "NSE"
    BSE = "BSE"
    NFO = "NFO"
    BFO = "BFO"
    CDS = "CDS"
    BCD = "BCD"
    MCX = "MCX"


class Kind(StrEnum):
    """What it is."""

    EQUITY = "equity"
    ETF = "etf"
    INDEX = "index"
    FUTURE = "future"
    OPTION = "option"


class Asset(StrEnum):
    """What it is on: decides sessions, charges and margins."""

    EQUITY = "equity"
    INDEX = "index"
    CURRENCY = "currency"
    COMMODITY = "commodity"


class Right(StrEnum):
    """Call or put."""

    CALL = "CE"
    PUT = "PE"


class Instrument(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An instrument as of a day: tick, lot and freeze quantity change over time, the id does not.

    `tick` in 1e-4 rupee. `lot` and `freeze` in units; `freeze` 0 means no limit is known. `multiplier` converts the
    broker's lots to units where the exchange counts lots (MCX, CDS). `has_derivatives` moves a share's closing time and
    price bands. `expiry`, `strike`, `right` and `underlying` are set for derivatives only.
    """

    id: InstrumentId
    symbol: str
    exchange: Exchange
    kind: Kind
    asset: Asset
    tick: Px
    lot: Qty = Qty(1)
    freeze: Qty = Qty(0)
    multiplier: int = 1
    isin: str = ""
    series: str = ""
    name: str = ""
    has_derivatives: bool = False
    underlying: str = ""
    expiry: TradingDay | None = None
    strike: Px | None = None
    right: Right | None = None

    @property
    def display(self) -> str:
        """What people type and read: `NSE:RELIANCE`."""
        return f"{self.exchange}:{self.symbol}"

    @property
    def is_derivative(self) -> bool:
        """Whether it is a future or an option."""
        return self.kind is Kind.FUTURE or self.kind is Kind.OPTION

    @property
    def is_tradable(self) -> bool:
        """Whether orders can be placed in it; an index cannot be bought."""
        return self.kind is not Kind.INDEX


def format_strike(strike: int) -> str:
    """Write a strike without superfluous zeros: "26000", "287.5"."""
    text = format_px(strike)
    return text.rstrip("0").rstrip(".")


def cash_id(exchange: str, isin_or_symbol: str) -> InstrumentId:
    """Name a share or fund by exchange and ISIN, or by symbol where the source gives no ISIN."""
    return InstrumentId(f"{exchange}:{isin_or_symbol}")


def index_id(exchange: str, name: str) -> InstrumentId:
    """Name an index by exchange and its published name."""
    return InstrumentId(f"{exchange}:#{name}")


def future_id(exchange: str, underlying: str, expiry: TradingDay) -> InstrumentId:
    """Name a future by exchange, underlying and expiry."""
    return InstrumentId(f"{exchange}:{underlying}:{format_day(expiry)}:FUT")


def option_id(exchange: str, underlying: str, expiry: TradingDay, right: Right, strike: int) -> InstrumentId:
    """Name an option by exchange, underlying, expiry, right and strike (in 1e-4 rupee)."""
    return InstrumentId(f"{exchange}:{underlying}:{format_day(expiry)}:{right}:{format_strike(strike)}")
