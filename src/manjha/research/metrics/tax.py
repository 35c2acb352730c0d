"""Income tax, estimated: what kind of income each closed trip is, and what an individual would owe on it.

An estimate for orientation, not advice. Rules of the Income-tax Act 1961 as they stood, plainly stated:

- Shares and funds bought and sold on the same day, or as MIS: speculative business income (section 43(5)), taxed at
  the assumed slab rate; its losses offset only speculative gains.
- Futures and options of any kind: business income that is not speculative, taxed at the assumed slab rate.
- Shares and funds (taken as equity-oriented, STT paid) held up to 12 months: short-term gain, section 111A: 15 % on
  sales up to 2024-07-22, 20 % from 2024-07-23 (Finance (No. 2) Act 2024).
- Held longer: long-term gain, section 112A: 10 % on sales up to 2024-07-22, 12.5 % from then on, above an exemption of
  ₹1,00,000 in a financial year (₹1,25,000 from 2024-25 on), used on the higher-taxed gains first.
- Short-term losses offset short-term, then long-term gains; long-term losses only long-term gains; business losses
  nothing here. No loss is carried to another year. Health and education cess of 4 % is added, surcharge and rebate
  are not. Changes of law after 2025 are not in this estimate.
- STT is no cost of a capital gain (section 48), so it is added back there; of business income it is a cost.
"""

from collections import defaultdict

import msgspec

from manjha.domain.instrument import InstrumentId, Kind
from manjha.domain.moments import date_from_day, day_of, parse_day
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import Product
from manjha.research.metrics.trading import Trips
from manjha.research.result import BacktestResult
from manjha.research.round_trips import RoundTrip

SPECULATIVE, BUSINESS, SHORT_TERM, LONG_TERM = "speculative", "business (F&O)", "short-term gain", "long-term gain"
RATES_CHANGED = parse_day("2024-07-23")
CESS = 0.04


class TaxLine(msgspec.Struct, frozen=True):
    """One kind of income in one financial year ("2025-26"). `income` may be negative; both in 1e-4 rupee."""

    year: str
    kind: str
    income: Cash
    tax: Cash


def tax_estimate(result: BacktestResult, trips: Trips, slab: float) -> tuple[TaxLine, ...]:
    """Estimate the tax on closed trips by financial year and kind; `slab` is the rate on business income (0.3)."""
    kinds = {item.id: item.kind for item in result.instruments}
    income: dict[tuple[str, str, bool], int] = defaultdict(int)
    for trip in trips:
        kind = income_kind(trip, kinds)
        gain = trip.net + (trip.charges.stt if kind in (SHORT_TERM, LONG_TERM) else 0)
        income[_year(trip), kind, day_of(trip.exit_ns) >= RATES_CHANGED] += gain
    lines: list[TaxLine] = []
    for year in sorted({key[0] for key in income}):
        lines.extend(_year_lines(year, {key[1:]: gain for key, gain in income.items() if key[0] == year}, slab))
    return tuple(lines)


def income_kind(trip: RoundTrip, kinds: dict[InstrumentId, Kind]) -> str:
    """Say what kind of income a closed trip is, by the rules above."""
    if kinds.get(trip.instrument) in (Kind.FUTURE, Kind.OPTION):
        return BUSINESS
    entry, leaving = day_of(trip.entry_ns), day_of(trip.exit_ns)
    if trip.product is Product.MIS or entry == leaving:
        return SPECULATIVE
    bought, sold = date_from_day(entry), date_from_day(leaving)
    anniversary = (bought.year + 1, bought.month, bought.day)
    return LONG_TERM if (sold.year, sold.month, sold.day) > anniversary else SHORT_TERM


def _year_lines(year: str, income: dict[tuple[str, bool], int], slab: float) -> list[TaxLine]:
    taxes = {kind: _slab_tax(_sum(income, kind), slab) for kind in (SPECULATIVE, BUSINESS)}
    short = {after: income.get((SHORT_TERM, after), 0) for after in (False, True)}
    long = {after: income.get((LONG_TERM, after), 0) for after in (False, True)}
    short = _offset(short, order=(True, False))
    long = _offset(long, order=(True, False))
    spare = min(0, sum(short.values()))
    for after in (True, False):
        used = min(long[after], -spare) if long[after] > 0 else 0
        long[after] -= used
        spare += used
    exempt = (125_000 if year >= "2024-25" else 100_000) * RUPEE
    for after in (True, False):
        used = min(max(long[after], 0), exempt)
        long[after] -= used
        exempt -= used
    taxes[SHORT_TERM] = _cessed(max(short[True], 0) * 0.20 + max(short[False], 0) * 0.15)
    taxes[LONG_TERM] = _cessed(max(long[True], 0) * 0.125 + max(long[False], 0) * 0.10)
    kinds = {kind for kind, _ in income}
    return [TaxLine(year, kind, Cash(_sum(income, kind)), taxes[kind]) for kind in taxes if kind in kinds]


def _offset(gains: dict[bool, int], *, order: tuple[bool, bool]) -> dict[bool, int]:
    """Let a loss at one rate eat the gain at the other."""
    first, second = order
    total = gains[first] + gains[second]
    if gains[first] * gains[second] >= 0:
        return gains
    larger = first if abs(gains[first]) >= abs(gains[second]) else second
    return {larger: total, (second if larger is first else first): 0}


def _slab_tax(income: int, slab: float) -> Cash:
    return _cessed(max(income, 0) * slab)


def _cessed(tax: float) -> Cash:
    return Cash(round(tax * (1.0 + CESS)))


def _sum(income: dict[tuple[str, bool], int], kind: str) -> int:
    return sum(gain for (name, _), gain in income.items() if name == kind)


def _year(trip: RoundTrip) -> str:
    sold = date_from_day(day_of(trip.exit_ns))
    first = sold.year if sold.month >= 4 else sold.year - 1
    return f"{first}-{(first + 1) % 100:02d}"
