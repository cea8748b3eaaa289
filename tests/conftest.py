"""What holds for all tests."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import settings

from tests.forked import close_forge

pytest.register_assert_rewrite("tests.helpers", "tests.witness", "tests.window")

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
