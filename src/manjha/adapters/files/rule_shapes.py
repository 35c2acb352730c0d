"""The shape of every table: its file, its key columns, its other columns, and how a row is made."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import msgspec

from manjha.adapters.files.rule_fields import Fields
from manjha.domain.moments import MINUTE_NS
from manjha.domain.money import Qty
from manjha.market import rows as r

CHARGE_SEGMENTS = (
    "equity_delivery",
    "equity_intraday",
    "equity_mtf",
    "equity_etf_delivery",
    "equity_futures",
    "equity_options",
    "currency_futures",
    "currency_options",
    "commodity_futures",
    "commodity_options",
)
EXCHANGE_SEGMENTS = ("equity_cash", *CHARGE_SEGMENTS[4:])
EXCHANGES = ("NSE", "BSE", "MCX")
SESSION_SEGMENTS = (
    "equity_cash_no_derivatives",
    "equity_cash_with_derivatives",
    "equity_derivatives",
    "currency",
    "currency_cross",
    "mcx_non_agri",
    "mcx_agri_international",
    "mcx_agri_other",
)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri")
PHASES = ("preopen", "continuous", "blocked", "auction", "postclose")


class Table(msgspec.Struct, frozen=True):
    """A table: `key` columns tell rows apart, `make` reads a row's fields."""

    file: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    make: Callable[[Fields], object]


def _brokerage(f: Fields) -> r.BrokerageRow:
    kinds = ("flat", "pct_cap", "pct")
    kind = f.choice("kind", kinds)
    rate = 0 if kind == "flat" else f.nano("pct")
    cap = f.rupees("cap", "0" if kind == "pct" else None)
    return r.BrokerageRow(f.choice("segment", CHARGE_SEGMENTS), *f.span(), kinds.index(kind), rate, cap, f.basis())


def _sided(f: Fields) -> r.SidedRow:
    return r.SidedRow(f.choice("segment", CHARGE_SEGMENTS), *f.span(), f.nano("buy"), f.nano("sell"), f.basis())


def _exercise(f: Fields) -> r.ExerciseRow:
    on_intrinsic = f.choice("base", ("intrinsic", "settlement")) == "intrinsic"
    return r.ExerciseRow(f.choice("segment", CHARGE_SEGMENTS), *f.span(), f.nano("rate"), on_intrinsic, f.basis())


def _exchange(f: Fields) -> r.ExchangeRow:
    where = (f.choice("exchange", EXCHANGES), f.choice("segment", EXCHANGE_SEGMENTS), f.words("underlyings"))
    return r.ExchangeRow(*where, *f.span(), f.nano("rate"), f.nano("ipft"), f.basis())


def _special_session(f: Fields) -> r.SpecialSessionRow:
    kind = f.choice("kind", ("normal", "muhurat", "split", "interrupted", "morning"))
    windows = tuple(f.window("windows", text) for text in f.words("windows"))
    if not windows or any(a[1] > b[0] for a, b in pairwise(windows)):
        raise f.wrong("windows", 'windows in order, like "09:15-10:00 11:30-12:30"', f.text("windows", ""))
    return r.SpecialSessionRow(f.day("date"), f.words("exchanges"), kind, windows, f.text("what"), f.basis())


def _session(f: Fields) -> r.SessionRow:
    phases = tuple(_phases(f))
    if not any(phase.kind == "continuous" for phase in phases):
        raise f.wrong("phases", "a continuous phase", f.lines("phases"))
    return r.SessionRow(
        f.choice("segment", SESSION_SEGMENTS),
        *f.span(),
        phases,
        f.text("closing_price", ""),
        f.nano("auction_band", "0"),
        f.clock("winter_close", "00:00"),
        f.clock("expiring_close", "00:00"),
        f.choice("expiring", ("all", "index"), "all") == "index",
        f.basis(),
    )


def _phases(f: Fields) -> Iterable[r.PhaseRow]:
    for line in f.lines("phases"):
        words = line.split(maxsplit=2)
        if len(words) < 2 or words[0] not in PHASES:
            raise f.wrong("phases", 'lines like "continuous 09:15-15:30"', line)
        yield r.PhaseRow(words[0], *f.window("phases", words[1]), words[2] if len(words) > 2 else "")


def _square_off(f: Fields) -> r.SquareOffRow:
    clock = f.clock("time", "00:00")
    before = 0 if clock else f.whole("minutes_before_close", least=1) * MINUTE_NS
    return r.SquareOffRow(f.choice("segment", (*SESSION_SEGMENTS, "muhurat")), *f.span(), clock, before, f.basis())


def _amo(f: Fields) -> r.AmoRow:
    segment = f.choice("segment", ("equity_cash", "equity_derivatives", "currency", "mcx"))
    return r.AmoRow(segment, *f.span(), f.clock("start"), f.clock("end"), f.clock("release"), f.basis())


def _expiry(f: Fields) -> r.ExpiryRow:
    weekday = WEEKDAYS.index(f.choice("weekday", WEEKDAYS))
    cycle = f.choice("cycle", ("weekly", "monthly"))
    return r.ExpiryRow(f.text("underlying"), f.choice("exchange", ("NFO", "BFO")), cycle, *f.span(), weekday, f.basis())


def _lot(f: Fields) -> r.LotRow:
    cycle, exchange = f.choice("cycle", ("weekly", "monthly", "all")), f.choice("exchange", ("NFO", "BFO"))
    return r.LotRow(f.text("underlying"), exchange, cycle, *f.span(), Qty(f.whole("lot", least=1)), f.basis())


def _freeze(f: Fields) -> r.FreezeRow:
    exchange = f.choice("exchange", ("NFO", "BFO"))
    return r.FreezeRow(f.text("underlying"), exchange, *f.span(), Qty(f.whole("qty", least=1)), f.basis())


def _tick(f: Fields) -> r.TickRow:
    exchange = f.choice("exchange", ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD"))
    segment = f.choice("segment", ("cash", "stock_futures", "index_futures", "options", "currency"))
    tick = f.px("tick")
    if not tick:
        raise f.wrong("tick", "more than zero", f.text("tick"))
    return r.TickRow(exchange, segment, *f.span(), f.px("above", "0"), f.px("up_to", "0"), tick, f.basis())


def _price_protection(f: Fields) -> r.PriceProtectionRow:
    kind = f.choice("kind", ("index_option", "stock_option", "index_future", "stock_future"))
    slab = (f.px("above", "0"), f.px("up_to", "0"))
    return r.PriceProtectionRow(kind, *f.span(), *slab, f.nano("pct", "0"), f.px("amount", "0"), f.basis())


def _market_protection(f: Fields) -> r.MarketProtectionRow:
    slab = (f.px("at_least", "0"), f.px("below", "0"))
    return r.MarketProtectionRow(f.choice("kind", ("option", "other")), *f.span(), *slab, f.nano("pct"), f.basis())


def _breaker(f: Fields) -> r.BreakerRow:
    minutes = -1 if f.text("halt_minutes") == "rest of day" else f.whole("halt_minutes")
    return r.BreakerRow(f.nano("fall"), f.clock("after"), f.clock("before"), minutes, f.basis())


def _derivative_margin(f: Fields) -> r.DerivativeMarginRow:
    return r.DerivativeMarginRow(
        f.choice("asset", ("index", "equity")),
        *f.span(),
        f.nano("scan_range"),
        f.nano("exposure"),
        f.nano("expiry_exposure"),
        f.nano("volatility_range"),
        f.nano("short_option_min"),
        f.basis(),
    )


def _mcx_day(f: Fields) -> r.McxDayRow:
    return r.McxDayRow(f.day("date"), f.choice("hours", ("closed", "evening", "full")), f.basis())


def _commodity(f: Fields) -> r.CommodityRow:
    kind = f.choice("class", ("non_agri", "agri_international", "agri_other"))
    return r.CommodityRow(f.text("underlying"), kind, f.px("tick", "0"), f.basis())


def _table(file: str, key: str, columns: str, make: Callable[[Fields], object]) -> Table:
    return Table(file, tuple(key.split()), tuple(columns.split()), make)


TABLES = {
    "brokerage": _table("charges.toml", "segment from", "to kind pct cap", _brokerage),
    "stt": _table("charges.toml", "segment from", "to buy sell", _sided),
    "stt_exercise": _table("charges.toml", "segment from", "to rate base", _exercise),
    "exchange": _table("charges.toml", "exchange segment underlyings from", "to rate ipft", _exchange),
    "bse_group": _table(
        "charges.toml",
        "group from",
        "to rate",
        lambda f: r.BseGroupRow(f.text("group"), *f.span(), f.nano("rate"), f.basis()),
    ),
    "sebi": _table(
        "charges.toml",
        "from",
        "to rate agri_rate",
        lambda f: r.SebiRow(*f.span(), f.nano("rate"), f.nano("agri_rate"), f.basis()),
    ),
    "stamp": _table("charges.toml", "segment from", "to buy sell", _sided),
    "gst": _table(
        "charges.toml",
        "from",
        "to rate on_sebi",
        lambda f: r.GstRow(*f.span(), f.nano("rate"), f.flag("on_sebi"), f.basis()),
    ),
    "dp": _table("charges.toml", "from", "to amount", lambda f: r.DpRow(*f.span(), f.rupees("amount"), f.basis())),
    "fee": _table(
        "charges.toml",
        "name from",
        "to amount rate taxed",
        lambda f: r.FeeRow(
            f.text("name"), *f.span(), f.rupees("amount", "0"), f.nano("rate", "0"), f.flag("taxed"), f.basis()
        ),
    ),
    "untaxed_etfs": _table(
        "untaxed_etfs.csv", "symbol", "kind", lambda f: r.UntaxedEtfRow(f.text("symbol"), f.text("kind"), f.basis())
    ),
    "holidays": _table(
        "holidays.csv", "date", "name", lambda f: r.HolidayRow(f.day("date"), f.text("name"), f.basis())
    ),
    "mcx_days": _table("mcx_days.csv", "date", "hours", _mcx_day),
    "special_sessions": _table("special_sessions.csv", "date exchanges", "kind windows what", _special_session),
    "settlement_holidays": _table(
        "settlement_holidays.csv",
        "date",
        "name",
        lambda f: r.SettlementHolidayRow(f.day("date"), f.text("name"), f.basis()),
    ),
    "settlement": _table(
        "settlement.toml", "from", "to days", lambda f: r.SettlementRow(*f.span(), f.whole("days", least=1), f.basis())
    ),
    "session": _table(
        "sessions.toml",
        "segment from",
        "to phases closing_price auction_band winter_close expiring_close expiring",
        _session,
    ),
    "square_off": _table("sessions.toml", "segment from", "to time minutes_before_close", _square_off),
    "amo": _table("sessions.toml", "segment from", "to start end release", _amo),
    "block_deal": _table(
        "sessions.toml",
        "from start",
        "to end",
        lambda f: r.BlockDealRow(*f.span(), f.clock("start"), f.clock("end"), f.basis()),
    ),
    "commodities": _table("commodities.csv", "underlying", "class tick", _commodity),
    "expiry_rules": _table("expiry_rules.csv", "underlying exchange cycle from", "to weekday", _expiry),
    "lots": _table("lots.csv", "underlying exchange cycle from", "to lot", _lot),
    "freeze_quantities": _table("freeze_quantities.csv", "underlying exchange from", "to qty", _freeze),
    "freeze_levels": _table(
        "freeze_levels.csv",
        "above",
        "up_to qty",
        lambda f: r.FreezeLevel(f.px("above", "0"), f.px("up_to", "0"), Qty(f.whole("qty", least=1)), f.basis()),
    ),
    "ticks": _table("ticks.csv", "exchange segment from above", "to up_to tick", _tick),
    "price_protection": _table("price_protection.csv", "kind from above", "to up_to pct amount", _price_protection),
    "market_protection": _table("market_protection.csv", "kind from at_least", "to below pct", _market_protection),
    "circuit_breakers": _table("circuit_breakers.csv", "fall after", "before halt_minutes", _breaker),
    "band_steps": _table(
        "band_steps.csv",
        "step",
        "move cooling_minutes",
        lambda f: r.BandStep(f.whole("step", least=1), f.nano("move"), f.whole("cooling_minutes"), f.basis()),
    ),
    "intraday_margin": _table(
        "margins.toml", "from", "to fraction", lambda f: r.FractionRow(*f.span(), f.nano("fraction"), f.basis())
    ),
    "mtf_margin": _table(
        "margins.toml", "from", "to fraction", lambda f: r.FractionRow(*f.span(), f.nano("fraction"), f.basis())
    ),
    "derivative_margin": _table(
        "margins.toml",
        "asset from",
        "to scan_range exposure expiry_exposure volatility_range short_option_min",
        _derivative_margin,
    ),
}
