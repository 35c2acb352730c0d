"""The bytes of one small market: the same on every machine. A change of them is a change of every synthetic run."""

import hashlib

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs, at, parse_clock, parse_day
from manjha.simulator.synthetic import generate, weekday_sessions
from manjha.simulator.synthetic_spec import Gap, default_spec, with_split
from manjha.simulator.synthetic_ticks import ticks_within

START, END = parse_day("2026-03-02"), parse_day("2026-03-06")
FIRKI = InstrumentId("NSE:FIRKI")
BARS_SHA256 = "c4291ca442009967ceaf9f5f2903da6b6d2b100048e11274d587fc8c3b92aa62"
TICKS_SHA256 = "bc0c47848fa4cbf210cea94e4026e330e4ee39cb3f5381bc2a4b60c47d885f4b"


def digest(*columns: msgspec.Struct) -> str:
    total = hashlib.sha256()
    for one in columns:
        for field in one.__struct_fields__:
            value = getattr(one, field)
            total.update(value.tobytes() if isinstance(value, memoryview) else f"{field}={value};".encode())
    return total.hexdigest()


def test_bars_and_ticks_of_a_seed_are_the_recorded_bytes() -> None:
    spec, _ = with_split(default_spec(20_260_302, START, END), FIRKI, TradingDay(START + 2))
    hole = Gap(FIRKI, TsNs(at(START, parse_clock("10:00"))), TsNs(at(START, parse_clock("10:05"))))
    market = generate(msgspec.structs.replace(spec, gaps=(hole,)), weekday_sessions(START, END))
    assert digest(*market.values()) == BARS_SHA256
    assert digest(ticks_within(market[FIRKI], seed=7, per_bar=6)) == TICKS_SHA256
