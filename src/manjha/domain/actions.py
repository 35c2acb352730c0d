"""Corporate actions: facts that change what a holder holds. Prices are stored raw; an action is an event."""

from enum import StrEnum

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay
from manjha.domain.money import Px

SHARES_MAX = 1_000_000
"""Largest count on either side of a ratio; more is a mistake, and would not fit a quantity."""


class ActionKind(StrEnum):
    """What happened."""

    SPLIT = "split"
    BONUS = "bonus"
    DIVIDEND = "dividend"
    SPECIAL_DIVIDEND = "special dividend"
    RIGHTS = "rights"
    DEMERGER = "demerger"


class CorporateAction(msgspec.Struct, frozen=True, gc=False):
    """One action in one instrument, effective before the open of `ex_day`.

    `new_shares` for `old_shares`: a holder of `old_shares` holds `new_shares` afterwards (split 10 → 2: 5 for 1; bonus
    1:2: 3 for 2; dividends: 1 for 1). `cash` per old share in 1e-4 rupee: the dividend; for rights the issue price of a
    new share; for a demerger the value of what was separated. `known_day` is when it was announced, at the latest the
    ex-day: indicators are adjusted as known that day.
    """

    instrument: InstrumentId
    ex_day: TradingDay
    kind: ActionKind
    new_shares: int = 1
    old_shares: int = 1
    cash: Px = Px(0)
    known_day: TradingDay | None = None
    source: str = ""
