"""What an inbox of controls remembers: what waits, what was answered, and under which key."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable

import msgspec

from manjha.domain.controls import KEY_LETTERS_MAX, Answer, AskPrices, AskStatus, Control, Request, ThrowKill
from manjha.domain.errors import InvariantBroken

WAITING_MAX = 256
"""Requests that may wait: a person types a few a minute."""
KILLS_MAX = 32
"""More of them that are taken in if they are kills: the switch must be within reach when everything else is stuck."""
ANSWERED_MAX = 10_000
"""Answers that are remembered; older keys are forgotten, oldest first."""


class ControlDesk:
    """Implements `ports.control_inbox.ControlInbox` within one event loop; `submit` is how requests get in.

    `answered` are those of earlier runs, oldest first, as the journal knows them.
    """

    def __init__(self, answered: Iterable[tuple[Request, Answer]] = ()) -> None:
        self._answered: OrderedDict[str, tuple[Control, Answer]] = OrderedDict()
        self._open: dict[str, tuple[Control, asyncio.Future[Answer]]] = {}
        self._kills: deque[Request] = deque()
        self._others: deque[Request] = deque()
        self._news = asyncio.Event()
        for request, answer in answered:
            self._remember(request.control, answer)

    async def next(self) -> Request:
        """Wait for the next request; see the port."""
        while not self._kills and not self._others:
            self._news.clear()
            await self._news.wait()
        return self._kills.popleft() if self._kills else self._others.popleft()

    def answer(self, answer: Answer) -> None:
        """Answer a request; see the port."""
        if answer.key not in self._open:
            raise InvariantBroken(f"no request waits for an answer under the key {answer.key!r}")
        control, future = self._open.pop(answer.key)
        if not isinstance(control, AskStatus | AskPrices) and not answer.later:
            self._remember(control, answer)
        if not future.done():
            future.set_result(answer)

    async def submit(self, request: Request) -> Answer:
        """Take a request in and wait for its answer; what cannot be is refused at once."""
        key, control = request.key, request.control
        if why := self._objection(key, control):
            return Answer(key, refused=why)
        if key not in self._answered and key not in self._open and (why := self._crowd(control)):
            return Answer(key, refused=why, later=True)
        if key in self._answered:
            return self._answered[key][1]
        if key not in self._open:
            self._open[key] = (control, asyncio.get_running_loop().create_future())
            (self._kills if isinstance(control, ThrowKill) else self._others).append(request)
            self._news.set()
        # Whoever asked may go away; the others who ask under this key, and the trader, must not notice.
        return await asyncio.shield(self._open[key][1])

    def known(self, key: str) -> Answer | None:
        """Return what was answered under a key; None where nothing was, or it was only a question."""
        found = self._answered.get(key)
        return None if found is None else found[1]

    def _objection(self, key: str, control: Control) -> str:
        if not 1 <= len(key) <= KEY_LETTERS_MAX or not key.isascii() or not key.isprintable():
            return f"a key has 1 to {KEY_LETTERS_MAX} plain letters"
        known = self._answered.get(key) or self._open.get(key)
        if known is not None:
            same = msgspec.json.encode(known[0]) == msgspec.json.encode(control)
            return "" if same else "this key was used for something else: take a new one"
        return ""

    def _crowd(self, control: Control) -> str:
        bound = WAITING_MAX + KILLS_MAX * isinstance(control, ThrowKill)
        return "" if len(self._open) < bound else f"{len(self._open)} requests wait already: ask later"

    def _remember(self, control: Control, answer: Answer) -> None:
        self._answered[answer.key] = (control, answer)
        while len(self._answered) > ANSWERED_MAX:
            self._answered.popitem(last=False)
