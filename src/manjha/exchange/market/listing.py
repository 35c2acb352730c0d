"""The day's instruments under their names on the wire, and the dump of them (fact sheet 2.11 and 5.3)."""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind
from manjha.domain.moments import format_day
from manjha.domain.money import RUPEE
from manjha.exchange.errors import bad_input

INDICES = "INDICES"
SEGMENT_CODES = {"NSE": 1, "NFO": 2, "CDS": 3, "BSE": 4, "BFO": 5, "BCD": 6, "MCX": 7, INDICES: 9}
"""The low byte of an instrument token."""
COLUMNS = (
    "instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike", "tick_size",
    "lot_size", "instrument_type", "segment", "exchange",
)  # fmt: skip
KNOWN_TOKENS = {"NSE:NIFTY 50": 256_265, "NSE:NIFTY BANK": 260_105, "BSE:SENSEX": 265}
"""Tokens that people write into their programs, by key."""
_LOTS = (Exchange.CDS, Exchange.BCD, Exchange.MCX)
# Tokens stay below 2**31, which some clients read as signed.
_EXCHANGE_TOKENS = 2**23 - 1


class Listed(msgspec.Struct, frozen=True, gc=False):
    """An instrument as the wire knows it. `unit` is how many units one of its quantity is: of lots, the multiplier."""

    instrument: Instrument
    token: int
    segment: str
    kind: str
    unit: int

    @property
    def id(self) -> InstrumentId:
        """Its id inside."""
        return self.instrument.id

    @property
    def exchange(self) -> str:
        """Its exchange on the wire."""
        return str(self.instrument.exchange)

    @property
    def symbol(self) -> str:
        """Its trading symbol."""
        return self.instrument.symbol

    @property
    def key(self) -> str:
        """Its name in quotes, "NSE:MANJHA"."""
        return f"{self.exchange}:{self.symbol}"

    def renamed(self, symbol: str, token: int) -> "Listed":
        """Return the same instrument under another symbol and token."""
        instrument = msgspec.structs.replace(self.instrument, symbol=symbol)
        return msgspec.structs.replace(self, instrument=instrument, token=token)


class Listing:
    """All instruments of a day, found by key, token or id."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        taken = set(KNOWN_TOKENS.values())
        self.all: list[Listed] = []
        # In one order, so that the same instruments have the same tokens on every machine.
        for instrument in sorted(instruments, key=lambda one: one.id):
            listed = _listed(instrument, taken)
            taken.add(listed.token)
            self.all.append(listed)
        self._index()

    def changed(self, rows: Mapping[InstrumentId, tuple[str, int]]) -> "Listing":
        """Return the listing of another master: some instruments with another symbol or token."""
        other = Listing(())
        other.all = [one if one.id not in rows else one.renamed(*rows[one.id]) for one in self.all]
        other._index()
        return other

    def _index(self) -> None:
        self.by_key = {listed.key: listed for listed in self.all}
        self.by_token = {listed.token: listed for listed in self.all}
        self.by_id = {listed.id: listed for listed in self.all}

    def traded(self, exchange: str, symbol: str) -> Listed:
        """Return what an order names. Raises `KiteError` for what is not listed or cannot be traded."""
        listed = self.by_key.get(f"{exchange}:{symbol}")
        if listed is None or not listed.instrument.is_tradable:
            raise bad_input("The instrument you are placing an order for has either expired or does not exist.")
        return listed

    def dump(self, exchange: str = "") -> str:
        """Return the dump as CSV with CRLF; of one exchange, or of all."""
        rows = [COLUMNS, *(_row(one) for one in self.all if not exchange or one.exchange == exchange)]
        return "".join(",".join(row) + "\r\n" for row in rows)


def _listed(instrument: Instrument, taken: set[int]) -> Listed:
    is_index = not instrument.is_tradable
    code = SEGMENT_CODES[INDICES if is_index else str(instrument.exchange)]
    digest = hashlib.sha256(instrument.id.encode()).digest()
    number = int.from_bytes(digest[:4]) % _EXCHANGE_TOKENS + 1
    while number * 256 + code in taken:
        number = number % _EXCHANGE_TOKENS + 1
    token = KNOWN_TOKENS.get(instrument.display, number * 256 + code)
    kind, segment = "EQ", INDICES if is_index else str(instrument.exchange)
    if instrument.is_derivative:
        kind = "FUT" if instrument.kind is Kind.FUTURE else str(instrument.right)
        segment = f"{instrument.exchange}-{'FUT' if kind == 'FUT' else 'OPT'}"
    unit = instrument.multiplier if instrument.exchange in _LOTS else 1
    return Listed(instrument, token, segment, kind, unit)


def _row(listed: Listed) -> tuple[str, ...]:
    one = listed.instrument
    name = one.underlying if one.is_derivative and one.underlying else one.name
    return (
        str(listed.token), str(listed.token // 256), _cell(one.symbol), _cell(name), "0.0",
        format_day(one.expiry) if one.expiry is not None else "", str((one.strike or 0) / RUPEE),
        str(one.tick / RUPEE), str(one.lot // listed.unit), listed.kind, listed.segment, str(one.exchange),
    )  # fmt: skip


def _cell(text: str) -> str:
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if any(mark in text for mark in ',"\r\n') else text


def is_stock_option(instrument: Instrument) -> bool:
    """Tell whether it is an option on a share."""
    return instrument.kind is Kind.OPTION and instrument.asset is Asset.EQUITY
