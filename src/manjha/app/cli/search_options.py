"""Options that commands share: each is declared once, with its help, and those of a backtest's terms as one."""

import functools
import inspect
import pathlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

Strategy = Annotated[str, typer.Option("-s", "--strategy", help="A library name, or path/to/file.py[:Class].")]
Instruments = Annotated[list[str], typer.Option("--instrument", help="Like NSE:RELIANCE; may be repeated.")]
Ranges = Annotated[
    list[str] | None, typer.Option("-p", "--param", help="name=low:high:step, name=a,b,c or name=*; may be repeated.")
]
Conditions = Annotated[
    list[str] | None, typer.Option("--constraint", help="A condition like 'fast < slow'; may be repeated.")
]
Interval = Annotated[str, typer.Option("-i", "--interval", help="1m, 5m, 15m, 60m, 1d ...")]
Also = Annotated[list[str] | None, typer.Option("--also-interval", help="Further bars that it may see.")]
Start = Annotated[str, typer.Option("--from", help="First day, like 2021-01-01.")]
End = Annotated[str, typer.Option("--to", help="Last day, included.")]
Cash = Annotated[str, typer.Option("--cash", help="Capital: 1000000, 10 lakh, 1cr.")]
Size = Annotated[str, typer.Option("--size", help="qty:100, capital:0.5, risk:1%, volatility:15%.")]
Slippage = Annotated[str, typer.Option("--slippage", help="none, 1tick, 5bps, volume:10bps.")]
Participation = Annotated[str, typer.Option("--participation", help="Share of a bar's volume, or any.")]
Fill = Annotated[str, typer.Option("--fill", help="next-open, or close (the deciding bar's).")]
Limit = Annotated[str, typer.Option("--limit-fill", help="touch or penetration.")]
Path = Annotated[str, typer.Option("--intrabar", help="worst or best.")]
Latency = Annotated[int, typer.Option("--latency-ms", min=0, max=3_600_000)]
Product = Annotated[str, typer.Option("--product", help="CNC, MIS or NRML instead of the strategy's.")]
IndexProxy = Annotated[bool, typer.Option("--index-proxy", help="Trade an index as its future.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=0, max=1024, help="Processes; 0 is one a core.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")]
Study = Annotated[str, typer.Option("--study", help="A name for it; else made from what is asked.")]
Top = Annotated[int, typer.Option("--top", min=1, help="How many of the best to show.")]
NoReturns = Annotated[bool, typer.Option("--no-returns", help="Keep no daily returns in the ledger (less disk).")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
Report = Annotated[
    pathlib.Path | None, typer.Option("--report", help="Where to write the page: a folder, or a name.html.")
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write no page.")]

Objective = Annotated[str, typer.Option("--objective", help="A metric, like sharpe or min:volatility.")]


def _terms(
    *,
    interval: Interval = "1d",
    also: Also = None,
    start: Start = "",
    end: End = "",
    cash: Cash = "10 lakh",
    size: Size = "",
    slippage: Slippage = "1tick",
    participation: Participation = "100%",
    fill: Fill = "next-open",
    limit: Limit = "touch",
    path: Path = "worst",
    latency_ms: Latency = 0,
    product: Product = "",
    index_proxy: IndexProxy = False,
) -> None:
    """Declares what decides a backtest beside strategy and instruments; never called."""


def with_terms(*, without: Sequence[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a backtest's terms in place of its parameter `terms`, which is a dict of them."""
    offered = inspect.signature(_terms).parameters
    added = {name: one for name, one in offered.items() if name not in without}

    def give(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command)

        @functools.wraps(command)
        def run(**given: Any) -> None:
            terms = {name: given.pop(name) for name in added}
            command(**given, terms={name: [] if value is None else value for name, value in terms.items()})

        listed = [
            one
            for name, each in own.parameters.items()
            for one in (added.values() if name == "terms" else [each.replace(kind=inspect.Parameter.KEYWORD_ONLY)])
        ]
        vars(run).update(__signature__=own.replace(parameters=listed))
        run.__annotations__ = {one.name: one.annotation for one in listed} | {"return": None}
        return run

    return give


def page_path(where: pathlib.Path | None, home: pathlib.Path, name: str) -> pathlib.Path:
    """Return where a page is written: the file or into the folder that was asked for, else into MANJHA_HOME/reports."""
    folder = where or home / "reports"
    return folder if folder.suffix == ".html" else folder / f"{name}.html"
