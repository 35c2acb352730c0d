"""What the controls of an account hold orders to. One frozen value; where it is absent there are no controls."""

from collections.abc import Mapping

import msgspec

from manjha.domain.errors import SettingsError
from manjha.domain.instrument import Instrument, InstrumentId, Kind
from manjha.domain.moments import MINUTE_NS, SECOND_NS
from manjha.domain.money import Cash, Px, Qty
from manjha.risk.governor import RateLimits
from manjha.risk.profit import ProfitRule
from manjha.risk.protections import Protection


class ControlLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the control set (RELIABILITY section 7). Amounts in 1e-4 rupee, times in ns; zero is no limit.

    What only closes a position is held to none of them but the rate, the number of modifications and the kill switch.

    Attributes
    ----------
    allowed
        In which instruments positions may be opened; None for every one of the run.
    order_qty_max, order_value_max
        Of one order.
    open_value_max, instrument_value_max, gross_value_max, net_value_max
        In the worst case of all that is open or unconfirmed: the value of open entries; exposure in one instrument;
        of the account, long and short added up; of the account, long against short.
    collar_share, collar_future, collar_option, collar_min
        How far from the last good price a price of an entry may be: in 1e-4 of it, and at least that many 1e-4 rupee.
    price_age_max_ns
        How old the last good price may be when an entry is checked.
    price_jump_max, bad_prices_max
        A price that is further from the last good one of the day, in 1e-4 of it, is not good (options excepted); after
        so many in a row the instrument is frozen.
    duplicate_ns
        An entry like one before (strategy, instrument, side, quantity, prices) is refused for so long.
    entries_max, entries_window_ns
        Entries of a strategy in an instrument within a window; one more pauses the strategy for the day.
    rejections_max, reject_cooldown_ns
        Rejections in a row that pause the strategy for the day; how long after one the same strategy, instrument and
        side opens nothing.
    orders_day_max
        Orders of the account in a day, exits counted.
    modifications_max
        Of one order; an exit's quantity may follow its position for five more, up to the broker's 25.
    skipped_stop_ns
        How long a stop that closes something may stay unfilled at a broker after a close has passed its trigger.
    rate
        How fast commands leave; None for at once.
    profit, protections
        When the day's profit ends trading; when trades that ended badly pause it.
    """

    allowed: tuple[InstrumentId, ...] | None = None
    order_qty_max: Qty = Qty(0)
    order_value_max: Cash = Cash(0)
    open_value_max: Cash = Cash(0)
    instrument_value_max: Cash = Cash(0)
    gross_value_max: Cash = Cash(0)
    net_value_max: Cash = Cash(0)
    collar_share: int = 200
    collar_future: int = 200
    collar_option: int = 2_000
    collar_min: Px = Px(5_000)
    price_age_max_ns: int = 5 * SECOND_NS
    price_jump_max: int = 2_000
    bad_prices_max: int = 3
    duplicate_ns: int = 2 * SECOND_NS
    entries_max: int = 5
    entries_window_ns: int = 5 * MINUTE_NS
    rejections_max: int = 3
    reject_cooldown_ns: int = 10 * SECOND_NS
    orders_day_max: int = 0
    modifications_max: int = 20
    skipped_stop_ns: int = 10 * SECOND_NS
    rate: RateLimits | None = RateLimits()
    profit: tuple[ProfitRule, ...] = ()
    protections: tuple[Protection, ...] = ()


NO_LIMITS = ControlLimits(
    collar_share=0, collar_future=0, collar_option=0, price_age_max_ns=0, price_jump_max=0, bad_prices_max=0,
    duplicate_ns=0, entries_max=0, rejections_max=0, reject_cooldown_ns=0, modifications_max=0,
    skipped_stop_ns=0, rate=None,
)  # fmt: skip
"""Controls that hold nothing back but by the kill switch, freezes and self-trades."""

LIVE: Mapping[str, str] = {
    "allowed": "the instruments that may be traded",
    "order_qty_max": "the largest quantity of one order",
    "order_value_max": "the largest value of one order",
    "open_value_max": "the largest value of all open entries",
    "instrument_value_max": "the largest exposure in one instrument",
    "gross_value_max": "the largest gross exposure",
    "net_value_max": "the largest net exposure",
    "collar_share": "how far a share's price may be from the last one",
    "collar_future": "how far a future's price may be from the last one",
    "collar_option": "how far an option's price may be from the last one",
    "price_age_max_ns": "how old the last price may be",
    "price_jump_max": "how far a good price may be from the one before",
    "bad_prices_max": "how many bad prices freeze an instrument",
    "duplicate_ns": "how long the same order is refused",
    "entries_max": "how many entries a window may have",
    "rejections_max": "how many rejections pause a strategy",
    "reject_cooldown_ns": "how long after a rejection nothing like it is sent",
    "orders_day_max": "how many orders a day may have",
    "modifications_max": "how often an order may be modified",
    "skipped_stop_ns": "how long a stop that was jumped over may stay unfilled",
    "rate": "how fast commands may leave",
}
"""What real money must not be traded without, and what it is."""

SETTING_OF: Mapping[str, str] = {
    "allowed": "instruments",
    "price_age_max_ns": "price_age_s",
    "duplicate_ns": "duplicate_s",
    "reject_cooldown_ns": "reject_cooldown_s",
    "skipped_stop_ns": "skipped_stop_s",
    "rate": "per_second",
}
"""What a limit is called in `[risk]`, where people set it, if it is called otherwise there."""


def require_live_limits(limits: ControlLimits) -> None:
    """Raise `SettingsError`, naming each, where a limit is missing that real money must not be traded without.

    The account needs a loss that ends its day, too: a `profit` rule of the account with a `stop`.
    """
    missing = [f"{SETTING_OF.get(name, name)} ({what})" for name, what in LIVE.items() if not getattr(limits, name)]
    if not any(rule.stop and not rule.strategy for rule in limits.profit):
        missing.append("day_loss_max (the loss that ends the account's day)")
    if missing:
        raise SettingsError(
            f"trading with real money needs {len(missing)} more limits: {'; '.join(missing)}",
            hint="Set each in [risk] of manjha.toml; none has a default there, because only you know your account.",
        )


def collar_of(limits: ControlLimits, instrument: Instrument) -> int:
    """Return how far a price of an instrument may be from the last one, in 1e-4 of it; 0 for no collar."""
    if instrument.kind is Kind.OPTION:
        return limits.collar_option
    return limits.collar_future if instrument.kind is Kind.FUTURE else limits.collar_share


def collar_distance(limits: ControlLimits, instrument: Instrument, px: int) -> int:
    """Return how far a price may be from the last good one, in 1e-4 rupee."""
    return max(px * collar_of(limits, instrument) // 10_000, limits.collar_min)
