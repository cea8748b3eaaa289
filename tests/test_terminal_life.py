"""Living in the terminal client: several rooms, being called, finding things again, and leaving no trace."""

from __future__ import annotations

import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatctl.client.display.codes import KEEP_TITLE, RESTORE_TITLE, title
from chatctl.client.terminal.alerts import QUIET_SECONDS
from tests.helpers import RunningServer, fixed_port, running_server, wait_for
from tests.test_terminal import CTRL_C, CTRL_U, TAB, UP, is_stopped, two
from tests.window import Window, address

CTRL_R, ALT_ENTER = "\x12", "\x1b\r"
SHAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\x1b\]8;[^\x1b]*\x1b\\\\")


def alt(number: int) -> str:
    return f"\x1b{number}"


def paste(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0") as running:
        yield running


# Rooms


def test_one_room_is_in_focus_and_the_prompt_counts_the_others(server: RunningServer) -> None:
    with Window(server, "ann") as ann, server.client("bob") as bob:
        ann.enter("/join dev")
        ann.expect("— in #dev, nobody else is here", "#dev>")
        bob.say("lunch, ann?")
        ann.expect("HH:MM  #lobby bob: lunch, ann?", "#dev [1:lobby 1 @1]>")
        bob.say("soup")
        ann.expect("HH:MM  #lobby bob: soup", "#dev [1:lobby 2 @1]>")
        ann.type(alt(1))
        ann.expect("HH:MM  #lobby bob: soup", "#lobby>")
        ann.enter("coming")
        assert bob.texts(1) == ["coming"]
        ann.expect("HH:MM✓ ann: coming", "#lobby>")
        ann.type(alt(7))
        ann.enter("/focus 2")
        ann.expect("HH:MM✓ ann: coming", "#dev>")
        ann.enter("/focus #lobby")
        ann.expect("HH:MM✓ ann: coming", "#lobby>")
        ann.enter("/focus nowhere")
        ann.expect("! you are not in #nowhere; /join nowhere enters it", "#lobby> /focus nowhere")


def test_no_number_of_a_room_is_too_long(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        ann.type(paste("/focus " + "9" * 5000) + "\r")
        ann.expect_somewhere("! a room has 1 to 48 characters")
        ann.type(CTRL_U)
        ann.enter("/focus 999999999999")
        ann.expect_somewhere("! you are not in #999999999999; /join 999999999999 enters it")


def test_a_room_that_was_left_while_there_was_no_line_is_gone(tmp_path: Path) -> None:
    args = ("--port", str(fixed_port()), "--data", str(tmp_path / "data"))
    with running_server(*args) as server, Window(server, "ann") as ann:
        ann.enter("/join dev")
        ann.expect("— in #dev, nobody else is here", "#dev>")
        server.kill()
        wait_for(lambda: "reconnecting" in "".join(ann.lines()[-1:]), "the loss is seen")
        ann.enter("/part")
        with running_server(*args):
            ann.expect_somewhere("— you left #dev")
            wait_for(lambda: ann.lines()[-1:] == ["#lobby>"], "one talks in the room that is left")


# People


def test_away_and_back(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        ann.enter("/away at lunch")
        ann.expect("— you are away: at lunch", "#lobby (away)>")
        bob.enter("/msg ann there?")
        bob.expect("— ann is away: at lunch", "HH:MM✓ you → ann: there?", "#lobby>")
        bob.enter("/who")
        bob.expect("— 2 in #lobby: ann, bob — away: ann", "#lobby>")
        bob.enter("/whois ann")
        bob.expect_somewhere("; away: at lunch")
        ann.enter("/back")
        ann.expect("— you are back", "#lobby>")


def test_whoever_is_ignored_is_not_seen_in_later_runs_either(server: RunningServer) -> None:
    with server.client("Troll") as troll, server.client("bob") as bob, Window(server, "ann") as ann:
        ann.expect("— in #lobby with 2 others: Troll, bob", "#lobby>")
        ann.enter("/ignore troll")
        ann.expect("— you do not see any more what troll says; /unignore troll shows it again", "#lobby>")
        troll.say("ann! ann!")
        troll.send("tell", to="ann", text="ann!")
        troll.send("rename", name="Angel")
        troll.say("ann, it is me")
        bob.say("quiet here")
        ann.expect(
            "— you do not see any more what troll says; /unignore troll shows it again",
            "HH:MM  bob: quiet here",
            "#lobby>",
        )
        ann.enter("exit")
        assert ann.end() == 0
        with Window(server, "ann") as again:
            again.expect_somewhere("bob: quiet here")
            assert "Troll: ann!" not in again.text()
            again.enter("/ignore")
            again.expect("— you ignore troll", "#lobby>")
            again.enter("/unignore TROLL")
            again.expect("— you see again what TROLL says", "#lobby>")
            troll.say("at last")
            again.expect("HH:MM  Angel: at last", "#lobby>")


# Reading


def test_what_was_said_since_one_left(server: RunningServer) -> None:
    with server.client("bob") as bob:
        with Window(server, "ann") as ann:
            bob.say("before")
            ann.expect("HH:MM  bob: before", "#lobby>")
            ann.enter("exit")
            assert ann.end() == 0
        bob.say("after")
        bob.say("later")
        bob.settle()
        with Window(server, "ann") as ann:
            ann.expect("HH:MM  bob: later", "#lobby>")
            lines = ann.lines()
            place = lines.index("HH:MM  bob: before")
            assert lines[place + 1].startswith("── since you left #lobby ")
            assert lines[place + 1].endswith(": 2 messages ──")
            assert lines[place + 2] == "HH:MM  bob: after"


def test_the_client_that_is_killed_knows_where_it_was(server: RunningServer) -> None:
    with server.client("bob") as bob, Window(server, "ann") as ann:
        bob.say("before")
        ann.expect("HH:MM  bob: before", "#lobby>")
        state = Path(os.environ["XDG_STATE_HOME"], "chatctl", "seen.json")
        wait_for(state.exists, "where one is is kept")
        assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_what_was_said_since_one_parted(server: RunningServer) -> None:
    with server.client("bob", rooms={"dev": None}) as bob, Window(server, "ann") as ann:
        ann.enter("/join dev")
        ann.expect("— in #dev with 1 other: bob", "#dev>")
        bob.say("before", room="dev")
        ann.expect("HH:MM  bob: before", "#dev>")
        ann.enter("/part")
        ann.expect("— you left #dev", "#lobby>")
        bob.say("after", room="dev")
        bob.settle()
        ann.enter("/join dev")
        ann.expect("HH:MM  bob: after", "#dev>")
        assert re.search(
            r"── since you left #dev .*: 1 message ──\nHH:MM  bob: after", "\n".join(ann.lines())
        )


def test_times_can_be_changed(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        ann.enter("/timestamp off")
        ann.enter("hello")
        ann.expect("✓ ann: hello", "#lobby>")
        ann.enter("/timestamp datetime")
        ann.enter("again")
        wait_for(
            lambda: re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d✓ ann: again$", ann.text(), re.M), "a date"
        )


def test_texts_are_shown_as_they_are_marked_up(server: RunningServer) -> None:
    with Window(server, "ann") as ann, server.client("bob") as bob:
        bob.say("**so** `it` *is*: https://example.org/x\n```\ncode\n```")
        ann.expect("HH:MM  bob: so it is: https://example.org/x", "            │ code", "#lobby>")
        assert b";https://example.org/x\x1b\\" in ann.sent


def test_themes(server: RunningServer) -> None:
    with Window(server, "ann", "--theme", "mono") as ann, server.client("bob") as bob:
        bob.say("hello")
        ann.expect("HH:MM  bob: hello", "#lobby>")
        assert b"38;5" not in ann.sent
        ann.enter("/theme dark")
        ann.expect("— theme: dark; `chatctl config set theme dark` makes it last", "#lobby>")
        bob.say("hello")
        ann.expect("HH:MM  bob: hello", "#lobby>")
        assert b"38;5" in ann.sent
        ann.type("/theme li" + TAB + "\r")
        ann.expect("— theme: light; `chatctl config set theme light` makes it last", "#lobby>")


# Typing


def test_a_paste_keeps_its_lines(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        ann.type(paste("one\r\n  two\n\nfour\n/five"))
        ann.expect("#lobby> one", "          two", "", "        four", "        /five")
        ann.type("\r")
        bob.expect(
            "HH:MM  ann: one", "              two", "", "            four", "            /five", "#lobby>"
        )


def test_alt_enter_begins_a_line(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        ann.type(f"one{ALT_ENTER}two\r")
        bob.expect("HH:MM  ann: one", "            two", "#lobby>")


def test_what_cannot_be_sent_stays_to_be_mended(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        ann.enter("/bell loud")
        ann.expect("! /bell: one of off, mentions, all", "#lobby> /bell loud")
        ann.type("\x7f\x7f\x7f\x7foff\r")
        ann.expect("— bell: off; `chatctl config set bell off` makes it last", "#lobby>")


def test_emoji_are_typed_by_their_names(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        ann.type("cake :shortc" + TAB + "\r")
        bob.expect("HH:MM  ann: cake \N{SHORTCAKE}", "#lobby>")


def test_what_was_typed_is_found_in_later_runs(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        ann.enter("the first words")
        ann.enter("the second words")
        ann.expect("HH:MM✓ ann: the second words", "#lobby>")
        ann.enter("exit")
        assert ann.end() == 0
    kept = Path(os.environ["XDG_STATE_HOME"], "chatctl", "typed")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with Window(server, "ann") as ann:
        ann.expect("HH:MM✓ ann: the second words", "#lobby>")
        ann.type(UP + UP)
        ann.expect("HH:MM✓ ann: the second words", "#lobby> the second words")
        ann.type(CTRL_U + CTRL_R + "first")
        ann.expect_above("#lobby> the first words")
        ann.type("\r")
        ann.expect("#lobby> the first words")
        ann.type("\r")
        ann.expect("HH:MM✓ ann: the first words", "#lobby>")


# Being called


def test_a_mention_rings_and_is_counted_in_the_title(server: RunningServer) -> None:
    with server.client("bob") as bob, Window(server, "ann", "--notify", "osc777") as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        bob.say("hello all")
        ann.expect("HH:MM  bob: hello all", "#lobby>")
        assert b"\x1b]777" not in ann.sent
        ann.enter("/join dev")
        ann.expect("— in #dev, nobody else is here", "#dev>")
        bob.say("where is Ann?\x1b;"[:13])
        wait_for(
            lambda: ann.lines() and b"\a\x1b]777;notify;bob in #lobby;where is Ann?\a" in ann.sent, "a call"
        )
        wait_for(lambda: ann.lines() and title("(1, 1 for you) #dev").encode() in ann.sent, "a title")
        ann.enter("exit")
        assert ann.end() == 0
        assert ann.sent.index(KEEP_TITLE.encode()) < ann.sent.index(title("#lobby").encode())
        assert ann.sent.rindex(RESTORE_TITLE.encode()) >= ann.sent.rindex(title("").encode()[:4])


def test_the_bell_can_be_switched_off(server: RunningServer) -> None:
    with Window(server, "ann", "--bell", "off", "--no-title") as ann, server.client("bob") as bob:
        bob.say("ann!")
        ann.expect("HH:MM  bob: ann!", "#lobby>")
        bob.say("last")
        ann.expect("HH:MM  bob: last", "#lobby>")
        ann.enter("exit")
        assert ann.end() == 0
        assert b"\a" not in ann.sent.replace(RESTORE_TITLE.encode(), b"")


def test_what_is_found_does_not_call_again(server: RunningServer) -> None:
    with server.client("bob") as bob, Window(server, "ann", "--notify", "osc777", "--no-title") as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        bob.say("ann!")
        wait_for(lambda: ann.lines() and ann.sent.count(b"\x1b]777;") == 1, "a call")
        ann.enter("/history 1")
        ann.expect("── now ──", "#lobby>")
        found = time.monotonic()
        wait_for(lambda: ann.lines() and time.monotonic() > found + 2 * QUIET_SECONDS, "it is called again")
        assert ann.sent.count(b"\x1b]777;") == 1


# Finding


def test_history_search_and_export(server: RunningServer, tmp_path: Path) -> None:
    with server.client("bob") as bob, Window(server, "ann", "--backlog", "0") as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        for text in ("red apples", "green pears", "red plums"):
            bob.say(text)
        ann.expect("HH:MM  bob: red plums", "#lobby>")
        ann.enter("/history 2")
        ann.expect(
            "── 2 messages at the end of #lobby, and there are more ──",
            "HH:MM  bob: green pears",
            "HH:MM  bob: red plums",
            "── now ──",
            "#lobby>",
        )
        ann.enter("/history 1h")
        ann.expect("── now ──", "#lobby>")
        ann.expect_somewhere("── 3 messages of #lobby since 1h ──")
        ann.enter("/search red")
        ann.expect(
            "── 2 messages with “red” ──",
            "HH:MM  bob: red apples",
            "HH:MM  bob: red plums",
            "── now ──",
            "#lobby>",
        )
        ann.enter("/search blue")
        ann.expect("— there are no messages with “blue”", "#lobby>")
        ann.enter("/history never")
        ann.expect_somewhere("! /history [COUNT|TIME]: never is no time")
        ann.type(CTRL_U)
        path = tmp_path / "lobby.txt"
        ann.enter(f"/export {path}")
        ann.expect_somewhere("3 messages of #lobby are in")
        assert "bob: green pears" in path.read_text()
        ann.enter(f"/export {path}")
        wait_for(lambda: "istherealready" in "".join(ann.text().split()), "a refusal")


# Whatever happens


def test_what_waits_for_a_server_that_does_not_answer_is_shown(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        server.proc.send_signal(signal.SIGSTOP)
        wait_for(lambda: is_stopped(server), "no thread of the server runs")
        ann.enter("hello?")
        ann.expect("— in #lobby, nobody else is here", "… hello?", "#lobby>")
        server.proc.send_signal(signal.SIGCONT)
        ann.expect("— in #lobby, nobody else is here", "HH:MM✓ ann: hello?", "#lobby>")


def test_a_restart_of_the_server(tmp_path: Path) -> None:
    args = ("--port", str(fixed_port()), "--data", str(tmp_path / "data"))
    with running_server(*args) as server, Window(server, "ann") as ann:
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        ann.enter("/away fishing")
        ann.enter("before")
        ann.expect("HH:MM✓ ann: before", "#lobby (away)>")
        server.kill()
        wait_for(lambda: "reconnecting" in "".join(ann.lines()[-1:]), "the loss is seen")
        ann.enter("meanwhile")
        ann.expect_above("… meanwhile")
        with running_server(*args) as again, again.client("bob") as bob:
            ann.expect("HH:MM✓ ann: meanwhile", "#lobby (away)>")
            bob.send("whois", name="ann")
            assert bob.expect("user")["away"] == "fishing"


def test_a_thousand_messages_come_while_one_types(server: RunningServer) -> None:
    with server.client("bob") as bob, Window(server, "ann") as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        typed = ""
        for number in range(1000):
            bob.say(f"message {number}")
            if number % 50 == 0:
                ann.type(chr(97 + number // 50))
                typed += chr(97 + number // 50)
        ann.expect("HH:MM  bob: message 999", f"#lobby> {typed}")


def test_an_attack_by_escape_sequences(server: RunningServer) -> None:
    evil = "\u202e\u2066 [bold]x[/bold] https://example.org/\u202ea https://a/;\u2028b **\u200f** `\u061c`"
    with Window(server, "ann") as ann, server.client("bob") as bob:
        bob.say(evil)
        ann.expect_somewhere("[bold]x[/bold]")
        bob.send("topic", room="lobby", text="\u202etopic")
        bob.send("away", text="\u2067gone")
        ann.expect_somewhere("set the topic of #lobby")
        ann.enter("/whois bob")
        ann.expect_somewhere("away: ")
        rest = SHAPE.sub("", ann.sent.decode())
        assert not re.search("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", rest)
        assert "[bold]x[/bold]" in ann.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_as_before_when_the_client_is_ended(server: RunningServer, number: int) -> None:
    with Window(server, "ann") as ann:
        ann.type("half a line")
        ann.expect("#lobby> half a line")
        ann.proc.send_signal(number)
        assert ann.end() == 128 + number
        assert RESTORE_TITLE.encode() in ann.sent
        assert ann.sent.rfind(b"\x1b[?2004l") > ann.sent.rfind(b"\x1b[?2004h"), (
            "pastes are no longer bracketed"
        )


def test_the_terminal_is_as_before_when_the_server_is_killed(server: RunningServer) -> None:
    with Window(server, "ann", "--no-reconnect") as ann:
        ann.expect("#lobby>")
        server.kill()
        assert ann.end() == 1
        assert RESTORE_TITLE.encode() in ann.sent
        assert ann.sent.rfind(b"\x1b[?2004l") > ann.sent.rfind(b"\x1b[?2004h"), (
            "pastes are no longer bracketed"
        )


def test_a_resize_keeps_everything(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        bob.enter("a line that has more than forty characters in it")
        ann.expect("HH:MM  bob: a line that has more than forty characters in it", "#lobby>")
        ann.type("a draft that is longer than forty characters")
        ann.expect("#lobby> a draft that is longer than forty characters")
        ann.resize(40)
        ann.expect("#lobby> a draft that is longer than fort", "y characters")
        ann.resize(60)
        ann.expect("#lobby> a draft that is longer than forty characters")
        ann.resize(33)
        ann.expect("#lobby> a draft that is longer th", "an forty characters")
        ann.resize(80)
        ann.expect("#lobby> a draft that is longer than forty characters")
        assert any(line.startswith("HH:MM  bob: a line that has more") for line in ann.lines())


# Plain


def test_plain_lines_for_a_screen_reader(server: RunningServer) -> None:
    with server.client("bob") as bob, Window(server, "ann", "--plain") as ann:
        ann.expect("— in #lobby with 1 other: bob")
        bob.say("hello **Ann**")
        ann.expect("HH:MM  bob: hello **Ann**")
        ann.type("hi\n")
        assert bob.texts(1) == ["hi"]
        ann.type("/me waves\n/who\n")
        assert bob.texts(1) == ["waves"]
        ann.expect("— 2 in #lobby: bob, ann")
        assert "ann: hi" not in ann.text()
        ann.type("exit\n")
        assert ann.end() == 0
        assert b"\x1b" not in ann.sent


def test_plain_lines_know_what_was_said_since_one_left(server: RunningServer) -> None:
    with server.client("bob") as bob:
        bob.say("before")
        for _ in range(2):
            with Window(server, "ann", "--plain") as ann:
                ann.expect("HH:MM  bob: before")
                assert "since you left" not in ann.text()
                ann.type("exit\n")
                assert ann.end() == 0
        bob.say("after")
        with Window(server, "ann", "--plain") as ann:
            ann.expect_somewhere("── since you left #lobby")
            ann.expect("HH:MM  bob: after")


def test_a_terminal_that_can_nothing_gets_plain_lines(server: RunningServer) -> None:
    with server.client("bob") as bob, Window(server, "ann", env={"TERM": "dumb"}) as ann:
        ann.expect("— in #lobby with 1 other: bob")
        bob.say("hello **Ann**")
        ann.expect("HH:MM  bob: hello **Ann**")
        ann.type("exit\n")
        assert ann.end() == 0
        assert b"\x1b" not in ann.sent


def test_nothing_is_left_of_a_client_that_never_came_in(server: RunningServer) -> None:
    with server.client("ann"), Window(server, "Ann") as ann:
        assert ann.end() == 1
        assert b"\x1b" not in ann.sent


def test_ctrl_c_leaves_a_search(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        ann.type("draft" + CTRL_R)
        ann.expect_above("#lobby> draft")
        ann.type(CTRL_C)
        ann.expect("#lobby> draft")
        assert ann.proc.poll() is None
        assert address(server)
