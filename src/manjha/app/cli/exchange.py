"""`manjha exchange serve`: a simulated exchange that official Kite clients can log in to and trade on."""

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A simulated exchange that speaks as Kite does.")


@app.callback()
def exchange() -> None:
    """A simulated exchange that speaks as Kite does."""


@app.command()
def serve(
    *,
    host: Annotated[
        str, typer.Option("--host", help="Where it listens; this machine alone unless given.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes any that is free.")] = 8080,
    day: Annotated[str, typer.Option("--day", help="First trading day; today or the last one before.")] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=60, help="How many trading days there are.")] = 5,
    clock: Annotated[str, typer.Option("--at", help="Time of day that it begins at, IST; or now.")] = "09:15",
    speed: Annotated[float, typer.Option("--speed", min=0, help="Times real time; 0 is as fast as it goes.")] = 1.0,
    paused: Annotated[bool, typer.Option("--paused", help="Time passes by POST /simulation/advance alone.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Another seed is another market.")] = 7,
    per_bar: Annotated[int, typer.Option("--ticks-per-bar", min=4, max=1000, help="Ticks a minute.")] = 60,
    instrument: Annotated[
        list[str] | None, typer.Option("--instrument", help="Trade its stored minute bars; may be repeated.")
    ] = None,
    ticks: Annotated[
        list[str] | None, typer.Option("--ticks", help="Recorded ticks of each --instrument, a file each.")
    ] = None,
    user: Annotated[list[str] | None, typer.Option("--user", help="Who can log in; may be repeated.")] = None,
    api_key: Annotated[str, typer.Option("--api-key", help="Of the app.")] = "simulated",
    api_secret: Annotated[
        str, typer.Option("--api-secret", help="Of the app; it protects nothing.")
    ] = "simulated-secret",  # noqa: S107 - no secret
    redirect_url: Annotated[str, typer.Option("--redirect-url", help="Where a login ends.")] = "",
    postback_url: Annotated[str, typer.Option("--postback-url", help="Where news of the app's orders goes.")] = "",
    address: Annotated[
        list[str] | None, typer.Option("--address", help="A further address that orders may come from.")
    ] = None,
    auto_login: Annotated[bool, typer.Option("--auto-login", help="Log in without the form.")] = False,
    cash: Annotated[str, typer.Option("--cash", help="Rupees of each user, in each of the two segments.")] = "1000000",
    holding: Annotated[
        list[str] | None,
        typer.Option("--holding", help="EXCHANGE:SYMBOL=QUANTITY@PRICE of each user."),
    ] = None,
    no_limits: Annotated[bool, typer.Option("--no-limits", help="Without rate limits.")] = False,
    faults: Annotated[Path | None, typer.Option("--faults", help="A plan of what goes wrong, in TOML.")] = None,
    state: Annotated[
        Path | None, typer.Option("--state", help="File to go on from, and to save in at the end.")
    ] = None,
    manual_trader: Annotated[str, typer.Option("--manual-trader", help="A user who trades by hand as well.")] = "",
    rms: Annotated[bool, typer.Option("--rms", help="The broker squares intraday positions off.")] = False,
    rms_margin: Annotated[str, typer.Option("--rms-margin", help="Rupees that an order may be worth.")] = "",
    rule: Annotated[list[str] | None, typer.Option("--rule", help="NAME=on|off|DATE; may be repeated.")] = None,
) -> None:
    """Serve a simulated exchange until ^C. Nothing in it is real: market, accounts and money are made up."""
    from manjha.app.bootstrap import system_clock
    from manjha.app.cli.errors import say
    from manjha.app.exchange import ExchangeWords, exchange_app
    from manjha.app.logs import logging_of
    from manjha.app.settings import load_settings
    from manjha.domain.errors import UsageError
    from manjha.domain.moments import format_ts
    from manjha.exchange.serving import listening, server_of

    pairs = [text.partition("=") for text in rule or ()]
    if any(not mark for _, mark, _ in pairs):
        raise UsageError("--rule expects NAME=on, NAME=off or NAME=DATE", hint="For example --rule static-ip=off.")
    words = ExchangeWords(
        day=day, days=days, clock=clock, seed=seed, per_bar=per_bar, speed=speed, paused=paused,
        users=tuple(user or ()), api_key=api_key, api_secret=api_secret, redirect_url=redirect_url,
        postback_url=postback_url,
        faults=faults, state=state, manual_trader=manual_trader, rms=rms, rms_margin=rms_margin,
        auto_login=auto_login, limits=not no_limits, instruments=tuple(instrument or ()), ticks=tuple(ticks or ()),
        addresses=tuple(address or ()), cash=cash,
        holdings=tuple(holding or ()),
        rules={name: word for name, _, word in pairs},
    )  # fmt: skip
    settings = load_settings()
    served, made = exchange_app(settings, words, system_clock().now_ns())
    listener = listening(host, port)
    root = f"http://{host}:{listener.getsockname()[1]}"
    say(
        f"A simulated exchange listens on {root}; it is {format_ts(made.now_ns)} there. Nothing in it is real.\n"
        f"Log in at {root}/connect/login?v=3&api_key={api_key}   (api_secret {api_secret}, users "
        f"{', '.join(made.users)})\n^C ends it."
    )
    with logging_of(settings, "exchange", os.environ):
        server_of(served).run([listener])
