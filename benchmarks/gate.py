"""The gate with every control on: `python -m benchmarks.gate [ORDERS [OPEN]]`.

So many orders are put before it one by one, with as many open as given (the default is what `RiskLimits` allows); the
time is that of `submit` alone, the refused tenth included.
"""

import json
import sys
import time
from typing import Any, ClassVar

import msgspec
import numpy as np

from benchmarks.contract_data import MINUTE_NS
from benchmarks.workloads import shares
from manjha.domain.commands import Approved
from manjha.domain.events import KillSwitched, MarketAdvanced, OrderCancelled, SessionOpened
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs, day_of
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import Order, OrderId, OrderType, Product, Side, StrategyId
