"""A process that beats as a trader's loop does, ten times a second, until its stdin ends."""

import sys
import threading
from itertools import count
from pathlib import Path

from manjha.adapters.files.vitals import VitalsFolder
from manjha.domain.moments import TsNs
from manjha.domain.vitals import Heartbeat, LedgerCopy

if __name__ == "__main__":
    vitals, ends = VitalsFolder(Path(sys.argv[1])), threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ends.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    vitals.copy(LedgerCopy(TsNs(1), (), {}))
    for number in count(1):
        vitals.beat(Heartbeat(number, TsNs(number), has_risk=True, reconciled_ns=TsNs(1)))
        if number == 1:
            sys.stdout.write("beats\n")
            sys.stdout.flush()
        if ends.wait(0.1):
            break
