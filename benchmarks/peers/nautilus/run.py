"""NautilusTrader on W1 and W2, bar execution. Run in its own environment: run.py DATA BARS."""

import json
import sys
import time
from decimal import Decimal

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import INR
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, OrderType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

DATA, BARS = sys.argv[1], int(sys.argv[2])
CASH, EPS, NSE = 10_000_000.0, 1e-7, Venue("NSE")


class Cross(Strategy):
    def __init__(self, bar_type, instrument):
        super().__init__()
        self.bar_type, self.instrument = bar_type, instrument
        self.f, self.s = SimpleMovingAverage(20), SimpleMovingAverage(50)
        self.long, self.fills = False, 0

    def on_start(self):
        self.qty = self.instrument.make_qty(100)
        self.register_indicator_for_bars(self.bar_type, self.f)
        self.register_indicator_for_bars(self.bar_type, self.s)
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar):
        if not self.s.initialized:
            return
        up = self.f.value > self.s.value + EPS
        if up != self.long:
            self.long = up
            side = OrderSide.BUY if up else OrderSide.SELL
            self.submit_order(self.order_factory.market(self.instrument.id, side, self.qty))

    def on_order_filled(self, event):
        self.fills += 1


class Bracket(Cross):
    def __init__(self, bar_type, instrument):
        super().__init__(bar_type, instrument)
        self.prev, self.open = False, None

    def on_bar(self, bar):
        if not self.s.initialized:
            return
        up = self.f.value > self.s.value + EPS
        flat = self.portfolio.is_flat(self.instrument.id)
        if up and not self.prev and flat and self.open is None:
            limit = round(bar.close.as_double() * 0.999 * 20) / 20
            price = self.instrument.make_price
            self.open = self.order_factory.bracket(
                self.instrument.id, OrderSide.BUY, self.qty, entry_order_type=OrderType.LIMIT,
                entry_price=price(limit), sl_trigger_price=price(round(limit * 0.995 * 20) / 20),
                tp_price=price(round(limit * 1.01 * 20) / 20), tp_post_only=False, entry_post_only=False,
            )  # fmt: skip
            self.submit_order_list(self.open)
        elif not up and self.prev and flat and self.open is not None:
            for order in self.open.orders:
                if not order.is_closed:
                    self.cancel_order(order)
            self.open = None
        self.prev = up

    def on_order_filled(self, event):
        self.fills += 1
        if self.open is not None and event.client_order_id != self.open.orders[0].client_order_id:
            self.open = None


share = Equity(
    instrument_id=InstrumentId(Symbol("BENCH"), NSE), raw_symbol=Symbol("BENCH"), currency=INR, price_precision=2,
    price_increment=Price.from_str("0.05"), lot_size=Quantity.from_int(1), maker_fee=Decimal("0.0003"),
    taker_fee=Decimal("0.0003"), ts_event=0, ts_init=0,
)  # fmt: skip
names = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
columns = {name: np.load(f"{DATA}/bars1m_{short}.npy")[:BARS] for name, short in names.items()}
frame = pd.DataFrame(columns, index=pd.to_datetime(np.load(f"{DATA}/bars1m_ts.npy")[:BARS], utc=True))
kind = BarType.from_str("BENCH.NSE-1-MINUTE-LAST-EXTERNAL")
for name, strategy in (("W1", Cross), ("W2", Bracket)):
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("B-001"),
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )  # fmt: skip
    )
    engine.add_venue(
        venue=NSE, oms_type=OmsType.NETTING, account_type=AccountType.CASH, base_currency=INR,
        starting_balances=[Money(CASH, INR)], bar_execution=True,
    )  # fmt: skip
    engine.add_instrument(share)
    data = BarDataWrangler(kind, share).process(frame)
    engine.add_data(data)
    made = strategy(kind, share)
    engine.add_strategy(made)
    wall, cpu = time.perf_counter(), time.process_time()
    engine.run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    balance = engine.portfolio.account(NSE).balance_total(INR).as_double()
    equity = balance + float(engine.portfolio.net_position(share.id)) * data[-1].close.as_double()
    print(json.dumps({"workload": name, "bars": BARS, "wall": wall, "cpu": cpu, "result": [equity, made.fills]}))
    engine.dispose()
