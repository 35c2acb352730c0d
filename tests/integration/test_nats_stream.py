"""Streams over a real NATS server that is killed, started again, or refuses: what is said, and what still comes."""

import asyncio
import contextlib
import ipaddress
import itertools
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from manjha.adapters.nats.link import Keys, Server
from manjha.adapters.nats.stream import Keeping, NatsStream
from manjha.app.settings import load_settings
from manjha.app.streaming.streams import address_of, nats_stream
from manjha.domain.errors import SettingsError, SourceError, UsageError
from manjha.domain.moments import SECOND_NS, TsNs, ist_datetime
from manjha.domain.money import Px, Qty
from manjha.domain.streams import TickSeen
from manjha.services.streamed_feed import StreamedFeed
from tests.contract.test_tick_streams import BEGAN, ONE, keyed, seen
from tests.fakes.kite_desk import free_port
from tests.fakes.nats_server import NatsServer, a_nats_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with a_nats_server(tmp_path) as running:
        yield running


def opened(stream: NatsStream, story: Callable[[NatsStream], Awaitable[None]]) -> None:
    async def lived() -> None:
        await stream.open()
        try:
            await asyncio.wait_for(story(stream), 60)
        finally:
            await stream.close()

    asyncio.run(lived())


def refusal(url: str, keys: Keys = Keys()) -> str:  # noqa: B008 - a value
    async def tried() -> None:
        stream = NatsStream(Server(url, keys))
        try:
            await stream.open()
        finally:
            await stream.close()

    with pytest.raises(SourceError) as error:
        asyncio.run(tried())
    return f"{error.value}"


def test_a_server_that_is_not_there_is_said_with_its_place() -> None:
    port = free_port()
    said = refusal(f"nats://127.0.0.1:{port}")
    assert f"no stream at 127.0.0.1:{port}" in said
    assert "nats-server -js" in said


def test_a_server_without_jetstream_is_said_so(tmp_path: Path) -> None:
    with a_nats_server(tmp_path, jetstream=False) as running:
        said = refusal(running.url)
    assert "keeps no streams" in said
    assert "nats-server -js" in said


def test_a_wrong_token_is_refused_and_neither_is_shown(tmp_path: Path) -> None:
    with a_nats_server(tmp_path, "--auth", "right-token") as running:
        said = refusal(running.url, Keys(token="wrong-token"))  # noqa: S106 - of this test
        assert "uthorization" in said
        assert "right-token" not in said
        assert "wrong-token" not in said
        opened(NatsStream(Server(running.url, Keys(token="right-token"))), _says_one)  # noqa: S106 - of this test
        variables = {"MANJHA_STREAM_TOKEN": "right-token"}
        assert "right-token" not in repr(Keys(**{"token": variables["MANJHA_STREAM_TOKEN"]}))


async def until(so: Callable[[], bool]) -> None:
    """Let others have their turn until something is so."""
    while not so():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.05)


async def _says_one(stream: NatsStream) -> None:
    assert await stream.publish(keyed([BEGAN])) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nats://user:secret@127.0.0.1:4222", "holds a user or a password"),
        ("nats://10.1.2.3:4222", "needs TLS"),
        ("http://127.0.0.1", "expected the stream's address"),
        ("nats://127.0.0.1:notaport", "expected the stream's address"),
    ],
)
def test_an_address_that_cannot_be_is_refused_before_anything_is_sent(url: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        NatsStream(Server(url))
    assert said in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.slow
def test_what_is_said_while_the_server_is_down_is_kept_once_it_is_back(server: NatsServer) -> None:
    async def story(stream: NatsStream) -> None:
        reader = stream.read()
        assert await anext(reader) == []
        await stream.publish(keyed([seen(1)]))
        server.kill()
        saying = asyncio.create_task(stream.publish(keyed([seen(2), seen(3)], first=1)))
        got = list(await anext(reader))
        while stream.link.is_connected:
            got += await anext(reader)
        assert "was lost" in stream.link.note or "onnect" in stream.link.note
        server.start()
        assert await saying == 3
        while len(got) < 3:
            got += await anext(reader)
        assert [one.message for one in got] == [seen(1), seen(2), seen(3)]
        assert stream.link.interruptions == 1

    opened(NatsStream(Server(server.url)), story)


@pytest.mark.slow
def test_a_place_goes_on_over_a_restart_of_the_server(server: NatsServer) -> None:
    async def story(stream: NatsStream) -> None:
        await stream.publish(keyed([seen(at) for at in range(4)]))
        tape = await stream.tape("desk", 0)
        first = await tape.take(2, 5 * SECOND_NS)
        await tape.ack(first[-1].seq)
        server.kill()
        assert await tape.take(10, SECOND_NS) == []
        server.start()
        got: list[object] = []
        while len(got) < 2:
            got += [one.message for one in await tape.take(10, SECOND_NS)]
        assert got == [seen(2), seen(3)]

    opened(NatsStream(Server(server.url)), story)


@pytest.mark.slow
def test_a_feed_says_that_its_server_is_gone_and_goes_on_when_it_is_back(server: NatsServer) -> None:
    async def story(stream: NatsStream) -> None:
        now = TsNs(1_720_000_000 * SECOND_NS)
        feed = StreamedFeed(NatsStream(Server(server.url)), [ONE], lambda: now)
        ticks = feed.ticks()
        first = asyncio.ensure_future(anext(ticks))

        def tick(px: int) -> TickSeen:
            return TickSeen(1, now, ONE, now, Px(px), Qty(1))

        # What is said before it has found its place is not for it.
        numbers = itertools.count()
        while not first.done():
            await stream.publish(keyed([tick(1)], first=next(numbers)))
        assert (await first).px == 1
        server.kill()
        await until(lambda: feed.health().interruptions > 0)
        assert not feed.health().is_connected
        server.start()
        await stream.publish(keyed([tick(2)], first=next(numbers)))
        while (await anext(ticks)).px != 2:
            pass
        await feed.close()

    opened(NatsStream(Server(server.url)), story)


def test_a_stream_that_somebody_took_away_is_made_again(server: NatsServer) -> None:
    async def story(stream: NatsStream) -> None:
        await stream.publish(keyed([seen(1)]))
        before = await stream.identity()
        await stream._link.jetstream.delete_stream("manjha")
        assert await stream.publish(keyed([seen(2)], first=1)) == 1
        assert await stream.identity() != before

    opened(NatsStream(Server(server.url)), story)


def test_the_oldest_give_way_where_a_stream_is_full(server: NatsServer) -> None:
    async def story(stream: NatsStream) -> None:
        await stream.publish(keyed([seen(at) for at in range(2_000)]))
        got: list[int] = []
        async for batch in stream.read(since_ns=TsNs(0)):
            if not batch:
                break
            got += [one.seq for one in batch]
        assert (got[0] > 1, got[-1], len(got)) == (True, 2_000, 2_001 - got[0])

    opened(NatsStream(Server(server.url), Keeping(bytes_max=64 << 10)), story)


def test_settings_and_secrets_reach_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_STREAM_URL": "nats://127.0.0.1:1"})
    assert address_of(settings, "") == "nats://127.0.0.1:1"
    assert address_of(settings, "tls://asked:4222") == "tls://asked:4222"
    with pytest.raises(SettingsError, match="nobody said where the stream is"):
        address_of(load_settings({"MANJHA_HOME": str(tmp_path)}), "")
    with a_nats_server(tmp_path, "--user", "desk", "--pass", "s3cret") as running:
        monkeypatch.setenv("MANJHA_STREAM_USER", "desk")
        monkeypatch.setenv("MANJHA_STREAM_PASSWORD", "s3cret")
        stream = nats_stream(settings, running.url)
        assert isinstance(stream, NatsStream)
        opened(stream, _says_one)


def test_without_nats_py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _modules("manjha.adapters.nats.", "nats"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nats", None)
    with pytest.raises(SettingsError) as error:
        nats_stream(load_settings({"MANJHA_HOME": str(tmp_path)}), "nats://127.0.0.1:4222")
    assert "pip install 'manjha[stream]'" in str(error.value)


def _modules(package: str, library: str) -> Sequence[str]:
    return [name for name in list(sys.modules) if name == library or name.startswith((package, f"{library}."))]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of this machine's address, signed by itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a stream of a test")])
    now = ist_datetime(TsNs(1_767_225_600 * SECOND_NS))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=now.year + 50))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def test_a_server_is_reached_by_tls_and_only_with_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    words = ("--tls", "--tlscert", str(certificate), "--tlskey", str(key))
    with a_nats_server(tmp_path, *words) as running:
        url = running.url.replace("nats://", "tls://")
        opened(NatsStream(Server(url, tls=ssl.create_default_context(cafile=str(certificate)))), _says_one)
        assert "certificate" in refusal(url).lower()
