"""The life of an order: one table of phase × event, every pair written down, none defaulted.

A fill is a fact and counts in every phase, also after CANCELLED; an event that cannot be true in a phase is an ALARM
and changes nothing else. The table is printed in `docs/order-lifecycle.md` and a test keeps the two equal.
"""

from enum import StrEnum

from manjha.domain.orders import Phase


class Happening(StrEnum):
    """What can happen to an order, seen from its life."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    MODIFIED = "modified"
    CANCELLED = "cancelled"
    PART_FILLED = "part filled"
    FULLY_FILLED = "fully filled"


class Verdict(StrEnum):
    """Whether the happening is expected in the phase, tells nothing new, or needs a person's eye."""

    NORMAL = "normal"
    REPEAT = "repeat"
    ALARM = "alarm"


_N, _R, _A = Verdict.NORMAL, Verdict.REPEAT, Verdict.ALARM
_ACC, _REJ, _MOD = Happening.ACCEPTED, Happening.REJECTED, Happening.MODIFIED
_CAN, _PART, _FULL = Happening.CANCELLED, Happening.PART_FILLED, Happening.FULLY_FILLED

TRANSITIONS: dict[tuple[Phase, Happening], tuple[Phase, Verdict]] = {
    (Phase.SENT, _ACC): (Phase.WORKING, _N),
    (Phase.SENT, _REJ): (Phase.REJECTED, _N),
    (Phase.SENT, _MOD): (Phase.WORKING, _N),
    (Phase.SENT, _CAN): (Phase.CANCELLED, _N),
    (Phase.SENT, _PART): (Phase.WORKING, _N),
    (Phase.SENT, _FULL): (Phase.FILLED, _N),
    (Phase.WORKING, _ACC): (Phase.WORKING, _R),
    (Phase.WORKING, _REJ): (Phase.REJECTED, _A),
    (Phase.WORKING, _MOD): (Phase.WORKING, _N),
    (Phase.WORKING, _CAN): (Phase.CANCELLED, _N),
    (Phase.WORKING, _PART): (Phase.WORKING, _N),
    (Phase.WORKING, _FULL): (Phase.FILLED, _N),
    (Phase.UNCONFIRMED, _ACC): (Phase.WORKING, _N),
    (Phase.UNCONFIRMED, _REJ): (Phase.REJECTED, _N),
    (Phase.UNCONFIRMED, _MOD): (Phase.WORKING, _N),
    (Phase.UNCONFIRMED, _CAN): (Phase.CANCELLED, _N),
    (Phase.UNCONFIRMED, _PART): (Phase.WORKING, _N),
    (Phase.UNCONFIRMED, _FULL): (Phase.FILLED, _N),
    (Phase.FILLED, _ACC): (Phase.FILLED, _R),
    (Phase.FILLED, _REJ): (Phase.FILLED, _A),
    (Phase.FILLED, _MOD): (Phase.FILLED, _A),
    (Phase.FILLED, _CAN): (Phase.FILLED, _A),
    (Phase.FILLED, _PART): (Phase.FILLED, _A),
    (Phase.FILLED, _FULL): (Phase.FILLED, _A),
    (Phase.CANCELLED, _ACC): (Phase.CANCELLED, _R),
    (Phase.CANCELLED, _REJ): (Phase.CANCELLED, _A),
    (Phase.CANCELLED, _MOD): (Phase.CANCELLED, _A),
    (Phase.CANCELLED, _CAN): (Phase.CANCELLED, _R),
    (Phase.CANCELLED, _PART): (Phase.CANCELLED, _A),
    (Phase.CANCELLED, _FULL): (Phase.FILLED, _A),
    (Phase.REJECTED, _ACC): (Phase.WORKING, _A),
    (Phase.REJECTED, _REJ): (Phase.REJECTED, _R),
    (Phase.REJECTED, _MOD): (Phase.WORKING, _A),
    (Phase.REJECTED, _CAN): (Phase.REJECTED, _A),
    (Phase.REJECTED, _PART): (Phase.WORKING, _A),
    (Phase.REJECTED, _FULL): (Phase.FILLED, _A),
}

OPEN_PHASES = frozenset({Phase.SENT, Phase.WORKING, Phase.UNCONFIRMED})
"""Phases in which an order may still trade."""


def transition(phase: Phase, happening: Happening) -> tuple[Phase, Verdict]:
    """Return the phase after a happening, and whether it was to be expected."""
    return TRANSITIONS[phase, happening]
