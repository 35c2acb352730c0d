"""`manjha secret`: keep secrets, read one, list their names, change the key that seals them."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manjha.domain.secret import Secret

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Keep the secrets of this MANJHA_HOME.")

VALUE_MAX = 65_536
"""Characters of a value: a file of credentials is one."""
Name = Annotated[str, typer.Argument(help="Its name, like kite.api_secret.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command("set")
def set_secret(
    name: Name,
    *,
    where: Annotated[
        str, typer.Option("--in", help="keyring, vault or file; the last of those that are used, unless given.")
    ] = "",
    json: Json = False,
) -> None:
    """Keep a secret, in place of the one before. Its value is asked for, or read from stdin; it is no argument."""
    from manjha.app.cli.output import print_json
    from manjha.app.secret_stores import require_seal, stores
    from manjha.app.settings import load_settings
    from manjha.ports.secret_store import require_name

    require_name(name)
    settings = load_settings()
    found = stores(settings)
    store = found.named(where) if where else found.chain
    if not where:
        require_seal(settings)
    store.put(name, _value(name))
    kept = store.name if where else found.last.name
    if json:
        print_json({"name": name, "kept_in": kept})
    else:
        print(f"{name} is kept in {kept}.")


@app.command("get")
def get_secret(
    name: Name,
    *,
    show: Annotated[bool, typer.Option("--show", help="Show it without asking first.")] = False,
    json: Json = False,
) -> None:
    """Show a secret on stdout, after a question at the terminal or with --show. Exit code 1 where there is none."""
    from manjha.app.cli.errors import FAULTY, say
    from manjha.app.cli.output import print_json
    from manjha.app.secret_stores import stores
    from manjha.app.settings import load_settings
    from manjha.ports.secret_store import require_name

    require_name(name)
    found = stores(load_settings())
    place = next((store for store in found if store is not None and store.get(name) is not None), None)
    if place is None:
        say(f"There is no secret {name}.")
        raise typer.Exit(FAULTY)
    if not show:
        _confirm(name)
    value = place.get(name)
    text = "" if value is None else value.reveal()
    if json:
        print_json({"name": name, "value": text, "found_in": place.name})
    else:
        print(text)


@app.command("list")
def list_secrets(*, json: Json = False) -> None:
    """List the names and where each is, never a value. Variables of the environment are not listed."""
    from manjha.app.cli.output import print_json, print_table
    from manjha.app.secret_stores import stores
    from manjha.app.settings import load_settings

    found = stores(load_settings())
    rows = [(name, store.name) for store in found if store is not None for name in store.names()]
    if json:
        print_json([{"name": name, "kept_in": kept} for name, kept in rows])
    elif rows:
        print_table(("name", "kept in"), rows)
    else:
        print("No secret is kept.")


@app.command("rotate")
def rotate_key(
    *,
    overlap_hours: Annotated[
        int | None,
        typer.Option("--overlap-hours", min=0, max=168, help="How long the key before opens the file; 0 ends it now."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a new key of the sealed file and seal everything with it; whoever runs goes on.

    A key that you keep yourself (MANJHA_SEAL_KEY) is shown on stdout, once.
    """
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.app.secret_stores import SEAL_KEY, rotate
    from manjha.app.settings import load_settings

    settings = load_settings()
    hours = settings.secrets.overlap_hours if overlap_hours is None else overlap_hours

    def show(key: "Secret") -> None:
        # Written through before the key before is let go of; a document of JSON says it at its end.
        if not json:
            print(key.reveal(), flush=True)

    done = rotate(settings, hours, show)
    if json:
        key = None if done.key is None else done.key.reveal()
        print_json({"secrets": done.secrets, "key": key, "keeper": done.keeper, "overlap_hours": hours})
    say(f"{done.secrets} secrets are sealed with a new key, kept by {done.keeper}.")
    if done.key is not None:
        until = f"The key before opens the file for {hours} h more." if hours else "The key before opens nothing now."
        say(f"Put it where your passwords are, and into {SEAL_KEY} wherever a process starts. {until}")


def _value(name: str) -> "Secret":
    """Return what a person types unseen, or what stdin brings, one line end taken off."""
    from manjha.domain.errors import UsageError
    from manjha.domain.secret import Secret

    if sys.stdin.isatty():
        return Secret(typer.prompt(f"The value of {name}", hide_input=True, confirmation_prompt=True, err=True))
    try:
        text = sys.stdin.read(VALUE_MAX + 1)
    except UnicodeDecodeError:
        raise UsageError("a value in UTF-8 was expected on stdin", hint="Nothing was changed.") from None
    if len(text) > VALUE_MAX:
        raise UsageError(f"a value has at most {VALUE_MAX:,} characters", hint="Nothing was changed.")
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def _confirm(name: str) -> None:
    from manjha.domain.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(f"{name} is shown at a terminal only", hint="Give --show where a program is to read it.")
    if not typer.confirm(f"Show {name} on this screen?", err=True):
        raise typer.Exit(0)
