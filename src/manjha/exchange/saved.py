"""All of an exchange as one value: saved between two things that happen, and taken back by one founded alike.

A restored exchange goes on as the saved one would have. Not kept: connections and what was gathered for them, calls of
which the answer is still out, and the counts of the rate limits, which are of the caller's time.
"""

import hashlib
from typing import Any

import msgspec

from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.exchange.accounts.sessions import Asked, Session, Sessions
from manjha.exchange.agenda import AgendaState, OrderDue
from manjha.exchange.exchange import Exchange, Founding
from manjha.exchange.market.market import MarketState
from manjha.exchange.orders.book import DayBook
from manjha.exchange.orders.order import OrderState, Trade
from manjha.exchange.orders.passage import Passage

VERSION = 1
"""Of the form of what is saved."""


class BookState(msgspec.Struct):
    """The day's orders with their histories, trades and counts."""

    orders: dict[str, OrderState]
    trades: dict[str, list[Trade]]
    placed: dict[str, int]
    ids: int
    acknowledged: int
    traded: int


class SessionsState(msgspec.Struct):
    """Logins, and how many tokens were drawn."""

    asked: dict[str, Asked]
    live: dict[str, Session]
    refresh: dict[str, tuple[str, str]]
    drawn: int


class PassageState(msgspec.Struct):
    """Whether the exchange is reached, what waits for it, and the stops that were not triggered."""

    link_up: bool
    held: list[OrderDue]
    stops: dict[InstrumentId, list[str]]


class Saved(msgspec.Struct):
    """An exchange at a moment. `founding` stands for what it was founded with."""

    version: int
    founding: str
    now_ns: TsNs
    agenda: AgendaState
    sessions: SessionsState
    book: BookState
    passage: PassageState
    market: MarketState
    parts: dict[str, msgspec.Raw]


def saved(exchange: Exchange) -> bytes:
    """Return an exchange as JSON."""
    book, sessions, passage = exchange.book, exchange.sessions, exchange.passage
    return msgspec.json.encode(
        Saved(
            VERSION,
            _mark(exchange.founding),
            exchange.now_ns,
            exchange.agenda.state(),
            SessionsState(sessions.asked, sessions.live, sessions.refresh, sessions.drawn),
            BookState(book.orders, book.trades, book.placed, book.ids, book.acknowledged, book.traded),
            PassageState(passage.link_up, passage.held, passage.stops),
            exchange.market.state(),
            {name: msgspec.Raw(msgspec.json.encode(part.state())) for name, part in exchange.keeps.items()},
        )
    )


def restore(exchange: Exchange, body: bytes) -> None:
    """Let an exchange that was founded alike, with its parts, go on where the saved one stopped.

    Raises
    ------
    DataError
        What was saved cannot be read.
    UsageError
        It was saved by another version, or by an exchange that was founded otherwise.
    """
    try:
        state = msgspec.json.decode(body, type=Saved)
        parts = _parts(exchange, state)
    except msgspec.MsgspecError as error:
        raise DataError(f"the saved state cannot be read: {error}", hint="Delete the file to begin anew.") from None
    if state.version != VERSION:
        raise UsageError(f"the state has version {state.version}, {VERSION} is read here", hint=_ANEW)
    if state.founding != _mark(exchange.founding):
        raise UsageError("the state was saved by an exchange of other days, apps, users or rules", hint=_ANEW)
    exchange.market.restore(state.market)
    exchange.agenda.restore(state.agenda)
    _take_back(exchange.sessions, exchange.book, exchange.passage, state)
    exchange.now_ns, exchange.leapt_ns = state.now_ns, 0
    for name, part in parts.items():
        exchange.keeps[name].restore(part)


def _parts(exchange: Exchange, state: Saved) -> dict[str, Any]:
    if set(state.parts) != set(exchange.keeps):
        raise UsageError(
            f"the state has the parts {', '.join(sorted(state.parts))}; here are {', '.join(sorted(exchange.keeps))}",
            hint=_ANEW,
        )
    return {name: msgspec.json.decode(raw, type=exchange.keeps[name].kind) for name, raw in state.parts.items()}


def _take_back(sessions: Sessions, book: DayBook, passage: Passage, state: Saved) -> None:
    logins, orders, way = state.sessions, state.book, state.passage
    sessions.asked, sessions.live, sessions.refresh = logins.asked, logins.live, logins.refresh
    sessions.drawn = logins.drawn
    book.orders, book.trades, book.placed = orders.orders, orders.trades, orders.placed
    book.ids, book.acknowledged, book.traded = orders.ids, orders.acknowledged, orders.traded
    passage.link_up, passage.held, passage.stops = way.link_up, way.held, way.stops


def _mark(founding: Founding) -> str:
    """Return what tells foundings apart; secrets of apps go in as a digest only."""
    source = founding.source
    told = [
        founding.seed, founding.days, [app.api_key for app in founding.apps], founding.users, founding.pace,
        [one.id for one in source.instruments], founding.switches, source.closes(founding.days[0]),
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


_ANEW = "Serve it with the version and the options that it was saved with, or give another --state."
