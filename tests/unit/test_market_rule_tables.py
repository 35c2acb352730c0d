"""The shipped tables load, say what they rest on, and a user's file changes them or is refused by name."""

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.files.rule_tables import load_rules
from manjha.domain.errors import OutsideTable, SettingsError
from manjha.domain.instrument import Exchange
from manjha.domain.money import Qty, parse_cash, parse_px
from manjha.domain.orders import OrderId, Product, Side
from manjha.market.calendar import is_trading_day, next_trading_day
from manjha.market.charges import BrokerageKind, RateCard, fill_charges, rate_bases, rate_card
from manjha.market.contract_note import DayTrade, settle_day
from manjha.market.contracts import freeze_quantity
from manjha.market.fees import square_off_fee
from manjha.market.rows import Confidence
from manjha.market.rules import MarketRules
from tests.fakes.market_rules import day, future, option, share, shipped_rules

RULES = shipped_rules()


def overridden(tmp_path: Path, text: str) -> MarketRules:
    file = tmp_path / "rules.toml"
    file.write_text(text, "utf-8")
    return load_rules(file)


def test_every_shipped_row_names_a_source_and_a_confidence() -> None:
    tables = [value for value in msgspec.structs.asdict(RULES).values() if isinstance(value, tuple)]
    rows = [row for table in tables for row in table if not isinstance(row, int)]
    assert len(rows) > 900
    assert all(row.basis.source and row.basis.confidence in tuple(Confidence)[:3] for row in rows)


def test_dated_rows_of_one_key_do_not_overlap() -> None:
    """The last one to begin would win silently; in the shipped tables that would be a slip."""
    for name in ("brokerage", "stt", "stt_exercise", "stamp", "session", "square_off"):
        by_key: dict[str, list[tuple[int, int]]] = {}
        for row in getattr(RULES, name):
            by_key.setdefault(row.segment, []).append((row.first, row.last))
        for spans in by_key.values():
            ordered = sorted(spans)
            assert all(a[1] + 1 == b[0] for a, b in pairwise(ordered)), (name, ordered)


def test_the_hash_is_of_the_content() -> None:
    again = load_rules()
    assert again == RULES
    assert len(RULES.hash) == 64
    assert again.hash == RULES.hash


def test_an_override_changes_the_columns_it_names(tmp_path: Path) -> None:
    rules = overridden(tmp_path, '[[brokerage]]\nsegment = "equity_intraday"\nfrom = 2019-09-01\ncap = 10\n')
    card = rate_card(rules, share(), Product.MIS, day("2026-11-20"))
    assert (card.brokerage_rate, card.brokerage_cap) == (300_000, parse_cash("10"))
    assert rules.hash != RULES.hash
    assert dict(rate_bases(rules, share(), Product.MIS, day("2026-11-20")))["brokerage"].confidence is Confidence.USER


def test_an_added_row_takes_over_from_its_day(tmp_path: Path) -> None:
    text = '[[stt]]\nsegment = "equity_options"\nfrom = "2026-11-01"\nbuy = 0\nsell = 0.002\n'
    rules = overridden(tmp_path, text)
    sells = [rate_card(rules, option(), Product.NRML, day(d)).stt_sell for d in ("2026-10-30", "2026-11-02")]
    assert sells == [1_500_000, 2_000_000]


def test_a_row_inside_an_open_one_gives_back_after_its_end(tmp_path: Path) -> None:
    text = '[[sebi]]\nfrom = "2022-01-01"\nto = "2022-01-31"\nrate = "0"\nagri_rate = "0"\n'
    rules = overridden(tmp_path, text)
    fees = [rate_card(rules, share(), Product.CNC, day(d)).sebi for d in ("2021-12-31", "2022-01-31", "2022-02-01")]
    assert fees == [1_000, 0, 1_000]


def test_a_flat_fee_replaces_all_charges(tmp_path: Path) -> None:
    rules = overridden(tmp_path, '[flat_fee]\npct = "0.001"\n')
    expected = RateCard(brokerage_kind=BrokerageKind.PCT, brokerage_rate=1_000_000)
    bse = share(exchange=Exchange.BSE, series="X")
    for instrument, product in ((share(), Product.CNC), (bse, Product.MIS), (future(), Product.NRML)):
        for text in ("2000-01-03", "2016-01-04", "2026-11-20"):
            assert rate_card(rules, instrument, product, day(text)) == expected
    assert fill_charges(expected, Side.SELL, parse_cash("1000000"), 0) == (parse_cash("1000"), 0, 0, 0, 0, 0, 0)
    assert square_off_fee(rules, day("2026-11-20")) == 0


def test_a_flat_fee_is_not_rounded_at_the_end_of_the_day(tmp_path: Path) -> None:
    rules = overridden(tmp_path, '[flat_fee]\npct = "0.001"\n')
    trades = [DayTrade(share(), Product.CNC, side, Qty(7), parse_px("123.45"), OrderId(str(side))) for side in Side]
    card = rate_card(rules, share(), Product.CNC, day("2026-11-20"))
    booked = sum(sum(fill_charges(card, t.side, t.px * t.qty, 0)) for t in trades)
    assert settle_day(rules, day("2026-11-20"), trades).total == booked == 2 * 8_642


def test_the_calendar_can_be_extended(tmp_path: Path) -> None:
    text = '[meta]\nto = "2027-12-31"\n[[holidays]]\ndate = "2027-01-26"\nname = "Republic Day"\n'
    rules = overridden(tmp_path, text)
    assert is_trading_day(rules, day("2027-01-25"))
    assert not is_trading_day(rules, day("2027-01-26"))
    assert next_trading_day(rules, day("2026-12-31")) == day("2027-01-01")
    with pytest.raises(OutsideTable, match="mcx_days has no row for 2027-01-26"):
        is_trading_day(rules, day("2027-01-26"), Exchange.MCX)


def test_a_csv_table_is_overridden_in_the_same_way(tmp_path: Path) -> None:
    text = '[[freeze_quantities]]\nunderlying = "NIFTY"\nexchange = "NFO"\nfrom = "2026-12-01"\nqty = 1200\n'
    rules = overridden(tmp_path, text)
    found = [freeze_quantity(rules, Exchange.NFO, "NIFTY", day(d)) for d in ("2026-11-30", "2026-12-01")]
    assert found == [1800, 1200]


BAD = [
    ("[[brokrage]]\n", "brokrage: no such table", "Did you mean 'brokerage'"),
    ("[[sebi]]\nfrom = 2021-04-01\nrte = 1\n", "sebi[0].rte: no such column", "Did you mean 'rate'"),
    ('[[stt]]\nfrom = "2026-04-01"\n', "stt[0].segment is missing", "table"),
    (
        '[[stt]]\nsegment = "equity_options"\nfrom = "2026-04-01"\nsell = "much"\n',
        "stt[0].sell: expected a fraction",
        "",
    ),
    ('[[stt]]\nsegment = "equity_options"\nfrom = "2026-04-01"\nsell = "1.5"\n', "between 0 and 1", ""),
    ('[[stt]]\nsegment = "equity_options"\nfrom = "2026-04-01"\nsell = "0.00000000001"\n', "nine decimals", ""),
    (
        '[[stt]]\nsegment = "equity_optins"\nfrom = "2026-05-01"\nbuy = 0\nsell = 0\n',
        "stt[0].segment: expected one of",
        "",
    ),
    ('[[dp]]\nfrom = "2024-10-01"\namount = "-3"\n', "dp[0].amount: expected an amount of at least zero", ""),
    ('[[dp]]\nfrom = "2024-10-01"\namount = "a lot"\n', "dp[0].amount: expected an amount in rupees", ""),
    ('[[dp]]\nfrom = "soon"\namount = "3"\n', "dp[0].from: expected a date like", ""),
    ('[[dp]]\nfrom = "2026-05-01"\nto = "2026-04-01"\namount = "3"\n', "dp[0].to: expected a date not before", ""),
    ('[[dp]]\nfrom = "2026-05-01"\n', "dp[0].amount: expected a value", ""),
    ("[dp]\nx = 1\n", "dp: expected rows, written [[dp]]", ""),
    ("meta = 3\n", "meta: expected a row", ""),
    ('[meta]\nto = "2014-01-01"\n', "meta.to: expected a date not before from", ""),
    ('[flat_fee]\npct = "x"\n', "flat_fee.pct: expected a fraction", ""),
    ('[[gst]]\nfrom = "2017-07-01"\non_sebi = "perhaps"\n', "gst[0].on_sebi: expected true or false", ""),
    ('[[settlement]]\nfrom = "2023-01-27"\ndays = 0\n', "settlement[0].days: expected a whole number", ""),
    (
        '[[special_sessions]]\ndate = "2026-12-26"\nexchanges = "NSE"\nkind = "split"\nwindows = "19:00-18:00"\n',
        "special_sessions[0].windows: expected a start before its end",
        "",
    ),
    (
        '[[session]]\nsegment = "currency"\nfrom = "2015-01-01"\nphases = ["lunch 12:00-13:00"]\n',
        "session[0].phases: expected lines like",
        "",
    ),
    ("[[session]]\nsegment = 'currency'\nfrom = 2015-01-01\nphases = 'all day'\n", "expected a list of texts", ""),
    ("not toml", "rules.toml is no TOML", ""),
]


@pytest.mark.parametrize(("text", "message", "hint"), BAD)
def test_a_bad_override_is_refused_by_name(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        overridden(tmp_path, text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "rules.toml" in caught.value.message


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the rules file .*none\.toml"):
        load_rules(tmp_path / "none.toml")
