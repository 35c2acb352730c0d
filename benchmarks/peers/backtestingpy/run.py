"""backtesting.py on W1 and W2. Run in its own environment: run.py DATA BARS."""

import json
import sys
import time
import warnings

import backtesting
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

warnings.filterwarnings("ignore")
backtesting.backtesting._tqdm = lambda x, **_: x  # no progress bar in the timing
DATA, BARS = sys.argv[1], int(sys.argv[2])
CASH, FEE, EPS = 10_000_000.0, 0.0003, 1e-7


def sma(values, length):
    sums = np.cumsum(np.insert(np.asarray(values, float), 0, 0.0))
    out = np.full(len(values), np.nan)
    out[length - 1 :] = (sums[length:] - sums[:-length]) / length
    return out


class Cross(Strategy):
    def init(self):
        self.f, self.s = self.I(sma, self.data.Close, 20), self.I(sma, self.data.Close, 50)

    def next(self):
        up = self.f[-1] > self.s[-1] + EPS
        if up and not self.position:
            self.buy(size=100)
        elif not up and self.position:
            self.position.close()


class Bracket(Cross):
    def init(self):
        super().init()
        self.prev = False

    def next(self):
        up = self.f[-1] > self.s[-1] + EPS
        if up and not self.prev and not self.position and not self.orders:
            limit = round(self.data.Close[-1] * 0.999 * 20) / 20
            stop, target = round(limit * 0.995 * 20) / 20, round(limit * 1.01 * 20) / 20
            self.buy(size=100, limit=limit, sl=stop, tp=target)
        elif not up and self.prev and not self.position:
            for order in self.orders:
                order.cancel()
        self.prev = up


columns = {name: np.load(f"{DATA}/bars1m_{name[0].lower()}.npy")[:BARS] for name in ("Open", "High", "Low", "Close")}
columns["Volume"] = np.load(f"{DATA}/bars1m_v.npy")[:BARS]
frame = pd.DataFrame(columns, index=pd.to_datetime(np.load(f"{DATA}/bars1m_ts.npy")[:BARS]))
for name, strategy in (("W1", Cross), ("W2", Bracket)):
    wall, cpu = time.perf_counter(), time.process_time()
    test = Backtest(frame, strategy, cash=CASH, commission=FEE, trade_on_close=True, finalize_trades=False)
    stats = test.run()
    row = {
        "workload": name,
        "bars": BARS,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "result": [float(stats["Equity Final [$]"]), len(stats._trades)],
    }
    print(json.dumps(row), flush=True)
