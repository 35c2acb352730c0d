"""`manjha trade`: on paper, or with real money at Kite; in this process, with a journal that survives it."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manjha.app.cli import search_options as options

if TYPE_CHECKING:
    from manjha.app.settings import Settings
    from manjha.app.trading.watcher import Report
    from manjha.services.backtests import BacktestRequest

app = typer.Typer(add_completion=False)


@app.command()
@options.with_terms()
def trade(
    strategy: options.Strategy,
    instrument: options.Instruments,
    *,
    terms: dict[str, Any],
    account: Annotated[str, typer.Option("--account", help="Whose journal; a paper account has any name.")] = "PAPER",
    live: Annotated[
        bool, typer.Option("--live", help="With real money at Kite: the account's id is asked for once more.")
    ] = False,
    yes_account: Annotated[
        str, typer.Option("--yes-account", help="The account's id, instead of typing it when asked.")
    ] = "",
    param: Annotated[list[str] | None, typer.Option("-p", "--param", help="name=value; may be repeated.")] = None,
    per_bar: Annotated[int, typer.Option("--ticks-per-bar", help="Ticks made inside each stored bar.", min=4)] = 12,
    ticks: Annotated[
        list[str] | None, typer.Option("--ticks", help="A file of ticks an instrument, in their order; or `recorded`.")
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", help="Times real time; 0 is as fast as it goes.", min=0, max=1_000_000)
    ] = 60.0,
    gateway: Annotated[
        str, typer.Option("--gateway", help="`simulated`: the exchange is as a network away, and answers later.")
    ] = "",
    stream: Annotated[
        str, typer.Option("--stream", help="Ticks from a stream: a NATS server, or `here` for the ticker of now.")
    ] = "",
    json: options.Json = False,
) -> None:
    """Trade on paper from --from to --to, whose bars are stored and give the ticks; earlier bars are history.

    Everything is simulated, but for ticks that are given by --ticks, unless --live is given: then today is traded at
    Kite, by its own ticks, with the orders of the account that is logged in. With --stream the ticks of either come
    from what `manjha feed serve` publishes, as they happen. Started again with the same terms it goes on where its
    journal ends.
    """
    from manjha.app.bootstrap import strategy_source
    from manjha.app.cli.backtest import found_again
    from manjha.app.cli.errors import say
    from manjha.app.research.requests import make_request
    from manjha.app.research.terms import parse_params, parse_span
    from manjha.app.settings import load_settings
    from manjha.app.trading.paper_trading import TradeWords
    from manjha.app.trading.paper_trading import trade as run
    from manjha.domain.errors import UsageError

    settings = load_settings()
    if live:
        if ticks:
            raise UsageError("--live trades the ticks of Kite, not recorded ones", hint="Leave out --ticks, or --live.")
        report = _live(settings, (account, yes_account, stream), (strategy, tuple(instrument), param or []), terms)
        _show(report, as_json=json)
        return
    has_days = bool(terms["start"] or terms["end"])
    if stream and (ticks or (gateway and not has_days) or (stream == "here" and has_days)):
        raise UsageError(
            "--stream gives the ticks itself: of today as they happen, or with --from and --to what a server still has",
            hint="Leave out --ticks; --gateway is for days of the past, `here` for today.",
        )
    if yes_account:
        raise UsageError("--yes-account is for --live", hint="Leave it out: on paper nothing is at stake.")
    made = strategy_source(settings).find(strategy)(**parse_params(param or []))
    if stream and not has_days:
        request = make_request(made, tuple(instrument), {**terms, "bias_check": False})
        _show(_streamed(settings, (account, found_again(strategy), stream), request), as_json=json)
        return
    start, end = parse_span(terms.pop("start", ""), terms["end"])
    if start is None or end is None:
        raise UsageError(
            "paper trading needs the days that are traded", hint="Give --from and --to; `manjha data list` shows spans."
        )
    request = make_request(made, tuple(instrument), {**terms, "bias_check": False})
    words = TradeWords(
        account=account, request=request, found_as=found_again(strategy), start=start, end=end, per_bar=per_bar,
        speed=speed, gateway=gateway, ticks=tuple(ticks or ()), stream=stream,
    )  # fmt: skip
    if ticks or stream:
        say(f"The ticks are recorded ones, of {', '.join(ticks or [stream])}; the exchange is simulated.")
    report = run(settings, words, say)
    _show(report, as_json=json)


def _streamed(settings: "Settings", named: tuple[str, str, str], request: "BacktestRequest") -> "Report":
    """Trade on paper on today's ticks."""
    from manjha.app.cli.errors import say
    from manjha.app.trading.streamed_trading import StreamedWords, trade_streamed

    account, found_as, address = named
    words = StreamedWords(account=account, request=request, found_as=found_as, address=address)
    return trade_streamed(settings, words, say)


def _live(
    settings: "Settings", named: tuple[str, str, str], chosen: tuple[str, tuple[str, ...], list[str]],
    terms: dict[str, Any],
) -> "Report":  # fmt: skip
    """Trade at Kite, once the account's id has been given in words."""
    from manjha.app.bootstrap import strategy_source
    from manjha.app.cli.backtest import found_again
    from manjha.app.cli.errors import say
    from manjha.app.research.requests import make_request
    from manjha.app.research.terms import parse_params
    from manjha.app.trading.live_trading import LiveWords, trade_live
    from manjha.domain.errors import UsageError

    account, given, stream = named
    strategy, instruments, params = chosen
    if stream == "here":
        raise UsageError("--live takes the ticker in this process anyway", hint="Leave out --stream.")
    if terms["start"] or terms["end"]:
        raise UsageError("--live trades today", hint="Leave out --from and --to; `manjha data list` shows the history.")
    made = strategy_source(settings).find(strategy)(**parse_params(params))
    request: BacktestRequest = make_request(made, instruments, {**terms, "bias_check": False})
    confirmed = given or _typed(f"Real money. Type the id of the account to trade {account} at {settings.kite.url}: ")
    words = LiveWords(
        account=account, request=request, found_as=found_again(strategy), confirmed=confirmed, stream=stream
    )  # fmt: skip
    return trade_live(settings, words, say)


def _typed(prompt: str) -> str:
    """Ask a person; without a terminal there is nobody to ask."""
    if not sys.stdin.isatty():
        return ""
    print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _show(report: "Report", *, as_json: bool) -> None:
    import msgspec

    from manjha.app.cli.output import print_json

    if as_json:
        print_json(msgspec.structs.asdict(report))
    else:
        print(_in_words(report))


def _in_words(report: "Report") -> str:
    from manjha.domain.money import format_cash

    place = "the exchange was simulated" if report.exchange == "simulated" else f"traded at {report.exchange}"
    return (
        f"{report.ended}: {report.orders} orders, {report.fills} fills, equity {format_cash(report.equity)}, "
        f"charges {format_cash(report.charges)}; {place}"
    )
