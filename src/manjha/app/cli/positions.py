"""`manjha positions`: what the account at Kite holds of today and yesterday."""

import typer

from manjha.app.cli.account import Json, Row, read, show

app = typer.Typer(add_completion=False)


@app.command()
def positions(*, json: Json = False) -> None:
    """Show the net positions of the account at Kite, in its units; what is flat now stays for the day."""
    from manjha.adapters.kite.account import HeldRow, held_rows
    from manjha.adapters.kite.mapping import cash_of, px_of
    from manjha.domain.money import format_px

    def row_of(one: HeldRow) -> Row:
        return {
            "instrument": f"{one.exchange}:{one.tradingsymbol}", "product": one.product, "qty": one.quantity,
            "average": format_px(px_of(one.average_price)), "last": format_px(px_of(one.last_price)),
            "profit": format_px(cash_of(one.pnl or 0.0)),
        }  # fmt: skip

    show([row_of(one) for one in read(held_rows)], "Nothing is held.", as_json=json)
