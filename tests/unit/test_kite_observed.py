"""What packets observe: stale ones, trades, the day's volume, and what is no trade."""

from manjha.adapters.kite.observed import STALE_NS, Observer, Watched
from manjha.adapters.kite.packets import PacketReader, Packets
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs, at, parse_day
from manjha.domain.ticks import Tick
from tests.fakes.kite_packets import MCX, NSE, frame, full_body, token_of

NAME = InstrumentId("NSE:INE0PATANG01")
TOKEN = token_of(1594, NSE)
TEN = at(parse_day("2026-11-24"), 10 * 3_600 * SECOND_NS)


def packet(ts_ns: int, px: int, volume: int, token: int = TOKEN, bid: int = 0, length: int = 184) -> Packets:
    names = (
        "last_qty", "average", "buy", "sell", "open", "high", "low", "close", "last_trade_s", "oi", "oi_high", "oi_low",
    )  # fmt: skip
    numbers = dict.fromkeys(names, 0) | {"last": px, "volume": volume, "exchange_s": ts_ns // SECOND_NS}
    depth = [(bid, px, 1)] * 10
    return PacketReader().read(frame([full_body(token, numbers, depth)[:length]]))


def observer(multiplier: int = 1, token: int = TOKEN) -> Observer:
    return Observer({token: Watched(NAME, multiplier)})


def came(one: Observer, ts_ns: int, px: int, volume: int, late_ns: int = 0, **more: int) -> list[Tick]:
    return one.ticks(packet(ts_ns, px, volume, **more), TsNs(ts_ns + late_ns))


def test_the_first_packet_tells_a_price_and_no_volume() -> None:
    assert came(observer(), TEN, 15_000, 90_000) == [Tick(NAME, TsNs(TEN), 1_500_000, 0)]  # type: ignore[arg-type]


def test_volume_is_what_traded_since_the_one_before() -> None:
    one = observer()
    came(one, TEN, 15_000, 90_000)
    (tick,) = came(one, TEN + SECOND_NS, 15_000, 90_250)
    assert (tick.volume, tick.px) == (250, 1_500_000)


def test_a_change_of_the_depth_is_no_tick() -> None:
    one = observer()
    came(one, TEN, 15_000, 90_000)
    assert came(one, TEN + SECOND_NS, 15_000, 90_000, bid=77) == []
    assert one.counts.packets == 2


def test_an_old_packet_after_subscribing_is_no_tick() -> None:
    one = observer()
    assert came(one, TEN, 15_000, 90_000, late_ns=STALE_NS + 1) == []
    assert one.counts.stale == 1
    # What comes then is compared with it.
    (tick,) = came(one, TEN + 60 * SECOND_NS, 15_010, 90_100)
    assert tick.volume == 100


def test_a_link_that_was_made_anew_begins_with_doubt_again() -> None:
    one = observer()
    came(one, TEN, 15_000, 90_000)
    one.subscribed([TOKEN])
    assert came(one, TEN, 15_010, 90_500, late_ns=STALE_NS + 1) == []
    assert one.counts.stale == 1


def test_an_instrument_that_trades_rarely_is_late_without_being_stale() -> None:
    one = observer()
    came(one, TEN, 15_000, 90_000)
    assert len(came(one, TEN + SECOND_NS, 15_005, 90_010, late_ns=STALE_NS + 1)) == 1


def test_a_snapshot_older_than_one_before_is_passed_over() -> None:
    one = observer()
    came(one, TEN, 15_000, 90_000)
    came(one, TEN + SECOND_NS, 15_010, 90_100)
    assert came(one, TEN + SECOND_NS, 15_000, 90_050) == []
    assert one.counts.behind == 1
    (tick,) = came(one, TEN + 2 * SECOND_NS, 15_020, 90_110)
    assert tick.volume == 10


def test_volume_that_runs_over_its_32_bits_goes_on() -> None:
    one = observer()
    came(one, TEN, 15_000, 2**32 - 10)
    (tick,) = came(one, TEN + SECOND_NS, 15_000, 5)
    assert tick.volume == 15


def test_a_new_day_begins_with_no_volume() -> None:
    one = observer()
    came(one, TEN, 15_000, 90_000)
    (tick,) = came(one, TEN + 24 * 3_600 * SECOND_NS, 15_100, 400)
    assert tick.volume == 400


def test_lots_become_units_where_lots_are_counted() -> None:
    token = token_of(7, MCX)
    one = observer(1_000, token)
    came(one, TEN, 18_000, 5, token=token)
    (tick,) = came(one, TEN + SECOND_NS, 18_000, 7, token=token)
    assert tick.volume == 2_000


def test_what_never_traded_is_no_tick_and_a_price_of_zero_after_that_is_one_for_the_gate() -> None:
    one = observer()
    assert came(one, TEN, 0, 0) == []
    came(one, TEN + SECOND_NS, 15_000, 10)
    (tick,) = came(one, TEN + 2 * SECOND_NS, 0, 20)
    assert tick.px == 0


def test_a_packet_without_a_stamp_is_stamped_on_arrival() -> None:
    (tick,) = observer().ticks(packet(TEN, 15_000, 90_000, length=44), TsNs(TEN + 5))
    assert tick.ts_ns == TEN + 5


def test_a_token_that_nobody_asked_for_is_counted() -> None:
    one = observer()
    assert came(one, TEN, 15_000, 90_000, token=token_of(2, NSE)) == []
    assert one.counts.foreign == 1
