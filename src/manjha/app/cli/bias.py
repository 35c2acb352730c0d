"""`manjha bias-check`: does a strategy, an indicator or a feature look ahead?"""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from manjha.app.cli.errors import FAULTY, OK

if TYPE_CHECKING:
    from manjha.app.settings import Settings
    from manjha.services.backtests import BacktestRequest
    from manjha.services.bias_checks import FunctionRequest

app = typer.Typer(add_completion=False)


@app.command()
def bias_check(
    strategy: Annotated[str, typer.Option("-s", "--strategy", help="A library name, or path/to/file.py[:Class].")] = "",
    instrument: Annotated[
        list[str] | None, typer.Option("--instrument", help="Like NSE:INFY; may be repeated.")
    ] = None,
    *,
    indicator: Annotated[str, typer.Option("--indicator", help="Instead: a name, or FILE.py:function.")] = "",
    interval: Annotated[str, typer.Option("-i", "--interval", help="1m, 5m, 15m, 60m, 1d ...")] = "1d",
    also: Annotated[list[str] | None, typer.Option("--also-interval", help="Further bars that it may see.")] = None,
    start: Annotated[str, typer.Option("--from", help="First day, like 2021-01-01.")] = "",
    end: Annotated[str, typer.Option("--to", help="Last day, included.")] = "",
    adjustment: Annotated[str, typer.Option("--adjustment", help="raw, split, total; else raw where stored.")] = "",
    param: Annotated[list[str] | None, typer.Option("-p", "--param", help="name=value; may be repeated.")] = None,
    size: Annotated[str, typer.Option("--size", help="As in backtest.")] = "",
    participation: Annotated[str, typer.Option("--participation", help="As in backtest.")] = "100%",
    fill: Annotated[str, typer.Option("--fill", help="next-open, or close (the deciding bar's).")] = "next-open",
    product: Annotated[str, typer.Option("--product", help="CNC, MIS or NRML instead of the strategy's.")] = "",
    index_proxy: Annotated[bool, typer.Option("--index-proxy", help="Trade an index as its future.")] = False,
    points: Annotated[int, typer.Option("--points", min=1, max=10_000, help="Where the run is cut and changed.")] = 24,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Chooses points and changes.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Cut a run short and change what comes after, at many points: what was decided before must stay.

    Exit code 0: clean. 1: biased, with the bar and the column that it looked at; or nothing could be compared.
    """
    from manjha.app.bootstrap import backtest_services
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.settings import load_settings
    from manjha.domain.errors import UsageError
    from manjha.research.bias.words import format_bias, to_dict
    from manjha.services.bias_checks import check_bias

    names = tuple(instrument or ())
    if bool(strategy) == bool(indicator) or not names:
        raise UsageError(
            "expected a strategy or an indicator, and an instrument to check it on",
            hint="Like: manjha bias-check -s sma-cross --instrument NSE:INFY, or --indicator FILE.py:function.",
        )
    settings = load_settings()
    request: BacktestRequest | FunctionRequest
    if indicator:
        request = _function(indicator, names, (interval, start, end, adjustment), param or [])
    else:
        words = {
            "interval": interval, "also": also or [], "start": start, "end": end, "adjustment": adjustment,
            "size": size, "fill": fill, "participation": participation, "product": product, "index_proxy": index_proxy,
        }  # fmt: skip
        request = _strategy(settings, strategy, names, (words, param or []))
    with progress_bar() as tell:
        tell("loading", 0, 0)
        services = backtest_services(settings)
        report = check_bias(services, request, points=points, seed=seed, tell=partial(tell, "bias check"))
    if json:
        print_json(to_dict(report))
    else:
        print(format_bias(report))
    raise typer.Exit(OK if report.is_checked and not report.is_biased else FAULTY)


def _strategy(
    settings: "Settings", name: str, instruments: tuple[str, ...], words: tuple[dict[str, object], list[str]]
) -> "BacktestRequest":
    from manjha.app.bootstrap import strategy_source
    from manjha.app.research.requests import make_request
    from manjha.app.research.terms import parse_params

    made = strategy_source(settings).find(name)(**parse_params(words[1]))
    return make_request(made, instruments, words[0])


def _function(
    name: str, instruments: tuple[str, ...], span: tuple[str, str, str, str], param: list[str]
) -> "FunctionRequest":
    from manjha.app.research.terms import parse_numbers, parse_span
    from manjha.app.strategies import find_function
    from manjha.domain.bars import parse_interval
    from manjha.domain.errors import UsageError
    from manjha.services.bias_checks import FunctionRequest

    if len(instruments) > 1:
        raise UsageError(f"an indicator is checked on one instrument, were {len(instruments)}")
    start, end = parse_span(span[1], span[2])
    return FunctionRequest(
        function=find_function(name),
        instrument=instruments[0],
        interval=parse_interval(span[0]),
        start=start,
        end=end,
        adjustment=span[3],
        params=parse_numbers(param),
    )
