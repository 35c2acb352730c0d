"""Limits that a user sets. Zero means no limit of that kind."""

import msgspec

from manjha.domain.money import Cash


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Pre-trade limits of one account. Amounts in 1e-4 rupee.

    Exits are never refused by a limit. `day_loss_max` counts realised and unrealised profit since the session
    opened, charges included; when it is reached, entries are refused for the rest of the day.
    """

    order_value_max: Cash = Cash(0)
    position_value_max: Cash = Cash(0)
    day_loss_max: Cash = Cash(0)
    open_orders_max: int = 200
    slices_max: int = 10
