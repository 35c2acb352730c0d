"""The fault plan at work: which request and message is struck, and what happens at the moments of the plan."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from manjha.domain.errors import DataError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs, at, day_of, parse_clock, parse_day
from manjha.exchange.accounts.sessions import Sessions
from manjha.exchange.agenda import Agenda
from manjha.exchange.market.listing import Listed
from manjha.exchange.market.market import Market
from manjha.exchange.orders.passage import Passage
from manjha.exchange.trouble.faults import (
    Counted,
    Event,
    Moment,
    Plan,
    RequestFault,
    StreamFault,
    StreamMishap,
    Tally,
    is_about,
    struck,
)
from manjha.exchange.wire import stamp


class MomentDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A moment of the plan, or its end; `generation` tells the plan, which may have been forgotten since."""

    moment: Moment
    generation: int
    is_end: bool = False


class LateDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A request that lands late, or an answer that waits. It is lost where the exchange ends before."""

    number: int


class MishapState(msgspec.Struct):
    """What of the plan is to be kept: faults with their tallies, and what the moments have changed."""

    counted: Counted
    armed: int
    generation: int
    frozen: dict[InstrumentId, int]


class Mishaps:
    """All that goes wrong by plan. Without a plan it costs a look at an empty list."""

    def __init__(self, agenda: Agenda, market: Market, sessions: Sessions, passage: Passage) -> None:
        self._agenda, self._market, self._sessions, self._passage = agenda, market, sessions, passage
        self._counted = Counted()
        self._generation = 0
        self._late: dict[int, Callable[[], None]] = {}
        self._numbered = self._armed = 0
        agenda.on(MomentDue, self._moment)
        agenda.on(LateDue, self._land)

    # ---- the plan

    def arm(self, plan: Plan, now_ns: TsNs) -> None:
        """Add a plan to what is armed already.

        Raises
        ------
        DataError
            A moment that is over or cannot be read, or an instrument that is not listed or has no circuit limits.
        """
        dues = [due for moment in plan.moments for due in self._dues(moment, now_ns)]
        counted = self._counted
        for request in plan.requests:
            counted.requests.append((request, self._tally(plan)))
        for stream in plan.streams:
            counted.streams.append((stream, self._tally(plan)))
        for ts_ns, due in dues:
            self._agenda.put(ts_ns, due)

    def disarm(self, now_ns: TsNs) -> None:
        """Forget the plan, mend the link and let frozen instruments go; new names and tokens stay."""
        self._generation += 1
        self._counted = Counted()
        self._market.frozen.clear()
        if not self._passage.link_up:
            self._passage.set_link(up=True, now_ns=now_ns)

    def shown(self) -> dict[str, Any]:
        """Return what is armed, how often it was met and struck, and what is still to come."""
        armed = (self._counted.requests, self._counted.streams)
        requests, streams = (
            [{**msgspec.to_builtins(fault), "matched": tally.matched, "struck": tally.struck} for fault, tally in each]
            for each in armed
        )
        moments = [
            {**msgspec.to_builtins(entry.due.moment), "is_end": entry.due.is_end}
            for entry in sorted(self._agenda.entries)
            if isinstance(entry.due, MomentDue) and entry.due.generation == self._generation
        ]
        frozen = sorted(self._market.listing.by_id[name].key for name in self._market.frozen)
        return {
            "requests": requests, "streams": streams, "moments": moments, "frozen": frozen,
            "link_up": self._passage.link_up,
        }  # fmt: skip

    # ---- requests

    def strikes(self, method: str, path: str, authorization: str) -> RequestFault | None:
        """Return the fault that strikes a request: the first of the plan that does."""
        if not self._counted.requests:
            return None
        session = self._sessions.live.get(authorization.rpartition(":")[2].strip())
        account = session.user_id if session is not None else ""
        return struck(one for one in self._counted.requests if is_about(one[0], method, path, account))

    def later(self, seconds: float, now_ns: TsNs, does: Callable[[], None]) -> None:
        """Do something when so much time of the exchange has passed."""
        self._numbered += 1
        self._late[self._numbered] = does
        self._agenda.put(now_ns + round(seconds * SECOND_NS), LateDue(self._numbered))

    def _land(self, due: LateDue, now_ns: TsNs) -> None:
        del now_ns
        if does := self._late.pop(due.number, None):
            does()

    # ---- streams

    def joins(self, account: str) -> StreamFault | None:
        """Return the fault of a connection that begins; None for none."""
        return self._stream_fault(account, of_connection=True)

    def told(self, account: str, text: str, held: list[str]) -> list[str]:
        """Return what a connection gets in place of a message; `held` is what waits to come after the next one."""
        fault = self._stream_fault(account, of_connection=False) if self._counted.streams else None
        what = fault.what if fault is not None else None
        if what is StreamMishap.SWAP and not held:
            held.append(text)
            return []
        texts = [] if what is StreamMishap.LOSE else [text, text] if what is StreamMishap.REPEAT else [text]
        texts += held
        held.clear()
        return texts

    def _stream_fault(self, account: str, *, of_connection: bool) -> StreamFault | None:
        return struck(
            one
            for one in self._counted.streams
            if one[0].is_of_connection is of_connection and fnmatchcase(account, one[0].account)
        )

    # ---- moments

    def _dues(self, moment: Moment, now_ns: TsNs) -> Iterator[tuple[int, MomentDue]]:
        """Yield what a moment puts on the agenda. Raises `DataError`."""
        if moment.instrument:
            name = self._listed(moment.instrument).id
            if moment.what is Event.FREEZE and not self._market.standings[name].band_high:
                raise DataError(f"{moment.instrument} has no circuit limits, so it cannot stand at one")
        if moment.what is Event.SWAP_TOKENS:
            self._listed(moment.to)
        start_ns = self._ts_of(moment.at, now_ns)
        yield start_ns, MomentDue(moment, self._generation)
        if moment.until:
            end_ns = self._ts_of(moment.until, now_ns)
            if end_ns <= start_ns:
                raise DataError(f"{moment.what} ends at {moment.until}, before it begins at {moment.at}")
            yield end_ns, MomentDue(moment, self._generation, is_end=True)

    def _listed(self, key: str) -> Listed:
        found = self._market.listing.by_key.get(key)
        if found is None:
            raise DataError(f"no instrument is listed as {key!r}", hint='Its key is as in quotes: "NSE:MANJHA".')
        return found

    def _ts_of(self, text: str, now_ns: TsNs) -> TsNs:
        """Read a time of the exchange's day, or of a day before it; empty for now. Raises `DataError`."""
        if not text:
            return now_ns
        day, _, clock = text.strip().rpartition(" ")
        ts_ns = at(parse_day(day) if day else day_of(now_ns), parse_clock(clock))
        if ts_ns < now_ns:
            raise DataError(f"{text!r} is over: it is {stamp(now_ns)} at the exchange")
        return ts_ns

    def _tally(self, plan: Plan) -> Tally:
        self._armed += 1
        return Tally(plan.seed, self._armed)

    def _moment(self, due: MomentDue, now_ns: TsNs) -> None:
        if due.generation != self._generation:
            return
        moment = due.moment
        if moment.what is Event.EXPIRE_TOKENS:
            self._sessions.end_all(now_ns)
        elif moment.what is Event.LINK_DOWN:
            self._passage.set_link(up=due.is_end, now_ns=now_ns)
        elif moment.what is Event.FREEZE:
            self._freeze(moment, is_end=due.is_end)
        else:
            self._relist(moment)

    def _freeze(self, moment: Moment, *, is_end: bool) -> None:
        """Let an instrument stand at a circuit limit of the day: one side has nobody any more."""
        name = self._listed(moment.instrument).id
        if is_end:
            self._market.frozen.pop(name, None)
        else:
            standing = self._market.standings[name]
            self._market.frozen[name] = standing.band_high if moment.side == "upper" else standing.band_low

    def _relist(self, moment: Moment) -> None:
        """List an instrument under another symbol, or let two have each other's tokens."""
        listed = self._listed(moment.instrument)
        if moment.what is Event.RENAME:
            changed = {listed.id: (moment.to, listed.token)}
        else:
            other = self._listed(moment.to)
            changed = {listed.id: (listed.symbol, other.token), other.id: (other.symbol, listed.token)}
        self._market.relist(changed)

    # ---- what is kept

    def state(self) -> MishapState:
        """Return what a restored exchange goes on with."""
        return MishapState(self._counted, self._armed, self._generation, dict(self._market.frozen))

    def restore(self, state: MishapState) -> None:
        """Go on where an exchange stopped."""
        self._counted, self._armed, self._generation = state.counted, state.armed, state.generation
        self._market.frozen.update(state.frozen)
