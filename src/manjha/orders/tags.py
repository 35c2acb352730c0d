"""The tag under which an order intent goes to the broker: 20 characters that no other intent of the account has.

`K`, epoch (3), trading day (3), number in the epoch (5), leg (1), strategy (5), check (2), each in Crockford's base 32.
The epoch is the journal's, and a number is used once in it, so that a restart cannot give a tag a second time; the
check tells our tags from words that people type. Layout: RELIABILITY section 6, A6.
"""

import hashlib

import msgspec

from manjha.domain.errors import InvariantBroken
from manjha.domain.moments import TradingDay
from manjha.domain.orders import StrategyId

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 20
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_WIDTHS = (3, 3, 5, 1, 5)
_DAYS = 32**3
_CHECK = 1021
"""The largest prime below 32²: every wrong or exchanged character changes the check."""


class Tag(msgspec.Struct, frozen=True):
    """What a tag says. `day` is a trading day modulo 32,768, `strategy` a mark of 25 bits; `number` begins at 1."""

    epoch: int
    day: int
    number: int
    leg: int
    strategy: int


def tag_of(epoch: int, day: TradingDay, number: int, strategy: StrategyId, leg: int = 0) -> str:
    """Return the tag of an intent. Raises `InvariantBroken` where a part has no room."""
    mark = int.from_bytes(hashlib.sha256(strategy.encode()).digest()[:4], "big") % 32**5
    parts = (epoch, day % _DAYS, number, leg, mark)
    if any(not 0 <= part < 32**width for part, width in zip(parts, _WIDTHS, strict=True)):
        raise InvariantBroken(f"no tag has room for epoch {epoch}, number {number}, leg {leg}")
    body = "K" + "".join(_digits(part, width) for part, width in zip(parts, _WIDTHS, strict=True))
    return body + _digits(_check(body), 2)


def read_tag(text: str) -> Tag | None:
    """Return what a tag says; None for a text that is no tag of ours."""
    if len(text) != LENGTH or text[0] != "K" or any(letter not in _VALUES for letter in text):
        return None
    if _number(text[-2:]) != _check(text[:-2]):
        return None
    parts, at = [], 1
    for width in _WIDTHS:
        parts.append(_number(text[at : at + width]))
        at += width
    return Tag(*parts)


def _digits(value: int, width: int) -> str:
    out = ""
    for _ in range(width):
        value, digit = divmod(value, 32)
        out = ALPHABET[digit] + out
    return out


def _number(text: str) -> int:
    value = 0
    for letter in text:
        value = value * 32 + _VALUES[letter]
    return value


def _check(body: str) -> int:
    return _number(body) % _CHECK
