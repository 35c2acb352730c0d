"""`manjha bias-check`: does a strategy, an indicator or a feature look ahead?"""

from typing import Annotated

import typer

from manjha.app.cli.errors import FAULTY, OK

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
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.research.bias_runs import bias_request, run_bias_check
    from manjha.app.settings import load_settings
    from manjha.research.bias.words import format_bias, to_dict

    settings = load_settings()
    words = {
        "interval": interval, "also": also or [], "start": start, "end": end, "adjustment": adjustment,
        "size": size, "fill": fill, "participation": participation, "product": product, "index_proxy": index_proxy,
    }  # fmt: skip
    request = bias_request(settings, (strategy, indicator), tuple(instrument or ()), words, param or [])
    with progress_bar() as tell:
        report = run_bias_check(settings, request, points, seed, tell)
    if json:
        print_json(to_dict(report))
    else:
        print(format_bias(report))
    raise typer.Exit(OK if report.is_checked and not report.is_biased else FAULTY)
