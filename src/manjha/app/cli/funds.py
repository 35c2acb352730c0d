"""`manjha funds`: the money of the account at Kite."""

import typer

from manjha.app.cli.account import Json, Row, read, show

app = typer.Typer(add_completion=False)


@app.command()
def funds(*, json: Json = False) -> None:
    """Show the money of the account at Kite, one row for each of its ledgers."""
    from manjha.adapters.kite.account import Funds
    from manjha.adapters.kite.account import funds as ledgers
    from manjha.domain.money import format_cash

    def row_of(one: Funds) -> Row:
        amounts = {
            "net": one.net,
            "cash": one.cash,
            "collateral": one.collateral,
            "paid in": one.payin,
            "used": one.used,
        }
        return {"segment": one.segment} | {name: format_cash(amount) for name, amount in amounts.items()}

    show([row_of(one) for one in read(ledgers)], "The account has no ledger.", as_json=json)
