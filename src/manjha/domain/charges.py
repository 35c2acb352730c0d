"""The lines of a bill for trading. Which rates apply on which day is `market.charges`."""

import msgspec

from manjha.domain.money import Cash

LINES = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp", "gst", "dp", "other")
"""Names of the lines, in the order of `ChargeLines` and of every array of charges."""


class ChargeLines(msgspec.Struct, frozen=True, gc=False):
    """Charges by component, each in 1e-4 rupee; positive is a cost. `stt` includes CTT on commodities.

    `dp` is the depository's fee on delivery sales; `other` holds square-off fees, interest and penalties.
    """

    brokerage: Cash = Cash(0)
    stt: Cash = Cash(0)
    exchange: Cash = Cash(0)
    ipft: Cash = Cash(0)
    sebi: Cash = Cash(0)
    stamp: Cash = Cash(0)
    gst: Cash = Cash(0)
    dp: Cash = Cash(0)
    other: Cash = Cash(0)

    @property
    def total(self) -> Cash:
        """Sum of all lines."""
        return Cash(sum(msgspec.structs.astuple(self)))
