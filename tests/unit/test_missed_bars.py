"""What a live trader fetches at its start: since the open where it is new, since its last bar where it goes on."""

import msgspec
import pytest

from manjha.app.trading.backfill import NO_BACKFILL, Backfill
from manjha.app.trading.gaps import backfill_of, lived_from
from manjha.app.trading.session import Session
from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import DAY, MINUTE, Interval
from manjha.domain.moments import DAY_NS, HOUR_NS, MINUTE_NS, TsNs, day_of
from manjha.engine.bars import empty_bars
from manjha.engine.late_bars import Lack
from manjha.ports.feed import FeedHealth
from manjha.research.backtest import BacktestSpec
from manjha.research.tick_drive import screen
from tests.fakes.gaps import StreamCandles
from tests.fakes.remote import Remote, played
from tests.unit.test_backfill import SlowCandles


def wanted(remote: Remote, session: Session, spec: BacktestSpec) -> Lack:
    """Return which minutes are asked for first, where the feed is up at once."""
    candles = SlowCandles(StreamCandles(remote.run, screen(remote.run.fresh(), remote.run.ticks)), remote.time)
    made = backfill_of(session, spec, candles, remote.calls.append, list[str]().append)
    assert isinstance(made, Backfill)
    made.notice(lambda: FeedHealth(True, 0, TsNs(0), TsNs(0)), session.pump.now_ns)
    return made._late.lacks()[spec.instruments[0].id]


def opens_ns(remote: Remote) -> int:
    return int(remote.ticks[0].ts_ns // MINUTE_NS * MINUTE_NS)


def test_a_new_run_wants_the_minutes_since_the_open() -> None:
    remote = Remote(played({}))
    opened = opens_ns(remote)
    remote.time.elapsed_s += (opened + 40 * MINUTE_NS + 5 - remote.time.now_ns()) / 1e9
    assert wanted(remote, remote.start(), remote.spec) == (opened, opened + 41 * MINUTE_NS)


def test_a_run_that_goes_on_wants_what_is_missing_since_its_last_bar_but_nothing_of_before_an_action() -> None:
    remote = Remote(played({}))
    opened = opens_ns(remote)
    remote.live()
    remote.time.elapsed_s += (opened + DAY_NS + HOUR_NS - remote.time.now_ns()) / 1e9
    session, spec = remote.start(), remote.spec
    assert not session.is_new
    assert wanted(remote, session, spec).from_ns == opened + 30 * MINUTE_NS
    name = spec.instruments[0].id
    split = CorporateAction(name, day_of(opened + DAY_NS), ActionKind.SPLIT, 5)
    lack = wanted(remote, session, msgspec.structs.replace(spec, actions=(split,)))
    assert lack.from_ns == opened + DAY_NS
    to_come = msgspec.structs.replace(split, ex_day=day_of(opened + 2 * DAY_NS))
    lack = wanted(remote, session, msgspec.structs.replace(spec, actions=(to_come,)))
    assert lack.from_ns == opened + 30 * MINUTE_NS


def test_bars_of_less_than_a_minute_are_not_fetched_and_that_is_said() -> None:
    remote, said = Remote(played({})), list[str]()
    short = empty_bars(remote.spec.instruments[0].id, Interval(30))
    spec = msgspec.structs.replace(remote.spec, further=(short,))
    candles = SlowCandles(StreamCandles(remote.run, screen(remote.run.fresh(), remote.run.ticks)), remote.time)
    assert backfill_of(remote.start(), spec, candles, remote.calls.append, said.append) is NO_BACKFILL
    assert len(said) == 1
    assert "less than a minute" in said[0]


@pytest.mark.parametrize(
    ("minutes", "intervals", "since"),
    [(40, (MINUTE, Interval(900)), 0), (40, (MINUTE, DAY), 0), (-10, (MINUTE,), -10), (40, (Interval(30),), 40)],
)
def test_a_run_has_bars_of_its_own_since_the_open_where_candles_can_make_them(
    minutes: int, intervals: tuple[int, ...], since: int
) -> None:
    remote = Remote(played({}))
    opened, spec = opens_ns(remote), remote.spec
    found = lived_from(spec.rules, spec.instruments, intervals, TsNs(opened + minutes * MINUTE_NS))
    assert found == opened + since * MINUTE_NS
