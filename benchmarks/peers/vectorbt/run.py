"""vectorbt with its compiled extra on W1, W3 and W4. Run in its own environment: run.py DATA BARS WORKLOAD.

W1 with the equity curve and trade records, `W1-IST` the same over an index in Indian time; W3 as target percents with
shared cash, in fractions of shares; W4 as 1,000 pairs of averages over 100,000 bars, fifty pairs at once.
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
import vectorbt as vbt

vbt.settings["engine"] = "rust"
DATA, COUNT, WORKLOAD = sys.argv[1], int(sys.argv[2]), sys.argv[3]
CASH, FEE, EPS, DAY = 10_000_000.0, 0.0003, 1e-7, 375
NAMES = {"W1": "W1 with curve", "W1-IST": "W1 with curve, IST index", "W3": "W3 as targets", "W4": "W4"}


def index(ts):
    if WORKLOAD.endswith("IST"):
        return pd.to_datetime(ts, utc=True).tz_convert("Asia/Kolkata")
    return pd.to_datetime(ts)


def signals(close, up):
    return vbt.Portfolio.from_signals(close, up, ~up, size=100.0, fees=FEE, init_cash=CASH, freq="1min")


def cross(close):
    up = vbt.MA.run(close, 20).ma > vbt.MA.run(close, 50).ma + EPS
    run = signals(close, up)
    curve, trades = run.value(), run.trades.records
    return [round(float(curve.iloc[-1]), 4), int(run.orders.count()), len(trades)]


def rotation(close):
    prices = close.to_numpy()
    size = np.full(prices.shape, np.nan)
    rows = np.arange(DAY * 6 - 1, len(prices), DAY)
    gains = prices[rows] / prices[rows - 5 * DAY] - 1.0
    weights = np.zeros(gains.shape)
    np.put_along_axis(weights, np.argsort(-gains, axis=1)[:, :10], 0.1, axis=1)
    size[rows] = weights
    run = vbt.Portfolio.from_orders(
        close, size, size_type="targetpercent", fees=FEE, init_cash=CASH, cash_sharing=True, group_by=True,
        call_seq="auto", freq="1min",
    )  # fmt: skip
    return [round(float(run.final_value()), 4), int(run.orders.count()), len(run.value())]


def pairs(close):
    fast, slow = (each.ravel() for each in np.meshgrid(np.arange(5, 30), np.arange(30, 230, 5), indexing="ij"))
    best, orders = 0.0, 0
    for k in range(0, len(fast), 50):
        f = vbt.MA.run(close, fast[k : k + 50].tolist(), run_unique=True).ma.to_numpy()
        s = vbt.MA.run(close, slow[k : k + 50].tolist(), run_unique=True).ma.to_numpy()
        run = signals(close, f > s + EPS)
        best, orders = max(best, float(np.max(run.final_value()))), orders + int(np.sum(run.orders.count()))
    return [round(best, 4), orders]


if WORKLOAD == "W3":
    data = pd.DataFrame(np.load(f"{DATA}/port_c.npy")[:COUNT], index=index(np.load(f"{DATA}/port_ts.npy")[:COUNT]))
else:
    data = pd.Series(np.load(f"{DATA}/bars1m_c.npy")[:COUNT], index=index(np.load(f"{DATA}/bars1m_ts.npy")[:COUNT]))
job = {"W3": rotation, "W4": pairs}.get(WORKLOAD, cross)
if job is not pairs:
    job(data.iloc[: DAY * 10])
wall, cpu = time.perf_counter(), time.process_time()
result = job(data)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
row = {"workload": NAMES[WORKLOAD], "bars": data.size * (1_000 if job is pairs else 1), "wall": wall, "cpu": cpu}
print(json.dumps(row | {"peak_mb": rss, "result": result}))
