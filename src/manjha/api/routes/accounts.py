"""Accounts: which there are, where they are traded, who trades them, and how that trader stands."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from manjha.api.auth import Reader
from manjha.api.parts import ApiParts, Parts
from manjha.api.trading_views import AccountName, account_of
from manjha.api.words import Moment, Rupees
from manjha.domain.controls import AskStatus, Request
from manjha.domain.errors import SourceError
from manjha.domain.leader import Holder
from manjha.domain.moments import format_ts
from manjha.domain.money import format_cash
from manjha.domain.orders import AccountId
from manjha.ports.traders import FundsRow

router = APIRouter(prefix="/accounts", tags=["trading"])


class TraderView(BaseModel):
    """The process that trades an account."""

    pid: int
    host: str = Field(examples=["desk-1"])
    since: Moment | None


class AccountView(BaseModel):
    """An account. `status` is what its trader tells of itself; null where none answers."""

    id: str = Field(examples=["PAPER"])
    traded_at: str = Field(examples=["paper"], description="paper, kite, or a simulated exchange; empty: nowhere yet.")
    trader: TraderView | None
    status: dict[str, Any] | None = None
    last_words: list[str] = Field(default=[], description="What a trader started here has said last.")


class FundsView(BaseModel):
    """The money of one of an account's ledgers; null where the place that keeps it does not say."""

    segment: str = Field(examples=["equity"])
    net: Rupees
    cash: Rupees | None
    collateral: Rupees | None
    paid_in: Rupees | None
    used: Rupees | None


@router.get("", summary="All accounts")
def all_(caller: Reader, parts: Parts) -> list[AccountView]:
    """List the accounts that were traded here, by id."""
    del caller
    return [_view(parts, account) for account in parts.traders.accounts()]


@router.get("/{account}", summary="One account, and how its trader stands")
def one(caller: Reader, parts: Parts, account: AccountName) -> AccountView:
    """Return an account, with what its trader tells of itself and has said last."""
    del caller
    found = account_of(parts, account)
    words = list(parts.traders.last_words(found))
    return _view(parts, found).model_copy(update={"status": status_of(parts, found), "last_words": words})


@router.get("/{account}/funds", summary="The account's money")
def funds(caller: Reader, parts: Parts, account: AccountName) -> list[FundsView]:
    """Return the account's money: as the broker tells it; on paper the equity of the running trader."""
    del caller
    found = account_of(parts, account)
    rows = parts.traders.funds(found)
    if rows is not None:
        return [_funds(row) for row in rows]
    status = status_of(parts, found)
    equity = str(status.get("equity", "")) if status else ""
    if not equity:
        return []
    return [FundsView(segment="paper", net=equity, cash=None, collateral=None, paid_in=None, used=None)]


def status_of(parts: ApiParts, account: AccountId) -> dict[str, Any] | None:
    """Return what an account's trader tells of itself; None where none answers."""
    try:
        answer = parts.traders.controls(account).ask(Request("status", AskStatus()))
    except SourceError:
        return None
    return None if answer.refused else answer.status


def trader_view(holder: Holder | None) -> TraderView | None:
    """Return a process as it is told."""
    if holder is None:
        return None
    return TraderView(pid=holder.pid, host=holder.host, since=format_ts(holder.since_ns) if holder.since_ns else None)


def _view(parts: ApiParts, account: AccountId) -> AccountView:
    holder = parts.traders.holder(account)
    return AccountView(id=account, traded_at=parts.traders.traded_at(account), trader=trader_view(holder))


def _funds(row: FundsRow) -> FundsView:
    held = {
        name: None if amount is None else format_cash(amount)
        for name in ("cash", "collateral", "paid_in", "used")
        for amount in [getattr(row, name)]
    }
    return FundsView(segment=row.segment, net=format_cash(row.net), **held)
