"""Lists in pages: `limit` and an opaque `cursor`; the answer names the next one."""

import base64
import binascii
from http import HTTPStatus
from typing import Annotated, Generic, TypeVar

import msgspec
from pydantic import BaseModel, Field

from manjha.api.problems import Problem

PAGE, PAGE_MAX = 100, 1000
CURSOR_MAX = 512
Item = TypeVar("Item")
Place = TypeVar("Place")

Limit = Annotated[int, Field(ge=1, le=PAGE_MAX, description="How many at most.")]
Cursor = Annotated[str, Field(max_length=CURSOR_MAX, description="The `next` of the page before; empty begins anew.")]


class Page(BaseModel, Generic[Item]):
    """A page of a list. `next` is the cursor of the page after it, null at the end."""

    items: list[Item]
    next: str | None = Field(default=None, description="Ask again with it as `cursor`; null at the end.")


def cursor_of(place: object) -> str:
    """Return the cursor of a place in a list: any value that msgspec can write."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(cursor: str, kind: type[Place]) -> Place | None:
    """Return the place that a cursor names; None for the beginning. Raises the problem of what is no cursor of ours."""
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(text, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "bad-cursor", "the cursor is none of this list",
            hint="Give the `next` of the page before as it stands; leave it out to begin anew.",
        ) from None  # fmt: skip
