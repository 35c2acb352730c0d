"""What is refused before an order gets an id: the broker's pre-check, with the texts of fact sheet 2.3 and 3.5."""

from typing import TYPE_CHECKING

from manjha.domain.instrument import Asset, Exchange, Kind
from manjha.domain.moments import TsNs, clock_ns
from manjha.domain.money import RUPEE, divide, format_px
from manjha.domain.orders import OrderType, Product, Side, Validity
from manjha.exchange.errors import bad_input
from manjha.exchange.market.listing import Listed, is_stock_option
from manjha.exchange.market.market import Market
from manjha.exchange.orders.asked import AUTOMATIC, PERCENT
from manjha.exchange.orders.hours import Phase, phase_of, takes_amo
from manjha.exchange.orders.order import Terms, Ticket
from manjha.exchange.switches import Rule, Switches
from manjha.market.bands import automatic_protection, band_high, band_low
from manjha.market.sessions import square_off_ns

if TYPE_CHECKING:
    from collections.abc import Callable

_CASH = (Exchange.NSE, Exchange.BSE)
LARGEST_CASH_ORDER = 100_000
SLICES_MAX = 10
ICEBERG_LEGS = (2, 50)
NO_PROTECTION = (
    "Market orders without market protection are not allowed via API. Please set market protection or use a "
    "Limit order."
)
_STOPS = (OrderType.SL, OrderType.SL_M)
_NANO_A_PERCENT = 10_000_000


class Checks:
    """The pre-check over one market and the rules that hold today; `further` are checks of other parts."""

    def __init__(self, market: Market, switches: Switches) -> None:
        self._market = market
        self.switches = switches
        self.further: list[Callable[[Ticket], None]] = []

    def place(self, ticket: Ticket, now_ns: TsNs) -> None:
        """Raise `KiteError` for an order that the broker does not take."""
        self._product(ticket)
        self._quantity(ticket)
        self._hours(ticket, now_ns)
        self._variety(ticket)
        self.terms(ticket.listed, ticket.side, ticket.terms)
        if ticket.variety == "co":
            self._cover(ticket)
        elif ticket.terms.kind in _STOPS:
            self._stop_side(ticket.listed, ticket.side, ticket.terms)
        for check in self.further:
            check(ticket)

    def terms(self, listed: Listed, side: Side, terms: Terms) -> None:
        """Raise `KiteError` for terms that no order of an instrument can have, new or changed."""
        one = listed.instrument
        if terms.qty % one.lot:
            raise bad_input(f"Invalid `quantity`: it must be a multiple of the lot size {one.lot // listed.unit}.")
        if terms.kind in (OrderType.LIMIT, OrderType.SL) and not terms.price:
            raise bad_input(f"Missing or empty field `price`: a {terms.kind} order needs one.")
        if terms.kind in _STOPS and not terms.trigger:
            raise bad_input(f"Missing or empty field `trigger_price`: a {terms.kind} order needs one.")
        if self._holds(Rule.TICK) and (terms.price % one.tick or terms.trigger % one.tick):
            raise bad_input(
                f"Tick size for this script is {format_px(one.tick)}. Kindly enter price/trigger price in the multiple "
                "of tick size for this script"
            )
        is_market = terms.kind in (OrderType.MARKET, OrderType.SL_M)
        if is_market and not terms.protection and self._holds(Rule.MARKET_PROTECTION):
            raise bad_input(NO_PROTECTION)
        if (
            terms.kind is OrderType.SL_M
            and self._holds(Rule.NO_SL_M)
            and (one.exchange in (Exchange.BSE, Exchange.BFO, Exchange.BCD) or one.kind is Kind.OPTION)
        ):
            raise bad_input("SL-M orders are not allowed for this instrument. Please use an SL order.")
        if terms.validity is Validity.IOC and one.exchange is Exchange.MCX and self._holds(Rule.NO_IOC_MCX):
            raise bad_input("IOC orders are not available for MCX.")
        self._disclosed(terms, one.exchange)
        self._circuit(listed, terms)
        if terms.kind is OrderType.SL and self._holds(Rule.STOP_GAP):
            _stop_gap(listed, side, terms)

    def protected(self, listed: Listed, side: Side, terms: Terms, reference: int) -> tuple[int, int]:
        """Return the limit that a market order has under its protection, and the band in 1e-4 percent.

        Both 0 where it has none, or no price is known yet.
        """
        if not terms.protection or not reference:
            return 0, 0
        market, one = self._market, listed.instrument
        percent = terms.protection
        if percent == AUTOMATIC:
            fraction = automatic_protection(market.rules, one, market.day, reference)
            percent = fraction * PERCENT // _NANO_A_PERCENT
        nano = percent * _NANO_A_PERCENT // PERCENT
        edge = band_high if side is Side.BUY else band_low
        limit = edge(reference, nano, one.tick)
        standing = market.standings[listed.id]
        if standing.band_high:
            limit = min(max(limit, standing.band_low), standing.band_high)
        return limit, percent

    def _holds(self, rule: Rule) -> bool:
        return self.switches.holds(rule, self._market.day)

    def _product(self, ticket: Ticket) -> None:
        fitting = (Product.CNC, Product.MIS, Product.MTF)
        if ticket.instrument.exchange not in _CASH:
            fitting = (Product.NRML, Product.MIS)  # type: ignore[assignment]
        if ticket.product not in fitting:
            raise bad_input(f"Invalid `product`: {ticket.listed.exchange} takes {', '.join(fitting)}.")
        if ticket.variety == "co" and ticket.product is not Product.MIS:
            raise bad_input("Invalid `product`: cover orders are MIS.")

    def _quantity(self, ticket: Ticket) -> None:
        one, qty = ticket.instrument, ticket.terms.qty
        if ticket.variety == "iceberg":
            low, high = ICEBERG_LEGS
            if not low <= ticket.legs <= high:
                raise bad_input(f"Invalid `iceberg_legs`: expected {low} to {high}.")
            qty = ticket.leg_qty or -(-qty // ticket.legs)
            if -(-ticket.terms.qty // qty) > ticket.legs or qty > ticket.terms.qty:
                raise bad_input("Invalid `iceberg_quantity`: it must be the quantity divided by the legs.")
            if qty % one.lot:
                raise bad_input(f"Invalid `iceberg_quantity`: it must be a multiple of the lot size {one.lot}.")
        if ticket.autoslice:
            self._slices(ticket)
            return
        freeze = freeze_of(ticket.listed)
        if freeze and qty > freeze and self._holds(Rule.FREEZE):
            raise bad_input(
                f"Quantity {qty // ticket.listed.unit} is above the freeze limit: the maximum quantity of one order is "
                f"{freeze // ticket.listed.unit}."
            )
        if one.exchange in _CASH and qty > LARGEST_CASH_ORDER and self._holds(Rule.LARGEST_CASH_ORDER):
            raise bad_input(f"Orders of more than {LARGEST_CASH_ORDER} shares are not allowed.")

    def _slices(self, ticket: Ticket) -> None:
        freeze = freeze_of(ticket.listed)
        if ticket.variety not in ("regular", "amo") or not freeze:
            raise bad_input("Invalid `autoslice`: this order cannot be sliced.")
        unit = ticket.listed.unit
        if ticket.terms.qty <= freeze:
            raise bad_input(f"Quantity should be at least {freeze // unit + 1} for slicing.")
        if ticket.terms.qty > SLICES_MAX * freeze:
            raise bad_input(f"Quantity can be sliced into {SLICES_MAX} orders of {freeze // unit} at most.")

    def _hours(self, ticket: Ticket, now_ns: TsNs) -> None:
        market, one = self._market, ticket.instrument
        if ticket.variety == "amo":
            if not takes_amo(market, one, now_ns):
                raise bad_input("After market orders (AMO) cannot be placed now: the market is open or about to open.")
            if one.kind is Kind.OPTION and one.asset is Asset.INDEX and ticket.terms.kind is OrderType.MARKET:
                raise bad_input("Market orders are not allowed for index options in AMO.")
            return
        phase = phase_of(market.sessions.get(one.id), now_ns)
        if phase is Phase.CLOSED:
            raise bad_input(
                "Markets are closed right now. The order could not be converted to an after market order (AMO): use "
                "the variety `amo` to place one.",
                {"hints": ["switch_to_amo"]},
            )
        if ticket.product is Product.MIS and self._holds(Rule.MIS_CUT_OFF):
            ends = square_off_ns(market.rules, one, market.day)
            if now_ns >= ends:
                raise bad_input(f"Intraday orders (MIS) are allowed only till {_spoken(ends)}")
        in_auction = phase is Phase.AUCTION and self._holds(Rule.CLOSING_AUCTION)
        if in_auction and (ticket.terms.kind in _STOPS or ticket.variety in ("iceberg", "co")):
            raise bad_input("Stop-loss, iceberg and cover orders are not allowed in the closing auction session.")
        if ticket.variety in ("iceberg", "co") and phase is not Phase.CONTINUOUS:
            raise bad_input(f"Orders of variety `{ticket.variety}` are allowed in continuous trading only.")

    def _variety(self, ticket: Ticket) -> None:
        one, terms = ticket.instrument, ticket.terms
        if ticket.variety == "iceberg" and one.exchange is Exchange.MCX:
            raise bad_input("Iceberg orders are not allowed for MCX.")
        if ticket.variety == "co" and terms.kind not in (OrderType.MARKET, OrderType.LIMIT):
            raise bad_input("Invalid `order_type`: cover orders are MARKET or LIMIT.")
        if terms.validity is Validity.TTL and ticket.ttl_minutes <= 0:
            raise bad_input("Missing or empty field `validity_ttl`: TTL orders need their minutes.")
        market_order = terms.kind in (OrderType.MARKET, OrderType.SL_M)
        if market_order and is_stock_option(one) and self._holds(Rule.NO_MARKET_STOCK_OPTIONS):
            raise bad_input("Market orders are not allowed for stock options. Please use a Limit order.")

    def _disclosed(self, terms: Terms, exchange: Exchange) -> None:
        if not terms.disclosed:
            return
        if exchange not in _CASH:
            raise bad_input("Invalid `disclosed_quantity`: only shares have one.")
        if not 0 < terms.disclosed <= terms.qty or terms.disclosed * 10 < terms.qty:
            raise bad_input("Invalid `disclosed_quantity`: expected 10 % of the quantity up to all of it.")

    def _circuit(self, listed: Listed, terms: Terms) -> None:
        standing = self._market.standings[listed.id]
        low, high = standing.band_low, standing.band_high
        if not high or not self._holds(Rule.CIRCUIT_LIMITS):
            return
        for price, name in ((terms.price, "price"), (terms.trigger, "trigger price")):
            if price and not low <= price <= high:
                side, limit = ("lower", low) if price < low else ("higher", high)
                which = "lower" if price < low else "upper"
                raise bad_input(
                    f"Your order {name} is {side} than the current {which} circuit limit of {format_px(limit)}. You "
                    "can place an order within the circuit limits."
                )

    def _stop_side(self, listed: Listed, side: Side, terms: Terms) -> None:
        last = self._market.standings[listed.id].last
        if last and (terms.trigger - last) * side <= 0:
            words = ("buy", "above") if side is Side.BUY else ("sell", "below")
            raise bad_input(
                f"Trigger price for stoploss {words[0]} orders should be {words[1]} the last traded price "
                f"{format_px(last)}."
            )

    def _cover(self, ticket: Ticket) -> None:
        terms = ticket.terms
        if not terms.trigger:
            raise bad_input("Missing or empty field `trigger_price`: cover orders need the price of their stop-loss.")
        reference = terms.price or self._market.standings[ticket.listed.id].last
        if reference and (reference - terms.trigger) * ticket.side <= 0:
            where = "below" if ticket.side is Side.BUY else "above"
            raise bad_input(f"Trigger price of the stoploss should be {where} {format_px(reference)}.")


def freeze_of(listed: Listed) -> int:
    """Return the largest quantity of one order in units, in whole lots; 0 where no limit is known."""
    one = listed.instrument
    return one.freeze // one.lot * one.lot


def tags_of_protection(percent: int) -> list[str]:
    """Return the system's tags of a market order that became a limit order; the band in 1e-4 percent."""
    hundredths = divide(percent * 100, PERCENT)
    return ["mktp", f"mktp:{hundredths // 100}.{hundredths % 100:02d}"]


def _stop_gap(listed: Listed, side: Side, terms: Terms) -> None:
    """Raise `KiteError` where limit and trigger of a stop are on the wrong sides, or too far apart (2.3.3)."""
    gap = (terms.price - terms.trigger) * side
    if gap < 0:
        words = ("buy", "lower") if side is Side.BUY else ("sell", "higher")
        raise bad_input(f"Price of stoploss {words[0]} orders cannot be {words[1]} than the trigger price.")
    one = listed.instrument
    if not one.is_derivative:
        return
    percent, least = (20, 10 * RUPEE) if one.kind is Kind.OPTION else (3, 3 * RUPEE // 2)
    allowed = (
        max(terms.trigger * percent // 100, least) if terms.price <= 50 * RUPEE else terms.trigger * percent // 100
    )
    if gap > allowed:
        raise bad_input(
            f"The difference between price and trigger price is too large: at most {format_px(allowed)} is allowed."
        )


def _spoken(ts_ns: int) -> str:
    minutes = clock_ns(ts_ns) // (60 * 10**9)
    hours = minutes // 60
    return f"{(hours - 1) % 12 + 1}:{minutes % 60:02d} {'AM' if hours < 12 else 'PM'}"
