"""Who listens to what: journals are read once for all, each event is written once, slow listeners are cut off."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool

from manjha.api.asking import newest_ticks
from manjha.api.parts import ApiParts
from manjha.api.streaming.events import JOBS, Event, Topic, events_after, head_of
from manjha.domain.errors import ManjhaError
from manjha.domain.moments import format_ts
from manjha.domain.money import format_px
from manjha.domain.orders import AccountId
from manjha.services.identity.caller import Scope, UnknownCallerError

LOOKS_S = 0.1
"""How often journals and prices are looked at: ten times a second, at most."""
GUARDS_S = 0.5
"""How often it is looked whether a listener's token still holds, and who trades."""
WAITING_MAX = 1_000
"""Events that may wait for a listener; then it is cut off, and may resume."""
LISTENERS_MAX, EACH_MAX = 2_000, 1_000
"""Listeners in all, and under one token."""
BACKLOG_MAX = 50_000
"""Rows that a listener may be behind; further back it is told to read the lists anew."""


class Frame(NamedTuple):
    """An event as it is sent, written once for all who hear it."""

    event: Event
    sse: bytes
    text: str


class Wanted(NamedTuple):
    """What somebody listens to: topics; accounts and instruments, by id, where empty is all."""

    topics: frozenset[Topic]
    accounts: frozenset[str] = frozenset()
    instruments: frozenset[str] = frozenset()

    def hears(self, event: Event) -> bool:
        """Tell whether an event is listened to."""
        if event.topic is Topic.RESET:
            return True
        is_of = not self.accounts or event.account in {JOBS, *self.accounts}
        about = not self.instruments or not event.instrument or event.instrument in self.instruments
        return event.topic in self.topics and is_of and about


class Listener:
    """One connection. `ended` is set when it must end, and `why` says why."""

    def __init__(self, wanted: Wanted, bearer: str, address: str) -> None:
        self.wanted, self.bearer, self.address = wanted, bearer, address
        self.waiting: asyncio.Queue[Frame | None] = asyncio.Queue(WAITING_MAX)
        self.ended = asyncio.Event()
        self.why = ""

    def hear(self, frame: Frame) -> None:
        """Take an event; a price is left out where much waits already: the next one is newer."""
        if self.ended.is_set() or not self.wanted.hears(frame.event):
            return
        if frame.event.topic is Topic.TICKS and self.waiting.qsize() > WAITING_MAX // 2:
            return
        try:
            self.waiting.put_nowait(frame)
        except asyncio.QueueFull:
            self.end("too slow")

    def end(self, why: str) -> None:
        """Let it end: what waits is not said any more, None is the last thing that it hears."""
        self.why = self.why or why
        self.ended.set()
        while not self.waiting.empty():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)


class Hub:
    """Reads what happens while anybody listens. It lives in the server's event loop."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts
        self._listeners: set[Listener] = set()
        self._places: dict[str, int] = {}
        self._trading: dict[str, bool] = {}
        self._prices: dict[tuple[str, str], int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._listeners)

    def has_room(self, bearer: str) -> bool:
        """Tell whether one more may listen under a token."""
        own = sum(each.bearer == bearer for each in self._listeners)
        return len(self._listeners) < LISTENERS_MAX and own < EACH_MAX

    async def join(self, listener: Listener, after: dict[str, int] | None) -> list[Frame]:
        """Let somebody listen; return what happened between the rows `after` and now, which comes first.

        From an account that is not in `after` everything is told where there is an `after` at all, else what is new.
        """
        await self._find_places()
        places = dict(self._places)
        self._listeners.add(listener)
        if not self._tasks:
            self._tasks = [asyncio.create_task(each()) for each in (self._follow, self._guard)]
        if after is None:
            return []
        found: list[Frame] = []
        at = {account: min(after.get(account, 0), place) for account, place in places.items()}
        for account, place in places.items():
            found += await self._backlog(listener.wanted, account, at, place)
        return found

    def leave(self, listener: Listener) -> None:
        """Let somebody listen no more; the last one ends the reading."""
        self._listeners.discard(listener)
        if not self._listeners:
            for task in self._tasks:
                task.cancel()
            self._tasks = []
            self._places.clear()
            self._trading.clear()
            self._prices.clear()

    def tell(self, events: Iterable[Event]) -> None:
        """Tell everybody."""
        for frame in framed(events, self._places):
            for listener in self._listeners:
                listener.hear(frame)

    async def _find_places(self) -> None:
        """Find accounts. One that comes while somebody listens is new: all of it is told."""
        is_reading = bool(self._tasks)
        for account in (JOBS, *await run_in_threadpool(self._parts.traders.accounts)):
            if account not in self._places:
                place = 0 if is_reading else await run_in_threadpool(head_of, self._parts, account)
                self._places.setdefault(account, place)

    async def _backlog(self, wanted: Wanted, account: str, at: dict[str, int], place: int) -> list[Frame]:
        if place - at[account] > BACKLOG_MAX:
            at[account] = place
            return framed([Event(Topic.RESET, account, place, "", b"{}")], at)
        if wanted.accounts and account not in {JOBS, *wanted.accounts}:
            at[account] = place
            return []
        events, _ = await run_in_threadpool(events_after, self._parts, account, at[account])
        frames = framed([each for each in events if each.seq <= place and wanted.hears(each)], at)
        at[account] = place
        return frames

    async def _follow(self) -> None:
        while True:
            for account in list(self._places):
                with suppress(ManjhaError):
                    await self._look(account)
            await asyncio.sleep(LOOKS_S)

    async def _look(self, account: str) -> None:
        if await run_in_threadpool(head_of, self._parts, account) > self._places[account]:
            events, reached = await run_in_threadpool(events_after, self._parts, account, self._places[account])
            self.tell(events)
            self._places[account] = reached
        ticking = [each.wanted for each in self._listeners if Topic.TICKS in each.wanted.topics]
        if any(account in each.accounts for each in ticking):
            self.tell(self._newer(account, await run_in_threadpool(newest_ticks, self._parts, AccountId(account))))

    def _newer(self, account: str, rows: list[dict[str, str | int | bool]]) -> list[Event]:
        found = []
        for row in rows:
            name, ts_ns = str(row["instrument"]), int(row["ts_ns"])
            if self._prices.get((account, name)) != ts_ns:
                self._prices[account, name] = ts_ns
                told = {"instrument": name, "price": format_px(int(row["px"])), "time": format_ts(ts_ns)}
                found.append(Event(Topic.TICKS, account, 0, name, msgspec.json.encode(told)))
        return found

    async def _guard(self) -> None:
        while True:
            await asyncio.sleep(GUARDS_S)
            for bearer, address in {(each.bearer, each.address) for each in self._listeners}:
                if not await run_in_threadpool(self._holds, bearer, address):
                    for each in [one for one in self._listeners if one.bearer == bearer]:
                        each.end("the token does not hold any more")
            with suppress(ManjhaError):
                await self._find_places()
                await self._tell_health()

    def _holds(self, bearer: str, address: str) -> bool:
        try:
            return Scope.READ in self._parts.identity.authenticate(bearer, address).scopes
        except UnknownCallerError:
            return False

    async def _tell_health(self) -> None:
        for account in self._places.keys() - {JOBS}:
            holder = await run_in_threadpool(self._parts.traders.holder, AccountId(account))
            if self._trading.get(account) is not (holder is not None):
                self._trading[account] = holder is not None
                told = msgspec.json.encode({"trader": holder is not None})
                self.tell([Event(Topic.HEALTH, account, 0, "", told)])


def framed(events: Iterable[Event], places: dict[str, int]) -> list[Frame]:
    """Return events as they are sent; `places` are moved on.

    The id of an event is where to resume: of several that one row tells only the last one moves it.
    """
    listed = list(events)
    frames = []
    for number, event in enumerate(listed):
        follows = listed[number + 1] if number + 1 < len(listed) else None
        if event.seq and (follows is None or (follows.account, follows.seq) != (event.account, event.seq)):
            places[event.account] = event.seq
        place = format_place(places)
        body = event.body()
        sse = b"id: %b\nevent: %b\ndata: %b\n\n" % (place.encode(), event.topic.encode(), body)
        frames.append(Frame(event, sse, f'{{"id":"{place}",{body[1:].decode()}'))
    return frames


def format_place(places: dict[str, int]) -> str:
    """Write where a listener is: "PAPER:120,AB1234:44"."""
    return ",".join(f"{account}:{seq}" for account, seq in sorted(places.items()))


def parse_place(text: str) -> dict[str, int] | None:
    """Read where a listener was; None for nowhere. Raises `ValueError` for what is no place."""
    if not text:
        return None
    found: dict[str, int] = {}
    for part in text.split(","):
        account, colon, seq = part.partition(":")
        if not (account and colon and seq.isascii() and seq.isdecimal() and len(seq) < 19):
            raise ValueError(part)
        found[account] = int(seq)
    return found
