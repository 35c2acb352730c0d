"""Lot sizes of files that count contracts but print no lot: the traded value between what low and high allow."""

import math

import polars as pl

from manjha.adapters.formats.quarantine import Findings


def lots_from_value(frame: pl.DataFrame, findings: Findings, *, value_step: float) -> pl.DataFrame:
    """Add `lot` in units. Columns `underlying`, `expiry`, `right`, `strike`, `low`, `high`, `volume` (contracts),
    `value` (rupees; of options on strike plus premium, as exchanges print it), `oi` (units), `oi_change`.

    Every trade was between low and high, so contracts × lot × low ≤ value ≤ contracts × lot × high, the value rounded
    to `value_step`. All contracts of an underlying and expiry share the lot, which also divides every open interest.
    Where the bounds and divisors leave more than one number, the lot of the nearest other expiry of the underlying
    decides if it is among them; what remains open is null.
    """
    base = pl.when(pl.col("right") == "").then(0.0).otherwise(pl.col("strike"))
    traded = (pl.col("volume") > 0) & (pl.col("low") > 0) & (pl.col("high") >= pl.col("low"))
    per_lot = frame.filter(traded & pl.col("value").is_not_null()).select(
        "underlying",
        "expiry",
        least=(pl.col("value") - value_step) / (pl.col("volume") * (base + pl.col("high"))),
        most=(pl.col("value") + value_step) / (pl.col("volume") * (base + pl.col("low"))),
    )
    bounds = per_lot.group_by("underlying", "expiry", maintain_order=True).agg(
        pl.col("least").max(), pl.col("most").min()
    )
    units = frame.group_by("underlying", "expiry", maintain_order=True).agg(
        pl.concat_list("oi", "oi_change").explode().abs().drop_nulls().unique().alias("units")
    )
    joined = units.drop_nulls("expiry").join(bounds, on=["underlying", "expiry"], how="left")
    found: dict[tuple[str, int], int] = {}
    choices: dict[tuple[str, int], set[int] | None] = {}
    for underlying, expiry, held, least, most in joined.iter_rows():
        possible = _possible(held, least, most)
        choices[underlying, expiry] = possible
        if possible and len(possible) == 1:
            found[underlying, expiry] = min(possible)
    _lend(found, choices)
    findings.leave_out(len(choices) - len(found), "expiries whose lot the file does not give away")
    lots = pl.DataFrame(
        [(*key, lot) for key, lot in found.items()],
        schema={"underlying": pl.String, "expiry": frame.schema["expiry"], "lot": pl.Int64},
        orient="row",
    )
    return frame.join(lots, on=["underlying", "expiry"], how="left", maintain_order="left")


def _possible(held: list[float], least: float | None, most: float | None) -> set[int] | None:
    """Return the whole numbers within the bounds that divide every open interest, None where nothing was traded."""
    if least is None or most is None:
        return None
    divisor = math.gcd(*(round(units) for units in held)) if held else 0
    candidates = range(max(math.ceil(least - 1e-9), 1), math.floor(most + 1e-9) + 1)
    return {lot for lot in candidates if divisor % lot == 0}


def _lend(found: dict[tuple[str, int], int], choices: dict[tuple[str, int], set[int] | None]) -> None:
    """Give expiries without a lot of their own the one of the nearest expiry of the same underlying, if it may be.

    Where trades contradict each other no lot fits, and none is lent: those rows are quarantined.
    """
    known = dict(found)
    for (underlying, expiry), possible in choices.items():
        if (underlying, expiry) in found:
            continue
        near = sorted((abs(other - expiry), lot) for (name, other), lot in known.items() if name == underlying)
        if near and (possible is None or near[0][1] in possible):
            found[underlying, expiry] = near[0][1]
