"""Our indicators against TA-Lib over a million points, alternating: `python -m benchmarks.indicators DATA POINTS`.

Each by itself, both making new arrays. Then all six: TA-Lib, all its arrays kept as a user of all six keeps them; a
bundle into arrays that are used again, which TA-Lib cannot; a bundle into new arrays, those of before dropped, so that
their memory is used again; and TA-Lib once more, each array dropped before the next call, so that its memory is used
again too. Last a bundle whose results are kept, so that its memory is new from the system each time. Processor time,
medians. Needs TA-Lib, which the development environment has.
"""

import json
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import talib

from manjha.strategy import indicators as ind
from manjha.strategy.indicators import bundle, get

ROUNDS = 41
Ways = Mapping[str, Callable[[], object]]


def main(folder: str, count: int) -> None:
    """Measure and print a row for each indicator and one for all."""
    high, low, close = (np.load(Path(folder) / f"bars1m_{key}.npy")[:count] for key in "hlc")
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "SMA 20": (lambda: ind.sma(close, 20), lambda: talib.SMA(close, 20)),
        "EMA 20": (lambda: ind.ema(close, 20), lambda: talib.EMA(close, 20)),
        "RSI 14": (lambda: ind.rsi(close, 14), lambda: talib.RSI(close, 14)),
        "ATR 14": (lambda: ind.atr(high, low, close, 14), lambda: talib.ATR(high, low, close, 14)),
        "BBANDS 20": (lambda: ind.bollinger(close, 20), lambda: talib.BBANDS(close, 20, 2.0, 2.0)),
        "MACD 12/26/9": (lambda: ind.macd(close, 12, 26, 9), lambda: talib.MACD(close, 12, 26, 9)),
    }
    for name, (ours, theirs) in pairs.items():
        _check(name, ours(), theirs())
        _tell(name, count, {"manjha": ours, "talib": theirs})
    asked = [get("sma").of(close, length=20), get("ema").of(close, length=20), get("rsi").of(close, length=14)]
    asked += [get("atr").of(high, low, close, length=14), get("bollinger").of(close, length=20), get("macd").of(close)]
    kept = [tuple(np.empty(count) for _ in one.indicator.outputs) for one in asked]

    def dropped() -> None:
        for _, theirs in pairs.values():
            theirs()

    ways: Ways = {
        "manjha": lambda: bundle(*asked, out=kept),
        "talib": lambda: [theirs() for _, theirs in pairs.values()],
        "manjha, new arrays": lambda: bundle(*asked),
        "talib, arrays dropped": dropped,
    }
    _tell("all six", count, ways)
    # More than a bundle remembers the memory of.
    held: deque[object] = deque(maxlen=3)
    fresh: Ways = {"manjha": lambda: held.append(bundle(*asked)), "talib": ways["talib"]}
    _tell("all six, memory new from the system", count, fresh)


def _check(name: str, ours: Any, theirs: Any) -> None:
    """Stop where the two do not compute the same."""
    if not np.allclose(np.atleast_2d(ours), np.atleast_2d(theirs), rtol=0, atol=1e-4, equal_nan=True):
        raise SystemExit(f"{name}: TA-Lib gives other values")


def _tell(name: str, count: int, ways: Ways) -> None:
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for run in ways.values():
        run()
    for _ in range(ROUNDS):
        for way, run in ways.items():
            began = time.process_time()
            run()
            spent[way].append(time.process_time() - began)
    cpu = {way: statistics.median(each) for way, each in spent.items()}
    row = {"workload": "W8", "indicator": name, "bars": count, "cpu": cpu["manjha"], "by_way": cpu}
    rates = {way: each / cpu["manjha"] for way, each in cpu.items() if way != "manjha"}
    print(json.dumps(row | {"times_as_fast": rates}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
