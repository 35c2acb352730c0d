"""An example for every body in the document, put together from the examples of its fields."""

from typing import Any

_DEEP = 6
_PLAIN: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None, "string": ""}


def add_examples(document: dict[str, Any]) -> None:
    """Give every body of an operation, asked or answered, an `example`, where it has none."""
    schemas = document.get("components", {}).get("schemas", {})
    for operation in (one for path in document["paths"].values() for one in path.values()):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for kind, media in ((kind, media) for body in bodies for kind, media in body.get("content", {}).items()):
            if "json" in kind and not {"example", "examples"} & media.keys() and media.get("schema"):
                media["example"] = example_of(media["schema"], schemas)


def example_of(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """Return a value of a schema: what it names as an example, its default or first choice, else made of its parts."""
    if "$ref" in schema:
        named = schemas[schema["$ref"].rpartition("/")[2]]
        beside = {key: one for key, one in schema.items() if key != "$ref"}
        return example_of(beside if beside.get("examples") else named, schemas, depth)
    given = _given(schema)
    if given is not None or depth > _DEEP:
        return given
    for choice in (one for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, ())):
        if choice.get("type") != "null":
            return example_of(choice, schemas, depth + 1)
    if schema.get("type") == "array":
        return [example_of(schema.get("items", {}), schemas, depth + 1)]
    if schema.get("type") == "object" or "properties" in schema:
        return {name: example_of(one, schemas, depth + 1) for name, one in schema.get("properties", {}).items()}
    return _PLAIN.get(schema.get("type", "string"))


def _given(schema: dict[str, Any]) -> Any:
    for key in ("example", "const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    return None


def without_example(document: dict[str, Any]) -> list[str]:
    """Return the texts among the fields of bodies and parameters that nobody has given an example."""
    fields = [
        (f"{name}.{field}", one)
        for name, schema in document["components"]["schemas"].items()
        for field, one in schema.get("properties", {}).items()
    ]
    fields += [
        (f"{path} {one['name']}", one["schema"] | {key: one[key] for key in ("example", "examples") if key in one})
        for path, operations in document["paths"].items()
        for operation in operations.values()
        for one in operation.get("parameters", ())
    ]
    return sorted(
        {name for name, one in fields if one.get("type") == "string" and _given(one) is None and "default" not in one}
    )
