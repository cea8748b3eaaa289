"""``chatctl export``, ``import`` and ``backup`` as processes, beside a server and without one."""

from __future__ import annotations

import json
import os
import pty
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatctl.history.database import FILE
from chatctl.history.log import Post
from chatctl.history.sqlite import SqliteLog
from tests import forked
from tests.helpers import SECONDS, RunningServer, environment, running_server, wait_for


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "chatctl", *map(str, args)]


def chatctl(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return forked.run([*map(str, args)], environment(**env), timeout=SECONDS * 2)


def fill(directory: Path, count: int = 3) -> None:
    directory.mkdir(exist_ok=True)
    log = SqliteLog(directory)
    log.append("lobby", [Post("ann", "ann", f"text {number}") for number in range(1, count + 1)])
    log.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with three messages."""
    fill(tmp_path / "data")
    return tmp_path / "data"


class Talker:
    """Says something all the while, and counts what was acked."""

    def __init__(self, server: RunningServer) -> None:
        self.acked = 0
        self._over = threading.Event()
        self._server = server
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def _talk(self) -> None:
        with self._server.client("talker", backlog=0) as client:
            while not self._over.is_set():
                for number in range(20):
                    client.say(f"text {self.acked + number + 1}", nonce=f"n{self.acked + number}")
                for _ in range(20):
                    client.expect("ack")
                self.acked += 20

    def stop(self) -> None:
        self._over.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


@contextmanager
def busy_server(directory: Path) -> Iterator[tuple[RunningServer, Talker]]:
    """Runs a server that is written to all the while."""
    with running_server("--data", str(directory), "--rate", "0") as server:
        talker = Talker(server)
        try:
            wait_for(lambda: talker.acked >= 200, "somebody talks")
            yield server, talker
        finally:
            talker.stop()


# Beside a server


def test_export_while_a_server_is_written_to(tmp_path: Path) -> None:
    with busy_server(tmp_path) as (_, talker):
        before = talker.acked
        done = chatctl("export", "--data", tmp_path)
        wait_for(lambda: talker.acked > before, "the talk goes on")
    assert (done.returncode, done.stderr) == (0, "")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(messages) >= before
    assert [message["id"] for message in messages] == list(range(1, len(messages) + 1))
    assert [message["text"] for message in messages] == [f"text {message['id']}" for message in messages]


def test_a_backup_of_a_busy_server_serves(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    copy.mkdir()
    with busy_server(data) as (_, talker):
        before = talker.acked
        done = chatctl("backup", copy / FILE, CHATCTL_DATA=str(data))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in copy.iterdir()] == [FILE]
    with running_server("--data", str(copy)) as server, server.raw() as client:
        client.hello("talker", rooms={"lobby": 0})
        texts = [frame["text"] for frame in client.settle() if frame["t"] == "msg"]
        assert len(texts) >= before
        assert texts == [f"text {number}" for number in range(1, len(texts) + 1)]
        client.say("again", nonce="n7")
        assert client.expect("ack")["id"] == 8
        client.say("on", nonce="new")
        assert client.expect("ack")["id"] == len(texts) + 1


def test_import_is_refused_while_a_server_runs(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "in.jsonl"
    file.write_text('{"t":"msg","id":1,"at":1,"room":"lobby","name":"ann","text":"hi"}\n')
    with running_server("--data", str(data)) as server:
        done = chatctl("import", file, "--data", data)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"chatctl: {data} is in use by process {server.pid}:")
        assert done.stderr.count("\n") == 1
    done = chatctl("import", file, "--data", data)
    assert (done.returncode, done.stdout, done.stderr) == (
        *(0, "1 message added in 1 room, 0 were there before\n"),
        "",
    )
    with running_server("--data", str(data)) as server, server.client("bob") as client:
        assert client.texts(1) == ["hi"]


# Export


def test_there_and_back(data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    new = tmp_path / "a" / "new"
    assert chatctl("export", "--data", data, "-o", first).returncode == 0
    assert chatctl("import", first, "--data", new).returncode == 0
    done = chatctl("export", "--output", second, CHATCTL_DATA=str(new))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert second.read_bytes() == first.read_bytes()
    assert first.read_bytes().count(b"\n") == 3
    assert new.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("args", "start"),
    [
        (["-o", "x.jsonl"], "{"),
        (["-o", "x.md"], "Times"),
        (["-o", "x.HTML"], "<!DOCTYPE"),
        (["-o", "x.txt"], "—"),
        (["-o", "x.log"], "{"),
        (["-o", "x.html", "--format", "text"], "—"),
        ([], "{"),
        (["--format", "markdown", "--room", "#Lobby"], "Times"),
    ],
)
def test_the_format_follows_the_name_of_the_file(data: Path, args: list[str], start: str) -> None:
    args = [str(data / arg) if arg.startswith("x.") else arg for arg in args]
    done = chatctl("export", "--data", data, *args)
    assert (done.returncode, done.stderr) == (0, "")
    written = Path(args[1]).read_text("utf-8") if args[:1] == ["-o"] else done.stdout
    assert written.startswith(start)


def test_a_file_is_replaced_if_that_is_said_and_read_by_nobody_else(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "link.txt"
    target = tmp_path / "out.txt"
    target.write_text("x" * 100_000)
    target.chmod(0o644)
    path.symlink_to(target)
    done = chatctl("export", "--data", data, "-o", path)
    assert (done.returncode, "is there already: choose another name, or --force" in done.stderr) == (1, True)
    assert target.read_text() == "x" * 100_000
    assert chatctl("export", "--data", data, "-o", path, "--force").returncode == 0
    assert path.is_symlink()
    assert target.read_text("utf-8").endswith("ann: text 3\n")
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(found.name for found in tmp_path.iterdir()) == ["data", "link.txt", "out.txt"]


def test_devices_and_pipes_are_written_to(data: Path) -> None:
    assert chatctl("export", "--data", data, "-o", "/dev/null").returncode == 0
    assert Path("/dev/null").is_char_device()
    assert chatctl("export", "--data", data, "-o", "/dev/stdout").stdout.count("\n") == 3


@pytest.mark.parametrize("args", [["export", "--force", "-o"], ["backup", "--force"]])
def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path: Path, args: list[str]) -> None:
    fill(tmp_path / "data", 5_000)
    path = tmp_path / "out"
    path.write_text("old")
    done = subprocess.run(
        command(*args, path, "--data", tmp_path / "data"),
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("chatctl: ")
    assert str(path) in done.stderr
    assert done.stderr.count("\n") == 1
    assert path.read_text() == "old"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["data", "out"]


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    fill(tmp_path, 20_000)
    with subprocess.Popen(
        command("export", "--data", tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"t":"msg","id":1,')
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(SECONDS) == 141


def test_standard_output_that_takes_nothing(data: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("export", "--data", data),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
    assert (done.returncode, done.stderr) == (
        1,
        "chatctl: cannot write to standard output: No space left on device\n",
    )


def test_standard_output_that_is_closed(data: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command("export", "--data", data)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (1, "chatctl: cannot write to standard output: it is closed\n")


def test_what_goes_wrong_is_told_in_one_line(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"t":"msg","id":7,"at":1,"room":"dev","name":"ann","text":"hi"}\n')
    (tmp_path / "there").write_text("")
    cases: list[tuple[list[str | Path], str]] = [
        (["export", "--data", tmp_path / "none"], "there is no history in"),
        (["export", "--data", data, "--room", "none"], "there is no room #none in"),
        (["export", "--data", data, "--room", "a b"], "a room cannot hold a space"),
        (["export", "--data", data, "-o", tmp_path / "there"], "is there already"),
        (["export", "--data", data, "-o", tmp_path, "--force"], "that is no file"),
        (["export", "--data", data, "-o", tmp_path / "no" / "x"], "No such file or directory"),
        (["export", "--data", data, "-o", tmp_path / ("x" * 300)], "File name too long"),
        (["export", "--data", tmp_path / ("x" * 300)], "File name too long"),
        (["backup", tmp_path / ("x" * 300), "--data", data], "File name too long"),
        (["import", tmp_path / ("x" * 300), "--data", data], "File name too long"),
        (["import", file, "--data", tmp_path / ("x" * 300)], "File name too long"),
        (["import", tmp_path / "none", "--data", data], "No such file or directory"),
        (["import", file, "--data", data], f"{file}, line 1: #dev begins with 7"),
        (["backup", tmp_path / "there", "--data", data], "is there already"),
        (["backup", tmp_path, "--data", data, "--force"], "that is no file"),
    ]
    for args, said in cases:
        done = chatctl(*args)
        assert (done.returncode, done.stdout) == (1, ""), args
        assert done.stderr.startswith("chatctl: ")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
    assert chatctl("export", "--format", "pdf").returncode == 2


def test_a_bar_is_shown_on_a_terminal_only(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    cases: list[tuple[list[str | Path], list[str]]] = [
        (["export", "--data", data, "-o", file], ["Exporting"]),
        (["import", file, "--data", tmp_path / "new"], ["Importing", "Indexing"]),
        (["backup", tmp_path / "copy.db", "--data", data], ["Copying"]),
    ]
    for args, bars in cases:
        shown = on_a_terminal(command(*args))
        assert all(bar in shown for bar in bars)
        assert "100%" in shown


def on_a_terminal(args: list[str]) -> str:
    """Runs a command whose standard error is a terminal; returns what comes there."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        args, stdout=subprocess.DEVNULL, stderr=slave, env=environment(TERM="xterm-256color")
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65_536):
                shown += data
        except OSError:
            pass  # How a terminal says that nobody has it open any more.
        os.close(master)
        assert process.wait(SECONDS) == 0
    return shown.decode()
