"""Tickets for streams: a browser cannot send a header when it opens one, so it brings what it was given just before."""

import hmac
import threading

from manjha.domain.moments import SECOND_NS, TsNs
from manjha.ports.clock import Clock
from manjha.services.identity.caller import Caller, Identity, UnknownCallerError
from manjha.services.identity.credentials import Credential, Sort, new_credential, read_credential

GOOD_NS = 30 * SECOND_NS
WAITING_MAX = 1_000
"""Tickets that wait to be used; the oldest give way."""


class Tickets:
    """Gives a ticket to a caller, who may open one stream with it, within half a minute. They live in this process."""

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self._identity, self._clock = identity, clock
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Credential, Caller, TsNs]] = {}

    def give(self, caller: Caller) -> str:
        """Return a ticket for a caller."""
        made = new_credential(Sort.TICKET)
        with self._lock:
            while len(self._waiting) >= WAITING_MAX:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[made.id] = (made, caller, TsNs(self._clock.now_ns() + GOOD_NS))
        return made.text

    def take(self, text: str) -> Caller:
        """Return who was given a ticket, and let nobody use it again. Raises `UnknownCallerError`."""
        sent = read_credential(text)
        with self._lock:
            held = self._waiting.pop(sent.id, None) if sent else None
        if sent is None or held is None:
            raise _nobodys()
        made, caller, until = held
        left = until - self._clock.now_ns()
        if not hmac.compare_digest(sent.secret, made.secret) or not 0 < left <= GOOD_NS:
            raise _nobodys()
        return self._identity.still(caller)


def _nobodys() -> UnknownCallerError:
    return UnknownCallerError("this ticket is nobody's", hint="Ask for a new one; each is good once, for 30 s.")
