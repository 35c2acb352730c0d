"""The page of the controls says what the code does: which there are, their defaults, and which are needed."""

import re

import msgspec

from manjha.app.setting_sections import RiskSettings
from manjha.domain.kill import KillLevel, level_name
from manjha.risk.control_checks import CHECKS
from manjha.risk.control_limits import LIVE, ControlLimits
from manjha.risk.governor import RateLimits
from tests.integration.test_docs_true import table_rows, text_of

PAGE = text_of("risk.md")


def test_the_table_has_every_control_in_the_order_of_evaluation() -> None:
    rows = table_rows(PAGE.split("## The kill switch")[0], 5)
    named = [row[1].strip("`") for row in rows if row[1].strip("`") in CHECKS]
    assert named == list(CHECKS)


def test_the_table_names_every_limit_and_says_which_live_trading_needs() -> None:
    limits = {field.name for field in msgspec.structs.fields(ControlLimits)}
    shown = set(re.findall(r"`(\w+)`", PAGE.split("## The kill switch")[0]))
    assert limits - {"rate", "profit", "protections"} <= shown
    needed = {row[3].strip("`") for row in table_rows(PAGE, 5) if row[4].startswith("none:")}
    assert needed == {name for name in LIVE if not getattr(ControlLimits(), name)}


def test_the_page_has_every_level_and_the_rates() -> None:
    levels = [row[0].strip("`") for row in table_rows(PAGE, 6)[1:]]
    assert levels == [level_name(level) for level in KillLevel if level]
    rate, rates = RateLimits(), PAGE.split("## The rate of orders")[1]
    shown = [[int(cell.replace(",", "")) for cell in row[1:3]] for row in table_rows(rates, 4)[1:]]
    assert shown == [
        [rate.per_second, rate.account_per_second],
        [rate.per_minute, rate.account_per_minute],
        [rate.per_day, rate.account_per_day],
    ]


def test_the_settings_have_the_defaults_of_the_controls() -> None:
    settings, limits, rate = RiskSettings(), ControlLimits(), RateLimits()
    for name in ("collar_share", "collar_future", "collar_option", "price_jump_max", "bad_prices_max", "entries_max"):
        assert getattr(settings, name) == getattr(limits, name)
    for name in ("rejections_max", "modifications_max"):
        assert getattr(settings, name) == getattr(limits, name)
    for name in ("per_second", "per_minute", "per_day", "account_per_second", "account_per_minute", "account_per_day"):
        assert getattr(settings, name) == getattr(rate, name)
    assert settings.reserve == rate.reserve
    assert settings.price_age_s * 10**9 == limits.price_age_max_ns
    assert settings.duplicate_s * 10**9 == limits.duplicate_ns
    assert settings.entries_window_s * 10**9 == limits.entries_window_ns
    assert settings.reject_cooldown_s * 10**9 == limits.reject_cooldown_ns
    assert settings.entry_age_s * 10**9 == rate.age_max_ns
