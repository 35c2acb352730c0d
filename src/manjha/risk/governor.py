"""The order-rate governor: how many commands may leave, per segment and in all; what exceeds waits its turn.

SEBI and the exchanges ask for registration above 10 orders a second in a segment; Kite takes 10 a second, 400 a minute
and 5,000 a day from an account. Windows slide and their ends count: no stretch of 1 s or 60 s, both ends included, ever
holds more than its limit. The day's window ends when the next session opens. A replay has all of it again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.errors import SettingsError
from manjha.domain.moments import MINUTE_NS, SECOND_NS
from manjha.domain.orders import OrderId

Command = Approved[SubmitOrder] | Approved[ModifyOrder] | Approved[CancelOrder]

REGULATORY_PER_SECOND = 10
"""Orders a second and segment from which an algorithm must be registered (SEBI 4 Feb 2025, NSE 22 Jul 2025)."""
RESERVE_MIN = 20
"""Least part of each window, in per cent, that is kept for cancels and exits (RELIABILITY INV-11)."""
CANCEL, EXIT, ENTRY = 0, 1, 2
"""Ranks: what goes first when several wait."""
NEVER = 2**63 - 1
_WINDOWS = (
    "per_second", "per_minute", "per_day", "account_per_second", "account_per_minute", "account_per_day",
)  # fmt: skip
ACCOUNT = ""
"""Name of the windows over all segments together."""


class RateLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many commands may leave in 1 s, 60 s and a day: to each segment, and from the account in all.

    `reserve` per cent of each are for cancels and exits alone. An entry that waited `age_max_ns` is dropped.
    Raises `SettingsError` for more than the regulation allows, and for a window without room for entries.
    """

    per_second: int = 8
    per_minute: int = 180
    per_day: int = 1_800
    account_per_second: int = 8
    account_per_minute: int = 350
    account_per_day: int = 4_500
    reserve: int = 20
    age_max_ns: int = 5 * SECOND_NS

    def __post_init__(self) -> None:
        for name in ("per_second", "account_per_second"):
            if getattr(self, name) > REGULATORY_PER_SECOND:
                raise SettingsError(
                    f"{name} must be at most {REGULATORY_PER_SECOND}, was {getattr(self, name)}",
                    hint="Above that an algorithm must be registered with the exchange, and Kite refuses the orders.",
                )
        if not RESERVE_MIN <= self.reserve < 100:
            raise SettingsError(
                f"reserve must be at least {RESERVE_MIN} per cent and below 100, was {self.reserve}",
                hint="It is what keeps cancels and exits possible when entries have used the rest.",
            )
        for name in _WINDOWS:
            if entries_of(getattr(self, name), self.reserve) < 1:
                raise SettingsError(
                    f"{name} leaves no room for entries, was {getattr(self, name)}", hint="Set it to 2 or more."
                )
        if self.age_max_ns < 1:
            raise SettingsError(f"age_max_ns must be positive, was {self.age_max_ns}", hint="5 s are usual.")


def entries_of(limit: int, reserve: int) -> int:
    """Return how much of a window entries may fill: what is left after the reserve, which is rounded up."""
    return limit - -(-limit * reserve // 100)


class Waiting(msgspec.Struct, frozen=True):
    """A command whose turn has not come; of which rank and segment, and since when (UTC ns)."""

    command: Command
    rank: int
    segment: str
    since_ns: int

    @property
    def order_id(self) -> OrderId:
        """Which order it is about."""
        found = self.command.command
        return found.order.id if isinstance(found, SubmitOrder) else found.order_id


class Governor:
    """Decides when commands leave. `sent` are the latest moments by segment, `today` how many the day has had."""

    __slots__ = ("limits", "now_ns", "sent", "timer_ns", "today", "waiting")

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self.sent: dict[str, list[int]] = {}
        self.today: dict[str, int] = {}
        self.waiting: tuple[list[Waiting], list[Waiting], list[Waiting]] = ([], [], [])
        self.now_ns = 0
        self.timer_ns = NEVER

    def offer(self, command: Command, rank: int, segment: str, now_ns: int) -> None:
        """Take a command in; `released` gives it back when its turn comes, perhaps at once."""
        self.waiting[rank].append(Waiting(command, rank, segment, self._moment(now_ns)))

    def withdraw(self, order_id: OrderId) -> list[Waiting]:
        """Take out, and return, what waits for an order."""
        found = [item for item in self.all_waiting() if item.order_id == order_id]
        if found:
            for queue in self.waiting:
                queue[:] = [item for item in queue if item.order_id != order_id]
        return found

    def has_cancel(self, order_id: OrderId) -> bool:
        """Tell whether a cancel of an order waits."""
        return any(item.order_id == order_id for item in self.waiting[CANCEL])

    def drop(self, waiting: Waiting) -> bool:
        """Take one command out; tell whether it still waited."""
        queue = self.waiting[waiting.rank]
        at = next((at for at, item in enumerate(queue) if item is waiting), None)
        if at is not None:
            del queue[at]
        return at is not None

    def told(self, now_ns: int) -> None:
        """Hear how late it is: what is sent from now on counts from here."""
        self._moment(now_ns)

    def expired(self, now_ns: int) -> list[Waiting]:
        """Take out, and return, the entries that waited too long, oldest first."""
        oldest = self._moment(now_ns) - self.limits.age_max_ns
        entries = self.waiting[ENTRY]
        found = [item for item in entries if item.since_ns <= oldest]
        if found:
            entries[:] = [item for item in entries if item.since_ns > oldest]
        return found

    def released(
        self, now_ns: int, is_wanted: Callable[[OrderId], bool], busy: set[OrderId] | None = None
    ) -> list[Command]:
        """Take out, and return, what may leave now: cancels, exits, entries, each oldest first within its segment.

        What is about an order that is no longer wanted (it ended meanwhile) is forgotten and uses nothing up. What is
        about a `busy` one (its last command has no outcome yet) waits and keeps nothing else back: the windows count
        when something leaves, and it would not. The orders of what is released are busy from now on; None is where
        every command has its outcome at once.
        """
        now_ns = self._moment(now_ns)
        released: list[Command] = []
        for rank, queue in enumerate(self.waiting):
            left: list[Waiting] = []
            blocked: set[str] = set()
            for item in queue:
                if not is_wanted(item.order_id):
                    continue
                if busy is not None and item.order_id in busy:
                    left.append(item)
                    continue
                if item.segment in blocked or self.free_ns(item.segment, rank) > now_ns:
                    blocked.add(item.segment)
                    left.append(item)
                    continue
                self._count(item.segment, now_ns)
                released.append(item.command)
                if busy is not None:
                    busy.add(item.order_id)
            queue[:] = left
        return released

    def free_ns(self, segment: str, rank: int) -> int:
        """Return from when a command of a rank may leave; `NEVER` where the day's number is used up."""
        limits = self.limits
        account_windows = ((limits.account_per_second, SECOND_NS), (limits.account_per_minute, MINUTE_NS))
        segment_free = self._free(segment, rank, ((limits.per_second, SECOND_NS), (limits.per_minute, MINUTE_NS)))
        account_free = self._free(ACCOUNT, rank, account_windows)
        return max(segment_free, account_free)

    def next_ns(self, busy: AbstractSet[OrderId] = frozenset()) -> int:
        """Return when something that waits may leave or is too old; `NEVER` where nothing waits for time."""
        entries = self.waiting[ENTRY]
        moments = [entries[0].since_ns + self.limits.age_max_ns] if entries else []
        seen: set[tuple[str, int]] = set()
        for item in self.all_waiting():
            if item.order_id not in busy and (item.segment, item.rank) not in seen:
                seen.add((item.segment, item.rank))
                moments.append(self.free_ns(item.segment, item.rank))
        return min(moments, default=NEVER)

    def carry(self, sent: Mapping[str, Sequence[int]], today: Mapping[str, int]) -> None:
        """Count what left before: moments of late, ascending, and numbers of the day, by segment."""
        self.sent.update((name, list(moments)) for name, moments in sent.items())
        self.today.update(today)

    def open_day(self, *, is_counted: bool = False) -> list[Waiting]:
        """Begin a day's count, unless it `is_counted` already; return what still waits from the day before."""
        if not is_counted:
            self.today.clear()
        left = list(self.all_waiting())
        for queue in self.waiting:
            queue.clear()
        return left

    def all_waiting(self) -> Iterator[Waiting]:
        """Yield what waits, in the order in which it will leave."""
        for queue in self.waiting:
            yield from queue

    def memory(self) -> tuple[object, ...]:
        """Return everything that a later decision depends on, for the state digest."""
        waiting = [(item.command.command, item.rank, item.segment, item.since_ns) for item in self.all_waiting()]
        return sorted(self.sent.items()), sorted(self.today.items()), waiting, self.now_ns

    def _moment(self, now_ns: int) -> int:
        # Moments told by the exchange may lie a little behind ours; the windows know one direction only.
        self.now_ns = max(self.now_ns, now_ns)
        return self.now_ns

    def _count(self, segment: str, now_ns: int) -> None:
        for name, kept in ((segment, self.limits.per_minute), (ACCOUNT, self.limits.account_per_minute)):
            sent = self.sent.setdefault(name, [])
            sent.append(now_ns)
            if len(sent) > 2 * kept:
                del sent[:-kept]
            self.today[name] = self.today.get(name, 0) + 1

    def _free(self, name: str, rank: int, windows: tuple[tuple[int, int], ...]) -> int:
        per_day = self.limits.account_per_day if name == ACCOUNT else self.limits.per_day
        if self.today.get(name, 0) >= self._bound(per_day, rank):
            return NEVER
        sent, free = self.sent.get(name, ()), 0
        for limit, length in windows:
            bound = self._bound(limit, rank)
            if len(sent) >= bound:
                free = max(free, sent[-bound] + length + 1)
        return free

    def _bound(self, limit: int, rank: int) -> int:
        return entries_of(limit, self.limits.reserve) if rank == ENTRY else limit
