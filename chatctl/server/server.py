"""The server as a whole: its port, the registry of sessions, and how it stops.

Stopping is one sequence, and may be asked for at any time and more than once: accept nobody any more, say
``bye`` to everybody, give them `FLUSH_SECONDS` to take what was sent, join the threads, end the drainer.
Whoever opened the log and the book of access closes them then.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue

from chatctl import names
from chatctl.access import address, passwords
from chatctl.access.address import Address
from chatctl.access.opened import AccessBook
from chatctl.address import is_loopback, is_unspecified
from chatctl.errors import DataError, Refused, StorageError
from chatctl.history.log import Log
from chatctl.history.memory import MemoryLog
from chatctl.messages import Bye, Error
from chatctl.server import identity, permissions
from chatctl.server.admission import Admission
from chatctl.server.api.followers import Followers
from chatctl.server.api.rates import Rates
from chatctl.server.config import Config
from chatctl.server.doorstep import Doorstep
from chatctl.server.encryption import Encryption
from chatctl.server.entrance import Entrance
from chatctl.server.hub import Hub
from chatctl.server.outbox import Drainer, wake_reader
from chatctl.server.people import People
from chatctl.server.refusals import Refusals
from chatctl.server.rejecting import Rejecter, Unwelcome
from chatctl.server.resumption import Resumption
from chatctl.server.session import FLUSH_SECONDS, RETRY_SECONDS, Session
from chatctl.server.shared import Shared
from chatctl.server.sockets import open_listener, raise_file_limit
from chatctl.server.tls_mode import TlsMode
from chatctl.server.web.sites import Sites

log = logging.getLogger(__name__)

STACK_BYTES = 256 * 1024  # of each thread; pages that are never touched cost nothing
CHECK_SECONDS = 1.0
COMPLAIN_SECONDS = 60.0
BACK_OFF_SECONDS = 0.1

_FULL = Refused("server-full", "the server is full, try again later")
_MAKE_PLACE = Error(
    code="timeout", text="you have not said who you are, and others are waiting: try again", fatal=True
)
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Server:
    """A chat server on one port.

    Args:
        config: what was set.
        log: keeps what is said; to be closed after `stop`.
        book: who may do what; to be closed after `stop`.

    Attributes:
        address: where it listens, host and port; after `start`.
        key: lets anyone in, where the server has just got it; else empty, for it is kept hashed.

    Raises:
        StorageError: the log cannot be read.
    """

    def __init__(self, config: Config, log: Log, book: AccessBook) -> None:
        self._log = log
        self._book = book
        people = People(book.accounts)
        admission = Admission(config.max_clients, config.max_per_ip, config.max_new_per_ip)
        resumption: Resumption[Session] = Resumption()
        self._shared = Shared(
            config=config,
            log=log,
            book=book,
            hub=Hub(log, people, book.mail, mode=permissions.modes_of(book)),
            entrance=Entrance(config, book, people, admission, resumption),
            resumption=resumption,
            encryption=Encryption(config),
            admission=admission,
            doorstep=Doorstep(),
            refusals=Refusals(),
            sites=Sites(config.allow_origin, _own_names(config)),
            rates=Rates(config.rate, config.burst),
            followers=Followers(),
            drainer=Drainer(),
            stopping=threading.Event(),
            forget=self._forget,
            sessions=self._all_sessions,
        )
        self._stopping = self._shared.stopping
        self.address = ("", 0)
        self.key = ""
        self._lock = threading.Lock()
        self._sessions: dict[Session, threading.Thread] = {}
        self._stop_lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._spare: int | None = None
        self._rejecter = Rejecter()
        self._rechecked = book.changes
        self._complained = -COMPLAIN_SECONDS
        self._acceptor = threading.Thread(target=self._accept, name="acceptor", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._tidier = threading.Thread(target=self._tidy, name="tidier", daemon=True)

    def start(self) -> None:
        """Opens the port; from now on clients are served, until `stop`.

        Raises:
            DataError: the certificate cannot be used.
            ListenError: the port cannot be opened, or not without TLS.
            StorageError: the server's key cannot be kept.
        """
        config = self._shared.config
        listener = open_listener(config.host, config.port)
        self.address = listener.getsockname()[:2]
        try:
            self._shared.encryption.start(self.address[0])
            self.key = self._shared.entrance.settle_key(self.address[0])
            self._listener = listener
            self._begin()
        except BaseException:
            # There is nothing to stop: of what was begun, each thread ends by itself, or with the process.
            self._listener = None
            self._stopping.set()
            listener.close()
            raise

    def _begin(self) -> None:
        raise_file_limit()
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        names.prepare()
        threading.stack_size(STACK_BYTES)
        self._shared.drainer.start()
        self._rejecter.start()
        self._keeper.start()
        self._tidier.start()
        self._acceptor.start()

    @property
    def pin(self) -> str:
        """The pin of its certificate, as `tls.pin_of` returns it; empty where TLS is not offered."""
        return self._shared.encryption.pin

    @property
    def tls(self) -> bool:
        """Whether TLS is offered."""
        return self._shared.encryption.context is not None

    @property
    def closed(self) -> bool:
        """Whether a key, or a password, is needed to come in."""
        return self._shared.entrance.closed

    def reload(self) -> None:
        """Takes the certificate there is now for new connections, or stays with the one before."""
        try:
            self._shared.encryption.reload(self.address[0])
        except DataError as error:
            log.error("the certificate stays as it is: %s", error)  # noqa: TRY400 - one line says it all

    def stop(self) -> None:
        """Takes leave of everybody and ends all threads; does nothing the second time."""
        with self._stop_lock:
            if self._listener is None:
                return
            deadline = time.monotonic() + FLUSH_SECONDS
            self._stopping.set()
            wake_reader(self._listener)
            self._acceptor.join()
            self._listener.close()
            self._listener = None
            self._rejecter.stop()
            self._dismiss(deadline)
            self._keeper.join()
            self._tidier.join()
            self._shared.drainer.stop()
            if self._spare is not None:
                os.close(self._spare)

    def _dismiss(self, deadline: float) -> None:
        """Says ``bye`` to everybody, and joins their threads."""
        bye = Bye(code="shutting-down", text="the server is shutting down", retry=RETRY_SECONDS)
        with self._lock:
            sessions = list(self._sessions.items())
        for session, _ in sessions:
            session.cut(bye)
        for _, thread in sessions:
            thread.join(max(0.0, deadline - time.monotonic()))
        for session, thread in sessions:
            if thread.is_alive():
                session.abort()
                thread.join(CHECK_SECONDS)

    # Coming

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._stopping.is_set():
            try:
                sock, address = self._listener.accept()
            except TimeoutError:
                continue
            except OSError as error:
                self._not_accepted(error)
            else:
                if address:
                    self._admit(sock, address[0])
                else:  # On macOS who has gone already may have none.
                    sock.close()

    def _not_accepted(self, error: OSError) -> None:
        """Goes on after a connection that could not be accepted."""
        if self._stopping.is_set() or error.errno == errno.ECONNABORTED:
            return
        self._complain(f"cannot accept connections: {error.strerror}")
        if error.errno in _NO_DESCRIPTORS:
            self._turn_away()
        self._stopping.wait(BACK_OFF_SECONDS)

    def _turn_away(self) -> None:
        """Uses the spare descriptor to tell the next in the queue that there is no place."""
        assert self._listener is not None
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        with suppress(OSError):
            unwelcome = Unwelcome(self._listener.accept()[0], _FULL)
            unwelcome.hear()
            unwelcome.tell()
        with suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _admit(self, sock: socket.socket, address: str) -> None:
        try:
            self._shared.admission.admit(address)
        except Refused as refusal:
            self._rejecter.send_away(sock, refusal)
            self._shared.refusals.note(address, f"{refusal.code}: {refusal}")
        else:
            self._make_place()
            self._open_session(sock, address)

    def _make_place(self) -> None:
        """Waits until there are few enough who still have to say who they are.

        Those who come meanwhile are in the kernel's queue.
        """
        doorstep = self._shared.doorstep
        while not doorstep.has_place() and not self._stopping.is_set():
            if session := doorstep.give_up_one():
                session.cut(_MAKE_PLACE)
            else:
                doorstep.wait_for_place()

    def _open_session(self, sock: socket.socket, address: str) -> None:
        session = Session(self._shared, sock, address)
        self._shared.doorstep.wait_for(session)
        thread = threading.Thread(target=session.run, name=f"client-{address}", daemon=True)
        with self._lock:
            self._sessions[session] = thread
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._forget(session)
            self._shared.doorstep.leave(session)
            self._shared.admission.release(address)
            self._complain(f"cannot serve more connections: {error}")
            self._rejecter.send_away(sock, _FULL)
            self._stopping.wait(BACK_OFF_SECONDS)

    def _complain(self, text: str) -> None:
        """Logs what keeps clients out, at most once a minute."""
        now = time.monotonic()
        if now - self._complained >= COMPLAIN_SECONDS:
            self._complained = now
            log.error("%s", text)

    def _forget(self, session: Session) -> None:
        """Takes `session`, which has ended, off the register."""
        with self._lock:
            self._sessions.pop(session, None)

    def _all_sessions(self) -> list[Session]:
        with self._lock:
            return list(self._sessions)

    # Now and then

    def _tidy(self) -> None:
        pause = CHECK_SECONDS
        while not self._stopping.wait(pause):
            try:
                pause = self._log.tidy()
            except Exception:
                log.exception("tidying the history failed")
                pause = COMPLAIN_SECONDS

    def _keep(self) -> None:
        prepared = self._prepare()
        while not self._stopping.wait(CHECK_SECONDS):
            try:
                prepared = prepared or self._prepare()
                self._check_all()
            except Exception:
                log.exception("checking on the clients failed")

    def _prepare(self) -> bool:
        """Does once what the first password, or browser, would wait for; returns whether it is done."""
        try:
            passwords.prepare()
            # Imported here: that takes long, and nobody is to wait for it.
            from chatctl.server.web import visit

            visit.prepare()
        except (OSError, ImportError) as error:  # There may be no descriptor to read the modules by.
            self._complain(f"cannot be ready for passwords and browsers yet: {error}")
            return False
        return True

    def _check_all(self) -> None:
        now = time.monotonic()
        for session in self._all_sessions():
            session.check(now)
        self._shared.followers.beat(now)
        try:
            self._recheck()
        except StorageError as error:
            self._complain(str(error))
        self._shared.hub.flush_presence()
        self._shared.refusals.sum_up()

    def _recheck(self) -> None:
        """Looks at everybody again once it has changed who may do what."""
        self._book.refresh()
        changes = self._book.changes
        if changes != self._rechecked:
            identity.recheck_all(self._shared)
            self._rechecked = changes


def run(config: Config, started: Callable[[Server], None]) -> None:
    """Serves until SIGINT or SIGTERM; a second one ends the process at once. SIGHUP reloads the certificate.

    Args:
        config: what was set.
        started: called once connections are accepted.

    Raises:
        DataError: the history cannot be opened, or the certificate not used.
        ListenError: the port cannot be opened, or not without TLS.
    """
    with _opened_log(config) as opened, AccessBook(config.data) as book, _signals() as caught:
        server = Server(config, opened, book)
        try:
            server.start()
            if not is_loopback(server.address[0]):
                if not server.closed:
                    log.warning("whoever can reach this server can come in: no key is asked for")
                if config.insecure and config.tls is not TlsMode.required:
                    log.warning("others come without encryption too: whoever is in between can read along")
            with _left_address(config.data, server):
                started(server)
                while (number := caught.get()) == signal.SIGHUP:
                    server.reload()
                    _leave_address(config.data, server)
            log.info("stopping: %s", signal.Signals(number).name)
        finally:
            server.stop()


@contextmanager
def _opened_log(config: Config) -> Iterator[Log]:
    """Opens the log that `config` asks for; closes it at the end.

    Raises:
        DataError: it cannot be opened.
    """
    if config.data is None:
        yield MemoryLog(config.retention)
        return
    # Imported here, since a server that keeps nothing starts sooner without.
    from chatctl.history.directory import DirectoryLock
    from chatctl.history.sqlite import SqliteLog

    with DirectoryLock(config.data), closing(SqliteLog(config.data, config.retention)) as opened:
        yield opened


@contextmanager
def _left_address(data: Path | None, server: Server) -> Iterator[None]:
    """Leaves the address with the data while the server runs."""
    _leave_address(data, server)
    try:
        yield
    finally:
        if data is not None:
            with suppress(OSError):
                address.remove(data)


def _leave_address(data: Path | None, server: Server) -> None:
    """Leaves the address, and the pin, as they are now for commands that make invitations."""
    if data is None:
        return
    try:
        address.write(data, Address(*server.address, server.pin, server.tls))
    except OSError as error:
        log.warning("invitations will not name this server's address: %s", error)


@contextmanager
def _signals() -> Iterator[SimpleQueue[int]]:
    """Catches SIGINT and SIGTERM: the first one is in the queue, a second one ends the process at once.

    SIGHUP is in the queue as often as it comes.

    The system may give a signal to any thread, while Python runs handlers in the main thread alone, once that
    happens to run. So the number goes through a socket to a thread that does nothing else.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    caught: SimpleQueue[int] = SimpleQueue()

    def watch() -> None:
        for received in iter(lambda: ours.recv(1), b""):
            if received[0] == signal.SIGHUP or caught_before.acquire(blocking=False):
                caught.put(received[0])
            else:
                os._exit(128 + received[0])

    caught_before = threading.Lock()
    watcher = threading.Thread(target=watch, name="signals", daemon=True)
    watcher.start()
    previous = signal.set_wakeup_fd(theirs.fileno())
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(previous)
        theirs.close()
        watcher.join()
        ours.close()


def _own_names(config: Config) -> set[str]:
    """Returns what the server is called, besides the addresses at which connections arrive."""
    name = socket.gethostname()
    called = (config.host, name, name.partition(".")[0] + ".local")
    return {one for one in called if not is_unspecified(one)}
