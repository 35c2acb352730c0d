"""Hooks: what a program outside may order by a message to an address of ours."""

from enum import StrEnum

import msgspec

from manjha.domain.moments import TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import AccountId, Product, StrategyId


class Proof(StrEnum):
    """How a message shows that it is from whom it says: signed, or with the secret in its body."""

    SIGNATURE = "signature"
    SECRET_IN_BODY = "secret-in-body"  # noqa: S105  # nosec B105 - the name of a way


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """Who may order what. Its secrets are in the secret store, under its id.

    Orders are the account's, as of `strategy`, which no run of the account may trade. `instruments` are those that it
    may name, as people write them; `qty_max` is of one order, `per_minute` counts messages. `version` counts changes.
    """

    id: str
    name: str
    account: AccountId
    strategy: StrategyId
    instruments: tuple[str, ...]
    product: Product
    qty_max: Qty
    per_minute: int
    proof: Proof
    is_on: bool
    made_ns: TsNs
    made_by: str
    version: int = 1
