"""What a recorded run was made of, and what stands in a journal beside events and decisions."""

from typing import TypeAlias

import msgspec

from manjha.domain.actions import CorporateAction
from manjha.domain.bars import Interval
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash
from manjha.domain.orders import Origin, Product
from manjha.domain.segments import MarketWritten
from manjha.domain.sizing import SizingPolicy
from manjha.market.charges import RateCard
from manjha.risk.control_limits import ControlLimits
from manjha.risk.limits import RiskLimits


class Given(msgspec.Struct, frozen=True, gc=False):
    """A name and its value: a parameter of a strategy, or an assumption in words."""

    name: str
    value: int | float | bool | str


class Watched(msgspec.Struct, frozen=True, gc=False):
    """Bars of a further interval that the strategy may look at."""

    instrument: InstrumentId
    interval: Interval


class RunBegun(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A run has begun: everything that makes its state, market data left out.

    Attributes
    ----------
    strategy, source_hash
        Where the strategy is found (a name, or a file as `path.py:Class`), and the SHA-256 of its source.
    rules_hash, code_version
        Which market rules and which Manjha.
    interval, further
        Length of the bars that orders are matched on, of every instrument in order; and further bars in order.
    trade_from_ns
        Bars that open earlier are history; 0 for none.
    history_until_ns
        Bars that opened earlier stood on the timeline before the first event; 0 where none did.
    assumptions
        What the exchange of the run assumes, in words.
    controls, bands
        What orders are held to, None for no controls; daily price bands by instrument in 1e-9, where one is known.
    """

    origin: Origin
    strategy: str
    source_hash: str
    parameters: tuple[Given, ...]
    product: Product
    rules_hash: str
    code_version: str
    seed: int
    instruments: tuple[Instrument, ...]
    interval: Interval
    further: tuple[Watched, ...]
    initial: Cash
    sizing: SizingPolicy
    limits: RiskLimits
    rates: RateCard | None
    actions: tuple[CorporateAction, ...]
    sessions_from_data: bool
    trade_from_ns: TsNs
    assumptions: tuple[Given, ...]
    history_until_ns: TsNs = TsNs(0)
    controls: ControlLimits | None = None
    bands: dict[InstrumentId, int] = {}


class MatchingMoved(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The driver told the engine which bar is being matched: its position, -1 between bars (`EngineState.matching`)."""

    position: int


class RunEnded(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A run came to its end with this state digest."""

    digest: str


Note: TypeAlias = RunBegun | MarketWritten | MatchingMoved | RunEnded
"""What a journal holds beside events and what was decided on them."""
