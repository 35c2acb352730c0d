"""Two other forms of a bill: exact, as Kite's order-charges API gives it, and rounded, as Zerodha's calculator does.

The ledger books neither of them but `charges.fill_charges`; the day ends with `contract_note.settle_day`.
"""

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from manjha.domain.charges import ChargeLines
from manjha.domain.money import PAISA, RUPEE, Cash, divide
from manjha.domain.orders import Side
from manjha.domain.sizing import NANO
from manjha.market.charges import BrokerageKind, RateCard


class ExactLines(msgspec.Struct, frozen=True):
    """The lines of a bill in rupees, as exact ratios."""

    brokerage: Fraction
    stt: Fraction
    exchange: Fraction
    ipft: Fraction
    sebi: Fraction
    stamp: Fraction
    gst: Fraction

    @property
    def total(self) -> Fraction:
        """Sum of all lines, in rupees."""
        return sum(msgspec.structs.astuple(self), Fraction(0))


class BilledLeg(msgspec.Struct, frozen=True):
    """One executed order: its rates, side and turnover in 1e-4 rupee."""

    card: RateCard
    side: Side
    turnover: Cash


def exact_charges(leg: BilledLeg) -> ExactLines:
    """Return the charges of one executed order without any rounding."""
    card, rupees = leg.card, Fraction(leg.turnover, RUPEE)
    buys = leg.side is Side.BUY
    brokerage = _exact_brokerage(card, rupees)
    exchange, sebi = rupees * Fraction(card.exchange, NANO), rupees * Fraction(card.sebi, NANO)
    return ExactLines(
        brokerage=brokerage,
        stt=rupees * Fraction(card.stt_buy if buys else card.stt_sell, NANO),
        exchange=exchange,
        ipft=rupees * Fraction(card.ipft, NANO),
        sebi=sebi,
        stamp=rupees * Fraction(card.stamp_buy if buys else card.stamp_sell, NANO),
        gst=(brokerage + exchange + sebi * card.gst_on_sebi) * Fraction(card.gst, NANO),
    )


def rounded_charges(legs: Sequence[BilledLeg], *, tax_unit: int = RUPEE) -> ChargeLines:
    """Return the charges of several executed orders of one segment and day as Zerodha's web calculator rounds them.

    Brokerage per leg to the paisa; exchange charge, IPFT and SEBI fee on the sum to the paisa; transaction tax on the
    sum to `tax_unit` and stamp duty to the rupee; GST on the rounded lines to the paisa; all half up.
    """
    exact = [exact_charges(leg) for leg in legs]
    brokerage = sum(rounded(lines.brokerage, PAISA) for lines in exact)
    exchange = rounded(sum((lines.exchange for lines in exact), Fraction(0)), PAISA)
    sebi = rounded(sum((lines.sebi for lines in exact), Fraction(0)), PAISA)
    base = Fraction(brokerage + exchange + sebi * legs[0].card.gst_on_sebi, RUPEE) if legs else Fraction(0)
    return ChargeLines(
        brokerage=Cash(brokerage),
        stt=rounded(sum((lines.stt for lines in exact), Fraction(0)), tax_unit),
        exchange=exchange,
        ipft=rounded(sum((lines.ipft for lines in exact), Fraction(0)), PAISA),
        sebi=sebi,
        stamp=rounded(sum((lines.stamp for lines in exact), Fraction(0)), RUPEE),
        gst=rounded(base * Fraction(legs[0].card.gst, NANO), PAISA) if legs else Cash(0),
    )


def rounded(rupees: Fraction, unit: int) -> Cash:
    """Round an exact amount in rupees half up to a multiple of `unit` (in 1e-4 rupee)."""
    return Cash(divide(rupees.numerator * RUPEE, rupees.denominator * unit) * unit)


def _exact_brokerage(card: RateCard, rupees: Fraction) -> Fraction:
    cap = Fraction(card.brokerage_cap, RUPEE)
    if rupees <= 0:
        return Fraction(0)
    if card.brokerage_kind == BrokerageKind.FLAT:
        return cap
    fee = rupees * Fraction(card.brokerage_rate, NANO)
    return min(fee, cap) if card.brokerage_kind == BrokerageKind.PCT_CAP else fee
