"""The state as bytes, and back: what a snapshot of a journal holds.

What follows from the run's terms and market data (timeline, indicators, targets, rate cards) is not in it; it is
made again by whoever made it first, and then this is put back into it. The bytes begin with their own SHA-256, as the
state's digest does not cover what a strategy remembers.
"""

import hashlib
from bisect import bisect_left
from typing import Any, NamedTuple

import msgspec

from manjha.domain.commands import RefusalReason, Refused, SetTimer
from manjha.domain.errors import JournalHalted
from manjha.domain.events import DayChargesSettled
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px
from manjha.domain.orders import Fill, Order, OrderId, StrategyId
from manjha.engine.desk import Desk
from manjha.engine.kept_controls import KeptControls, kept_controls, put_back_controls
from manjha.engine.remembered import CannotBeKept, StrategyMemory
from manjha.engine.state import EngineState, PositionChange, Protection
from manjha.orders.book import OrderRecord
from manjha.orders.legs import Saga
from manjha.portfolio.positions import Position, PositionKey
from manjha.portfolio.settlement import Holding
from manjha.risk.gate import DayRules

Numbers = tuple[int, ...]


class KeptMarket(msgspec.Struct, frozen=True):
    """An instrument as the strategy sees it."""

    instrument: Instrument
    position: int
    cost: int


class Beside(NamedTuple):
    """What is kept beside a state: the timers that stand, how far time had come, and which code kept it."""

    timers: tuple[SetTimer, ...] = ()
    now_ns: TsNs = TsNs(0)
    code: str = ""


class KeptState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in a state that events have changed; names as in the objects that hold it.

    `rules_hash` is of the market rules under which it came about.
    """

    orders: list[OrderRecord]
    open: dict[InstrumentId, list[OrderId]]
    alarms: list[str]
    ledger: Numbers
    settles: dict[TradingDay, int]
    past_lines: list[Numbers]
    day_lines: dict[StrategyId, list[Numbers]]
    positions: list[tuple[PositionKey, Numbers]]
    holdings: list[tuple[PositionKey, int, dict[TradingDay, int], int]]
    paid: list[PositionKey]
    today: dict[InstrumentId, DayRules]
    gate: tuple[bool, bool, bool, int]
    universe: list[InstrumentId] | None
    margins: tuple[TradingDay, dict[str, int]]
    rebased: dict[InstrumentId, tuple[int, Px]]
    instruments: list[Instrument]
    markets: list[KeptMarket]
    shown: list[InstrumentId]
    numbers: Numbers
    protections: dict[OrderId, Protection]
    trailing: list[OrderId]
    carried_orders: list[Order]
    groups: list[Saga]
    sagas: list[OrderId]
    record_fills: list[Fill]
    record_charges: bytes
    record_refusals: list[Refused]
    record_settled: list[DayChargesSettled]
    record_changes: list[PositionChange]
    record_steps: bytes
    strategy: list[Any]
    closed: dict[str, tuple[RefusalReason, str]]
    controls: KeptControls | None
    squares_off: bool
    has_manual: bool
    given: dict[str, str]
    desk: Desk | None
    rules_hash: str
    beside: Beside

    @property
    def reached(self) -> int:
        """Timeline position after the last bar that was processed."""
        return self.numbers[_NUMBERS.index("reached")]


# Not sorted: the order of a dict is the order of what happened, and the engine walks some of them in it.
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(KeptState)
_LEDGER = ("cash", "margin", "margin_peak", "reserved", "unsettled")
_POSITION = ("qty", "cost", "realised", "margin", "number")
_NUMBERS = (
    "day", "reached", "matching", "order_seq", "universe_day", "carried_intraday", "wakeup_at", "recorded_at",
    "today_fills", "ended_day",
)  # fmt: skip
_SHA_BYTES = 32
_HINT = "The journal is whole without it: begin at the beginning."
_RECORDS = ("record_fills", "record_refusals", "record_settled", "record_changes", "carried_orders")


def snapshot_of(state: EngineState, memory: StrategyMemory, beside: Beside = Beside()) -> bytes:  # noqa: B008 - frozen
    """Return a state between two events as bytes, or none where the strategy remembers what cannot be kept."""
    try:
        remembered = memory.kept()
    except CannotBeKept:
        return b""
    book, gate, portfolio, ctx = state.book, state.gate, state.portfolio, state.ctx
    ledger, universe = portfolio.ledger, gate.universe
    body = _ENCODER.encode(
        KeptState(
            orders=list(book.records.values()),
            open={name: list(held) for name, held in book.open_by_instrument.items()},
            alarms=book.alarms,
            ledger=_read(ledger, _LEDGER),
            settles=ledger.settles,
            past_lines=ledger.past_lines,
            day_lines=dict(ledger.day_lines),
            positions=[(one.key, _read(one, _POSITION)) for one in portfolio.positions.values()],
            holdings=[(key, one.today, one.t1, one.settled) for key, one in portfolio.holdings.items()],
            paid=sorted(portfolio.paid),
            today=dict(gate.today),
            gate=(gate.trading_on, gate.overnight_intraday, gate.has_value_limits, gate.day_start_equity),
            universe=None if universe is None else sorted(universe),
            margins=(state.margins.day, state.margins.held),
            rebased=state.marks.rebased,
            instruments=list(state.instruments.values()),
            markets=[KeptMarket(one.instrument, one.position, one.cost_e4) for one in ctx.markets.values()],
            shown=list(ctx.universe),
            numbers=(*_read(state, _NUMBERS), state.cursor.at),
            protections=state.protections,
            trailing=sorted(state.trailing),
            groups=list(state.groups.values()),
            sagas=list(state.sagas),
            record_charges=bytes(state.record_charges),
            record_steps=bytes(state.record_steps),
            strategy=remembered,
            closed=gate.closed,
            controls=None if state.controls is None else kept_controls(state.controls),
            squares_off=state.squares_off,
            has_manual=state.has_manual,
            given=state.given,
            desk=state.desk,
            rules_hash=state.rules.hash,
            beside=beside,
            **{name: getattr(state, name) for name in _RECORDS},
        )
    )
    return hashlib.sha256(body).digest() + body


def kept_in(payload: bytes) -> KeptState:
    """Return what a snapshot holds. Raises `JournalHalted` for bytes that are not what `snapshot_of` gave."""
    sha, body = payload[:_SHA_BYTES], memoryview(payload)[_SHA_BYTES:]
    if hashlib.sha256(body).digest() != sha:
        raise JournalHalted("the bytes of a snapshot are not what was kept", hint=_HINT)
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise JournalHalted(f"a snapshot is of another form: {error}", hint=_HINT) from None


def put_back(state: EngineState, memory: StrategyMemory, kept: KeptState) -> None:
    """Bring a state that is as before the first event to where it was when the snapshot was made.

    A timeline that grows must have grown as far as it had then.
    """
    if kept.controls is not None:
        # A run that began without controls has got them on the way.
        put_back_controls(state.control(kept.controls.limits), kept.controls)
    _orders(state, kept)
    _portfolio(state, kept)
    _risk(state, kept)
    for market, held in zip(state.ctx.markets.values(), kept.markets, strict=True):
        market.instrument, market.position, market.cost_e4 = held.instrument, held.position, held.cost
    state.ctx.universe = {name: state.ctx.markets[name] for name in kept.shown}
    *numbers, state.cursor.at = kept.numbers
    _write(state, _NUMBERS, tuple(numbers))
    # Which of the positions stated are over; a run whose timeline grows states them anew from here on.
    state.wakeup_at = bisect_left(state.wakeups or (), state.reached)
    state.protections.update(kept.protections)
    state.trailing.update(kept.trailing)
    state.groups.update((saga.id, saga) for saga in kept.groups)
    state.sagas.update((group_id, state.groups[group_id]) for group_id in kept.sagas)
    for name in _RECORDS:
        getattr(state, name)[:] = getattr(kept, name)
    state.record_charges[:] = kept.record_charges
    state.record_steps[:] = kept.record_steps
    memory.put_back(kept.strategy)
    state.gate.closed.update(kept.closed)
    state.desk, state.squares_off = kept.desk, kept.squares_off
    if kept.has_manual:
        state.show_own()
    if kept.given:
        state.give(kept.given.items())
    state.gate.tags = None if kept.desk is None else kept.desk.tag_for


def _orders(state: EngineState, kept: KeptState) -> None:
    book = state.book
    book.records.update((record.order.id, record) for record in kept.orders)
    for name, held in kept.open.items():
        # The mapping of an instrument stays the same one, as the strategy's market counts in it.
        book.open_by_instrument[name].update((order_id, book.records[order_id]) for order_id in held)
    book.open_count = sum(map(len, kept.open.values()))
    book.alarms[:] = kept.alarms


def _portfolio(state: EngineState, kept: KeptState) -> None:
    portfolio = state.portfolio
    ledger = portfolio.ledger
    _write(ledger, _LEDGER, kept.ledger)
    ledger.settles.update(kept.settles)
    ledger.past_lines[:] = kept.past_lines
    ledger.day_lines.update(kept.day_lines)
    for key, numbers in kept.positions:
        position = portfolio.positions[key] = Position(key)
        _write(position, _POSITION, numbers)
    for key, today, t1, settled in kept.holdings:
        holding = portfolio.holdings[key] = Holding()
        holding.today, holding.t1, holding.settled = today, t1, settled
    portfolio.paid.update(kept.paid)


def _risk(state: EngineState, kept: KeptState) -> None:
    gate = state.gate
    gate.today = kept.today
    gate.trading_on, gate.overnight_intraday, gate.has_value_limits, gate.day_start_equity = kept.gate
    gate.universe = None if kept.universe is None else frozenset(kept.universe)
    state.margins.day, held = kept.margins
    state.margins.held.update(held)
    state.marks.rebased.update(kept.rebased)
    state.instruments.update((instrument.id, instrument) for instrument in kept.instruments)


def _read(holder: Any, names: tuple[str, ...]) -> Numbers:
    return tuple(getattr(holder, name) for name in names)


def _write(holder: Any, names: tuple[str, ...], values: Numbers) -> None:
    for name, value in zip(names, values, strict=True):
        setattr(holder, name, value)
