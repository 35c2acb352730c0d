"""Real money is not traded while a limit is missing; the settings give what they say."""

import re
from pathlib import Path

import msgspec
import pytest

from manjha.app.bootstrap import control_limits
from manjha.app.setting_sections import ProtectionSettings, RiskSettings
from manjha.app.settings import Settings, load_settings
from manjha.app.trading.risk_limits import control_limits as from_settings
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import StrategyId
from manjha.risk.control_limits import LIVE, SETTING_OF, ControlLimits, require_live_limits
from manjha.risk.profit import ProfitRule
from manjha.risk.protections import CooldownPeriod, LowProfit, MaxDrawdown, StopLossGuard

NAME = StrategyId("s")

WHOLE = RiskSettings(
    instruments="NSE:ALPHA, NSE:BETA,", order_qty_max=100, order_value_max=200_000, open_value_max=300_000,
    instrument_value_max=400_000, gross_value_max=500_000, net_value_max=450_000, day_loss_max=10_000,
    orders_day_max=500,
)  # fmt: skip


def limits() -> ControlLimits:
    return from_settings(Settings(risk=WHOLE), NAME, InstrumentId)


def test_whole_settings_are_enough() -> None:
    found = limits()
    require_live_limits(found)
    assert found.allowed == ("NSE:ALPHA", "NSE:BETA")
    assert found.gross_value_max == 500_000 * RUPEE
    assert found.profit == (ProfitRule(stop=found.profit[0].stop),)
    assert found.profit[0].stop == 10_000 * RUPEE


@pytest.mark.failure("F55")
@pytest.mark.parametrize("name", list(LIVE))
def test_each_missing_limit_is_named(name: str) -> None:
    missing = msgspec.structs.replace(limits(), **{name: None if name in ("allowed", "rate") else 0})
    with pytest.raises(SettingsError, match=r"needs 1 more limits: (\w+) \(") as refused:
        require_live_limits(missing)
    assert "[risk]" in refused.value.hint
    (setting,) = re.findall(r"limits: (\w+)", refused.value.message)
    assert setting in {field.name for field in msgspec.structs.fields(RiskSettings)}
    assert setting == SETTING_OF.get(name, name)


def test_a_loss_that_ends_the_accounts_day_is_needed() -> None:
    for profit in ((), (ProfitRule(target=limits().profit[0].stop),)):
        with pytest.raises(SettingsError, match=r"1 more limits: day_loss_max \("):
            require_live_limits(msgspec.structs.replace(limits(), profit=profit))


def test_the_defaults_are_not_enough_and_everything_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        require_live_limits(from_settings(Settings(), NAME, InstrumentId))
    assert "needs 9 more limits" in refused.value.message


@pytest.mark.failure("F55")
def test_a_rate_above_the_regulation_is_refused_as_a_setting(tmp_path: Path) -> None:
    settings = load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_RISK_PER_SECOND": "11"})
    with pytest.raises(SettingsError, match="at most 10, was 11"):
        control_limits(settings, NAME)


def test_an_instrument_that_is_not_known_is_refused(tmp_path: Path) -> None:
    settings = load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_RISK_INSTRUMENTS": "NSE:NOSUCH"})
    with pytest.raises(UsageError, match="NOSUCH"):
        control_limits(settings, NAME)


@pytest.mark.parametrize("value", ["0", "-5", "1.5", "much"])
def test_a_limit_that_is_no_whole_number_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match=r"risk\.order_qty_max must be a whole number of at least 1"):
        load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_RISK_ORDER_QTY_MAX": value})


def test_each_protection_is_what_its_settings_say(tmp_path: Path) -> None:
    (tmp_path / "manjha.toml").write_text(
        "[protections]\ncooldown_s = 60\n"
        "stop_guard_trades = 4\nstop_guard_lookback_s = 3600\nstop_guard_pause_s = 1800\n"
        "stop_guard_per_instrument = true\n"
        "low_profit_trades = 2\nlow_profit_lookback_s = 7200\nlow_profit_pause_s = 900\nlow_profit_below = 50\n"
        "drawdown_trades = 20\ndrawdown_lookback_s = 86400\ndrawdown_pause_s = 43200\ndrawdown_fall = 250\n"
    )
    minute = 60 * SECOND_NS
    assert control_limits(load_settings({"MANJHA_HOME": str(tmp_path)}), NAME).protections == (
        CooldownPeriod(stop_ns=minute),
        StopLossGuard(lookback_ns=60 * minute, trades=4, stop_ns=30 * minute, per_instrument=True),
        LowProfit(lookback_ns=120 * minute, trades=2, stop_ns=15 * minute, profit=Cash(50 * RUPEE)),
        MaxDrawdown(lookback_ns=1440 * minute, trades=20, stop_ns=720 * minute, fall_ppm=25_000),
    )
    assert control_limits(Settings(), NAME).protections == ()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"stop_guard_per_instrument": True}, "stop_guard_trades"),
        ({"stop_guard_trades": 1, "stop_guard_lookback_s": 1}, "stop_guard_pause_s"),
        ({"low_profit_below": 5, "low_profit_trades": 1}, "low_profit_lookback_s"),
        ({"drawdown_trades": 1, "drawdown_lookback_s": 1, "drawdown_pause_s": 1}, "drawdown_fall"),
    ],
)
def test_half_a_protection_is_refused(given: dict[str, int], missing: str) -> None:
    with pytest.raises(SettingsError, match=f"protections.{missing} is not set") as refused:
        from_settings(Settings(protections=ProtectionSettings(**given)), NAME, InstrumentId)  # type: ignore[arg-type]
    assert f"Set protections.{missing} too" in refused.value.hint


def test_a_strategys_profit_has_a_rule_of_its_own_beside_the_accounts() -> None:
    chosen = RiskSettings(
        day_loss_max=9, strategy_loss_max=5, strategy_profit_target=8, strategy_profit_lock_at=4,
        strategy_profit_floor=2, strategy_profit_trail=1,
    )  # fmt: skip
    stop, target, lock_at, floor, trail = (Cash(one * RUPEE) for one in (5, 8, 4, 2, 1))
    assert from_settings(Settings(risk=chosen), NAME, InstrumentId).profit == (
        ProfitRule(stop=Cash(9 * RUPEE)),
        ProfitRule(strategy=NAME, stop=stop, target=target, lock_at=lock_at, floor=floor, trail=trail),
    )
    own = from_settings(Settings(risk=RiskSettings(strategy_loss_max=5)), NAME, InstrumentId).profit
    assert own == (ProfitRule(strategy=NAME, stop=stop),)
    assert control_limits(Settings(risk=RiskSettings(strategy_loss_max=5))).profit == ()


@pytest.mark.parametrize("name", ["profit", "strategy_profit"])
@pytest.mark.parametrize("part", ["floor", "trail"])
def test_a_lock_without_a_profit_to_begin_at_is_refused(name: str, part: str) -> None:
    chosen = msgspec.structs.replace(RiskSettings(), **{f"{name}_{part}": 5})
    with pytest.raises(SettingsError, match=f"do nothing without risk.{name}_lock_at"):
        from_settings(Settings(risk=chosen), NAME, InstrumentId)
