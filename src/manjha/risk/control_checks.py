"""The controls, one function each, in the order in which they are evaluated (RELIABILITY section 7).

`CHECKS` is the whole set; a test takes each out and sees that what it refuses is then let through. What only closes
a position is asked by those of `FOR_ALL` alone.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from manjha.domain.commands import RefusalReason
from manjha.domain.kill import level_name
from manjha.domain.moments import SECOND_NS, TsNs, format_ts
from manjha.domain.money import format_cash, format_px
from manjha.domain.orders import Order, OrderType, Purpose
from manjha.orders.book import OrderRecord
from manjha.risk.checks import Refusal
from manjha.risk.control_limits import ControlLimits, collar_distance, collar_of
from manjha.risk.exposure import Exposure, Surroundings, worst_case
from manjha.risk.governor import NEVER
from manjha.risk.kill import forbids, level_for

if TYPE_CHECKING:
    from manjha.domain.instrument import Instrument
    from manjha.risk.controls import Controls
    from manjha.risk.gate import Gate

_MARKET, _SIGNAL = OrderType.MARKET, Purpose.SIGNAL
BROKER_MODIFICATIONS = 5
"""How many modifications the broker takes beyond our 20; kept for quantities that must follow a position."""


class Question:
    """May this order go, or an open one (`replaces`) in new terms? `opening` is its signed part that opens."""

    def __init__(
        self, gate: "Gate", controls: "Controls", order: Order, now_ns: TsNs, opening: int, replaces: OrderRecord | None
    ) -> None:
        self.gate = gate
        self.controls = controls
        self.limits: ControlLimits = controls.limits
        self.order = order
        self.instrument: Instrument = gate.instruments[order.instrument]
        self.now_ns = now_ns
        self.opening = opening
        self.replaces = replaces

    @cached_property
    def exposure(self) -> Exposure:
        """What could be held in the worst case, this order included."""
        gate = self.gate
        around = Surroundings(gate.book, gate.portfolio, gate.marks, self.controls.asked)
        return worst_case(around, self.order, self.replaces)

    @cached_property
    def good(self) -> tuple[int, int]:
        """The last good price and when it was seen, the newest one looked at; zeros where there is none."""
        newest = self.gate.marks.get(self.order.instrument, 0)
        if newest:
            self.controls.watch(self.instrument, newest)
        return self.controls.good.get(self.order.instrument, (0, 0))

    @property
    def worth(self) -> int:
        """The price that the order is worth at least: its own, or the last one."""
        return self.order.limit or self.order.trigger or self.gate.marks.get(self.order.instrument, 0)


def killed(question: Question) -> None:
    """RC1: the kill switch, and what a control has forbidden for the rest of the day."""
    order, controls = question.order, question.controls
    for levels in (controls.levels, controls.tripped):
        level = level_for(levels, order.origin.strategy, order.instrument)
        if forbids(level, order.purpose, opens=question.opening != 0):
            raise Refusal(RefusalReason.KILLED, f"level {level_name(level)} for {order.origin.strategy}")


def not_allowed(question: Question) -> None:
    """RC3: the list of what may be traded."""
    allowed = question.controls.allowed
    if allowed is not None and question.order.instrument not in allowed:
        raise Refusal(RefusalReason.NOT_ALLOWED, question.instrument.display)


def paused(question: Question) -> None:
    """RC10 and the protections: a strategy that is to rest."""
    order = question.order
    for pause in question.controls.pauses:
        if pause.scope.covers(order.origin.strategy, order.instrument) and question.now_ns < pause.until_ns:
            until = "the next session" if pause.until_ns == NEVER else format_ts(pause.until_ns)
            raise Refusal(RefusalReason.PAUSED, f"{pause.control}: {pause.detail}; until {until}")


def quantity(question: Question) -> None:
    """RC4: the largest quantity of one order."""
    most = question.limits.order_qty_max
    if most and question.order.qty > most:
        raise Refusal(RefusalReason.ORDER_QTY, f"{question.order.qty} > {most}")


def price_age(question: Question) -> None:
    """RC5, RC14: how old the last good price may be; while the newest one is not good, nothing is decided on it."""
    oldest, (px, seen_ns) = question.limits.price_age_max_ns, question.good
    if question.controls.bad.get(question.order.instrument):
        raise Refusal(RefusalReason.STALE_PRICE, f"the newest price of {question.instrument.display} is not good")
    if not oldest:
        return
    if not px:
        raise Refusal(RefusalReason.STALE_PRICE, f"no good price of {question.instrument.display} was seen today")
    if question.now_ns - seen_ns > oldest:
        age = (question.now_ns - seen_ns) // SECOND_NS
        raise Refusal(RefusalReason.STALE_PRICE, f"{age} s, at most {oldest // SECOND_NS} s")


def collar(question: Question) -> None:
    """RC5: how far a price may be from the last good one."""
    px, _ = question.good
    if not px or not collar_of(question.limits, question.instrument):
        return
    away = collar_distance(question.limits, question.instrument, px)
    for own in (question.order.limit, question.order.trigger):
        if own and abs(own - px) > away:
            detail = f"{format_px(own)} is more than {format_px(away)} from {format_px(px)}"
            raise Refusal(RefusalReason.COLLAR, detail)


def circuit(question: Question) -> None:
    """RC5: the exchange's price band of the day."""
    band = question.controls.bands.get(question.order.instrument)
    for px in (question.order.limit, question.order.trigger):
        if px and band is not None and not band.holds(px):
            detail = f"{format_px(px)} is outside {format_px(band.low)} to {format_px(band.high)}"
            raise Refusal(RefusalReason.PRICE_BAND, detail)


def order_value(question: Question) -> None:
    """RC6: the value of one order."""
    _bounded(question.order.qty * question.worth, question.limits.order_value_max, RefusalReason.ORDER_VALUE)


def open_value(question: Question) -> None:
    """RC6, RC15: the value of all open entries."""
    limit = question.limits.open_value_max
    if limit:
        _bounded(question.exposure.open_entries, limit, RefusalReason.OPEN_VALUE)


def instrument_value(question: Question) -> None:
    """RC6, RC15: worst-case exposure in the instrument."""
    limit = question.limits.instrument_value_max
    if limit:
        _bounded(question.exposure.instrument, limit, RefusalReason.INSTRUMENT_VALUE)


def gross_value(question: Question) -> None:
    """RC6, RC15: worst-case gross exposure."""
    limit = question.limits.gross_value_max
    if limit:
        _bounded(question.exposure.gross, limit, RefusalReason.GROSS_VALUE)


def net_value(question: Question) -> None:
    """RC6, RC15: worst-case net exposure."""
    limit = question.limits.net_value_max
    if limit:
        _bounded(question.exposure.net, limit, RefusalReason.NET_VALUE)


def self_trade(question: Question) -> None:
    """RC8: no order of ours meets another. An entry is refused; for an exit the other one is cancelled first."""
    order = question.order
    crossing = [record for record in _resting_against(question) if _crosses(question, record)]
    if not crossing:
        return
    if question.opening:
        raise Refusal(RefusalReason.SELF_TRADE, f"order {crossing[0].order.id} rests on the other side")
    question.controls.to_cancel += [
        record for record in crossing if record.order.purpose is _SIGNAL and record.order.id != order.id
    ]


def duplicate(question: Question) -> None:
    """RC9: the same entry again within a moment; slices of one entry are one."""
    if question.replaces is None and question.controls.is_duplicate(question.order, question.now_ns):
        seconds = question.limits.duplicate_ns // SECOND_NS
        raise Refusal(RefusalReason.DUPLICATE, f"{question.order.qty} of {question.instrument.display}, {seconds} s")


def repeated(question: Question) -> None:
    """RC10: too many entries in an instrument within a window; the strategy is paused as well."""
    limits, order = question.limits, question.order
    if question.replaces is not None or not limits.entries_max:
        return
    count = question.controls.entries_since(order, question.now_ns - limits.entries_window_ns)
    if count >= limits.entries_max:
        detail = f"{count} entries in {question.instrument.display} within {limits.entries_window_ns // SECOND_NS} s"
        question.controls.pause_for_day(order.origin.strategy, "repeated execution", detail, question.now_ns)
        raise Refusal(RefusalReason.REPEATED, detail)


def cool_down(question: Question) -> None:
    """RC10, INV-13: nothing like what was rejected is sent again at once."""
    order = question.order
    rejected_ns = question.controls.rejected_at.get((order.origin.strategy, order.instrument, order.side))
    if rejected_ns is not None and question.now_ns - rejected_ns < question.limits.reject_cooldown_ns:
        raise Refusal(RefusalReason.COOL_DOWN, f"until {format_ts(rejected_ns + question.limits.reject_cooldown_ns)}")


def orders_a_day(question: Question) -> None:
    """RC12: orders of the account in a day."""
    most, count = question.limits.orders_day_max, question.controls.orders_today
    if question.replaces is None and most and count >= most:
        raise Refusal(RefusalReason.ORDERS_A_DAY, f"{count} were placed")


def modifications(question: Question) -> None:
    """RC11: how often one order may be modified."""
    record, most = question.replaces, question.limits.modifications_max
    if record is None or not most:
        return
    change = question.order.qty - record.left
    follows = change < 0 or (change > 0 and record.order.purpose is not _SIGNAL)
    count = question.controls.modified.get(record.order.id, 0)
    if count >= (most + BROKER_MODIFICATIONS if follows else most):
        raise Refusal(RefusalReason.MODIFICATIONS, f"{count} times; cancel it and place another")


CHECKS: dict[str, Callable[[Question], None]] = {
    "kill": killed,
    "allowed": not_allowed,
    "paused": paused,
    "order_qty": quantity,
    "price_age": price_age,
    "collar": collar,
    "circuit": circuit,
    "order_value": order_value,
    "open_value": open_value,
    "instrument_value": instrument_value,
    "gross_value": gross_value,
    "net_value": net_value,
    "self_trade": self_trade,
    "duplicate": duplicate,
    "repeated": repeated,
    "cool_down": cool_down,
    "orders_a_day": orders_a_day,
    "modifications": modifications,
}
FOR_ALL = frozenset({"kill", "self_trade", "modifications"})
"""What exits are asked too."""
AGAIN = frozenset(CHECKS) - {"self_trade", "duplicate", "repeated", "orders_a_day", "modifications"}
"""What entries are asked again that have waited: all but what counts them, or has counted them, itself."""
FOR_LESS = frozenset({"modifications"})
"""What an open order is asked that is to be smaller at the same price: nothing else could speak against it."""


def _bounded(value: int, limit: int, reason: RefusalReason) -> None:
    if limit and value > limit:
        raise Refusal(reason, f"{format_cash(value)} > {format_cash(limit)}")


def _resting_against(question: Question) -> list[OrderRecord]:
    """Return open orders on the other side that may meet the order; a stop that has not triggered rests nowhere."""
    order = question.order
    if order.trigger:
        return []
    opens = question.gate.book.open_by_instrument.get(order.instrument, {})
    gone = question.controls.cancels_asked
    return [
        record
        for record in opens.values()
        if record.order.side is not order.side and not record.trigger and record.order.id not in gone
    ]


def _crosses(question: Question, record: OrderRecord) -> bool:
    """Tell whether the order and a resting one could trade with each other."""
    own = _reach(question, question.order, question.order.limit)
    # Until the exchange answers, any of its terms may be in force.
    for limit in (record.limit, *question.controls.asked.get(record.order.id, ())):
        other = _reach(question, record.order, limit)
        if own is None or other is None or (own - other) * question.order.side >= 0:
            return True
    return False


def _reach(question: Question, order: Order, limit: int) -> int | None:
    """Return the worst price at which an order may trade: its limit, or the end of its collar; None for any."""
    if order.type is not _MARKET and limit:
        return limit
    px = question.gate.marks.get(order.instrument, 0)
    if not px or not collar_of(question.limits, question.instrument):
        return None
    return px + collar_distance(question.limits, question.instrument, px) * order.side
