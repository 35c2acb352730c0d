"""`manjha strategy`: list, show, new, check."""

from pathlib import Path
from typing import Annotated

import typer

from manjha.app.cli.errors import OK, USAGE

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Strategies: what there is, and how to write one.")

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command("list")
def list_(*, json: Json = False) -> None:
    """List the strategies of the library and of your own folder, each with its parameters."""
    from manjha.app.bootstrap import strategy_source
    from manjha.app.cli.output import print_json, print_table
    from manjha.app.settings import load_settings

    found = strategy_source(load_settings()).all()
    if json:
        print_json([{"name": s.name, "title": s.title, "product": s.product, "params": _params(s)} for s in found])
        return
    rows = [(s.name, s.product, ", ".join(f"{p.name}={p.default}" for p in s.params.values()), s.title) for s in found]
    print_table(("name", "product", "parameters", "what it does"), rows)


@app.command()
def show(name: str, *, json: Json = False) -> None:
    """Say what a strategy does and what each parameter may be."""
    from inspect import cleandoc

    from manjha.app.bootstrap import strategy_source
    from manjha.app.cli.output import print_json, print_table
    from manjha.app.settings import load_settings

    found = strategy_source(load_settings()).find(name)
    if json:
        print_json({"name": found.name, "doc": cleandoc(found.__doc__ or ""), "params": _params(found)})
        return
    print(f"{found.name} ({found.product})\n\n{cleandoc(found.__doc__ or '')}\n")
    rows = [
        (p.name, str(p.default), ", ".join(p.choices) or _range(p.low, p.high), p.help) for p in found.params.values()
    ]
    print_table(("parameter", "default", "range", "meaning"), rows)


@app.command()
def new(path: Annotated[Path, typer.Argument(help="The file to write, like my_strategy.py.")]) -> None:
    """Write a commented example to start from. An existing file is never overwritten."""
    from manjha.app.strategies import template
    from manjha.domain.errors import UsageError

    if path.suffix != ".py":
        path = path.with_name(f"{path.name}.py")  # else nothing would find it
    if path.exists():
        raise UsageError(f"{path} exists already", hint="Give another name; nothing was written.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template(), encoding="utf-8")
    print(f"Wrote {path}. Run it: manjha backtest -s {path} --instrument NSE:RELIANCE -i 1d")


@app.command()
def check(name: str) -> None:
    """Check a strategy for what would trip it later: no docstring, no ranges, orders in init, looking ahead."""
    from manjha.app.bootstrap import market_rules, strategy_source
    from manjha.app.cli.errors import say
    from manjha.app.settings import load_settings
    from manjha.research.conformance import check_strategy

    settings = load_settings()
    found = strategy_source(settings).find(name)
    problems = check_strategy(found, market_rules(settings))
    for problem in problems:
        say(f"{found.name}: {problem}")
    if not problems:
        print(f"{found.name}: nothing found")
    raise typer.Exit(USAGE if problems else OK)


def _params(found: type) -> list[dict[str, object]]:
    from manjha.strategy.params import collect

    return [
        {"name": p.name, "type": p.kind.__name__, "default": p.default, "low": p.low, "high": p.high, "help": p.help}
        for p in collect(found).values()
    ]


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{low:g} or more" if low is not None else f"up to {high:g}" if high is not None else ""
    return f"{low:g} to {high:g}"
