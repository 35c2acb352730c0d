"""Groups of legs: the life of one as a table of phase × turn, every pair written down, and what is counted of its legs.

A group is traded as one or not at all: what is bought fills first, what is sold follows, and where one leg fails the
others are closed again. The table is printed in `docs/legs.md` and a test keeps the two equal.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Cash, Px
from manjha.domain.orders import GroupPhase, Leg, LegGroup, OrderId, Product, Purpose
from manjha.orders.lifecycle import Verdict


class Turn(StrEnum):
    """What can happen to a group, seen from its life."""

    HEDGED = "what is bought has filled"
    FILLED = "every leg has filled"
    FAILED = "a leg has failed"
    ENDING = "its end is due"
    REENTRY = "a leg is opened again"
    FLAT = "nothing is held or ordered"
    LATE = "a fill came late"


_N, _R, _A = Verdict.NORMAL, Verdict.REPEAT, Verdict.ALARM
_HEDGED, _FILLED, _FAILED, _ENDING = Turn.HEDGED, Turn.FILLED, Turn.FAILED, Turn.ENDING
_REENTRY, _FLAT, _LATE = Turn.REENTRY, Turn.FLAT, Turn.LATE

TURNS: dict[tuple[GroupPhase, Turn], tuple[GroupPhase, Verdict]] = {
    (GroupPhase.HEDGING, _HEDGED): (GroupPhase.ENTERING, _N),
    (GroupPhase.HEDGING, _FILLED): (GroupPhase.HELD, _N),
    (GroupPhase.HEDGING, _FAILED): (GroupPhase.UNWINDING, _N),
    (GroupPhase.HEDGING, _ENDING): (GroupPhase.UNWINDING, _N),
    (GroupPhase.HEDGING, _REENTRY): (GroupPhase.HEDGING, _A),
    (GroupPhase.HEDGING, _FLAT): (GroupPhase.HEDGING, _R),
    (GroupPhase.HEDGING, _LATE): (GroupPhase.HEDGING, _A),
    (GroupPhase.ENTERING, _HEDGED): (GroupPhase.ENTERING, _R),
    (GroupPhase.ENTERING, _FILLED): (GroupPhase.HELD, _N),
    (GroupPhase.ENTERING, _FAILED): (GroupPhase.UNWINDING, _N),
    (GroupPhase.ENTERING, _ENDING): (GroupPhase.UNWINDING, _N),
    (GroupPhase.ENTERING, _REENTRY): (GroupPhase.ENTERING, _A),
    (GroupPhase.ENTERING, _FLAT): (GroupPhase.ENTERING, _R),
    (GroupPhase.ENTERING, _LATE): (GroupPhase.ENTERING, _A),
    (GroupPhase.HELD, _HEDGED): (GroupPhase.HELD, _R),
    (GroupPhase.HELD, _FILLED): (GroupPhase.HELD, _R),
    (GroupPhase.HELD, _FAILED): (GroupPhase.CLOSING, _A),
    (GroupPhase.HELD, _ENDING): (GroupPhase.CLOSING, _N),
    (GroupPhase.HELD, _REENTRY): (GroupPhase.REENTERING, _N),
    (GroupPhase.HELD, _FLAT): (GroupPhase.DONE, _N),
    (GroupPhase.HELD, _LATE): (GroupPhase.HELD, _A),
    (GroupPhase.REENTERING, _HEDGED): (GroupPhase.REENTERING, _R),
    (GroupPhase.REENTERING, _FILLED): (GroupPhase.HELD, _N),
    (GroupPhase.REENTERING, _FAILED): (GroupPhase.CLOSING, _N),
    (GroupPhase.REENTERING, _ENDING): (GroupPhase.CLOSING, _N),
    (GroupPhase.REENTERING, _REENTRY): (GroupPhase.REENTERING, _R),
    (GroupPhase.REENTERING, _FLAT): (GroupPhase.REENTERING, _R),
    (GroupPhase.REENTERING, _LATE): (GroupPhase.REENTERING, _A),
    (GroupPhase.UNWINDING, _HEDGED): (GroupPhase.UNWINDING, _R),
    (GroupPhase.UNWINDING, _FILLED): (GroupPhase.UNWINDING, _R),
    (GroupPhase.UNWINDING, _FAILED): (GroupPhase.UNWINDING, _R),
    (GroupPhase.UNWINDING, _ENDING): (GroupPhase.UNWINDING, _R),
    (GroupPhase.UNWINDING, _REENTRY): (GroupPhase.UNWINDING, _A),
    (GroupPhase.UNWINDING, _FLAT): (GroupPhase.UNWOUND, _N),
    (GroupPhase.UNWINDING, _LATE): (GroupPhase.UNWINDING, _R),
    (GroupPhase.CLOSING, _HEDGED): (GroupPhase.CLOSING, _R),
    (GroupPhase.CLOSING, _FILLED): (GroupPhase.CLOSING, _R),
    (GroupPhase.CLOSING, _FAILED): (GroupPhase.CLOSING, _R),
    (GroupPhase.CLOSING, _ENDING): (GroupPhase.CLOSING, _R),
    (GroupPhase.CLOSING, _REENTRY): (GroupPhase.CLOSING, _A),
    (GroupPhase.CLOSING, _FLAT): (GroupPhase.CLOSED, _N),
    (GroupPhase.CLOSING, _LATE): (GroupPhase.CLOSING, _R),
    (GroupPhase.DONE, _HEDGED): (GroupPhase.DONE, _A),
    (GroupPhase.DONE, _FILLED): (GroupPhase.DONE, _A),
    (GroupPhase.DONE, _FAILED): (GroupPhase.DONE, _A),
    (GroupPhase.DONE, _ENDING): (GroupPhase.DONE, _R),
    (GroupPhase.DONE, _REENTRY): (GroupPhase.DONE, _A),
    (GroupPhase.DONE, _FLAT): (GroupPhase.DONE, _R),
    (GroupPhase.DONE, _LATE): (GroupPhase.CLOSING, _A),
    (GroupPhase.UNWOUND, _HEDGED): (GroupPhase.UNWOUND, _A),
    (GroupPhase.UNWOUND, _FILLED): (GroupPhase.UNWOUND, _A),
    (GroupPhase.UNWOUND, _FAILED): (GroupPhase.UNWOUND, _A),
    (GroupPhase.UNWOUND, _ENDING): (GroupPhase.UNWOUND, _R),
    (GroupPhase.UNWOUND, _REENTRY): (GroupPhase.UNWOUND, _A),
    (GroupPhase.UNWOUND, _FLAT): (GroupPhase.UNWOUND, _R),
    (GroupPhase.UNWOUND, _LATE): (GroupPhase.UNWINDING, _A),
    (GroupPhase.CLOSED, _HEDGED): (GroupPhase.CLOSED, _A),
    (GroupPhase.CLOSED, _FILLED): (GroupPhase.CLOSED, _A),
    (GroupPhase.CLOSED, _FAILED): (GroupPhase.CLOSED, _A),
    (GroupPhase.CLOSED, _ENDING): (GroupPhase.CLOSED, _R),
    (GroupPhase.CLOSED, _REENTRY): (GroupPhase.CLOSED, _A),
    (GroupPhase.CLOSED, _FLAT): (GroupPhase.CLOSED, _R),
    (GroupPhase.CLOSED, _LATE): (GroupPhase.CLOSING, _A),
}

ON_THE_WAY = frozenset({GroupPhase.HEDGING, GroupPhase.ENTERING, GroupPhase.REENTERING})
"""Phases in which legs are being opened."""
LEAVING = frozenset({GroupPhase.UNWINDING, GroupPhase.CLOSING})
"""Phases in which legs are being closed."""
OVER = frozenset({GroupPhase.DONE, GroupPhase.UNWOUND, GroupPhase.CLOSED})
"""Phases in which nothing is left to do; only a late fill takes a group out of them."""


class LegState(msgspec.Struct, gc=False):
    """What has become of one leg.

    `target` is the quantity that it should hold, `entered` what this opening has filled and `paid` its Σ px × qty,
    `held` what is open now, counted in the leg's direction. `cash` is what all its fills have brought, in 1e-4 rupee.
    `entries` are the orders of this opening. `stopped`: its own stop ended it last; `reentered`: how often it was
    opened again; `refused`: what the gate said; `is_closing`: an order that closes it was placed.
    """

    leg: Leg
    target: int
    entered: int = 0
    paid: int = 0
    held: int = 0
    cash: int = 0
    entries: list[OrderId] = msgspec.field(default_factory=list)
    stopped: bool = False
    reentered: int = 0
    refused: str = ""
    is_closing: bool = False

    @property
    def is_bought(self) -> bool:
        """Whether it is bought: what hedges a sold one."""
        return self.leg.side > 0

    def fill(self, qty: int, px: int, *, enters: bool) -> None:
        """Count a fill."""
        sign = int(self.leg.side) if enters else -int(self.leg.side)
        self.cash -= sign * qty * px
        if enters:
            self.entered, self.paid, self.held = self.entered + qty, self.paid + qty * px, self.held + qty
        else:
            self.held -= qty

    def fit(self, there: int, px: int) -> None:
        """Count what another's trade took: no more is open than is there, in the leg's direction."""
        kept = max(min(self.held, there), 0) if self.held > 0 else min(max(self.held, there), 0)
        self.cash -= int(self.leg.side) * (kept - self.held) * px
        self.held = kept

    def open_again(self) -> None:
        """Forget the last opening; the next one begins."""
        self.entered = self.paid = 0
        self.entries, self.stopped, self.reentered = [], False, self.reentered + 1


class Saga(msgspec.Struct, gc=False):
    """One group on its way through its life. Owned and changed by the engine; read by everybody.

    `deadline_ns` is until when what was ordered may fill (0: not before the next session opens), `expiry_ns` when it
    ends because a leg expires (0: not today), `retry_ns` before when a close that failed is not tried again. `best` is
    the largest profit at a close; `leaving` are orders that a cancel was sent for, and when; `failures` counts closes
    that failed.
    """

    id: OrderId
    group: LegGroup
    product: Product
    legs: list[LegState]
    phase: GroupPhase
    deadline_ns: int = 0
    expiry_ns: int = 0
    retry_ns: int = 0
    best: int = 0
    failures: int = 0
    reason: str = ""
    purpose: Purpose = Purpose.LEGS_END
    leaving: dict[OrderId, int] = msgspec.field(default_factory=dict)

    def leg_in(self, instrument: InstrumentId) -> LegState | None:
        """Return the leg in an instrument; there is one at most."""
        return next((leg for leg in self.legs if leg.leg.instrument == instrument), None)

    def profit(self, marks: Mapping[InstrumentId, int]) -> Cash:
        """Return what the group has gained at these prices, in 1e-4 rupee, before charges."""
        total = 0
        for leg in self.legs:
            total += leg.cash
            if leg.held:
                total += int(leg.leg.side) * leg.held * marks[leg.leg.instrument]
        return Cash(total)

    @property
    def has_lost_hedge(self) -> bool:
        """Whether something bought has gone while something sold is open, or is still to be sold."""
        if not self.group.hedge_first or all(leg.held >= leg.entered for leg in self.legs if leg.is_bought):
            return False
        return any(leg.held > 0 or leg.entered < leg.target for leg in self.legs if not leg.is_bought)


def new_saga(saga_id: OrderId, group: LegGroup, product: Product, lots: Mapping[InstrumentId, int]) -> Saga:
    """Return a group at its beginning; `lots` gives each instrument's lot."""
    legs = [LegState(leg, leg.ratio * group.units * lots[leg.instrument]) for leg in group.legs]
    hedges = group.hedge_first and any(leg.is_bought for leg in legs)
    return Saga(saga_id, group, product, legs, GroupPhase.HEDGING if hedges else GroupPhase.ENTERING)


def combined_exit(saga: Saga, profit: int) -> tuple[Purpose, str] | None:
    """Return for what the group is to end at this profit, and in words; None for not. Follows the best profit.

    Of several the stop comes first. Amounts are of one unit, so that no profit is divided.
    """
    combined, units = saga.group.combined, saga.group.units
    saga.best = max(saga.best, profit)
    if combined is None:
        return None
    if combined.stop and profit <= -combined.stop * units:
        return Purpose.STOP, "combined stop"
    if combined.target and profit >= combined.target * units:
        return Purpose.TARGET, "combined target"
    if combined.trail and profit <= saga.best - combined.trail * units:
        return Purpose.STOP, "combined trailing stop"
    return None


def is_back_at_cost(leg: LegState, px: Px) -> bool:
    """Tell whether a price, which a stop has seen on the losing side, is again at the average of the last opening."""
    return bool(leg.entered) and (px * leg.entered - leg.paid) * int(leg.leg.side) >= 0
