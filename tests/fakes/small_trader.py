"""A process that does what a trader does around a send: lock, epoch, journal, and only then the send (a file).

Run as `python small_trader.py JOURNAL ACCOUNT SENT`: each line on its stdin is an order to send.
"""

import sys
from pathlib import Path

from manjha.app.bootstrap import journal_to_write
from manjha.app.cli.errors import guarded
from manjha.app.trading.account_parts import leader_lock
from manjha.domain.journal import Entry
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId


def trade(where: str, account: str, sent: Path) -> None:
    lock = leader_lock(where, AccountId(account))
    lock.acquire()
    journal = journal_to_write(where, AccountId(account))
    journal.begin(RunId("small"))
    say("ready")
    for order in sys.stdin:
        journal.append([Entry("Approved", TsNs(1), order.encode())])
        with sent.open("a") as out:
            out.write(order)
        say("sent")


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(guarded(lambda: trade(sys.argv[1], sys.argv[2], Path(sys.argv[3])), sys.argv))
