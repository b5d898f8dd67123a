"""The real client against a server that answers as an API server was seen to: what its refusals become."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client

from uwsgi_autopilot.api.crd import crd
from uwsgi_autopilot.controller.definition import apply_definition
from uwsgi_autopilot.controller.kube import ApiError, Kube, Unreachable
from uwsgi_autopilot.controller.statuswriter import lasting

DEPLOYMENT = {"kind": "Deployment", "metadata": {"name": "shop", "namespace": "web"}}
# Of 1.34, for `nodeSelectors` in a pod's spec.
CREATED = (
    400,
    'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field '
    '"spec.template.spec.nodeSelectors"',
)
APPLIED = (
    500,
    "failed to create typed patch object (web/shop; apps/v1, Kind=Deployment): .spec.template.spec.nodeSelectors: "
    "field not declared in schema",
)


def answer_to(call: Callable[[Kube], Awaitable[object]], status: int, text: str) -> tuple[object, dict[str, str]]:
    """What the call returns or raises, and the query that it sent."""

    async def story() -> tuple[object, dict[str, str]]:
        asked: dict[str, str] = {}

        async def answer(request: web.Request) -> web.Response:
            asked.update(request.query)
            return web.Response(status=status, text=text, content_type="application/json")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        async with TestServer(app) as server:
            found = Kube(client.ApiClient(client.Configuration(host=str(server.make_url("")).rstrip("/"))))
            try:
                return await call(found), asked
            except (ApiError, Unreachable) as error:
                return error, asked
            finally:
                await found.close()

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        pytest.param(lambda found: found.create(DEPLOYMENT), *CREATED, id="a create"),
        pytest.param(lambda found: found.apply(DEPLOYMENT), *APPLIED, id="an apply, which is no error of the server's"),
    ],
)
def test_a_misspelt_field_is_a_refusal_that_lasts(call, status, message):
    error, asked = answer_to(call, status, json.dumps({"kind": "Status", "message": message}))
    assert isinstance(error, ApiError)
    assert (error.status, error.written, str(error)) == (400, "Deployment", message)
    assert lasting(error)
    assert asked.get("fieldValidation") == ("Strict" if status == 400 else None), "an apply is strict by itself"


def test_an_error_of_the_server_is_tried_again():
    error, _ = answer_to(lambda found: found.apply(DEPLOYMENT), 500, '{"message": "failed calling webhook"}')
    assert not lasting(error)


def test_where_there_is_no_definition_none_is_made() -> None:
    """Argo CD runs the chart's hook before it applies crds/, and the hook may not create one."""
    told, asked = answer_to(lambda found: apply_definition(found, crd()), 404, '{"message": "not found"}')
    assert "not there yet" in str(told)
    assert not isinstance(told, Exception)
    assert asked == {}, "nothing was written"


def test_a_definition_that_may_not_be_read_is_an_error() -> None:
    error, _ = answer_to(lambda found: apply_definition(found, crd()), 403, '{"message": "forbidden"}')
    assert isinstance(error, ApiError)


def test_what_was_only_read_was_not_refused_to_be_written():
    error, _ = answer_to(lambda found: found.get("ConfigMap", "web", "x"), 403, '{"message": "no"}')
    assert error.written == ""


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "<html>", ""])
def test_an_answer_that_is_no_object_is_no_answer_of_the_api_server(text):
    error, _ = answer_to(lambda found: found.get("UwsgiApp", "web", "x"), 200, text)
    assert isinstance(error, Unreachable)


def test_a_refusal_that_is_no_json_is_repeated():
    error, _ = answer_to(lambda found: found.get("UwsgiApp", "web", "x"), 403, "not you")
    assert isinstance(error, ApiError)
    assert str(error) == "not you"


@pytest.mark.parametrize("items", ["null", "[]"])
def test_a_list_of_nothing(items):
    """Asked for their metadata alone, the API server (1.34) answers null."""

    async def listed(found: Kube) -> list[dict]:
        return [each async for each in found.list("Pod", None, only_metadata=True)]

    assert answer_to(listed, 200, f'{{"metadata": {{}}, "items": {items}}}')[0] == []
