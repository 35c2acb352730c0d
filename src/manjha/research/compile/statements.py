"""Statements of a strategy. Each handler tells whether what comes after it can be reached."""

import ast
from collections.abc import Callable, Sequence
from typing import Any

from manjha.research.compile.calls import ask
from manjha.research.compile.expressions import arithmetic, number_of, truth_of, value_of
from manjha.research.compile.kinds import (
    BOOL,
    INT,
    KEPT,
    MARKET,
    NAMES,
    NONE,
    NUMBERS,
    SIDE,
    Value,
    as_kind,
    join,
)
from manjha.research.compile.scope import OUTSIDE, Markets, Scope, Thing


def block(scope: Scope, statements: Sequence[ast.stmt]) -> bool:
    """Translate statements; tell whether the end is reached."""
    for statement in statements:
        translate = _TRANSLATE.get(type(statement))
        if translate is None:
            raise scope.refused_construct(statement)
        if not translate(scope, statement):
            return False
    return True


def _inner(scope: Scope, statements: Sequence[ast.stmt]) -> tuple[bool, set[str]]:
    """Translate a block one step further in; tell whether its end is reached, and what then has a value."""
    before = set(scope.known)
    scope.depth += 1
    wrote = len(scope.lines)
    reached = block(scope, statements)
    if len(scope.lines) == wrote:
        scope.write("pass")
    scope.depth -= 1
    after, scope.known = scope.known, before
    return reached, after


def _expression(scope: Scope, node: ast.Expr) -> bool:
    if isinstance(node.value, ast.Constant):
        return True
    if not isinstance(node.value, ast.Call):
        raise scope.refused(node, f"an expression that does nothing {OUTSIDE}")
    _do(scope, node.value)
    return True


def _do(scope: Scope, node: ast.Call) -> None:
    if ask(scope, node):
        return
    found = value_of(scope, node)
    if found.code:
        scope.write(found.code)


# ---- assignments


def _assign(scope: Scope, node: ast.Assign) -> bool:
    first = node.targets[0]
    if isinstance(first, ast.Tuple):
        _assign_several(scope, node, first)
        return True
    found = value_of(scope, node.value)
    if len(node.targets) > 1 and found.kind in KEPT:
        found = found._replace(code=scope.temp(found.code))
    for target in node.targets:
        _store(scope, target, found)
    return True


def _assign_several(scope: Scope, node: ast.Assign, targets: ast.Tuple) -> None:
    """Compute all values before any is assigned."""
    values = node.value.elts if isinstance(node.value, ast.Tuple) else []
    if len(node.targets) > 1 or len(values) != len(targets.elts):
        raise scope.refused(node, f"taking apart what is not written out as a tuple {OUTSIDE}")
    found = []
    for each in values:
        value = value_of(scope, each)
        found.append(value._replace(code=scope.temp(value.code)) if value.kind in KEPT else value)
    for target, value in zip(targets.elts, found, strict=True):
        _store(scope, target, value)


def _annotated(scope: Scope, node: ast.AnnAssign) -> bool:
    if node.value is not None:
        _store(scope, node.target, value_of(scope, node.value))
    return True


def _augmented(scope: Scope, node: ast.AugAssign) -> bool:
    target = node.target
    if not isinstance(target, ast.Name | ast.Attribute):
        raise scope.refused(node, f"an assignment to a part of something {OUTSIDE}")
    load: ast.expr = (
        ast.Name(target.id, ast.Load())
        if isinstance(target, ast.Name)
        else ast.Attribute(target.value, target.attr, ast.Load())
    )
    left = number_of(scope, ast.copy_location(load, target))
    _store(scope, target, arithmetic(scope, node.op, left, number_of(scope, node.value), node))
    return True


def _store(scope: Scope, target: ast.expr, value: Value) -> None:
    if isinstance(target, ast.Name):
        scope.bind(target.id, value, target)
        return
    if isinstance(target, ast.Attribute):
        owner = value_of(scope, target.value)
        if isinstance(owner.of, Thing) and owner.of.what is scope.program.strategy:
            scope.program.store(scope, target, value)
            return
        raise scope.refused(
            target, f"an assignment to {ast.unparse(target)} {OUTSIDE}; only attributes of self can be set"
        )
    raise scope.refused(target, f"an assignment to a part of something {OUTSIDE}")


# ---- the order of things


def _if(scope: Scope, node: ast.If) -> bool:
    scope.write(f"if {truth_of(scope, node.test)}:")
    reached, known = _inner(scope, node.body)
    if not node.orelse:
        scope.known = scope.known & known if reached else scope.known
        return True
    scope.write("else:")
    other_reached, other_known = _inner(scope, node.orelse)
    if reached and other_reached:
        scope.known = known & other_known
    elif reached or other_reached:
        scope.known = known if reached else other_known
    return reached or other_reached


def _while(scope: Scope, node: ast.While) -> bool:
    if node.orelse:
        raise scope.refused(node, f"else of a loop {OUTSIDE}")
    # What comes before the test is computed anew each time round.
    scope.write("while True:")
    scope.depth += 1
    scope.write(f"if k.status != 0 or not {truth_of(scope, node.test)}:")
    scope.write("    break")
    scope.depth -= 1
    _inner(scope, node.body)
    return True


def _for(scope: Scope, node: ast.For) -> bool:
    if node.orelse:
        raise scope.refused(node, f"else of a loop {OUTSIDE}")
    if not isinstance(node.target, ast.Name):
        raise scope.refused(node, f"a loop over several names {OUTSIDE}")
    steps, kind = _range(scope, node.iter)
    scope.temps += 1
    each = f"t{scope.temps}"
    scope.write(f"for {each} in range({steps}):")
    before = set(scope.known)
    scope.depth += 1
    scope.write("if k.status != 0:")
    scope.write("    break")
    scope.bind(node.target.id, Value(kind, each), node.target)
    block(scope, node.body)
    scope.depth -= 1
    scope.known = before
    return True


def _range(scope: Scope, node: ast.expr) -> tuple[str, str]:
    """Return what a loop counts through, and what its numbers stand for."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        built_in = scope.look_up(node.func).of
        if not isinstance(built_in, Thing) or built_in.what is not range or node.keywords:
            raise scope.refused(node, f"this range {OUTSIDE}")
        values = [number_of(scope, each) for each in node.args]
        if not 1 <= len(values) <= 3 or any(value.kind not in (BOOL, INT) for value in values):
            raise scope.refused(node, "range expects whole numbers")
        if len(values) == 3 and not values[2].code.strip("()-").isdigit():
            raise scope.refused(node, f"range with steps that are not written out {OUTSIDE}")
        if len(values) == 3 and int(values[2].code.strip("()")) == 0:
            raise scope.refused(node, "range with steps of zero")
        return ", ".join(as_kind(value, INT, node.lineno) for value in values), INT
    found = value_of(scope, node) if isinstance(node, ast.Call) else Value(NONE)
    if isinstance(found.of, Markets) and found.of.values:
        return "k.instruments", MARKET
    raise scope.refused(node, f"a loop over anything but range(...) or ctx.markets.values() {OUTSIDE}")


def _return(scope: Scope, node: ast.Return) -> bool:
    """Leave the function; what `on_bar` returns is not looked at."""
    if scope.is_entry:
        if isinstance(node.value, ast.Call):
            _do(scope, node.value)
        elif node.value is not None and not isinstance(node.value, ast.Constant):
            value_of(scope, node.value)
        scope.write("return")
        return False
    found = Value(NONE)
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        found = value_of(scope, node.value)
    if found.kind not in (*NUMBERS, NONE, SIDE, MARKET, "text", "line"):
        raise scope.refused(node, f"{NAMES[found.kind]} returned {OUTSIDE}")
    before = found.kind if scope.returned is None else scope.returned
    kind = join(before, found.kind)
    if kind is None:
        raise scope.refused(node, f"{scope.function.name} returns now {NAMES[before]} and now {NAMES[found.kind]}")
    if kind != scope.returned:
        scope.returned, scope.program.changed = kind, True
    scope.write("return" if kind == NONE else f"return {as_kind(found, kind, node.lineno)}")
    return False


def _nothing(scope: Scope, node: ast.stmt) -> bool:
    del scope, node
    return True


def _delete(scope: Scope, node: ast.Delete) -> bool:
    """Forget variables; what is deleted has no value any more."""
    for target in node.targets:
        if not isinstance(target, ast.Name):
            raise scope.refused(node, f"del of anything but a variable {OUTSIDE}")
        scope.look_up(ast.copy_location(ast.Name(target.id, ast.Load()), target))
        scope.known.discard(target.id)
    return True


def _leave_loop(scope: Scope, node: ast.stmt) -> bool:
    scope.write("break" if isinstance(node, ast.Break) else "continue")
    return False


_TRANSLATE: dict[type[ast.stmt], Callable[[Scope, Any], bool]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.If: _if,
    ast.While: _while,
    ast.For: _for,
    ast.Return: _return,
    ast.Pass: _nothing,
    ast.Delete: _delete,
    ast.Break: _leave_loop,
    ast.Continue: _leave_loop,
}
