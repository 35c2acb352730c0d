"""Read models from a journal: a fold over its rows that changes orders, trades, positions and runs.

It says what the engine's state says of the same rows: by the same table of an order's life, the same arithmetic of
positions and of corporate actions, the same reading of what a broker shows (`broker_folding`). What only the market
knows (prices, margins) is not in a journal and not here.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.errors import DataError
from manjha.domain.events import (
    AccountTaken,
    ActionEffective,
    BrokerRead,
    ContractExpired,
    DayChargesSettled,
    DifferenceAccepted,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
    SendVetoed,
    SessionOpened,
    SubmitAnswered,
)
from manjha.domain.instrument import InstrumentId
from manjha.domain.journal import Row
from manjha.domain.moments import TsNs
from manjha.domain.money import Px
from manjha.domain.orders import FillId, OrderId
from manjha.domain.read_models import Changed, DeskView, NoteView, Reached
from manjha.engine.handlers.settlement import settlement_value
from manjha.engine.journaling import Journaled
from manjha.orders.lifecycle import Happening
from manjha.portfolio.corporate import adjust
from manjha.portfolio.positions import traded
from manjha.services import broker_folding
from manjha.services.broker_folding import external_id
from manjha.services.folding import Fold, Known

Read = tuple[Row, Journaled]
"""A row of the journal, and the value that stands in it."""


class Named(msgspec.Struct, frozen=True):
    """What some rows speak of, by which it has to be looked up: orders by id, by tag and by the broker's number.

    `wants_open` tells that they speak of the broker, and may change any order that is open or in doubt.
    """

    orders: frozenset[OrderId]
    tags: frozenset[str]
    numbers: frozenset[str]
    trades: frozenset[FillId]
    wants_open: bool


def named_in(desk: DeskView, reads: Iterable[Read]) -> Named:
    """Return what some rows place or may change, where so much is known of the broker."""
    orders, tags, numbers = set[OrderId](), set[str](), {trade.broker_id for trade in desk.loose}
    trades = {trade.id for trade in desk.loose}
    wants_open = False
    for _, value in reads:
        match value:
            case OrderFilled(fill=fill):
                orders.add(fill.order_id)
            case Approved(command=SubmitOrder(order=order)):
                orders.add(order.id)
            case OrderAccepted() | OrderRejected() | OrderCancelled() | OrderModified():
                orders.add(value.order_id)
            case SubmitAnswered() | SendVetoed():
                orders.add(value.order_id)
            case BrokerRead():
                tags.update(seen.tag for seen in value.orders)
                numbers.update(seen.broker_id for seen in value.orders)
                numbers.update(trade.broker_id for trade in value.trades)
                trades.update(trade.id for trade in value.trades)
                wants_open = True
            case AccountTaken() | SessionOpened():
                wants_open = True
            case _:
                pass
    orders |= {external_id(number) for number in numbers}
    return Named(frozenset(orders), frozenset(tags - {""}), frozenset(numbers), frozenset(trades), wants_open)


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
    fold = Fold(known, _HANDLERS)
    for row, value in reads:
        fold.apply(row, value)
    return fold.end()


# ---- what happens to positions beside trades


def _acted(fold: Fold, event: ActionEffective) -> None:
    """Change what is held of a share, and of the contracts on it where their number changes."""
    action = event.action
    _rescale(fold, action.instrument, action, event.ts_ns)
    if action.kind not in (ActionKind.SPLIT, ActionKind.BONUS):
        return
    share = fold.reference.instrument_of(action.instrument, action.ex_day)
    # Of contracts that were never held nobody asks; one listed later is listed at its new strike.
    for contract_id in sorted({held.instrument for held in fold.our_positions() if _is_contract(held.instrument)}):
        contract = fold.reference.instrument_of(contract_id, fold.day)
        if contract is None or share is None:
            raise _unknown(contract_id if contract is None else action.instrument, fold.seq)
        if contract.underlying == share.symbol:
            if contract.strike is not None:
                strike = fold.strikes.get(contract_id, contract.strike)
                fold.strikes[contract_id] = Px(strike * action.old_shares // action.new_shares)
            _rescale(fold, contract_id, action, event.ts_ns)


def _rescale(fold: Fold, instrument: InstrumentId, action: CorporateAction, ts_ns: TsNs) -> None:
    for held in fold.our_positions():
        if held.instrument == instrument and held.qty:
            # The last price decides only what is paid in cash, which is no part of a position.
            after = adjust(action, held.qty, held.cost, 0)
            if (after.qty, after.cost) != (held.qty, held.cost):
                fold.hold(held, after.qty, after.cost, 0, ts_ns)


def _expired(fold: Fold, event: ContractExpired) -> None:
    """Close what is held of a contract at what it pays."""
    open_ones = [held for held in fold.our_positions() if held.instrument == event.instrument and held.qty]
    for held in open_ones:
        contract = fold.reference.instrument_of(event.instrument, fold.day)
        if contract is None:
            raise _unknown(event.instrument, fold.seq)
        contract = msgspec.structs.replace(contract, strike=fold.strikes.get(contract.id, contract.strike))
        px = settlement_value(contract, event.settlement)
        fold.hold(held, *traded(held.qty, held.cost, -held.qty, px), event.ts_ns)


def _is_contract(instrument: InstrumentId) -> bool:
    """Tell whether an id is that of a future or option, which have an underlying and an expiry between colons."""
    return instrument.count(":") >= 3


def _unknown(instrument: InstrumentId, seq: int) -> DataError:
    return DataError(
        f"row {seq} of the journal needs {instrument}, which no import has brought",
        hint="Import the exchange's list of instruments of that day, then rebuild again.",
    )


# ---- what an exchange says, where no broker stands between


def _accepted(fold: Fold, event: OrderAccepted) -> None:
    fold.told(event.order_id, Happening.ACCEPTED, event.ts_ns)


def _rejected(fold: Fold, event: OrderRejected) -> None:
    fold.told(event.order_id, Happening.REJECTED, event.ts_ns, **_reason(event.reason))


def _cancelled(fold: Fold, event: OrderCancelled) -> None:
    fold.told(event.order_id, Happening.CANCELLED, event.ts_ns, **_reason(event.reason))


def _modified(fold: Fold, event: OrderModified) -> None:
    terms = {"qty": event.qty, "limit": event.limit, "trigger": event.trigger}
    fold.told(event.order_id, Happening.MODIFIED, event.ts_ns, **terms)


def _reason(text: str) -> dict[str, str]:
    return {"reason": text} if text else {}


_HANDLERS: dict[type, Callable[[Fold, Any], None]] = {
    SessionOpened: broker_folding.opened,
    OrderAccepted: _accepted,
    OrderRejected: _rejected,
    OrderCancelled: _cancelled,
    OrderModified: _modified,
    OrderFilled: lambda fold, event: fold.filled(event.fill),
    ActionEffective: _acted,
    ContractExpired: _expired,
    DayChargesSettled: lambda fold, event: fold.notes.append(NoteView(fold.seq, event)),
    AccountTaken: broker_folding.account_taken,
    SubmitAnswered: broker_folding.submit_answered,
    SendVetoed: broker_folding.vetoed,
    DifferenceAccepted: broker_folding.difference_accepted,
    BrokerRead: broker_folding.broker_read,
}
