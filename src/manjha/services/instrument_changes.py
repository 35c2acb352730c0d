"""What the exchange's list says of instruments today, against what a run that goes on knows (RELIABILITY F65)."""

from collections.abc import Iterable, Mapping

from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.money import format_px

_ISSUER = 9
"""The first letters of an ISIN name issuer and kind of security; the rest changes with the face value."""


def changed_terms(known: Mapping[InstrumentId, Instrument], listed: Iterable[Instrument]) -> dict[InstrumentId, str]:
    """Return the instruments that are not what they were, and what differs, in words.

    `known` has them as the run sees them, corporate actions included. A new symbol is no difference: the id says that
    it is the same one. Another issuer, contract, lot or tick is: orders would be of another size or another thing.
    """
    found = {}
    for now in listed:
        before = known.get(now.id)
        differs = [] if before is None else _differences(before, now)
        if differs:
            found[now.id] = f"the list of instruments has changed: {', '.join(differs)}"
    return found


def _differences(before: Instrument, now: Instrument) -> list[str]:
    differs = [
        f"{name} {getattr(before, name)} is now {getattr(now, name)}"
        for name in ("lot", "multiplier", "kind", "underlying", "expiry", "right")
        if getattr(before, name) != getattr(now, name)
    ]
    differs += [
        f"{name} {format_px(old)} is now {format_px(new)}"
        for name, old, new in (("tick", before.tick, now.tick), ("strike", before.strike, now.strike))
        if old != new and old is not None and new is not None
    ]
    if before.isin and now.isin and before.isin[:_ISSUER] != now.isin[:_ISSUER]:
        differs.append(f"its ISIN {before.isin} is now {now.isin}, of another issuer")
    return differs
