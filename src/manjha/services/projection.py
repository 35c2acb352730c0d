"""Read models from a journal: a fold over its rows that changes orders, trades, positions and runs.

It says what the engine's state says of the same rows: by the same table of an order's life, the same arithmetic of
positions and of corporate actions. What only the market knows (prices, margins) is not in a journal and not here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.charges import ChargeLines
from manjha.domain.commands import Approved, Refused, SubmitOrder
from manjha.domain.errors import DataError, JournalHalted
from manjha.domain.events import (
    ActionEffective,
    ContractExpired,
    DayChargesSettled,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
    SessionOpened,
)
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.journal import Row
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px
from manjha.domain.orders import Fill, Order, OrderId, Product, RunId, StrategyId
from manjha.domain.read_models import (
    Changed,
    NoteView,
    OrderView,
    PositionView,
    Reached,
    RunActivity,
    TradeView,
)
from manjha.engine.handlers.settlement import settlement_value
from manjha.engine.journaling import Journaled
from manjha.orders.lifecycle import OPEN_PHASES, Happening, Verdict, transition
from manjha.portfolio.corporate import adjust
from manjha.portfolio.positions import traded

Read = tuple[Row, Journaled]
"""A row of the journal, and the value that stands in it."""
InstrumentOf = Callable[[InstrumentId, TradingDay], Instrument | None]
"""Who knows an instrument as of a day; None where nobody does."""
ChargesOf = Callable[[Fill, int, TradingDay], ChargeLines | None]
"""Who knows the charges of a fill, from the turnover of its order before it and the session's day."""
PositionKey = tuple[StrategyId, InstrumentId, Product]


class Reference(msgspec.Struct, frozen=True):
    """Whom a fold asks for what is not in a journal."""

    instrument_of: InstrumentOf
    charges_of: ChargesOf


class Known(msgspec.Struct, frozen=True):
    """What a fold goes on from: how far it came, the rows that the next ones may change, and whom it asks."""

    reached: Reached
    orders: Mapping[OrderId, OrderView]
    positions: Mapping[PositionKey, PositionView]
    runs: Mapping[RunId, RunActivity]
    reference: Reference


def orders_named_in(reads: Iterable[Read]) -> set[OrderId]:
    """Return the orders that some rows place or may change."""
    found = set()
    for _, value in reads:
        match value:
            case OrderFilled(fill=fill):
                found.add(fill.order_id)
            case Approved(command=SubmitOrder(order=order)):
                found.add(order.id)
            case OrderAccepted() | OrderRejected() | OrderCancelled() | OrderModified():
                found.add(value.order_id)
            case _:
                pass
    return found


def project(known: Known, reads: Iterable[Read]) -> tuple[Reached, Changed]:
    """Return how far the rows lead from what is known, and every row of the read models that they change.

    `reads` follow on `known.reached` in the order of the journal. Folding them in one piece or in several is the same.

    Raises
    ------
    JournalHalted
        The rows do not follow on what is known, or one speaks of an order that was not placed, was placed twice, or is
        another account's.
    DataError
        A contract ended or was adjusted that nobody knows.
    """
    fold = _Fold(known)
    for row, value in reads:
        fold.apply(row, value)
    return fold.end()


class _Fold:
    """Rows in the making. `seq` is the row in hand; what was changed is kept apart from what was there."""

    def __init__(self, known: Known) -> None:
        self.known, self.reference = known, known.reference
        self.account = known.reached.account
        self.seq, self.hash = known.reached.seq, known.reached.hash
        self.day, self.strikes = known.reached.day, dict(known.reached.strikes)
        self.orders: dict[OrderId, OrderView] = {}
        self.trades: list[TradeView] = []
        self.notes: list[NoteView] = []
        self.positions: dict[PositionKey, PositionView] = {}
        self.runs: dict[RunId, RunActivity] = {}

    def apply(self, row: Row, value: Journaled) -> None:
        """Apply one row."""
        if row.seq != self.seq + 1 or (self.seq and row.previous != self.hash):
            raise JournalHalted(
                f"row {row.seq} does not follow row {self.seq}, which the read models have come to", hint=_VERIFY
            )
        self.seq, self.hash = row.seq, row.hash
        orders = trades = refusals = 0
        strategy = StrategyId("")
        if type(value) is Approved:
            if type(value.command) is SubmitOrder:
                orders, strategy = 1, value.command.order.origin.strategy
                self._place(value.command.order)
        elif type(value) is Refused:
            refusals = 1
        elif handler := _HANDLERS.get(type(value)):
            trades = int(type(value) is OrderFilled)
            handler(self, value)
        self._count(row, strategy, orders, trades, refusals)

    def end(self) -> tuple[Reached, Changed]:
        """Return what has come of it."""
        reached = Reached(self.account, self.seq, self.hash, self.day, self.strikes)
        changed = Changed(
            orders=tuple(self.orders.values()),
            trades=tuple(self.trades),
            notes=tuple(self.notes),
            positions=tuple(self.positions.values()),
            runs=tuple(self.runs.values()),
        )
        return reached, changed

    # ---- orders

    def _place(self, order: Order) -> None:
        if order.origin.account != self.account:
            raise JournalHalted(
                f"row {self.seq} places an order of account {order.origin.account} in the journal of {self.account}",
                hint=_VERIFY,
            )
        if order.id in self.orders or order.id in self.known.orders:
            raise JournalHalted(f"row {self.seq} places order {order.id} a second time", hint=_VERIFY)
        self.orders[order.id] = OrderView(order, order.qty, order.limit, order.trigger, self.seq, self.seq)

    def _order(self, order_id: OrderId) -> OrderView:
        found = self.orders.get(order_id) or self.known.orders.get(order_id)
        if found is None:
            raise JournalHalted(
                f"row {self.seq} speaks of order {order_id}, which no row before it places", hint=_VERIFY
            )
        return found

    def told(self, order_id: OrderId, happening: Happening, ts_ns: TsNs, **changes: Any) -> None:
        """Note what happened to an order, and what else it changes."""
        view = self._order(order_id)
        phase, verdict = transition(view.phase, happening)
        over = changes.get("filled", 0) > view.qty
        closes = view.phase in OPEN_PHASES and phase not in OPEN_PHASES
        self.orders[order_id] = msgspec.structs.replace(
            view,
            phase=phase,
            alarms=view.alarms + (verdict is Verdict.ALARM or over),
            closed_ns=ts_ns if closes else view.closed_ns,
            changed_seq=self.seq,
            **changes,
        )

    def filled(self, fill: Fill) -> None:
        """Count a fill: order, trade, position."""
        view = self._order(fill.order_id)
        total = view.filled + fill.qty
        happening = Happening.FULLY_FILLED if total >= view.qty else Happening.PART_FILLED
        turnover = view.turnover + fill.qty * fill.px
        self.trades.append(TradeView(self.seq, fill, self.reference.charges_of(fill, view.turnover, self.day)))
        self.told(fill.order_id, happening, fill.ts_ns, filled=total, turnover=turnover)
        key = (fill.origin.strategy, fill.instrument, fill.product)
        held = self.positions.get(key) or self.known.positions.get(key) or PositionView(self.account, *key)
        self._hold(held, *traded(held.qty, held.cost, fill.qty * int(fill.side), fill.px), fill.ts_ns)

    # ---- positions

    def _hold(self, held: PositionView, qty: int, cost: int, gain: int, ts_ns: TsNs) -> None:
        key = (held.strategy, held.instrument, held.product)
        self.positions[key] = msgspec.structs.replace(
            held, qty=qty, cost=cost, realised=held.realised + gain, changed_ns=ts_ns, changed_seq=self.seq
        )

    def _all_positions(self) -> list[PositionView]:
        return list({**self.known.positions, **self.positions}.values())

    def acted(self, action: CorporateAction, ts_ns: TsNs) -> None:
        """Change what is held of a share, and of the contracts on it where their number changes."""
        self._rescale(action.instrument, action, ts_ns)
        if action.kind not in (ActionKind.SPLIT, ActionKind.BONUS):
            return
        share = self.reference.instrument_of(action.instrument, action.ex_day)
        # Of contracts that were never held nobody asks; one listed later is listed at its new strike.
        for contract_id in sorted({held.instrument for held in self._all_positions() if _is_contract(held.instrument)}):
            contract = self.reference.instrument_of(contract_id, self.day)
            if contract is None or share is None:
                raise _unknown(contract_id if contract is None else action.instrument, self.seq)
            if contract.underlying == share.symbol:
                if contract.strike is not None:
                    strike = self.strikes.get(contract_id, contract.strike)
                    self.strikes[contract_id] = Px(strike * action.old_shares // action.new_shares)
                self._rescale(contract_id, action, ts_ns)

    def _rescale(self, instrument: InstrumentId, action: CorporateAction, ts_ns: TsNs) -> None:
        for held in self._all_positions():
            if held.instrument == instrument and held.qty:
                # The last price decides only what is paid in cash, which is no part of a position.
                after = adjust(action, held.qty, held.cost, 0)
                if (after.qty, after.cost) != (held.qty, held.cost):
                    self._hold(held, after.qty, after.cost, 0, ts_ns)

    def expired(self, event: ContractExpired) -> None:
        """Close what is held of a contract at what it pays."""
        open_ones = [held for held in self._all_positions() if held.instrument == event.instrument and held.qty]
        for held in open_ones:
            contract = self.reference.instrument_of(event.instrument, self.day)
            if contract is None:
                raise _unknown(event.instrument, self.seq)
            contract = msgspec.structs.replace(contract, strike=self.strikes.get(contract.id, contract.strike))
            px = settlement_value(contract, event.settlement)
            self._hold(held, *traded(held.qty, held.cost, -held.qty, px), event.ts_ns)

    # ---- runs

    def _count(self, row: Row, strategy: StrategyId, orders: int, trades: int, refusals: int) -> None:
        at = row.entry.ts_ns
        held = self.runs.get(row.run) or self.known.runs.get(row.run)
        if held is None:
            held = RunActivity(self.account, row.run, row.seq, row.seq, at, at)
        self.runs[row.run] = msgspec.structs.replace(
            held,
            last_seq=row.seq,
            last_ns=at,
            strategy=held.strategy or strategy,
            orders=held.orders + orders,
            trades=held.trades + trades,
            refusals=held.refusals + refusals,
        )


_VERIFY = "`manjha journal verify` says whether it is whole; another one of the same account is another database."


def _is_contract(instrument: InstrumentId) -> bool:
    """Tell whether an id is that of a future or option, which have an underlying and an expiry between colons."""
    return instrument.count(":") >= 3


def _unknown(instrument: InstrumentId, seq: int) -> DataError:
    return DataError(
        f"row {seq} of the journal needs {instrument}, which no import has brought",
        hint="Import the exchange's list of instruments of that day, then rebuild again.",
    )


def _opened(fold: _Fold, event: SessionOpened) -> None:
    fold.day = event.day


def _accepted(fold: _Fold, event: OrderAccepted) -> None:
    fold.told(event.order_id, Happening.ACCEPTED, event.ts_ns)


def _rejected(fold: _Fold, event: OrderRejected) -> None:
    fold.told(event.order_id, Happening.REJECTED, event.ts_ns, **_reason(event.reason))


def _cancelled(fold: _Fold, event: OrderCancelled) -> None:
    fold.told(event.order_id, Happening.CANCELLED, event.ts_ns, **_reason(event.reason))


def _modified(fold: _Fold, event: OrderModified) -> None:
    terms = {"qty": event.qty, "limit": event.limit, "trigger": event.trigger}
    fold.told(event.order_id, Happening.MODIFIED, event.ts_ns, **terms)


def _reason(text: str) -> dict[str, str]:
    return {"reason": text} if text else {}


_HANDLERS: dict[type, Callable[[_Fold, Any], None]] = {
    SessionOpened: _opened,
    OrderAccepted: _accepted,
    OrderRejected: _rejected,
    OrderCancelled: _cancelled,
    OrderModified: _modified,
    OrderFilled: lambda fold, event: fold.filled(event.fill),
    ActionEffective: lambda fold, event: fold.acted(event.action, event.ts_ns),
    ContractExpired: lambda fold, event: fold.expired(event),
    DayChargesSettled: lambda fold, event: fold.notes.append(NoteView(fold.seq, event)),
}
