"""What the broker keeps for its clients, and why it refuses orders: shares and money (fact sheet 2.6, 2.7 and 3.5).

An order is looked at twice: by the pre-check, which refuses it without an id, and on its way, where it is rejected
with one. The rule `early-risk` switches the first look off.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import format_px
from manjha.domain.orders import Product, Side
from manjha.exchange.accounts.assets import Assets, AssetsState
from manjha.exchange.accounts.funds import Prices, Purse, Wish
from manjha.exchange.accounts.holdings import isin_of
from manjha.exchange.accounts.positions import Key
from manjha.exchange.errors import Kind, KiteError, bad_input
from manjha.exchange.events import DayBegan, ExchangeEvent, OrderChanged, Traded
from manjha.exchange.market.listing import Listed
from manjha.exchange.orders.order import OrderState, Status, Terms, Ticket
from manjha.exchange.orders.passage import Refused
from manjha.exchange.switches import Rule
from manjha.simulator.clearing import expiries

if TYPE_CHECKING:
    from manjha.exchange.exchange import Exchange

AUTHORISATION_NEEDED = 428
"""HTTP code of shares that may not leave the demat account yet."""
_DELIVERED = (Product.CNC, Product.MTF)


class Provided(msgspec.Struct, frozen=True, gc=False):
    """For which terms of an order, and how much traded of it, money is provided."""

    terms: Terms
    filled: int


class Intent(msgspec.Struct, frozen=True, gc=False):
    """What an order, new or changed, wants: of whom, what, how many units still to trade, on which terms."""

    user_id: str
    listed: Listed
    side: Side
    product: Product
    terms: Terms
    left: int
    order_id: str = ""


class Working:
    """Open orders of one account on one side of one position, oldest first: what each may still trade, in units."""

    def __init__(self, left: dict[str, int] | None = None) -> None:
        self.left = left or {}
        self.total = sum(self.left.values())

    def be(self, order_id: str, left: int) -> None:
        """Take what an order may still trade; 0 takes it away."""
        self.total += left - self.left.get(order_id, 0)
        if left:
            self.left[order_id] = left
        else:
            self.left.pop(order_id, None)

    def before(self, order_id: str) -> int:
        """Return what orders before one may still trade; all of it for one that is not among them."""
        if order_id not in self.left:
            return self.total
        taken = self.total
        # From the newest: an order that is looked at is mostly among the last.
        for other, left in reversed(self.left.items()):
            taken -= left
            if other == order_id:
                break
        return taken


class BrokerState(msgspec.Struct):
    """What the broker keeps, as it is saved; open orders by user, position and side, oldest first."""

    day: TradingDay
    assets: dict[str, AssetsState]
    requests: dict[str, tuple[str, dict[str, int]]]
    working: list[tuple[tuple[str, Key, int], dict[str, int]]]
    provided: dict[str, Provided]


class Broker:
    """Assets by user. It hears of trades and days, and stands on the way of orders. See the package for parts."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._market, self._book = exchange.market, exchange.book
        self.assets: Mapping[str, Assets] = {name: Assets(self._market, user) for name, user in exchange.users.items()}
        self.day = TradingDay(-1)
        self.requests: dict[str, tuple[str, dict[str, int]]] = {}
        self._working: dict[tuple[str, Key, int], Working] = {}
        self._provided: dict[str, Provided] = {}
        exchange.hearers.add(self.hear)
        exchange.passage.risk.append(self.check)
        exchange.passage.change_checks.append(self.check_change)
        exchange.checks.further.append(self.check_early)

    # ---- what is saved

    def state(self) -> BrokerState:
        """Return what a restored broker goes on with."""
        assets = {name: one.state() for name, one in self.assets.items()}
        working = [(key, one.left) for key, one in self._working.items()]
        return BrokerState(self.day, assets, self.requests, working, self._provided)

    def restore(self, state: BrokerState) -> None:
        """Go on where a broker of the same users stopped."""
        self.day, self.requests, self._provided = state.day, state.requests, state.provided
        for name, one in state.assets.items():
            self.assets[name].restore(one)
        self._working = {key: Working(left) for key, left in state.working}

    # ---- what is heard

    def hear(self, event: ExchangeEvent) -> None:
        """Follow what happens."""
        if isinstance(event, Traded):
            listed = self._book.orders[event.order_id].listed
            self.assets[event.user_id].trade(event, listed, self._market.day)
        elif isinstance(event, OrderChanged):
            self._follow(self._book.orders[event.order_id])
        elif isinstance(event, DayBegan):
            self._day_begins(event.day)

    def _follow(self, order: OrderState) -> None:
        key = (order.user_id, Key(order.listed.id, order.product), int(order.side))
        purse = self.purse(order.user_id, order.listed)
        working = self._working.setdefault(key, Working())
        if order.is_final or order.status == Status.AMO:
            working.be(order.order_id, 0)
            if self._provided.pop(order.order_id, None) is not None:
                purse.reserve(order.order_id, 0)
            return
        working.be(order.order_id, order.left)
        provided = self._provided.get(order.order_id)
        if provided is not None and (provided.terms != order.terms or provided.filled != order.filled):
            self._provide(order, purse.need(self.wish(_intent(order))) or 0)

    def _provide(self, order: OrderState, amount: int) -> None:
        self._provided[order.order_id] = Provided(order.terms, order.filled)
        self.purse(order.user_id, order.listed).reserve(order.order_id, amount)

    def _day_begins(self, day: TradingDay) -> None:
        old, self.day = self.day, day
        if old >= 0:
            listed, prices = self._market.source.instruments, Prices(self._market)
            last_days = sorted({one.expiry for one in listed if one.expiry is not None and old <= one.expiry < day})
            expired = [event for last in last_days for event in expiries(listed, last, prices, TsNs(0))]
            for assets in self.assets.values():
                assets.close_day(old, expired)
        self._provided.clear()
        self._working.clear()
        for assets in self.assets.values():
            assets.begin_day(day)

    # ---- what refuses orders

    def check_early(self, ticket: Ticket) -> None:
        """Look at an order that has no id yet. Raises `KiteError`."""
        intent = Intent(ticket.user_id, ticket.listed, ticket.side, ticket.product, ticket.terms, ticket.terms.qty)
        if ticket.variety == "iceberg":
            intent = msgspec.structs.replace(intent, left=ticket.leg_qty or -(-ticket.terms.qty // ticket.legs))
        self._check_authorised(intent)
        if ticket.variety != "amo" and self._holds(Rule.EARLY_RISK) and (found := self._found(intent)):
            kind, refused = found
            raise KiteError(kind, refused.message)

    def check(self, order: OrderState, now_ns: TsNs) -> Refused | None:
        """Look at an order on its way, and provide for it."""
        del now_ns
        intent = _intent(order)
        found = self._found(intent)
        if found is not None:
            return found[1]
        if self._holds(Rule.FUNDS):
            self._provide(order, self.purse(order.user_id, order.listed).need(self.wish(intent)) or 0)
        return None

    def check_change(self, order: OrderState, terms: Terms) -> None:
        """Look at new terms of an order. Raises `KiteError`."""
        intent = msgspec.structs.replace(_intent(order), terms=terms, left=terms.qty - order.filled)
        if found := self._found(intent):
            kind, refused = found
            raise KiteError(kind, refused.message)

    def _found(self, intent: Intent) -> tuple[Kind, Refused] | None:
        if intent.side is Side.SELL and intent.product in _DELIVERED and self._holds(Rule.HOLDINGS):
            free = self.assets[intent.user_id].sellable(intent.listed.id, intent.product) - self._taken(intent)
            if intent.left > free:
                return Kind.HOLDING, self._too_few(intent, max(free, 0))
        if not self._holds(Rule.FUNDS):
            return None
        purse = self.purse(intent.user_id, intent.listed)
        need, net = purse.need(self.wish(intent)), purse.net + purse.reserves.get(intent.order_id, 0)
        if need is None:
            text = f"Margin cannot be calculated: no price of {intent.listed.instrument.underlying} is known."
            return Kind.MARGIN, Refused(text, f"RMS:{text}")
        # What needs no money is let through also by an account that has none left: it reduces what is held.
        if need <= max(net, 0):
            return None
        wanted, had = format_px(need), format_px(net)
        text = f"Insufficient funds. Required margin is {wanted} but available margin is {had}."
        if purse.reserves:
            text += " Check the orderbook for open orders."
        raw = (
            f"RMS:Margin Exceeds,Required:{wanted}, Available:{had} for entity account-{intent.user_id} across exchange"
        )
        return Kind.MARGIN, Refused(text, raw)

    def _too_few(self, intent: Intent, free: int) -> Refused:
        unit = intent.listed.unit
        text = (
            f"Insufficient stock holding. Required quantity is {intent.left // unit} but available is {free // unit}."
        )
        raw = (
            f"RMS:Rule: Check holdings for entity account-{intent.user_id} across exchange across segment:"
            f"Required:{intent.left // unit}, Available:{free // unit}"
        )
        return Refused(text, raw)

    def _check_authorised(self, intent: Intent) -> None:
        """Raise `KiteError` for a sale of shares that may not leave the demat account (2.6.2)."""
        sells = intent.side is Side.SELL and intent.product is Product.CNC
        if not sells or not self._holds(Rule.DEMAT_AUTHORISATION):
            return
        assets = self.assets[intent.user_id]
        holding = assets.holdings.get(intent.listed.id)
        needed = intent.left + self._taken(intent) - assets.row(Key(intent.listed.id, intent.product)).qty
        authorised = holding.authorised if holding is not None else 0
        if holding is not None and needed > authorised:
            text = f"{intent.left // intent.listed.unit} quantity needs authorisation at depository."
            raise KiteError(Kind.HOLDING, text, AUTHORISATION_NEEDED)

    # ---- parts of the answers

    def purse(self, user_id: str, listed: Listed) -> Purse:
        """Return the money of a user that trades in an instrument move."""
        return self.assets[user_id].purse(listed.instrument)

    def wish(self, intent: Intent) -> Wish:
        """Return what an order would do to the money of its account."""
        one, terms = intent.listed.instrument, intent.terms
        last = self.purse(intent.user_id, intent.listed).prices.get(one.id, 0)
        px = terms.price or terms.trigger or last
        return Wish(one, intent.product, intent.left * int(intent.side), px, self._taken(intent))

    def _taken(self, intent: Intent) -> int:
        """Return how many units earlier open orders on the same side would trade."""
        key = (intent.user_id, Key(intent.listed.id, intent.product), int(intent.side))
        working = self._working.get(key)
        return working.before(intent.order_id) if working is not None else 0

    def _holds(self, rule: Rule) -> bool:
        return self._exchange.switches.holds(rule, self._market.day)

    # ---- what clients ask for

    def convert(self, user_id: str, key: Key, new: Product, qty: int, *, overnight: bool) -> None:
        """Hold an open quantity (signed) of a position as another product. Raises `KiteError`."""
        assets = self.assets[user_id]
        row = assets.row(key)
        there = row.overnight if overnight else row.qty - row.overnight
        is_open = there * qty > 0 and row.qty * qty > 0
        free = min(abs(there), abs(row.qty)) if is_open else 0
        if abs(qty) > free:
            unit = assets.listed[key.instrument].unit if key.instrument in assets.listed else 1
            raise bad_input(f"Cannot convert {abs(qty) // unit}: the position has {free // unit} to convert.")
        if key.product is Product.CNC and qty < 0:
            raise bad_input("Holdings that were sold cannot be converted.")
        listed = assets.listed[key.instrument]
        if new in _DELIVERED and qty < 0 and -qty > assets.sellable(listed.id, new):
            text = "Insufficient stock holding: shares sold short cannot be converted to delivery."
            raise KiteError(Kind.HOLDING, text)
        self._check_conversion(user_id, listed, key, new, qty)
        assets.move(key, new, qty, overnight=overnight)

    def _check_conversion(self, user_id: str, listed: Listed, key: Key, new: Product, qty: int) -> None:
        purse = self.purse(user_id, listed)
        if listed.instrument.is_derivative or qty < 0 or not self._holds(Rule.FUNDS):
            return
        position = purse.portfolio.positions["client", key.instrument, key.product]  # type: ignore[index]
        value = position.cost * qty // position.qty
        need = purse.margins.for_order(listed.instrument, new, qty, value // qty) or 0
        had = value if key.product is Product.CNC else position.margin * qty // position.qty
        if need - had > purse.net:
            raise KiteError(
                Kind.MARGIN,
                f"Insufficient funds. Required margin is {format_px(need - had)} but available margin is "
                f"{format_px(purse.net)}.",
            )

    def request_authorisation(self, user_id: str, wanted: Mapping[str, int]) -> str:
        """Take a request to let shares leave the demat account, by ISIN; none stands for all. Return its id."""
        text = f"{self._exchange.seed} authorise {len(self.requests)}"
        request_id = hashlib.sha256(text.encode()).hexdigest()[:32]
        self.requests[request_id] = (user_id, dict(wanted))
        return request_id

    def authorise(self, request_id: str) -> None:
        """Let the shares of a request leave the demat account today. Raises `KiteError`."""
        if request_id not in self.requests:
            raise bad_input("Invalid `request_id`.")
        user_id, wanted = self.requests[request_id]
        for holding, listed, _ in self.assets[user_id].held():
            isin = isin_of(listed)
            if not wanted or isin in wanted:
                holding.authorised = min(wanted.get(isin) or holding.settled, holding.settled)


def _intent(order: OrderState) -> Intent:
    return Intent(order.user_id, order.listed, order.side, order.product, order.terms, order.left, order.order_id)
