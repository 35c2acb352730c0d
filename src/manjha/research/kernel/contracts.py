"""What a compiled run knows of its instruments before the first bar: contracts, what they are on, corporate actions."""

from collections.abc import Sequence

import numpy as np

from manjha.domain.actions import ActionKind
from manjha.domain.instrument import Asset, Instrument, Kind
from manjha.domain.orders import Product
from manjha.research.backtest import BacktestSpec
from manjha.research.kernel.records import ACTION, REFUSED_INDEX, REFUSED_PRODUCT, Ints, Records
from manjha.risk.checks import FITTING
from manjha.risk.margin import is_underlying

KINDS = ("expiry", *ActionKind)
"""By the numbers of `records`."""


def enter_contracts(x: Records, instruments: Sequence[Instrument], product: Product) -> None:
    """Write into the rows of instruments what `records.HOLDING` says of contracts."""
    groups: dict[str, int] = {}
    for number, instrument in enumerate(instruments):
        row = x[number]
        row["group"], row["freeze"] = -1, instrument.freeze
        if product not in FITTING[instrument.kind]:
            row["misfit"] = REFUSED_PRODUCT if instrument.is_tradable else REFUSED_INDEX
        if instrument.kind is Kind.FUTURE:
            row["group"] = groups.setdefault(instrument.underlying, number)
            # One without expiry is an index that is traded as its future.
            row["expiry"], row["delivers"] = instrument.expiry or 0, instrument.asset is Asset.EQUITY
            row["spot_from"] = _spot_from(instruments, instrument.underlying, groups[instrument.underlying])


def underlies(instruments: Sequence[Instrument]) -> Ints:
    """Return which instrument is what a future is on, shape (futures and others, instruments).

    1 where its price settles the future, plus 2 where its corporate actions change it.
    """
    count = len(instruments)
    found = np.zeros((count, count), np.int64)
    for number, contract in enumerate(instruments):
        if contract.kind is Kind.FUTURE:
            found[number] = [
                (not one.is_derivative and is_underlying(one, contract.underlying))
                + 2 * (one.symbol == contract.underlying)
                for one in instruments
            ]
    return found


def actions_table(spec: BacktestSpec) -> Records:
    """Return the corporate actions of a run's instruments, in order."""
    numbers = {instrument.id: number for number, instrument in enumerate(spec.instruments)}
    rows = [
        (a.ex_day, numbers[a.instrument], KINDS.index(a.kind), a.new_shares, a.old_shares, a.cash)
        for a in spec.actions
        if a.instrument in numbers
    ]
    return np.array(rows, ACTION) if rows else np.zeros(0, ACTION)


def _spot_from(instruments: Sequence[Instrument], underlying: str, first: int) -> int:
    """Return whose price is that of an underlying: its own, else that of the first future on it."""
    spots = (n for n, one in enumerate(instruments) if not one.is_derivative and is_underlying(one, underlying))
    return next(spots, first)
