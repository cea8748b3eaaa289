"""Whom a client takes for its server: pins, known hosts, authorities, and the first time."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.client.connection import ChatClient
from chatctl.client.events import Disconnected, Event, Reconnected
from chatctl.client.known_hosts import HEADING, KnownHosts
from chatctl.client.trust import Tls, Trust
from chatctl.errors import ConnectionFailed
from chatctl.messages import Notice
from tests.helpers import SECONDS, environment
from tests.scripted import line, welcome
from tests.tls_server import Certificate, TlsServer, authorities, let_in

OURS = Certificate("127.0.0.1", "localhost")
OTHER = Certificate("127.0.0.1", "localhost")


@pytest.fixture
def known(tmp_path: Path) -> KnownHosts:
    return KnownHosts(tmp_path / "config" / "known_hosts")


@pytest.fixture
def _vouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's authorities vouch for `OTHER`, and for nobody else."""
    monkeypatch.setenv("SSL_CERT_FILE", authorities(tmp_path, OTHER))


def connect(server: TlsServer, trust: Trust, *, reconnect: bool = False) -> ChatClient:
    return ChatClient.connect(server.host, server.port, "ann", trust=trust, reconnect=reconnect)


def refusal(server: TlsServer, trust: Trust) -> str:
    """Returns why a server is not trusted; nothing was said to it."""
    before = len(server.hellos)
    with pytest.raises(ConnectionFailed) as caught:
        connect(server, trust)
    assert (caught.value.code, caught.value.refused, len(server.hellos)) == ("untrusted", True, before)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# By a pin


def test_a_pin_that_is_right_is_enough_and_is_remembered(known: KnownHosts) -> None:
    trust = Trust(pin=OURS.pin, known_hosts=known)
    with TlsServer(OURS, let_in()) as server, connect(server, trust) as ann:
        assert ann.name == "ann"
        assert known.find(*server.address) == (OURS.pin, 2)
    assert (server.connections, trust.take_news()) == (1, "")
    with TlsServer(OURS, let_in()) as server, connect(server, Trust(pin=OURS.pin)):
        pass


@pytest.mark.usefixtures("_vouched")
def test_a_pin_that_is_wrong_is_never_overruled(known: KnownHosts) -> None:
    with TlsServer(OTHER, let_in()) as server:
        known.remember(*server.address, OTHER.pin)
        text = refusal(server, Trust(pin=OURS.pin, known_hosts=known))
        assert known.find(*server.address) == (OTHER.pin, 2)
    assert f"SHA256:{OTHER.pin} now, and SHA256:{OURS.pin} in the link" in text
    assert server.connections == 1


def test_a_pin_comes_before_what_is_known(known: KnownHosts) -> None:
    with TlsServer(OURS, let_in()) as server:
        known.remember(*server.address, OTHER.pin)
        connect(server, Trust(pin=OURS.pin, known_hosts=known)).close()
        assert known.find(*server.address) == (OURS.pin, 2)


@pytest.mark.parametrize("tls", ["auto", "on", "off"])
def test_a_pin_means_tls_whatever_is_said_of_that(tls: Tls) -> None:
    with TlsServer(None, let_in()) as server, pytest.raises(ConnectionFailed, match="the link asks for it"):
        connect(server, Trust(tls, pin=OURS.pin))
    assert server.hellos == []


# By what is known


def test_a_server_is_met_once_and_known_from_then_on(known: KnownHosts) -> None:
    with TlsServer(OURS, let_in()) as server:
        for connections, news in (
            (2, f"this server is new here: SHA256:{OURS.pin}, remembered in {known}"),
            (3, ""),
        ):
            trust = Trust("on", known_hosts=known)
            connect(server, trust).close()
            assert (trust.take_news(), server.connections) == (news, connections)
        host, port = server.address
        assert known.path.read_text() == f"{HEADING}\n{host}:{port} SHA256:{OURS.pin}\n"
    assert known.path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_changed_ends_it_and_is_shown_with_the_one_before(known: KnownHosts) -> None:
    with TlsServer(OURS, let_in()) as server:
        connect(server, Trust("on", known_hosts=known)).close()
        server.certificate = OTHER
        text = refusal(server, Trust("on", known_hosts=known))
        assert f"its key is SHA256:{OTHER.pin} now, and SHA256:{OURS.pin} in {known}:2" in text
        assert f"if the change is meant, remove line 2 of {known}" in text
        assert known.find(*server.address) == (OURS.pin, 2)
        known.path.write_text("".join(known.path.read_text().splitlines(keepends=True)[:1]))
        connect(server, Trust("on", known_hosts=known)).close()


@pytest.mark.usefixtures("_vouched")
def test_the_authorities_may_vouch_for_another_key(known: KnownHosts) -> None:
    with TlsServer(OTHER, let_in()) as server:
        known.remember(*server.address, OURS.pin)
        trust = Trust("on", known_hosts=known)
        connect(server, trust).close()
        assert (trust.take_news(), server.connections) == ("", 2)
        assert known.find(*server.address) == (OURS.pin, 2)


@pytest.mark.parametrize("broken", ["", "SHA256:", "SHA256:\x1b[2J", "MD5:x y", "SHA256:" + "x" * 42])
def test_a_damaged_line_is_no_reason_to_trust(known: KnownHosts, broken: str) -> None:
    with TlsServer(OURS, let_in()) as server:
        known.path.parent.mkdir()
        known.path.write_text(f"# a\n\nrubbish\n{server.where} {broken}\n")
        text = refusal(server, Trust("on", known_hosts=known))
    assert f"remove line 4 of {known}" in text
    assert text.isprintable()


@pytest.mark.parametrize("pinned", [False, True])
def test_known_hosts_that_cannot_be_read(known: KnownHosts, pinned: bool) -> None:
    known.path.mkdir(parents=True)
    trust = Trust("on", pin=OURS.pin if pinned else None, known_hosts=known)
    with TlsServer(OURS, let_in()) as server:
        if not pinned:
            assert f"cannot read {known}: Is a directory" in refusal(server, trust)
        else:
            connect(server, trust).close()
            assert "this server will be known by its link alone" in trust.take_news()


def test_known_hosts_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    trust = Trust("on", known_hosts=KnownHosts(tmp_path / "file" / "known_hosts"))
    with TlsServer(OURS, let_in()) as server:
        connect(server, trust).close()
    assert (
        f"this server is new here: SHA256:{OURS.pin}, and not remembered: cannot write" in trust.take_news()
    )


# By the authorities


@pytest.mark.usefixtures("_vouched")
def test_whom_the_authorities_vouch_for_is_trusted_and_not_remembered(known: KnownHosts) -> None:
    trust = Trust("on", known_hosts=known)
    with TlsServer(OTHER, let_in()) as server, connect(server, trust):
        assert (server.connections, trust.take_news()) == (1, "")
    assert not known.path.exists()


def yesterday() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


@pytest.mark.usefixtures("_vouched")
@pytest.mark.parametrize(
    "certificate",
    [
        OURS,
        Certificate("chat.example.org", ca=OTHER.ca),
        Certificate("127.0.0.1", ca=OTHER.ca, not_after=yesterday()),
    ],
    ids=["unknown authority", "another name", "expired"],
)
def test_whom_nobody_vouches_for_is_not_trusted_by_itself(certificate: Certificate) -> None:
    with TlsServer(certificate, let_in()) as server:
        text = refusal(server, Trust("on"))
    assert f"nobody vouches for {server.where}, which has the key SHA256:{certificate.pin}" in text


def test_nobody_is_met_by_one_who_only_looks(known: KnownHosts) -> None:
    with TlsServer(OURS, let_in()) as server:
        refusal(server, Trust("on", known_hosts=KnownHosts(known.path, adds=False)))
        known.remember(*server.address, OURS.pin)
        connect(server, Trust("on", known_hosts=KnownHosts(known.path, adds=False))).close()


# Coming back


def go(sock: socket.socket) -> None:
    """Lets a client in, and is gone."""
    sock.sendall(welcome())


def until(client: ChatClient, wanted: type[Event]) -> list[Event]:
    events: list[Event] = []
    for event in client.events():
        events.append(event)
        if isinstance(event, Disconnected):
            client.retry_now()
        if isinstance(event, wanted):
            return events
    raise AssertionError(f"it ended before {wanted}: {events}")


@pytest.mark.parametrize("with_file", [True, False])
def test_the_key_that_was_learnt_counts_until_the_end(known: KnownHosts, with_file: bool) -> None:
    trust = Trust("on", known_hosts=known) if with_file else Trust(pin=OURS.pin)
    with TlsServer(OURS, go, let_in()) as server:
        with connect(server, trust, reconnect=True) as ann:
            until(ann, Reconnected)
        assert server.connections == 2 + with_file
        server.certificate = OTHER
        known.path.unlink(missing_ok=True)
        assert OURS.pin in refusal(server, trust)
    assert not known.path.exists()


def test_a_client_does_not_come_back_to_somebody_else(known: KnownHosts) -> None:
    def swap(sock: socket.socket) -> None:
        server.certificate = OTHER
        go(sock)

    with (
        TlsServer(OURS, swap, let_in()) as server,
        connect(server, Trust("on", known_hosts=known), reconnect=True) as ann,
        pytest.raises(ConnectionFailed, match="may be somebody else") as caught,
    ):
        until(ann, Reconnected)
    assert (caught.value.code, len(server.hellos)) == ("untrusted", 1)


def test_a_client_that_had_tls_never_does_without(known: KnownHosts) -> None:
    def swap(sock: socket.socket) -> None:
        server.certificate = None
        go(sock)

    def complain(sock: socket.socket) -> None:
        sock.sendall(line("error", code="bad-frame", text="not a JSON object", fatal=True))

    with (
        TlsServer(OURS, swap, complain) as server,
        connect(server, Trust(known_hosts=known), reconnect=True) as ann,
    ):
        lost = [event.text for event in islice(ann.events(), 2) if isinstance(event, Disconnected)]
        assert "speaks no TLS" in lost[-1]
    assert (server.plain, len(server.hellos)) == (1, 1)


def test_tls_that_is_wanted_later_is_told_in_the_conversation(known: KnownHosts) -> None:
    def swap(sock: socket.socket) -> None:
        server.certificate = OURS
        sock.sendall(line("error", code="tls-required", text="TLS only", fatal=True))

    trust = Trust(known_hosts=known)
    with TlsServer(None, go, swap, let_in()) as server, connect(server, trust, reconnect=True) as ann:
        *_, news, _ = until(ann, Reconnected)
        assert news == Notice(f"this server is new here: SHA256:{OURS.pin}, remembered in {known}")


# The file


@settings(deadline=None, database=None)
@given(st.binary(max_size=200), st.sampled_from(["a", "A.example", "::1", "fe80::1%eth0", "é", "a b\n"]))
def test_what_else_is_in_the_file_stays(
    tmp_path_factory: pytest.TempPathFactory, old: bytes, host: str
) -> None:
    known = KnownHosts(tmp_path_factory.mktemp("known") / "known_hosts")
    known.path.write_bytes(old)
    known.remember(host, 1, OURS.pin)
    known.remember(host, 2, OTHER.pin)
    assert (found := known.find(host.upper(), 1))
    assert found.pin == OURS.pin
    assert known.path.read_bytes().split(b"\n")[found.line - 1].endswith(OURS.pin.encode())
    kept = known.path.read_bytes()
    assert kept.startswith(old.removesuffix(b"\n"))
    known.remember(host, 1, OURS.pin)
    assert known.path.read_bytes() == kept
    known.remember(host, 1, OTHER.pin)
    assert (found := known.find(host, 1))
    assert (found.pin, known.path.read_bytes().count(b"\n")) == (OTHER.pin, kept.count(b"\n"))


def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from chatctl.client.known_hosts import KnownHosts\n"
        "for port in range(1, 51): KnownHosts(Path(sys.argv[1])).remember(sys.argv[2], port, 'x' * 43)"
    )
    path = tmp_path / "new" / "known_hosts"
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), host], env=environment()) for host in "abc"
    ]
    assert [writer.wait(SECONDS) for writer in writers] == [0, 0, 0]
    assert len(path.read_text().splitlines()) == 1 + 3 * 50
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("path", "shown"), [("/home/ann/x/known_hosts", "~/x/known_hosts"), ("/x/\x1b[2J", "/x/\\x1b[2J")]
)
def test_how_the_file_is_called(monkeypatch: pytest.MonkeyPatch, path: str, shown: str) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert str(KnownHosts(Path(path))) == shown
