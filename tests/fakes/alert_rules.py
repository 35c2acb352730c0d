"""A small reader of alert rules and of the names in their expressions: for the simple forms that ours have."""

import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yml"
SELECTOR = re.compile(r"\b((?:manjha|process|python)_\w+|up)(?:\{([^}]*)\})?")
RULE = re.compile(r"^(?P<abs>abs\()?(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})?\)? (?P<how>>|<|==|!=) (?P<than>[\d.]+)$")
HOW: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, "<": operator.lt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
LABEL = re.compile(r'(\w+)(=~|=)"([^"]*)"')


class Rule(NamedTuple):
    alert: str
    expr: str


def rules() -> list[Rule]:
    text = ALERTS.read_text()
    return [Rule(*found) for found in re.findall(r"- alert: (\w+)\n\s+expr: '([^\n]*)'\n", text)]


def selectors(expr: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each name in an expression and the labels that it selects by."""
    for name, labels in SELECTOR.findall(expr):
        yield name, {label: value for label, _, value in LABEL.findall(labels)}


def samples(registry: CollectorRegistry) -> list[Sample]:
    return [sample for family in registry.collect() for sample in family.samples]


def fires(rule: Rule, registry: CollectorRegistry) -> bool:
    """Tell whether a rule's condition holds for any series; `for` is not waited for."""
    found = RULE.match(rule.expr)
    assert found is not None, f"{rule.alert}: this reader does not know the form {rule.expr}"
    wanted = LABEL.findall(found["labels"] or "")
    values = [
        sample.value
        for sample in samples(registry)
        if sample.name == found["name"]
        and all(re.fullmatch(value if how == "=~" else re.escape(value), sample.labels.get(label, ""))
                for label, how, value in wanted)
    ]  # fmt: skip
    return any(HOW[found["how"]](abs(one) if found["abs"] else one, float(found["than"])) for one in values)
