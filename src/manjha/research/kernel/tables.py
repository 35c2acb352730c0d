"""The tables of a run: arrays that live as long as the account's record, which holds their addresses."""

import numpy as np

from manjha.research.kernel import records as s

LOGS = {"orders": s.ORDER, "fills": s.FILL, "steps": s.STEP, "notes": s.NOTE, "refusals": s.REFUSAL}
PLANS = {"protections": s.PROTECTION, "outputs": s.OUTPUT, "timers": s.PLANNED, "kept": s.KEPT}


def copied(table: s.Records) -> s.Records:
    """Return a copy; as bytes, for numpy copies records field by field, which takes fifty times as long."""
    return np.frombuffer(bytearray(table.tobytes()), table.dtype)


class Tables:
    """The state of one run. `account` is an array of one record, which compiled code is called with.

    Attributes
    ----------
    arrays
        Tables by name, as `records` describes them; read them when compiled code is not running.
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
        changing = account.view(np.int64), self.arrays["holdings"].view(np.int64)
        self._begin = [(words, words.copy()) for words in changing]

    def restart(self, rows: int) -> None:
        """Go back to before the first bar, for another run over the same market under the same terms."""
        for words, first in self._begin:
            words[:] = first
        for name, kind in LOGS.items():
            log = self.arrays[name]
            if len(log) < rows + 2 * s.SPARE:
                log = np.zeros(rows + 2 * s.SPARE, kind)
            if len(log) != self.account[f"{name[:-1]}_rows"][0]:
                self._take_log(name, log)
                self._begin[0][1][:] = self._begin[0][0]

    def take(self, name: str, table: s.Records) -> None:
        """Keep a table and note its address."""
        held = np.ascontiguousarray(table)
        self.arrays[name] = held
        self.account[f"{name}_at"] = held.ctypes.data

    def state(self, wakeups: s.Ints, wanted: s.Ints) -> None:
        """Take over what the strategy has stated: positions, and integers of shape (wake-ups, columns)."""
        self.take("wakeups", wakeups)
        self.take("wanted", wanted)
        self.account["wakeup_count"], self.account["columns"] = wanted.shape

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
        self.account[0][f"{name[:-1]}_rows"] = len(log)
