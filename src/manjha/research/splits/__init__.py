"""Which bars a strategy is chosen on and which it is judged on.

Every split is a frozen value of half-open ranges of row numbers over one series of bars, oldest first. Nothing here
looks at prices: the same splits serve bars, returns and features.
"""

from manjha.research.splits.combinatorial import Combinatorial, combinatorial
from manjha.research.splits.folds import purged_folds
from manjha.research.splits.ranges import Range, Split
from manjha.research.splits.walk_forward import walk_forward, walk_forward_in

__all__ = ["Combinatorial", "Range", "Split", "combinatorial", "purged_folds", "walk_forward", "walk_forward_in"]
