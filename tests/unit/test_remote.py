"""An account at an exchange that is a network away: everything that can happen to a request, in virtual time."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from manjha.app.trading.loop import SETTLE_S, Ended, Loop
from manjha.app.trading.outbox import IN_FLIGHT_MAX, KEPT_FOR_CANCELS
from manjha.app.trading.remote import ANSWER_S, READ_GAP_S, Pace
from manjha.app.trading.session import Session
from manjha.domain.broker import OutcomeUnknown, Sent, Turned, Unsent
from manjha.domain.commands import RefusalReason
from manjha.domain.errors import InvariantBroken, SourceError
from manjha.domain.events import BrokerRead, LinkLost, SendVetoed, SubmitAnswered
from manjha.domain.journal import faults
from manjha.domain.moments import MINUTE_NS, SECOND_NS
from manjha.domain.money import RUPEE
from manjha.domain.orders import OrderId, Phase, Side
from manjha.engine.journaling import value_of
from manjha.strategy.context import Context
from tests.fakes.remote import (
    Fault,
    Remote,
    answers_after,
    ends_with,
    lands_and_hangs,
    lands_late_and_hangs,
    never,
    played,
)

Do = Callable[[Context], object]
pytestmark = pytest.mark.slow


def buy(qty: int = 10, limit: float | None = None, stop: float | None = None) -> Do:
    def do(ctx: Context) -> None:
        ctx.buy(qty, limit=limit, stop=stop)

    return do


def many(count: int) -> Do:
    """Ask for so many resting orders at once, each at a price of its own."""

    def do(ctx: Context) -> None:
        for at in range(count):
            ctx.buy(1, limit=490.0 - at)

    return do


def at_minute(remote: Remote, minute: float) -> int:
    return remote.ticks[0].ts_ns - remote.ticks[0].ts_ns % MINUTE_NS + int(minute * MINUTE_NS)


def phases(session: Session) -> list[Phase]:
    return [record.phase for record in session.trader.state.book.records.values()]


def told(remote: Remote, kind: type) -> list[object]:
    """Return what of a kind the journal has."""
    return [value for row in remote.shared.rows if isinstance(value := value_of(row.entry), kind)]


def sound(remote: Remote, session: Session) -> None:
    """See that the trader's book is the exchange's, that nothing was sent twice and that the journal is whole."""
    state = session.trader.state
    assert [(fill.id, fill.px, fill.qty) for fill in state.record_fills] == [
        (fill.id, fill.px, fill.qty) for fill in remote.exchange.traded
    ]
    tags = [command.tag for command in remote.exchange.placed]
    assert len(tags) == len(set(tags))
    assert list(faults(remote.shared.rows, remote.shared.head)) == []


def test_an_order_is_placed_filled_and_read_back() -> None:
    remote = Remote(played({3: buy()}))
    session, ended = remote.live()
    assert ended is Ended.FEED
    assert phases(session)[0] is Phase.FILLED
    assert not remote.calls
    sound(remote, session)


@pytest.mark.failure("F19")
@pytest.mark.parametrize("seconds", [0.3, 2.0, 6.5])
def test_an_answer_that_comes_after_the_fill_was_read_changes_nothing(seconds: float) -> None:
    remote = Remote(played({3: buy()}))
    remote.gateway.faults = [answers_after(seconds)]
    session, _ = remote.live()
    kinds = [type(value) for value in told(remote, SubmitAnswered | BrokerRead) if not _is_bare(value)]  # type: ignore[arg-type]
    assert kinds.index(SubmitAnswered) > kinds.index(BrokerRead) or seconds < 1
    assert phases(session)[0] is Phase.FILLED
    assert len(remote.exchange.traded) == 1
    sound(remote, session)


def _is_bare(value: object) -> bool:
    return isinstance(value, BrokerRead) and not value.orders


@pytest.mark.failure("F47")
def test_an_order_that_has_waited_too_long_for_its_connection_does_not_leave() -> None:
    remote = Remote(played({3: buy(limit=490.0)}))
    remote.gateway.connects_s = 0.3
    session, _ = remote.live()
    assert told(remote, SubmitAnswered)[0].outcome == Unsent("decided 300 ms ago; it had to leave within 250")  # type: ignore[attr-defined]
    assert phases(session) == [Phase.UNSENT]
    assert remote.exchange.placed == []
    sound(remote, session)


def test_a_cancel_that_has_waited_for_its_connection_leaves_all_the_same() -> None:
    remote = Remote(played({3: buy(limit=490.0), 6: lambda ctx: ctx.market.cancel()}))

    def slower(loop: Loop) -> None:
        remote.gateway.connects_s = 0.3

    session, _ = remote.live((at_minute(remote, 5), slower))
    assert phases(session) == [Phase.CANCELLED]
    sound(remote, session)


@pytest.mark.failure("F01")
def test_a_gateway_that_hangs_is_given_up_and_the_order_found_by_its_tag() -> None:
    remote = Remote(played({3: buy(limit=490.0)}))
    remote.gateway.hears = False
    remote.gateway.faults = [lands_and_hangs]
    session, _ = remote.live()
    (answer,) = told(remote, SubmitAnswered)
    assert isinstance(answer, SubmitAnswered)
    assert isinstance(answer.outcome, OutcomeUnknown)
    (_, name, began) = remote.gateway.log[0]
    assert answer.ts_ns - remote.from_virtual(began) == pytest.approx(ANSWER_S * SECOND_NS, abs=SECOND_NS)
    record = session.trader.state.book.records[answer.order_id]
    assert record.at_broker is not None
    assert record.at_broker.broker_id == remote.exchange.orders()[0].broker_id
    assert [what for what, of, _ in remote.gateway.log if of == name].count("submit") == 1
    sound(remote, session)


@pytest.mark.failure("F02")
def test_a_request_that_is_lost_is_written_off_and_never_sent_again() -> None:
    remote = Remote(played({3: buy()}))
    remote.gateway.faults = [never]
    session, _ = remote.live()
    assert phases(session) == [Phase.WRITTEN_OFF]
    assert [what for what, _, _ in remote.gateway.log] == ["submit"]
    sound(remote, session)


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("what", [ValueError("odd"), SourceError("down"), InvariantBroken("ours"), None, "sent"])
def test_what_a_gateway_says_that_is_no_outcome_is_unknown_and_calls_a_person(what: object, lands: bool) -> None:
    remote = Remote(played({3: buy()}))
    remote.gateway.faults = [ends_with(what, lands=lands)]
    session, _ = remote.live()
    answer = told(remote, SubmitAnswered)[0]
    assert isinstance(answer, SubmitAnswered)
    assert isinstance(answer.outcome, OutcomeUnknown)
    assert "never sent again" in remote.calls[0].what
    assert phases(session)[0] is (Phase.FILLED if lands else Phase.WRITTEN_OFF)
    assert len(remote.exchange.placed) == int(lands)
    sound(remote, session)


@pytest.mark.failure("F06")
def test_an_answer_of_success_without_a_number_is_unknown() -> None:
    remote = Remote(played({3: buy()}))
    remote.gateway.faults = [ends_with(Sent(""), lands=True)]
    session, _ = remote.live()
    assert isinstance(told(remote, SubmitAnswered)[0].outcome, OutcomeUnknown)  # type: ignore[attr-defined]
    assert phases(session)[0] is Phase.FILLED
    sound(remote, session)


def test_orders_go_beside_each_other_while_a_change_waits_for_its_orders_answer() -> None:
    def move(ctx: Context) -> None:
        for order in ctx.market.orders():
            ctx.market.modify(order, limit=480.0)
        ctx.buy(2, limit=485.0)

    remote = Remote(played({3: buy(1, limit=490.0), 4: move}))
    remote.pace = Pace(answer_s=120.0)
    remote.gateway.faults = [answers_after(90.0)]
    session, _ = remote.live()
    (_, name, began) = remote.gateway.log[0]
    (changed,) = [at for what, of, at in remote.gateway.log if (what, of) == ("modify", name)]
    (other,) = [at for what, of, at in remote.gateway.log if what == "submit" and of != name]
    assert other < began + 61 * SECOND_NS
    assert began + 90 * SECOND_NS <= changed < began + 91 * SECOND_NS
    record = session.trader.state.book.records[OrderId(name)]
    assert record.limit == 480 * RUPEE
    sound(remote, session)


def test_no_more_are_under_way_than_may_be_and_cancels_have_room_of_their_own() -> None:
    remote = Remote(played({3: many(4), 5: many(20), 6: lambda ctx: ctx.market.cancel()}))
    hang: list[Fault | None] = [lands_and_hangs] * 20
    remote.gateway.faults = [None, None, None, None, *hang]
    session, _ = remote.live()
    assert remote.gateway.most_under_way <= IN_FLIGHT_MAX
    submits = [began for what, _, began in remote.gateway.log if what == "submit"]
    assert len([began for began in submits[4:] if began < submits[4] + SECOND_NS]) == IN_FLIGHT_MAX - KEPT_FOR_CANCELS
    vetoed = [one for one in told(remote, SendVetoed) if isinstance(one, SendVetoed) and one.is_order]
    assert len(vetoed) == 20 - (IN_FLIGHT_MAX - KEPT_FOR_CANCELS)
    assert "it had to leave within 250" in vetoed[0].reason
    sound(remote, session)


def test_reads_that_are_asked_for_meanwhile_are_one_more() -> None:
    remote = Remote(played({3: many(12)}))
    session, _ = remote.live()
    reads, began = remote.gateway.reads, remote.gateway.log[0][2]
    assert min(later - one for one, later in pairwise(reads)) >= READ_GAP_S * SECOND_NS - 1
    assert len([read for read in reads if began <= read < began + 3 * SECOND_NS]) <= 3
    sound(remote, session)


@pytest.mark.parametrize("trouble", [SourceError("no route"), 60.0, KeyError("odd")])
def test_reads_that_fail_hold_back_what_opens_until_one_succeeds(trouble: BaseException | float) -> None:
    remote = Remote(played({3: buy(), 20: buy()}))
    remote.gateway.breaks = [trouble] * 1000
    session, _ = remote.live((at_minute(remote, 10), lambda _: remote.gateway.breaks.clear()))
    state = session.trader.state
    assert state.record_refusals[0].reason is RefusalReason.NOT_RECONCILED
    lost = [one for one in told(remote, LinkLost) if isinstance(one, LinkLost) and one.link == "reads of the account"]
    assert len(lost) == 1
    assert len([call for call in remote.calls if "reads have not made our books agree" in call.what]) == 1
    assert any("the gateway broke" in call.what for call in remote.calls) == isinstance(trouble, KeyError)
    assert phases(session)[0] is Phase.FILLED  # the second one, after reads had come through
    sound(remote, session)


@pytest.mark.failure("F33")
def test_a_read_that_fails_is_no_empty_book() -> None:
    remote = Remote(played({3: buy(limit=490.0)}))
    order: list[Phase] = []

    def look(loop: Loop) -> None:
        order.extend(phases(loop.session))

    def break_reads(_: Loop) -> None:
        remote.gateway.breaks = [SourceError("no route")] * 1000

    session, _ = remote.live((at_minute(remote, 6), break_reads), (at_minute(remote, 25), look))
    assert order == [Phase.WORKING]
    assert len(session.trader.state.book.records) == 1


@pytest.mark.failure("F30")
def test_a_stream_made_anew_is_believed_after_a_read_that_began_later() -> None:
    remote = Remote(played({3: buy(limit=490.0)}))
    compared: list[bool] = []

    def anew(loop: Loop) -> None:
        remote.gateway.breaks = [3.0, 2.0]
        remote.gateway.hear_again()
        remote.time.at(remote.time.now_ns() + 1 * SECOND_NS, remote.gateway.hear_again)
        for seconds in (0.5, 2.9, 4.0, 5.9, 6.5):
            remote.time.at(remote.time.now_ns() + int(seconds * SECOND_NS), lambda: compared.append(_compared(loop)))

    session, _ = remote.live((at_minute(remote, 8), anew))
    # The first read began before the second loss: it is thrown away, and the next one counts.
    assert compared == [False, False, False, True, True]
    sound(remote, session)


def _compared(loop: Loop) -> bool:
    desk = loop.session.trader.state.desk
    return desk is not None and desk.is_compared


def test_a_stream_that_ends_again_and_again_is_lost_once() -> None:
    remote = Remote(played({3: buy(limit=490.0)}))
    remote.gateway.ends = True
    session, _ = remote.live()
    lost = [one for one in told(remote, LinkLost) if isinstance(one, LinkLost)]
    assert [one.reason for one in lost] == ["it has ended"]
    assert phases(session)[0] is Phase.WORKING or phases(session)[0] is Phase.CANCELLED


@pytest.mark.failure("F08")
def test_a_broker_that_asks_for_a_new_login_is_sent_nothing_until_it_was_read() -> None:
    remote = Remote(played({3: buy(limit=490.0), 4: buy(limit=480.0)}))
    remote.gateway.faults = [ends_with(Turned("token is invalid", is_session=True), lands=False)]
    said: list[str] = []

    def down(loop: Loop) -> None:
        remote.gateway.breaks = [SourceError("token is invalid")] * 1000
        remote.time.at(at_minute(remote, 3.1), lambda: said.append(loop.session.inflow.session()))  # type: ignore[attr-defined]
        remote.time.at(at_minute(remote, 8), remote.gateway.breaks.clear)
        remote.time.at(at_minute(remote, 10), lambda: said.append(loop.session.inflow.session()))  # type: ignore[attr-defined]

    session, _ = remote.live((at_minute(remote, 2.5), down))
    assert said == ["the broker refuses everything until a new login: token is invalid", ""]
    assert phases(session)[0] is Phase.REJECTED
    assert session.trader.state.record_refusals[0].reason is RefusalReason.NOT_RECONCILED
    sound(remote, session)


@pytest.mark.failure("F57")
def test_a_stop_waits_for_what_has_left() -> None:
    remote = Remote(played({3: buy(limit=490.0)}))
    remote.gateway.faults = [answers_after(4.0)]
    session, ended = remote.live((at_minute(remote, 3) + SECOND_NS, Loop.stop))
    assert ended is Ended.ASKED
    assert isinstance(told(remote, SubmitAnswered)[0], SubmitAnswered)
    assert phases(session) == [Phase.WORKING]


@pytest.mark.failure("F57")
@pytest.mark.parametrize("closes", [True, False])
def test_while_it_ends_nothing_opens_any_more_but_exits_leave(closes: bool) -> None:
    last: Do = (lambda ctx: ctx.close_position()) if closes else buy()
    remote = Remote(played({1: buy(), 3: buy(limit=490.0), 4: last}))
    remote.gateway.faults = [None, answers_after(62.0)]
    remote.pace = Pace(answer_s=120.0)
    session, ended = remote.live((at_minute(remote, 3) + 55 * SECOND_NS, Loop.stop))
    assert ended is Ended.ASKED
    vetoed = [one.reason for one in told(remote, SendVetoed) if isinstance(one, SendVetoed)]
    sides = [command.order.side for command in remote.exchange.placed]
    if closes:
        assert (sides, vetoed) == ([Side.BUY, Side.BUY, Side.SELL], [])
    else:
        assert sides == [Side.BUY, Side.BUY]
        assert vetoed == ["the trader is ending: only what closes or cancels still leaves"]
        assert phases(session)[-1] is Phase.UNSENT


@pytest.mark.failure("F18")
@pytest.mark.parametrize("asked", [1, 2])
def test_what_has_no_answer_at_a_stop_is_bound_by_its_tag_after_a_restart(asked: int) -> None:
    remote = Remote(played({3: buy(limit=490.0)}))
    remote.gateway.hears = False
    remote.gateway.faults = [lands_late_and_hangs]
    remote.pace = Pace(answer_s=60.0)
    stops = [(at_minute(remote, 3) + (2 + at) * SECOND_NS, Loop.stop) for at in range(asked)]
    session, ended = remote.live(*stops)
    waited = remote.time.now_ns() - stops[0][0]
    assert waited == pytest.approx((SETTLE_S if asked == 1 else 1) * SECOND_NS, abs=SECOND_NS // 10)
    assert ended is Ended.ASKED
    assert told(remote, SubmitAnswered) == []
    assert phases(session) == [Phase.SENT]

    again, _ = remote.live((at_minute(remote, 10), Loop.stop))
    assert not again.is_new
    (record,) = again.trader.state.book.records.values()
    assert record.phase is Phase.WORKING
    assert record.at_broker is not None
    assert record.at_broker.broker_id == remote.exchange.orders()[0].broker_id
    assert len(remote.exchange.placed) == 1
    sound(remote, again)


def test_what_happened_while_nobody_ran_is_found_and_a_third_process_finds_nothing_new() -> None:
    remote = Remote(played({3: buy(), 8: lambda ctx: ctx.close_position()}))
    remote.gateway.hears = False
    session, _ = remote.live((at_minute(remote, 3) + 58 * SECOND_NS, Loop.stop))
    assert len(remote.exchange.traded) == 1
    for _ in range(2):
        session, _ = remote.live((remote.time.now_ns() + 90 * SECOND_NS, Loop.stop))
        sound(remote, session)
    session, _ = remote.live()
    assert not remote.exchange.positions()
    sound(remote, session)


def test_our_own_mistake_beside_the_loop_ends_it() -> None:
    remote = Remote(played({3: buy()}))

    def mistaken(_: object) -> None:
        raise LookupError("our own bug")

    remote.gateway.faults = [ends_with(None, lands=False)]
    remote.calls = type("Calls", (list,), {"append": staticmethod(mistaken)})()
    with pytest.raises(LookupError, match="our own bug"):
        remote.live()
