"""The ticker's connections as plain values: who is subscribed to what, and what is to be sent next (fact sheet 5).

Nothing here waits: a shell takes messages in, and takes out what has gathered. Prices gather as what has changed, not
as a queue, so that a client that reads slowly gets the newest and not everything; messages about orders keep their
order.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from manjha.domain.moments import HOUR_NS, MINUTE_NS, SECOND_NS, at
from manjha.domain.ticks import Tick
from manjha.exchange.accounts.sessions import Session
from manjha.exchange.accounts.users import Plan
from manjha.exchange.agenda import NEVER
from manjha.exchange.errors import Kind, KiteError
from manjha.exchange.events import DayBegan, ExchangeEvent, OrderChanged, TokenEnded
from manjha.exchange.exchange import Exchange
from manjha.exchange.news.packets import Detail, frame, packet
from manjha.exchange.news.postbacks import News, message
from manjha.exchange.trouble.faults import StreamMishap

CONNECTIONS_MAX = 3
"""Connections of one app."""
TOKENS_MAX = 3_000
"""Instruments of one connection."""
TEXTS_MAX = 10_000
"""Messages that may wait for a client; more are lost, as the broker loses them."""
MESSAGE_MAX = 64_000
"""Characters of what a client may send at once."""
_CLOSE = 15 * HOUR_NS + 30 * MINUTE_NS


class _Asked(msgspec.Struct):
    a: str
    v: Any


class Stream:
    """One connection. `is_over` tells that its login has ended.

    By a fault it has nothing to say from `mute_ns` on, and is `silent` then even of heartbeats; `held` are messages
    that wait to come too late.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.modes: dict[int, Detail] = {}
        self.changed: dict[int, None] = {}
        self.texts: deque[str] = deque(maxlen=TEXTS_MAX)
        self.is_over = False
        self.mute_ns: int = NEVER
        self.silent = False
        self.held: list[str] = []


class Streams:
    """All connections of an exchange. A part of it (see the package): made with the exchange in hand.

    `stirs` is called with each connection for which something gathered that does not wait: a message, or its end.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._news = News(exchange.book.orders.values())
        self._watching: dict[int, dict[Stream, None]] = {}
        self._packets: dict[tuple[int, Detail, int], bytes] = {}
        self.all: dict[Stream, None] = {}
        self.stirs: Callable[[Stream], None] = lambda _stream: None
        exchange.tick_hearers.append(self._tick)
        exchange.hearers.add(self._hear)

    def join(self, api_key: str, access_token: str) -> Stream:
        """Let a client in.

        Raises
        ------
        KiteError
            No live session, or a connection too many.
        """
        try:
            session = self._exchange.sessions.of_token(api_key, access_token, self._exchange.now_ns)
        except KiteError:
            raise KiteError(Kind.TOKEN, "Authentication failed.") from None
        if sum(one.session.api_key == api_key for one in self.all) >= CONNECTIONS_MAX:
            raise KiteError(Kind.NETWORK, "Too many connections.", 429)
        stream = Stream(session)
        if fault := self._exchange.mishaps.joins(session.user_id):
            stream.mute_ns = self._exchange.now_ns + round(fault.seconds * SECOND_NS)
            stream.silent = fault.what is StreamMishap.SILENT
        self.all[stream] = None
        return stream

    def leave(self, stream: Stream) -> None:
        """Let a client go."""
        self.all.pop(stream, None)
        self._unsubscribe(stream, list(stream.modes))

    # ---- what a client says

    def take(self, stream: Stream, text: str) -> None:
        """Do what a client asks; what is no message of the protocol is passed over, as by the broker."""
        try:
            asked = msgspec.json.decode(text[:MESSAGE_MAX], type=_Asked)
        except (msgspec.MsgspecError, RecursionError):
            stream.texts.append(_text("error", "The message could not be read."))
            return
        if asked.a == "subscribe":
            self._subscribe(stream, _tokens(asked.v), None)
        elif asked.a == "unsubscribe":
            self._unsubscribe(stream, _tokens(asked.v))
        elif asked.a == "mode" and isinstance(asked.v, list) and len(asked.v) == 2 and asked.v[0] in list(Detail):
            self._subscribe(stream, _tokens(asked.v[1]), Detail(asked.v[0]))

    def _subscribe(self, stream: Stream, tokens: Iterable[int], mode: Detail | None) -> None:
        """Subscribe to instruments, or change their mode; what is there is sent at once, also when nothing trades."""
        listing = self._exchange.market.listing
        surplus = 0
        for token in tokens:
            listed = listing.by_token.get(token)
            if listed is None or not self._has_data(stream):
                continue
            if token not in stream.modes and len(stream.modes) >= TOKENS_MAX:
                surplus += 1
                continue
            # What a bare subscription gives is not documented; clients take it to be this.
            stream.modes[token] = mode or stream.modes.get(token, Detail.QUOTE)
            self._watching.setdefault(token, {})[stream] = None
            stream.changed[token] = None
        if surplus:
            words = f"{surplus} instruments are more than the {TOKENS_MAX} of a connection."
            stream.texts.append(_text("error", words))

    def _unsubscribe(self, stream: Stream, tokens: Iterable[int]) -> None:
        for token in tokens:
            if stream.modes.pop(token, None) is not None:
                stream.changed.pop(token, None)
                del self._watching[token][stream]

    def _has_data(self, stream: Stream) -> bool:
        """Tell whether the app's plan has market data: one without it has messages about its orders alone."""
        return self._exchange.apps[stream.session.api_key].plan is Plan.CONNECT

    # ---- what is to be sent

    def taken(self, stream: Stream) -> tuple[bytes, list[str]]:
        """Take out what has gathered: a frame of what has changed, empty where nothing has, and the messages."""
        if self._is_mute(stream):
            stream.changed.clear()
            stream.texts.clear()
        bodies = [found for token in stream.changed if (found := self._packet(token, stream.modes[token]))]
        stream.changed.clear()
        texts = list(stream.texts)
        stream.texts.clear()
        return frame(bodies) if bodies else b"", texts

    def is_silent(self, stream: Stream) -> bool:
        """Tell whether a connection gives no sign of life."""
        return stream.silent and self._is_mute(stream)

    def _is_mute(self, stream: Stream) -> bool:
        return self._exchange.now_ns >= stream.mute_ns

    def _packet(self, token: int, mode: Detail) -> bytes:
        """Return the packet of an instrument, made once for all connections; empty before it ever had a price.

        The stamp is that of the last trade: after the close, and before the first trade of a day, it is an old one.
        """
        market = self._exchange.market
        listed = market.listing.by_token.get(token)
        if listed is None:
            # The list of instruments has changed since.
            return b""
        standing = market.standings[listed.id]
        if not standing.last and not standing.close:
            return b""
        key = (token, mode, standing.last_ns)
        found = self._packets.get(key)
        if found is None:
            stamp_ns = standing.last_ns or at(market.day - 1, _CLOSE)
            found = self._packets[key] = packet(listed, standing, stamp_ns, mode)
        return found

    def forget_packets(self) -> None:
        """Forget the packets that were made for all connections of this moment."""
        self._packets.clear()

    # ---- what happens

    def _tick(self, tick: Tick) -> None:
        token = self._exchange.market.listing.by_id[tick.instrument].token
        for stream in self._watching.get(token, ()):
            stream.changed[token] = None

    def _hear(self, event: ExchangeEvent) -> None:
        if isinstance(event, OrderChanged):
            for status in self._news.of(event):
                self._tell(event, status)
        elif isinstance(event, TokenEnded):
            for stream in self.all:
                if stream.session.access_token == event.access_token:
                    stream.is_over = True
                    self.stirs(stream)
        elif isinstance(event, DayBegan):
            self._news.new_day()

    def _tell(self, event: OrderChanged, status: str) -> None:
        """Tell all connections of the account, whichever app it was placed by."""
        for stream in self.all:
            if stream.session.user_id == event.user_id:
                app = self._exchange.apps[stream.session.api_key]
                text = _text("order", message(event.row, status, app))
                stream.texts.extend(self._exchange.mishaps.told(event.user_id, text, stream.held))
                self.stirs(stream)


def _text(kind: str, data: str | Mapping[str, Any]) -> str:
    return msgspec.json.encode({"type": kind, "data": data}).decode()


def _tokens(value: object) -> list[int]:
    return [one for one in value if isinstance(one, int)] if isinstance(value, list) else []
