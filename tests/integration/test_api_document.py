"""The OpenAPI document: valid, whole, with an example for all that is asked and answered."""

from typing import Any

import pytest

from manjha.api.application import PREFIX
from manjha.api.examples import without_example
from tests.fakes.api import api_of, by


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANJHA_HOME", str(tmp_path_factory.mktemp("home")))
        with api_of() as client:
            return client.get(f"{PREFIX}/openapi.json", headers=by("read")).json()


def operations(document: Any) -> list[tuple[str, Any]]:
    return [(f"{how} {path}", one) for path, ways in document["paths"].items() for how, one in ways.items()]


def test_every_operation_has_words_and_a_name_of_its_own(document: Any) -> None:
    names = [one["operationId"] for _, one in operations(document)]
    assert len(names) == len(set(names))
    assert [name for name, one in operations(document) if not (one.get("summary") and one.get("description"))] == []


def test_every_operation_tells_its_errors(document: Any) -> None:
    assert [name for name, one in operations(document) if "default" not in one["responses"]] == []


def test_every_body_has_an_example_made_of_fields_that_have_one(document: Any) -> None:
    bodies = [
        (name, media)
        for name, one in operations(document)
        for body in (one.get("requestBody", {}), *one["responses"].values())
        for kind, media in body.get("content", {}).items()
        if "json" in kind and media.get("schema", {}) not in ({}, {"$ref": "#/components/schemas/ProblemDocument"})
    ]
    assert [name for name, media in bodies if "example" not in media and "examples" not in media] == []
    assert without_example(document) == []
