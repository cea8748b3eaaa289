"""By which name one comes in, where somebody has it already."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from chatctl.client.access import Access
from chatctl.client.coming_in import come_in, names_like
from chatctl.errors import ConnectionFailed
from chatctl.names import MAX_NAME
from tests.helpers import running_server


@pytest.mark.parametrize("name", ["ann", "x" * MAX_NAME])
def test_names_that_are_like_another(name: str) -> None:
    first, *few, last = names_like(name)
    assert first == name
    assert [other.rpartition("-")[2] for other in few] == list("23456789")
    assert len(last.rpartition("-")[2]) == 8
    assert all(name.startswith(other.rpartition("-")[0]) for other in [*few, last])
    assert all(len(other) <= MAX_NAME for other in [*few, last])


def test_a_login_name_gives_way_and_a_chosen_one_does_not() -> None:
    with running_server() as server, ExitStack() as clients:
        login = Access(server.host, server.port, "ann", named=False)
        names = [clients.enter_context(come_in(login, {})).name for _ in range(10)]
        assert names[:9] == ["ann", *(f"ann-{number}" for number in range(2, 10))]
        assert names[9].startswith("ann-")
        chosen = Access(server.host, server.port, "ann", named=True)
        with pytest.raises(ConnectionFailed) as caught:
            come_in(chosen, {})
        assert (caught.value.code, caught.value.exit_code) == ("name-taken", 4)
        assert clients.enter_context(come_in(chosen, {}, insist=False)).name.startswith("ann-")


def test_where_nobody_listens_one_try_is_enough() -> None:
    with pytest.raises(ConnectionFailed) as caught:
        come_in(Access("127.0.0.1", 1, "ann", named=False), {})
    assert caught.value.exit_code == 3
