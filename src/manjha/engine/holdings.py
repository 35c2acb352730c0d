"""Positions compared with the broker's: strategies' books and what is external must be what the account holds."""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from manjha.domain.broker import PositionSeen
from manjha.domain.commands import Output
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.engine.desk import Desk, Held, call
from manjha.engine.freezing import freeze, why_frozen
from manjha.engine.handlers.broker import desk_of
from manjha.engine.overnight import check, end_gone, explained, unclear
from manjha.engine.state import EngineState

Quantities: TypeAlias = Mapping[Held, int]


def compare(state: EngineState, seen: Iterable[PositionSeen], now_ns: TsNs, out: list[Output]) -> bool:
    """Compare all positions; tell whether the books agree, as far as orders in doubt allow to say.

    A difference counts when two reads in a row show it, as trades may come between the parts of one read. Where no
    strategy of ours holds anything it is external; the first comparison of an account takes what is there. Else the
    instrument is frozen.
    """
    desk = desk_of(state)
    end_gone(state, now_ns, out)
    there = {(one.instrument, one.product): int(one.qty) for one in seen}
    here: dict[Held, int] = {}
    for position in state.portfolio.open_positions():
        key = (position.key.instrument, position.key.product)
        here[key] = here.get(key, 0) + position.qty
    doubtful = _doubtful(state, desk) | unclear(state, desk, now_ns)
    known = desk.suspects | desk.standing
    desk.suspects, certain = differences(there, here, desk.external, known, doubtful)
    desk.standing = dict(certain)
    for key, difference in certain:
        _differs(state, key, difference, here.get(key, 0), now_ns, out)
    for name in settled_thaws(desk.thawed, desk.suspects, doubtful):
        del desk.thawed[name]
    check(state, there, here, now_ns, out)
    # Orders in doubt explain a difference for a while; their exposure is counted until they are resolved.
    return all(key[0] in doubtful for key in desk.suspects) and not desk.short


def differences(
    there: Quantities, here: Quantities, external: Quantities, known: Quantities, doubtful: Collection[str]
) -> tuple[dict[Held, int], list[tuple[Held, int]]]:
    """Return differences that are to be seen once more, and those that count: seen twice, and explained by nothing.

    `there` is what the broker shows, `here` what our strategies hold, `known` what was seen before; `doubtful` are
    instruments in which a difference may explain itself yet. Quantities are signed.
    """
    again, certain = dict[Held, int](), list[tuple[Held, int]]()
    for key in sorted({*there, *here, *external}):
        difference = there.get(key, 0) - here.get(key, 0) - external.get(key, 0)
        if difference == 0:
            continue
        if key[0] in doubtful or known.get(key) != difference:
            again[key] = difference
        else:
            certain.append((key, difference))
    return again, certain


def settled_thaws(
    thawed: Iterable[InstrumentId], suspects: Quantities, doubtful: Collection[str]
) -> list[InstrumentId]:
    """Return the thawed instruments of which nothing differs (any more): what differs later is looked at anew."""
    return [name for name in thawed if name not in doubtful and all(key[0] != name for key in suspects)]


def is_external(held: int, *, was_compared: bool, is_thawed: bool, is_unseen: bool) -> bool:
    """Tell whether a difference is taken as external, where our strategies hold so much; else it is not explained.

    `is_unseen` tells that orders of ours, which ended unseen, could have traded it: that is for a person to say.
    """
    return not was_compared or is_thawed or not (held or is_unseen)


def _doubtful(state: EngineState, desk: Desk) -> set[str]:
    """Return the instruments in which trades are missing or an order may or may not be at the broker."""
    orders = [*desk.unconfirmed, *desk.short]
    waiting = {trade.instrument for trades in desk.loose.values() for trade in trades}
    return {state.book.records[order_id].order.instrument for order_id in orders} | waiting


def _differs(state: EngineState, key: Held, difference: int, held: int, now_ns: TsNs, out: list[Output]) -> None:
    desk = desk_of(state)
    instrument, product = key
    unseen, is_thawed = explained(state, desk, key, difference), instrument in desk.thawed
    if is_external(held, was_compared=desk.was_compared, is_thawed=is_thawed, is_unseen=bool(unseen)):
        desk.external[key] = desk.external.get(key, 0) + difference
        desk.thawed.pop(instrument, None)
        if desk.was_compared:
            call(instrument, f"{difference:+} held as {product} came from outside of Manjha", now_ns, out)
        return
    why = f"the broker shows {difference:+} as {product} that nothing explains, beside {held} of ours"
    if unseen:
        why = f"the broker shows {difference:+} as {product} beside {held} of ours: {unseen}; nobody saw its end"
    if why_frozen(state, instrument) != why:
        state.gate.reopen(instrument)
        freeze(state, instrument, why, now_ns, out)
