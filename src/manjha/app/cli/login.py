"""`manjha login`: the daily login at Kite, by hand in a browser; its token is kept sealed."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manjha.adapters.kite.login import AppKeys
    from manjha.app.settings import Settings
    from manjha.ports.secret_store import SecretStore

app = typer.Typer(add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command()
def login(
    *,
    paste: Annotated[
        bool, typer.Option("--paste", help="Paste the address that the browser ends at; nothing listens here.")
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address of the login page.")] = False,
    wait: Annotated[int, typer.Option("--wait", min=1, max=3600, help="Seconds that a login may take.")] = 300,
    new_seal_key: Annotated[
        bool, typer.Option("--new-seal-key", help="Print a new key for the sealed file, and do nothing else.")
    ] = False,
    json: Json = False,
) -> None:
    """Log in at Kite for today: opens its page in a browser, takes what comes back, keeps the session sealed."""
    import asyncio
    import time

    from manjha.adapters.secrets.sealed import new_key
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.app.kite.login import keep, log_in
    from manjha.app.kite.times import times_at
    from manjha.app.secret_stores import require_seal, secret_store
    from manjha.app.settings import load_settings
    from manjha.domain.moments import format_ts

    if new_seal_key:
        print(new_key())
        return
    settings = load_settings()
    require_seal(settings)
    store = secret_store(settings)
    keys = _keys(store)

    async def logged_in() -> "tuple[str, str, int]":
        times = await times_at(settings.kite.url, time.monotonic_ns)
        token = await _request_token(settings, keys, paste=paste, opens=not no_browser, wait=wait)
        saved = keep(store, await log_in(settings.kite.url, keys, token, times.now_ns()))
        return saved.user_id, saved.user_name, saved.expires_ns

    user, name, expires_ns = asyncio.run(logged_in())
    until = format_ts(expires_ns)[:16].replace("T", " ")
    if json:
        print_json({"user_id": user, "user_name": name, "expires": format_ts(expires_ns)})
    else:
        print(f"Logged in as {user} ({name}); it holds until {until} at the latest.")
    say("A trader that waits for a login takes it up by itself.")


async def _request_token(settings: "Settings", keys: "AppKeys", *, paste: bool, opens: bool, wait: int) -> str:
    """Send a person to the login page and return what comes back."""
    from manjha.adapters.kite.login import TokenCatcher, login_address, new_state, read_token
    from manjha.app.cli.errors import say

    state = new_state()
    address = login_address(keys.key, state, settings.kite.login_url)
    if paste:
        _show(address, opens=opens)
        say("Paste the address that the browser ends at, also if it shows an error:")
        return read_token(sys.stdin.readline())
    async with TokenCatcher(settings.kite.redirect_port, state) as catcher:
        _show(address, opens=opens)
        say(f"Waiting for the browser to come back to http://127.0.0.1:{catcher.port}/ (the app's redirect URL) ...")
        return await catcher.caught(float(wait))


def _show(address: str, *, opens: bool) -> None:
    import webbrowser

    from manjha.app.cli.errors import say

    say(f"Log in at\n  {address}")
    if opens:
        webbrowser.open(address)


def _keys(store: "SecretStore") -> "AppKeys":
    """Return the app's keys; a person at a terminal is asked for what is not known, and it is kept sealed."""
    from manjha.app.kite.login import API_KEY, API_SECRET, app_keys
    from manjha.domain.secret import Secret

    if sys.stdin.isatty():
        for name in (API_KEY, API_SECRET):
            if not store.get(name):
                value = typer.prompt(f"The {name} of your app (developers.kite.trade)", hide_input=True, err=True)
                store.put(name, Secret(value.strip()))
    return app_keys(store)
