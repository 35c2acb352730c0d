"""Checks of an order that need nothing but the order and its instrument: kinds, prices, product, side of a stop."""

from collections.abc import Mapping
from typing import NoReturn

from manjha.domain.commands import RefusalReason
from manjha.domain.instrument import Instrument, Kind
from manjha.domain.money import format_px
from manjha.domain.orders import Order, Product, Side, Validity, Variety

_SHARES, _CONTRACTS = frozenset({Product.CNC, Product.MIS}), frozenset({Product.NRML, Product.MIS})
FITTING: Mapping[Kind, frozenset[Product]] = {
    Kind.EQUITY: _SHARES,
    Kind.ETF: _SHARES,
    Kind.FUTURE: _CONTRACTS,
    Kind.OPTION: _CONTRACTS,
    Kind.INDEX: frozenset(),
}
"""Which products each kind of instrument can be held as; an index as none."""


class Refusal(Exception):  # noqa: N818 - a control-flow value that never leaves `risk`
    """Why a check said no; caught in `Gate.submit` and `Gate.modify` and turned into a value."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def prices(side: Side, limit: int, trigger: int, instrument: Instrument) -> None:
    """Refuse prices off the tick, and a stop whose limit it could not trade at once it triggers."""
    tick = instrument.tick
    if limit % tick or trigger % tick:
        raise Refusal(RefusalReason.OFF_TICK, f"tick of {instrument.display} is {format_px(tick)}")
    if limit and trigger and (limit - trigger) * side < 0:
        raise Refusal(RefusalReason.STOP_SIDE, f"limit {format_px(limit)} is beyond trigger {format_px(trigger)}")


def kinds(order: Order) -> None:
    """Refuse, by name, what is declared but not traded yet."""
    if order.variety is not Variety.REGULAR:
        raise Refusal(RefusalReason.VARIETY, order.variety)
    if order.validity is Validity.TTL:
        raise Refusal(RefusalReason.VALIDITY, order.validity)
    if order.disclosed:
        raise Refusal(RefusalReason.DISCLOSED, str(order.disclosed))
    if order.protection_bps:
        raise Refusal(RefusalReason.PROTECTION, f"{order.protection_bps} bps")


def misfit(order: Order, instrument: Instrument) -> NoReturn:
    """Refuse a product that the instrument cannot be held as."""
    if not instrument.is_tradable:
        raise Refusal(RefusalReason.NOT_TRADABLE, instrument.display)
    if order.product is Product.MTF:
        raise Refusal(RefusalReason.PRODUCT, "MTF is not traded yet")
    fits = " or ".join(sorted(FITTING[instrument.kind]))
    raise Refusal(RefusalReason.PRODUCT, f"{order.product} for {instrument.display}; use {fits}")


def stop_side(order: Order, px: int) -> None:
    """Refuse a stop that would trigger at once or a target that is already reached."""
    exits = order.exits
    if exits is None or not px:
        return
    sign = int(order.side)
    if exits.stop and (px - exits.stop) * sign <= 0:
        raise Refusal(RefusalReason.STOP_SIDE, f"stop {format_px(exits.stop)} against {format_px(px)}")
    if exits.target and (exits.target - px) * sign <= 0:
        raise Refusal(RefusalReason.STOP_SIDE, f"target {format_px(exits.target)} against {format_px(px)}")
