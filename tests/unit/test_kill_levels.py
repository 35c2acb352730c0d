"""What each level of the kill switch lets through, in which scope, and what it does at once."""

import pytest

from manjha.domain.commands import Approved, CancelOrder, Output, RefusalReason, Refused, SubmitOrder
from manjha.domain.events import KillSwitched
from manjha.domain.kill import EVERYTHING, KillLevel, Scope, level_name, level_of
from manjha.domain.moments import TsNs
from manjha.domain.money import Px
from manjha.domain.orders import OrderType, Purpose, Side, StrategyId
from manjha.engine.digest import digest
from manjha.risk.control_limits import NO_LIMITS
from manjha.risk.kill import joined, level_for, unheard
from tests.fakes.control_desk import ALPHA, BETA, RUPEE, Desk

OFF, REDUCE, NO_NEW, CANCEL, FLATTEN = KillLevel
THROWN = (REDUCE, NO_NEW, CANCEL, FLATTEN)


def throw(desk: Desk, level: KillLevel, scope: Scope = EVERYTHING) -> list[Output]:
    return desk.feed(KillSwitched(level, scope, "a test", "me", TsNs(desk.now)))


def submits(out: list[Output]) -> list[SubmitOrder]:
    return [o.command for o in out if isinstance(o, Approved) and isinstance(o.command, SubmitOrder)]


def cancels(out: list[Output]) -> list[CancelOrder]:
    return [o.command for o in out if isinstance(o, Approved) and isinstance(o.command, CancelOrder)]


@pytest.mark.parametrize(
    ("purpose", "side", "let_through"),
    [
        (Purpose.SIGNAL, Side.BUY, ()),
        (Purpose.SIGNAL, Side.SELL, (REDUCE,)),
        (Purpose.STOP, Side.SELL, (REDUCE, NO_NEW)),
        (Purpose.TARGET, Side.SELL, (REDUCE, NO_NEW)),
        (Purpose.TIME_EXIT, Side.SELL, (REDUCE, NO_NEW)),
        (Purpose.SQUARE_OFF, Side.SELL, THROWN),
    ],
)
@pytest.mark.parametrize("level", THROWN)
def test_a_level_lets_through(
    level: KillLevel, purpose: Purpose, side: Side, let_through: tuple[KillLevel, ...]
) -> None:
    desk = Desk(NO_LIMITS)
    desk.hold(10)
    assert desk.state.controls is not None
    desk.state.controls.levels[EVERYTHING] = level
    answer = desk.submit(10, side, purpose=purpose)
    assert isinstance(answer, Approved) == (level in let_through), answer
    if isinstance(answer, Refused):
        assert answer.reason is RefusalReason.KILLED
        assert level_name(level) in answer.detail


@pytest.mark.parametrize(
    ("scope", "is_hit"),
    [
        (EVERYTHING, True),
        (Scope(strategy=StrategyId("idle")), True),
        (Scope(strategy=StrategyId("another")), False),
        (Scope(instrument=ALPHA.id), True),
        (Scope(instrument=BETA.id), False),
        (Scope(StrategyId("idle"), ALPHA.id), True),
        (Scope(StrategyId("idle"), BETA.id), False),
        (Scope(StrategyId("another"), ALPHA.id), False),
    ],
)
def test_a_scope_hits_its_own(scope: Scope, is_hit: bool) -> None:
    desk = Desk(NO_LIMITS)
    throw(desk, NO_NEW, scope)
    assert isinstance(desk.submit(), Refused) == is_hit


def test_cancel_all_cancels_what_is_open_in_its_scope() -> None:
    desk = Desk(NO_LIMITS)
    desk.hold(10)
    mine = [desk.place(5, px=99), desk.place(10, Side.SELL, type=OrderType.SL_M, trigger=Px(95 * RUPEE))]
    other = desk.place(5, px=99, instrument=BETA.id)
    assert cancels(throw(desk, CANCEL, Scope(instrument=ALPHA.id))) == [CancelOrder(order.id) for order in mine]
    assert cancels(throw(desk, CANCEL))[-1] == CancelOrder(other.id)


@pytest.mark.parametrize("level", [REDUCE, NO_NEW])
def test_lower_levels_cancel_nothing(level: KillLevel) -> None:
    desk = Desk(NO_LIMITS)
    desk.place(5, px=99)
    assert throw(desk, level) == []


def test_flatten_closes_what_is_held_once() -> None:
    desk = Desk(NO_LIMITS)
    desk.hold(10)
    desk.hold(7, Side.SELL, instrument=BETA.id)
    out = throw(desk, FLATTEN)
    assert [(s.order.instrument, s.order.side, s.order.qty, s.order.purpose) for s in submits(out)] == [
        (ALPHA.id, Side.SELL, 10, Purpose.SQUARE_OFF),
        (BETA.id, Side.BUY, 7, Purpose.SQUARE_OFF),
    ]
    assert submits(throw(desk, FLATTEN)) == [], "both are on their way"


def test_an_entry_that_trades_after_flatten_is_closed() -> None:
    desk = Desk(NO_LIMITS)
    entry = desk.place(10, px=99)
    assert cancels(throw(desk, FLATTEN)) == [CancelOrder(entry.id)]
    out = desk.fill(entry, 99, 4)
    assert [(s.order.side, s.order.qty) for s in submits(out)] == [(Side.SELL, 4)]
    first = submits(out)[0].order
    out = desk.fill(entry, 99, 6)
    assert cancels(out) == [CancelOrder(first.id)], "one order closes what is held now"
    assert [(s.order.side, s.order.qty) for s in submits(out)] == [(Side.SELL, 10)]


def test_lifting_a_scope_lifts_what_is_within_it_only() -> None:
    desk = Desk(NO_LIMITS)
    throw(desk, NO_NEW, Scope(instrument=ALPHA.id))
    throw(desk, NO_NEW, Scope(StrategyId("idle"), BETA.id))
    throw(desk, OFF, Scope(strategy=StrategyId("idle")))
    assert isinstance(desk.submit(), Refused)
    assert isinstance(desk.submit(instrument=BETA.id), Approved)
    throw(desk, OFF)
    assert isinstance(desk.submit(), Approved)


def test_a_run_without_controls_can_be_killed_and_resumed() -> None:
    desk = Desk(None)
    assert desk.state.controls is None
    before = digest(desk.state)
    throw(desk, REDUCE)
    assert isinstance(desk.submit(), Refused)
    assert digest(desk.state) != before
    throw(desk, OFF)
    assert isinstance(desk.submit(), Approved)


def test_replaying_the_events_gives_the_same_switch() -> None:
    def played() -> str:
        desk = Desk(NO_LIMITS)
        throw(desk, NO_NEW, Scope(instrument=ALPHA.id))
        throw(desk, CANCEL, Scope(strategy=StrategyId("idle")))
        return digest(desk.state)

    assert played() == played()


@pytest.mark.parametrize(
    ("journal", "file", "found"),
    [
        (OFF, OFF, OFF),
        (NO_NEW, OFF, NO_NEW),
        (OFF, CANCEL, CANCEL),
        (CANCEL, NO_NEW, CANCEL),
        (REDUCE, FLATTEN, FLATTEN),
    ],
)
def test_the_switch_is_on_where_journal_or_file_says_so(journal: KillLevel, file: KillLevel, found: KillLevel) -> None:
    levels = {EVERYTHING: journal} if journal else {}
    event = KillSwitched(file, EVERYTHING, "a test", "me", TsNs(1))
    assert level_for(joined(levels, [event]), "any", ALPHA.id) is found


@pytest.mark.parametrize(("text", "level"), [("reduce-only", REDUCE), (" NO_NEW ", NO_NEW), ("Flatten", FLATTEN)])
def test_a_level_is_read_as_people_write_it(text: str, level: KillLevel) -> None:
    assert level_of(text) is level
    assert level_of(level_name(level)) is level
    assert level_of("stop") is None


def test_what_the_file_says_beyond_the_journal_is_heard_once() -> None:
    def event(level: KillLevel, scope: Scope, ts_ns: int) -> KillSwitched:
        return KillSwitched(level, scope, "a test", "me", TsNs(ts_ns))

    alpha = Scope(instrument=ALPHA.id)
    file = [event(REDUCE, alpha, 1), event(CANCEL, alpha, 2), event(NO_NEW, alpha, 3), event(FLATTEN, EVERYTHING, 4)]
    assert unheard({}, file) == [file[1], file[3]]
    assert unheard({alpha: CANCEL, EVERYTHING: NO_NEW}, file) == [file[3]]
    assert unheard({alpha: FLATTEN, EVERYTHING: FLATTEN}, file) == []
    assert unheard({}, [*file, event(OFF, EVERYTHING, 5)]) == []


def test_a_lift_of_the_file_counts_for_what_was_thrown_before_it() -> None:
    def event(level: KillLevel, scope: Scope, reason: str) -> KillSwitched:
        return KillSwitched(level, scope, reason, "me", TsNs(1))

    alpha = Scope(instrument=ALPHA.id)
    throw, lift, again = event(CANCEL, EVERYTHING, "a"), event(OFF, EVERYTHING, "b"), event(NO_NEW, alpha, "c")
    heard = {EVERYTHING: CANCEL}
    assert unheard(heard, [throw, lift], throw) == [lift]
    assert unheard(heard, [throw, lift, again], throw) == [lift, again]
    # What the journal has since is not touched by a lift that it has heard already, nor by one of another scope.
    assert unheard(heard, [throw, lift], lift) == []
    assert unheard(heard, [throw, event(OFF, alpha, "d")], throw) == []
    # A journal that never heard of a switch does not hear what was thrown and lifted before its time.
    assert unheard({}, [throw, lift], None) == []
    assert unheard(heard, [lift], None) == []
    # The file could not be read, which counts as thrown; then a person has lifted that.
    assert unheard({EVERYTHING: FLATTEN}, [lift], event(FLATTEN, EVERYTHING, "unreadable")) == [lift]
