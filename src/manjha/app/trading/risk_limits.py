"""The limits of paper and live trading, from the settings of [risk] and [protections]."""

from collections.abc import Callable

from manjha.app.setting_sections import ProtectionSettings, RiskSettings
from manjha.app.settings import Settings
from manjha.domain.errors import SettingsError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS
from manjha.domain.money import RUPEE, Cash, Qty
from manjha.domain.orders import StrategyId
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import RateLimits
from manjha.risk.profit import ProfitRule
from manjha.risk.protections import CooldownPeriod, LowProfit, MaxDrawdown, Protection, StopLossGuard

FALL_PPM = 100
"""Millionths in a hundredth of a per cent."""


def control_limits(settings: Settings, strategy: StrategyId, find: Callable[[str], InstrumentId]) -> ControlLimits:
    """Return the controls that the settings ask for of a strategy; `find` resolves what people type.

    Raises `SettingsError` for a rate that the rules do not allow and for a protection or a profit rule of which a part
    is missing, and what `find` raises for an unknown instrument.
    """
    chosen = settings.risk
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
        profit=_profit(chosen, strategy),
        protections=_protections(settings.protections),
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


def _profit(chosen: RiskSettings, strategy: StrategyId) -> tuple[ProfitRule, ...]:
    """Return the rules of the account's day and of the strategy's, each if any part of it is set."""
    account = ProfitRule(
        stop=_cash(chosen.day_loss_max),
        target=_cash(chosen.day_profit_target),
        lock_at=_cash(chosen.profit_lock_at),
        floor=_cash(chosen.profit_floor),
        trail=_cash(chosen.profit_trail),
    )
    own = ProfitRule(
        strategy=strategy,
        stop=_cash(chosen.strategy_loss_max),
        target=_cash(chosen.strategy_profit_target),
        lock_at=_cash(chosen.strategy_profit_lock_at),
        floor=_cash(chosen.strategy_profit_floor),
        trail=_cash(chosen.strategy_profit_trail),
    )
    for name, rule in (("profit", account), ("strategy_profit", own)):
        if (rule.floor or rule.trail) and not rule.lock_at:
            raise SettingsError(
                f"risk.{name}_floor and risk.{name}_trail do nothing without risk.{name}_lock_at",
                hint=f"Set risk.{name}_lock_at to the profit in rupees from which some is locked in.",
            )
    # A rule of no strategy would be one of the account.
    rules = (account, own) if strategy else (account,)
    return tuple(rule for rule in rules if rule != ProfitRule(strategy=rule.strategy))


def _protections(chosen: ProtectionSettings) -> tuple[Protection, ...]:
    """Return the protections that are set, each whole."""
    found: list[Protection] = []
    if chosen.cooldown_s:
        found.append(CooldownPeriod(stop_ns=chosen.cooldown_s * SECOND_NS))
    if _is_set(chosen, "stop_guard"):
        trades, lookback_ns, stop_ns = _span(chosen, "stop_guard")
        alone = chosen.stop_guard_per_instrument
        found.append(StopLossGuard(lookback_ns=lookback_ns, trades=trades, stop_ns=stop_ns, per_instrument=alone))
    if _is_set(chosen, "low_profit"):
        trades, lookback_ns, stop_ns = _span(chosen, "low_profit")
        below = _cash(chosen.low_profit_below)
        found.append(LowProfit(lookback_ns=lookback_ns, trades=trades, stop_ns=stop_ns, profit=below))
    if _is_set(chosen, "drawdown"):
        trades, lookback_ns, stop_ns = _span(chosen, "drawdown")
        fall = _needed(chosen, "drawdown_fall") * FALL_PPM
        found.append(MaxDrawdown(lookback_ns=lookback_ns, trades=trades, stop_ns=stop_ns, fall_ppm=fall))
    return tuple(found)


def _is_set(chosen: ProtectionSettings, name: str) -> bool:
    """Tell whether any setting of a protection is set."""
    return any(getattr(chosen, one) for one in chosen.__struct_fields__ if one.startswith(f"{name}_"))


def _span(chosen: ProtectionSettings, name: str) -> tuple[int, int, int]:
    """Return of how many trades a protection is, how far it looks back and how long it pauses, in ns."""
    trades = _needed(chosen, f"{name}_trades")
    lookback_ns = _needed(chosen, f"{name}_lookback_s") * SECOND_NS
    return trades, lookback_ns, _needed(chosen, f"{name}_pause_s") * SECOND_NS


def _needed(chosen: ProtectionSettings, name: str) -> int:
    value: int | None = getattr(chosen, name)
    if value is None:
        kind = name.rpartition("_")[0].removesuffix("_lookback").removesuffix("_pause")
        raise SettingsError(
            f"protections.{name} is not set, but other settings of {kind} are: half a protection protects nothing",
            hint=f"Set protections.{name} too, or leave out all that begin with {kind}_.",
        )
    return value


def _cash(rupees: int | None) -> Cash:
    return Cash((rupees or 0) * RUPEE)
