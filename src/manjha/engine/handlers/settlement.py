"""What is not traded but happens to what is held: corporate actions, expiry, the contract note."""

from collections.abc import Mapping

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.charges import ChargeLines
from manjha.domain.commands import Output
from manjha.domain.events import ActionEffective, ContractExpired, DayChargesSettled
from manjha.domain.instrument import Asset, Instrument, InstrumentId, Kind, Right
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.engine import groups
from manjha.engine.carried import take_over
from manjha.engine.exits import key_of, rescale
from manjha.engine.state import EngineState, PositionChange
from manjha.market.adjustment import price_ratio, ratio
from manjha.market.fees import exercise_tax, physical_delivery_fee
from manjha.portfolio.corporate import adjust
from manjha.portfolio.positions import Position


def action_effective(state: EngineState, event: ActionEffective, out: list[Output]) -> None:
    """Change what is held of the instrument and of its derivatives, and what protects it; pay dividends."""
    action = event.action
    take_over(state, action, out)
    for position in list(state.portfolio.open_positions(action.instrument)):
        _adjust(state, position, action, event.ts_ns)
    last_px = state.marks.get(action.instrument, 0)
    if last_px and action.kind is not ActionKind.DIVIDEND:
        state.marks.rebase(action.instrument, price_ratio(action, last_px))
    if action.kind in (ActionKind.SPLIT, ActionKind.BONUS):
        _derivatives(state, action, event.ts_ns)
    state.refresh(action.instrument)


def contract_expired(state: EngineState, event: ContractExpired, out: list[Output]) -> None:
    """Settle a future or option in cash at the final price; the long of an exercised option pays STT.

    Single-stock contracts settle by delivery at the exchange; here they are closed at the same price and pay the
    broker's delivery fee, an assumption that the report names.
    """
    instrument = state.instruments[event.instrument]
    out.extend(state.gate.cancel(record) for record in state.book.open_orders(event.instrument))
    for position in list(state.portfolio.open_positions(event.instrument)):
        before = position.qty
        value = settlement_value(instrument, event.settlement)
        gain = position.apply(-before, value)
        paid = position.key in state.portfolio.paid
        cash = before * value if paid else gain
        state.portfolio.ledger.move(cash)
        state.margins.hold(instrument, position)
        state.record_change(PositionChange(position.key, event.ts_ns, before, 0, Cash(before * value), "expiry"))
        _settlement_charges(state, instrument, position, before, event)
        state.refresh(event.instrument)
    if state.sagas:
        value = settlement_value(instrument, event.settlement)
        groups.settled(state, event.instrument, Px(value), event.ts_ns, out)


def day_charges_settled(state: EngineState, event: DayChargesSettled, out: list[Output]) -> None:
    """Book what the contract note adds to the day's charges."""
    del out
    state.portfolio.ledger.charge(event.strategy, msgspec.structs.astuple(event.adjustment))
    state.record_settled.append(event)
    state.record_account()


def _adjust(state: EngineState, position: Position, action: CorporateAction, ts_ns: TsNs) -> None:
    before = position.qty
    last_px = state.marks.get(position.key.instrument, 0)
    changed = adjust(action, before, position.cost, last_px)
    position.qty, position.cost = changed.qty, changed.cost
    state.portfolio.ledger.move(changed.cash)
    holding = state.portfolio.holdings.get(position.key)
    if holding is not None and changed.qty != before:
        holding.rescale(action.new_shares, action.old_shares, changed.qty)
    if changed.qty != before:
        for protection in state.protections.values():
            entry = protection.entry
            if key_of(entry) == position.key:
                rescale(state, protection, action.new_shares, action.old_shares, changed.qty)
        if state.sagas:
            groups.rescale(state, position.key, action.new_shares, action.old_shares)
    state.record_change(PositionChange(position.key, ts_ns, before, changed.qty, changed.cash, str(action.kind)))


def _derivatives(state: EngineState, action: CorporateAction, ts_ns: TsNs) -> None:
    """Scale lots, strikes and positions of contracts on the share, so that their value stays (section 6)."""
    for contract in contracts_after(state.instruments, action):
        state.instruments[contract.id] = contract
        for position in list(state.portfolio.open_positions(contract.id)):
            _adjust(state, position, msgspec.structs.replace(action, instrument=contract.id), ts_ns)
        state.marks.rebase(contract.id, ratio(action.old_shares, action.new_shares))
        state.refresh(contract.id)


def contracts_after(instruments: Mapping[InstrumentId, Instrument], action: CorporateAction) -> list[Instrument]:
    """Return the contracts on a share as they are after its split or bonus: lot and strike in the new shares."""
    share = instruments.get(action.instrument)
    if share is None:
        return []
    return [
        msgspec.structs.replace(
            one,
            lot=Qty(one.lot * action.new_shares // action.old_shares),
            strike=None if one.strike is None else Px(one.strike * action.old_shares // action.new_shares),
        )
        for one in instruments.values()
        if one.is_derivative and one.underlying == share.symbol
    ]


def settlement_value(instrument: Instrument, settlement: int) -> int:
    """Return what one unit of a future or option pays at expiry, in 1e-4 rupee; prices in the same."""
    if instrument.kind is Kind.FUTURE or instrument.strike is None:
        return settlement
    if instrument.right is Right.CALL:
        return max(0, settlement - instrument.strike)
    return max(0, instrument.strike - settlement)


def _settlement_charges(
    state: EngineState, contract: Instrument, position: Position, qty: int, event: ContractExpired
) -> None:
    """Book what an expiry costs: tax of an exercised long option; the delivery fee of a single-stock contract."""
    tax = fee = Cash(0)
    in_money = settlement_value(contract, event.settlement) > 0
    if contract.kind is Kind.OPTION and qty > 0:
        tax = exercise_tax(state.rules, contract, state.day, event.settlement, qty)
    if contract.asset is Asset.EQUITY and in_money:
        price = contract.strike or event.settlement
        fee = physical_delivery_fee(state.rules, state.day, abs(qty) * price)
    if tax or fee:
        lines = ChargeLines(stt=tax, other=fee)
        state.portfolio.ledger.charge(position.key.strategy, msgspec.structs.astuple(lines))
        state.record_settled.append(DayChargesSettled(state.day, position.key.strategy, lines, event.ts_ns))
        state.record_account()
