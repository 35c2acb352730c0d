"""The limits of paper and live trading, from the settings of [risk]."""

from collections.abc import Callable

from manjha.app.settings import RiskSettings
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS
from manjha.domain.money import RUPEE, Cash, Qty
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import RateLimits
from manjha.risk.profit import ProfitRule


def control_limits(chosen: RiskSettings, find: Callable[[str], InstrumentId]) -> ControlLimits:
    """Return the controls that the settings ask for; `find` resolves what people type.

    Raises `SettingsError` for a rate that the rules do not allow, and what `find` raises for an unknown instrument.
    """
    names = [name.strip() for name in (chosen.instruments or "").split(",") if name.strip()]
    return ControlLimits(
        allowed=tuple(find(name) for name in names) if names else None,
        order_qty_max=Qty(chosen.order_qty_max or 0),
        order_value_max=_cash(chosen.order_value_max),
        open_value_max=_cash(chosen.open_value_max),
        instrument_value_max=_cash(chosen.instrument_value_max),
        gross_value_max=_cash(chosen.gross_value_max),
        net_value_max=_cash(chosen.net_value_max),
        collar_share=chosen.collar_share,
        collar_future=chosen.collar_future,
        collar_option=chosen.collar_option,
        price_age_max_ns=chosen.price_age_s * SECOND_NS,
        price_jump_max=chosen.price_jump_max,
        bad_prices_max=chosen.bad_prices_max,
        duplicate_ns=chosen.duplicate_s * SECOND_NS,
        entries_max=chosen.entries_max,
        entries_window_ns=chosen.entries_window_s * SECOND_NS,
        rejections_max=chosen.rejections_max,
        reject_cooldown_ns=chosen.reject_cooldown_s * SECOND_NS,
        orders_day_max=chosen.orders_day_max or 0,
        modifications_max=chosen.modifications_max,
        skipped_stop_ns=chosen.skipped_stop_s * SECOND_NS,
        rate=_rate(chosen),
        profit=_profit(chosen),
    )


def _rate(chosen: RiskSettings) -> RateLimits:
    return RateLimits(
        per_second=chosen.per_second,
        per_minute=chosen.per_minute,
        per_day=chosen.per_day,
        account_per_second=chosen.account_per_second,
        account_per_minute=chosen.account_per_minute,
        account_per_day=chosen.account_per_day,
        reserve=chosen.reserve,
        age_max_ns=chosen.entry_age_s * SECOND_NS,
    )


def _profit(chosen: RiskSettings) -> tuple[ProfitRule, ...]:
    """Return the rule of the account's day, if any part of it is set."""
    rule = ProfitRule(
        stop=_cash(chosen.day_loss_max),
        target=_cash(chosen.day_profit_target),
        lock_at=_cash(chosen.profit_lock_at),
        floor=_cash(chosen.profit_floor),
        trail=_cash(chosen.profit_trail),
    )
    return (rule,) if rule != ProfitRule() else ()


def _cash(rupees: int | None) -> Cash:
    return Cash((rupees or 0) * RUPEE)
