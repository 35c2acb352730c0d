"""`manjha doctor`: is everything there that trading at Kite needs?"""

from typing import Annotated

import typer

from manjha.app.cli.errors import FAULTY, OK

app = typer.Typer(add_completion=False)


@app.command()
def doctor(
    *,
    account: Annotated[str, typer.Option("--account", help="Which account is to be traded.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Look at everything that trading at Kite needs; no order is sent. Exit code 1 where something fails."""
    import asyncio
    import os

    from manjha.app.cli.output import print_json
    from manjha.app.kite.doctor import doctor as looked_at
    from manjha.app.kite.doctor import is_well
    from manjha.app.settings import load_settings

    lines = asyncio.run(looked_at(load_settings(), account, os.environ))
    if json:
        print_json([{"check": one.name, "is": one.health, "found": one.found, "remedy": one.remedy} for one in lines])
    else:
        width = max(len(one.name) for one in lines)
        for one in lines:
            print(f"{one.health:4}  {one.name:{width}}  {one.found}")
            if one.remedy:
                print(f"{'':4}  {'':{width}}  try: {one.remedy}")
    raise typer.Exit(OK if is_well(lines) else FAULTY)
