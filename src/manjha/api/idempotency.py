"""`Idempotency-Key`: what can make an order, or a job, is asked under a key, and done once."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel

from manjha.api.auth import needs
from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import CONFLICT, JSON, REFUSED, Problem, document
from manjha.services.identity.caller import Caller, Scope
from manjha.services.once_only import Given, KeyUsed

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$",
        description="Chosen by you for each thing that you want done; with the same one it is done once. Kept 24 h.",
        examples=["5f2f4d6c-first-try"],
    ),
]  # fmt: skip
REPLAYED = "Idempotency-Replayed"
"""The header of an answer that was given before."""


class Once:
    """A request under a key of its caller's."""

    def __init__(self, parts: ApiParts, caller: Caller, request: Request, key: str) -> None:
        self.parts, self.caller = parts, caller
        self._request, self._key = request, key

    def __call__(self, asked: BaseModel | None, do: Callable[[str], tuple[int, BaseModel]]) -> Response:
        """Do what is asked once under the caller's key, and answer the same however often it is asked.

        `do` is given a key of ours, under which it must do the thing at most once: also after a crash it is called with
        the same one. A refusal is an answer and kept; whatever else goes wrong is not, and tried again.
        """
        body = b"" if asked is None else asked.model_dump_json(by_alias=True).encode()
        words = f"{self._request.method} {self._request.url.path}\n".encode() + body

        def given(own_key: str) -> Given:
            try:
                status, answer = do(own_key)
            except Problem as problem:
                if problem.code != REFUSED:
                    raise
                return Given(problem.status, bytes(document(problem).body).decode())
            return Given(status, answer.model_dump_json())

        try:
            found = self.parts.once.answer(self.caller.id, self._key, words, given)
        except KeyUsed as used:
            raise Problem(HTTPStatus.CONFLICT, CONFLICT, used.message, hint=used.hint) from None
        kind = "application/json" if found.status < HTTPStatus.BAD_REQUEST else JSON
        headers = {REPLAYED: "true"} if found.is_again else {}
        return Response(found.body, found.status, headers=headers, media_type=kind)


def keyed(scope: Scope, *, step_up: bool = False) -> Any:
    """Return the dependency of a route that is asked under a key; it marks the route too, as `needs` does."""

    def given(
        parts: Parts, caller: Annotated[Caller, needs(scope, step_up=step_up)], request: Request, key: IdempotencyKey
    ) -> Once:
        return Once(parts, caller, request, key)

    return Depends(given)


TradingOnce = Annotated[Once, keyed(Scope.TRADE)]
"""Who may trade, and asks under a key."""
