"""Compares the shape of a reply with a sample of it: names of fields, kinds of values, nothing of what they say."""

import json
from pathlib import Path
from typing import Any


def sample(shared: Path, name: str) -> Any:
    """Return the `data` of a sample reply."""
    return json.loads((shared / "kite" / "mocks" / f"{name}.json").read_text("utf-8"))["data"]


def shape_of(value: Any) -> Any:
    """Return names and kinds: an object's fields, the merged shape of a list's rows, "number" for any number."""
    if isinstance(value, dict):
        return {name: shape_of(part) for name, part in value.items()}
    if isinstance(value, list):
        return [merged([shape_of(part) for part in value])] if value else []
    return {bool: "flag", int: "number", float: "number", str: "text", type(None): "null"}[type(value)]


def merged(shapes: list[Any]) -> Any:
    """Return what rows have in common: fields of some rows only are marked, kinds of one field are gathered."""
    first = shapes[0]
    solid = [shape for shape in shapes if shape != "null"]
    if solid and all(isinstance(shape, dict) for shape in solid):
        names = dict.fromkeys(name for shape in solid for name in shape)
        return {name: merged([shape[name] for shape in solid if name in shape]) for name in names}
    if solid and all(isinstance(shape, list) for shape in solid):
        inner = [part for shape in solid for part in shape]
        return [merged(inner)] if inner else []
    kinds = [shape for shape in shapes if shape != first]
    return first if not kinds else "|".join(sorted({part for shape in shapes for part in str(shape).split("|")}))


def differences(reply: Any, wanted: Any, at: str = "") -> list[str]:
    """Return where a reply's shape differs from a sample's: fields that are missing or unknown, values of another kind.

    What is null on one side says nothing about its kind; an empty list or object nothing about what would be in it.
    """
    return _differ(shape_of(reply), shape_of(wanted), at)


def _differ(found: Any, wanted: Any, at: str) -> list[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        if not found or not wanted:
            return []
        missing = [f"{at}.{name} is missing" for name in wanted if name not in found]
        unknown = [f"{at}.{name} is not in the sample" for name in found if name not in wanted]
        inner = [
            line for name in wanted if name in found for line in _differ(found[name], wanted[name], f"{at}.{name}")
        ]
        return missing + unknown + inner
    if isinstance(found, list) and isinstance(wanted, list):
        return _differ(found[0], wanted[0], f"{at}[]") if found and wanted else []
    kinds, allowed = (set(str(shape).split("|")) - {"null"} for shape in (found, wanted))
    if not kinds or not allowed or kinds <= allowed:
        return []
    return [f"{at} is {found}, the sample has {wanted}"]
