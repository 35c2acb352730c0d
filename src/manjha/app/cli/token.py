"""`manjha token`: personal access tokens of the API."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from manjha.domain.identity import ApiToken
    from manjha.services.identity.tokens import Made, Tokens

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tokens that let programs use the API.")

Which = Annotated[str, typer.Argument(help="The id of the token, or its name.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for, like dashboard.")],
    *,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="read, trade, admin or hook; repeatable.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long it is good.")] = 90,
    address: Annotated[
        list[str] | None, typer.Option("--address", help="Only from here, like 10.0.0.0/8; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a token and show it, once: it is kept nowhere."""
    from manjha.app.bootstrap import whoever
    from manjha.domain.errors import UsageError
    from manjha.services.identity.caller import Scope
    from manjha.services.identity.tokens import Wanted

    try:
        scopes = frozenset(map(Scope, scope or ["read"]))
    except ValueError:
        raise UsageError(
            f"--scope expects read, trade, admin or hook, was {' '.join(scope or ())!r}", hint="Correct it."
        ) from None
    wanted = Wanted(name=name, scopes=scopes, days=days, addresses=tuple(address or ()))
    _show(_tokens().make(wanted, whoever()), as_json=json)


@app.command("list")
def list_(*, json: Json = False) -> None:
    """List the tokens, also those that are over: what each may, how long, when it was used last."""
    from manjha.app.bootstrap import system_clock
    from manjha.app.cli.output import print_json, print_table

    now = system_clock().now_ns()
    found = [_told(each, now) for each in _tokens().tokens()]
    if json:
        print_json(found)
        return
    if not found:
        print("no tokens; `manjha token create NAME` makes one")
        return
    names = ("id", "name", "scopes", "state", "expires", "used")
    print_table(
        names, [[" ".join(one["scopes"]) if name == "scopes" else one[name] or "-" for name in names] for one in found]
    )


@app.command()
def rotate(
    which: Which,
    *,
    overlap: Annotated[
        int, typer.Option("--overlap", min=0, max=168, help="Hours that the old one is good beside the new one.")
    ] = 24,
    json: Json = False,
) -> None:
    """Make another token in place of one, with the same name and scopes, and show it once."""
    from manjha.app.bootstrap import whoever
    from manjha.domain.moments import HOUR_NS

    tokens = _tokens()
    _show(tokens.rotate(tokens.find(which).id, whoever(), overlap_ns=overlap * HOUR_NS), as_json=json)


@app.command()
def revoke(which: Which, *, json: Json = False) -> None:
    """End a token: within a second nobody is let in by it, and streams that it has opened are closed."""
    from manjha.app.bootstrap import whoever
    from manjha.app.cli.output import print_json

    tokens = _tokens()
    found = tokens.revoke(tokens.find(which).id, whoever())
    if json:
        print_json({"id": found.id, "name": found.name})
    else:
        print(f"The token {found.name} ({found.id}) is revoked.")


def _tokens() -> "Tokens":
    from manjha.app.serving.access import access_to
    from manjha.app.settings import load_settings

    return access_to(load_settings())[0].tokens


def _show(made: "Made", *, as_json: bool) -> None:
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.domain.moments import format_ts

    token = made.token
    until = format_ts(token.expires_ns or 0)
    if as_json:
        print_json({"id": token.id, "name": token.name, "scopes": token.scopes, "expires": until, "token": made.text})
        return
    say(f"The token {token.name} lets {', '.join(token.scopes)} until {until[:16].replace('T', ' ')}.")
    say("It is not shown again:")
    print(made.text)


def _told(token: "ApiToken", now_ns: int) -> dict[str, Any]:
    from manjha.domain.moments import format_ts

    state = "revoked" if token.revoked_ns is not None else "over" if token.is_over(now_ns) else "valid"
    if state == "valid" and token.replaced_by is not None:
        state = "rotated"
    return {
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "addresses": token.addresses,
        "state": state,
        "created": format_ts(token.created_ns),
        "expires": format_ts(token.expires_ns) if token.expires_ns else None,
        "used": format_ts(token.used_ns) if token.used_ns else None,
    }
