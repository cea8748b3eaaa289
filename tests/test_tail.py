"""``chatctl tail``, as scripts use it."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chatctl.client.scripts.handler import Handler
from chatctl.messages import Msg
from tests.helpers import RunningServer, fixed_port, fresh, running_server, wait_for
from tests.scripted import Line, Script
from tests.shell import Job, is_there, run, running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0") as running:
        yield running


def say(server: RunningServer, room: str, *texts: str) -> None:
    """Says something in a room, as ann, until it is kept."""
    with server.client("ann", rooms={room: None}, backlog=0) as ann:
        for text in texts:
            ann.say(text, room=room)
        ann.settle()
        ann.send("bye")
        ann.all_until_end()


def texts(job: Job) -> list[str]:
    """Returns the texts of the whole frames that were printed so far."""
    return [frame["text"] for frame in frames(job) if "text" in frame]


def frames(job: Job) -> list[dict[str, Any]]:
    whole, _, _ = job.out.rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def oldest(server: RunningServer) -> int:
    """Returns the oldest id that is kept in the lobby."""
    with server.client(fresh("looker"), rooms={}) as client:
        client.send("history", room="lobby", after=0)
        id_: int = client.expect("history")["messages"][0]["id"]
    return id_


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


# What is followed


@pytest.mark.parametrize(
    ("args", "first"),
    [
        ("", 21),
        ("-n 2", 29),
        ("--lines 500", 1),
        ("--from 25", 26),
        ("--from 0", 1),
        ("--since 27", 28),
        ("--since 1h", 1),
        ("--since today", 1),
    ],
)
def test_where_it_begins(server: RunningServer, args: str, first: int, tmp_path: Path) -> None:
    room = fresh("room")
    say(server, room, *numbers(1, 30))
    with running(server, f"exec chatctl tail --json --room {room} {args}", tmp_path) as job:
        wait_for(lambda: len(texts(job)) == 31 - first, "what was said before")
        say(server, room, "31")
        wait_for(lambda: texts(job)[-1] == "31", "what is said now")
        assert texts(job) == numbers(first, 31)
        assert {frame["t"] for frame in frames(job)} == {"msg"}


def test_a_time_is_met_exactly(server: RunningServer, tmp_path: Path) -> None:
    room = fresh("room")
    say(server, room, "before")
    time.sleep(0.002)  # The server counts milliseconds, and so does what follows.
    moment = int(time.time() * 1000)
    say(server, room, *numbers(1, 3))
    line = (
        f"exec chatctl tail --json --room {room} --since {time.strftime('%FT%T', time.gmtime(moment / 1000))}"
    )
    with running(server, f"{line}.{moment % 1000:03d}Z", tmp_path) as job:
        say(server, room, "4")
        wait_for(lambda: texts(job)[-1:] == ["4"], "what is said now")
        assert texts(job) == numbers(1, 4)


def test_nothing_was_said_since_then(server: RunningServer, tmp_path: Path) -> None:
    room = fresh("room")
    say(server, room, "before")
    with running(server, f"exec chatctl tail --json --room {room} --since 2099-01-01", tmp_path) as job:
        wait_for(lambda: is_there(server, room), "it is there")
        say(server, room, "after")
        wait_for(lambda: texts(job) == ["after"], "what is said from now on")


def test_several_rooms_and_private_messages(server: RunningServer, tmp_path: Path) -> None:
    one, two = fresh("one"), fresh("two")
    with running(server, f"exec chatctl tail --json --room {one} --room '#{two}' -n 0", tmp_path) as job:
        wait_for(lambda: is_there(server, one) and is_there(server, two), "it is in both")
        say(server, one, "in one")
        say(server, two, "in two")
        assert run(server, "chatctl send --name ann --to eve psst").returncode == 0
        wait_for(lambda: len(frames(job)) == 3, "all three")
        keys = [(frame["t"], frame.get("room"), frame["name"], frame["text"]) for frame in frames(job)]
    assert keys == [
        ("msg", one, "ann", "in one"),
        ("msg", two, "ann", "in two"),
        ("told", None, "ann", "psst"),
    ]


def test_the_rooms_may_be_in_a_variable(server: RunningServer, tmp_path: Path) -> None:
    one, two = fresh("one"), fresh("two")
    say(server, one, "in one")
    say(server, two, "in two")
    with running(server, "exec chatctl tail", tmp_path, CHATCTL_ROOM=f"{one} {two}") as job:
        wait_for(lambda: job.out.count("\n") == 2, "both")
        lines = sorted(line.split("  ", 1)[1] for line in job.out.splitlines())
    assert lines == [f"#{one} ann: in one", f"#{two} ann: in two"]


def test_plain_lines_cannot_pose_as_others(server: RunningServer, tmp_path: Path) -> None:
    room = fresh("room")
    say(server, room, "one\ntwo \u202e")
    with running(server, f"exec chatctl tail --room {room}", tmp_path) as job:
        wait_for(lambda: job.out.count("\n") == 2, "both lines")
        assert [line.split("  ", 1)[1] for line in job.out.splitlines()] == [
            "ann: one",
            "ann: two \\u202e",
        ]


def test_what_is_no_longer_kept_is_told(tmp_path: Path) -> None:
    with running_server("--rate", "0", "--keep-messages", "5") as few:
        say(few, "lobby", *numbers(1, 20))
        wait_for(lambda: oldest(few) == 16, "the first ones are forgotten")
        with running(few, "exec chatctl tail --json --from 3", tmp_path) as job:
            wait_for(lambda: len(frames(job)) == 6, "a gap, and the rest")
            assert frames(job)[0] == {"t": "gap", "room": "lobby", "after": 3, "before": 16}
            assert texts(job) == numbers(16, 20)


# How it ends


def test_a_reader_that_has_enough_ends_it_at_once_and_quietly(server: RunningServer) -> None:
    room = fresh("room")
    say(server, room, "first", "second")
    line = f"{{ chatctl tail --json --room {room} {{}}; echo $? >&2; }} | head -n 1"
    done = run(server, line.replace("{}", "-n 1"))  # Nothing more is said: it is not a write that ends it.
    assert (json.loads(done.stdout)["text"], done.stderr) == ("second", "141\n")
    assert run(server, line.replace("{}", "--from 0")).stderr == "141\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", ["", "--json", "--exec cat", "--state state"])
def test_signals_end_it_without_a_word(
    server: RunningServer, number: signal.Signals, how: str, tmp_path: Path
) -> None:
    with running(server, f"exec chatctl tail -n 0 {how} --name {(name := fresh('eve'))}", tmp_path) as job:
        wait_for(lambda: is_there(server, "lobby", name), "it is there")
        assert job.end(number) == 128 + number
        assert (job.out, job.err) == ("", "")


def test_a_reader_that_reads_no_more_does_not_keep_it_from_ending(
    server: RunningServer, tmp_path: Path
) -> None:
    room = fresh("room")
    say(server, room, *["x" * 8_000] * 40)
    os.mkfifo(tmp_path / "pipe")
    with running(server, f"exec chatctl tail --json --room {room} -n 40 > pipe", tmp_path) as job:
        reader = os.open(tmp_path / "pipe", os.O_RDONLY)
        try:
            state = Path(f"/proc/{job.proc.pid}/wchan")
            wait_for(lambda: "pipe" in state.read_text(), "it waits for its reader")
            assert job.end(signal.SIGTERM) == 128 + signal.SIGTERM
        finally:
            os.close(reader)


def test_exit_codes_when_it_cannot_come_in(server: RunningServer) -> None:
    down = run("127.0.0.1:1", "chatctl tail")
    assert (down.returncode, down.stdout) == (3, "")
    assert down.stderr == "chatctl: nothing listens at 127.0.0.1:1: is a server running there?\n"
    with server.client("mallory"):
        taken = run(server, "chatctl tail --name mallory")
    assert (taken.returncode, taken.stdout) == (4, "")
    rooms = " ".join(f"--room r{number}" for number in range(101))
    full = run(server, f"chatctl tail --json {rooms}")
    assert (full.returncode, full.stderr) == (4, "chatctl: at most 100 rooms at once\n")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--json --exec cat", "not both"),
        ("--since 1h -n 3", "give one of"),
        ("--from 3 --room a --room b", "one room"),
        ("--from x", "--from"),
        (f"--from {2**53}", "for '--from'"),
        ("-n 501", "500"),
        ("--since yesteryear", "is no time like"),
        ("--exec 'no-such-command x'", "there is no command 'no-such-command'"),
        ("--exec ''", "there is no command"),
        ("--exec /etc/passwd", "'/etc/passwd' is no program: chmod +x"),
        ("--exec '\"'", "No closing quotation"),
    ],
)
def test_wrong_use(args: str, words: str) -> None:
    done = run("127.0.0.1:1", f"chatctl tail {args}", COLUMNS="200")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


# Commands


HOSTILE = ["$(touch x); \"quotes\" 'n'", "`touch x`\n\t&& touch x | \\ %s", "-n", "ünïcödé \N{PARTY POPPER}"]
SHOW = """#!/bin/sh
printf '%s|' "$#" "$CHATCTL_NAME" "$CHATCTL_ROOM" "$CHATCTL_TEXT" "$CHATCTL_ID" "$CHATCTL_KIND" >> shown
case "$CHATCTL_AT" in *[!0-9]*) exit 1;; esac
cat >> shown
printf '|%s\\n' "$CHATCTL_KEY" >> shown
"""


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """A command that writes down what it is given."""
    command = tmp_path / "show"
    command.write_text(SHOW)
    command.chmod(0o755)
    return tmp_path / "shown"


def test_what_others_say_is_data_and_nothing_else(server: RunningServer, tmp_path: Path, show: Path) -> None:
    room = fresh("room")
    line = f"exec chatctl tail --room {room} --exec './show \"a b\" $HOME' --name evelyn"
    with running(server, line, tmp_path, CHATCTL_KEY="topsecret") as job:
        wait_for(lambda: is_there(server, room, "evelyn"), "it is there")
        say(server, room, *HOSTILE)
        with server.client("ann", rooms={room: None}) as ann:
            ann.say("waves", room=room, kind="action")
            ann.send("tell", to="evelyn", text=HOSTILE[0])
            ann.settle()
        wait_for(lambda: show.exists() and show.read_text().count("|\n") == 6, "all were handled")
        assert (job.out, job.err) == ("", "")
    expected = [f"2|ann|{room}|{text}|{id_}|text|{text}|\n" for id_, text in enumerate(HOSTILE, 1)]
    expected += [f"2|ann|{room}|waves|5|action|waves|\n", f"2|ann||{HOSTILE[0]}||text|{HOSTILE[0]}|\n"]
    assert show.read_text() == "".join(expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["show", "shown"]


def test_a_command_gets_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHATCTL_KEY", "CHATCTL_PASSWORD"):
        monkeypatch.setenv(name, "topsecret")
    Handler(["sh", "-c", f"env > {tmp_path}/env"]).run(Msg(1, 1, "lobby", "bob", "hi"))
    given = (tmp_path / "env").read_text()
    assert "CHATCTL_TEXT=hi\n" in given
    assert "topsecret" not in given


def test_what_a_command_prints_is_its_own_and_a_failure_counts_as_handled(
    server: RunningServer, tmp_path: Path
) -> None:
    room = fresh("room")
    script = 'echo "out $CHATCTL_ID"; echo "err $CHATCTL_ID" >&2; [ "$CHATCTL_ID" != 1 ] || exit 7'
    line = f"exec chatctl tail --room {room} --from 0 --exec \"sh -c '$SCRIPT'\""
    say(server, room, "x" * 8_000, "second")  # Nobody reads the long one.
    with running(server, line, tmp_path, SCRIPT=script) as job:
        wait_for(lambda: job.out == "out 1\nout 2\n", "both were handled")
        assert job.err == f"err 1\nchatctl: sh failed with exit code 7 for message 1 of #{room}\nerr 2\n"


@pytest.mark.parametrize(("trap", "again"), [("trap 'exit 0' TERM", False), (":", True)])
def test_a_command_that_is_interrupted_has_handled_it_if_it_says_so(
    server: RunningServer, trap: str, again: bool, tmp_path: Path
) -> None:
    room, command, log = fresh("room"), tmp_path / "slow", tmp_path / "handled"
    # A shell that is told just before it waits for long would notice too late.
    command.write_text(f'#!/bin/sh\n{trap}\necho "$CHATCTL_ID" >> handled\nwhile :; do sleep 0.1; done\n')
    command.chmod(0o755)
    say(server, room, "1")
    line = f"exec chatctl tail --room {room} --from 0 --state state --exec"
    with running(server, f"{line} ./slow", tmp_path) as job:
        wait_for(lambda: handled(log), "the command runs")
        assert job.end(signal.SIGTERM) == 128 + signal.SIGTERM
    with running(server, f"{line} 'tee -a handled'", tmp_path) as job:
        say(server, room, "2")
        wait_for(lambda: job.out.endswith("2"), "the next one is handled")
        assert job.out == ("12" if again else "2")


# Where it was


def handled(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def has(path: Path, count: int) -> bool:
    return len(handled(path)) >= count


ONCE = "exec chatctl tail --state state --exec \"sh -c 'echo \\$CHATCTL_TEXT >> handled'\""


def test_each_message_is_handled_once_though_it_is_killed(server: RunningServer, tmp_path: Path) -> None:
    room, log = fresh("room"), tmp_path / "handled"
    say(server, room, "before")
    for first in (1, 22, 43):
        with running(server, ONCE, tmp_path, CHATCTL_ROOM=room) as job:
            wait_for(lambda: is_there(server, room), "it is there")
            say(server, room, *numbers(first, first + 19))
            wait_for(partial(has, log, first + 4), "some are handled")
            job.end(signal.SIGKILL)
        wait_for(lambda: not is_there(server, room), "it has gone")
        say(server, room, str(first + 20))
    with running(server, ONCE, tmp_path, CHATCTL_ROOM=room):
        wait_for(lambda: "63" in handled(log), "the rest is handled")
    # What was being handled when it was killed is handled again, and nothing else.
    once = list(dict.fromkeys(handled(log)))
    assert once == numbers(1, 63)
    assert len(handled(log)) - len(once) <= 3


def test_each_message_is_handled_once_across_a_restart_of_the_server(tmp_path: Path) -> None:
    port, log = fixed_port(), tmp_path / "handled"
    data = ("--port", str(port), "--data", str(tmp_path / "data"), "--rate", "0")
    with running_server(*data) as server, running(f"127.0.0.1:{port}", ONCE, tmp_path) as job:
        wait_for(lambda: is_there(server, "lobby"), "it is there")
        say(server, "lobby", *numbers(1, 10))
        server.kill()
        wait_for(lambda: "chatctl: " in job.err, "the loss is told")
        with running_server(*data) as again:
            say(again, "lobby", *numbers(11, 20))
            wait_for(lambda: handled(log)[-1:] == ["20"], "all were handled")
            wait_for(lambda: job.err.endswith("chatctl: the server is back\n"), "the return is told")
            assert job.end(signal.SIGTERM) == 128 + signal.SIGTERM
            say(again, "lobby", "21")
        with running_server(*data) as third, running(f"127.0.0.1:{port}", ONCE, tmp_path):
            wait_for(lambda: is_there(third, "lobby"), "it is there")
            say(third, "lobby", "22")
            wait_for(lambda: handled(log)[-1:] == ["22"], "all were handled")
    assert handled(log) == numbers(1, 22)


ANEW = "the server has counted #lobby anew since message {}: from its first one on"


def test_a_server_that_forgot_everything_is_followed_from_its_first_message_on(tmp_path: Path) -> None:
    line = "exec chatctl tail --json --state state --from 0"
    with running_server("--ephemeral", "--rate", "0") as server, running(server, line, tmp_path) as job:
        say(server, "lobby", *numbers(1, 700))
        wait_for(lambda: len(texts(job)) == 700, "all were handled")
        assert texts(job) == numbers(1, 700)
    with running_server("--ephemeral", "--rate", "0") as server:
        say(server, "lobby", *numbers(1, 600))  # More than are replayed to one who comes in.
        with running(server, line, tmp_path) as job:
            wait_for(lambda: len(texts(job)) == 600, "all were handled")
            say(server, "lobby", "601")
            wait_for(lambda: texts(job) == numbers(1, 601), "each once, and in order")
            assert job.err == f"chatctl: {ANEW.format(700)}\n"


def test_an_id_that_is_not_there_yet_is_no_reason_to_handle_everything(
    server: RunningServer, tmp_path: Path
) -> None:
    say(server, "lobby", *numbers(1, 3))
    with running(server, "exec chatctl tail --json --from 20261124", tmp_path) as job:
        wait_for(lambda: "from now on" in job.err, "it is told")
        say(server, "lobby", "4")
        wait_for(lambda: texts(job) == ["4"], "what is new, and only that")
        assert job.err == "chatctl: the last message of #lobby is 3, not 20261124: from now on\n"


def test_a_server_that_forgot_everything_meanwhile(tmp_path: Path) -> None:
    port = fixed_port()
    memory = ("--port", str(port), "--ephemeral", "--rate", "0")
    with running_server(*memory) as first, running(f"127.0.0.1:{port}", ONCE, tmp_path) as job:
        wait_for(lambda: is_there(first, "lobby"), "it is there")
        say(first, "lobby", *numbers(1, 3))
        wait_for(lambda: handled(tmp_path / "handled") == numbers(1, 3), "all were handled")
        first.kill()
        with running_server(*memory) as second:
            say(second, "lobby", "4")
            wait_for(lambda: handled(tmp_path / "handled") == numbers(1, 4), "what is new was handled")
            assert ANEW.format(3) in job.err


def test_only_one_at_a_time_uses_a_state_file(server: RunningServer, tmp_path: Path) -> None:
    name = fresh("eve")
    with running(server, f"exec chatctl tail --state state --name {name}", tmp_path):
        wait_for(lambda: is_there(server, "lobby", name), "it is there")
        done = run(server, "chatctl tail --state state", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "chatctl: state is in use: another chatctl goes on from it\n"


def test_what_is_no_state_file_is_left_alone(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("buy milk\n")
    done = run(server, "chatctl tail --state notes", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("chatctl: notes is damaged, or not what --state has written")
    assert (tmp_path / "notes").read_text() == "buy milk\n"


# What was redacted


def redacting(line: Line) -> None:
    """Plays a server on which something is redacted, and something was."""
    line.welcome("s")
    while line.receive_any()["t"] != "join":
        pass
    line.room(1)
    for id_, text in ((2, "rude"), (3, ""), (4, "kind")):
        line.send("msg", id=id_, at=0, room="lobby", name="bob", text=text)
        if id_ == 3:
            line.send("redacted", room="lobby", id=2, name="ann", reason="manners")
            line.send("redacted", room="elsewhere", id=2, name="ann")
    line.send("bye", code="replaced", text="bye")


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("tail", "bob: rude\nbob: (removed)\n— ann removed message 2: manners\nbob: kind\n"),
        ("tail --exec cat", "rudekind"),
        ("wait --match .", "bob: rude\n"),
        ("wait --match '^$|removed|manners|kind'", "bob: kind\n"),
    ],
)
def test_what_was_redacted_is_no_message(command: str, printed: str) -> None:
    with Script(redacting) as script:
        done = run(f"127.0.0.1:{script.address[1]}", f"chatctl {command}")
    assert re.sub(r"(?m)^1970-01-01 00:00:00  ", "", done.stdout) == printed


def test_a_redaction_is_a_frame_too() -> None:
    with Script(redacting) as script:
        done = run(f"127.0.0.1:{script.address[1]}", "chatctl tail --json")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [frame["t"] for frame in printed] == ["msg", "msg", "redacted", "msg"]
    assert printed[2] == {"t": "redacted", "room": "lobby", "id": 2, "name": "ann", "reason": "manners"}


# What is none of its business


def moderating(line: Line) -> None:
    """Plays a server on which moderators act, and the same account is connected elsewhere."""
    line.welcome("s")
    while line.receive_any()["t"] != "join":
        pass
    line.room(1)
    line.send("mode", room="lobby", hidden=True)
    line.send("account", name="bob", role="moderator")
    line.send("moderated", what="ban", whom="eve", name="ann", at=0, reason="kind of spam")
    line.send("bans", bans=[])
    line.send("invited", key="k", room="lobby", uses=1, until=0)
    line.send("told", at=0, name="bob", to="cat", text="kind words to others")
    line.send("told", at=0, name="cat", text="kind words")
    line.send("msg", id=2, at=0, room="lobby", name="bob", text="kind")
    line.send("bye", code="replaced", text="bye")


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("tail", "cat → you: kind words\nbob: kind\n"),
        ("tail --exec cat", "kind wordskind"),
        ("wait --match kind", "cat → you: kind words\n"),
    ],
)
def test_what_moderators_do_is_no_message(command: str, printed: str) -> None:
    with Script(moderating) as script:
        done = run(f"127.0.0.1:{script.address[1]}", f"chatctl {command}")
    assert re.sub(r"(?m)^1970-01-01 00:00:00  ", "", done.stdout) == printed


def test_frames_are_those_that_are_said_alone() -> None:
    with Script(moderating) as script:
        done = run(f"127.0.0.1:{script.address[1]}", "chatctl tail --json")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(frame["t"], frame["text"]) for frame in printed] == [("told", "kind words"), ("msg", "kind")]


# Who may no longer know


def putting_out(line: Line) -> None:
    """Plays a server that has the client leave a room."""
    line.welcome("s", "alice")
    while line.receive_any()["t"] != "join":
        pass
    line.room(1)
    line.send("presence", room="lobby", joined=[], left=["bob"], count=2)
    line.send("msg", id=2, at=0, room="lobby", name="ann", text="kind")
    line.send("presence", room="lobby", joined=[], left=["alice"], count=1)
    line.send("bye", code="replaced", text="bye")


@pytest.mark.parametrize("command", ["tail", "wait --match never"])
def test_whoever_is_put_out_of_the_room_is_told_and_ends(command: str) -> None:
    with Script(putting_out) as script:
        done = run(f"127.0.0.1:{script.address[1]}", f"chatctl {command} --name alice")
    assert (done.returncode, done.stderr) == (4, "chatctl: you are no longer in #lobby\n")
    assert ("kind" in done.stdout) == (command == "tail")
