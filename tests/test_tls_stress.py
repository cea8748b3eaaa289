"""TLS under load: many threads that send both ways, with new keys all the while, lose and change no byte."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing

import pytest

from tests.helpers import running_server
from tests.sealed import BusyClient

CLIENTS = 8


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_clients_that_send_and_read_at_once_get_every_byte(seconds: int) -> None:
    stop = threading.Event()
    with ExitStack() as stack:
        server = stack.enter_context(running_server("--tls", "required", "--rate", "0", "--ephemeral"))
        address = (server.host, server.port)
        clients = [
            stack.enter_context(closing(BusyClient(address, number, CLIENTS - 1, stop)))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.come_in()
        pool = stack.enter_context(ThreadPoolExecutor(2 * CLIENTS))
        stack.callback(stop.set)
        calls = [pool.submit(call) for client in clients for call in (client.talk, client.listen)]
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        stack.callback(timer.cancel)
        for done in as_completed(calls):
            done.result()
    said = {client.number: client.said for client in clients}
    for client in clients:
        assert client.heard == {number: count for number, count in said.items() if number != client.number}
    assert all(client.said > 100 and client.updates > 5 for client in clients)
