"""A sentinel with little patience, as a process, against a broker that is a folder of open orders.

Run as `python -m tests.fakes.small_sentinel ACCOUNT BROKER`: a file in the folder BROKER, named by the broker's number,
is an open order, its text the tag. A cancel takes the file away.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from manjha.adapters.system.clock import SystemClock
from manjha.app.bootstrap import market_rules
from manjha.app.cli import sentinel as command
from manjha.app.sentinel import Sentinel
from manjha.app.settings import load_settings
from manjha.app.trading.account_parts import sentinel_parts
from manjha.domain.broker import BrokerStatus, OrderSeen, Outcome, Sent, Source
from manjha.domain.commands import Approved, CancelOrder
from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Qty
from manjha.domain.notes import Note
from manjha.domain.orders import OrderType, Product, Side
from manjha.ports.gateway import LastLook, no_objection
from manjha.services import watching
from tests.fakes.gateways import ShownBroker


class FolderBroker(ShownBroker):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def orders(self) -> tuple[OrderSeen, ...]:
        return tuple(
            OrderSeen(
                path.name, path.read_text(), InstrumentId("NSE:INFY"), Side.BUY, Qty(5), OrderType.LIMIT, Product.MIS,
                BrokerStatus.OPEN, Qty(0), SystemClock().now_ns(), Source.BOOK,
            )
            for path in sorted(self._folder.iterdir())
        )  # fmt: skip

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        (self._folder / broker_id).unlink()
        return Sent(broker_id)


class Said:
    """Implements `ports.notifier.Notifier` on stdout."""

    def tell(self, note: Note) -> None:
        sys.stdout.write(f"{note.title}: {note.text}\n")
        sys.stdout.flush()

    def close(self, patience_s: int) -> None:
        pass


def main(account: str, broker: Path) -> None:
    # Ten times what the heart takes for a beat and more, so that a busy machine is not taken for a dead trader.
    watching.SILENT_NS = 1_500_000_000
    settings = load_settings()
    parts = sentinel_parts(settings, account, Said(), market_rules(settings), [])
    always = msgspec.structs.replace(parts, account=FolderBroker(broker), in_session=lambda _ts: True)
    asyncio.run(command._watch(Sentinel(always)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
