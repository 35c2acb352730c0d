"""How values are written on the wire: numbers as doubles or whole, times in IST without a zone (fact sheet 2.0)."""

from collections.abc import Mapping

from manjha.domain.errors import DataError
from manjha.domain.moments import SECOND_NS, clock_ns, date_from_day, day_of
from manjha.domain.money import QTY_MAX, RUPEE, Px, parse_px
from manjha.exchange.errors import bad_input


def rupees(px: int) -> int | float:
    """Return a price or an amount of 1e-4 rupee in rupees: whole where it is whole, as the sample replies have it."""
    return px // RUPEE if px % RUPEE == 0 else px / RUPEE


def average_of(value: int, qty: int) -> int | float:
    """Return value ÷ quantity (1e-4 rupee, units) in rupees, 0 for no quantity; whole where it is whole."""
    if not qty:
        return 0
    return value // (qty * RUPEE) if value % (qty * RUPEE) == 0 else value / qty / RUPEE


def stamp(ts_ns: int) -> str:
    """Return a moment as "2026-11-27 09:15:00", in IST."""
    return f"{date_from_day(day_of(ts_ns))} {time_only(ts_ns)}"


def stamp_or_none(ts_ns: int) -> str | None:
    """Return a moment as `stamp` does; None for 0, which is no moment."""
    return stamp(ts_ns) if ts_ns else None


def time_only(ts_ns: int) -> str:
    """Return the time of day of a moment as "09:15:00", in IST."""
    seconds = clock_ns(ts_ns) // SECOND_NS
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def text_of(form: Mapping[str, str], name: str) -> str:
    """Return a field that must be there. Raises `KiteError`."""
    value = form.get(name, "").strip()
    if not value:
        raise bad_input(f"Missing or empty field `{name}`")
    return value


def whole_of(form: Mapping[str, str], name: str, default: int = 0) -> int:
    """Return a whole number; `default` where the field is absent or empty. Raises `KiteError`."""
    text = form.get(name, "").strip()
    if not text:
        return default
    # Clients of other languages write whole numbers as "5.0".
    head, _, tail = text.partition(".")
    if not head.removeprefix("-").isdecimal() or not head.isascii() or tail.strip("0") or abs(int(head)) > QTY_MAX:
        raise bad_input(f"Invalid `{name}`: a whole number is expected, was {text!r}")
    return int(head)


def price_of(form: Mapping[str, str], name: str) -> Px:
    """Return a price in 1e-4 rupee; 0 where the field is absent or empty. Raises `KiteError`."""
    text = form.get(name, "").strip()
    if not text:
        return Px(0)
    try:
        px = parse_px(text)
    except DataError:
        raise bad_input(f"Invalid `{name}`: a price in rupees is expected, was {text!r}") from None
    if px < 0:
        raise bad_input(f"Invalid `{name}`: a price cannot be negative, was {text!r}")
    return px


def flag_of(form: Mapping[str, str], name: str) -> bool:
    """Return whether a flag is set: "true", "True" or "1"."""
    return form.get(name, "").strip().lower() in ("true", "1")
