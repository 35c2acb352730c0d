"""What an answer to a placing request proves: RELIABILITY section 5.2, whose default row is that nothing is known.

A broker has no idempotency key, so a wrong "it was refused" becomes an orphan order and a wrong "it was not sent" a
duplicate. Only what is on the list counts as definite; a 400 is on it only with the right kind and the right words.
"""

import msgspec

from manjha.domain.broker import Outcome, OutcomeUnknown, Sent, Turned, Unsent

SESSION_KINDS = frozenset({"TokenException", "PermissionException"})
"""Kinds of a 403 that the broker gives before it looks at an order: no session, or no right to send (static IP)."""
REFUSAL_KINDS = frozenset({"InputException", "MarginException", "HoldingException"})
"""Kinds of a 400 by which an order was looked at and refused."""
UNSURE_WORDS = ("timed out", "check the order book", "try again", "try later", "after some time", "processing")
"""Words that have stood in a 400 while the order was placed all the same (RELIABILITY K4)."""
OK, BAD_REQUEST, FORBIDDEN, TOO_MANY = 200, 400, 403, 429


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a placing request.

    `written` counts bytes of the request's body that left; `status` is the HTTP status, 0 where no answer came; `kind`
    is the broker's `error_type`, `words` its message. `broker_id` is the order's number where a whole and well-formed
    answer of success gave one.
    """

    written: int
    status: int = 0
    kind: str = ""
    words: str = ""
    broker_id: str = ""


def outcome_of(answer: Answer) -> Outcome:
    """Return what an answer to a placing request proves."""
    words = answer.words or answer.kind or f"HTTP {answer.status}"
    if answer.status == 0:
        return Unsent(answer.words or "no connection") if answer.written == 0 else OutcomeUnknown(words)
    if answer.status == OK and answer.broker_id:
        return Sent(answer.broker_id)
    if answer.status == FORBIDDEN and answer.kind in SESSION_KINDS:
        return Turned(words, is_session=True)
    if answer.status == TOO_MANY or _is_refused(answer):
        return Turned(words)
    return OutcomeUnknown(words)


def _is_refused(answer: Answer) -> bool:
    text = answer.words.lower()
    is_kind = answer.status == BAD_REQUEST and answer.kind in REFUSAL_KINDS
    return is_kind and not any(each in text for each in UNSURE_WORDS)
