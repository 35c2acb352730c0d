"""Real files of the exchange through the whole path: archive, format, calendar, store."""

import itertools
from pathlib import Path

import pytest

from manjha.app.bootstrap import data_services
from manjha.app.settings import load_settings
from manjha.domain.bars import DAY, MINUTE
from manjha.domain.moments import at, day_of, parse_day
from manjha.services.data_jobs import import_paths
from manjha.services.gaps import gaps

AUGUST = (parse_day("2016-08-12"), parse_day("2016-09-12"))


@pytest.mark.slow
def test_a_month_of_bhavcopies_twice(shared: Path) -> None:
    services = data_services(load_settings())
    folder = shared / "data" / "bhavcopy" / "nse_cm_old"
    first = import_paths(services, [folder])
    assert (first.failed, sum(report.conflicting for report in first.files)) == (0, 0)
    again = import_paths(services, [folder])
    assert {report.outcome for report in again.files} == {"unchanged"}
    assert sum(report.unchanged for report in again.files) == sum(report.added for report in first.files) > 30_000
    assert services.store.verify() == []
    reliance = services.instruments.find("reliance")
    held = gaps(services.store, services.rules, reliance, DAY, AUGUST)
    assert held.days - held.missing_days == 20


@pytest.mark.slow
def test_stock_minutes_agree_with_the_bhavcopy_of_their_days(shared: Path) -> None:
    services = data_services(load_settings())
    data = shared / "data"
    days = sorted((data / "bhavcopy" / "nse_cm_old").glob("cm*AUG2016*"))[-5:]
    import_paths(services, [*days, data / "minute" / "stocks_2016" / "raw" / "RELIANCE.csv"])
    name = services.instruments.find("NSE:RELIANCE").id
    span = (at(AUGUST[0], 0), at(AUGUST[1] + 1, 0))
    daily = services.store.read(name, DAY, *span)
    minutes = services.store.read(name, MINUTE, *span)
    rows = itertools.groupby(range(len(minutes)), key=lambda row: day_of(minutes.ts_open_ns[row]))
    by_day = {day: [minutes.bar(row) for row in found] for day, found in rows}
    held = [daily.bar(row) for row in range(len(daily))]
    compared = [(day, by_day[day_of(day.ts_open_ns)]) for day in held if day_of(day.ts_open_ns) in by_day]
    assert len(compared) == 5
    for day, bars in compared:
        assert day.low <= min(bar.low for bar in bars) <= max(bar.high for bar in bars) <= day.high
        assert bars[-1].ts_close_ns == day.ts_close_ns
