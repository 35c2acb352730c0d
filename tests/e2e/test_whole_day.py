"""Whole trading days at an exchange on a socket: three strategies, every fault of the plan, and all books agree.

`make day` lives DAYS of them (1 unless given) at SPEED times real time (360) on the market of SEED (7). The market and
the plan follow from the seed; when a request comes follows from the machine, so no two runs are alike in every order.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from manjha.domain.moments import TradingDay, format_day
from tests.fakes.day_books import Evidence, Row, faults_of, ours, traded_by
from tests.fakes.day_faults import FIRST, KINDS, SECOND, THIRD, moments_of, plan_of
from tests.fakes.whole_day import BEGINS, CAPITAL, Market, Member, Posts, Seat, market

pytestmark = pytest.mark.slow
T = TypeVar("T")

SEED, DAYS, SPEED = (float(os.environ.get(name, usual)) for name, usual in (("SEED", 7), ("DAYS", 1), ("SPEED", 360)))
TRADES_MIN = 6
"""Trades that each strategy must have made, or the day shows nothing."""
MEMBERS = (
    Member(FIRST, "sma-cross", ("fast=2", "slow=3"), ("NSE:MANJHA",), "CNC", "capital:0.4", person=True),
    Member(
        SECOND, "donchian-turtle", ("entry=2", "leave=2", "risk=1", "atr_length=3", "both_sides=true"), ("NSE:FIRKI",),
        "MIS", "capital:0.5",
    ),
    Member(
        THIRD, "pairs-spread", ("length=10", "entry=1", "leave=0.3", "hedge=one", "weight=0.5"),
        ("NSE:SADDI", "NSE:DORI"), "MIS", "",
    ),
)  # fmt: skip


class Days:
    """Everybody at the exchange, day after day."""

    def __init__(self, market: Market, seats: list[Seat]) -> None:
        self.market, self.seats = market, seats
        self.runs: dict[str, list[list[Row]]] = {one.account: [] for one in seats}

    def together(self, do: Callable[[Seat], T]) -> list[T]:
        """Let something be done for all accounts at once."""
        with ThreadPoolExecutor(len(self.seats)) as pool:
            return list(pool.map(do, self.seats))

    def live(self, day: TradingDay) -> None:
        """Live a day, from before the open to when the last trader has ended by itself."""
        self.market.tell("POST", "/simulation/faults", {"moments": moments_of(format_day(day))})
        self.together(Seat.log_in)
        self.market.clock.goes_when_asked = True
        self.together(Seat.start)
        third = self.seats[2]
        self.until(day, "11:00")
        self.together(Seat.look)
        third.kill()
        third.start()
        self.until(day, "12:36")
        self.together(Seat.log_in)
        self.until(day, "13:50")
        self.together(Seat.look)
        self.until(day, "15:55", lambda: all(one.is_over for one in self.seats))
        self.market.clock.hold()

    def until(self, day: TradingDay, clock: str, enough: Callable[[], bool] = lambda: False) -> None:
        """Wait for a time of the exchange's day; no trader may end before it."""
        while not self.market.is_past(day, clock) and not enough():
            ended = [one for one in self.seats if one.is_over and one.process and one.process.returncode]
            assert not ended, f"{ended[0].account} has ended before {clock}:\n{ended[0].erred}"
            threading.Event().wait(0.05)

    def judge(self, day: TradingDay, following: TradingDay, mornings: dict[str, Fraction]) -> list[str]:
        """Compare all books of a day; leave the exchange on the next morning, which the bill of the day is paid on."""
        evenings = {one.account: self.evening(one) for one in self.seats}
        self.market.leap_to(following, BEGINS)
        before = dict(mornings)
        mornings |= {one.account: one.cash() for one in self.seats}
        cases = self.together(
            lambda one: self.case(one, day, evenings[one.account], (before[one.account], mornings[one.account]))
        )
        found = []
        for seat, case in zip(self.seats, cases, strict=True):
            found += [f"{seat.account} on {format_day(day)}: {one}" for one in faults_of(case)]
            trades = len({one["order_id"] for one in traded_by(case)})
            assert trades >= TRADES_MIN, f"only {trades} orders of {seat.account} traded\n{seat.erred}"
            assert len(ours(case)) < len(case.orders) or not seat.member.person
        return found

    def evening(self, seat: Seat) -> dict[str, list[Row]]:
        """Return what the exchange says in the evening, by what was asked for."""
        token = seat.token()
        answers = {name: seat.ask(f"/{name}", token) for name in ("orders", "trades")}
        answers["positions"] = seat.ask("/portfolio/positions", token)["net"]
        answers["holdings"] = seat.ask("/portfolio/holdings", token)
        return answers

    def case(
        self, seat: Seat, day: TradingDay, seen: dict[str, list[Row]], cash: tuple[Fraction, Fraction]
    ) -> Evidence:
        report = seat.report
        earlier = self.runs[seat.account]
        if report["is_new"]:
            earlier.clear()
        case = Evidence(
            **seen, cash=cash, journal=seat.journal(day), tables=seat.tables(day), report=report,
            earlier=list(earlier), capital=CAPITAL, alone=not seat.member.person,
        )  # fmt: skip
        earlier.append(traded_by(case))
        return case


@contextlib.contextmanager
def at_the_exchange(folder: Path) -> Iterator[Days]:
    """Serve the exchange and seat everybody; nobody outlives the test."""
    with (
        Posts([one.account for one in MEMBERS]) as posts,
        market(MEMBERS, int(SEED), int(DAYS), SPEED, posts) as served,
    ):
        served.tell("POST", "/simulation/faults", plan_of(int(SEED), SPEED))
        seats = [Seat(one, folder / one.account, served, posts) for one in MEMBERS]
        try:
            yield Days(served, seats)
            assert min(posts.taken.values()) > 0, posts.taken
        finally:
            for seat in seats:
                if seat.process is not None and not seat.is_over:
                    seat.kill()


@pytest.mark.timeout(int(300 + DAYS * 60_000 / SPEED))
def test_after_whole_days_of_faults_all_books_agree_to_the_paisa(tmp_path: Path) -> None:
    print(f"to live it again: make day SEED={SEED:g} DAYS={DAYS:g} SPEED={SPEED:g}")  # noqa: T201 - for who it fails for
    with at_the_exchange(tmp_path) as days:
        mornings = {one.account: one.cash() for one in days.seats}
        listed = days.market.days
        found = []
        for day, following in pairwise(listed):
            days.live(day)
            found += days.judge(day, following, mornings)
        assert not found, "\n".join([*found, str(tmp_path)])
        shown = days.market.tell("GET", "/simulation/faults")
        armed = [*shown["requests"], *shown["streams"]]
        missed = [one for one in armed if not one["struck"]]
        assert not missed, missed
        assert {one["what"] for one in armed} == set(KINDS)
        assert not shown["moments"]
        days.together(lambda seat: seat("journal", "verify", "--account", seat.account))
        days.together(lambda seat: seat("journal", "replay", "--account", seat.account))
