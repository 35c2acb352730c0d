"""zipline-reloaded on W3, one handle_data a minute for fifty shares. Run in its own environment: run.py DATA MINUTES.

The same amount of work, not the same result: its calendar's short sessions shift the minutes and it fills a minute later.
"""

import json
import os
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
os.environ["ZIPLINE_ROOT"] = tempfile.mkdtemp()
import numpy as np  # noqa: E402 - after the folder is set
import pandas as pd  # noqa: E402
from zipline import run_algorithm  # noqa: E402
from zipline.api import order_target_percent, set_commission, set_slippage, symbol  # noqa: E402
from zipline.data.bundles import ingest, register  # noqa: E402
from zipline.finance import commission, slippage  # noqa: E402
from zipline.utils.calendar_utils import get_calendar  # noqa: E402

DATA, COUNT, SHARES = sys.argv[1], int(sys.argv[2]), 50
o, h, l, c, v = (np.load(f"{DATA}/port_{name}.npy") for name in "ohlcv")
calendar = get_calendar("XBOM")
minutes = calendar.minutes_in_range("2016-01-04", "2024-01-01")
sessions = [
    s for s in calendar.sessions_in_range("2016-01-04", "2024-01-01") if len(calendar.session_minutes(s)) == 375
]
minutes = minutes[np.isin(minutes.normalize().tz_localize(None), pd.DatetimeIndex(sessions))][:COUNT]
days = pd.DatetimeIndex(sorted(set(minutes.normalize().tz_localize(None))))
first, last = days[0], days[-1]


def bundle(environ, assets, minute, day, adjust, cal, start, end, cache, progress, out):
    assets.write(
        pd.DataFrame(
            {"symbol": [f"S{i:02d}" for i in range(SHARES)], "asset_name": "x", "start_date": first, "end_date": last,
             "first_traded": first, "auto_close_date": pd.NaT, "exchange": "XBOM"}, index=range(SHARES),
        ),
        exchanges=pd.DataFrame({"exchange": ["XBOM"], "canonical_name": ["XBOM"], "country_code": ["IN"]}),
    )  # fmt: skip

    def frame(j):
        rows = {"open": o, "high": h, "low": l, "close": c, "volume": v}
        return pd.DataFrame({name: column[:COUNT, j] for name, column in rows.items()}, index=minutes).astype(
            {"volume": int}
        )

    def daily(j):
        groups = frame(j).groupby(minutes.normalize().tz_localize(None))
        made = {"open": groups["open"].first(), "high": groups["high"].max(), "low": groups["low"].min(),
                "close": groups["close"].last(), "volume": groups["volume"].sum()}  # fmt: skip
        return j, pd.DataFrame(made).reindex(calendar.sessions_in_range(first, last)).ffill()

    minute.write(((j, frame(j)) for j in range(SHARES)), show_progress=False)
    day.write((daily(j) for j in range(SHARES)), show_progress=False)
    adjust.write()


class AtClose(slippage.SlippageModel):
    def process_order(self, data, order):
        return data.current(order.asset, "close"), order.amount


register("w3", bundle, calendar_name="XBOM", start_session=first, end_session=last, minutes_per_day=375)
ingest("w3", show_progress=False)
seen = {"minute": 0, "orders": 0}


def initialize(context):
    set_commission(commission.PerDollar(cost=0.0003))
    set_slippage(AtClose())
    context.shares = [symbol(f"S{i:02d}") for i in range(SHARES)]


def handle_data(context, data):
    i = seen["minute"]
    seen["minute"] = i + 1
    if i % 375 == 373 and 6 * 375 <= i < len(c):
        top = set(np.argsort(-(c[i] / c[i - 5 * 375] - 1))[:10].tolist())
        held = context.portfolio.positions
        for k in range(SHARES):
            share = context.shares[k]
            if k not in top and share in held and held[share].amount:
                order_target_percent(share, 0)
                seen["orders"] += 1
        for k in top:
            order_target_percent(context.shares[k], 0.1)
            seen["orders"] += 1


wall, cpu = time.perf_counter(), time.process_time()
flat = pd.Series(0.0, index=calendar.sessions_in_range(first, last))
run = run_algorithm(
    start=first, end=last, initialize=initialize, handle_data=handle_data, capital_base=10_000_000.0,
    data_frequency="minute", bundle="w3", trading_calendar=calendar, benchmark_returns=flat,
)  # fmt: skip
row = {"workload": "W3", "bars": COUNT * SHARES, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
print(json.dumps(row | {"result": [float(run["portfolio_value"].iloc[-1]), seen["orders"]]}))
