"""Words of a backtest's terms, as people type them, made into values. Shared by the command line and the Python API."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from manjha.domain.errors import UsageError
from manjha.domain.moments import TradingDay, parse_day
from manjha.domain.money import RUPEE, Cash, Qty
from manjha.domain.sizing import NANO, CapitalFraction, FixedQty, RiskPerTrade, SizingPolicy, VolatilityTarget
from manjha.simulator.fills import PPM
from manjha.simulator.slippage import BasisPoints, FixedTicks, NoSlippage, SlippageModel, VolumeShare

_UNITS = {"": 1, "k": 1_000, "lakh": 100_000, "l": 100_000, "cr": 10_000_000, "crore": 10_000_000}
_AMOUNT = re.compile(r"₹?\s*([\d,]*\.?\d+)\s*([a-z]*)")


def parse_amount(text: str) -> Cash:
    """Read "1000000", "10,00,000", "10 lakh" or "1cr". Raises `UsageError`."""
    match = _AMOUNT.fullmatch(text.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise UsageError(f"expected an amount like 500000, 5 lakh or 1cr, was {text!r}")
    amount = Decimal(match[1].replace(",", "")) * _UNITS[match[2]] * RUPEE
    if amount != int(amount) or amount <= 0:
        raise UsageError(f"expected an amount above zero with at most four decimals, was {text!r}")
    return Cash(int(amount))


def parse_sizing(text: str) -> SizingPolicy | None:
    """Read how much to trade: "qty:100", "capital:0.5", "risk:1%", "volatility:15%"; empty for the default.

    Raises
    ------
    UsageError
        Another word, or a number out of its range.
    """
    if not text:
        return None
    kind, _, value = text.partition(":")
    if kind == "qty" and value.isdecimal() and int(value) > 0:
        return FixedQty(Qty(int(value)))
    if kind == "capital":
        return CapitalFraction(_fraction(value, text, at_most=5))
    if kind == "risk":
        return RiskPerTrade(_fraction(value, text, at_most=1))
    if kind == "volatility":
        return VolatilityTarget(_fraction(value, text, at_most=5))
    raise UsageError(
        f"unknown sizing {text!r}", hint="Give qty:100, capital:0.5, risk:1% (needs stops) or volatility:15%."
    )


def parse_slippage(text: str) -> SlippageModel:
    """Read "none", "2ticks", "5bps" or "volume:10bps" (at the whole volume). Raises `UsageError`."""
    word = text.strip().lower()
    if word in ("", "none", "0"):
        return NoSlippage()
    match = re.fullmatch(r"(volume:)?(\d{1,4})\s*(ticks?|bps)", word)
    if match is None or (match[1] and match[3] != "bps"):
        raise UsageError(f"unknown slippage {text!r}", hint="Give none, 1tick, 2ticks, 5bps or volume:10bps.")
    amount = int(match[2])
    if match[1]:
        return VolumeShare(amount)
    return BasisPoints(amount) if match[3] == "bps" else FixedTicks(amount)


def parse_participation(text: str) -> int:
    """Read the share of a bar's volume that orders may take, "10%" or "0.1", in ppm; "any" is 0. `UsageError`."""
    if text.strip().lower() == "any":
        return 0
    return _fraction(text, text, at_most=1) * PPM // NANO


def parse_params(pairs: Sequence[str]) -> Mapping[str, str]:
    """Read "name=value" pairs. Raises `UsageError` for one without "=", and for two of one name."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"expected a parameter like fast=20, was {pair!r}")
        name = name.strip().replace("-", "_")
        if name in found:
            raise UsageError(f"the parameter {name} is given twice: {found[name]} and {value.strip()}")
        found[name] = value.strip()
    return found


def parse_numbers(pairs: Sequence[str]) -> Mapping[str, int | float | str]:
    """Read "name=value" pairs, numbers as numbers. Raises `UsageError` for one without "="."""
    return {name: _number(value) for name, value in parse_params(pairs).items()}


def parse_span(start: str, end: str) -> tuple[TradingDay | None, TradingDay | None]:
    """Read two days, empty for open. Raises `UsageError` when the first is after the last."""
    first, last = (parse_day(text) if text else None for text in (start, end))
    if first is not None and last is not None and first > last:
        raise UsageError(f"the range {start} to {end} is empty", hint="Swap --from and --to.")
    return first, last


def _number(value: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _fraction(value: str, text: str, *, at_most: int) -> int:
    """Return a share in 1e-9, from "0.25" or "25%"."""
    percent = value.strip().endswith("%")
    try:
        number = Decimal(value.strip().removesuffix("%"))
    except InvalidOperation:
        raise UsageError(f"expected a share like 0.25 or 25%, was {text!r}") from None
    share = number / 100 if percent else number
    if not share.is_finite() or not 0 < share <= at_most:
        raise UsageError(f"expected a share above 0 and at most {at_most * 100}%, was {text!r}")
    return int(share * NANO)
