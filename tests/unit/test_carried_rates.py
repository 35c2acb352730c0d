"""The windows of the rate of orders go on where the account's last run ended."""

import msgspec

from manjha.app.trading.session import Session
from manjha.app.trading.told import done_once
from manjha.domain.commands import RefusalReason
from manjha.domain.controls import Answer, ManualOrder, Request
from manjha.domain.events import SendsCarried
from manjha.domain.moments import DAY_NS, MINUTE_NS, SECOND_NS, TsNs, day_of
from manjha.domain.money import Qty
from manjha.domain.orders import OrderType, Product, Side
from manjha.engine.digest import digest
from manjha.engine.journaling import value_of
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import RateLimits
from manjha.services.carried import sends_before
from manjha.services.replays import Replays, recorded_runs
from tests.fakes.journals import MemoryJournal
from tests.fakes.paper import Paper
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import random_tick_run
from tests.parity.test_paper import liquid, plain
from tests.unit.test_parameters_set import Every

RATE = RateLimits(per_minute=6, account_per_minute=6, per_day=40, account_per_day=40)


def paper_under(rate: RateLimits | None, orders_day_max: int = 0) -> Paper:
    run = liquid(plain(random_tick_run(0, lambda _rng, _product: Every)))
    limits = msgspec.structs.replace(
        ControlLimits(), rate=rate, price_age_max_ns=0, duplicate_ns=0, entries_max=0, orders_day_max=orders_day_max
    )
    return Paper(run._replace(spec=msgspec.structs.replace(run.spec, controls=limits)), "run")


def order(session: Session, key: str, side: Side = Side.BUY) -> Answer:
    name = next(iter(session.trader.state.instruments.values())).display
    control = ManualOrder(name, side, Qty(1), OrderType.MARKET, Product.MIS)
    return done_once(session, Request(key, control, "me"), control, session.pump.now_ns)


def first_run(paper: Paper, count: int) -> Session:
    """Trade some ticks, buy and sell by hand, and end the run flat; the next one has other terms."""
    session = paper.start()
    for tick in paper.ticks()[:40]:
        session.on_tick(tick, tick.ts_ns)
    for number in range(count):
        assert not order(session, f"k{number}", Side.SELL if number % 2 else Side.BUY).refused
        for tick in paper.ticks()[40 + 6 * number : 46 + 6 * number]:
            session.on_tick(tick, tick.ts_ns)
    return session


def test_what_left_in_the_last_minute_and_today_is_read_from_the_rows() -> None:
    paper = paper_under(RATE)
    session = first_run(paper, 2)
    session.trader.rest()
    governor = session.trader.state.control().governor
    assert governor is not None
    now_ns = session.pump.now_ns
    carried = sends_before(MemoryJournal(paper.shared), now_ns)
    assert carried is not None
    assert dict(carried.today) == governor.today
    assert carried.orders == session.trader.state.control().orders_today
    late = {name: [ns for ns in moments if ns >= now_ns - MINUTE_NS] for name, moments in governor.sent.items()}
    assert {name: list(moments) for name, moments in carried.sent} == {name: ns for name, ns in late.items() if ns}
    assert sends_before(MemoryJournal(paper.shared), TsNs(now_ns + DAY_NS)) is None
    later = sends_before(MemoryJournal(paper.shared), TsNs(now_ns + MINUTE_NS + SECOND_NS))
    assert later is not None
    assert (later.sent, later.today) == ((), carried.today)


def test_of_a_recording_that_is_traded_again_nothing_counts() -> None:
    paper = paper_under(RATE)
    session = first_run(paper, 2)
    session.trader.rest()
    midnight = TsNs(int(paper.ticks()[0].ts_ns) - 60 * MINUTE_NS)
    assert sends_before(MemoryJournal(paper.shared), midnight) is None


def test_a_new_run_on_the_same_day_has_the_windows_of_the_one_before() -> None:
    paper = paper_under(RATE)
    session = first_run(paper, 2)
    used = dict(session.trader.state.control().governor.today)  # type: ignore[union-attr]
    at = 52
    while session.still_has:
        tick = paper.ticks()[at]
        session.on_tick(tick, tick.ts_ns)
        at += 1
    used = dict(session.trader.state.control().governor.today)  # type: ignore[union-attr]
    session.end()
    now_ns = session.pump.now_ns
    paper.run = paper.run._replace(make=lambda: Every(size=2))
    later = paper.start(now_ns)
    assert later.is_new
    controls = later.trader.state.control()
    assert controls.governor is not None
    assert controls.governor.today == used
    for tick in paper.ticks()[at : at + 30]:
        later.on_tick(tick, tick.ts_ns)
    # Its day has been opened once more, and still counts what the first run sent.
    assert later.trader.state.day == day_of(now_ns)
    assert all(controls.governor.today[name] >= count for name, count in used.items())
    assert any(isinstance(value_of(row.entry), SendsCarried) for row in paper.shared.rows)
    later.tape.recorder.ended(digest(later.trader.state), later.pump.now_ns)
    journal, segments = MemoryJournal(paper.shared), MemorySegments(paper.shared.head.account, paper.stored)
    found = Replays(journal, segments, lambda _name: Every, paper.run.spec.rules).replay(recorded_runs(journal)[-1])
    assert (found.found.difference, found.found.has_ended) == (None, True)


def test_the_days_number_of_orders_is_the_accounts_too() -> None:
    paper = paper_under(None, orders_day_max=60)
    session = first_run(paper, 2)
    at = 52
    while session.still_has:
        tick = paper.ticks()[at]
        session.on_tick(tick, tick.ts_ns)
        at += 1
    count = session.trader.state.control().orders_today
    session.end()
    limits = msgspec.structs.replace(paper.run.spec.controls, orders_day_max=count)  # type: ignore[type-var]
    paper.run = paper.run._replace(spec=msgspec.structs.replace(paper.run.spec, controls=limits))
    later = paper.start(session.pump.now_ns)
    for tick in paper.ticks()[at : at + 12]:
        later.on_tick(tick, tick.ts_ns)
    assert str(RefusalReason.ORDERS_A_DAY) in order(later, "once more").refused
