"""Splits and dividends that price sources carry along."""

from fractions import Fraction

import polars as pl

from manjha.adapters.formats.quarantine import Findings
from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay
from manjha.domain.money import RUPEE, Px

SOURCE = "yahoo"
_SHARES_MAX = 1000


def actions_of(instrument: InstrumentId, events: pl.DataFrame, findings: Findings) -> tuple[CorporateAction, ...]:
    """Return actions by ex-day from the columns `day`, `dividend` (rupees), `split` (new shares for one old).

    Yahoo cannot tell a bonus from a split. It prints dividends per share of today: they are multiplied by the splits
    that came after them, which gives what was paid then.
    """
    rows = events.filter((pl.col("dividend") > 0) | (pl.col("split") > 0)).sort("day", descending=True)
    later = Fraction(1)
    found: list[CorporateAction] = []
    for day, dividend, split in rows.select("day", "dividend", "split").iter_rows():
        if dividend and dividend > 0:
            cash = Px(round(Fraction(dividend) * later * RUPEE))
            found.append(CorporateAction(instrument, TradingDay(day), ActionKind.DIVIDEND, cash=cash, source=SOURCE))
        if split and split > 0 and split != 1:
            ratio = Fraction(split).limit_denominator(_SHARES_MAX)
            later *= ratio
            found.append(
                CorporateAction(
                    instrument,
                    TradingDay(day),
                    ActionKind.SPLIT,
                    new_shares=ratio.numerator,
                    old_shares=ratio.denominator,
                    source=SOURCE,
                )
            )
    if later != 1 and any(one.kind is ActionKind.DIVIDEND for one in found):
        findings.note("dividends are put back to what a share paid then, by the splits after them")
    return tuple(reversed(found))
