"""Real money is not traded while a limit is missing; the settings give what they say."""

from pathlib import Path

import msgspec
import pytest

from manjha.app.bootstrap import control_limits
from manjha.app.risk_limits import control_limits as from_settings
from manjha.app.settings import RiskSettings, load_settings
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.money import RUPEE
from manjha.risk.control_limits import LIVE, ControlLimits, require_live_limits
from manjha.risk.profit import ProfitRule

WHOLE = RiskSettings(
    instruments="NSE:ALPHA, NSE:BETA,", order_qty_max=100, order_value_max=200_000, open_value_max=300_000,
    instrument_value_max=400_000, gross_value_max=500_000, net_value_max=450_000, day_loss_max=10_000,
    orders_day_max=500,
)  # fmt: skip


def limits() -> ControlLimits:
    return from_settings(WHOLE, InstrumentId)


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
    with pytest.raises(SettingsError, match=rf"needs 1 more limits: {name} \(") as refused:
        require_live_limits(missing)
    assert "[risk]" in refused.value.hint


def test_a_loss_that_ends_the_accounts_day_is_needed() -> None:
    for profit in ((), (ProfitRule(target=limits().profit[0].stop),)):
        with pytest.raises(SettingsError, match="profit"):
            require_live_limits(msgspec.structs.replace(limits(), profit=profit))


def test_the_defaults_are_not_enough_and_everything_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        require_live_limits(from_settings(RiskSettings(), InstrumentId))
    assert "needs 9 more limits" in refused.value.message


@pytest.mark.failure("F55")
def test_a_rate_above_the_regulation_is_refused_as_a_setting(tmp_path: Path) -> None:
    settings = load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_RISK_PER_SECOND": "11"})
    with pytest.raises(SettingsError, match="at most 10, was 11"):
        control_limits(settings)


def test_an_instrument_that_is_not_known_is_refused(tmp_path: Path) -> None:
    settings = load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_RISK_INSTRUMENTS": "NSE:NOSUCH"})
    with pytest.raises(UsageError, match="NOSUCH"):
        control_limits(settings)


@pytest.mark.parametrize("value", ["0", "-5", "1.5", "much"])
def test_a_limit_that_is_no_whole_number_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match=r"risk\.order_qty_max must be a whole number of at least 1"):
        load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_RISK_ORDER_QTY_MAX": value})
