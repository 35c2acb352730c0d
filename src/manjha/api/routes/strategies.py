"""Strategies: what there is, what each parameter may be, whether values will do. Code is not taken over HTTP."""

from inspect import cleandoc
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from manjha.api.auth import Reader
from manjha.api.parts import Parts
from manjha.api.problems import not_found
from manjha.strategy.params import Param, bind, collect

router = APIRouter(prefix="/strategies", tags=["strategies"])
StrategyName = Annotated[str, Path(max_length=200, examples=["sma-cross"])]
Value = int | float | bool | str
_KINDS = {int: "integer", float: "number", bool: "boolean", str: "string"}


class ParameterView(BaseModel):
    """A parameter: its type in the words of JSON schema, and what it may be. Both ends are included."""

    name: str = Field(examples=["fast"])
    type: str = Field(examples=["integer"])
    default: Value
    low: float | None
    high: float | None
    step: float | None
    choices: list[str]
    help: str = Field(examples=["bars of the fast average"])


class StrategyView(BaseModel):
    """A strategy and its parameters."""

    name: str = Field(examples=["sma-cross"])
    title: str = Field(examples=["Buy when a fast average crosses a slow one from below"])
    description: str = Field(examples=["Two averages of the close."])
    product: str = Field(examples=["CNC"])
    parameters: list[ParameterView]


class AskedParameters(BaseModel, extra="forbid"):
    """Values by the names of parameters."""

    parameters: dict[str, Value] = Field(max_length=100, examples=[{"fast": 10, "slow": 50}])


class BoundParameters(BaseModel):
    """All the values that a run would have, those that were left out included."""

    parameters: dict[str, Value]


@router.get("", summary="All strategies")
def all_(caller: Reader, parts: Parts) -> list[StrategyView]:
    """List the library's strategies and the user's own, by name."""
    del caller
    return [_view(each) for each in parts.strategies.all()]


@router.get("/{name}", summary="One strategy")
def one(caller: Reader, parts: Parts, name: StrategyName) -> StrategyView:
    """Return a strategy by its name."""
    del caller
    return _view(named(parts, name))


@router.post("/{name}/validate", summary="Would these parameters do?")
def validate(caller: Reader, parts: Parts, name: StrategyName, asked: AskedParameters) -> BoundParameters:
    """Check values of parameters, and fill in those that were left out. Nothing is run."""
    del caller
    found = named(parts, name)
    return BoundParameters(parameters=bind(collect(found), asked.parameters, found.name))


def named(parts: Parts, name: str) -> type[Any]:
    """Return the strategy of this name. Raises the problem of one that there is not.

    A name only: the path of a file, which the command line takes, would run whatever lies there.
    """
    for each in parts.strategies.all():
        if each.name == name:
            return each
    raise not_found(f"there is no strategy {name[:100]!r}", "GET /api/v1/strategies lists them.")


def _view(found: type[Any]) -> StrategyView:
    return StrategyView(
        name=found.name, title=found.title, description=cleandoc(found.__doc__ or ""), product=str(found.product),
        parameters=[_parameter(each) for each in collect(found).values()],
    )  # fmt: skip


def _parameter(each: Param) -> ParameterView:
    return ParameterView(
        name=each.name, type=_KINDS[each.kind], default=each.default, low=each.low, high=each.high, step=each.step,
        choices=list(each.choices), help=each.help,
    )  # fmt: skip
