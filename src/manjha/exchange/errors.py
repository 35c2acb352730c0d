"""The one exception of the exchange: what a client is told instead of data (fact sheet 3.5)."""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """The names of errors on the wire; official clients choose their exception by them."""

    TOKEN = "TokenException"  # noqa: S105 - a name of an error  # nosec B105
    PERMISSION = "PermissionException"
    USER = "UserException"
    INPUT = "InputException"
    ORDER = "OrderException"
    MARGIN = "MarginException"
    HOLDING = "HoldingException"
    NETWORK = "NetworkException"
    DATA = "DataException"
    GENERAL = "GeneralException"


CODES: Mapping[Kind, int] = {
    Kind.TOKEN: 403, Kind.PERMISSION: 403, Kind.USER: 403, Kind.INPUT: 400, Kind.ORDER: 400, Kind.MARGIN: 400,
    Kind.HOLDING: 400, Kind.NETWORK: 503, Kind.DATA: 502, Kind.GENERAL: 500,
}  # fmt: skip
TOO_MANY = 429
"""HTTP code of a rate limit; its kind is NETWORK."""


class KiteError(Exception):
    """A request that is answered with an error body.

    Parameters
    ----------
    kind
        The `error_type`.
    message
        The text for a person.
    code
        The HTTP code; the usual one of the kind where 0.
    data
        What the body carries beside the text.
    """

    def __init__(self, kind: Kind, message: str, code: int = 0, data: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.code = code or CODES[kind]
        self.data = data

    def body(self) -> dict[str, object]:
        """Return the error body."""
        return {"status": "error", "message": self.message, "error_type": str(self.kind), "data": self.data}


def bad_input(message: str, data: Mapping[str, object] | None = None) -> KiteError:
    """Return the error of a bad or missing parameter."""
    return KiteError(Kind.INPUT, message, data=data)


def bad_order(message: str) -> KiteError:
    """Return the error of an order that cannot be placed, changed or found as asked."""
    return KiteError(Kind.ORDER, message)


def no_order() -> KiteError:
    """Return the error of an id that no order of the day has."""
    return KiteError(Kind.GENERAL, "Couldn't find that `order_id`.", 400)


def bad_token(message: str = "Incorrect `api_key` or `access_token`.") -> KiteError:
    """Return the error of a session that is none, or none any more."""
    return KiteError(Kind.TOKEN, message)


def too_many(message: str = "Too many requests") -> KiteError:
    """Return the error of a limit that is reached."""
    return KiteError(Kind.NETWORK, message, TOO_MANY)
