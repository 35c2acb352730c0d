"""Other people in the accounts, switched on and off: a manual trader, and risk management. Not of Kite."""

from typing import Any

import msgspec

from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.calls import Call, Route, json_body
from manjha.exchange.errors import bad_input
from manjha.exchange.exchange import Exchange
from manjha.exchange.trouble.manual import Habits
from manjha.exchange.trouble.rms import RmsState

EVERY = (1, 86_400)


def show(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Tell who acts."""
    del call
    return {
        "manual_trader": msgspec.to_builtins(exchange.manual.habits),
        "rms": msgspec.to_builtins(exchange.rms.settings),
    }


def begin_manual(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Let a person trade in an account: `user`, `seed`, and `every` so many seconds."""
    try:
        habits = msgspec.convert(json_body(call), Habits)
    except msgspec.ValidationError as error:
        raise bad_input(f"The manual trader cannot be read: {error}") from None
    if habits.user not in exchange.users:
        raise bad_input(f"Invalid `user`: the users here are {', '.join(exchange.users)}.")
    if not EVERY[0] <= habits.every <= EVERY[1]:
        raise bad_input(f"Invalid `every`: expected {EVERY[0]} to {EVERY[1]} seconds, was {habits.every:g}.")
    exchange.manual.begin(habits, exchange.now_ns)
    return show(exchange, call)


def end_manual(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Let nobody trade any more."""
    exchange.manual.end()
    return show(exchange, call)


def set_rms(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Switch risk management: `squares_off`, and `margin` in 1e-4 rupee (0: no limit)."""
    try:
        settings = msgspec.convert(json_body(call), RmsState)
    except msgspec.ValidationError as error:
        raise bad_input(f"The settings of risk management cannot be read: {error}") from None
    if settings.margin < 0:
        raise bad_input("Invalid `margin`: it cannot be negative.")
    exchange.rms.settings = settings
    return show(exchange, call)


ROUTES = (
    Route("GET", "/simulation/actors", show, RateClass.FREE, needs_session=False),
    Route("POST", "/simulation/actors/manual", begin_manual, RateClass.FREE, needs_session=False),
    Route("DELETE", "/simulation/actors/manual", end_manual, RateClass.FREE, needs_session=False),
    Route("POST", "/simulation/actors/rms", set_rms, RateClass.FREE, needs_session=False),
)
