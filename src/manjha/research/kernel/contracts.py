"""What a compiled run knows of its contracts before the first bar: groups, underlyings, what fits the product."""

from collections.abc import Sequence

import numpy as np

from manjha.domain.instrument import Asset, Instrument, Kind
from manjha.domain.orders import Product
from manjha.research.kernel.records import REFUSED_INDEX, REFUSED_PRODUCT, Ints, Records
from manjha.risk.checks import FITTING
from manjha.risk.margin import is_underlying


def enter_contracts(x: Records, instruments: Sequence[Instrument], product: Product) -> None:
    """Write into the rows of instruments what `records.HOLDING` says of contracts."""
    groups: dict[str, int] = {}
    for number, instrument in enumerate(instruments):
        row = x[number]
        row["group"], row["freeze"] = -1, instrument.freeze
        if product not in FITTING[instrument.kind]:
            row["misfit"] = REFUSED_PRODUCT if instrument.is_tradable else REFUSED_INDEX
        if instrument.kind is Kind.FUTURE and instrument.expiry is not None:
            row["group"] = groups.setdefault(instrument.underlying, number)
            row["expiry"], row["delivers"] = instrument.expiry, instrument.asset is Asset.EQUITY
            row["spot_from"] = _spot_from(instruments, instrument.underlying, groups[instrument.underlying])


def underlies(instruments: Sequence[Instrument]) -> Ints:
    """Return which instrument is what a future is on, shape (futures and others, instruments)."""
    count = len(instruments)
    found = np.zeros((count, count), np.int64)
    for number, contract in enumerate(instruments):
        if contract.kind is Kind.FUTURE:
            found[number] = [not one.is_derivative and is_underlying(one, contract.underlying) for one in instruments]
    return found


def _spot_from(instruments: Sequence[Instrument], underlying: str, first: int) -> int:
    """Return whose price is that of an underlying: its own, else that of the first future on it."""
    spots = (n for n, one in enumerate(instruments) if not one.is_derivative and is_underlying(one, underlying))
    return next(spots, first)
