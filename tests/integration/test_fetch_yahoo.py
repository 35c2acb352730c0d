"""Yahoo's charts: names, pieces, how far back they reach, what is said."""

import pytest

from manjha.adapters.yahoo.history import YahooHistory, yahoo_symbol
from manjha.domain.bars import DAY, HOUR, MINUTE, Interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.moments import TradingDay, at, parse_day
from manjha.ports.market_data import FetchRequest
from tests.fakes import history_replies
from tests.fakes.history_servers import Answer, downloads, in_order, serving
from tests.fakes.market_data import JumpingClock, share
from tests.fakes.market_rules import future, index

TODAY = parse_day("2024-09-02")


def source(base: str) -> YahooHistory:
    clock = JumpingClock(at(TODAY, 0))
    return YahooHistory(base, downloads(clock), clock)


def wanted(days: int, interval: Interval = DAY) -> FetchRequest:
    return FetchRequest(share(), interval, TradingDay(TODAY - days), TradingDay(TODAY - 1))


@pytest.mark.parametrize(
    ("instrument", "symbol"),
    [
        (share(), "RELIANCE.NS"),
        (share("M&M"), "M&M.NS"),
        (share("BAJAJ-AUTO"), "BAJAJ-AUTO.NS"),
        (share("RELIANCE", exchange=Exchange.BSE), "RELIANCE.BO"),
        (index(), "^NSEI"),
        (index("NIFTY BANK"), "^NSEBANK"),
        (index("NIFTY FIN SERVICE"), "NIFTY_FIN_SERVICE.NS"),
    ],
)
def test_names(instrument: Instrument, symbol: str) -> None:
    assert yahoo_symbol(instrument) == symbol


@pytest.mark.parametrize("instrument", [future(), index("NIFTY ALPHA 50")])
def test_what_yahoo_does_not_list_is_refused(instrument: Instrument) -> None:
    with pytest.raises(UsageError, match="does not list"):
        yahoo_symbol(instrument)


def test_signs_in_a_name_are_quoted_and_actions_asked_for() -> None:
    request = FetchRequest(share("M&M"), DAY, TradingDay(TODAY - 3), TradingDay(TODAY - 1))
    chart = Answer(history_replies.yahoo_chart("M&M.NS", [at(TODAY - 3, 0) // 10**9]))
    with serving(in_order(chart)) as (base, asked):
        assert len(list(source(base).fetch(request, [(request.start, request.end)]))) == 1
    assert "/v8/finance/chart/M%26M.NS?" in asked[0]
    assert "events=div%2Csplits" in asked[0]


@pytest.mark.parametrize(
    ("days", "interval", "pieces"),
    [(7, MINUTE, 1), (8, MINUTE, 2), (29, MINUTE, 5), (59, Interval(300), 1), (729, HOUR, 2), (4_000, DAY, 2)],
)
def test_pieces_are_no_longer_than_yahoo_gives(days: int, interval: Interval, pieces: int) -> None:
    request = wanted(days, interval)
    assert source("http://127.0.0.1:9").plan(request, [(request.start, request.end)]) == pieces


@pytest.mark.parametrize(("days", "interval"), [(30, MINUTE), (60, Interval(300)), (730, HOUR)])
def test_what_yahoo_has_no_more_is_refused_with_the_first_day_it_has(days: int, interval: Interval) -> None:
    request = wanted(days, interval)
    with pytest.raises(UsageError, match=f"for {days} days") as caught:
        source("http://127.0.0.1:9").plan(request, [(request.start, request.end)])
    request = wanted(days - 1, interval)
    assert source("http://127.0.0.1:9").plan(request, [(request.start, request.end)]) > 0
    assert "--from 2" in caught.value.hint


def test_an_interval_that_yahoo_has_not_is_refused() -> None:
    request = wanted(5, Interval(420))
    with pytest.raises(UsageError, match="no bars of 7m"):
        source("http://127.0.0.1:9").plan(request, [(request.start, request.end)])


@pytest.mark.parametrize(
    "answer",
    [
        Answer(history_replies.yahoo_chart("RELIANCE.NS", [])),
        Answer(history_replies.yahoo_error("Bad Request", "Data doesn't exist for startDate = 1"), status=400),
    ],
)
def test_a_span_without_bars_is_noted(answer: Answer) -> None:
    request = wanted(3)
    with serving(in_order(answer)) as (base, _):
        (piece,) = source(base).fetch(request, [(request.start, request.end)])
    assert (piece.data, "no bars of 2024-08-30" in piece.note) == (b"", True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Answer(history_replies.yahoo_error("Not Found", "may be delisted"), status=404),
            "no RELIANCE.NS: may be delisted",
        ),
        (Answer(history_replies.yahoo_error("Unauthorized", "Invalid Crumb"), status=401), "status 401: Invalid Crumb"),
        (Answer(b"<html>consent</html>"), "no chart in the reply"),
    ],
)
def test_a_refusal_is_said_in_yahoos_words(answer: Answer, words: str) -> None:
    request = wanted(3)
    with serving(in_order(answer)) as (base, _), pytest.raises(SourceError, match=words) as caught:
        list(source(base).fetch(request, [(request.start, request.end)]))
    assert caught.value.hint


def test_a_name_that_yahoo_does_not_know_is_not_introduced() -> None:
    with serving(history_replies.yahoo) as (base, _):
        assert list(source(base).introduce("NSE:RELIANSE", TODAY)) == []
