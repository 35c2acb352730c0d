"""Asking a running trader for something on a caller's behalf, and what its answer is over HTTP."""

from http import HTTPStatus

from pydantic import BaseModel, Field

from manjha.api.parts import ApiParts
from manjha.api.problems import REFUSED, Problem
from manjha.domain.controls import Answer, AskPrices, Control, Figure, Request
from manjha.domain.errors import SourceError, TraderAway
from manjha.domain.instrument import InstrumentId
from manjha.domain.orders import AccountId
from manjha.services.identity.caller import Caller


class Done(BaseModel):
    """A trader has done what it was asked for: it stands in this row of its journal."""

    seq: int = Field(examples=[1842])


def ask(parts: ApiParts, account: AccountId, control: Control, key: str) -> Answer:
    """Ask an account's trader. Raises the problem of one that does not run, does not answer, or refuses.

    A refusal is told in the trader's own words. Where it did not answer nobody knows whether it was done: asked again
    under the same key it is done at most once.
    """
    try:
        answer = parts.traders.controls(account).ask(Request(key, control))
    except TraderAway:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "trader-away", f"no trader of {account} runs",
            hint=f"POST /api/v1/accounts/{account}/sessions starts one; the kill switch works without.",
        ) from None  # fmt: skip
    except SourceError:
        raise Problem(
            HTTPStatus.GATEWAY_TIMEOUT, "outcome-unknown", f"the trader of {account} did not answer in time",
            hint="It may have done it all the same. Ask again with the same Idempotency-Key: it is done at most once.",
        ) from None  # fmt: skip
    if answer.later:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "busy", answer.refused, hint="Ask again in a second.",
            headers={"Retry-After": "1"},
        )  # fmt: skip
    if answer.refused:
        raise Problem(HTTPStatus.CONFLICT, REFUSED, answer.refused, hint="Nothing was done.")
    return answer


def told(parts: ApiParts, account: AccountId, control: Control, key: str) -> tuple[int, Done]:
    """Have something done, and the rows of it read: whoever looks next sees it."""
    answer = ask(parts, account, control, key)
    parts.followed.follow(account, at_once=True)
    return HTTPStatus.OK, Done(seq=answer.seq)


def signed(caller: Caller, reason: str) -> str:
    """Return a reason with the name of who gave it, as it is written down."""
    return f"{caller.name}: {reason}" if reason else caller.name


def newest_prices(parts: ApiParts, account: AccountId) -> dict[InstrumentId, int]:
    """Return the newest prices that an account's trader has seen, in 1e-4 rupee; none where no trader answers."""
    return {InstrumentId(str(row["instrument"])): int(row["px"]) for row in newest_ticks(parts, account)}


def newest_ticks(parts: ApiParts, account: AccountId) -> list[dict[str, Figure]]:
    """Return the newest tick of each instrument that an account's trader has seen; none where no trader answers."""
    try:
        answer = parts.traders.controls(account).ask(Request("prices", AskPrices()))
    except SourceError:
        return []
    rows = answer.status.get("prices", [])
    return rows if isinstance(rows, list) else []
