"""`manjha orders`, `positions`, `funds`: what Kite says of the account that is logged in. They only read."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from manjha.adapters.kite.rest import KiteRest

T = TypeVar("T")
Row = Mapping[str, str | int]

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout; money as text, exact.")]


def read(ask: "Callable[[KiteRest], Awaitable[T]]") -> T:
    """Ask Kite something about the account that is logged in. Raises as `kite.account.at_kite` and the question."""
    import asyncio

    from manjha.app.kite.account import at_kite
    from manjha.app.settings import load_settings

    async def asked() -> T:
        async with at_kite(load_settings()) as kite:
            return await ask(kite.rest)

    return asyncio.run(asked())


def show(rows: Sequence[Row], none: str, *, as_json: bool) -> None:
    """Write rows as a table, or as JSON; `none` is said where there are none."""
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json, print_table

    if as_json:
        print_json(rows)
    elif rows:
        print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    else:
        say(none)
