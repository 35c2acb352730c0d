"""What a user has at the broker: positions, holdings and money, from trades and from one day to the next (2.6)."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from manjha.domain.charges import ChargeLines
from manjha.domain.errors import UsageError
from manjha.domain.events import ContractExpired
from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import Product
from manjha.engine.handlers.settlement import settlement_value
from manjha.exchange.accounts import holdings, positions
from manjha.exchange.accounts.funds import Purse, PurseState
from manjha.exchange.accounts.holdings import Holding, Today
from manjha.exchange.accounts.positions import Key, Row
from manjha.exchange.accounts.users import User
from manjha.exchange.events import Traded
from manjha.exchange.market.listing import Listed
from manjha.exchange.market.market import Market
from manjha.market.fees import exercise_tax, physical_delivery_fee
from manjha.market.margin_rules import cash_requirement
from manjha.portfolio.settlement import held_back

EQUITY, COMMODITY = "equity", "commodity"
_DELIVERED = (Product.CNC, Product.MTF)


def segment_of(instrument: Instrument) -> str:
    """Return whose ledger an instrument belongs to: commodities have one of their own."""
    return COMMODITY if instrument.exchange is Exchange.MCX else EQUITY


class AssetsState(msgspec.Struct):
    """What a user has, as it is saved."""

    rows: list[tuple[Key, Row]]
    holdings: dict[InstrumentId, Holding]
    listed: dict[InstrumentId, Listed]
    purses: dict[str, PurseState]


class Assets:
    """Positions of the day, holdings, and a purse for each segment of one user."""

    def __init__(self, market: Market, user: User) -> None:
        self._market = market
        self.rows: dict[Key, Row] = {}
        self.holdings: dict[InstrumentId, Holding] = {}
        self.listed: dict[InstrumentId, Listed] = {}
        self.purses = {EQUITY: Purse(market, user.cash), COMMODITY: Purse(market, user.commodity_cash)}
        for owned in user.holdings:
            listed = market.listing.by_key.get(f"{owned.exchange}:{owned.symbol}")
            if listed is None or listed.instrument.is_derivative or not listed.instrument.is_tradable:
                raise UsageError(
                    f"{owned.exchange}:{owned.symbol} is no share of this market, so {user.user_id} cannot hold it",
                    hint="Name shares that are listed.",
                )
            self.listed[listed.id] = listed
            self._holding(listed.id).settled += owned.qty
            self._holding(listed.id).value += owned.qty * owned.px
            self.purses[EQUITY].own(Key(listed.id, Product.CNC), owned.qty, owned.qty * owned.px)

    def purse(self, instrument: Instrument) -> Purse:
        """Return the money that trades in an instrument move."""
        return self.purses[segment_of(instrument)]

    def row(self, key: Key) -> Row:
        """Return a position, empty if there was none."""
        return self.rows.get(key) or Row()

    # ---- trades

    def trade(self, traded: Traded, listed: Listed, day: TradingDay) -> None:
        """Book a trade in positions and money."""
        self.listed[listed.id] = listed
        product = Product(traded.product)
        row = self.rows.setdefault(Key(listed.id, product), Row())
        purse, back = self.purse(listed.instrument), 0
        if product is Product.CNC and traded.side < 0:
            out_of_holding = max(0, traded.qty - max(row.qty, 0))
            holding, used = self._holding(listed.id), self.used(listed.id)
            settled = min(out_of_holding, max(holding.settled - used, 0))
            purse.sold_delivery += out_of_holding * traded.px
            back = held_back(settled, out_of_holding - settled, traded.px, day)
        row.trade(traded.side, traded.qty, traded.px)
        purse.trade(traded, listed.instrument, day, back=back)

    def used(self, name: InstrumentId, product: Product = Product.CNC) -> int:
        """Return how many shares were sold out of a holding today."""
        return max(0, -self.row(Key(name, product)).qty)

    def sellable(self, name: InstrumentId, product: Product) -> int:
        """Return how many delivery shares can be sold: those held, and those bought today."""
        holding = self.holdings.get(name) or Holding()
        held = holding.mtf if product is Product.MTF else holding.held
        return held + self.row(Key(name, product)).qty

    def move(self, key: Key, new: Product, qty: int, *, overnight: bool) -> None:
        """Hold a signed open quantity as another product."""
        listed = self.listed[key.instrument]
        self.purse(listed.instrument).move(key, new, qty)
        value = self.rows[key].take_out(qty, overnight=overnight)
        self.rows.setdefault(Key(key.instrument, new), Row()).put_in(qty, value, overnight=overnight)
        if self.rows[key] == Row():
            del self.rows[key]

    # ---- the day

    def close_day(self, day: TradingDay, expired: Iterable[ContractExpired]) -> None:
        """End a day: bill it, settle contracts that have expired, and carry the rest over."""
        for purse in self.purses.values():
            purse.close_day(day)
        for event in expired:
            for key in [key for key in self.rows if key.instrument == event.instrument]:
                self._settle(key, self.rows.pop(key).qty, event.settlement, day)
        carried: dict[Key, Row] = {}
        for holding in self.holdings.values():
            holding.settle()
        for key, row in self.rows.items():
            if not row.qty:
                continue
            if self.listed[key.instrument].instrument.is_derivative:
                self._carry(key, row, carried)
            else:
                self._deliver(key, row)
        self.rows = carried
        self.holdings = {name: holding for name, holding in self.holdings.items() if not holding.is_empty}

    def begin_day(self, day: TradingDay) -> None:
        """Begin a day; instruments are known by what they are listed as today."""
        for purse in self.purses.values():
            purse.begin_day(day)
        for name in self.listed:
            self.listed[name] = self._market.listing.by_id.get(name, self.listed[name])

    def _settle(self, key: Key, qty: int, settlement: int, day: TradingDay) -> None:
        """End a contract at what it pays; single-stock ones in cash too, with the fee of delivery."""
        if not qty:
            return
        contract, rules = self.listed[key.instrument].instrument, self._market.rules
        worth, tax, fee = settlement_value(contract, settlement), Cash(0), Cash(0)
        if contract.kind is Kind.OPTION and qty > 0:
            tax = exercise_tax(rules, contract, day, settlement, qty)
        if contract.asset is Asset.EQUITY and worth:
            fee = physical_delivery_fee(rules, day, abs(qty) * (contract.strike or settlement))
        self.purse(contract).close(key, worth, ChargeLines(stt=tax, other=fee))

    def _carry(self, key: Key, row: Row, carried: dict[Key, Row]) -> None:
        """Carry contracts; what was to be intraday and is still open is carried as all others."""
        overnight = row.overnight_row()
        if overnight is None:
            return
        if key.product is Product.MIS:
            self.purse(self.listed[key.instrument].instrument).move(key, Product.NRML, row.qty)
        target = Key(key.instrument, Product.NRML)
        joined = positions.joined(carried.get(target, Row()), overnight)
        carried[target] = joined
        if not joined.overnight:
            del carried[target]

    def _deliver(self, key: Key, row: Row) -> None:
        """Make holdings of what was bought, and take out of them what was sold.

        Intraday shares that are still open become delivery; shares sold that nobody has are bought in at the last
        price, as the exchange's auction would.
        """
        qty, value, holding = row.qty, row.open_value, self._holding(key.instrument)
        purse = self.purse(self.listed[key.instrument].instrument)
        if key.product is Product.MTF:
            holding.take_mtf(qty, value)
            return
        if key.product is Product.MIS:
            if qty < 0:
                purse.close(key, purse.prices[key.instrument], ChargeLines())
                return
            purse.move(key, Product.CNC, qty)
        if -qty > holding.held:
            purse.close(key, purse.prices[key.instrument], ChargeLines())
        holding.take(qty, value)

    def _holding(self, name: InstrumentId) -> Holding:
        return self.holdings.setdefault(name, Holding())

    # ---- what is saved

    def state(self) -> AssetsState:
        """Return what restored assets go on with."""
        purses = {name: purse.state() for name, purse in self.purses.items()}
        return AssetsState(list(self.rows.items()), self.holdings, self.listed, purses)

    def restore(self, state: AssetsState) -> None:
        """Go on where assets stopped."""
        self.rows, self.holdings, self.listed = dict(state.rows), state.holdings, state.listed
        for name, purse in state.purses.items():
            self.purses[name].restore(purse)

    # ---- what is shown

    def positions(self) -> dict[str, list[dict[str, Any]]]:
        """Return `/portfolio/positions`: all of them as they stand, and today's trades alone."""
        net, day = [], []
        for key, row in self.rows.items():
            listed, standing = self.listed[key.instrument], self._market.standings[key.instrument]
            last = standing.last or standing.close
            net.append(positions.shown(row, listed, key.product, standing.close, last))
            if row.has_traded:
                day.append(positions.shown(row.of_today(), listed, key.product, standing.close, last))
        return {"net": net, "day": day}

    def held(self) -> Iterator[tuple[Holding, Listed, Today]]:
        """Return the holdings with what the day makes of them."""
        for name, holding in self.holdings.items():
            if holding.is_empty:
                continue
            standing = self._market.standings[name]
            margin = 0
            if holding.mtf:
                margin = cash_requirement(self._market.rules, Product.MTF, self._market.day, holding.mtf_value)
            today = Today(
                self._market.day, standing.close, standing.last or standing.close, self.used(name),
                self.used(name, Product.MTF), margin,
            )  # fmt: skip
            yield holding, self.listed[name], today

    def shown_holdings(self) -> list[dict[str, Any]]:
        """Return `/portfolio/holdings`."""
        return [holdings.shown(holding, listed, today) for holding, listed, today in self.held()]
