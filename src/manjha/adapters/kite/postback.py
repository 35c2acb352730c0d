"""Kite's postbacks: who sent one is proven, what it says is not (KITE_CONNECT_V3 section 6.2).

The checksum covers the order's number and time and neither status nor quantities: who has seen one message can send it
again with others. So a postback gives the order's number as a hint, and what became of the order is read.
"""

import hashlib
from collections import Counter, OrderedDict

import msgspec

from manjha.adapters.kite.rest import UNREADABLE
from manjha.domain.secret import Secret, same

BODY_MAX = 16_384
"""Bytes: eight times what a postback has."""
REMEMBERED = 10_000
"""Messages that are known when they come again: twice what an account may order in a day."""


class _Postback(msgspec.Struct):
    user_id: str
    order_id: str
    order_timestamp: str
    checksum: str
    status: str = ""
    filled_quantity: int = 0


class KitePostback:
    """Implements `ports.hook_receiver.HookReceiver` for one account and app. `refused` counts by reason."""

    def __init__(self, secret: Secret, user_id: str) -> None:
        self._secret = secret
        self._user_id = user_id
        self._heard: OrderedDict[tuple[str, str, str, int], None] = OrderedDict()
        self.refused: Counter[str] = Counter()

    def received(self, body: bytes) -> str | None:
        """Return the number of the order, for a message that is ours and new."""
        if len(body) > BODY_MAX:
            return self._no("too large")
        try:
            message = msgspec.json.decode(body, type=_Postback)
        except UNREADABLE:
            return self._no("unreadable")
        if not same(self._proof(message), message.checksum):
            return self._no("forged")
        if message.user_id != self._user_id:
            return self._no("another account's")
        # A message that is altered and played again passes here, and costs no more than a read.
        key = (message.order_id, message.order_timestamp, message.status, message.filled_quantity)
        if key in self._heard:
            return self._no("heard before")
        self._heard[key] = None
        if len(self._heard) > REMEMBERED:
            self._heard.popitem(last=False)
        return message.order_id

    def _proof(self, message: _Postback) -> str:
        return hashlib.sha256(
            f"{message.order_id}{message.order_timestamp}{self._secret.reveal()}".encode()
        ).hexdigest()

    def _no(self, why: str) -> str | None:
        self.refused[why] += 1
        return None
