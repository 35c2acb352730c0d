"""Holdings, positions and money (fact sheet 2.6 and 2.7)."""

from html import escape
from typing import Any
from urllib.parse import parse_qsl

from manjha.domain.errors import UsageError
from manjha.domain.orders import Product, Side
from manjha.exchange.accounts import holdings
from manjha.exchange.accounts.assets import Assets
from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.accounts.positions import Key
from manjha.exchange.calls import Answer, Call, Route
from manjha.exchange.errors import bad_input
from manjha.exchange.exchange import Exchange
from manjha.exchange.orders import asked
from manjha.exchange.pages import HTML, page
from manjha.exchange.wire import text_of, whole_of
from manjha.market.charges import charge_segment

_PAGE = "/connect/portfolio/authorise/holdings/{api_key}/{request_id}"
_NOTE = "No shares are anywhere. Never type a real PIN into it."


def _page(content: str) -> Answer:
    return page("Simulated authorisation", _NOTE, content)


def show_positions(exchange: Exchange, call: Call) -> dict[str, list[dict[str, Any]]]:
    """Return all positions, and those of today alone."""
    return _assets(exchange, call).positions()


def convert(exchange: Exchange, call: Call) -> bool:
    """Hold a position as another product."""
    form = call.form
    listed = exchange.market.listing.traded(text_of(form, "exchange"), text_of(form, "tradingsymbol"))
    side, when = text_of(form, "transaction_type"), text_of(form, "position_type")
    if side not in Side.__members__:
        raise bad_input("Invalid `transaction_type`.")
    if when not in ("day", "overnight"):
        raise bad_input("Invalid `position_type`: expected day or overnight.")
    old, new = (asked.one_of(Product, text_of(form, name), name) for name in ("old_product", "new_product"))
    if old is new:
        raise bad_input("Invalid `new_product`: the position is held as it already.")
    try:
        charge_segment(listed.instrument, new)
    except UsageError as unfit:
        raise bad_input(f"Invalid `new_product`: {unfit}.") from None
    qty = asked.quantity(form, listed.unit) * int(Side[side])
    if qty % listed.instrument.lot:
        raise bad_input("Invalid `quantity`: it must be a multiple of the lot size.")
    key = Key(listed.id, old)
    exchange.broker.convert(call.owner.user_id, key, new, qty, overnight=when == "overnight")
    return True


def show_holdings(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return the holdings."""
    return _assets(exchange, call).shown_holdings()


def show_compact(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return the holdings in few words."""
    return [holdings.compact(holding, listed) for holding, listed, _ in _assets(exchange, call).held()]


def show_summary(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return the sums over the holdings."""
    return holdings.summary([(holding, today) for holding, _, today in _assets(exchange, call).held()])


def auctions(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return the auctions of shares that are held: there is no auction market here."""
    del exchange, call
    return []


def request_authorisation(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Take a request to let shares leave the demat account: of the ISINs that are named, or of all."""
    wanted: dict[str, int] = {}
    isin = ""
    for name, value in parse_qsl(call.body.decode("utf-8", "replace")):
        if name == "isin":
            isin = value
            wanted[isin] = 0
        elif name == "quantity" and isin:
            wanted[isin] = whole_of({name: value}, name)
    return {"request_id": exchange.broker.request_authorisation(call.owner.user_id, wanted)}


def authorisation_page(exchange: Exchange, call: Call) -> Answer:
    """Show what is to be confirmed."""
    exchange.sessions.app(call.path["api_key"])
    request_id = escape(call.path["request_id"])
    return _page(
        f'<form method="post"><h1>Authorise <code>{request_id}</code></h1>'
        "<p>The sale of shares that are held is allowed for today.</p><p><button>Authorise</button></p></form>"
    )


def authorise(exchange: Exchange, call: Call) -> Answer:
    """Take what was confirmed, and lead to where the authorisation ends."""
    exchange.broker.authorise(call.path["request_id"])
    place = _PAGE.format(**{name: escape(value) for name, value in call.path.items()})
    return Answer(b"", HTML, 303, {"location": f"{place}/finish?status=success"})


def authorised(exchange: Exchange, call: Call) -> Answer:
    """Show that it is done."""
    del exchange
    return _page(f"<h1>{escape(call.asked('status'))}</h1>")


def margins(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return the money in both segments."""
    return {name: purse.shown() for name, purse in _assets(exchange, call).purses.items()}


def margins_of_segment(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return the money in a segment."""
    purse = _assets(exchange, call).purses.get(call.path["segment"])
    if purse is None:
        raise bad_input("Invalid `segment`: expected equity or commodity.")
    return purse.shown()


def _assets(exchange: Exchange, call: Call) -> Assets:
    return exchange.broker.assets[call.owner.user_id]


ROUTES = (
    Route("GET", "/portfolio/positions", show_positions),
    Route("PUT", "/portfolio/positions", convert),
    Route("GET", "/portfolio/holdings", show_holdings),
    Route("GET", "/portfolio/holdings/compact", show_compact),
    Route("GET", "/portfolio/holdings/summary", show_summary),
    Route("GET", "/portfolio/holdings/auctions", auctions),
    Route("POST", "/portfolio/holdings/authorise", request_authorisation),
    Route("GET", _PAGE, authorisation_page, RateClass.FREE, needs_session=False),
    Route("POST", _PAGE, authorise, RateClass.FREE, needs_session=False),
    Route("GET", f"{_PAGE}/finish", authorised, RateClass.FREE, needs_session=False),
    Route("GET", "/user/margins", margins),
    Route("GET", "/user/margins/{segment}", margins_of_segment),
)
