"""The description of the API is true: what it says can be sent is taken, and what is answered is in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode

from chatctl.server.api.description import description
from chatctl.server.web.table import routes
from tests.helpers import RunningServer, running_server

EXAMPLES = 25  # of each thing that can be asked for, and of what cannot
# A stream does not end.
OPERATIONS = [
    (path, method)
    for path, what in description()["paths"].items()
    for method in what
    if method != "parameters" and not path.endswith("/stream")
]


# Where nothing has to be said, nothing wrong can be.
TRIED = [
    (path, method, mode)
    for path, method in OPERATIONS
    for mode in (GenerationMode if "{" in path else [GenerationMode.POSITIVE])
]
KEY = "the-key-of-the-server"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0", "--ephemeral", "--key", KEY) as running:
        yield running


@cache
def described() -> Any:
    """Returns the description but for who may ask: wrong keys, if tried, would block whoever tries."""
    document = description()
    del document["security"]
    for what in document["paths"].values():
        for method in what:
            if method != "parameters":
                what[method].pop("security", None)
    return schemathesis.openapi.from_dict(document)


@pytest.mark.parametrize(("path", "method", "mode"), TRIED)
def test_the_description_is_true(server: RunningServer, path: str, method: str, mode: GenerationMode) -> None:
    operation = described()[path][method]
    # Rooms may have more names than a pattern tells.
    room = {"room": "ops"} if mode is GenerationMode.NEGATIVE else None
    url = f"http://127.0.0.1:{server.port}"

    @seed(1)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=room))
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=url, auth=("bot", KEY))

    ask()


def test_all_that_can_be_asked_for_is_described() -> None:
    described = {
        (method.upper(), path)
        for path, what in description()["paths"].items()
        for method in what
        if method != "parameters"
    }
    known = {(route.method, route.path) for route in routes() if route.path.startswith(("/api", "/healthz"))}
    assert described == known
