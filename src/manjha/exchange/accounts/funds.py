"""The money of an account in one segment: trades and charges booked, margin held, open orders provided for (2.7).

The bookkeeping is that of paper trading (`portfolio.Portfolio`, `risk.MarginDesk`, `market.charges`): delivery shares
and option premiums move cash in full, everything else its profit. Amounts in 1e-4 rupee.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

import msgspec

from manjha.domain.charges import ChargeLines
from manjha.domain.instrument import Instrument, InstrumentId, Kind
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import AccountId, Fill, FillId, OrderId, Origin, Product, RunId, Side, StrategyId
from manjha.exchange.accounts.positions import Key
from manjha.exchange.events import Traded
from manjha.exchange.market.market import Market
from manjha.exchange.wire import rupees
from manjha.market.charges import fill_charges, rate_card
from manjha.market.contract_note import DayTrade, settle_day
from manjha.portfolio.book import Portfolio, pays_in_full
from manjha.portfolio.positions import Position, PositionKey, cost_released
from manjha.pricing.margin import MarginBreakdown
from manjha.risk.funds import available
from manjha.risk.margin import MarginDesk, unrealised_margined

STRATEGY = StrategyId("client")
_ORIGIN = Origin(AccountId("exchange"), STRATEGY, RunId("exchange"))
NOTHING = MarginBreakdown(Cash(0), Cash(0), Cash(0))


class Prices(Mapping[InstrumentId, int]):
    """The last prices of a market as they change, in 1e-4 rupee; the previous close before the first trade."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def __getitem__(self, name: InstrumentId) -> int:
        standing = self._market.standings[name]
        return standing.last or standing.close

    def __iter__(self) -> Iterator[InstrumentId]:
        return iter(self._market.standings)

    def __len__(self) -> int:
        return len(self._market.standings)


class Wish(NamedTuple):
    """What an order would do: signed quantity still to trade, at a price; `taken` of what it could close is spoken for.

    The price of a market order is the last one.
    """

    instrument: Instrument
    product: Product
    signed: int
    px: int
    taken: int = 0


class HeldState(NamedTuple):
    """One position as it is saved; what is held in full is known by its product."""

    instrument: InstrumentId
    product: Product
    qty: int
    cost: int
    realised: int
    margin: int


class PurseState(msgspec.Struct):
    """All of a purse, as it is saved. Charges of the past are kept as one line."""

    cash: int
    opening: int
    realised: int
    premium: int
    sold_delivery: int
    day: TradingDay
    unsettled: dict[TradingDay, int]
    positions: list[HeldState]
    margins: dict[str, int]
    charged: ChargeLines
    trades: list[DayTrade]
    booked: list[tuple[int, ...]]
    turnover: dict[str, int]
    reserves: dict[str, int]


class Purse:
    """One account's money in one segment. `opening` is the cash that the day began with."""

    def __init__(self, market: Market, cash: int) -> None:
        instruments = {one.id: one for one in market.source.instruments}
        self.portfolio = Portfolio(Cash(cash))
        self.prices = Prices(market)
        self.margins = MarginDesk(market.rules, instruments, self.portfolio, self.prices)
        self.opening = cash
        self.realised = 0
        self.premium = 0
        self.sold_delivery = 0
        self.trades: list[DayTrade] = []
        self.reserves: dict[str, int] = {}
        self._turnover: dict[str, int] = {}
        self._booked: list[tuple[int, ...]] = []

    @property
    def cash(self) -> int:
        """Cash in the account now, what is held of it included."""
        return self.portfolio.ledger.cash

    @property
    def net(self) -> int:
        """What a new order may use."""
        return available(self.portfolio, self.prices)

    # ---- orders

    def need(self, wish: Wish) -> int | None:
        """Return what an order needs; None where the price of its underlying is not known.

        Delivery sales need none: the shares are looked at, not the money.
        """
        if wish.product is Product.CNC and wish.signed < 0:
            return 0
        closing = self.closing(wish)
        return self.margins.for_order(wish.instrument, wish.product, wish.signed - closing, wish.px, closing)

    def closing(self, wish: Wish) -> int:
        """Return how much of an order closes what is held, in its sign."""
        position = self.portfolio.positions.get((STRATEGY, wish.instrument.id, wish.product))
        if position is None or position.qty * wish.signed >= 0:
            return 0
        free = max(abs(position.qty) - wish.taken, 0)
        size = min(abs(wish.signed), free)
        return size if wish.signed > 0 else -size

    def reserve(self, order_id: str, amount: int) -> None:
        """Provide for an open order; 0 lets go of what was provided."""
        before = self.reserves.pop(order_id, 0)
        if amount:
            self.reserves[order_id] = amount
        self.portfolio.ledger.reserved += amount - before

    # ---- trades

    def trade(self, traded: Traded, instrument: Instrument, day: TradingDay, *, back: int = 0) -> None:
        """Book a trade and its charges; `back` of the proceeds can be used on the next day only."""
        side, product = Side(traded.side), Product(traded.product)
        fill = Fill(
            FillId(traded.trade_id), OrderId(traded.order_id), _ORIGIN, instrument.id, side, Qty(traded.qty),
            Px(traded.px), Px(traded.px), product, traded.ts_ns,
        )  # fmt: skip
        before = self.cash
        position = self.portfolio.apply(fill, instrument)
        moved = self.cash - before
        if instrument.kind is Kind.OPTION:
            self.premium -= moved
        elif product is not Product.CNC:
            self.realised += moved
        turnover = traded.qty * traded.px
        card = rate_card(self.margins.rules, instrument, product, day)
        already = self._turnover.get(traded.order_id, 0)
        self._turnover[traded.order_id] = already + turnover
        ledger, lines = self.portfolio.ledger, fill_charges(card, side, turnover, already)
        ledger.charge(STRATEGY, lines)
        self._booked.append(lines)
        self.trades.append(
            DayTrade(instrument, product, side, Qty(traded.qty), Px(traded.px), OrderId(traded.order_id))
        )
        if back:
            ledger.hold_back(back, TradingDay(day + 1))
        self._hold(instrument, position)

    def own(self, key: Key, qty: int, cost: int) -> None:
        """Let the account have had shares from the beginning; their cost was paid before."""
        position = self._position(key)
        position.qty, position.cost = position.qty + qty, position.cost + cost

    def move(self, old: Key, new: Product, qty: int) -> None:
        """Hold a signed quantity as another product; its cost goes with it, margin and cash follow."""
        instrument = self.margins.instruments[old.instrument]
        source, target = self._position(old), self._position(Key(old.instrument, new))
        cost = cost_released(source.cost, source.qty, -qty)
        self._take_out(source, qty, cost)
        if source.key in self.portfolio.paid:
            self.portfolio.ledger.move(cost)
        if target.key in self.portfolio.paid:
            self.portfolio.ledger.move(-cost)
        if target.qty * qty < 0:
            # Shares bought and shares sold meet: what closes brings its profit.
            closing = qty if abs(qty) <= abs(target.qty) else -target.qty
            released = cost_released(target.cost, target.qty, closing)
            part = cost * closing // qty
            if target.key not in self.portfolio.paid:
                self.portfolio.ledger.move(-released - part)
                self.realised -= released + part
            target.cost -= released
            target.qty += closing
            qty, cost = qty - closing, cost - part
        target.qty, target.cost = target.qty + qty, target.cost + cost
        for position in (source, target):
            self._hold(instrument, position)

    def close(self, key: Key, px: int, charges: ChargeLines) -> None:
        """End a position at a price without a trade, as an expiry does."""
        position = self._position(key)
        before = position.qty
        gain = position.apply(-before, px)
        paid = position.key in self.portfolio.paid
        self.portfolio.ledger.move(before * px if paid else gain)
        self.portfolio.ledger.charge(STRATEGY, msgspec.structs.astuple(charges))
        self._hold(self.margins.instruments[key.instrument], position)

    # ---- the day

    def close_day(self, day: TradingDay) -> None:
        """Bill the day: what its contract note says beyond what was booked; futures are paid to the last price."""
        ledger = self.portfolio.ledger
        if self.trades:
            note = msgspec.structs.astuple(settle_day(self.margins.rules, day, self.trades))
            booked = (sum(column) for column in zip(*self._booked, strict=True))
            ledger.charge(STRATEGY, tuple(noted - had for noted, had in zip_longest(note, booked, fillvalue=0)))
        for position in self.portfolio.open_positions():
            instrument = self.margins.instruments[position.key.instrument]
            px = self.prices.get(instrument.id, 0)
            if instrument.kind is Kind.FUTURE and px:
                ledger.move(position.qty * px - position.cost)
                position.cost = position.qty * px
        ledger.close_day()
        self.trades, self._turnover, self._booked = [], {}, []
        for order_id in list(self.reserves):
            self.reserve(order_id, 0)

    def begin_day(self, day: TradingDay) -> None:
        """Begin a day: what was held back is free, margins are those of the day."""
        self.margins.day = day
        self.portfolio.ledger.open_day(day)
        self.opening = self.cash
        self.realised = self.premium = self.sold_delivery = 0
        for position in list(self.portfolio.open_positions()):
            self._hold(self.margins.instruments[position.key.instrument], position)

    # ---- what is saved

    def state(self) -> PurseState:
        """Return what a restored purse goes on with."""
        ledger = self.portfolio.ledger
        held = [
            HeldState(one.key.instrument, one.key.product, one.qty, one.cost, one.realised, one.margin)
            for one in self.portfolio.positions.values()
        ]
        return PurseState(
            ledger.cash, self.opening, self.realised, self.premium, self.sold_delivery, self.margins.day,
            ledger.settles, held, self.margins.held, ledger.charges(), self.trades, self._booked, self._turnover,
            self.reserves,
        )  # fmt: skip

    def restore(self, state: PurseState) -> None:
        """Go on where a purse stopped."""
        ledger = self.portfolio.ledger
        self.opening, self.realised, self.premium = state.opening, state.realised, state.premium
        self.sold_delivery, self.margins.day, self.margins.held = state.sold_delivery, state.day, state.margins
        self.trades, self._booked, self._turnover = state.trades, state.booked, state.turnover
        ledger.cash, ledger.settles, ledger.unsettled = state.cash, state.unsettled, sum(state.unsettled.values())
        ledger.past_lines = [msgspec.structs.astuple(state.charged)]
        ledger.day_lines.clear()
        self.portfolio.positions.clear()
        for one in state.positions:
            position = self._position(Key(one.instrument, one.product))
            position.qty, position.cost = one.qty, one.cost
            position.realised, position.margin = one.realised, one.margin
        ledger.margin = sum(one.margin for one in state.positions) + sum(state.margins.values())
        self.reserves, ledger.reserved = state.reserves, sum(state.reserves.values())

    # ---- what is shown

    def shown(self) -> dict[str, Any]:
        """Return the money as `/user/margins` shows it: net = cash - debits."""
        net, ledger = self.net, self.portfolio.ledger
        held = self.held()
        return {
            "enabled": True,
            "net": rupees(net),
            "available": {
                "adhoc_margin": 0,
                "cash": rupees(self.opening),
                "opening_balance": rupees(self.opening),
                "live_balance": rupees(net),
                "collateral": 0,
                "intraday_payin": 0,
            },
            "utilised": {
                "debits": rupees(self.opening - net),
                "exposure": rupees(held.exposure),
                "m2m_realised": rupees(-self.realised),
                "m2m_unrealised": rupees(max(0, -unrealised_margined(self.portfolio, self.prices))),
                "option_premium": rupees(self.premium),
                "payout": 0,
                "span": rupees(held.span),
                "holding_sales": rupees(self.sold_delivery),
                "turnover": 0,
                "liquid_collateral": 0,
                "stock_collateral": 0,
                "delivery": rupees(ledger.unsettled),
            },
        }

    def held(self) -> MarginBreakdown:
        """Return the margin of all contracts that are held, in its parts, at the last prices.

        What is blocked is that of the last trade in the underlying, or of the day's beginning.
        """
        first: dict[str, Instrument] = {}
        for position in self.portfolio.open_positions():
            instrument = self.margins.instruments[position.key.instrument]
            if instrument.is_derivative:
                first.setdefault(instrument.underlying, instrument)
        parts = [self.margins.parts(instrument, ()) or NOTHING for instrument in first.values()]
        return MarginBreakdown(
            Cash(sum(part.span for part in parts)), Cash(sum(part.exposure for part in parts)), Cash(0)
        )  # fmt: skip

    # ---- positions

    def _position(self, key: Key) -> Position:
        inner = PositionKey(STRATEGY, key.instrument, key.product)
        if pays_in_full(self.margins.instruments[key.instrument], key.product):
            self.portfolio.paid.add(inner)
        return self.portfolio.position(inner)

    def _take_out(self, position: Position, qty: int, cost: int) -> None:
        position.qty -= qty
        position.cost -= cost

    def _hold(self, instrument: Instrument, position: Position) -> None:
        if position.key.product is not Product.CNC:
            self.margins.hold(instrument, position)
