"""The order-rate governor against an oracle that counts every window by hand."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.commands import Approved, CancelOrder
from manjha.domain.errors import SettingsError
from manjha.domain.orders import OrderId
from manjha.risk.governor import CANCEL, ENTRY, EXIT, NEVER, Governor, RateLimits

SECOND = 1_000_000_000
SMALL = RateLimits(
    per_second=4, per_minute=9, per_day=30, account_per_second=5, account_per_minute=12, account_per_day=40,
    reserve=25, age_max_ns=3 * SECOND,
)  # fmt: skip
WAITS = st.sampled_from([0, 0, 0, 1, SECOND // 3, SECOND - 1, SECOND, SECOND + 1, 7 * SECOND, 60 * SECOND])
STEPS = st.lists(st.tuples(WAITS, st.integers(0, 2), st.sampled_from(["NSE", "NFO", "MCX"])), max_size=120)
Sent = tuple[int, int, str, str]
"""When, of which rank, to which segment, which order."""


class Run:
    """Feeds a governor and wakes it at its own timers; `sent` is what left, `dropped` what was too old."""

    def __init__(self, limits: RateLimits) -> None:
        self.governor = Governor(limits)
        self.now = 0
        self.offered: list[Sent] = []
        self.sent: list[Sent] = []
        self.dropped: list[str] = []

    def play(self, steps: list[tuple[int, int, str]]) -> None:
        for wait, rank, segment in steps:
            self.until(self.now + wait)
            order = f"{len(self.offered)}"
            self.offered.append((self.now, rank, segment, order))
            self.governor.offer(Approved(CancelOrder(OrderId(order))), rank, segment, self.now)
            self.look()

    def until(self, moment: int) -> None:
        while (due := self.governor.next_ns()) <= moment:
            assert due > self.now, "a timer that has come due again"
            self.now = due
            self.look()
        self.now = moment

    def look(self) -> None:
        self.dropped += [waiting.order_id for waiting in self.governor.expired(self.now)]
        known = {order: (rank, segment) for _, rank, segment, order in self.offered}
        for command in self.governor.released(self.now, lambda order_id: True):
            order = command.command.order_id  # type: ignore[union-attr]
            self.sent.append((self.now, *known[order], order))


def largest(moments: list[int], length: int) -> int:
    """Return how many fall into the fullest stretch of a length, both ends included."""
    return max((sum(start <= one <= start + length for one in moments) for start in moments), default=0)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_window_ever_holds_more_than_its_limit(steps: list[tuple[int, int, str]]) -> None:
    run = Run(SMALL)
    run.play(steps)
    run.until(run.now + 400 * SECOND)
    for segment in ("NSE", "NFO", "MCX"):
        moments = [one[0] for one in run.sent if one[2] == segment]
        assert largest(moments, SECOND) <= SMALL.per_second
        assert largest(moments, 60 * SECOND) <= SMALL.per_minute
        assert len(moments) <= SMALL.per_day
    everything = [one[0] for one in run.sent]
    assert largest(everything, SECOND) <= SMALL.account_per_second
    assert largest(everything, 60 * SECOND) <= SMALL.account_per_minute
    assert len(everything) <= SMALL.account_per_day


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_nothing_is_lost_and_only_entries_are_dropped(steps: list[tuple[int, int, str]]) -> None:
    run = Run(SMALL)
    run.play(steps)
    run.until(run.now + 400 * SECOND)
    left = [str(waiting.order_id) for waiting in run.governor.all_waiting()]
    count = Counter([one[3] for one in run.sent] + run.dropped + left)
    assert count == Counter(one[3] for one in run.offered)
    ranks = {one[3]: one[1] for one in run.offered}
    assert {ranks[order] for order in run.dropped} <= {ENTRY}
    if len(steps) <= SMALL.per_day * 3 // 4:
        assert left == [], "the day's number is not used up"


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_order_is_kept_within_segment_and_rank(steps: list[tuple[int, int, str]]) -> None:
    run = Run(SMALL)
    run.play(steps)
    run.until(run.now + 400 * SECOND)
    for segment in ("NSE", "NFO", "MCX"):
        for rank in (CANCEL, EXIT, ENTRY):
            numbers = [int(one[3]) for one in run.sent if one[1:3] == (rank, segment)]
            assert numbers == sorted(numbers)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_entries_leave_a_quarter_of_each_window_to_cancels_and_exits(steps: list[tuple[int, int, str]]) -> None:
    run = Run(SMALL)
    run.play(steps)
    for at, (moment, rank, segment, _) in enumerate(run.sent):
        if rank == ENTRY:
            before = [one for one in run.sent[: at + 1] if one[2] == segment]
            assert sum(one[0] >= moment - SECOND for one in before) <= 3
            assert sum(one[0] >= moment - 60 * SECOND for one in before) <= 6


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_nothing_waits_that_an_oracle_would_let_go(steps: list[tuple[int, int, str]]) -> None:
    run = Run(SMALL)
    run.play(steps)
    windows = ((SMALL.per_second, SECOND), (SMALL.per_minute, 60 * SECOND))
    everywhere = ((SMALL.account_per_second, SECOND), (SMALL.account_per_minute, 60 * SECOND))
    for waiting in run.governor.all_waiting():
        share = 0.75 if waiting.rank == ENTRY else 1
        mine = [one[0] for one in run.sent if one[2] == waiting.segment]
        all_of_them = [one[0] for one in run.sent]
        full = len(mine) >= int(SMALL.per_day * share) or len(all_of_them) >= int(SMALL.account_per_day * share)
        for moments, bounds in ((mine, windows), (all_of_them, everywhere)):
            full |= any(
                sum(one >= run.now - length for one in moments) >= int(limit * share) for limit, length in bounds
            )
        assert full, waiting


def test_a_new_day_begins_the_days_count_and_gives_back_what_waits() -> None:
    run = Run(msgspec.structs.replace(SMALL, per_day=4))
    run.play([(61 * SECOND, CANCEL, "NSE")] * 5)
    assert len(run.sent) == 4
    assert run.governor.next_ns() == NEVER
    assert [waiting.order_id for waiting in run.governor.open_day()] == ["4"]
    run.play([(1, CANCEL, "NSE")])
    assert len(run.sent) == 5


def test_what_is_no_longer_wanted_uses_nothing_up() -> None:
    governor = Governor(SMALL)
    governor.offer(Approved(CancelOrder(OrderId("a"))), CANCEL, "NSE", 1)
    assert governor.released(1, lambda order_id: False) == []
    assert governor.memory() == (*Governor(SMALL).memory()[:3], 1)


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"per_second": 11}, "per_second must be at most 10, was 11"),
        ({"account_per_second": 11}, "account_per_second must be at most 10, was 11"),
        ({"reserve": 19}, "reserve must be at least 20 per cent and below 100, was 19"),
        ({"reserve": 100}, "reserve must be"),
        ({"per_minute": 1}, "per_minute leaves no room for entries, was 1"),
        ({"age_max_ns": 0}, "age_max_ns must be positive, was 0"),
    ],
)
def test_a_configuration_beyond_the_rules_is_refused(given_: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        RateLimits(**given_)


def test_the_regulatory_limit_itself_is_taken() -> None:
    assert RateLimits(per_second=10, account_per_second=10, reserve=20).per_second == 10
