"""A stream of ticks kept by a NATS server's JetStream, a subject for each instrument."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, Header, StorageType, StreamConfig
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, NotFoundError, ServerError, ServiceUnavailableError

from manjha.adapters.nats.link import AGAIN_S, PATIENCE_S, NatsLink, Server
from manjha.domain.errors import SourceError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs, ist_datetime
from manjha.domain.streams import Began, LinkState, Message, Streamed, TickSeen

BATCH = 256
"""Messages that are sent before what was sent is waited for: within them order holds whatever is sent again."""
TAKEN_MAX = 512
QUIET_S = 1.0
GONE_AFTER = 3
"""Quiet seconds after which it is looked whether the server still knows who reads."""
FORGOTTEN_S = 60.0
"""After how long the server forgets who reads no more."""
SUBJECTS_MAX = 64
"""Instruments that are asked for one by one; of more all come, and are sifted here."""
DUPLICATES_S = 120.0
_LATER = (TimeoutError, OSError, Error, ServiceUnavailableError, ServerError)
"""What may go better in a moment: the link was lost, the server is starting."""


class Keeping(NamedTuple):
    """Which stream of the server, how long and how many bytes it keeps; the oldest give way."""

    name: str = "manjha"
    age_s: int = 72 * 3600
    bytes_max: int = 2 << 30


class NatsStream:
    """Implements `ports.tick_stream.TickStream`. Use it inside one event loop. Raises `UsageError` as `NatsLink`."""

    def __init__(self, server: Server, keeping: Keeping | None = None) -> None:
        self._link = NatsLink(server)
        self._keeping = keeping or Keeping()
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Message)

    async def open(self) -> None:
        """Connect, and make the stream where there is none; see the port."""
        await self._link.open()
        try:
            await self._ensure()
        except (APIError, *_LATER) as error:
            raise self._failed("cannot be had", error) from None

    async def _ensure(self) -> None:
        """See to it that the stream is there, and keeps what it should."""
        kept = self._keeping
        wanted = StreamConfig(
            name=kept.name, subjects=[f"{kept.name}.>"], storage=StorageType.FILE, discard=DiscardPolicy.OLD,
            max_age=kept.age_s, max_bytes=kept.bytes_max, duplicate_window=DUPLICATES_S, allow_direct=True,
        )  # fmt: skip
        try:
            found = (await self._js.stream_info(kept.name)).config
            if (found.max_age, found.max_bytes) != (wanted.max_age, wanted.max_bytes):
                await self._js.update_stream(wanted)
        except NotFoundError:
            await self._js.add_stream(wanted)

    async def identity(self) -> str:
        """Return when the server made it."""
        try:
            return str((await self._js.stream_info(self._keeping.name)).created)
        except (APIError, *_LATER) as error:
            raise self._failed("cannot be had", error) from None

    async def publish(self, messages: Sequence[tuple[str, Message]]) -> int:
        """Say messages until they are kept; see the port."""
        last = 0
        for at in range(0, len(messages), BATCH):
            batch = messages[at : at + BATCH]
            while True:
                try:
                    last = await self._kept(batch)
                    break
                except _LATER:
                    if self._link.is_closed:
                        raise SourceError(f"the stream at {self._link.place} was closed") from None
                    await asyncio.sleep(AGAIN_S)
                    with suppress(APIError, *_LATER):
                        # Somebody may have taken it away.
                        await self._ensure()
                except APIError as error:
                    raise self._failed("takes nothing", error) from None
        return last

    async def last(self) -> tuple[Streamed | None, Streamed | None]:
        """Return the last `Began` and the last `Beat`."""
        return await self._last_of("began"), await self._last_of("beat")

    async def read(
        self, instruments: Collection[InstrumentId] | None = None, *, since_ns: TsNs | None = None
    ) -> AsyncIterator[Sequence[Streamed]]:
        """Yield what comes; see the port. After a lost link it goes on after the last message that came."""
        wanted = None if instruments is None else frozenset(instruments)
        place = _Place(self._filters(wanted), since_ns)
        while not self._link.is_closed:
            try:
                found = await self._read_on(place)
            except _LATER:
                place.sub = None
                await asyncio.sleep(AGAIN_S)
                found = []
            except APIError as error:
                raise self._failed("cannot be read", error) from None
            if found:
                place.after = found[-1].seq
            yield [one for one in found if wanted is None or _is_wanted(one, wanted)]

    async def tape(self, name: str, after: int) -> "NatsTape":
        """Return a place that the server remembers; see the port."""
        try:
            if not after:
                after = await self._acked(name)
            await self._forget(name)
            config = ConsumerConfig(
                durable_name=name, ack_policy=AckPolicy.ALL, max_ack_pending=-1,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1,
            )  # fmt: skip
            await self._js.add_consumer(self._keeping.name, config)
            sub = await self._js.pull_subscribe_bind(consumer=name, stream=self._keeping.name)
        except (APIError, *_LATER) as error:
            raise self._failed("gives no place", error) from None
        return NatsTape(self, name, sub, after)

    @property
    def link(self) -> LinkState:
        """How the connection is."""
        return self._link.state

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    # ---- for a tape

    def decoded(self, msg: Msg) -> Streamed:
        """Return a message as it was said. Raises `SourceError` where it is none of ours."""
        return self._decoded(msg.metadata.sequence.stream, msg.data)

    def _decoded(self, seq: int, data: bytes) -> Streamed:
        try:
            return Streamed(seq, self._decoder.decode(data))
        except msgspec.MsgspecError:
            raise SourceError(
                f"message {seq} of the stream {self._keeping.name!r} at {self._link.place} cannot be read",
                hint="Something else writes there, or another version: give this one a stream.name of its own.",
            ) from None

    # ---- inside

    @property
    def _js(self) -> JetStreamContext:
        return self._link.jetstream

    def _failed(self, what: str, error: BaseException) -> SourceError:
        why = error.description if isinstance(error, APIError) else self._link.state.note or error
        return SourceError(
            f"the stream {self._keeping.name!r} at {self._link.place} {what}: {why or type(error).__name__}",
            hint="Look at the NATS server: its log, its disk, and what it allows to this user.",
        )

    async def _kept(self, batch: Sequence[tuple[str, Message]]) -> int:
        """Send messages and wait until the server has kept all of them; return the last one's number."""
        js, sent = self._js, []
        for key, message in batch:
            payload = self._encoder.encode(message)
            sent.append(await js.publish_async(self._subject(message), payload, headers={Header.MSG_ID: key}))
        acks = await asyncio.wait_for(asyncio.gather(*sent), PATIENCE_S)
        return max(ack.seq for ack in acks)

    async def _last_of(self, what: str) -> Streamed | None:
        try:
            found = await self._js.get_last_msg(self._keeping.name, f"{self._keeping.name}.{what}")
        except NotFoundError:
            return None
        except (APIError, *_LATER) as error:
            raise self._failed("does not tell what was said last", error) from None
        return self._decoded(found.seq or 0, found.data or b"")

    async def _read_on(self, place: "_Place") -> Sequence[Streamed]:
        """Return what comes next at a place; none where nothing came for a moment."""
        if place.sub is None or place.interruptions != self._link.state.interruptions:
            place.interruptions = self._link.state.interruptions
            place.sub = await self._reader(place)
        try:
            found = await place.sub.fetch(TAKEN_MAX, timeout=QUIET_S)
        except TimeoutError:
            place.quiet += 1
            if place.quiet >= GONE_AFTER:
                place.quiet = 0
                await place.sub.consumer_info()
            return []
        place.quiet = 0
        return [self.decoded(msg) for msg in found]

    async def _reader(self, place: "_Place") -> JetStreamContext.PullSubscription:
        """Have the server remember for a while who reads from a place on."""
        name = self._keeping.name
        if place.after is None and place.since_ns is None:
            place.after = (await self._js.stream_info(name)).state.last_seq
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            inactive_threshold=FORGOTTEN_S,
            mem_storage=True,
            filter_subjects=place.filters,
        )
        if place.after is None and place.since_ns is not None:
            config.deliver_policy = DeliverPolicy.BY_START_TIME
            config.opt_start_time = ist_datetime(place.since_ns)
        else:
            config.deliver_policy = DeliverPolicy.BY_START_SEQUENCE
            config.opt_start_seq = (place.after or 0) + 1
        made = await self._js.add_consumer(name, config)
        return await self._js.pull_subscribe_bind(consumer=made.name, stream=name)

    async def _acked(self, name: str) -> int:
        """Return up to where a place was acknowledged, 0 where there is none."""
        try:
            found = await self._js.consumer_info(self._keeping.name, name)
        except NotFoundError:
            return 0
        return found.ack_floor.stream_seq if found.ack_floor is not None else 0

    async def _forget(self, name: str) -> None:
        """Let nobody else have a place: what was handed to a process that died would come late, and out of order."""
        with suppress(NotFoundError):
            await self._js.delete_consumer(self._keeping.name, name)

    def _subject(self, message: Message) -> str:
        name = self._keeping.name
        if isinstance(message, TickSeen):
            return f"{name}.tick.{_token(message.instrument)}"
        return f"{name}.{'began' if isinstance(message, Began) else 'beat'}"

    def _filters(self, wanted: frozenset[InstrumentId] | None) -> list[str]:
        name = self._keeping.name
        if wanted is None or len(wanted) > SUBJECTS_MAX:
            return [f"{name}.>"]
        return [f"{name}.began", f"{name}.beat", *(f"{name}.tick.{_token(one)}" for one in sorted(wanted))]


class NatsTape:
    """Implements `ports.tick_stream.Tape`; made by `NatsStream.tape`."""

    def __init__(self, stream: NatsStream, name: str, sub: JetStreamContext.PullSubscription, after: int) -> None:
        self._stream, self._name, self._sub, self._after = stream, name, sub, after
        self._interruptions = stream.link.interruptions
        self._handed: dict[int, Msg] = {}

    async def take(self, most: int, wait_ns: int) -> Sequence[Streamed]:
        """Return what comes next. After a lost link it goes on after the last message that was taken."""
        try:
            if self._interruptions != self._stream.link.interruptions:
                await self._again()
            found = await self._sub.fetch(most, timeout=wait_ns / SECOND_NS)
        except (SourceError, *_LATER):
            # A link that is down is taken up again; a place that is gone shows in the next attempt.
            if not self._stream.link.is_connected:
                await asyncio.sleep(AGAIN_S)
            return []
        taken = [self._stream.decoded(msg) for msg in found]
        fresh = [(one, msg) for one, msg in zip(taken, found, strict=True) if one.seq > self._after]
        self._handed = {one.seq: msg for one, msg in fresh}
        if fresh:
            self._after = fresh[-1][0].seq
        return [one for one, _ in fresh]

    async def ack(self, seq: int) -> None:
        """Acknowledge what was taken last, up to a message; where that is not heard, it may come again."""
        msg = self._handed.get(seq)
        if msg is not None and not msg.is_acked:
            with suppress(*_LATER):
                await msg.ack_sync(PATIENCE_S)

    async def _again(self) -> None:
        self._interruptions = self._stream.link.interruptions
        fresh = await self._stream.tape(self._name, self._after)
        self._sub = fresh._sub  # noqa: SLF001 - of its own class


class _Place:
    """Where somebody reads: after which message, or since when; and how the server knows him."""

    def __init__(self, filters: list[str], since_ns: TsNs | None) -> None:
        self.filters, self.since_ns = filters, since_ns
        self.after: int | None = None
        self.sub: JetStreamContext.PullSubscription | None = None
        self.interruptions, self.quiet = 0, 0


def _token(instrument: InstrumentId) -> str:
    """Return an instrument as a part of a subject: no dots, blanks, or signs that mean something there."""
    return quote(instrument, safe=":-_").replace(".", "%2E")


def _is_wanted(one: Streamed, wanted: frozenset[InstrumentId]) -> bool:
    return not isinstance(one.message, TickSeen) or one.message.instrument in wanted
