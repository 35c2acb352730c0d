"""Hooks: messages of programs outside, and who may send them. A message is judged by its raw bytes."""

import secrets
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from manjha.api.asking import ask
from manjha.api.auth import PUBLIC, Admin
from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import Problem, not_found
from manjha.api.routes.instruments import named
from manjha.api.trading_views import account_of
from manjha.api.words import InstrumentName, Moment
from manjha.domain.hooks import Hook, Proof
from manjha.domain.moments import format_ts
from manjha.domain.money import Qty
from manjha.domain.orders import Product, StrategyId
from manjha.services.hooks import Message

router = APIRouter(prefix="/hooks", tags=["hooks"])
MESSAGE_MAX = 16_384
"""Bytes of a message."""
_WORDLESS: dict[int | str, dict[str, Any]] = {
    403: {"description": "Not believed.", "content": {}}, 413: {"description": "Too large.", "content": {}},
    "default": {"description": "A status without words."},
}  # fmt: skip
HookName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["h-3f9a1c"])]
Proving = Annotated[str, Header(max_length=200)]


class AskedHook(BaseModel, extra="forbid"):
    """Who may order what. Orders are of `strategy`, a name that no run of the account has."""

    name: str = Field(min_length=1, max_length=100, examples=["breakouts of TradingView"])
    account: str = Field(max_length=64, examples=["PAPER"])
    strategy: str = Field(pattern=r"^[A-Za-z0-9_-]{1,100}$", examples=["tv-breakout"])
    instruments: list[InstrumentName] = Field(min_length=1, max_length=100, examples=[["NSE:PATANG"]])
    product: Product = Field(examples=["MIS"])
    qty_max: int = Field(ge=1, le=10**9, strict=True, examples=[100], description="Of one order.")
    per_minute: int = Field(default=6, ge=1, le=60, strict=True)
    proof: Proof = Proof.SIGNATURE
    is_on: bool = True


class AskedHookChange(AskedHook):
    """The whole hook anew. `version` is that of the hook as you have seen it."""

    version: int = Field(ge=1, examples=[1])


class HookView(AskedHook):
    """A hook, without its secret."""

    id: str = Field(examples=["h-3f9a1c"])
    made: Moment
    made_by: str = Field(examples=["dashboard"])
    version: int


class HookMade(BaseModel):
    """A hook and its secret, which is not shown again."""

    hook: HookView
    secret: str = Field(examples=["shown once"])


@router.get("", summary="All hooks")
def all_(caller: Admin, parts: Parts) -> list[HookView]:
    """List who may send signals."""
    del caller
    return [_view(each) for each in parts.hooks.all()]


@router.post("", summary="Make a hook", status_code=HTTPStatus.CREATED)
def make(caller: Admin, parts: Parts, asked: AskedHook) -> HookMade:
    """Let a program send signals, and return the secret that it proves itself with: once, it is kept sealed."""
    made = _hook(parts, asked, f"h-{secrets.token_hex(6)}")
    made = msgspec.structs.replace(made, made_ns=parts.clock.now_ns(), made_by=caller.name)
    return HookMade(secret=parts.hooks.make(made), hook=_view(made))


@router.put("/{hook}", summary="Change a hook")
def change(caller: Admin, parts: Parts, hook: HookName, asked: AskedHookChange) -> HookView:
    """Put a hook in place of the one that you have seen; its secret stays."""
    del caller
    held = _found(parts, hook)
    if held.version != asked.version:
        raise Problem(
            HTTPStatus.CONFLICT, "conflict", f"the hook is of version {held.version}, {asked.version} was seen",
            hint="Look at the newest one and change that.",
        )  # fmt: skip
    new = _hook(parts, asked, held.id)
    new = msgspec.structs.replace(new, made_ns=held.made_ns, made_by=held.made_by, version=held.version + 1)
    parts.hooks.change(new)
    return _view(new)


@router.post("/{hook}/rotate", summary="Give a hook another secret")
def rotate(caller: Admin, parts: Parts, hook: HookName) -> HookMade:
    """Make another secret; the one before holds for an hour more."""
    del caller
    held = _found(parts, hook)
    return HookMade(secret=parts.hooks.rotate(held.id), hook=_view(held))


@router.delete("/{hook}", summary="Take a hook out", status_code=HTTPStatus.NO_CONTENT)
def remove(caller: Admin, parts: Parts, hook: HookName) -> None:
    """Take a hook out: its messages are refused from now on."""
    del caller
    parts.hooks.remove(_found(parts, hook).id)


@router.post(
    "/signals/{hook}", dependencies=[PUBLIC], summary="A signal", status_code=HTTPStatus.ACCEPTED,
    response_class=Response, responses=_WORDLESS | {202: {"description": "Put before the gate."}},
)  # fmt: skip
async def signal(
    request: Request, parts: Parts, hook: HookName,
    x_manjha_timestamp: Proving = "", x_manjha_nonce: Proving = "", x_manjha_signature: Proving = "",
) -> Response:  # fmt: skip
    """Take a signal, proved by a signature or by the secret in it. The answer is a status without words."""
    body = await _raw(request)
    if body is None:
        return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    message = Message(body, x_manjha_timestamp, x_manjha_nonce, x_manjha_signature)
    return Response(status_code=await run_in_threadpool(_taken, parts, hook, message))


@router.post(
    "/kite/postback", dependencies=[PUBLIC], summary="A postback of Kite", response_class=Response,
    responses=_WORDLESS | {200: {"description": "It may be worth a read of the account."}},
)  # fmt: skip
async def postback(request: Request, parts: Parts) -> Response:
    """Take what Kite says of an order: never a fact, at most a reason to read. 200, or 403 without words."""
    body = await _raw(request)
    if body is None:
        return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    is_ours = await run_in_threadpool(parts.postbacks, body)
    return Response(status_code=HTTPStatus.OK if is_ours else HTTPStatus.FORBIDDEN)


def _taken(parts: ApiParts, hook_id: str, message: Message) -> int:
    """Judge a signal and put what it asks for before the trader's gate; return the status of the answer."""
    verdict = parts.hooks.judge(hook_id, message)
    if verdict.order is None or verdict.hook is None:
        return verdict.status
    try:
        ask(parts, verdict.hook.account, verdict.order, verdict.key)
    except Problem as problem:
        # Whoever sent it was known: the status says whether the gate refused, or no trader listens.
        return problem.status
    return verdict.status


async def _raw(request: Request) -> bytes | None:
    """Return the bytes of a message; None where they are too many."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MESSAGE_MAX:
            return None
    return bytes(body)


def _found(parts: ApiParts, hook_id: str) -> Hook:
    found = next((each for each in parts.hooks.all() if each.id == hook_id), None)
    if found is None:
        raise not_found(f"there is no hook {hook_id!r}", "GET /api/v1/hooks lists them.")
    return found


def _hook(parts: ApiParts, asked: AskedHook, hook_id: str) -> Hook:
    names = tuple(named(parts, name).display for name in asked.instruments)
    return Hook(
        id=hook_id, name=asked.name, account=account_of(parts, asked.account), strategy=StrategyId(asked.strategy),
        instruments=names, product=asked.product, qty_max=Qty(asked.qty_max), per_minute=asked.per_minute,
        proof=asked.proof, is_on=asked.is_on, made_ns=parts.clock.now_ns(), made_by="",
    )  # fmt: skip


def _view(hook: Hook) -> HookView:
    held = msgspec.structs.asdict(hook)
    made_ns = held.pop("made_ns")
    return HookView(**held | {"instruments": list(hook.instruments)}, made=format_ts(made_ns))
