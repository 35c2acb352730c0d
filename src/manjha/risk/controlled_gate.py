"""The gate with controls: asks them, then the plain gate, which knows nothing of them and costs no more than before."""

import msgspec

from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, RefusalReason, Refused, SubmitOrder
from manjha.domain.moments import TsNs, format_ts
from manjha.domain.money import Qty
from manjha.domain.orders import MANUAL, Order, Product, Purpose
from manjha.orders.book import OrderRecord
from manjha.risk.checks import Refusal
from manjha.risk.control_checks import AGAIN, CHECKS, FOR_ALL, FOR_LESS, Question
from manjha.risk.controls import Controls
from manjha.risk.gate import Gate


class ControlledGate(Gate):
    """Pre-trade checks over the state of one account, the control set among them."""

    __slots__ = ("controls",)

    def __init__(self, plain: Gate, controls: Controls) -> None:
        super().__init__(plain.book, plain.portfolio, plain.instruments, plain.marks, plain.margins, plain.limits)
        self.controls = controls
        self.today, self.trading_on, self.universe = plain.today, plain.trading_on, plain.universe
        self.overnight_intraday, self.day_start_equity = plain.overnight_intraday, plain.day_start_equity
        self.has_value_limits, self.closed, self.tags = plain.has_value_limits, plain.closed, plain.tags

    def submit(self, order: Order, now_ns: TsNs) -> Approved[SubmitOrder] | Refused:
        """Approve an order and enter it in the book with its margin reserved, or refuse it."""
        opening = 0
        if order.instrument in self.instruments and order.qty > 0:
            if order.purpose is Purpose.SIGNAL:
                opening = self._opening(order, self._held(order))
            question = Question(self, self.controls, order, now_ns, opening, None)
            refusal = self._refusal(question, None if opening else FOR_ALL)
            if refusal is not None:
                return Refused(SubmitOrder(order), refusal.reason, refusal.detail, now_ns)
        verdict = super().submit(order, now_ns)
        if isinstance(verdict, Approved):
            self.controls.placed(order, opening, now_ns)
        return verdict

    def cancel(self, record: OrderRecord) -> Approved[CancelOrder]:
        """Approve a cancel; cancels are never refused."""
        self.controls.cancels_asked.add(record.order.id)
        return super().cancel(record)

    def modify(self, record: OrderRecord, command: ModifyOrder, now_ns: TsNs) -> Approved[ModifyOrder] | Refused:
        """Approve new terms of an open order; an entry is checked like a new one and cannot grow (place another)."""
        order, left = record.order, Qty(command.qty - record.filled)
        terms = msgspec.structs.replace(order, qty=left, limit=command.limit, trigger=command.trigger)
        if left <= 0:
            return super().modify(record, command, now_ns)
        opening = self._opening_left(record, terms) if order.purpose is Purpose.SIGNAL else 0
        is_less = (command.limit, command.trigger) == (record.limit, record.trigger) and left < record.left
        names = FOR_LESS if is_less else None if opening else FOR_ALL
        refusal = self._refusal(Question(self, self.controls, terms, now_ns, opening, record), names)
        if refusal is not None:
            return Refused(command, refusal.reason, refusal.detail, now_ns)
        verdict = super().modify(record, command, now_ns)
        if isinstance(verdict, Approved):
            self.controls.changed(order.id, command.limit)
        return verdict

    def objection(self, command: SubmitOrder | ModifyOrder, now_ns: TsNs, *, kill_only: bool = False) -> Refusal | None:
        """Return what speaks against sending what was approved some time ago and has waited; None for nothing.

        With `kill_only` nothing but the kill switch is asked: for what was approved in this very step.
        """
        record = self.book.records[command.order.id if isinstance(command, SubmitOrder) else command.order_id]
        order, left = record.order, record.left
        if isinstance(command, ModifyOrder):
            left = Qty(command.qty - record.filled)
            if is_less(record, command) or left <= 0:
                return None
            order = msgspec.structs.replace(order, qty=left, limit=command.limit, trigger=command.trigger)
        opens = order.id in self.controls.entry_ids
        question = Question(self, self.controls, order, now_ns, int(order.side) * left if opens else 0, record)
        if opens and not kill_only:
            return self._closed_to(order, now_ns) or self._refusal(question, AGAIN)
        return self._refusal(question, frozenset({"kill"}))

    def _closed_to(self, order: Order, now_ns: TsNs) -> Refusal | None:
        """Return why the plain gate lets nothing be opened in an instrument by now."""
        if not self.trading_on and order.origin.strategy != MANUAL:
            return Refusal(RefusalReason.TRADING_OFF, "")
        today = self.today.get(order.instrument)
        if order.product is Product.MIS and today is not None and today.square_off_ns <= now_ns < today.close_ns:
            return Refusal(RefusalReason.AFTER_SQUARE_OFF, f"square-off was at {format_ts(TsNs(today.square_off_ns))}")
        return None

    def _refusal(self, question: Question, names: frozenset[str] | None) -> Refusal | None:
        """Return what the checks of these names say against an order; None is all of them, and what is closed first."""
        for key in ("", question.order.instrument) if names is None or names is AGAIN else ():
            if key in self.closed:
                return Refusal(*self.closed[key])
        try:
            for name, check in CHECKS.items():
                if names is None or name in names:
                    check(question)
        except Refusal as refusal:
            return refusal
        return None


def is_less(record: OrderRecord, command: ModifyOrder) -> bool:
    """Tell whether new terms make an order no more than it is, at the same price: nothing can speak against that."""
    return command.qty <= record.qty and (command.limit, command.trigger) == (record.limit, record.trigger)
