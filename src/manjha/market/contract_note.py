"""What the broker's contract note says of a day: charges summed by exchange segment, then rounded, each by its rule.

Transaction tax and stamp duty go to the rupee, all other lines to the paisa, half up. Tax on a share uses the average
price of all its trades of the day; what was bought and sold the same day counts as intraday, whatever product was
ordered, and delivery that was traded back pays intraday brokerage. The ledger books every fill at 1e-4 rupee; the
engine settles the difference with one event a day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

import msgspec

from manjha.domain.charges import ChargeLines
from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.moments import TradingDay
from manjha.domain.money import PAISA, RUPEE, Cash, Px, Qty, divide
from manjha.domain.orders import OrderId, Product, Side
from manjha.domain.sizing import NANO
from manjha.market.bills import rounded
from manjha.market.charges import ChargeSegment, RateCard, charge_segment, order_brokerage, segment_card
from manjha.market.fees import depository_charge
from manjha.market.rules import MarketRules

_SCALE = RUPEE * NANO
"""Turnover × rate counts 1e-13 rupee."""
_UNIT = Fraction(1, _SCALE)


class DayTrade(msgspec.Struct, frozen=True, gc=False):
    """One fill as the contract note sees it. `qty` is positive, in units; `px` in 1e-4 rupee."""

    instrument: Instrument
    product: Product
    side: Side
    qty: Qty
    px: Px
    order: OrderId


class NoteSection(msgspec.Struct, frozen=True):
    """One exchange segment of a note; `stt` is the tax by charge segment, each rounded on its own as notes show it."""

    exchange: Exchange
    lines: ChargeLines
    stt: tuple[tuple[ChargeSegment, Cash], ...]


def settle_day(rules: MarketRules, day: TradingDay, trades: Sequence[DayTrade]) -> ChargeLines:
    """Return the charges of a day as billed: all sections of the note, and the depository charge of delivery sales.

    Subtract what was booked with the fills to get the day's adjustment. Raises as `rate_card` does.
    """
    notes = [section.lines for section in contract_note(rules, day, trades)]
    sold = _delivered(trades)
    depository = ChargeLines(dp=Cash(depository_charge(rules, day) * len(sold))) if sold else ChargeLines()
    columns = zip(*(msgspec.structs.astuple(lines) for lines in (*notes, depository)), strict=True)
    return ChargeLines(*(Cash(sum(column)) for column in columns))


def contract_note(rules: MarketRules, day: TradingDay, trades: Iterable[DayTrade]) -> tuple[NoteSection, ...]:
    """Return the note of a day, one section for each exchange segment in the order of first trade.

    Trades are in time order. Raises as `rate_card` does.
    """
    sections: dict[Exchange, _Section] = defaultdict(_Section)
    shares: dict[str, list[DayTrade]] = defaultdict(list)
    for trade in trades:
        section = sections[trade.instrument.exchange]
        if trade.instrument.is_derivative:
            segment = charge_segment(trade.instrument, trade.product)
            card = segment_card(rules, trade.instrument, segment, day)
            section.add(trade, trade.qty, card)
            section.tax(segment, Fraction(trade.px * trade.qty), trade.side, card)
        else:
            shares[trade.instrument.id].append(trade)
    for of_share in shares.values():
        _add_share(sections[of_share[0].instrument.exchange], rules, day, of_share)
    paisa, rupee = (PAISA, RUPEE) if rules.round_notes else (1, 1)
    return tuple(section.note(exchange, paisa, rupee) for exchange, section in sections.items())


class _Section:
    """Sums of one exchange segment, not yet rounded; products of turnover and rate in 1e-13 rupee."""

    def __init__(self) -> None:
        self.orders: dict[tuple[OrderId, int, int, int], int] = defaultdict(int)
        self.exchange = self.ipft = self.sebi = self.taxed_sebi = 0
        self.stt: dict[ChargeSegment, Fraction] = defaultdict(Fraction)
        self.stamp = Fraction(0)
        self.gst = 0

    def add(self, trade: DayTrade, qty: int, card: RateCard) -> None:
        """Count the lines that depend on a trade alone, for `qty` of it."""
        turnover = trade.px * qty
        self.orders[trade.order, card.brokerage_kind, card.brokerage_rate, card.brokerage_cap] += turnover
        self.exchange += turnover * card.exchange
        self.ipft += turnover * card.ipft
        self.sebi += turnover * card.sebi
        self.taxed_sebi += turnover * card.sebi * card.gst_on_sebi
        self.gst = card.gst

    def tax(self, segment: ChargeSegment, turnover: Fraction, side: Side, card: RateCard) -> None:
        """Count transaction tax and stamp duty on a turnover."""
        self.stt[segment] += turnover * (card.stt_buy if side is Side.BUY else card.stt_sell)
        self.stamp += turnover * (card.stamp_buy if side is Side.BUY else card.stamp_sell)

    def note(self, exchange: Exchange, paisa: int, rupee: int) -> NoteSection:
        """Round every line by its own rule, to units in 1e-4 rupee."""
        paid = sum(order_brokerage(turnover, *key[1:]) for key, turnover in self.orders.items())
        brokerage = Cash(divide(paid, paisa) * paisa)
        charge, fee = _to(paisa, self.exchange), _to(paisa, self.sebi)
        base = brokerage + charge + _to(paisa, self.taxed_sebi)
        stt = tuple((segment, rounded(amount * _UNIT, rupee)) for segment, amount in self.stt.items())
        lines = ChargeLines(
            brokerage=brokerage,
            stt=Cash(sum(amount for _, amount in stt)),
            exchange=charge,
            ipft=_to(paisa, self.ipft),
            sebi=fee,
            stamp=rounded(self.stamp * _UNIT, rupee),
            gst=_to(paisa, base * self.gst),
        )
        return NoteSection(exchange, lines, stt)


def _to(unit: int, amount: int) -> Cash:
    """Round an amount in 1e-13 rupee half up to a unit in 1e-4 rupee."""
    return Cash(divide(amount, NANO * unit) * unit)


def _add_share(section: _Section, rules: MarketRules, day: TradingDay, trades: Sequence[DayTrade]) -> None:
    """Count all trades of one share, intraday and delivery told apart."""
    instrument = trades[0].instrument
    cards: dict[ChargeSegment, RateCard] = {}

    def card_of(segment: ChargeSegment) -> RateCard:
        if segment not in cards:
            cards[segment] = segment_card(rules, instrument, segment, day)
        return cards[segment]

    for trade, back in _traded_back(trades):
        if back:
            section.add(trade, back, card_of(ChargeSegment.EQUITY_INTRADAY))
        if back < trade.qty:
            section.add(trade, trade.qty - back, card_of(charge_segment(instrument, trade.product)))
    _add_taxes(section, trades, card_of)


def _add_taxes(section: _Section, trades: Sequence[DayTrade], card_of: Callable[[ChargeSegment], RateCard]) -> None:
    """Count tax on the average price of all trades of a share, and duty on each side's own turnover."""
    qty = {side: sum(trade.qty for trade in trades if trade.side is side) for side in Side}
    value = {side: sum(trade.px * trade.qty for trade in trades if trade.side is side) for side in Side}
    total, all_units = sum(value.values()), sum(qty.values())
    matched = min(qty.values())
    for segment in (ChargeSegment.EQUITY_INTRADAY, ChargeSegment.EQUITY_DELIVERY):
        for side in Side:
            units = matched if segment is ChargeSegment.EQUITY_INTRADAY else qty[side] - matched
            if not units:
                continue
            card = card_of(segment)
            tax = card.stt_buy if side is Side.BUY else card.stt_sell
            duty = card.stamp_buy if side is Side.BUY else card.stamp_sell
            if tax:
                section.stt[segment] += Fraction(units * total * tax, all_units)
            if duty:
                section.stamp += Fraction(value[side] * units * duty, qty[side])


def _traded_back(trades: Sequence[DayTrade]) -> Iterable[tuple[DayTrade, int]]:
    """Yield each trade with how much of it was delivery bought and sold the same day, first trades first."""
    delivery = [trade for trade in trades if trade.product is Product.CNC]
    both = min(sum(trade.qty for trade in delivery if trade.side is side) for side in Side)
    left: dict[Side, int] = dict.fromkeys(Side, both)
    for trade in trades:
        back = min(trade.qty, left[trade.side]) if trade.product is Product.CNC else 0
        left[trade.side] -= back
        yield trade, back


def _delivered(trades: Iterable[DayTrade]) -> set[str]:
    """Return the ISINs (ids where none is known) of which more was sold for delivery than bought."""
    net: dict[tuple[str, Product], int] = defaultdict(int)
    for trade in trades:
        if trade.product is Product.CNC or trade.product is Product.MTF:
            net[trade.instrument.isin or trade.instrument.id, trade.product] += trade.side * trade.qty
    return {isin for (isin, _), qty in net.items() if qty < 0}
