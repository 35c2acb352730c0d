"""What must be so before an order may leave for a broker, beside the checklist of every trader."""

from collections.abc import Callable, Sequence

from manjha.adapters.kite.account import profile
from manjha.adapters.kite.rest import KiteRest
from manjha.app.kite.account import AtKite
from manjha.app.kite.login import SavedLogin
from manjha.app.kite.times import Times, offset_ns
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import SECOND_NS, TradingDay, day_of, format_day, format_ts
from manjha.market.calendar import is_trading_day
from manjha.market.rules import MarketRules
from manjha.market.sessions import session
from manjha.services.checklist import Line, Verdict

WARN_NS, REFUSE_NS = 2 * SECOND_NS, 5 * SECOND_NS
"""How far our clock may be from the broker's: a person should look, and nothing is opened (RELIABILITY F48)."""
SHOWN = 5
"""Instruments that a line names."""


async def require_account(rest: KiteRest, account: str) -> str:
    """Return the user's name where the login is the account's. Raises `UsageError` where it is another's."""
    seen = await profile(rest)
    if seen.user_id != account:
        raise UsageError(
            f"the login at Kite is {seen.user_id}'s, the account to be traded is {account}",
            hint="Log in as the account's owner (`manjha login`), or name the other account.",
        )
    return seen.user_name


def require_session(rules: MarketRules, instruments: Sequence[Instrument], today: TradingDay) -> None:
    """Raise `UsageError` where nothing of a run trades today."""
    if not any(is_trading_day(rules, today, one.exchange) for one in instruments):
        raise UsageError(
            f"{format_day(today)} is no trading day of {', '.join({str(one.exchange) for one in instruments})}",
            hint="Start it on the morning of a trading day; docs/market-rules.md has the calendar.",
        )


async def clock_line(kite: AtKite) -> Line:
    """Compare our clock with the broker's."""
    if kite.times.at_simulation:
        return Line("broker's clock", Verdict.OK, "a simulated exchange, whose time is followed")
    before = kite.times.now_ns()
    date = await kite.rest.date()
    return judged_clock(offset_ns(date, before, kite.times.now_ns()))


def judged_clock(offset: int | None) -> Line:
    """Judge by how much our clock is ahead of the broker's, None where nobody knows."""
    name = "broker's clock"
    if offset is None:
        return Line(name, Verdict.WARN, "Kite tells no time", "Look that the machine keeps time (NTP)")
    found = f"ours is {abs(offset) / SECOND_NS:.1f} s {'ahead' if offset > 0 else 'behind'}"
    if abs(offset) <= WARN_NS:
        return Line(name, Verdict.OK, "within 2 s of ours")
    verdict = Verdict.REFUSE if abs(offset) > REFUSE_NS else Verdict.WARN
    return Line(name, verdict, found, "Let the machine keep time (NTP), and start the trader again")


def login_line(login: SavedLogin | None, why_not: str, closes_ns: int) -> Line:
    """Judge whether a login holds until the sessions of the day are over."""
    name = "login"
    if login is None or why_not:
        return Line(name, Verdict.REFUSE, why_not, "Run `manjha login`: it is taken up without a restart")
    if not login.expires_ns:
        remedy = "`manjha login` keeps the end beside the token"
        return Line(name, Verdict.WARN, "a token of the environment, whose end nobody knows", remedy)
    until = format_ts(login.expires_ns)[:16].replace("T", " ")
    if login.expires_ns < closes_ns:
        found = f"holds until {until} at the latest, which is before the close"
        return Line(name, Verdict.REFUSE, found, "Run `manjha login`: it is taken up without a restart")
    return Line(name, Verdict.OK, f"{login.user_id}, holds until {until} at the latest")


def listed_line(missing: Sequence[str], count: int) -> Line:
    """Judge what of a run is on the broker's list of the day."""
    if missing:
        found = f"not on Kite's list of today: {', '.join(missing[:SHOWN])}"
        return Line("Kite's list", Verdict.REFUSE, found, "Name others")
    return Line("Kite's list", Verdict.OK, f"all {count} have a name and a token of today")


def closes_ns(rules: MarketRules, instruments: Sequence[Instrument], day: TradingDay) -> int:
    """Return when the last session of a day ends, 0 where there is none."""
    trading = [one for one in instruments if is_trading_day(rules, day, one.exchange)]
    return max((session(rules, one, day).day_close_ns for one in trading), default=0)


def further_lines(
    kite: AtKite, clock: Line, rules: MarketRules, instruments: Sequence[Instrument], listed_on: TradingDay
) -> Callable[[TradingDay], Sequence[Line]]:
    """Return the lines that only an account at Kite has, for the checklist of a day."""

    def lines(day: TradingDay) -> Sequence[Line]:
        names = [one.display for one in instruments] if day != listed_on else []
        login = kite.login
        return (
            login_line(login.login(), login.why_not(), closes_ns(rules, instruments, day)),
            clock,
            listed_line(names, len(instruments)),
        )

    return lines


def today_of(times: Times) -> TradingDay:
    """Return the day that it is where the account trades."""
    return day_of(times.now_ns())
