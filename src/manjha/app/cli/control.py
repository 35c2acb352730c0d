"""`manjha control`: tell a running trader what to do, and ask it how things stand."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from manjha.app.cli.errors import FAULTY, OK

if TYPE_CHECKING:
    from manjha.domain.controls import Answer, Control, Status

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A running trader: tell it, ask it.")

Account = Annotated[str, typer.Option("--account", help="Id of the account that it trades.")]
Key = Annotated[str, typer.Option("--key", help="Key of the request: asked again with the same one it is done once.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the journal.")]


@app.command()
def status(account: Account, *, json: Json = False) -> None:
    """Tell how things stand."""
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.domain.controls import AskStatus

    answer = _asked(account, AskStatus(), "")
    if answer.refused:
        say(f"refused: {answer.refused}")
        raise typer.Exit(FAULTY)
    if json:
        print_json(answer.status)
    else:
        _show(answer.status)


@app.command()
def start(account: Account, *, reason: Reason = "", key: Key = "", json: Json = False) -> None:
    """Let strategies trade."""
    from manjha.domain.controls import StartTrading

    _tell(account, StartTrading(reason), key, json=json)


@app.command()
def stop(account: Account, *, reason: Reason = "", key: Key = "", json: Json = False) -> None:
    """Let strategies order nothing new; exits and cancels go on."""
    from manjha.domain.controls import StopTrading

    _tell(account, StopTrading(reason), key, json=json)


@app.command("set")
def set_(
    account: Account,
    strategy: Annotated[str, typer.Option("-s", "--strategy", help="Name of the strategy.")],
    params: Annotated[list[str], typer.Option("-p", "--param", help="NAME=VALUE, as often as needed.")],
    *,
    key: Key = "",
    json: Json = False,
) -> None:
    """Change parameters of a running strategy."""
    from manjha.app.research.terms import parse_params
    from manjha.domain.controls import SetParameters

    _tell(account, SetParameters(strategy, tuple(parse_params(params).items())), key, json=json)


@app.command()
def order(
    account: Account,
    instrument: Annotated[str, typer.Option("--instrument", help="What to trade, like NSE:RELIANCE.")],
    side: Annotated[str, typer.Option("--side", help="BUY or SELL.")],
    qty: Annotated[int, typer.Option("--qty", min=1, help="How many, in units of the quoted price.")],
    *,
    product: Annotated[str, typer.Option("--product", help="CNC, MIS, NRML or MTF.")],
    limit: Annotated[str, typer.Option("--limit", help="Limit price in rupees; without it a market order.")] = "",
    trigger: Annotated[str, typer.Option("--trigger", help="Trigger price in rupees: a stop order.")] = "",
    stop: Annotated[str, typer.Option("--stop", help="Price in rupees of a stop once it is filled.")] = "",
    target: Annotated[str, typer.Option("--target", help="Price in rupees of a target once it is filled.")] = "",
    key: Key = "",
    json: Json = False,
) -> None:
    """Place an order by hand; it passes the same gate as a strategy's."""
    from manjha.domain.controls import ManualOrder
    from manjha.domain.money import Px, Qty, parse_px
    from manjha.domain.orders import OrderType, Product, Side

    at, from_, out, aim = (parse_px(text) if text else Px(0) for text in (limit, trigger, stop, target))
    kinds = {(0, 0): OrderType.MARKET, (1, 0): OrderType.LIMIT, (0, 1): OrderType.SL_M, (1, 1): OrderType.SL}
    kind = kinds[bool(limit), bool(trigger)]
    wanted = ManualOrder(
        instrument, _one_of(Side.__members__, side, "--side"), Qty(qty), kind,
        _one_of(Product.__members__, product, "--product"), at, from_, out, aim,
    )  # fmt: skip
    _tell(account, wanted, key, json=json)


@app.command()
def accept(
    account: Account,
    instrument: Annotated[str, typer.Option("--instrument", help="The instrument that is frozen.")],
    *,
    key: Key = "",
    json: Json = False,
) -> None:
    """Let a frozen instrument be traded again: what the broker shows of it is right, and counts as external."""
    from manjha.domain.controls import AcceptDifference

    _tell(account, AcceptDifference(instrument), key, json=json)


@app.command()
def end(account: Account, *, reason: Reason = "", key: Key = "", json: Json = False) -> None:
    """End the run for good: it must hold nothing, and the next one may have other terms. The trader stops with it."""
    from manjha.domain.controls import EndRun

    _tell(account, EndRun(reason), key, json=json)


def _one_of(known: Mapping[str, T], text: str, option: str) -> T:
    from manjha.domain.errors import UsageError

    if text.upper() not in known:
        raise UsageError(f"{option} expects one of {', '.join(known)}, was {text!r}")
    return known[text.upper()]


def _asked(account: str, control: "Control", key: str) -> "Answer":
    from manjha.app.bootstrap import system_clock
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import controls
    from manjha.domain.controls import Request

    own = key or f"cli-{system_clock().now_ns()}-{os.getpid()}"
    return controls(load_settings(), account).ask(Request(own, control))


def _tell(account: str, control: "Control", key: str, *, json: bool) -> None:
    """Ask, say what became of it; exit code 1 where it was refused."""
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json

    answer = _asked(account, control, key)
    if json:
        print_json({"key": answer.key, "seq": answer.seq, "refused": answer.refused})
    elif answer.refused:
        say(f"refused: {answer.refused}")
    else:
        print(f"Done: row {answer.seq:,} of the journal.")
    raise typer.Exit(FAULTY if answer.refused else OK)


def _show(found: "Status") -> None:
    """Write values line by line, then each table under its name."""
    from manjha.app.cli.output import print_table

    lines = [(name, value) for name, value in found.items() if not isinstance(value, list)]
    if lines:
        print_table(("what", "is"), [(name, str(value)) for name, value in lines])
    for name, rows in found.items():
        if isinstance(rows, list):
            print(f"\n{name}: {len(rows) or 'none'}")
            if rows:
                print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
