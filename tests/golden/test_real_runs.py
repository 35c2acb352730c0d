"""Backtests on real data, imported from the files as they are: fingerprints of orders and final equity."""

import json
from pathlib import Path

import numpy as np
import pytest

import manjha
from manjha.app.bootstrap import action_file, data_services, instrument_book
from manjha.app.settings import load_settings
from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import parse_day
from manjha.domain.money import format_cash
from manjha.ports.market_data import ImportHints
from manjha.research.result import BacktestResult, order_list_hash
from manjha.services.data_jobs import Terms, import_paths

GOLDEN = json.loads((Path(__file__).parent / "real_runs.json").read_text(encoding="utf-8"))
"""Made by running the tests and reading what they say; a change is a change of trading and needs a reason."""


def bring_in(*paths: Path, instrument: str = "") -> None:
    summary = import_paths(data_services(load_settings()), paths, Terms(hints=ImportHints(instrument=instrument)))
    assert not summary.failed


def known(name: str) -> Instrument:
    return instrument_book(load_settings()).find(name)


def check(name: str, result: BacktestResult) -> None:
    found = {"orders": order_list_hash(result), "final": format_cash(result.final), "fills": len(result.fills)}
    assert found == GOLDEN[name]


def test_minutes_of_2016_agree_with_the_days_files_and_backtest_to_the_same_orders(shared: Path) -> None:
    bring_in(shared / "data/minute/stocks_2016/raw/INFY.csv", shared / "data/bhavcopy/nse_cm_old")
    minutes, daily = manjha.load_bars("NSE:INFY", "1m"), manjha.load_bars("NSE:INFY", "1d", end="2016-12-31")
    opens = np.asarray(minutes.ts_open_ns)
    near = []
    for row in range(len(daily)):
        inside = (opens >= daily.ts_open_ns[row]) & (opens < daily.ts_close_ns[row])
        if inside.any():
            high, low = np.asarray(minutes.high)[inside].max(), np.asarray(minutes.low)[inside].min()
            near.append(abs(high / daily.high[row] - 1) < 0.01 and abs(low / daily.low[row] - 1) < 0.01)
    assert len(near) >= 15
    assert all(near)
    check("infy 2016", manjha.backtest("opening-range-breakout", "NSE:INFY", interval="5m", size="capital:0.9"))


def test_an_index_of_2021_through_its_stand_in(shared: Path) -> None:
    bring_in(shared / "data/minute/index/NIFTY50_1m_2021-01_2022-06.parquet", instrument="NSE:NIFTY 50")
    terms = {"interval": "5m", "start": "2021-01-01", "end": "2021-12-31", "cash": "1cr", "size": "qty:75"}
    with pytest.raises(UsageError, match="cannot be bought"):
        manjha.backtest("nifty-intraday-trend", "NSE:NIFTY 50", **terms)
    result = manjha.backtest("nifty-intraday-trend", "NSE:NIFTY 50", index_proxy=True, **terms)
    assert any("no volume" in warning for warning in result.warnings)
    check("nifty 2021", result)


def test_a_bonus_changes_what_is_held_and_not_what_it_is_worth(shared: Path) -> None:
    bring_in(shared / "data/daily/nifty50_2000_2020_unadjusted/INFY.csv")
    terms = {"start": "2018-08-01", "end": "2018-10-31", "slippage": "none"}
    naive = manjha.backtest("buy-and-hold", "NSE:INFY", **terms)
    bonus = CorporateAction(
        known("NSE:INFY").id, parse_day("2018-09-04"), ActionKind.BONUS, 2, 1, known_day=parse_day("2018-07-13")
    )
    action_file(load_settings()).put([bonus])
    told = manjha.backtest("buy-and-hold", "NSE:INFY", **terms)
    assert naive.final < naive.initial * 6 // 10
    assert told.final > told.initial * 9 // 10
    assert [(change.qty_before * 2, change.reason) for change in told.adjustments] == [
        (told.adjustments[0].qty_after, "bonus")
    ]
    check("infy bonus", told)
