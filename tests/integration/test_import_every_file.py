"""Every file of the shared data is read as the format that it is, or refused with a sentence that helps."""

import fnmatch
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from manjha.adapters.files.archives import Archives
from manjha.adapters.formats.registry import import_bytes
from manjha.domain.errors import ManjhaError
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.ports.market_data import ImportHints

SHARE = "NSE:SHARE"
INDEX = "NSE:NIFTY BANK"
FUTURE = "NFO:NIFTY:2024-01-25:FUT"
REFUSED = "format is not known"

# pattern below data/, what --instrument is given, expected format or the words of the refusal; the first match counts.
EXPECTED = [
    ("bhavcopy/bse_old/*", "", "bse-cash-old"),
    ("bhavcopy/mcx/*", "", "mcx"),
    ("bhavcopy/nse_cm_old/*", "", "nse-cash-old"),
    ("bhavcopy/nse_fo_old/*", "", "nse-fo-old"),
    ("bhavcopy/nse_fo_udiff/*", "", "nse-fo-udiff"),
    ("bhavcopy/nse_fo_reports/fo14112025.zip!fo1*", "", "nse-fo-report"),
    ("bhavcopy/nse_fo_reports/fo14112025.zip!op1*", "", "nse-fo-report"),
    ("bhavcopy/nse_fo_reports/*", "", REFUSED),
    ("bhavcopy/nse_sec_bhavdata_full/*", "", "nse-cash-full"),
    ("bhavcopy/nse_pr_reports/*/sec_bhavdata_full*", "", "nse-cash-full"),
    ("bhavcopy/nse_pr_reports/*", "", REFUSED),
    ("bhavcopy/schema_samples*", "", REFUSED),
    ("daily/sec_bhavdata*", "", "nse-cash-full"),
    ("daily/raw_day_files/*", "", "nse-cash-full"),
    ("daily/kite_adjusted*", SHARE, "kite-csv"),
    ("daily/nifty50_2000_2020*", SHARE, "nse-nifty50-set"),
    ("daily/nse_site_history/*", SHARE, "nse-history"),
    ("daily/udf_json/*", SHARE, "tradingview-udf"),
    ("daily/yahoo_download_csv/*", SHARE, "yahoo-csv"),
    ("daily/yfinance_history/*", SHARE, "yfinance-history"),
    ("daily/*.csv", "", REFUSED),
    ("depth/futures*", "", "no expiry is told"),
    ("depth/*", "", REFUSED),
    ("dirty/JUBLFOOD*", "", "ohlcv"),
    ("dirty/NIFTYJUNIOR*", "", "only a header"),
    ("dirty/NIFTY_OptionChain*", "", REFUSED),
    ("dirty/RELCAPITAL*", SHARE, "ohlcv"),
    ("dirty/ZEEL*", SHARE, "ohlcv"),
    ("dirty/jaimarvel_data*", FUTURE, "--unit"),
    ("dirty/jaimarvel_futures*", FUTURE, "rows are bad"),
    ("dirty/ticks/*", SHARE, "ticks"),
    ("hourly/kite_60minute/*", SHARE, "kite-csv"),
    ("kite/instruments*", "", "kite-instruments"),
    ("kite/kiteconnect-mocks/instruments*", "", "kite-instruments"),
    ("kite/kiteconnect-mocks/historical*", SHARE, "kite-json"),
    ("kite/*", "", REFUSED),
    ("minute/index/raw_barend_txt/*", "", "ohlcv-headerless"),
    ("minute/index/*epoch*", INDEX, "ohlcv"),
    ("minute/index/*kite*", INDEX, "kite-csv"),
    ("minute/index/*.parquet", "", "ohlcv"),
    ("minute/nifty_2024-01*/nifty_future*", "", "no expiry is told"),
    ("minute/nifty_2024-01*/nifty_cash*", "", "ohlcv"),
    ("minute/stocks_2016/*", "", "ohlcv"),
    ("minute/stocks_2021_from_ticks/coverage*", "", REFUSED),
    ("minute/stocks_2021_from_ticks/*.parquet", "", "ohlcv"),
    ("minute/yfinance_5m*", "", "yfinance-download"),
    ("options/nifty_options_1m*", "", "ohlcv"),
    ("options/banknifty_oi*", "", "rows are bad"),
    ("options/multi_index_chain*", "", "rows are bad"),
    ("options/*", "", REFUSED),
    ("samples/*", "", REFUSED),
    ("ticks/*", SHARE, "ticks"),
    ("MANIFEST.csv", "", REFUSED),
    ("PROVENANCE.md", "", REFUSED),
]


def outcome(name: str, data: bytes, instrument: str) -> str:
    """Return the format, or the error as a person sees it. Anything but a `ManjhaError` fails the test."""
    try:
        imported = import_bytes(data, name, ImportHints(instrument=instrument))
    except ManjhaError as error:
        return str(error)
    counted = sum(len(batch.close) for batch in imported.batches) + imported.bad_rows
    assert max(counted, len(imported.instruments)) > 0
    assert counted <= imported.rows
    return imported.format


@pytest.mark.parametrize("folder", ["bhavcopy", "daily", "depth", "dirty", "hourly", "kite", "minute", "options",
                                    "samples", "ticks", "MANIFEST.csv", "PROVENANCE.md"])  # fmt: skip
def test_every_file_is_read_as_what_it_is_or_refused(shared: Path, folder: str) -> None:
    root = shared / "data"
    seen, wrong = 0, []
    for name, data in Archives().open_all([root / folder]):
        inside = name.removeprefix(f"{root}/")
        _, instrument, expected = next(row for row in EXPECTED if fnmatch.fnmatch(inside, row[0]))
        found = outcome(inside, data, instrument)
        seen += 1
        if not (found == expected or (expected not in FORMAT_NAMES and expected in found)):
            wrong.append((inside, expected, found))
    assert seen > 0
    assert wrong == []


FORMAT_NAMES = {expected for _, _, expected in EXPECTED if " " not in expected and not expected.startswith("--")}


def by_day(shared: Path) -> pl.DataFrame:
    """Return the day's high, low and volume of each share by the minutes of 2016."""
    file = shared / "data/minute/stocks_2016/equities_1m_2016-08-16_2016-09-09.parquet"
    (batch,) = import_bytes(file.read_bytes(), file.name).batches
    symbols = pl.Series([one.symbol for one in batch.instruments])
    frame = pl.DataFrame(
        {
            "symbol": symbols.gather(np.asarray(batch.instrument)),
            "day": (np.asarray(batch.ts_open_ns) + IST_OFFSET_NS) // DAY_NS,
            "high": np.asarray(batch.high),
            "low": np.asarray(batch.low),
            "volume": np.asarray(batch.volume),
        }
    )
    return frame.group_by("symbol", "day").agg(pl.col("high").max(), pl.col("low").min(), pl.col("volume").sum())


def published(shared: Path) -> pl.DataFrame:
    """Return the same from the exchange's files of those days."""
    rows = []
    for name, data in Archives().open_all(sorted((shared / "data/bhavcopy/nse_cm_old").glob("cm*2016bhav.csv*"))):
        imported = import_bytes(data, name)
        (batch,) = imported.batches
        assert imported.day is not None
        for row, place in enumerate(batch.instrument):
            symbol = batch.instruments[place].symbol
            rows.append((symbol, imported.day, batch.high[row], batch.low[row], batch.volume[row]))
    return pl.DataFrame(rows, schema=["symbol", "day", "of_high", "of_low", "of_volume"], orient="row")


def test_minutes_of_2016_agree_with_the_published_days(shared: Path) -> None:
    both = by_day(shared).join(published(shared), on=["symbol", "day"])
    assert both.height == 900
    # PFC gave one new share for one in September; its minutes are adjusted for it and the exchange's file is not.
    bonus = both.filter(pl.col("of_high") > pl.col("high") * 19 // 10)
    assert (bonus["symbol"].unique().to_list(), bonus.height) == (["PFC"], 8)
    rest = both.join(bonus, on=["symbol", "day"], how="anti")
    same = rest.filter((pl.col("high") == pl.col("of_high")) & (pl.col("low") == pl.col("of_low")))
    assert same.height > rest.height // 3
    for ours, theirs in (("high", "of_high"), ("low", "of_low")):
        assert ((rest[ours] - rest[theirs]).abs() * 100 <= rest[theirs]).all()
    assert rest.filter((pl.col("volume") - pl.col("of_volume")).abs() * 100 > pl.col("of_volume")).height < 45
