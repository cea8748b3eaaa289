"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.helpers", "tests.witness", "tests.window")

# A shell that runs the tests in the background has them ignore Ctrl-C, and so all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_directories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what tests start away from the history, the settings and the state of whoever runs them."""
    before = os.environ.copy()
    for what in ("data", "config", "state"):
        os.environ[f"XDG_{what.upper()}_HOME"] = str(tmp_path_factory.mktemp(what))
    yield
    os.environ.clear()
    os.environ.update(before)
