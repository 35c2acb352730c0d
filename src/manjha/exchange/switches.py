"""Rules of the broker and the exchange by date, each of which can be switched on, off, or to another date."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.moments import TradingDay, parse_day
from manjha.exchange.agenda import NEVER

ALWAYS = TradingDay(0)
OFF = TradingDay(NEVER)


class Rule(StrEnum):
    """A rule that can be switched. The value is its name on the command line."""

    STATIC_IP = "static-ip"
    MARKET_PROTECTION = "market-protection"
    PRICE_PROTECTION = "price-protection"
    CIRCUIT_LIMITS = "circuit-limits"
    TICK = "tick"
    FREEZE = "freeze"
    LARGEST_CASH_ORDER = "largest-cash-order"
    STOP_GAP = "stop-gap"
    NO_SL_M = "no-sl-m"
    NO_MARKET_STOCK_OPTIONS = "no-market-stock-options"
    MIS_CUT_OFF = "mis-cut-off"
    CLOSING_AUCTION = "closing-auction"
    NO_IOC_MCX = "no-ioc-mcx"
    STOP_NEEDS_PRICES = "stop-needs-prices"
    ORDERS_A_DAY = "orders-a-day"
    MODIFICATIONS = "modifications"
    FLAT_AUTOSLICE = "flat-autoslice"
    FUNDS = "funds"
    HOLDINGS = "holdings"
    EARLY_RISK = "early-risk"
    DEMAT_AUTHORISATION = "demat-authorisation"


_BEGAN = {
    Rule.STATIC_IP: parse_day("2026-04-01"),
    Rule.MARKET_PROTECTION: parse_day("2026-04-01"),
    Rule.PRICE_PROTECTION: parse_day("2022-10-31"),
    Rule.CLOSING_AUCTION: parse_day("2026-08-03"),
    Rule.NO_IOC_MCX: parse_day("2026-04-01"),
    Rule.FLAT_AUTOSLICE: OFF,
    Rule.DEMAT_AUTHORISATION: OFF,
}
SINCE: Mapping[Rule, TradingDay] = MappingProxyType(dict.fromkeys(Rule, ALWAYS) | _BEGAN)
"""From which day a rule holds (fact sheet 1.7, 2.3, 8.2)."""


class Switches(msgspec.Struct, frozen=True):
    """From which day each rule holds."""

    since: Mapping[Rule, TradingDay] = SINCE

    def holds(self, rule: Rule, day: int) -> bool:
        """Tell whether a rule holds on a day."""
        return day >= self.since[rule]


def switched(words: Mapping[str, str]) -> Switches:
    """Return the rules with some of them switched: "on", "off" or a date by the rule's name.

    Raises
    ------
    UsageError
        A name that no rule has.
    DataError
        Neither "on", "off" nor a date.
    """
    since = dict(SINCE)
    for name, word in words.items():
        if name not in list(Rule):
            raise UsageError(f"no rule is named {name!r}", hint=f"There are {', '.join(Rule)}.")
        since[Rule(name)] = {"on": ALWAYS, "off": OFF}[word] if word in ("on", "off") else parse_day(word)
    return Switches(since)
