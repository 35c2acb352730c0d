"""The clearing side of the simulated broker: contract notes, expiries and corporate actions as events."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from manjha.domain.actions import CorporateAction
from manjha.domain.charges import ChargeLines
from manjha.domain.events import ActionEffective, ContractExpired, DayChargesSettled
from manjha.domain.instrument import Instrument, InstrumentId, Right
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Cash, Px
from manjha.domain.orders import Fill, StrategyId
from manjha.market.contract_note import DayTrade, settle_day
from manjha.market.rules import MarketRules
from manjha.risk.margin import is_underlying


def contract_notes(
    rules: MarketRules,
    day: TradingDay,
    fills: Sequence[Fill],
    instruments: Mapping[InstrumentId, Instrument],
    booked: Mapping[StrategyId, ChargeLines],
    ts_ns: TsNs,
) -> Iterator[DayChargesSettled]:
    """Yield what the day's contract note adds to the booked charges, for each strategy that traded."""
    for strategy in dict.fromkeys(fill.origin.strategy for fill in fills):
        trades = [
            DayTrade(instruments[f.instrument], f.product, f.side, f.qty, f.px, f.order_id)
            for f in fills
            if f.origin.strategy == strategy
        ]
        note = settle_day(rules, day, trades)
        before = booked.get(strategy, ChargeLines())
        lines = zip(msgspec.structs.astuple(note), msgspec.structs.astuple(before), strict=True)
        difference = ChargeLines(*(Cash(noted - had) for noted, had in lines))
        if difference != ChargeLines():
            yield DayChargesSettled(day, strategy, difference, ts_ns)


def actions_of(actions: Sequence[CorporateAction], day: TradingDay, ts_ns: TsNs) -> Iterator[ActionEffective]:
    """Yield the corporate actions that take effect on a day."""
    for action in actions:
        if action.ex_day == day:
            yield ActionEffective(action, ts_ns)


def expiries(
    instruments: Sequence[Instrument], day: TradingDay, marks: Mapping[InstrumentId, int], ts_ns: TsNs
) -> Iterator[ContractExpired]:
    """Yield the contracts that end today with their settlement price from the last prices of the run.

    The underlying's price where it is part of the run; else a future settles at its own last price, and an option at
    the price of the underlying that its own last price implies at expiry (strike plus or minus premium).
    """
    for contract in instruments:
        if contract.expiry == day:
            yield ContractExpired(contract.id, Px(_settlement(contract, instruments, marks)), ts_ns)


def _settlement(contract: Instrument, instruments: Sequence[Instrument], marks: Mapping[InstrumentId, int]) -> int:
    for other in instruments:
        if not other.is_derivative and is_underlying(other, contract.underlying) and other.id in marks:
            return marks[other.id]
    own = marks.get(contract.id, 0)
    if contract.strike is None:
        return own
    return contract.strike + own if contract.right is Right.CALL else contract.strike - own
