"""Who may call what: every operation of the document, by callers of each scope and by nobody."""

import re

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from manjha.api import application
from manjha.api.application import PREFIX
from manjha.domain.errors import InvariantBroken
from manjha.services.identity.caller import Scope
from tests.fakes.api import api_of, by


def operations(client: TestClient) -> list[tuple[str, str, str, bool]]:
    """Return method, address, need and whether a step-up is needed of every operation; addresses are filled in."""
    document = client.get(f"{PREFIX}/openapi.json", headers=by("read")).json()
    return [
        (method, re.sub(r"\{[^}]*\}", "x", path), told["x-needs"], told["x-step-up"])
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]


def test_every_operation_lets_in_whoever_it_says_and_nobody_else() -> None:
    with api_of() as client:
        seen = operations(client)
        for method, path, needed, step_up in seen:
            for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic YTpi"}):
                status = client.request(method, path, headers=headers).status_code
                assert (status == 401) == (needed != "public"), (method, path, headers)
            if needed == "public":
                # Whoever asks is answered the same: a hook's message has its proof in itself.
                answers = {client.request(method, path, headers=by(scope)).status_code for scope in Scope}
                assert answers == {client.request(method, path).status_code}, (method, path)
                continue
            for scope in Scope:
                status = client.request(method, path, headers=by(scope)).status_code
                assert status != 401, (method, path, scope)
                assert (status == 403) == (needed != scope or step_up), (method, path, scope)
                status = client.request(method, path, headers=by(f"{scope}+proved")).status_code
                assert (status == 403) == (needed != scope), (method, path, scope)
    assert len(seen) > 40
    assert sum(step_up for *_, step_up in seen) >= 3


def test_a_route_that_does_not_say_who_may_call_it_does_not_come_into_being(monkeypatch: pytest.MonkeyPatch) -> None:
    careless = APIRouter()

    @careless.get("/careless")
    def everybody() -> str:
        return "hello"

    monkeypatch.setattr(application, "ROUTERS", (*application.ROUTERS, careless))
    with pytest.raises(InvariantBroken, match="/careless"), api_of():
        pass


def test_the_document_has_an_address_for_every_route_and_none_is_served_beside_it() -> None:
    with api_of() as client:
        assert {path.split("/")[1] for _, path, _, _ in operations(client)} == {"api"}
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert client.get(path).status_code == 404
