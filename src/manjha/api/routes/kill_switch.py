"""The kill switch: thrown by whoever may trade, lifted only with a proof of who it is. It works without a trader."""

from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from manjha.api.auth import Reader, Trading, needs
from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import REFUSED, Problem
from manjha.api.routes.instruments import named
from manjha.api.trading_views import InstrumentCode, StrategyName
from manjha.api.words import Moment
from manjha.domain.errors import ManjhaError
from manjha.domain.events import KillSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import KillLevel, Scope, level_name
from manjha.domain.moments import format_ts
from manjha.domain.orders import StrategyId
from manjha.services.identity.caller import Caller
from manjha.services.identity.caller import Scope as TokenScope
from manjha.services.kill_switch import in_force, lift, throw

router = APIRouter(prefix="/kill-switch", tags=["kill switch"])
Lifter = Annotated[Caller, needs(TokenScope.TRADE, step_up=True)]
Reason = Annotated[str, Field(min_length=1, max_length=500, examples=["prices look wrong"])]
HISTORY = 50
"""Throws that are shown."""


class ThrownView(BaseModel):
    """A level that holds, and for whom: a strategy, an instrument, both, or, both empty, everything."""

    level: str = Field(examples=["cancel-all"])
    strategy: StrategyName
    instrument: InstrumentCode


class SwitchedView(BaseModel):
    """One throw; the level `off` is a lift."""

    level: str = Field(examples=["no-new"])
    strategy: StrategyName
    instrument: InstrumentCode
    reason: str = Field(examples=["prices look wrong"])
    who: str = Field(examples=["dashboard (API)"])
    time: Moment


class KillSwitchView(BaseModel):
    """What holds now, and what was thrown and lifted last, newest first."""

    in_force: list[ThrownView]
    history: list[SwitchedView]


class AskedScope(BaseModel, extra="forbid"):
    """For whom; everything if left out."""

    strategy: str = Field(default="", max_length=200, examples=[""])
    instrument: str = Field(default="", max_length=200, examples=[""])


class AskedKill(AskedScope):
    """How much is forbidden; each level forbids what the ones before it do."""

    level: Literal["reduce-only", "no-new", "cancel-all", "flatten"] = "cancel-all"
    reason: Reason


class AskedLift(AskedScope):
    """Why it is safe again, with the account's id in words."""

    reason: Reason
    account_in_words: str = Field(max_length=64, examples=["AB1234"])


@router.get("", summary="What holds")
def shown(caller: Reader, parts: Parts) -> KillSwitchView:
    """Return what is forbidden now, and who threw it."""
    del caller
    return _view(parts)


@router.post("", summary="Throw it")
def thrown(caller: Trading, parts: Parts, asked: AskedKill) -> KillSwitchView:
    """Throw the switch, durably. It holds for every account of this home until it is lifted, over restarts.

    It needs no trader and no key: asked twice it holds all the same.
    """
    throw(parts.kill, parts.clock, asked.level, _scope(parts, asked), asked.reason, f"{caller.name} (API)")
    # Thrown it is, in a log or not.
    with suppress(ManjhaError):
        note(parts, "kill.thrown", caller, asked, level=asked.level)
    return _view(parts)


@router.post("/lift", summary="Lift it")
def lifted(caller: Lifter, parts: Parts, asked: AskedLift) -> KillSwitchView:
    """Lift the switch for a scope and everything within it."""
    if asked.account_in_words != parts.own_account:
        raise Problem(
            409, REFUSED, "expected the account's id in words; the kill switch stays as it is",
            hint="It is the account of the settings, as `manjha resume` asks for it. Look at what happened first.",
        )  # fmt: skip
    note(parts, "kill.lifted", caller, asked)
    lift(parts.kill, parts.clock, _scope(parts, asked), asked.reason, f"{caller.name} (API)")
    return _view(parts)


def note(parts: ApiParts, kind: str, caller: Caller, asked: "AskedKill | AskedLift", **details: str) -> None:
    """Write into the audit log what was done with the switch."""
    words = {"strategy": asked.strategy, "instrument": asked.instrument, "reason": asked.reason}
    parts.access.audit.note(kind, caller.name, "", **words, **details)


def _scope(parts: ApiParts, asked: AskedScope) -> Scope:
    found = named(parts, asked.instrument).id if asked.instrument else InstrumentId("")
    return Scope(StrategyId(asked.strategy), found)


def _view(parts: ApiParts) -> KillSwitchView:
    holds = [
        ThrownView(level=level_name(level), strategy=scope.strategy, instrument=scope.instrument)
        for scope, level in in_force(parts.kill).items()
        if level is not KillLevel.OFF
    ]
    last = list(parts.kill.thrown())[-HISTORY:]
    return KillSwitchView(in_force=holds, history=[_switched(one) for one in reversed(last)])


def _switched(one: KillSwitched) -> SwitchedView:
    return SwitchedView(
        level=level_name(one.level), strategy=one.scope.strategy, instrument=one.scope.instrument, reason=one.reason,
        who=one.who, time=format_ts(one.ts_ns),
    )  # fmt: skip
