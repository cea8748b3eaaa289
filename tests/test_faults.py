"""The server when something fails: clients that stall or vanish, nothing left to serve with, signals."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests import forked
from tests.helpers import (
    ROOT,
    SECONDS,
    RawClient,
    RunningServer,
    environment,
    fresh,
    running_server,
    undisturbed,
    wait_for,
)

Frame = dict[str, Any]

MEGABYTE = 1 << 20
OUTBOX = 256 * 1024  # bytes that may wait for a client which does not read
LONG_TEXT = "x" * 8_000
EXIT_SECONDS = 6.0  # 3 for those who do not read, 1 for those who do not close, and the process's own end


def stalled(server: RunningServer, name: str) -> RawClient:
    """Returns a client that is in the room "busy" and reads nothing of what is said there."""
    client = server.raw(narrow=True)
    client.hello(name, rooms={"busy": None})
    client.settle()
    return client


def poster_reader_and_sloths(server: RunningServer, clients: ExitStack, sloths: int) -> list[RawClient]:
    """Returns clients in the room "busy": one for `say_and_read`, one more, and some that do not read."""
    readers = [server.client(name, rooms={"busy": None}) for name in ("poster", "reader")]
    return [
        clients.enter_context(client)
        for client in (*readers, *(stalled(server, f"sloth{n}") for n in range(sloths)))
    ]


def say_and_read(poster: RawClient, reader: RawClient, number: int) -> int:
    """Lets `reader` read eight long texts, from id `number` on; returns the id that comes next."""
    for _ in range(8):
        poster.say(LONG_TEXT, room="busy")
    for id_ in range(number, number + 8):
        assert reader.expect("msg", id=id_)["text"] == LONG_TEXT
    return number + 8


def say_until_cut_off(poster: RawClient, reader: RawClient) -> int:
    """Says long texts until nobody but these two is in the room; returns the id that comes next."""
    number = 1
    while True:
        number = say_and_read(poster, reader, number)
        reader.send("who", room="busy", n=1)
        if reader.expect("members", room="busy")["count"] == 2:
            return number
        assert number < 10_000, "who does not read is never cut off"


def assert_cut_off(client: RawClient) -> None:
    """The client gets every message up to some id, then its farewell, then the end."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MEGABYTE)
    *frames, farewell = client.all_until_end()
    assert (farewell["t"], farewell["code"]) == ("bye", "slow-consumer")
    assert farewell["retry"] >= 0 and farewell["text"]
    ids = [frame["id"] for frame in frames if frame["t"] == "msg"]
    assert ids == list(range(1, len(ids) + 1))


def leave(client: RawClient) -> None:
    client.send("bye")
    assert client.all_until_end()[-1]["t"] == "bye"


def enter(server: RunningServer, name: str) -> RawClient | str:
    """Returns a client that is in, or the code with which it was turned away."""
    client = server.raw()
    with suppress(ConnectionError):  # What was sent meets a closed connection.
        client.send("hello", v=1, name=name)
    frame = client.receive()
    assert frame is not None
    if frame["t"] == "welcome":
        return client
    assert (frame["t"], frame["fatal"]) == ("error", True)
    with suppress(ConnectionResetError):
        assert client.all_until_end() == []
    client.close()
    return str(frame["code"])


def enter_until_full(server: RunningServer, clients: ExitStack, most: int) -> list[RawClient]:
    """Lets clients in until the server has no place; the next ten are turned away as well."""
    inside: list[RawClient] = []
    while not isinstance(client := enter(server, fresh("guest")), str):
        inside.append(clients.enter_context(client))
        assert len(inside) <= most
    assert [client, *(enter(server, fresh("late")) for _ in range(10))] == ["server-full"] * 11
    return inside


def assert_place_again(server: RunningServer, clients: ExitStack, leaving: list[RawClient]) -> None:
    """As many clients as leave can come in."""
    for client in leaving:
        client.close()
    for _ in leaving:

        def inside() -> RawClient | None:
            client = enter(server, fresh("next"))
            return None if isinstance(client, str) else client

        newcomer = wait_for(inside, "a place for a new client")
        assert newcomer
        clients.enter_context(newcomer)


# Clients that do not read


def test_a_client_that_stops_reading_is_cut_off_and_the_others_get_everything() -> None:
    with running_server("--rate", "0") as server, undisturbed(server), ExitStack() as clients:
        poster, reader, sloth = poster_reader_and_sloths(server, clients, 1)
        number = say_until_cut_off(poster, reader)
        assert_cut_off(sloth)
        say_and_read(poster, reader, number)


def test_a_hundred_clients_that_stop_reading_are_cut_off() -> None:
    with running_server("--rate", "0") as server, undisturbed(server), ExitStack() as clients:
        poster, reader, *sloths = poster_reader_and_sloths(server, clients, 100)
        before = server.memory()
        say_until_cut_off(poster, reader)
        assert server.memory() - before < 100 * OUTBOX + 20 * MEGABYTE
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(assert_cut_off, sloths))


def test_a_client_that_asks_and_reads_no_answers_is_cut_off() -> None:
    with running_server("--rate", "0") as server, undisturbed(server), server.client("reader") as reader:
        before = server.memory()
        with server.raw(narrow=True) as sloth:
            sloth.hello("sloth")
            assert reader.expect("presence")["joined"] == ["sloth"]
            with suppress(ConnectionError):
                for _ in range(1000):
                    sloth.send_bytes(b'{"t":"who"}\n' * 1000)
            assert reader.expect("presence")["left"] == ["sloth"]
        assert server.memory() - before < 16 * MEGABYTE


def test_an_answer_may_be_larger_than_the_limit_on_what_waits() -> None:
    topic = "\u20ac" * 133
    with running_server("--rate", "0") as server, undisturbed(server), ExitStack() as clients:
        for _ in range(9):
            rooms = [fresh("room") for _ in range(100)]
            client = clients.enter_context(server.client(fresh("host"), rooms=dict.fromkeys(rooms)))
            for room in rooms:
                client.send("topic", room=room, text=topic)
            for room in rooms:
                client.expect("topic", room=room)
        reader = clients.enter_context(server.raw(narrow=True))
        reader.hello("reader")
        reader.send("list", n=1)
        answer = reader.expect("rooms", re=1)
        assert sum(len(room["topic"].encode()) for room in answer["rooms"]) > OUTBOX
        assert reader.settle() == []


def test_a_replay_may_be_larger_than_the_limit_on_what_waits() -> None:
    with (
        running_server("--rate", "0") as server,
        undisturbed(server),
        server.client("poster", rooms={"big": None}) as poster,
    ):
        for number in range(500):
            poster.say(LONG_TEXT, room="big", nonce=str(number))
        for number in range(500):
            poster.expect("ack", id=number + 1)
        with server.raw(narrow=True) as reader:
            reader.hello("reader", rooms={})
            reader.send("join", room="big", after=0)
            assert reader.expect("room")["last"] == 500
            for number in range(500):
                assert reader.expect("msg", id=number + 1)["text"] == LONG_TEXT
            assert reader.settle() == []


# Clients that vanish


def test_a_reset_in_the_middle_of_a_frame_ends_that_client_only() -> None:
    with running_server() as server, undisturbed(server), server.client("reader") as reader:
        for data in (b"", b'{"t":"sa', b'{"t":"say","text":"whole"}\n{"t":"say","text":"ha'):
            name = fresh("crash")
            client = server.client(name)
            reader.expect("presence", joined=[name])
            client.send_bytes(data)
            if b"whole" in data:
                reader.expect("msg", name=name, text="whole")
            client.reset()
            reader.expect("presence", left=[name])
        server.raw().reset()
        assert reader.settle() == []


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_thousands_come_and_go_and_leave_nothing_behind(count: int) -> None:
    def come_and_go(number: int) -> None:
        match number % 4:
            case 0:
                server.raw().close()
            case 1:
                server.client(f"guest{number}").close()
            case 2:
                client = server.raw()
                client.send("hello", v=1, name=f"guest{number}")
                client.reset()
            case 3:
                with server.client(f"guest{number}") as client:
                    leave(client)

    def at_rest() -> bool:
        return (server.descriptors(), server.threads()) == rest

    with running_server() as server, undisturbed(server), ThreadPoolExecutor(8) as pool:
        rest = (server.descriptors(), server.threads())
        list(pool.map(come_and_go, range(1_000)))
        wait_for(at_rest, "an end to all connections")
        before = server.memory()
        list(pool.map(come_and_go, range(count)))
        wait_for(at_rest, "an end to all connections")
        assert server.memory() - before < 2 * MEGABYTE + count * 600


# Nothing left to serve with


def limit_files() -> None:
    """Leaves the server few descriptors. To be called in its process."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


def test_clients_are_turned_away_while_there_are_no_descriptors() -> None:
    with running_server(preexec=limit_files) as server, undisturbed(server), ExitStack() as clients:
        # What the server reads of its own files for the first browser, it has read then.
        with urlopen(f"http://{server.host}:{server.port}/", timeout=SECONDS) as answer:
            assert answer.status == 200
        inside = enter_until_full(server, clients, most=40)
        inside[0].say("still here")
        inside[1].expect("msg", text="still here")
        inside[0].send("rename", name="\u00dcn\u00ef", n=1)  # Needs a table, which is in a file.
        inside[0].expect("renamed", re=1)
        assert_place_again(server, clients, inside[2:7])
        server.expect_logged("cannot accept connections")
        assert len(server.log.splitlines()) < 200


def limit_threads(place: Path, most: int) -> dict[str, str]:
    """Returns an environment in which a process has so many threads, at most.

    Limits on processes do not bind root, so the refusal is made where Python would meet it.
    """
    (place / "sitecustomize.py").write_text(
        "import threading\n"
        "start = threading.Thread.start\n"
        "def limited(thread):\n"
        f"    if threading.active_count() >= {most}:\n"
        '        raise RuntimeError("can\'t start new thread")\n'
        "    start(thread)\n"
        "threading.Thread.start = limited\n"
    )
    return {"PYTHONPATH": f"{place}:{ROOT}"}


def test_clients_are_turned_away_while_there_are_no_threads(tmp_path: Path) -> None:
    env = limit_threads(tmp_path, 20)
    with running_server(env=env) as server, undisturbed(server), ExitStack() as clients:
        inside = enter_until_full(server, clients, most=20)
        inside[0].say("still here")
        inside[1].expect("msg", text="still here")
        assert_place_again(server, clients, inside[2:7])
        server.expect_logged("can't start new thread")
        assert len(server.log.splitlines()) < 200


def test_the_server_is_full_at_its_limit() -> None:
    with running_server("--max-clients", "6") as server, undisturbed(server), ExitStack() as clients:
        inside = enter_until_full(server, clients, most=4)
        assert len(inside) == 4  # Two more are chatting.
        assert_place_again(server, clients, inside[:2])


# Names that several want at once


def race(first: RawClient, second: RawClient, t: str, **keys: Any) -> list[Frame]:
    """Sends the same frame on both connections; returns what each one gets."""
    both = (first, second)
    for client in both:
        client.send(t, **keys)
    frames = [client.receive() for client in both]
    assert frames[0] and frames[1]
    return [frame for frame in frames if frame]


def test_one_of_two_gets_the_name_each_time() -> None:
    def compete(name: str) -> None:
        for _ in range(100):
            with server.raw() as first, server.raw() as second:
                frames = race(first, second, "hello", v=1, name=name, rooms={})
                assert sorted(frame["t"] for frame in frames) == ["error", "welcome"]
                assert {frame.get("code") for frame in frames} == {None, "name-taken"}
                winner = first if frames[0]["t"] == "welcome" else second
                leave(winner)  # Now the name is free.

    with running_server() as server, undisturbed(server), ThreadPoolExecutor(4) as pool:
        list(pool.map(compete, ["ada", "grace", "linus", "ken"]))


def test_one_of_two_is_renamed() -> None:
    with (
        running_server("--rate", "0") as server,
        server.client("first", rooms={}) as first,
        server.client("second", rooms={}) as second,
        undisturbed(server),
    ):
        for number in range(300):
            name = f"prize{number}"
            frames = race(first, second, "rename", name=name, n=number)
            assert sorted(frame["t"] for frame in frames) == ["error", "renamed"]
            assert {frame.get("code") for frame in frames} == {None, "name-taken"}
            assert [frame["re"] for frame in frames] == [number, number]
            first.send("who", n=1)
            assert first.expect("members")["names"].count(name) == 1


# Ending


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_two_hundred_clients_are_told_that_the_server_stops(number: signal.Signals) -> None:
    with running_server() as server, ExitStack() as clients:
        threads = server.threads()
        everyone = [clients.enter_context(server.client(f"guest{n}")) for n in range(200)]
        everyone += [clients.enter_context(server.raw()) for _ in range(10)]
        wait_for(lambda: server.threads() == threads + 210, "a thread for each connection")
        server.proc.send_signal(number)
        for client in everyone:
            bye = client.all_until_end()[-1]
            assert (bye["t"], bye["code"]) == ("bye", "shutting-down")
            assert bye["retry"] >= 0 and bye["text"]
            client.close()
        assert server.proc.wait(EXIT_SECONDS) == 0


@pytest.mark.parametrize("attempt", range(6))
def test_no_signal_is_lost_while_clients_come_in(attempt: int) -> None:
    # A thread that is just starting another may get the signal in place of the main thread.
    with running_server() as server, ExitStack() as clients:
        for _ in range(50):
            clients.enter_context(server.raw())
        server.proc.terminate()
        clients.close()
        assert server.proc.wait(EXIT_SECONDS) == 0


@contextmanager
def server_that_waits(number: signal.Signals) -> Iterator[RunningServer]:
    """Runs a server that was sent a signal, said goodbye, and waits for a client which does not read."""
    with running_server("--rate", "0") as server, ExitStack() as clients:
        poster, reader, _ = poster_reader_and_sloths(server, clients, 1)
        for n in range(1, OUTBOX // len(LONG_TEXT), 8):
            say_and_read(poster, reader, n)
        server.proc.send_signal(number)
        assert reader.all_until_end()[-1]["code"] == "shutting-down"
        yield server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_stops_though_a_client_does_not_read(number: signal.Signals) -> None:
    with server_that_waits(number) as server:
        assert server.proc.wait(EXIT_SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_server_at_once(number: signal.Signals) -> None:
    with server_that_waits(signal.SIGTERM) as server:
        assert server.proc.poll() is None
        server.proc.send_signal(number)
        assert server.proc.wait(EXIT_SECONDS) == 128 + number


def test_a_killed_server_can_be_started_again_at_once() -> None:
    with running_server() as first, first.client("ann") as ann, first.client("bob") as bob:
        ann.send_bytes(b'{"t":"say","te')
        bob.settle()
        first.kill()
        with running_server("--port", str(first.port)) as second, undisturbed(second):
            assert second.port == first.port
            second.client("ann").close()


# Not beginning


def start_in_vain(
    *args: str, env: dict[str, str] | None = None, preexec: Callable[[], None] | None = None
) -> str:
    """Starts a server that cannot begin; returns the one line that says why not."""
    done = forked.run(
        ["serve", "--port", "0", *args], environment(**env or {}), timeout=SECONDS, preexec=preexec
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith("chatctl: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_port_in_use_is_told_in_one_line() -> None:
    with running_server() as server:
        assert f"port {server.port} " in start_in_vain("--port", str(server.port))


@pytest.mark.parametrize("host", ["203.0.113.1", "999.1.1.1", "no-such-host.invalid", "bad..name", "a b"])
def test_a_host_that_is_not_here_is_told_in_one_line(host: str) -> None:
    assert host in start_in_vain("--host", host)


def drop_privilege() -> None:
    """Takes the right to open low ports, which root has. To be called in the server's process."""
    drop_from_bounding_set, net_bind_service = 24, 10  # prctl(2), capabilities(7)
    libc.prctl(drop_from_bounding_set, net_bind_service, 0, 0, 0)


libc = ctypes.CDLL(None)


def test_a_privileged_port_is_told_in_one_line() -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 2:
        pytest.skip("no port is privileged here")
    assert "port 1:" in start_in_vain("--port", "1", preexec=drop_privilege)


@pytest.mark.parametrize("most", [1, 2, 3, 6])  # The log's, the one for signals, the server's own.
def test_too_few_threads_are_told_in_one_line(most: int, tmp_path: Path) -> None:
    # What was opened for a thread that never was ends with the process: Python may not warn of that.
    env = limit_threads(tmp_path, most) | {"PYTHONWARNINGS": "ignore"}
    assert "ulimit -u" in start_in_vain("--ephemeral", env=env)


def leave_few_files() -> None:
    """Leaves a process too few descriptors to serve with. To be called in it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (14, 14))


def test_too_few_descriptors_are_told_in_one_line(tmp_path: Path) -> None:
    assert "ulimit -n" in start_in_vain("--data", str(tmp_path / "data"), preexec=leave_few_files)


# Standard error


def log_to(end: int) -> Callable[[], None]:
    """Returns what makes `end` the standard error of the process it is called in."""

    def replace() -> None:
        os.dup2(end, 2)

    return replace


@contextmanager
def full_pipe() -> Iterator[int]:
    """Makes the writing end of a pipe that takes no more, and that nobody reads."""
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


def assert_chat_goes_on(server: RunningServer) -> None:
    """People chat, others come and go, and the server can be stopped."""
    with undisturbed(server):
        for _ in range(100):
            server.client(fresh("guest")).close()
    server.proc.terminate()
    assert server.proc.wait(EXIT_SECONDS) == 0


def test_the_chat_goes_on_while_nobody_reads_the_log() -> None:
    with full_pipe() as pipe, running_server(preexec=log_to(pipe)) as server:
        assert_chat_goes_on(server)


def test_the_chat_goes_on_when_the_reader_of_the_log_is_gone() -> None:
    reading, writing = os.pipe()
    with running_server(preexec=log_to(writing)) as server:
        os.close(writing)
        os.close(reading)
        assert_chat_goes_on(server)


def test_the_chat_goes_on_without_standard_error() -> None:
    with running_server(preexec=lambda: os.close(2)) as server:
        # A socket with that number would get whatever is logged.
        assert not Path(f"/proc/{server.pid}/fd/2").readlink().name.startswith("socket:")
        assert_chat_goes_on(server)
