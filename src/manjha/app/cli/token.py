"""`manjha token`: personal access tokens of the API."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tokens that let programs use the API.")


@app.callback()
def token() -> None:
    """Tokens that let programs use the API."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for, like dashboard.")],
    *,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="read, trade, admin or hook; repeatable.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long it is good.")] = 90,
) -> None:
    """Make a token and show it, once: it is kept nowhere."""
    from manjha.app.bootstrap import system_clock, unit_of_work
    from manjha.app.cli.errors import say
    from manjha.app.settings import load_settings
    from manjha.domain.errors import UsageError
    from manjha.domain.moments import DAY_NS, TsNs
    from manjha.services.identity.caller import Scope
    from manjha.services.identity.tokens import make_token

    try:
        scopes = frozenset(map(Scope, scope or ["read"]))
    except ValueError:
        raise UsageError(f"--scope expects read, trade, admin or hook, was {' '.join(scope or ())!r}") from None
    now_ns = system_clock().now_ns()
    made = make_token(unit_of_work(load_settings()), name, scopes, now_ns, TsNs(now_ns + days * DAY_NS))
    say(f"The token {name} lets {', '.join(sorted(scopes))} for {days} days. It is not shown again:")
    print(made)
