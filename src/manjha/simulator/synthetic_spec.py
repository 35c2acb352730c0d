"""What a synthetic market is made of: its instruments, their factors and their noise. Every name in it is invented."""

from datetime import date

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.errors import UsageError
from manjha.domain.instrument import (
    Asset,
    Exchange,
    Instrument,
    InstrumentId,
    Kind,
    cash_id,
    future_id,
    index_id,
)
from manjha.domain.moments import TradingDay, TsNs, date_from_day, day_from_date, format_day
from manjha.domain.money import RUPEE, Px, Qty

YEAR_DAYS = 252
DAY_MINUTES = 375
"""A year and a day of the model: what annual figures and day volumes are spread over."""

SOURCE = "SYNTHETIC"


class Clustering(msgspec.Struct, frozen=True):
    """How volatility itself moves: log-volatility is the sum of a slow daily and a fast minute AR(1) process.

    `*_spread` is the standard deviation of the log, `*_persistence` what is left of a deviation a day or a minute
    later (0.5 ≤ p < 1). Volatility keeps its mean square of one, so annual figures hold.
    """

    day_persistence: float = 0.95
    day_spread: float = 0.30
    minute_persistence: float = 0.985
    minute_spread: float = 0.35


class SyntheticShare(msgspec.Struct, frozen=True):
    """A share (or fund): `start` in 1e-4 rupee before the first day's gap, volatility and drift a year (0.25 is 25 %).

    Returns are `beta` × market + sector + own; the own part is what `annual_vol` leaves over. `base_volume` is the
    mean volume of a full day in units. Jumps are of the own part: how many a year, and their standard deviation.
    """

    instrument: Instrument
    start: Px
    annual_vol: float
    base_volume: Qty
    drift: float = 0.08
    beta: float = 1.0
    sector: str = ""
    jumps_per_year: float = 6.0
    jump_vol: float = 0.02


class SyntheticIndex(msgspec.Struct, frozen=True):
    """A basket: starts at `start`, moves as the weighted sum of its members' unrounded prices, has no volume.

    Splits of members do not move it. Weights need not sum to one.
    """

    instrument: Instrument
    start: Px
    weights: tuple[tuple[InstrumentId, float], ...]


class SyntheticFuture(msgspec.Struct, frozen=True):
    """A future on an index of the same market: index × (1 + `carry` × days to expiry ÷ 365 + basis noise).

    It trades from `first_day` to its expiry, both included. `base_volume` a day and `base_oi` in units.
    """

    instrument: Instrument
    on: InstrumentId
    first_day: TradingDay
    base_volume: Qty
    base_oi: Qty
    carry: float = 0.065
    basis_vol: float = 0.0002


SyntheticInstrument = SyntheticShare | SyntheticIndex | SyntheticFuture


class Gap(msgspec.Struct, frozen=True):
    """Bars that are left out: those of an instrument with `start_ns <= ts_open_ns < end_ns`."""

    instrument: InstrumentId
    start_ns: TsNs
    end_ns: TsNs


class MarketSpec(msgspec.Struct, frozen=True):
    """Everything that a synthetic market follows from. Both days are included.

    `market_vol` and `sector_vol` are a year's. `overnight_share` is the part of each variance that comes as the gap
    before a day's open. `actions` are splits and bonuses: raw prices step on the ex-day. `gaps` are planted holes.
    """

    seed: int
    start: TradingDay
    end: TradingDay
    instruments: tuple[SyntheticInstrument, ...]
    market_vol: float = 0.15
    sector_vol: float = 0.12
    overnight_share: float = 0.25
    clustering: Clustering = Clustering()
    actions: tuple[CorporateAction, ...] = ()
    gaps: tuple[Gap, ...] = ()


def default_spec(seed: int, start: TradingDay, end: TradingDay) -> MarketSpec:
    """Return an NSE-like market of six shares in three sectors, an index of them and a future on the index.

    The future expires on the last Tuesday of the month of `end` (of the next one if that has passed) and trades for
    the 95 days before; a holiday does not move it, the caller's sessions decide on which days there are bars.
    """
    shares = (
        _share("MANJHA", 1_480, 0.24, 1.10, "kites", 4_200_000, derivatives=True),
        _share("PATANG", 2_350, 0.28, 1.25, "kites", 1_800_000, derivatives=True),
        _share("FIRKI", 640, 0.30, 1.05, "reels", 6_500_000),
        _share("CHARKHI", 415, 0.33, 0.95, "reels", 5_100_000),
        _share("SADDI", 985, 0.22, 0.75, "thread", 2_700_000),
        _share("DORI", 3_120, 0.20, 0.65, "thread", 900_000),
    )
    basket = (0.26, 0.22, 0.16, 0.12, 0.14, 0.10)
    index = Instrument(
        id=index_id("NSE", "SYNTH 50"), symbol="SYNTH 50", exchange=Exchange.NSE, kind=Kind.INDEX, asset=Asset.INDEX,
        tick=Px(500), name="SYNTHETIC index of invented shares",
    )  # fmt: skip
    members = tuple((share.instrument.id, weight) for share, weight in zip(shares, basket, strict=True))
    return MarketSpec(
        seed=seed,
        start=start,
        end=end,
        instruments=(*shares, SyntheticIndex(index, Px(24_000 * RUPEE), members), _future(index, end)),
    )


def with_split(
    spec: MarketSpec, instrument: InstrumentId, ex_day: TradingDay, new_shares: int = 5
) -> tuple[MarketSpec, CorporateAction]:
    """Plant a split of one share into `new_shares` before the open of `ex_day`; returns it with the changed spec."""
    action = CorporateAction(instrument, ex_day, ActionKind.SPLIT, new_shares, known_day=ex_day, source=SOURCE)
    return msgspec.structs.replace(spec, actions=(*spec.actions, action)), action


def check_spec(spec: MarketSpec) -> None:
    """Raise `UsageError` for a market that cannot be made: the first fault found, with its value."""
    if spec.end < spec.start:
        raise UsageError(f"the market ends on {format_day(spec.end)}, before it starts on {format_day(spec.start)}")
    if not 0 <= spec.overnight_share < 1:
        raise UsageError(f"expected an overnight share from 0 to below 1, was {spec.overnight_share}")
    for persistence in (spec.clustering.day_persistence, spec.clustering.minute_persistence):
        if not 0.5 <= persistence < 1:
            raise UsageError(f"expected a persistence of volatility from 0.5 to below 1, was {persistence}")
    known: dict[InstrumentId, SyntheticInstrument] = {}
    for one in spec.instruments:
        if one.instrument.id in known:
            raise UsageError(f"{one.instrument.id} is in the market twice")
        known[one.instrument.id] = one
    for one in spec.instruments:
        _check_instrument(one, known, spec)
    for action in spec.actions:
        if not isinstance(known.get(action.instrument), SyntheticShare) or not _is_ratio(action):
            raise UsageError(
                f"the synthetic market cannot make a {action.kind} of {action.instrument}",
                hint="Splits and bonuses of its own shares are possible.",
            )


def own_variance(share: SyntheticShare, spec: MarketSpec) -> float:
    """Return the yearly variance of a share that neither market, sector nor jumps explain; negative is a fault."""
    sector = spec.sector_vol if share.sector else 0.0
    jumps = share.jumps_per_year * share.jump_vol * share.jump_vol
    market = share.beta * spec.market_vol
    return share.annual_vol * share.annual_vol - market * market - sector * sector - jumps


def _check_instrument(
    one: SyntheticInstrument, known: dict[InstrumentId, SyntheticInstrument], spec: MarketSpec
) -> None:
    name = one.instrument.id
    if isinstance(one, SyntheticShare):
        if own_variance(one, spec) < 0:
            raise UsageError(
                f"a volatility of {one.annual_vol} is less than market, sector and jumps give {name}",
                hint="Raise its volatility, or lower its beta, its jumps or the volatility of market or sector.",
            )
    elif isinstance(one, SyntheticIndex):
        strangers = [member for member, _ in one.weights if not isinstance(known.get(member), SyntheticShare)]
        if strangers or not one.weights or min(weight for _, weight in one.weights) <= 0:
            raise UsageError(f"{name} needs shares of this market with positive weights, was {one.weights}")
    elif not isinstance(known.get(one.on), SyntheticIndex) or one.instrument.expiry is None:
        raise UsageError(f"{name} needs an expiry and an index of this market, was {one.on}")
    if not isinstance(one, SyntheticFuture) and one.start < one.instrument.tick:
        raise UsageError(f"expected a start price of {name} of a tick or more, was {one.start}")


def _is_ratio(action: CorporateAction) -> bool:
    return action.kind in (ActionKind.SPLIT, ActionKind.BONUS) and min(action.new_shares, action.old_shares) > 0


def _share(  # noqa: PLR0913 - a row of the table above
    symbol: str, rupees: int, vol: float, beta: float, sector: str, volume: int, *, derivatives: bool = False
) -> SyntheticShare:
    instrument = Instrument(
        id=cash_id("NSE", symbol), symbol=symbol, exchange=Exchange.NSE, kind=Kind.EQUITY, asset=Asset.EQUITY,
        tick=Px(500), series="EQ", name=f"{symbol} (SYNTHETIC, no real company)", has_derivatives=derivatives,
    )  # fmt: skip
    return SyntheticShare(instrument, Px(rupees * RUPEE), vol, Qty(volume), beta=beta, sector=sector)


def _future(index: Instrument, end: TradingDay) -> SyntheticFuture:
    expiry = _last_tuesday(date_from_day(end))
    if expiry < end:
        month_start = date_from_day(end).replace(day=1)
        expiry = _last_tuesday(date_from_day(day_from_date(month_start) + 31))
    symbol = f"SYNTH50{date_from_day(expiry):%y%b}FUT".upper()
    instrument = Instrument(
        id=future_id("NFO", "SYNTH50", expiry), symbol=symbol, exchange=Exchange.NFO, kind=Kind.FUTURE,
        asset=Asset.INDEX, tick=Px(1_000), lot=Qty(50), freeze=Qty(1_800), name="SYNTHETIC index future",
        underlying="SYNTH50", expiry=expiry,
    )  # fmt: skip
    return SyntheticFuture(instrument, index.id, TradingDay(expiry - 95), Qty(9_000_000), Qty(12_000_000))


def _last_tuesday(month: date) -> TradingDay:
    first_of_next = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    last = day_from_date(first_of_next) - 1
    return TradingDay(last - (date_from_day(last).weekday() - 1) % 7)
