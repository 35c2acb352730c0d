"""Logging in and out, and who is logged in (fact sheet 1.2, 1.4 to 1.6)."""

from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.accounts.users import App, full_profile, profile
from manjha.exchange.calls import Answer, Call, Route
from manjha.exchange.exchange import Exchange
from manjha.exchange.pages import HTML, page

_NOTE = "It is not Kite, and nothing here is real: no account, no money, no order. Never type a real password into it."


def login_page(exchange: Exchange, call: Call) -> Answer:
    """Show the form of the simulated login; where the exchange logs in by itself, go straight on."""
    app = exchange.sessions.app(call.asked("api_key"))
    if exchange.auto_login:
        return _redirect(
            exchange, app, call.asked("user_id") or _first_user(exchange, app), call.asked("redirect_params")
        )
    users = app.users or tuple(exchange.users)
    options = "".join(f'<option value="{escape(user)}">{escape(user)}</option>' for user in users)
    content = (
        f"<h1>Log in to the app <code>{escape(app.api_key)}</code></h1>"
        '<form method="post" action="/connect/login">'
        f'<input type="hidden" name="api_key" value="{escape(app.api_key)}">'
        f'<input type="hidden" name="redirect_params" value="{escape(call.asked("redirect_params"))}">'
        f'<p><label>User <select name="user_id" autofocus>{options}</select></label> <button>Log in</button></p></form>'
    )
    return _page(content)


def log_in(exchange: Exchange, call: Call) -> Answer:
    """Take the form of the simulated login."""
    app = exchange.sessions.app(call.form.get("api_key", ""))
    return _redirect(exchange, app, call.form.get("user_id", ""), call.form.get("redirect_params", ""))


def received(exchange: Exchange, call: Call) -> Answer:
    """Show the request token, for apps without a redirect URL of their own."""
    del exchange
    return _page(f"<h1>Logged in</h1><p>The request token is <code>{escape(call.asked('request_token'))}</code></p>")


def exchange_token(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Exchange a request token for a session."""
    return exchange.sessions.exchange(call.form, exchange.now_ns)


def renew(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Exchange a refresh token for a session."""
    return exchange.sessions.renew(call.form, exchange.now_ns)


def log_out(exchange: Exchange, call: Call) -> bool:
    """End a session."""
    exchange.sessions.log_out({name: values[-1] for name, values in call.query.items()}, exchange.now_ns)
    return True


def show_profile(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Tell who is logged in."""
    return profile(exchange.users[call.owner.user_id])


def show_full_profile(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Tell all of who is logged in."""
    return full_profile(exchange.users[call.owner.user_id])


def _first_user(exchange: Exchange, app: App) -> str:
    return app.users[0] if app.users else next(iter(exchange.users))


def _redirect(exchange: Exchange, app: App, user_id: str, further: str) -> Answer:
    token = exchange.sessions.log_in(app.api_key, user_id, exchange.now_ns)
    target = urlsplit(app.redirect_url or "/connect/received")
    words = [("action", "login"), ("type", "login"), ("status", "success"), ("request_token", token)]
    query = urlencode([*parse_qsl(target.query), *words, *parse_qsl(further)])
    place = urlunsplit((target.scheme, target.netloc, target.path, query, target.fragment))
    return Answer(b"", HTML, 302, {"location": place})


def _page(content: str) -> Answer:
    return page("Simulated login", _NOTE, content)


ROUTES = (
    Route("GET", "/connect/login", login_page, RateClass.FREE, needs_session=False),
    Route("POST", "/connect/login", log_in, RateClass.FREE, needs_session=False),
    Route("GET", "/connect/received", received, RateClass.FREE, needs_session=False),
    Route("POST", "/session/token", exchange_token, needs_session=False),
    Route("POST", "/session/refresh_token", renew, needs_session=False),
    Route("DELETE", "/session/token", log_out, needs_session=False),
    Route("GET", "/user/profile", show_profile),
    Route("GET", "/user/profile/full", show_full_profile),
)
