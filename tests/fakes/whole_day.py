"""Trading days at an exchange on a socket: traders in processes of their own, a person beside them, all evidence."""

import contextlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from manjha.adapters.secrets.sealed import new_key
from manjha.app.bootstrap import instrument_book
from manjha.app.settings import load_settings
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs, at, day_of, parse_clock, parse_day
from manjha.domain.money import RUPEE, Cash
from manjha.exchange.accounts.users import App, Owned, User
from manjha.exchange.application import create_app
from manjha.exchange.clock import Time
from manjha.exchange.exchange import Exchange
from manjha.exchange.market.sources import BarDays
from manjha.exchange.serving import served
from manjha.exchange.trouble.manual import Habits
from manjha.exchange.trouble.rms import RmsState
from manjha.market.calendar import trading_days
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate
from tests.fakes.day_books import Row
from tests.fakes.exchanges import DAY, SECRET, an_exchange, session_of
from tests.fakes.kite_desk import LIMITS, free_port
from tests.fakes.market_rules import shipped_rules

CALL = "from manjha.app.cli import main; main()"
CAPITAL = 10_00_000
BEGINS = "08:20"
WAIT_S = 240


class Member(NamedTuple):
    """An account and what trades in it. `person` tells that somebody trades by hand in it as well."""

    account: str
    strategy: str
    parameters: tuple[str, ...]
    instruments: tuple[str, ...]
    product: str
    size: str
    person: bool = False


class HeldClock:
    """A clock that does not jump, and that stands until it is let go: a day begins when the first trader asks for it.

    A trader asks the exchange's time once (`GET /simulation`) and lives by it then; until it does, seconds of a machine
    that is busy with starting it would be quarters of an hour there.
    """

    def __init__(self) -> None:
        self.goes_when_asked = False
        self._away_ns = 0
        self._stood_ns: int | None = time.monotonic_ns()

    def __call__(self) -> int:
        return (time.monotonic_ns() if self._stood_ns is None else self._stood_ns) - self._away_ns

    def hold(self) -> None:
        """Stand still."""
        self.goes_when_asked = False
        if self._stood_ns is None:
            self._stood_ns = time.monotonic_ns()

    def let_go(self) -> None:
        """Go on from where it stood."""
        if self._stood_ns is not None:
            self._away_ns += time.monotonic_ns() - self._stood_ns
            self._stood_ns = None


# ---- the exchange


class Market(NamedTuple):
    """A served exchange: where, what, its clock, and its trading days."""

    root: str
    exchange: Exchange
    clock: HeldClock
    days: tuple[TradingDay, ...]

    def is_past(self, day: TradingDay, clock: str) -> bool:
        """Tell whether its time has come to a moment of a day."""
        return self.exchange.now_ns >= at(day, parse_clock(clock))

    def tell(self, method: str, path: str, body: Any = None) -> Any:
        """Ask it something that no broker can be asked, and return the answer's data."""
        text = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        asked = urllib.request.Request(f"{self.root}{path}", text, headers, method=method)  # noqa: S310 - our own address
        with _opener().open(asked, timeout=WAIT_S) as answer:
            return json.load(answer)["data"]

    def leap_to(self, day: TradingDay, clock: str) -> None:
        """Let all time pass up to a moment; nobody trades meanwhile."""
        seconds = (at(day, parse_clock(clock)) - self.exchange.now_ns) // SECOND_NS
        asked = urllib.request.Request(f"{self.root}/simulation/advance", b"seconds=%d" % seconds)  # noqa: S310
        _opener().open(asked, timeout=WAIT_S).close()


@contextlib.contextmanager
def market(members: Sequence[Member], seed: int, days: int, speed: float, posts: "Posts") -> Iterator[Market]:
    """Serve the synthetic market of a seed on a socket, an app and a user an account; its time stands at first."""
    rules, first = shipped_rules(), parse_day(DAY)
    listed = trading_days(rules, first, rules.last)[: days + 1]
    spec = default_spec(seed, TradingDay(first - 10), listed[-1])
    source = BarDays(
        tuple(one.instrument for one in spec.instruments), generate(spec, exchange_sessions(rules, spec)), seed, 20
    )
    apps = [
        App(
            api_key=f"key{one.account}", api_secret=SECRET, number=number, users=(one.account,),
            redirect_url=f"http://127.0.0.1:{posts.logins[one.account]}/", postback_url=f"{posts.root}/{one.account}",
        )
        for number, one in enumerate(members, 1)
    ]  # fmt: skip
    users = [_user(one) for one in members]
    exchange = an_exchange(
        BEGINS, source=source, days=listed, seed=seed, apps=apps, users=users, auto_login=True, limits=True,
        rules={"holdings": "on"},
    )  # fmt: skip
    exchange.rms.settings = RmsState(squares_off=True)
    for one in members:
        if one.person:
            exchange.manual.begin(Habits(one.account, seed, 900.0), exchange.now_ns)
    clock = HeldClock()
    app = create_app(exchange, Time(exchange, clock, exchange.now_ns, speed))
    app.add_middleware(_Asked, clock=clock)
    with served(app) as root:
        yield Market(root, exchange, clock, listed)


class _Asked:
    """Lets a clock go when somebody asks what time it is."""

    def __init__(self, app: ASGIApp, clock: HeldClock) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/simulation" and self._clock.goes_when_asked:
            self._clock.let_go()
        await self._app(scope, receive, send)


def _user(member: Member) -> User:
    """Return who has an account; a person who trades in it has shares and money of their own there."""
    name, cash = f"{member.account} of a test", Cash(CAPITAL * RUPEE)
    if not member.person:
        return User(user_id=member.account, name=name, cash=cash)
    owned = tuple(Owned("NSE", one.partition(":")[2], 1_000, 1_400 * RUPEE) for one in member.instruments)
    return User(user_id=member.account, name=name, cash=Cash(3 * cash), holdings=owned)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Posts:
    """A web server that passes postbacks on, as a user's has to: every third twice, every fourth after the next one."""

    def __init__(self, accounts: Sequence[str]) -> None:
        self.ports = {account: free_port() for account in accounts}
        self.logins = {account: free_port() for account in accounts}
        self.taken = dict.fromkeys(accounts, 0)
        self._held: dict[str, bytes] = {}
        self._lock = threading.Lock()
        posts = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
                posts.pass_on(self.path.strip("/"), body)

            def log_message(self, *words: object) -> None:
                del words

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self._server.server_port}"

    def pass_on(self, account: str, body: bytes) -> None:
        """Pass a message on to the trader of an account, if one listens."""
        with self._lock:
            self.taken[account] += 1
            count = self.taken[account]
            bodies = [body, self._held.pop(account, b"")]
            if count % 4 == 0:
                self._held[account] = bodies.pop(0)
        for each in filter(None, bodies * (2 if count % 3 == 0 else 1)):
            with contextlib.suppress(OSError, http.client.HTTPException):
                asked = urllib.request.Request(f"http://127.0.0.1:{self.ports[account]}/", each)
                _opener().open(asked, timeout=5).close()

    def __enter__(self) -> "Posts":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


# ---- a trader and a person beside it

_BROWSER = """import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
opener.open(sys.argv[1], timeout=30).read()
"""
_LOOSE = {
    "PRICE_AGE_S": "1800", "ENTRIES_MAX": "1000", "REJECTIONS_MAX": "20", "ORDER_QTY_MAX": "5000",
    **{f"{what}_VALUE_MAX": "4000000" for what in ("ORDER", "OPEN", "INSTRUMENT", "GROSS", "NET")},
}  # fmt: skip
"""At some hundred times real time the newest price is minutes old."""


class Seat:
    """One account in a home of its own: commands as a person types them, and the trader's process."""

    def __init__(self, member: Member, folder: Path, market: Market, posts: Posts) -> None:
        self.member, self.folder, self._market = member, folder, market
        self.account = member.account
        self.process: subprocess.Popen[bytes] | None = None
        self.lives = 0
        folder.mkdir()
        (folder / "browser.py").write_text(_BROWSER, encoding="utf-8")
        self.home = folder / "home"
        limits = LIMITS | _LOOSE | {"INSTRUMENTS": ",".join(member.instruments)}
        self.variables = os.environ | {f"MANJHA_RISK_{name}": value for name, value in limits.items()} | {
            "MANJHA_HOME": str(self.home), "MANJHA_KITE_URL": market.root, "MANJHA_SEAL_KEY": new_key(),
            "MANJHA_KITE_STREAM_URL": market.root.replace("http", "ws", 1),
            "MANJHA_KITE_LOGIN_URL": f"{market.root}/connect/login",
            "MANJHA_KITE_REDIRECT_PORT": str(posts.logins[self.account]),
            "MANJHA_KITE_POSTBACK_PORT": str(posts.ports[self.account]),
            "MANJHA_KITE_API_KEY": f"key{self.account}", "MANJHA_KITE_API_SECRET": SECRET,
            "MANJHA_ACCOUNT": self.account, "OMP_NUM_THREADS": "1",
            "BROWSER": f"{sys.executable} {folder / 'browser.py'} %s &",
        }  # fmt: skip
        listed = [one.instrument for one in market.exchange.market.listing.all]
        instrument_book(load_settings({"MANJHA_HOME": str(self.home)})).put(listed, TradingDay(market.days[0] - 10))

    def __call__(self, *words: str, wanted: int = 0) -> str:
        """Type a command, and return what it says to stdout."""
        done = subprocess.run(
            [sys.executable, "-c", CALL, *words], env=self.variables, capture_output=True, text=True, timeout=WAIT_S,
            check=False,
        )  # fmt: skip
        assert done.returncode == wanted, f"{self.account}: manjha {' '.join(words)}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def log_in(self) -> None:
        """Log in, in a browser that does what it is told."""
        self("login")

    def start(self) -> None:
        """Start the trader, or start it again."""
        member = self.member
        words = ["trade", "--live", "--account", self.account, "--yes-account", self.account, "-s", member.strategy]
        words += [word for one in member.parameters for word in ("-p", one)]
        words += [word for one in member.instruments for word in ("--instrument", one)]
        words += ["-i", "5m", "--product", member.product, "--json"]
        words += ["--size", member.size] if member.size else []
        self.lives += 1
        with self._file("out").open("wb") as said, self._file("err").open("wb") as erred:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CALL, *words], env=self.variables, stdout=said, stderr=erred
            )

    def kill(self) -> None:
        """Kill the trader, as a machine does that dies."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def look(self) -> None:
        """Look at what is frozen and let it be traded again, as a person does who has compared the books."""
        status = json.loads(self("control", "status", "--account", self.account, "--json"))
        for name in filter(None, str(status.get("frozen", "")).split(", ")):
            self("control", "accept", "--account", self.account, "--instrument", name)

    @property
    def is_over(self) -> bool:
        """Whether the trader has ended."""
        return self.process is not None and self.process.poll() is not None

    @property
    def erred(self) -> str:
        """What the trader has said to people, in all its lives."""
        files = [self.folder / f"err{life}" for life in range(1, self.lives + 1)]
        return "".join(file.read_text(encoding="utf-8") for file in files)

    @property
    def report(self) -> dict[str, Any]:
        """What the trader's last life has printed at its end."""
        found: dict[str, Any] = json.loads(self._file("out").read_text(encoding="utf-8"))
        return found

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{self.lives}"

    # ---- evidence

    def token(self) -> str:
        """Log in beside the trader, whose login ends with that."""
        return session_of(self._market.exchange, self.account, f"key{self.account}").access_token

    def ask(self, path: str, token: str) -> Any:
        """Ask the exchange as a client does."""
        headers = {"X-Kite-Version": "3", "Authorization": f"token key{self.account}:{token}"}
        asked = urllib.request.Request(f"{self._market.root}{path}", None, headers)  # noqa: S310 - our own address
        with _opener().open(asked, timeout=WAIT_S) as got:
            return json.load(got, parse_float=Fraction)["data"]

    def cash(self) -> Fraction:
        """Return what the account has at the exchange at the beginning of a day, in rupees."""
        return Fraction(self.ask("/user/margins", self.token())["equity"]["available"]["opening_balance"])

    def tables(self, day: TradingDay) -> dict[str, list[Row]]:
        """Make the read models of the journal, and return the rows of a day; all positions."""
        self("db", "rebuild", "--account", self.account)
        raw = sqlite3.connect(self.home / "manjha.db")
        raw.row_factory = sqlite3.Row
        days = {"orders": "decided_ns", "trades": "ts_ns", "contract_notes": "ts_ns"}
        try:
            names = (*days, "positions")
            found: dict[str, list[Row]] = {
                name: [dict(row) for row in raw.execute(f"SELECT * FROM {name}")]  # noqa: S608 - names of ours
                for name in names
            }
        finally:
            raw.close()
        for name, column in days.items():
            found[name] = [row for row in found[name] if day_of(row[column] or at(day, 0)) == day]
        return found

    def journal(self, day: TradingDay) -> list[Row]:
        """Export the journal, and return the rows of a day."""
        self("journal", "export", "--account", self.account, "--out", str(self.folder / "rows.jsonl"))
        rows = [json.loads(line) for line in (self.folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if row["ts_ns"] and day_of(TsNs(row["ts_ns"])) == day]
