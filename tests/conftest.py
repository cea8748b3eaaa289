"""What holds for all tests."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.forked import close_forge

if TYPE_CHECKING:
    from tests.helpers import RunningServer
    from tests.house import House

pytest.register_assert_rewrite("tests.helpers", "tests.house", "tests.witness", "tests.window")

# A shell that runs the tests in the background has them ignore Ctrl-C, and so all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more about the machine than about what is tested.
settings.register_profile("chatctl", settings(), deadline=None)
settings.load_profile("chatctl")

# While tests are collected there is no garbage, and to look for it takes a quarter of the time.
gc.disable()

_numbers = count()


def pytest_collection_finish() -> None:
    """Has garbage looked for again, but for what was collected, which stays until the end."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _own_data_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what tests start away from the history of whoever runs them, and lets it start quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        # Hundreds of processes are started: what one of them compiles, the next one need not.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield
        close_forge()


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("homes"))


@pytest.fixture(autouse=True)
def _own_settings(_homes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps them away from their settings too, and from what other tests leave there."""
    home = f"{_homes}/{next(_numbers)}"
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{home}/config")
    monkeypatch.setenv("XDG_STATE_HOME", f"{home}/state")


# Servers that many files of tests are about. What they are made with is imported once it is rewritten.


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RunningServer]:
    """A server that takes whatever comes, as quickly as it comes."""
    from tests.helpers import running_server

    with running_server("--rate", "0") as server:
        yield server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, Path]]:
    """A server, and where it keeps its data."""
    from tests.helpers import running_server

    data = tmp_path_factory.mktemp("data")
    with running_server("--rate", "0", "--data", str(data)) as server:
        yield server, data


@pytest.fixture
def house(running: tuple[RunningServer, Path]) -> Iterator[House]:
    """The same server, whose people have accounts; their clients are closed at the end."""
    from tests.house import House

    with ExitStack() as clients:
        yield House(*running, clients)
