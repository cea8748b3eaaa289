"""A session of the real server that is given some bytes, and nothing behind them."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from chatctl.access.opened import AccessBook
from chatctl.history.memory import MemoryLog
from chatctl.server.admission import Admission
from chatctl.server.api.followers import Followers
from chatctl.server.api.rates import Rates
from chatctl.server.config import Config
from chatctl.server.doorstep import Doorstep
from chatctl.server.encryption import Encryption
from chatctl.server.entrance import Entrance
from chatctl.server.hub import Hub
from chatctl.server.outbox import Drainer
from chatctl.server.people import People
from chatctl.server.refusals import Refusals
from chatctl.server.resumption import Resumption
from chatctl.server.session import Session
from chatctl.server.shared import Shared
from chatctl.server.tls_mode import TlsMode
from chatctl.server.web.sites import Sites

ADDRESS = "192.0.2.1"
HOST = "h"  # under which the server may be asked by HTTP
LARGEST = 64 * 1024  # bytes: what a socket takes before anybody reads


class Complaints(logging.Handler):
    """Raises where the server would only log that it made a mistake."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            raise record.exc_info[1]


@cache
def _drainer() -> Drainer:
    """Returns the thread that sends what sockets do not take at once; one does for all sessions."""
    drainer = Drainer()
    drainer.start()
    return drainer


@contextmanager
def _complaining() -> Iterator[None]:
    """Has mistakes raised, and nothing else of the log seen, for as long as it lasts."""
    log, complaints = logging.getLogger("chatctl"), Complaints(logging.ERROR)
    propagates = log.propagate
    log.addHandler(complaints)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = propagates
        log.removeHandler(complaints)


def _shared(tls: TlsMode, admission: Admission) -> Shared:
    log = MemoryLog()
    config = Config(rate=0, tls=tls, insecure=tls is TlsMode.off)
    book = AccessBook(None)
    people = People(book.accounts)
    resumption: Resumption[Session] = Resumption()
    return Shared(
        config=config,
        log=log,
        book=book,
        hub=Hub(log, people, book.mail),
        entrance=Entrance(config, book, people, admission, resumption),
        resumption=resumption,
        admission=admission,
        encryption=_encryption(config),
        doorstep=Doorstep(),
        refusals=Refusals(),
        sites=Sites([f"http://{HOST}"], ()),
        rates=Rates(config.rate, config.burst),
        followers=Followers(),
        drainer=_drainer(),
        stopping=threading.Event(),
        forget=lambda _: None,
        sessions=list,
    )


@cache
def _encryption(config: Config) -> Encryption:
    """Returns the TLS of a server; to make a certificate takes a while."""
    encryption = Encryption(config)
    encryption.start(ADDRESS)
    return encryption


def serve(
    data: bytes, tls: TlsMode = TlsMode.off, *, closed: bool = False, admission: Admission | None = None
) -> bytes:
    """Returns what a fresh server answers to `data`, up to the end of the connection.

    The client is there until the server has closed. A `closed` server wants a key that nobody has; by the
    `admission` it remembers who came before.

    Raises:
        Refused: the admission refuses the connection.
    """
    shared = _shared(tls, admission or Admission(0, 0))
    shared.entrance.closed = closed
    shared.admission.admit(ADDRESS)
    ours, theirs = _connection()
    with ours, _complaining():
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST)
        ours.sendall(data[:LARGEST])
        ours.shutdown(socket.SHUT_WR)
        reading = threading.Thread(target=_read_all, args=(ours, received := bytearray()))
        reading.start()
        try:
            Session(shared, theirs, ADDRESS).run()
        finally:
            reading.join()
            shared.book.close()
    return bytes(received)


@cache
def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def _connection() -> tuple[socket.socket, socket.socket]:
    """Returns both ends of a connection; that has to be TCP, of which HTTP asks where it arrived."""
    ours = socket.create_connection(_listener().getsockname())
    return ours, _listener().accept()[0]


def frames_in(received: bytes) -> list[dict[str, Any]]:
    """Returns the frames that a server sent, all of them whole."""
    *lines, rest = received.decode().split("\n")
    assert not rest
    return [json.loads(line) for line in lines]


def _read_all(sock: socket.socket, into: bytearray) -> None:
    while data := sock.recv(LARGEST):
        into += data
