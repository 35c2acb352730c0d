"""`manjha serve`: the API."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    *,
    host: Annotated[
        str, typer.Option("--host", help="Where it listens; this machine alone unless given.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes any that is free.")] = 8321,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate, a PEM file.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its key, a PEM file.")] = None,
    proxy: Annotated[
        list[str] | None, typer.Option("--proxy", help="Address of a proxy that does TLS before it; repeatable.")
    ] = None,
) -> None:
    """Serve the API until ^C: everything the bot does, for scripts and for the web page, to whoever has a token."""
    from manjha.app.cli.errors import say
    from manjha.app.jobs.dispatching import dispatcher_beside
    from manjha.app.observing.served import observed_api
    from manjha.app.serving.reach import reach_of
    from manjha.app.serving.server import listening, serve_until_told
    from manjha.app.settings import load_settings

    reach = reach_of(host, tls_cert, tls_key, tuple(proxy or ()))
    listener = listening(host, port)
    root = f"{reach.scheme}://{host}:{listener.getsockname()[1]}/api/v1"
    say(f"The API listens on {root}; it wants a token: manjha token create NAME\n^C ends it.")
    settings = load_settings()
    with observed_api(settings) as observed, dispatcher_beside(settings):
        serve_until_told(settings, listener, reach, observed)
