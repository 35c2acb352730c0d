"""The pre-open checklist: what each line looks at, and that a day that is refused opens nothing and still exits."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manjha.app.trading.preopen import PreOpen
from manjha.domain.commands import CallPerson
from manjha.domain.events import Event, KillSwitched, TradingSwitched
from manjha.domain.journal import Entry
from manjha.domain.kill import EVERYTHING, KillLevel
from manjha.domain.moments import DAY_NS, SECOND_NS, TradingDay, TsNs
from manjha.domain.orders import Purpose, RunId
from manjha.engine.journaling import entry_of, value_of
from manjha.engine.state import EngineState
from manjha.ports.journal import Journal
from manjha.services.checklist import (
    DISK_REFUSE,
    DISK_WARN,
    REFUSED_DAY,
    Facts,
    Line,
    Verdict,
    checklist,
    refusals,
    switching,
)
from tests.fakes.account import Account
from tests.fakes.control_desk import Desk
from tests.fakes.hand_made import FIRST_DAY
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.paper import ACCOUNT, Paper
from tests.fakes.tick_runs import random_tick_run
from tests.parity.test_paper import liquid, plain
from tests.unit.test_parameters_set import Every, holding

GOOD = Facts(epoch=1, free_bytes=DISK_WARN, clock_jump_ns=0)


def journal_of(*entries: Entry) -> MemoryJournal:
    journal = MemoryJournal(SharedMemory(ACCOUNT))
    journal.begin(RunId("run"))
    if entries:
        journal.append(list(entries))
    return journal


def looked(desk: Desk | Account, facts: Facts = GOOD, day: TradingDay = FIRST_DAY) -> dict[str, Line]:
    return {line.name: line for line in checklist(desk.state, journal_of(), facts, day)}


def test_each_line_is_there_and_only_what_is_wrong_has_a_remedy() -> None:
    lines = looked(Account())
    assert {name for name, line in lines.items() if line.verdict is Verdict.OK} >= {
        "journal and leader", "kill switch", "books", "instruments", "disk", "clock",
    }  # fmt: skip
    assert all(bool(line.remedy) == (line.verdict is not Verdict.OK) for line in lines.values())
    assert not refusals(lines.values())


@pytest.mark.parametrize(
    ("facts", "name", "verdict"),
    [
        (GOOD._replace(epoch=2), "journal and leader", Verdict.REFUSE),
        (GOOD._replace(free_bytes=DISK_WARN - 1), "disk", Verdict.WARN),
        (GOOD._replace(free_bytes=DISK_REFUSE), "disk", Verdict.WARN),
        (GOOD._replace(free_bytes=DISK_REFUSE - 1), "disk", Verdict.REFUSE),
        (GOOD._replace(clock_jump_ns=SECOND_NS - 1), "clock", Verdict.OK),
        (GOOD._replace(clock_jump_ns=-SECOND_NS), "clock", Verdict.REFUSE),
        (GOOD._replace(needs_limits=True), "limits", Verdict.REFUSE),
        (GOOD, "limits", Verdict.WARN),
    ],
)
def test_what_lies_outside_is_judged_at_its_bounds(facts: Facts, name: str, verdict: Verdict) -> None:
    assert looked(Desk(), facts)[name].verdict is verdict


def test_a_limit_that_real_money_needs_is_named_with_where_to_set_it() -> None:
    line = looked(Desk(), GOOD._replace(needs_limits=True))["limits"]
    assert "order_qty_max" in line.found
    assert "[risk]" in line.remedy


def test_kill_switch_books_and_old_bars_warn_by_name() -> None:
    account = Account()
    account.take(KillSwitched(KillLevel.NO_NEW, EVERYTHING, "a test", "me", TsNs(account.now_ns)))
    account.restart()
    lines = looked(account, day=TradingDay(FIRST_DAY + 1))
    assert "no-new for" in lines["kill switch"].found
    assert lines["books"].verdict is Verdict.WARN
    assert "none" in lines["bars of the day before"].found


def test_a_holiday_refuses_the_day() -> None:
    sunday = next(day for day in range(FIRST_DAY, FIRST_DAY + 7) if (day + 3) % 7 == 6)
    line = looked(Desk(), day=TradingDay(sunday))["instruments"]
    assert line.verdict is Verdict.REFUSE
    assert "no session" in line.found


def test_a_strategy_that_is_not_warm_is_told_with_how_many_bars_are_missing() -> None:
    desk = Desk()
    desk.state.ctx.warmup = len(desk.state.timeline) + 4
    line = looked(desk)["warm-up"]
    assert line.verdict is Verdict.WARN
    assert "decides nothing for 5 bars more" in line.remedy


REFUSING = (Line("disk", Verdict.REFUSE, "full", "make room"),)
PASSING = (Line("disk", Verdict.OK, "free"),)


@pytest.mark.parametrize(
    ("reason", "expected"), [(REFUSED_DAY + "disk: full", [True]), ("me: news at two", []), ("", [])]
)
def test_only_what_a_checklist_switched_off_is_switched_on_by_one(reason: str, expected: list[bool]) -> None:
    off = TradingSwitched(on=False, ts_ns=TsNs(1), reason=reason)
    journal = journal_of(entry_of(off, TsNs(1)))
    now_ns = TsNs(2)
    found = [one.on for one in switching(journal, PASSING, now_ns, is_on=False) if isinstance(one, TradingSwitched)]
    assert found == expected
    assert switching(journal, PASSING, now_ns, is_on=True) == []
    (refused,) = switching(journal, REFUSING, now_ns, is_on=True)
    assert refused == TradingSwitched(on=False, ts_ns=now_ns, reason=REFUSED_DAY + "disk: full")
    assert switching(journal, REFUSING, now_ns, is_on=False) == []


Look = Callable[[EngineState, Journal, int, TradingDay, TsNs], list[Event]]


def looking(lines: list[tuple[Line, ...]]) -> Look:
    """Return a look that finds one after the other, the last one for ever."""

    def look(state: EngineState, journal: Journal, _epoch: int, _day: TradingDay, now_ns: TsNs) -> list[Event]:
        found = lines.pop(0) if len(lines) > 1 else lines[0]
        return switching(journal, found, now_ns, is_on=state.gate.trading_on)

    return look


def test_a_day_that_is_refused_opens_nothing_and_goes_on_closing() -> None:
    paper = Paper(liquid(plain(random_tick_run(3, lambda _rng, _product: Every))), "run")
    session = holding(paper)
    session.trader.rest()
    paper.look = looking([REFUSING])
    later = paper.start(session.pump.now_ns)
    sent, at_ns = len(paper.sent), later.pump.now_ns
    for tick in paper.ticks():
        if tick.ts_ns > at_ns:
            later.on_tick(tick, tick.ts_ns)
    later.pump.finish()
    assert {one.order.purpose for one in paper.sent[sent:]} == {Purpose.SQUARE_OFF}
    reasons = [value.reason for row in paper.shared.rows if isinstance(value := value_of(row.entry), TradingSwitched)]
    assert reasons == ["pre-open check: disk: full"]


def test_the_next_day_that_passes_trades_again() -> None:
    for seed in range(12):
        paper = Paper(liquid(plain(random_tick_run(seed, lambda _rng, _product: Every))), "run")
        paper.look = looking([REFUSING, REFUSING, PASSING])
        session = paper.start()
        days = {int(tick.ts_ns) // DAY_NS for tick in paper.ticks()}
        if len(days) < 2:
            continue
        for tick in paper.ticks():
            session.on_tick(tick, tick.ts_ns)
        assert {int(one.order.decided_ns) // DAY_NS for one in paper.sent} == days - {min(days)}
        return
    raise AssertionError("no run had two days")


def test_it_is_said_and_a_person_is_called_where_a_day_is_refused(tmp_path: Path) -> None:
    said, calls = list[str](), list[CallPerson]()
    before = PreOpen(tmp_path, said.append, calls.append, needs_limits=True)
    assert before.summary == "not made yet"
    desk = Desk()
    events = before.look(desk.state, journal_of(), 1, FIRST_DAY, TsNs(5))
    assert [type(one) for one in events] == [TradingSwitched]
    assert said[0].startswith("pre-open check for ")
    assert len(said) == 1 + len(before.lines)
    assert "limits" in calls[0].what
    assert msgspec.json.encode([line.text for line in before.lines])
