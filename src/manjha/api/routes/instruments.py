"""What can be traded, and how it is named."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from manjha.api.auth import Reader
from manjha.api.paging import Cursor, Limit, Page, cursor_of, place_of
from manjha.api.parts import Parts
from manjha.api.problems import not_found
from manjha.api.words import Day, InstrumentName, Rupees
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, Right
from manjha.domain.moments import format_day
from manjha.domain.money import format_px
from manjha.services.instrument_search import Rank, Wanted

router = APIRouter(prefix="/instruments", tags=["data"])


class AskedInstruments(BaseModel, extra="forbid"):
    """Which instruments."""

    q: str = Field(default="", max_length=100, description="Part of the symbol or the name; case does not matter.")
    exchange: Exchange | None = None
    kind: Kind | None = None
    limit: Limit = 100
    cursor: Cursor = ""


class InstrumentView(BaseModel):
    """An instrument in its latest form. Lots and freeze quantities in units of the quoted price."""

    id: str = Field(examples=["NSE:INE002A01018"])
    name: str = Field(examples=["NSE:RELIANCE"], description="What people type.")
    title: str = Field(examples=["Reliance Industries"])
    symbol: str = Field(examples=["RELIANCE"])
    exchange: Exchange
    kind: Kind
    asset: Asset
    tick: Rupees
    lot: int
    freeze: int = Field(description="0: no limit is known.")
    isin: str = Field(examples=["INE002A01018"])
    series: str = Field(examples=["EQ"])
    has_derivatives: bool
    is_tradable: bool
    underlying: str = Field(examples=[""], description="Of a derivative.")
    expiry: Day | None
    strike: Rupees | None
    right: Right | None


@router.get("", summary="Search instruments")
def search(caller: Reader, parts: Parts, asked: Annotated[AskedInstruments, Query()]) -> Page[InstrumentView]:
    """List the instruments that are known: whose symbol it is first, then whose begins with it; each by id."""
    del caller
    wanted = Wanted(asked.q, asked.exchange, asked.kind)
    found, last = parts.search.page(wanted, place_of(asked.cursor, Rank), asked.limit)
    return Page(items=[view(each) for each in found], next=None if last is None else cursor_of(last))


@router.get("/{name:path}", summary="One instrument")
def one(caller: Reader, parts: Parts, name: InstrumentName) -> InstrumentView:
    """Return an instrument by its id or by what people type."""
    del caller
    return view(named(parts, name))


def named(parts: Parts, name: str) -> Instrument:
    """Return the instrument of this name. Raises the problem of one that is not known."""
    try:
        return parts.instruments.find(name)
    except UsageError as error:
        raise not_found(error.message, error.hint) from None


def view(found: Instrument) -> InstrumentView:
    """Return what is told of an instrument."""
    return InstrumentView(
        id=found.id, name=found.display, title=found.name, symbol=found.symbol, exchange=found.exchange,
        kind=found.kind, asset=found.asset, tick=format_px(found.tick), lot=found.lot, freeze=found.freeze,
        isin=found.isin, series=found.series, has_derivatives=found.has_derivatives, is_tradable=found.is_tradable,
        underlying=found.underlying, expiry=None if found.expiry is None else format_day(found.expiry),
        strike=None if found.strike is None else format_px(found.strike), right=found.right,
    )  # fmt: skip
