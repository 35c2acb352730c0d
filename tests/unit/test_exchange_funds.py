"""The money of an account neither appears nor vanishes: random trades, conversions and days against a recount."""

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.charges import ChargeLines
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import RUPEE, divide
from manjha.domain.orders import Product
from manjha.exchange.accounts.funds import Purse, Wish
from manjha.exchange.accounts.positions import Key
from manjha.exchange.events import Traded
from manjha.exchange.market.market import Market
from tests.fakes.exchanges import synthetic
from tests.fakes.market_rules import shipped_rules

START = 10**6 * RUPEE
SHARES = ("NSE:FIRKI", "NSE:MANJHA")
FUTURE = "NFO:SYNTH5026DECFUT"
ONE = st.tuples(
    st.sampled_from([*((name, product) for name in SHARES for product in ("CNC", "MIS", "MTF")), (FUTURE, "NRML")]),
    st.sampled_from([1, -1]), st.integers(1, 40), st.integers(100, 3_000).map(lambda rupees: rupees * RUPEE),
)  # fmt: skip


class Opened(NamedTuple):
    """A purse on the first day of a market."""

    market: Market
    purse: Purse
    day: TradingDay


def opened() -> Opened:
    source, days = synthetic()
    market = Market(shipped_rules(), source)
    market.begin_day(days[0])
    purse = Purse(market, START)
    purse.begin_day(days[0])
    return Opened(market, purse, days[0])


def trade(one: Opened, held: tuple[str, str], lots: int, px: int, number: int) -> None:
    """Trade lots, signed, of an instrument held as a product."""
    listed, side, product = one.market.listing.by_key[held[0]], 1 if lots > 0 else -1, held[1]
    qty = abs(lots) * listed.instrument.lot
    told = Traded("AB1234", f"o{number}", f"t{number}", listed.token, side, product, qty, px, TsNs(number))
    one.purse.trade(told, listed.instrument, one.day)


def recount(one: Opened, trades: list[Any]) -> int:
    """What the account is worth by its trades alone, before charges: each closed at the last price."""
    worth = START
    for (name, _), side, qty, px in trades:
        listed = one.market.listing.by_key[name]
        worth += side * qty * listed.instrument.lot * (one.purse.prices[listed.id] - px)
    return worth


@settings(max_examples=60, deadline=None)
@given(st.lists(ONE, max_size=15))
def test_equity_is_the_start_with_profits_less_charges(trades: list[Any]) -> None:
    one = opened()
    for number, (held, side, qty, px) in enumerate(trades):
        trade(one, held, side * qty, px, number)
    ledger = one.purse.portfolio.ledger
    assert one.purse.portfolio.equity(one.purse.prices) == recount(one, trades) - ledger.charges().total
    shown = one.purse.shown()
    debits = divide(round(shown["utilised"]["debits"] * RUPEE), 1)
    assert abs(one.purse.opening - debits - one.purse.net) <= 1
    # The day's end bills to the contract note and pays futures, and makes nothing else of the money.
    one.purse.close_day(one.day)
    one.purse.begin_day(TradingDay(one.day + 1))
    assert one.purse.portfolio.equity(one.purse.prices) == recount(one, trades) - ledger.charges().total


@settings(max_examples=60, deadline=None)
@given(st.lists(ONE, min_size=1, max_size=10), st.sampled_from(["CNC", "MIS", "MTF"]), st.integers(1, 40))
def test_a_conversion_leaves_the_equity_as_it_is(trades: list[Any], new: str, wanted: int) -> None:
    one = opened()
    for number, (held, side, qty, px) in enumerate(trades):
        trade(one, held, side * qty, px, number)
    before = one.purse.portfolio.equity(one.purse.prices)
    for position in list(one.purse.portfolio.open_positions()):
        key = Key(position.key.instrument, position.key.product)
        if key.product in ("NRML", new):
            continue
        qty = min(wanted, abs(position.qty)) * (1 if position.qty > 0 else -1)
        one.purse.move(key, Product(new), qty)
        assert one.purse.portfolio.equity(one.purse.prices) == before


def test_margin_held_is_let_go_when_all_is_closed() -> None:
    one = opened()
    trade(one, (FUTURE, "NRML"), 1, 24_000 * RUPEE, 1)
    held = one.purse.held()
    assert held.span + held.exposure == one.purse.portfolio.ledger.margin > 0
    trade(one, (FUTURE, "NRML"), -1, 24_000 * RUPEE, 2)
    assert one.purse.portfolio.ledger.margin == 0
    assert one.purse.net == START - one.purse.portfolio.ledger.charges().total


def test_a_reserve_is_held_once_and_let_go() -> None:
    one = opened()
    instrument = one.market.listing.by_key["NSE:FIRKI"].instrument
    need = one.purse.need(Wish(instrument, Product.MIS, 10, 700 * RUPEE))
    assert need == 1_400 * RUPEE
    for amount, free in ((need, START - need), (2 * need, START - 2 * need), (0, START)):
        one.purse.reserve("o1", amount)
        assert one.purse.net == free
    assert one.purse.need(Wish(instrument, Product.CNC, -10, 700 * RUPEE)) == 0


def test_an_expiry_pays_what_the_contract_is_worth() -> None:
    one = opened()
    trade(one, (FUTURE, "NRML"), 1, 24_000 * RUPEE, 1)
    name = one.market.listing.by_key[FUTURE].id
    one.purse.close_day(one.day)
    cash = one.purse.cash
    one.purse.close(Key(name, Product.NRML), one.purse.prices[name] + 10 * RUPEE, ChargeLines())
    assert one.purse.cash == cash + 10 * RUPEE * 50
    assert one.purse.portfolio.ledger.margin == 0
