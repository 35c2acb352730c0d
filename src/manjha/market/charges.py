"""Charges of a fill: dated rates as a card of plain integers, and scalar functions over them.

Rates are in 1e-9 of turnover; amounts are in 1e-4 rupee. The ledger books each line of a fill rounded half up at 1e-4
rupee; brokerage belongs to the order, so a fill books what the order's cumulative brokerage grew by. The scalar
functions take and give plain integers, raise nothing and stay inside int64 for turnovers up to `CASH_MAX`, because the
compiled kernel runs the very same functions. `contract_note` makes of a day what the broker's note says.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Protocol, TypeVar

import msgspec

from manjha.domain.errors import OutsideTable, UsageError
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind
from manjha.domain.moments import TradingDay
from manjha.domain.orders import Product
from manjha.market.rows import (
    Basis,
    BrokerageRow,
    BseGroupRow,
    CommodityRow,
    ExchangeRow,
    GstRow,
    SebiRow,
    SidedRow,
)
from manjha.market.rules import HOW_TO_ADD, Dated, MarketRules, in_force, keyed

_VENUES = {
    Exchange.NSE: "NSE",
    Exchange.NFO: "NSE",
    Exchange.CDS: "NSE",
    Exchange.BSE: "BSE",
    Exchange.BFO: "BSE",
    Exchange.BCD: "BSE",
    Exchange.MCX: "MCX",
}


class BrokerageKind(IntEnum):
    """How the fee of an order follows from its turnover. The compiled kernel uses the numbers."""

    FLAT = 0
    PCT_CAP = 1
    PCT = 2


class ChargeSegment(StrEnum):
    """What decides the rates: instrument and product. EQUITY_ETF_DELIVERY names a tax rate only."""

    EQUITY_DELIVERY = "equity_delivery"
    EQUITY_INTRADAY = "equity_intraday"
    EQUITY_MTF = "equity_mtf"
    EQUITY_ETF_DELIVERY = "equity_etf_delivery"
    EQUITY_FUTURES = "equity_futures"
    EQUITY_OPTIONS = "equity_options"
    CURRENCY_FUTURES = "currency_futures"
    CURRENCY_OPTIONS = "currency_options"
    COMMODITY_FUTURES = "commodity_futures"
    COMMODITY_OPTIONS = "commodity_options"


CASH_SEGMENTS = (ChargeSegment.EQUITY_DELIVERY, ChargeSegment.EQUITY_INTRADAY, ChargeSegment.EQUITY_MTF)

_CASH_PRODUCTS = {
    Product.CNC: ChargeSegment.EQUITY_DELIVERY,
    Product.MIS: ChargeSegment.EQUITY_INTRADAY,
    Product.MTF: ChargeSegment.EQUITY_MTF,
}
_DERIVATIVE_SEGMENTS = {
    (Asset.EQUITY, Kind.FUTURE): ChargeSegment.EQUITY_FUTURES,
    (Asset.INDEX, Kind.FUTURE): ChargeSegment.EQUITY_FUTURES,
    (Asset.CURRENCY, Kind.FUTURE): ChargeSegment.CURRENCY_FUTURES,
    (Asset.COMMODITY, Kind.FUTURE): ChargeSegment.COMMODITY_FUTURES,
    (Asset.EQUITY, Kind.OPTION): ChargeSegment.EQUITY_OPTIONS,
    (Asset.INDEX, Kind.OPTION): ChargeSegment.EQUITY_OPTIONS,
    (Asset.CURRENCY, Kind.OPTION): ChargeSegment.CURRENCY_OPTIONS,
    (Asset.COMMODITY, Kind.OPTION): ChargeSegment.COMMODITY_OPTIONS,
}


class RateCard(msgspec.Struct, frozen=True, gc=False):
    """All rates that one instrument and product pays on a day. Rates in 1e-9, `brokerage_cap` in 1e-4 rupee.

    `brokerage_kind` is a `BrokerageKind`; where it is flat, the cap is the fee. `gst_on_sebi` is 1 where the SEBI fee
    is in the base of GST, else 0. The default card charges nothing.
    """

    brokerage_kind: int = BrokerageKind.FLAT
    brokerage_rate: int = 0
    brokerage_cap: int = 0
    stt_buy: int = 0
    stt_sell: int = 0
    exchange: int = 0
    ipft: int = 0
    sebi: int = 0
    stamp_buy: int = 0
    stamp_sell: int = 0
    gst: int = 0
    gst_on_sebi: int = 1


NO_CHARGES = RateCard()
"""The card that charges nothing."""


def line_amount(turnover: int, rate: int) -> int:
    """Return turnover × rate ÷ 1e9 rounded half up, in 1e-4 rupee; neither argument is negative.

    The turnover is split, so that no product exceeds int64 as long as the rate is at most one.
    """
    whole = turnover // 1_000_000_000
    return whole * rate + ((turnover - whole * 1_000_000_000) * rate + 500_000_000) // 1_000_000_000


def order_brokerage(turnover: int, kind: int, rate: int, cap: int) -> int:
    """Return the brokerage of an order that has traded `turnover` so far, in 1e-4 rupee; zero before it trades."""
    if turnover <= 0:
        return 0
    if kind == 0:
        return cap
    # As `line_amount`; written out, like GST below, so that each scalar compiles on its own.
    whole = turnover // 1_000_000_000
    fee = whole * rate + ((turnover - whole * 1_000_000_000) * rate + 500_000_000) // 1_000_000_000
    if kind == 1 and fee > cap:
        return cap
    return fee


def gst_amount(base: int, rate: int) -> int:
    """Return GST on its base (brokerage, exchange charge and, where the card says so, SEBI fee) half up."""
    whole = base // 1_000_000_000
    return whole * rate + ((base - whole * 1_000_000_000) * rate + 500_000_000) // 1_000_000_000


def fill_charges(
    card: RateCard, side: int, turnover: int, order_turnover_before: int
) -> tuple[int, int, int, int, int, int, int]:
    """Return brokerage, stt, exchange, ipft, sebi, stamp and gst of one fill as booked, in 1e-4 rupee.

    `side` is 1 for a buy, -1 for a sale; `turnover` is px × qty; `order_turnover_before` is what the order had traded
    before this fill. Turnovers are at least zero and their sum at most `CASH_MAX`.
    """
    if side > 0:
        tax, duty = card.stt_buy, card.stamp_buy
    else:
        tax, duty = card.stt_sell, card.stamp_sell
    kind, rate, cap = card.brokerage_kind, card.brokerage_rate, card.brokerage_cap
    brokerage = order_brokerage(order_turnover_before + turnover, kind, rate, cap)
    if order_turnover_before:
        brokerage -= order_brokerage(order_turnover_before, kind, rate, cap)
    # A line without a rate costs no call: half of them have none in most segments.
    exchange = line_amount(turnover, card.exchange) if card.exchange else 0
    sebi = line_amount(turnover, card.sebi) if card.sebi else 0
    return (
        brokerage,
        line_amount(turnover, tax) if tax else 0,
        exchange,
        line_amount(turnover, card.ipft) if card.ipft else 0,
        sebi,
        line_amount(turnover, duty) if duty else 0,
        gst_amount(brokerage + exchange + sebi * card.gst_on_sebi, card.gst) if card.gst else 0,
    )


def charge_segment(instrument: Instrument, product: Product) -> ChargeSegment:
    """Return the segment whose rates an instrument pays as a product. Raises `UsageError` where they do not fit."""
    if instrument.is_derivative:
        if product in (Product.NRML, Product.MIS):
            return _DERIVATIVE_SEGMENTS[instrument.asset, instrument.kind]
    elif instrument.is_tradable and product in _CASH_PRODUCTS:
        return _CASH_PRODUCTS[product]
    allowed = "MIS or NRML" if instrument.is_derivative else "CNC, MIS or MTF"
    hint = f"Use {allowed}." if instrument.is_tradable else "An index cannot be bought; trade its futures or options."
    raise UsageError(f"{instrument.display} cannot be traded as {product}", hint=hint)


def rate_card(rules: MarketRules, instrument: Instrument, product: Product, day: TradingDay) -> RateCard:
    """Return the rates of a trade date.

    Raises
    ------
    OutsideTable
        A table has no row for this day, exchange, BSE group or commodity.
    UsageError
        The product does not fit the instrument.
    """
    return segment_card(rules, instrument, charge_segment(instrument, product), day)


def segment_card(rules: MarketRules, instrument: Instrument, segment: ChargeSegment, day: TradingDay) -> RateCard:
    """Return the rates of a segment: a contract note bills delivery that was traded back the same day as intraday."""
    rows = _rows(rules, instrument, segment, day)
    agri = is_agricultural(rules, instrument)
    stt_free = agri or (instrument.kind is Kind.ETF and any(e.symbol == instrument.symbol for e in rules.untaxed_etfs))
    return RateCard(
        brokerage_kind=rows.brokerage.kind,
        brokerage_rate=rows.brokerage.rate,
        brokerage_cap=rows.brokerage.cap,
        stt_buy=0 if stt_free else rows.stt.buy,
        stt_sell=0 if stt_free else rows.stt.sell,
        exchange=rows.group.rate if rows.group else rows.exchange.rate,
        ipft=rows.exchange.ipft,
        sebi=rows.sebi.agri_rate if agri else rows.sebi.rate,
        stamp_buy=rows.stamp.buy,
        stamp_sell=rows.stamp.sell,
        gst=rows.gst.rate,
        gst_on_sebi=int(rows.gst.on_sebi),
    )


def rate_periods(
    rules: MarketRules, instrument: Instrument, product: Product, start: TradingDay, end: TradingDay
) -> tuple[tuple[TradingDay, TradingDay, RateCard], ...]:
    """Return the cards of [start, end], both included, as (first, last, card) without gaps; neighbours differ."""
    days = sorted({start, *(day for day in _change_days(rules) if start < day <= end)})
    periods: list[tuple[TradingDay, TradingDay, RateCard]] = []
    for first, after in zip(days, [*days[1:], end + 1], strict=True):
        card = rate_card(rules, instrument, product, TradingDay(first))
        unchanged = periods and periods[-1][2] == card
        begun = periods.pop()[0] if unchanged else TradingDay(first)
        periods.append((begun, TradingDay(after - 1), card))
    return tuple(periods)


def rate_bases(
    rules: MarketRules, instrument: Instrument, product: Product, day: TradingDay
) -> tuple[tuple[str, Basis], ...]:
    """Return what each line's rate of a day rests on, as (line, basis), for the list of assumptions in a report."""
    rows = _rows(rules, instrument, charge_segment(instrument, product), day)
    exchange = rows.group.basis if rows.group else rows.exchange.basis
    return (
        ("brokerage", rows.brokerage.basis),
        ("stt", rows.stt.basis),
        ("exchange", exchange),
        ("sebi", rows.sebi.basis),
        ("stamp", rows.stamp.basis),
        ("gst", rows.gst.basis),
    )


def is_agricultural(rules: MarketRules, instrument: Instrument) -> bool:
    """Tell whether a derivative is on an agricultural commodity. Raises `OutsideTable` for an unknown commodity."""
    return instrument.asset is Asset.COMMODITY and commodity(rules, instrument.underlying).kind != "non_agri"


def commodity(rules: MarketRules, underlying: str) -> CommodityRow:
    """Return the row of a commodity. Raises `OutsideTable` for an unknown one."""
    for row in rules.commodities:
        if row.underlying == underlying:
            return row
    raise OutsideTable(f"table commodities has no row for {underlying!r}", hint=HOW_TO_ADD)


class _Rows(msgspec.Struct, frozen=True):
    """The rows that one bill rests on."""

    brokerage: BrokerageRow
    stt: SidedRow
    exchange: ExchangeRow
    group: BseGroupRow | None
    sebi: SebiRow
    stamp: SidedRow
    gst: GstRow


def _rows(rules: MarketRules, instrument: Instrument, segment: ChargeSegment, day: TradingDay) -> _Rows:
    cash = segment in CASH_SEGMENTS
    delivery = segment is ChargeSegment.EQUITY_DELIVERY or segment is ChargeSegment.EQUITY_MTF
    taxed = segment
    if delivery:
        taxed = ChargeSegment.EQUITY_ETF_DELIVERY if instrument.kind is Kind.ETF else ChargeSegment.EQUITY_DELIVERY
    stamped = ChargeSegment.EQUITY_DELIVERY if delivery else segment
    return _Rows(
        _by_segment(rules.brokerage, segment, day, "brokerage"),
        _by_segment(rules.stt, taxed, day, "stt"),
        _exchange_row(rules, instrument, "equity_cash" if cash else segment, day),
        _group_row(rules, instrument, day) if cash else None,
        in_force(rules.sebi, day, "sebi"),
        _by_segment(rules.stamp, stamped, day, "stamp"),
        in_force(rules.gst, day, "gst"),
    )


class _Segmented(Dated, Protocol):
    @property
    def segment(self) -> str: ...


_S = TypeVar("_S", bound=_Segmented)


def _by_segment(rows: tuple[_S, ...], segment: str, day: int, table: str) -> _S:
    return in_force(keyed((row for row in rows if row.segment == segment), table, segment), day, table, segment)


def _exchange_row(rules: MarketRules, instrument: Instrument, segment: str, day: TradingDay) -> ExchangeRow:
    venue = _VENUES[instrument.exchange]
    key = f"{venue} {segment}"
    rows = keyed((row for row in rules.exchange if row.exchange == venue and row.segment == segment), "exchange", key)
    named = [row for row in rows if instrument.underlying in row.underlyings and row.first <= day <= row.last]
    return in_force(named or [row for row in rows if not row.underlyings], day, "exchange", key)


def _group_row(rules: MarketRules, instrument: Instrument, day: TradingDay) -> BseGroupRow | None:
    if instrument.exchange is not Exchange.BSE:
        return None
    rows = [row for row in rules.bse_group if row.group == instrument.series]
    return in_force(rows, day, "bse_group", f"group {instrument.series}") if rows else None


def _change_days(rules: MarketRules) -> Iterable[TradingDay]:
    tables: tuple[tuple[Dated, ...], ...] = (
        rules.brokerage,
        rules.stt,
        rules.exchange,
        rules.bse_group,
        rules.sebi,
        rules.stamp,
        rules.gst,
    )
    for table in tables:
        for row in table:
            yield row.first
            yield TradingDay(row.last + 1)
