"""Fill a store with the seeded synthetic market, so that everything can be tried without any real data."""

import hashlib

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay, TsNs
from manjha.market.rules import MarketRules
from manjha.ports.market_data import BarBatch, BarStore, InstrumentSource, Provenance
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate

FORMAT = "synthetic"


class Seeded(msgspec.Struct, frozen=True):
    """What was put into the store."""

    instruments: tuple[Instrument, ...]
    rows: int


def seed_store(
    store: BarStore, instruments: InstrumentSource, rules: MarketRules, seed: int, span: tuple[TradingDay, TradingDay]
) -> Seeded:
    """Generate one-minute bars of the synthetic market between two days and store them; a repetition adds nothing."""
    spec = default_spec(seed, *span)
    bars = generate(spec, exchange_sessions(rules, spec))
    listed = tuple(item.instrument for item in spec.instruments if len(bars[item.instrument.id]))
    instruments.put(listed, span[0])
    rows = 0
    for instrument in listed:
        columns = bars[instrument.id]
        digest = hashlib.sha256(columns.close).hexdigest()
        provenance = Provenance(FORMAT, FORMAT, f"seed {seed}", digest, TsNs(0))
        rows += store.write(_batch(instrument, columns), provenance).added
    return Seeded(listed, rows)


def _batch(instrument: Instrument, columns: BarColumns) -> BarBatch:
    return BarBatch(
        interval=columns.interval,
        instruments=(instrument,),
        instrument=np.zeros(len(columns), np.int64).data,
        ts_open_ns=columns.ts_open_ns,
        ts_close_ns=columns.ts_close_ns,
        open=columns.open,
        high=columns.high,
        low=columns.low,
        close=columns.close,
        volume=columns.volume,
        oi=columns.oi,
    )
