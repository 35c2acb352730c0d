"""The portfolio of one account: positions, holdings, cash, and what it all is worth."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from manjha.domain.instrument import Instrument, InstrumentId, Kind
from manjha.domain.money import Cash
from manjha.domain.orders import Fill, Product, Side, StrategyId
from manjha.portfolio.ledger import Ledger
from manjha.portfolio.positions import Position, PositionKey

if TYPE_CHECKING:
    from manjha.portfolio.settlement import Holding


# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_CNC, _OPTION, _BUY = Product.CNC, Kind.OPTION, Side.BUY


def pays_in_full(instrument: Instrument, product: Product) -> bool:
    """Tell whether a position moves its whole value through cash: delivery shares and option premiums do."""
    return product is _CNC or instrument.kind is _OPTION


class Portfolio:
    """Positions by strategy, instrument and product over one ledger."""

    __slots__ = ("holdings", "ledger", "paid", "positions")

    def __init__(self, initial: Cash) -> None:
        self.ledger = Ledger(initial)
        self.positions: dict[tuple[StrategyId, InstrumentId, Product], Position] = {}
        self.holdings: dict[PositionKey, Holding] = {}
        self.paid: set[PositionKey] = set()

    def position(self, key: PositionKey) -> Position:
        """Return the position of a key, flat if there was none."""
        found = self.positions.get(key)
        if found is None:
            found = self.positions[key] = Position(key, number=len(self.positions))
        return found

    def apply(self, fill: Fill, instrument: Instrument) -> Position:
        """Apply a fill to position and cash, before charges; return the position."""
        product = fill.product
        position = self.positions.get((fill.origin.strategy, fill.instrument, product))
        if position is None:
            position = self.position(PositionKey(fill.origin.strategy, fill.instrument, product))
            if pays_in_full(instrument, product):
                self.paid.add(position.key)
        px = fill.px
        signed = fill.qty if fill.side is _BUY else -fill.qty
        gain = position.apply(signed, px)
        if product is _CNC or instrument.kind is _OPTION:
            self.ledger.cash -= signed * px
        else:
            self.ledger.cash += gain
        return position

    def open_positions(self, instrument: InstrumentId | None = None) -> Iterator[Position]:
        """Yield positions that are not flat, of one instrument or all."""
        for position in self.positions.values():
            if position.qty and (instrument is None or position.key.instrument == instrument):
                yield position

    def equity(self, marks: Mapping[InstrumentId, int]) -> Cash:
        """Return cash and positions at these prices (1e-4 rupee). A position without a mark counts at cost."""
        total = self.ledger.cash
        for position in self.positions.values():
            if not position.qty:
                continue
            px = marks.get(position.key.instrument)
            value = position.cost if px is None else position.qty * px
            total += value if position.key in self.paid else value - position.cost
        return Cash(total)

    def unrealised(self, marks: Mapping[InstrumentId, int]) -> Cash:
        """Return the profit of open positions at these prices, before charges."""
        return Cash(
            sum(
                position.unrealised(marks[position.key.instrument])
                for position in self.positions.values()
                if position.qty and position.key.instrument in marks
            )
        )
