"""The tables of a run: arrays that live as long as the account's record, which holds their addresses."""

import numpy as np

from manjha.research.kernel import records as s

LOGS = {"orders": s.ORDER, "fills": s.FILL, "steps": s.STEP, "notes": s.NOTE, "refusals": s.REFUSAL}
PLACES = {name: offset // 8 for name, (_, offset, *_) in (s.ACCOUNT.fields or {}).items()}
"""Where a number of the account is among its words: numpy takes ten times as long to find it by name."""
_WAKEUP_COUNT, _COLUMNS = PLACES["wakeup_count"], PLACES["columns"]
PLANS = {"protections": s.PROTECTION, "outputs": s.OUTPUT, "timers": s.PLANNED, "kept": s.KEPT}


class Tables:
    """The state of one run. `account` is an array of one record, which compiled code is called with.

    Attributes
    ----------
    arrays
        Tables by name, as `records` describes them; read them when compiled code is not running.
    words, holdings
        The same account and the table of that name as integers, of shape (fields,) and (instruments, fields).
    bars
        The columns of the market.
    terms
        What decides the state before the first bar, as its maker sees it.

    `rows` is how many rows of each log are expected; logs are doubled whenever they run out. `over` are the tables of a
    finished run that is given up: its logs are written over, as memory new from the system costs a short run as much as
    the run. Nothing in them is cleared, since compiled code writes every field of a row that it adds.
    """

    def __init__(
        self, account: s.Records, bars: s.Bars, given: dict[str, s.Records], rows: int, over: "Tables | None" = None
    ) -> None:
        self.account = account
        self.words = account.view(np.int64)
        self._begin: list[tuple[s.Ints, s.Ints]] = []
        self.bars = bars
        self.terms: tuple[object, ...] = ()
        self.arrays: dict[str, s.Records] = {}
        for name, table in given.items():
            self.take(name, table)
        for name, kind in LOGS.items():
            log = None if over is None else over.arrays[name]
            enough = log is not None and len(log) >= rows + 2 * s.SPARE
            self._take_log(name, log if log is not None and enough else np.zeros(rows + 2 * s.SPARE, kind))
        # Each expiry and each action changes every position once at most.
        many = len(self.arrays["holdings"]) * (1 + len(self.arrays["actions"]))
        self.take("changes", np.zeros(many, s.CHANGE))
        account[0]["actions"] = len(self.arrays["actions"])
        for name, kind in PLANS.items():
            self.take(name, np.zeros(s.PLAN_SIZE, kind))
        for name in ("end", "begin", "rows"):
            account[0][f"{name}_at"] = getattr(bars, name).ctypes.data
        account[0]["count"], account[0]["mapped"] = len(bars.end), bars.rows.size > 0
        self.holdings = self.arrays["holdings"].view(np.int64).reshape(len(self.arrays["holdings"]), -1)
        self._begin = [(words, words.copy()) for words in (self.words, self.holdings)]

    def restart(self, rows: int) -> None:
        """Go back to before the first bar, for another run over the same market under the same terms."""
        for words, first in self._begin:
            words[:] = first
        if len(self.arrays["fills"]) < rows + 2 * s.SPARE:
            for name, kind in LOGS.items():
                self._take_log(name, np.zeros(rows + 2 * s.SPARE, kind))

    def take(self, name: str, table: s.Records) -> None:
        """Keep a table and note its address."""
        self.arrays[name] = held = np.ascontiguousarray(table)
        self.words[PLACES[f"{name}_at"]] = held.__array_interface__["data"][0]

    def state(self, wakeups: s.Ints, wanted: s.Ints) -> None:
        """Take over what the strategy has stated: positions, and integers of shape (wake-ups, columns)."""
        self.take("wakeups", wakeups)
        self.take("wanted", wanted)
        self.words[_WAKEUP_COUNT], self.words[_COLUMNS] = wanted.shape

    def grow(self) -> None:
        """Double the rows of every log, so that a run that found them full may go on."""
        for name in LOGS:
            log = self.arrays[name]
            self._take_log(name, np.concatenate((log, np.zeros_like(log))))
        self.account[0]["status"] = s.RUNNING

    def log(self, name: str) -> s.Records:
        """Return the rows that have been written."""
        return self.arrays[name][: self.account[0][name]]

    def _take_log(self, name: str, log: s.Records) -> None:
        self.take(name, log)
        self.words[PLACES[f"{name[:-1]}_rows"]] = len(log)
        # A run that begins anew keeps what its logs have grown to.
        if self._begin:
            for place in (PLACES[f"{name}_at"], PLACES[f"{name[:-1]}_rows"]):
                self._begin[0][1][place] = self.words[place]
