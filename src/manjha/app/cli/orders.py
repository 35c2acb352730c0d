"""`manjha orders`: the day's orders of the account at Kite, whoever placed them."""

import typer

from manjha.app.cli.account import Json, Row, read, show

app = typer.Typer(add_completion=False)


@app.command()
def orders(*, json: Json = False) -> None:
    """Show the day's orders of the account at Kite, whoever placed them."""
    from manjha.adapters.kite.account import order_rows
    from manjha.adapters.kite.mapping import OrderRow, px_of
    from manjha.domain.money import format_px

    def row_of(one: OrderRow) -> Row:
        return {
            "time": (one.order_timestamp or "")[11:], "order": one.order_id,
            "instrument": f"{one.exchange}:{one.tradingsymbol}", "side": one.transaction_type,
            "qty": one.quantity, "filled": one.filled_quantity, "product": one.product, "type": one.order_type,
            "price": format_px(px_of(one.price)), "trigger": format_px(px_of(one.trigger_price)),
            "average": format_px(px_of(one.average_price)), "status": one.status, "tag": one.tag or "",
            "reason": one.status_message or "",
        }  # fmt: skip

    show([row_of(one) for one in read(order_rows)], "No order was placed today.", as_json=json)
