"""The herd: trees that DEAP draws, selects, crosses and mutates, one generation after the other.

DEAP takes its chance from Python's one generator. It is lent to it for each step and put back, so that the course
depends on the seed alone and nothing else is disturbed. Nothing here evaluates anything.
"""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
from deap import base, gp, tools

from manjha.research.evolve.grammar import NOTHING, Grammar
from manjha.research.evolve.kinds import Condition, Kind, Rule
from manjha.research.evolve.record import HerdState
from manjha.research.evolve.trees import Node, canonical, parse

CROSSED = 0.7
"""Share of the next generation's pairs that exchange branches."""
MUTATED = 0.35
"""Share of the next generation that is mutated."""
TOURNAMENT = 3
"""How many are drawn for each place in the next generation; the best of them gets it."""
LEAF = 0.3
"""How often a branch ends where it may go on."""
DEPTHS = (2, 4)
TRIES = 60
_GENERATOR = random.Random.VERSION
"""The version of Python's generator that a state is of."""
COLUMNS = ("open", "high", "low", "close")

# DEAP draws from the same generator; what is drawn here is no secret.
_toss, _pick, _between = random.random, random.choice, random.randint


class Herding(msgspec.Struct, frozen=True, kw_only=True):
    """How is bred. The `elite` best go into the next generation as they are."""

    population: int = 60
    seed: int = 0
    max_size: int = 25
    elite: int = 2


class Fitness(base.Fitness):  # type: ignore[misc]  # DEAP has no types
    """One number, of which more is better."""

    weights = (1.0,)


class Tree(gp.PrimitiveTree):  # type: ignore[misc]  # DEAP has no types
    """A rule of the herd."""

    def __init__(self, content: Sequence[Any]) -> None:
        super().__init__(content)
        self.fitness = Fitness()

    @property
    def text(self) -> str:
        """The rule in canonical form."""
        return canonical(parse(str(self))).text


class Herd:
    """A population of rules of one grammar. The same terms give the same course, whoever evaluates it.

    Without a state it is the first generation, else that of the state, as if it had been bred here.
    """

    def __init__(self, grammar: Grammar, terms: Herding, state: HerdState | None = None) -> None:
        self._terms = terms
        self._words, self._root = primitives(grammar), grammar.root
        self._chance = random.Random(terms.seed)  # noqa: S311  # nosec B311 - a search, no secret
        if state is not None:
            self.trees = [self._tree(text, grammar) for text in state.trees]
            self._chance.setstate((_GENERATOR, state.chance, None))
            return
        with self._lent():
            self.trees = [self._drawn() for _ in range(terms.population)]

    @property
    def state(self) -> HerdState:
        """The trees as they are, not in canonical form, and what chance comes next."""
        return HerdState(tuple(str(tree) for tree in self.trees), self._chance.getstate()[1])

    @property
    def texts(self) -> list[str]:
        """The rules in canonical form, in the order in which `breed` wants their fitness."""
        return [tree.text for tree in self.trees]

    def breed(self, fitness: Sequence[float]) -> None:
        """Replace the herd by the next generation. `fitness` in the order of `texts`; minus infinity where none is."""
        for tree, value in zip(self.trees, fitness, strict=True):
            tree.fitness.values = (value,)
        best: dict[str, Tree] = {}
        for tree in sorted(self.trees, key=lambda tree: (-tree.fitness.values[0], tree.text)):
            best.setdefault(tree.text, tree)
        elite = list(best.values())[: self._terms.elite]
        with self._lent():
            chosen = tools.selTournament(self.trees, len(self.trees) - len(elite), TOURNAMENT)
            children = [copy.deepcopy(tree) for tree in chosen]
            for index in range(1, len(children), 2):
                if _toss() < CROSSED:
                    children[index - 1 : index + 1] = self._limited(gp.cxOnePoint)(*children[index - 1 : index + 1])
            children = [self.mutated(child) if _toss() < MUTATED else child for child in children]
        self.trees = [*(copy.deepcopy(tree) for tree in elite), *children]

    def _tree(self, text: str, grammar: Grammar) -> Tree:
        """Return a tree that was written as text; DEAP's own reader would evaluate it as Python."""
        rule = parse(text)
        grammar.require(rule)
        return Tree(list(self._nodes(rule, Rule)))

    def _nodes(self, node: Node, kind: Kind) -> Iterator[Any]:
        if node.value is not None:
            ephemeral = self._words.mapping[_constant_name(kind)]
            # Its own way to be made draws a value.
            made = object.__new__(ephemeral)
            made.value = node.value
            yield made
            return
        word = self._words.mapping[node.word]
        yield word
        for part, wanted in zip(node.parts, getattr(word, "args", ()), strict=True):
            yield from self._nodes(part, wanted)

    def mutated(self, tree: Tree) -> Tree:
        """Return a tree with one change: a branch, a word, a constant, something less, or a condition more."""
        ways: tuple[Callable[..., tuple[Tree]], ...] = (
            partial(gp.mutUniform, expr=partial(grown, low=0, high=2), pset=self._words),
            partial(gp.mutNodeReplacement, pset=self._words),
            partial(gp.mutEphemeral, mode="one"),
            gp.mutShrink,
            self._joined,
        )
        changed: Tree = self._limited(_pick(ways))(tree)[0]
        return changed

    def _joined(self, tree: Tree) -> tuple[Tree]:
        """Join a condition with a new one."""
        index = _pick([at for at, node in enumerate(tree) if issubclass(node.ret, Condition)])
        branch = tree.searchSubtree(index)
        fresh = grown(self._words, low=0, high=1, type_=Condition)
        tree[branch] = [self._words.mapping[_pick(("both", "either"))], *tree[branch], *fresh]
        return (tree,)

    def _limited(self, way: Callable[..., Any]) -> Callable[..., Any]:
        """Return a change after which what has become too large is replaced by a parent."""
        limited: Callable[..., Any] = gp.staticLimit(len, self._terms.max_size)(_renamed(way))
        return limited

    def _drawn(self) -> Tree:
        """Return a new tree that is not too large: of smaller and smaller ones, where the limit is narrow."""
        for attempt in range(TRIES):
            high = max(1, DEPTHS[1] - attempt // 15)
            tree = Tree(grown(self._words, low=min(DEPTHS[0], high), high=high, type_=Rule))
            if len(tree) <= self._terms.max_size:
                return tree
        return self._smallest()

    def _smallest(self) -> Tree:
        """Return a tree of the least size: columns compared, no stop, no target."""
        names = [self._root.name]
        for kind in self._root.takes:
            plain = [name for name, end in NOTHING.items() if end is kind]
            names += plain or ["above", _pick(COLUMNS), _pick(COLUMNS)]
        return Tree([self._words.mapping[name] for name in names])

    @contextmanager
    def _lent(self) -> Iterator[None]:
        """Lend our chance to Python's generator, and put back what was there."""
        before = random.getstate()
        random.setstate(self._chance.getstate())
        try:
            yield
        finally:
            self._chance.setstate(random.getstate())
            random.setstate(before)


def primitives(grammar: Grammar) -> Any:
    """Return the grammar as DEAP's strongly typed set."""
    words = gp.PrimitiveSetTyped("rules", [], Rule)
    for word in grammar.words.values():
        if word.gives is Rule and word is not grammar.root:
            continue
        if word.takes:
            words.addPrimitive(None, list(word.takes), word.gives, name=word.name)
        else:
            words.addTerminal(None, word.gives, name=word.name)
    for name, kind in NOTHING.items():
        words.addTerminal(None, kind, name=name)
    for kind, values in grammar.constants.items():
        words.addEphemeralConstant(_constant_name(kind), partial(_pick, values), kind)
    return words


def _constant_name(kind: Kind) -> str:
    return f"any_{kind.__name__}"


def grown(pset: Any, low: int, high: int, type_: Kind) -> list[Any]:
    """Return a branch of a kind, as DEAP lists it, about `low` to `high` deep.

    DEAP's own generators want a constant and a function of every kind at every depth. Here a kind that has no constants
    goes on, and one that has no functions ends, at any depth.
    """
    return list(_branch(pset, type_, _between(low, high)))


def _branch(pset: Any, kind: Kind, left: int) -> Iterator[Any]:
    ends, words = pset.terminals.get(kind, []), pset.primitives.get(kind, [])
    if ends and (not words or left <= 0 or _toss() < LEAF):
        end = _pick(ends)
        yield end() if isinstance(end, gp.MetaEphemeral) else end
        return
    word = _pick(words if left > 1 else [one for one in words if kind not in one.args] or words)
    yield word
    for part in word.args:
        yield from _branch(pset, part, left - 1)


def _renamed(way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of its own: DEAP's decorator takes the name of what it wraps, which a `partial` has not."""

    def changed(*trees: Tree) -> Any:
        return way(*trees)

    return changed
