"""`manjha trade`: paper trading in this process, with a journal that survives it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from manjha.app.cli import search_options as options

if TYPE_CHECKING:
    from manjha.app.trading import Report

app = typer.Typer(add_completion=False)


@app.command()
@options.with_terms()
def trade(
    strategy: options.Strategy,
    instrument: options.Instruments,
    *,
    terms: dict[str, Any],
    account: Annotated[str, typer.Option("--account", help="Whose journal; a paper account has any name.")] = "PAPER",
    param: Annotated[list[str] | None, typer.Option("-p", "--param", help="name=value; may be repeated.")] = None,
    per_bar: Annotated[int, typer.Option("--ticks-per-bar", help="Ticks made inside each stored bar.", min=4)] = 12,
    speed: Annotated[
        float, typer.Option("--speed", help="Times real time; 0 is as fast as it goes.", min=0, max=1_000_000)
    ] = 60.0,
    gateway: Annotated[
        str, typer.Option("--gateway", help="`simulated`: the exchange is as a network away, and answers later.")
    ] = "",
    json: options.Json = False,
) -> None:
    """Trade on paper from --from to --to, whose bars are stored and give the ticks; earlier bars are history.

    Everything is simulated. Started again with the same terms it goes on where its journal ends.
    """
    from manjha.app.bootstrap import strategy_source
    from manjha.app.cli.backtest import found_again
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.app.requests import make_request
    from manjha.app.settings import load_settings
    from manjha.app.terms import parse_params, parse_span
    from manjha.app.trading import TradeWords
    from manjha.app.trading import trade as run
    from manjha.domain.errors import UsageError

    settings = load_settings()
    made = strategy_source(settings).find(strategy)(**parse_params(param or []))
    start, end = parse_span(terms.pop("start", ""), terms["end"])
    if start is None or end is None:
        raise UsageError(
            "paper trading needs the days that are traded", hint="Give --from and --to; `manjha data list` shows spans."
        )
    request = make_request(made, tuple(instrument), {**terms, "bias_check": False})
    words = TradeWords(
        account=account, request=request, found_as=found_again(strategy), start=start, end=end, per_bar=per_bar,
        speed=speed, gateway=gateway,
    )  # fmt: skip
    report = run(settings, words, say)
    if json:
        print_json(_plain(report))
    else:
        print(_in_words(report))


def _plain(report: "Report") -> dict[str, Any]:
    import msgspec

    return {"exchange": "simulated", **msgspec.structs.asdict(report)}


def _in_words(report: "Report") -> str:
    from manjha.domain.money import format_cash

    return (
        f"{report.ended}: {report.orders} orders, {report.fills} fills, equity {format_cash(report.equity)}, "
        f"charges {format_cash(report.charges)}; the exchange was simulated"
    )
