"""The gate with controls: asks them, then the plain gate, which knows nothing of them and costs no more than before."""

import msgspec

from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, Refused, SubmitOrder
from manjha.domain.moments import TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import Order, Purpose
from manjha.orders.book import OrderRecord
from manjha.risk.checks import Refusal
from manjha.risk.control_checks import CHECKS, FOR_ALL, FOR_LESS, Question
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
        self.has_value_limits = plain.has_value_limits

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

    def _refusal(self, question: Question, names: frozenset[str] | None) -> Refusal | None:
        """Return what the checks of these names say against an order; None is all of them."""
        try:
            for name, check in CHECKS.items():
                if names is None or name in names:
                    check(question)
        except Refusal as refusal:
            return refusal
        return None
