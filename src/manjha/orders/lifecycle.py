"""The life of an order: one table of phase × event, every pair written down, none defaulted.

A fill is a fact and counts in every phase, also after CANCELLED; an event that cannot be true in a phase is an ALARM
and changes nothing else. The table is printed in `docs/order-lifecycle.md` and a test keeps the two equal.
"""

from enum import StrEnum

from manjha.domain.orders import Phase


class Happening(StrEnum):
    """What can happen to an order, seen from its life."""

    MARGIN_ASKED = "margin asked"
    MARGIN_SETTLED = "margin settled"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    MODIFIED = "modified"
    CANCELLED = "cancelled"
    PART_FILLED = "part filled"
    FULLY_FILLED = "fully filled"
    UNSENT = "unsent"
    UNCERTAIN = "outcome unknown"
    WRITTEN_OFF = "written off"


class Verdict(StrEnum):
    """Whether the happening is expected in the phase, tells nothing new, or needs a person's eye."""

    NORMAL = "normal"
    REPEAT = "repeat"
    ALARM = "alarm"


_N, _R, _A = Verdict.NORMAL, Verdict.REPEAT, Verdict.ALARM
_ACC, _REJ, _MOD = Happening.ACCEPTED, Happening.REJECTED, Happening.MODIFIED
_CAN, _PART, _FULL = Happening.CANCELLED, Happening.PART_FILLED, Happening.FULLY_FILLED
_UNS, _UNC, _OFF = Happening.UNSENT, Happening.UNCERTAIN, Happening.WRITTEN_OFF
_ASK, _SET = Happening.MARGIN_ASKED, Happening.MARGIN_SETTLED

TRANSITIONS: dict[tuple[Phase, Happening], tuple[Phase, Verdict]] = {
    (Phase.CHECKING, _ASK): (Phase.CHECKING, _R),
    (Phase.CHECKING, _SET): (Phase.SENT, _N),
    (Phase.CHECKING, _ACC): (Phase.WORKING, _A),
    (Phase.CHECKING, _REJ): (Phase.REJECTED, _A),
    (Phase.CHECKING, _MOD): (Phase.WORKING, _A),
    (Phase.CHECKING, _CAN): (Phase.CANCELLED, _N),
    (Phase.CHECKING, _PART): (Phase.WORKING, _A),
    (Phase.CHECKING, _FULL): (Phase.FILLED, _A),
    (Phase.CHECKING, _UNS): (Phase.UNSENT, _N),
    (Phase.CHECKING, _UNC): (Phase.UNCONFIRMED, _A),
    (Phase.CHECKING, _OFF): (Phase.CHECKING, _A),
    (Phase.SENT, _ASK): (Phase.CHECKING, _N),
    (Phase.SENT, _SET): (Phase.SENT, _R),
    (Phase.SENT, _ACC): (Phase.WORKING, _N),
    (Phase.SENT, _REJ): (Phase.REJECTED, _N),
    (Phase.SENT, _MOD): (Phase.WORKING, _N),
    (Phase.SENT, _CAN): (Phase.CANCELLED, _N),
    (Phase.SENT, _PART): (Phase.WORKING, _N),
    (Phase.SENT, _FULL): (Phase.FILLED, _N),
    (Phase.SENT, _UNS): (Phase.UNSENT, _N),
    (Phase.SENT, _UNC): (Phase.UNCONFIRMED, _N),
    (Phase.SENT, _OFF): (Phase.SENT, _A),
    (Phase.WORKING, _ASK): (Phase.WORKING, _A),
    (Phase.WORKING, _SET): (Phase.WORKING, _R),
    (Phase.WORKING, _ACC): (Phase.WORKING, _R),
    (Phase.WORKING, _REJ): (Phase.REJECTED, _A),
    (Phase.WORKING, _MOD): (Phase.WORKING, _N),
    (Phase.WORKING, _CAN): (Phase.CANCELLED, _N),
    (Phase.WORKING, _PART): (Phase.WORKING, _N),
    (Phase.WORKING, _FULL): (Phase.FILLED, _N),
    (Phase.WORKING, _UNS): (Phase.WORKING, _A),
    (Phase.WORKING, _UNC): (Phase.WORKING, _R),
    (Phase.WORKING, _OFF): (Phase.WORKING, _A),
    (Phase.UNCONFIRMED, _ASK): (Phase.UNCONFIRMED, _A),
    (Phase.UNCONFIRMED, _SET): (Phase.UNCONFIRMED, _R),
    (Phase.UNCONFIRMED, _ACC): (Phase.WORKING, _N),
    (Phase.UNCONFIRMED, _REJ): (Phase.REJECTED, _N),
    (Phase.UNCONFIRMED, _MOD): (Phase.WORKING, _N),
    (Phase.UNCONFIRMED, _CAN): (Phase.CANCELLED, _N),
    (Phase.UNCONFIRMED, _PART): (Phase.WORKING, _N),
    (Phase.UNCONFIRMED, _FULL): (Phase.FILLED, _N),
    (Phase.UNCONFIRMED, _UNS): (Phase.UNCONFIRMED, _A),
    (Phase.UNCONFIRMED, _UNC): (Phase.UNCONFIRMED, _R),
    (Phase.UNCONFIRMED, _OFF): (Phase.WRITTEN_OFF, _N),
    (Phase.WRITTEN_OFF, _ASK): (Phase.WRITTEN_OFF, _A),
    (Phase.WRITTEN_OFF, _SET): (Phase.WRITTEN_OFF, _R),
    (Phase.WRITTEN_OFF, _ACC): (Phase.WORKING, _A),
    (Phase.WRITTEN_OFF, _REJ): (Phase.REJECTED, _N),
    (Phase.WRITTEN_OFF, _MOD): (Phase.WORKING, _A),
    (Phase.WRITTEN_OFF, _CAN): (Phase.CANCELLED, _A),
    (Phase.WRITTEN_OFF, _PART): (Phase.WORKING, _A),
    (Phase.WRITTEN_OFF, _FULL): (Phase.FILLED, _A),
    (Phase.WRITTEN_OFF, _UNS): (Phase.WRITTEN_OFF, _A),
    (Phase.WRITTEN_OFF, _UNC): (Phase.WRITTEN_OFF, _R),
    (Phase.WRITTEN_OFF, _OFF): (Phase.WRITTEN_OFF, _R),
    (Phase.UNSENT, _ASK): (Phase.UNSENT, _A),
    (Phase.UNSENT, _SET): (Phase.UNSENT, _R),
    (Phase.UNSENT, _ACC): (Phase.WORKING, _A),
    (Phase.UNSENT, _REJ): (Phase.UNSENT, _A),
    (Phase.UNSENT, _MOD): (Phase.WORKING, _A),
    (Phase.UNSENT, _CAN): (Phase.UNSENT, _A),
    (Phase.UNSENT, _PART): (Phase.WORKING, _A),
    (Phase.UNSENT, _FULL): (Phase.FILLED, _A),
    (Phase.UNSENT, _UNS): (Phase.UNSENT, _R),
    (Phase.UNSENT, _UNC): (Phase.UNCONFIRMED, _A),
    (Phase.UNSENT, _OFF): (Phase.UNSENT, _A),
    (Phase.FILLED, _ASK): (Phase.FILLED, _A),
    (Phase.FILLED, _SET): (Phase.FILLED, _R),
    (Phase.FILLED, _ACC): (Phase.FILLED, _R),
    (Phase.FILLED, _REJ): (Phase.FILLED, _A),
    (Phase.FILLED, _MOD): (Phase.FILLED, _A),
    (Phase.FILLED, _CAN): (Phase.FILLED, _A),
    (Phase.FILLED, _PART): (Phase.FILLED, _A),
    (Phase.FILLED, _FULL): (Phase.FILLED, _A),
    (Phase.FILLED, _UNS): (Phase.FILLED, _A),
    (Phase.FILLED, _UNC): (Phase.FILLED, _R),
    (Phase.FILLED, _OFF): (Phase.FILLED, _A),
    (Phase.CANCELLED, _ASK): (Phase.CANCELLED, _A),
    (Phase.CANCELLED, _SET): (Phase.CANCELLED, _R),
    (Phase.CANCELLED, _ACC): (Phase.CANCELLED, _R),
    (Phase.CANCELLED, _REJ): (Phase.CANCELLED, _A),
    (Phase.CANCELLED, _MOD): (Phase.CANCELLED, _A),
    (Phase.CANCELLED, _CAN): (Phase.CANCELLED, _R),
    (Phase.CANCELLED, _PART): (Phase.CANCELLED, _A),
    (Phase.CANCELLED, _FULL): (Phase.FILLED, _A),
    (Phase.CANCELLED, _UNS): (Phase.CANCELLED, _A),
    (Phase.CANCELLED, _UNC): (Phase.CANCELLED, _R),
    (Phase.CANCELLED, _OFF): (Phase.CANCELLED, _A),
    (Phase.REJECTED, _ASK): (Phase.REJECTED, _A),
    (Phase.REJECTED, _SET): (Phase.REJECTED, _R),
    (Phase.REJECTED, _ACC): (Phase.WORKING, _A),
    (Phase.REJECTED, _REJ): (Phase.REJECTED, _R),
    (Phase.REJECTED, _MOD): (Phase.WORKING, _A),
    (Phase.REJECTED, _CAN): (Phase.REJECTED, _A),
    (Phase.REJECTED, _PART): (Phase.WORKING, _A),
    (Phase.REJECTED, _FULL): (Phase.FILLED, _A),
    (Phase.REJECTED, _UNS): (Phase.REJECTED, _A),
    (Phase.REJECTED, _UNC): (Phase.REJECTED, _R),
    (Phase.REJECTED, _OFF): (Phase.REJECTED, _A),
}

OPEN_PHASES = frozenset({Phase.CHECKING, Phase.SENT, Phase.WORKING, Phase.UNCONFIRMED})
"""Phases in which an order may still trade."""


def transition(phase: Phase, happening: Happening) -> tuple[Phase, Verdict]:
    """Return the phase after a happening, and whether it was to be expected."""
    return TRANSITIONS[phase, happening]
