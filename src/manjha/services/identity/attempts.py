"""How often somebody may try: a pace for each address and each person, and a lock after failures in a row."""

import threading
from collections.abc import Iterable, Mapping

import msgspec

from manjha.domain.identity import Attempt
from manjha.domain.moments import HOUR_NS, MINUTE_NS, SECOND_NS, TsNs
from manjha.ports.clock import Clock
from manjha.ports.unit_of_work import Records, UnitOfWork
from manjha.services.identity.caller import TooManyAttemptsError

ROWS_MAX = 10_000
"""Keys that are remembered, in memory and in the database; those that were quiet longest are forgotten first."""


class Rule(msgspec.Struct, frozen=True):
    """`burst` at once and one each `pace_ns`; after `free` failures in a row locked, twice as long after each more."""

    burst: int
    pace_ns: int
    free: int
    lock_ns: int
    lock_max_ns: int


BY_ADDRESS = Rule(5, 12 * SECOND_NS, 10, MINUTE_NS, HOUR_NS)
"""Passwords and codes from one address: at most ten in any minute."""
BY_PERSON = Rule(5, 12 * SECOND_NS, 100, 15 * MINUTE_NS, 15 * MINUTE_NS)
"""Passwords and codes of one person from everywhere: the same pace, but no stranger can lock him out for long."""
BAD_TOKENS = Rule(10, 6 * SECOND_NS, 1 << 40, 0, 0)
"""Tokens from one address that are nobody's. One that is somebody's is always let in."""
ALL_BAD_TOKENS = Rule(60, SECOND_NS, 1 << 40, 0, 0)
"""The same from everywhere: how many are looked up and logged."""


def wait_of(attempt: Attempt, rule: Rule, now_ns: int) -> int:
    """Return how long it is until the next attempt may be made; 0 for at once."""
    early = attempt.due_ns - (rule.burst - 1) * rule.pace_ns
    # A clock that was set back must not lock for ever: no wait is longer than the longest that can come of the rule.
    longest = max(rule.burst * rule.pace_ns, rule.lock_max_ns)
    wait = max(early, attempt.locked_ns) - now_ns
    return max(0, wait) if wait <= longest else 0


def taken(attempt: Attempt, rule: Rule, now_ns: int) -> Attempt:
    """Return what is known after one more attempt that may be made."""
    due = max(min(attempt.due_ns, now_ns + rule.burst * rule.pace_ns), now_ns) + rule.pace_ns
    return msgspec.structs.replace(attempt, due_ns=TsNs(due), changed_ns=TsNs(now_ns))


def failed(attempt: Attempt, rule: Rule, now_ns: int) -> Attempt:
    """Return what is known after an attempt was wrong."""
    failures = attempt.failures + 1
    over = failures - rule.free
    locked = now_ns + min(rule.lock_ns << min(over, 32), rule.lock_max_ns) if over >= 0 else 0
    return msgspec.structs.replace(attempt, failures=failures, locked_ns=TsNs(locked), changed_ns=TsNs(now_ns))


class Attempts:
    """Counts attempts in the database, so that they outlive a restart; many that are refused cost it nothing."""

    def __init__(self, work: UnitOfWork, clock: Clock) -> None:
        self._work, self._clock = work, clock
        self._lock = threading.Lock()
        self._shut: dict[str, int] = {}

    def take(self, rules: Mapping[str, Rule]) -> None:
        """Take one attempt of each key, or of none. Raises `TooManyAttemptsError` where one has none left."""
        self.require_open(rules)
        with self._work.begin() as records:
            # After the wait for the transaction: the moment that counts is when it is this one's turn.
            now = self._clock.now_ns()
            held = records.attempts.held(rules)
            waits = {key: wait_of(held[key], rule, now) for key, rule in rules.items()}
            if not any(waits.values()):
                records.attempts.put([taken(held[key], rule, now) for key, rule in rules.items()])
                records.attempts.bound(ROWS_MAX)
                return
        self._shut_until({key: now + wait for key, wait in waits.items() if wait}, now)
        raise TooManyAttemptsError(max(waits.values()))

    def require_open(self, keys: Iterable[str]) -> None:
        """Raise `TooManyAttemptsError` where one of these is known to have none left, without asking the database."""
        now = self._clock.now_ns()
        with self._lock:
            wait = max((self._shut.get(key, 0) - now for key in keys), default=0)
        if 0 < wait <= HOUR_NS:
            raise TooManyAttemptsError(wait)

    def failed(self, records: Records, rules: Mapping[str, Rule]) -> None:
        """Note that what was taken was wrong, in a transaction of the caller's."""
        now = self._clock.now_ns()
        held = records.attempts.held(rules)
        records.attempts.put([failed(held[key], rule, now) for key, rule in rules.items()])

    def passed(self, records: Records, rules: Mapping[str, Rule]) -> None:
        """Note that what was taken was right: failures before it are forgotten, the pace is not."""
        held = records.attempts.held(rules)
        records.attempts.put([msgspec.structs.replace(each, failures=0, locked_ns=TsNs(0)) for each in held.values()])

    def _shut_until(self, until: Mapping[str, int], now: int) -> None:
        with self._lock:
            self._shut |= until
            if len(self._shut) > ROWS_MAX:
                later = sorted(((end, key) for key, end in self._shut.items() if end > now), reverse=True)
                self._shut = {key: end for end, key in later[: ROWS_MAX // 2]}
