"""`manjha feed serve`: one connection to Kite's ticker, published for as many processes as take it up."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Publish ticks for other processes.")


@app.callback()
def feed() -> None:
    """Publish ticks for other processes."""


@app.command()
def serve(
    instrument: Annotated[list[str], typer.Option("--instrument", help="Like NSE:RELIANCE; may be repeated.")],
    *,
    stream: Annotated[
        str, typer.Option("--stream", help="NATS server, nats://127.0.0.1:4222 or tls://HOST:PORT; else stream.url.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Take Kite's ticks of these instruments, and publish them on a NATS JetStream until the day is over, or ^C.

    Traders take them up by `manjha trade --stream`, a recorder by `manjha data record --stream`.
    """
    import asyncio

    import msgspec

    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.app.settings import load_settings
    from manjha.app.streaming.streams import address_of, serve_feed

    settings = load_settings()
    done = asyncio.run(serve_feed(settings, instrument, address_of(settings, stream), say))
    if json:
        print_json(msgspec.structs.asdict(done))
    else:
        joined = f", {done.joined:,} joined with a later one" if done.joined else ""
        print(f"{done.ticks:,} ticks published{joined}; the link to the exchange was lost {done.interruptions} times")
