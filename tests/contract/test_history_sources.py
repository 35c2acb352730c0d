"""What every source of history does, over a real socket. A new source is added to `CASES` with what answers it."""

from collections.abc import Callable, Iterator, Sequence

import msgspec
import pytest

from manjha.adapters.exchanges.bse import bse_archive
from manjha.adapters.exchanges.daily_files import DailyFiles
from manjha.adapters.exchanges.nse import nse_archive
from manjha.adapters.formats.registry import import_bytes
from manjha.adapters.kite.history import KiteHistory
from manjha.adapters.yahoo.history import YahooHistory
from manjha.domain.bars import DAY
from manjha.domain.errors import SourceError
from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.moments import TradingDay, at, day_of, parse_day
from manjha.market.calendar import is_trading_day
from manjha.ports.clock import Clock
from manjha.ports.market_data import Fetched, FetchRequest, HistorySource
from tests.fakes import history_replies
from tests.fakes.history_servers import Answer, Answers, Asked, downloads, serving
from tests.fakes.market_data import JumpingClock, ScriptedSource, share
from tests.fakes.market_rules import index, shipped_rules

MONDAY = parse_day("2024-08-05")
SPANS = [(MONDAY, TradingDay(MONDAY + 1)), (TradingDay(MONDAY + 9), TradingDay(MONDAY + 11))]
# The 15th was a holiday.
DAYS = [MONDAY, MONDAY + 1, MONDAY + 9, MONDAY + 11]
BSE_SHARE = share("RELIANCE", exchange=Exchange.BSE)


def trading(day: TradingDay) -> bool:
    return is_trading_day(shipped_rules(), day)


class Case(msgspec.Struct, frozen=True):
    """How to make a source, what answers it, what is asked for, and how many requests come before the first bars."""

    make: Callable[[str, Clock], HistorySource]
    answers: Answers
    instrument: Instrument
    prelude: int = 0


def nse(base: str, clock: Clock) -> HistorySource:
    return DailyFiles(nse_archive(base, f"{base}/home"), downloads(clock), trading, clock)


def bse(base: str, clock: Clock) -> HistorySource:
    return DailyFiles(bse_archive(base), downloads(clock), trading, clock)


def kite(base: str, clock: Clock) -> HistorySource:
    return KiteHistory(base, ("key", "hush"), downloads(clock), clock)


def yahoo(base: str, clock: Clock) -> HistorySource:
    return YahooHistory(base, downloads(clock), clock)


CASES: dict[str, Case] = {
    "nse": Case(nse, history_replies.nse, share()),
    "nse indices": Case(nse, history_replies.nse, index()),
    "bse": Case(bse, history_replies.bse, BSE_SHARE),
    "yahoo": Case(yahoo, history_replies.yahoo, share()),
    "yahoo indices": Case(yahoo, history_replies.yahoo, index()),
    "kite": Case(kite, history_replies.kite, share(), prelude=1),
    "kite indices": Case(kite, history_replies.kite, index(), prelude=1),
}


class Bench:
    """A case with its server and a clock that jumps; from request `fail_from` on the server refuses."""

    def __init__(self, case: Case) -> None:
        self.case, self.fail_from, self.served = case, 1_000, 0
        self.clock = JumpingClock(at(parse_day("2024-09-02"), 0))
        self.request = FetchRequest(case.instrument, DAY, SPANS[0][0], SPANS[-1][1])
        self.base = ""
        self.asked: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        self.served += 1
        if self.served > self.fail_from:
            return Answer(b"", status=403)
        return self.case.answers(asked)

    def source(self) -> HistorySource:
        return self.case.make(self.base, self.clock)

    def days(self, pieces: Sequence[Fetched]) -> list[int]:
        """Return the days of the instrument's bars in pieces, through the same door as files."""
        found = (import_bytes(piece.data, piece.file, piece.hints) for piece in pieces if piece.data)
        return [day_of(ts) for one in found for batch in one.batches for ts in batch.ts_open_ns]


@pytest.fixture(params=sorted(CASES))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(CASES[request.param])
    with serving(made.answer) as (made.base, made.asked):
        yield made


def test_it_has_a_name(bench: Bench) -> None:
    assert bench.source().name.isidentifier()


def test_it_gives_the_days_that_were_asked_for_in_order_and_no_others(bench: Bench) -> None:
    assert bench.days(list(bench.source().fetch(bench.request, SPANS))) == DAYS


def test_its_bars_are_in_the_state_of_adjustment_that_it_says(bench: Bench) -> None:
    source = bench.source()
    pieces = [piece for piece in source.fetch(bench.request, SPANS) if piece.data]
    found = [import_bytes(piece.data, piece.file, piece.hints) for piece in pieces]
    assert {one.adjustment for one in found if one.batches} == {source.adjustment}


def test_it_gives_as_many_pieces_as_it_planned(bench: Bench) -> None:
    source = bench.source()
    planned = source.plan(bench.request, SPANS)
    assert len(list(source.fetch(bench.request, SPANS))) == planned == len(bench.asked) > 0


def test_planning_asks_for_nothing(bench: Bench) -> None:
    bench.source().plan(bench.request, SPANS)
    assert bench.asked == []


def test_nothing_missing_is_nothing_to_do(bench: Bench) -> None:
    source = bench.source()
    assert source.plan(bench.request, []) == 0
    assert list(source.fetch(bench.request, [])) == []
    assert bench.asked == []


def test_every_piece_has_a_name_of_its_own_and_content(bench: Bench) -> None:
    pieces = list(bench.source().fetch(bench.request, SPANS))
    assert len({piece.file for piece in pieces}) == len(pieces)
    assert all(piece.data for piece in pieces)


def test_what_came_before_a_failure_was_given_and_is_whole(bench: Bench) -> None:
    bench.fail_from = bench.case.prelude + 1
    got: list[Fetched] = []
    with pytest.raises(SourceError) as caught:
        got.extend(bench.source().fetch(bench.request, SPANS))
    assert caught.value.hint
    # `extend` keeps what an iterator gave before it failed.
    assert bench.days(got) == DAYS[: len(bench.days(got))] != []


def test_after_a_failure_it_goes_on_with_what_is_left(bench: Bench) -> None:
    bench.fail_from = bench.case.prelude + 1
    source, got = bench.source(), list[Fetched]()
    with pytest.raises(SourceError):
        got.extend(source.fetch(bench.request, SPANS))
    bench.fail_from = 1_000
    had = len(bench.days(got))
    left = [(TradingDay(day), TradingDay(day)) for day in DAYS[had:]]
    assert bench.days([*got, *source.fetch(bench.request, left)]) == DAYS


def test_a_server_in_trouble_is_a_source_error_that_names_path_and_status(bench: Bench) -> None:
    bench.case = msgspec.structs.replace(bench.case, answers=lambda _asked: Answer(b"", status=503))
    with pytest.raises(SourceError, match=r"/.*status 503"):
        list(bench.source().fetch(bench.request, SPANS))
    assert sum(bench.clock.waits) > 0


def test_no_secret_and_no_query_is_said(bench: Bench) -> None:
    bench.fail_from = bench.case.prelude
    with pytest.raises(SourceError) as caught:
        list(bench.source().fetch(bench.request, SPANS))
    assert "hush" not in str(caught.value)
    assert "?" not in str(caught.value)
    assert not any("hush" in path for path in bench.asked)


def test_it_makes_an_instrument_known_that_it_has(bench: Bench) -> None:
    wanted = bench.case.instrument
    pieces = list(bench.source().introduce(wanted.display, SPANS[-1][1]))
    found = [import_bytes(piece.data, piece.file, piece.hints) for piece in pieces]
    named = [
        *(i for one in found for i in one.instruments),
        *(i for one in found for b in one.batches for i in b.instruments),
    ]
    assert wanted.display in {one.display for one in named}
    assert all(day <= SPANS[-1][1] for day in bench.days(pieces))


def test_another_exchange_is_none_of_its_business(bench: Bench) -> None:
    assert list(bench.source().introduce("MCX:GOLD", SPANS[-1][1])) == []


def test_the_source_of_the_tests_keeps_the_contract() -> None:
    source = ScriptedSource(lambda _request, start, end: f"{start} {end}".encode(), fail_at=1)
    request = FetchRequest(share(), DAY, SPANS[0][0], SPANS[-1][1])
    pieces = source.fetch(request, SPANS)
    assert next(pieces).data
    with pytest.raises(SourceError) as caught:
        next(pieces)
    assert caught.value.hint
