"""The machine's clock: the only place that reads the time of day and waits."""

import time

from manjha.domain.moments import SECOND_NS, TsNs


class SystemClock:
    """Implements the `Clock` port."""

    def now_ns(self) -> TsNs:
        """Return the present moment."""
        return TsNs(time.time_ns())

    def wait_until(self, ts_ns: TsNs) -> None:
        """Return at this moment or later."""
        while (rest := ts_ns - self.now_ns()) > 0:
            time.sleep(rest / SECOND_NS)
